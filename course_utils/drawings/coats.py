"""Colours and coats of the drawings: one pool for figures of every kind."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from typing import TypeVar

import numpy as np
from PIL import Image

from course_utils.drawings.shapes import (
    Colour,
    Shape,
    Style,
    ellipse,
    paint,
    ribbon,
    smooth,
    turned,
)

Option = TypeVar("Option")

_FURS: tuple[Colour, ...] = ((232, 150, 72), (248, 212, 158), (156, 156, 164), (98, 98, 112))
_FURS += ((140, 96, 62), (92, 66, 54), (70, 66, 76), (243, 238, 230), (200, 162, 118))
_FURS += ((178, 118, 84), (128, 140, 160))
#: Colours of noses.
NOSES: tuple[Colour, ...] = ((52, 42, 46), (40, 36, 44), (112, 64, 60), (222, 124, 132))
_IRISES: tuple[Colour, ...] = ((126, 184, 84), (234, 186, 66), (104, 168, 220))
_IRISES += ((168, 110, 56), (96, 190, 170))
_TONGUES: tuple[Colour, ...] = ((236, 112, 124), (214, 92, 104), (244, 150, 152))
#: Patterns of coats; one that is named twice is twice as frequent.
PATTERNS = ("plain", "plain", "stripes", "patches", "spots")


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours.

    Parameters
    ----------
    first, second : tuple of int
    share : float
        How much of the second there is in the mixture, from 0 to 1.

    Returns
    -------
    tuple of int

    Examples
    --------
    >>> mixed((0, 0, 0), (200, 100, 50), 0.5)
    (100, 50, 25)
    """
    return tuple(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


def any_colour(rng: np.random.Generator) -> Colour:
    """Draw a colour of any hue, neither very dark nor glaring.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    tuple of int
    """
    hue, saturation, value = rng.random(), rng.uniform(0.08, 0.65), rng.uniform(0.4, 0.95)
    return tuple(round(255 * part) for part in hsv_to_rgb(hue, saturation, value))


def draw_style(rng: np.random.Generator) -> Style:
    """Draw the colours and the coat of a figure, from one pool for figures of every kind.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    Style
    """
    jitter = rng.integers(-14, 15, 3)
    coat = tuple(int(c) for c in np.clip(np.array(_pick(rng, _FURS)) + jitter, 40, 250))
    second = mixed(coat, _pick(rng, _FURS), rng.uniform(0.45, 0.9))
    brightness = sum(coat) / 765
    # A dog's muzzle is larger than a cat's: were it always paler, brightness would tell them apart.
    towards = (255, 250, 242) if rng.random() < 0.5 + 0.4 * (0.5 - brightness) else (74, 58, 54)
    line = (44, 36, 40) if brightness > 0.36 else (214, 206, 200)
    colours = {
        "coat": coat,
        "second": second,
        "light": mixed(coat, towards, rng.uniform(0.3, 0.65)),
        "outline": mixed(coat, (24, 18, 24), 0.8),
        "line": line,
        "inner": mixed(coat, (226, 140, 140), rng.uniform(0.35, 0.7)),
        "nose": _pick(rng, NOSES),
        "iris": _pick(rng, _IRISES),
        "white": (250, 250, 246),
        "pupil": (22, 18, 24),
        "tongue": _pick(rng, _TONGUES),
        "collar": any_colour(rng),
        "whisker": (250, 248, 244) if rng.random() < 0.5 else (36, 30, 34),
    }
    return Style(colours, _pick(rng, PATTERNS))


def draw_coat(
    rng: np.random.Generator, style: Style, matrix: np.ndarray, canvas: int
) -> Image.Image | None:
    """Paint a sheet of fur, out of which the parts of a figure are cut.

    Parameters
    ----------
    rng : numpy.random.Generator
    style : Style
    matrix : ndarray, shape (2, 3)
        From the figure's units to pixels of the canvas.
    canvas : int
        Side of the canvas in pixels.

    Returns
    -------
    PIL.Image.Image or None
        None stands for a coat of one colour.
    """
    if style.pattern == "plain":
        return None
    sheet = Image.new("RGB", (canvas, canvas), style.colours["coat"])
    marks = {"stripes": _stripes, "spots": _spots, "patches": _patches}[style.pattern](rng)
    paint(sheet, [Shape(mark, "second", 0.0) for mark in marks], matrix, style)
    return sheet


def _stripes(rng: np.random.Generator) -> list[np.ndarray]:
    """Return wavy bands across a figure."""
    gap, angle = rng.uniform(0.34, 0.6), rng.normal(0, 0.5)
    x = np.linspace(-3.6, 3.6, 15)
    bands = []
    for y in np.arange(-2.0, 4.2, gap):
        wave = 0.12 * np.sin(2.2 * x + rng.uniform(0, 6.28))
        line = np.stack([x, y + wave], axis=1)
        bands.append(turned(ribbon(line, gap * 0.2, gap * 0.28), angle))
    return bands


def _spots(rng: np.random.Generator) -> list[np.ndarray]:
    """Return small round spots."""
    places = rng.uniform((-2.4, -1.8), (2.4, 3.4), (34, 2))
    sizes = rng.uniform(0.1, 0.26, (34, 2))
    return [ellipse(*place, *size, 0.0, 10) for place, size in zip(places, sizes, strict=True)]


def _patches(rng: np.random.Generator) -> list[np.ndarray]:
    """Return a few large blots."""
    blots = []
    for place in rng.uniform((-1.6, -1.4), (1.6, 3.2), (6, 2)):
        radii = rng.uniform(0.35, 0.85) * rng.uniform(0.7, 1.3, (8, 1))
        blots.append(smooth(place + ellipse(0, 0, 1, 1, 0.0, 8) * radii))
    return blots


def _pick(rng: np.random.Generator, options: Sequence[Option]) -> Option:
    """Draw one of several options."""
    return options[int(rng.integers(len(options)))]
