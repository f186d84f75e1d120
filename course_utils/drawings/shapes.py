"""Outlines, colours and paint: what the drawn creatures and their scenery are made of.

A figure is a list of shapes in its own units; one matrix turns, stretches and moves their
points into the picture, so that every position stays known exactly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from PIL import Image

Colour = tuple[int, int, int]

#: Width of an outline, in units of a head about two units wide.
OUTLINE = 0.07


@dataclass(frozen=True, eq=False)
class Shape:
    """One outline to paint.

    Attributes
    ----------
    points : ndarray of float64, shape (N, 2)
        Corners x, y in the figure's units, x to the right and y down.
    fill : str or None
        The colour's name in the style; None draws an open line.
    line : float
        Width of the line around it in the figure's units; 0 draws none.
    ink : str
        Name of the line's colour.
    head : bool
        Whether the shape belongs to the head, and so inside its box.
    face : bool
        Whether the shape moves when the face turns.
    """

    points: np.ndarray
    fill: str | None
    line: float = OUTLINE
    ink: str = "outline"
    head: bool = False
    face: bool = False


@dataclass(frozen=True, eq=False)
class Figure:
    """Shapes from back to front, and the landmarks of the face.

    Attributes
    ----------
    shapes : tuple of Shape
    landmarks : ndarray of float64, shape (5, 2)
        x, y in the figure's units; NaN where there is no such landmark.
    """

    shapes: tuple[Shape, ...]
    landmarks: np.ndarray


@dataclass(frozen=True, eq=False)
class Style:
    """The colours of a figure by name, and the pattern of its coat.

    Attributes
    ----------
    colours : dict of str to tuple of int
        Red, green and blue from 0 to 255.
    pattern : str
        One of ``coats.PATTERNS``.
    """

    colours: dict[str, Colour]
    pattern: str


@lru_cache(maxsize=64)
def _circle(corners: int) -> np.ndarray:
    """Return the corners of a regular polygon on the unit circle."""
    angles = np.arange(corners) * (2 * np.pi / corners)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def ellipse(
    x: float, y: float, across: float, down: float, tilt: float = 0.0, corners: int = 22
) -> np.ndarray:
    """Return the corners of an ellipse.

    Parameters
    ----------
    x, y : float
        Centre.
    across, down : float
        Half axes before it is tilted.
    tilt : float
        Radians clockwise on the screen.
    corners : int

    Returns
    -------
    ndarray of float64, shape (corners, 2)

    Examples
    --------
    >>> ellipse(0, 0, 2, 1, corners=4).round(6).tolist()
    [[2.0, 0.0], [0.0, 1.0], [-2.0, 0.0], [-0.0, -1.0]]
    """
    points = _circle(corners) * (across, down)
    return (turned(points, tilt) if tilt else points) + (x, y)


def turned(points: ArrayLike, angle: float, about: ArrayLike = (0, 0)) -> np.ndarray:
    """Turn points about a point.

    Parameters
    ----------
    points : array-like, shape (N, 2)
    angle : float
        Radians clockwise on the screen, where y points down.
    about : pair of float

    Returns
    -------
    ndarray of float64, shape (N, 2)

    Examples
    --------
    >>> turned(np.array([[1.0, 0.0]]), np.pi / 2).round(6).tolist()
    [[0.0, 1.0]]
    """
    cos, sin = np.cos(angle), np.sin(angle)
    return (np.asarray(points) - about) @ np.array([[cos, sin], [-sin, cos]]) + about


@lru_cache(maxsize=64)
def _smoothing(corners: int, steps: int) -> np.ndarray:
    """Return the matrix that makes a closed Catmull-Rom curve from its control points."""
    t = np.arange(steps) / steps
    weights = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    )
    matrix = np.zeros((corners * steps, corners))
    for corner in range(corners):
        for offset in range(4):
            rows = slice(corner * steps, (corner + 1) * steps)
            matrix[rows, (corner + offset - 1) % corners] += weights[offset]
    return matrix


def smooth(points: ArrayLike, steps: int = 4) -> np.ndarray:
    """Return a smooth closed curve through points (Catmull-Rom).

    Parameters
    ----------
    points : array-like, shape (N, 2)
    steps : int
        Corners of the result for each given point.

    Returns
    -------
    ndarray of float64, shape (N * steps, 2)

    Examples
    --------
    >>> smooth([(0, 0), (1, 0), (1, 1), (0, 1)], steps=2)[:2].tolist()
    [[0.0, 0.0], [0.5, -0.125]]
    """
    points = np.asarray(points, float)
    return _smoothing(len(points), steps) @ points


@lru_cache(maxsize=16)
def _bending(corners: int) -> np.ndarray:
    """Return the weights of the three control points along a quadratic Bezier curve."""
    t = np.linspace(0, 1, corners)
    return np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2], axis=1)


def bend(start: ArrayLike, control: ArrayLike, end: ArrayLike, corners: int = 7) -> np.ndarray:
    """Return a curve from one point to another, pulled towards a third (quadratic Bezier).

    Parameters
    ----------
    start, control, end : pair of float
    corners : int

    Returns
    -------
    ndarray of float64, shape (corners, 2)

    Examples
    --------
    >>> bend((0, 0), (1, 2), (2, 0), corners=3).tolist()
    [[0.0, 0.0], [1.0, 1.0], [2.0, 0.0]]
    """
    return _bending(corners) @ np.array([start, control, end], float)


def ribbon(line: np.ndarray, start: float, end: float) -> np.ndarray:
    """Return the outline of a band along a line, such as a tail.

    Parameters
    ----------
    line : ndarray, shape (N, 2)
    start, end : float
        Half the width at its two ends.

    Returns
    -------
    ndarray of float64, shape (2 * N, 2)

    Examples
    --------
    >>> ribbon(np.array([[0.0, 0.0], [2.0, 0.0]]), 1, 0.5).tolist()
    [[0.0, 1.0], [2.0, 0.5], [2.0, -0.5], [0.0, -1.0]]
    """
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
    aside = along[:, ::-1] * (-1, 1)
    aside *= np.linspace(start, end, len(line))[:, None]
    return np.concatenate([line + aside, (line - aside)[::-1]])


def both(points: np.ndarray, fill: str | None, line: float = OUTLINE, **about) -> list[Shape]:
    """Return a shape and its mirror image, the one on the left first.

    Parameters
    ----------
    points : ndarray, shape (N, 2)
        The shape on the right.
    fill, line, **about
        As for ``Shape``.

    Returns
    -------
    list of Shape

    Examples
    --------
    >>> [shape.points[0].tolist() for shape in both(np.array([[1.0, 2.0]]), "coat")]
    [[-1.0, 2.0], [1.0, 2.0]]
    """
    return [Shape(points * (-1.0, 1.0), fill, line, **about), Shape(points, fill, line, **about)]


def symmetric(right: list[tuple[float, float]], low: float) -> np.ndarray:
    """Return a closed outline from its right half.

    Parameters
    ----------
    right : list of pair of float
        From the highest point, on the axis, downwards.
    low : float
        Where the outline crosses the axis again.

    Returns
    -------
    ndarray of float64, shape (2 * N, 2)

    Examples
    --------
    >>> symmetric([(0, -1), (1, 0)], 1).tolist()
    [[0.0, -1.0], [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
    """
    left = [(-x, y) for x, y in right[:0:-1]]
    return np.array([*right, (0.0, low), *left], float)


def paint(
    image: "Image.Image",
    shapes: Iterable[Shape],
    matrix: np.ndarray,
    style: Style,
    coat: "Image.Image | None" = None,
) -> None:
    """Paint shapes onto an image, the first one farthest back.

    Parameters
    ----------
    image : PIL.Image.Image
        Red, green and blue; it is changed.
    shapes : iterable of Shape
    matrix : ndarray, shape (2, 3)
        From the shapes' units to pixels; the centre of the first pixel is at 0.5, 0.5.
    style : Style
        Its colours are looked up by the shapes' names.
    coat : PIL.Image.Image, optional
        A sheet of the image's size that fills the shapes named ``"coat"``.
    """
    from PIL import Image, ImageDraw

    brush = ImageDraw.Draw(image)
    scale = np.sqrt(abs(np.linalg.det(matrix[:, :2])))
    for shape in shapes:
        corners = placed(shape.points, matrix) - 0.5
        flat = corners.ravel().tolist()
        if shape.fill == "coat" and coat is not None:
            mask = Image.new("L", image.size)
            ImageDraw.Draw(mask).polygon(flat, fill=255)
            image.paste(coat, mask=mask)
        elif shape.fill is not None:
            brush.polygon(flat, fill=style.colours[shape.fill])
        if shape.line:
            width = max(1, round(shape.line * scale))
            closing = flat[:2] if shape.fill is not None else []
            brush.line(flat + closing, fill=style.colours[shape.ink], width=width)


def placed(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Apply a matrix of shape (2, 3), a linear map and a shift, to points.

    Parameters
    ----------
    points : ndarray, shape (N, 2)
    matrix : ndarray, shape (2, 3)

    Returns
    -------
    ndarray of float64, shape (N, 2)

    Examples
    --------
    >>> placed(np.array([[1.0, 2.0]]), np.array([[2.0, 0.0, 5.0], [0.0, 3.0, 0.0]])).tolist()
    [[7.0, 6.0]]
    """
    return points @ matrix[:, :2].T + matrix[:, 2]
