"""Heads and bodies of the drawn animals, as shapes in units of half a head's width.

Cats and dogs differ in the shape of ears, eyes, nose, muzzle and whiskers only; their
bodies, colours and coats are drawn alike.
"""

from dataclasses import replace

import numpy as np

from course_utils.data.photo_archives import CLASS_NAMES
from course_utils.drawings.others import ANIMALS, OBJECTS
from course_utils.drawings.shapes import (
    OUTLINE,
    Figure,
    Shape,
    bend,
    both,
    ellipse,
    ribbon,
    smooth,
    symmetric,
    turned,
)

#: What may contradict the rest of a cat or a dog, and how often it is this part that does.
#: Ears are what people look at first, so they rarely lie.
LIES = {"ears": 0.1, "eyes": 0.3, "nose": 0.3, "whiskers": 0.3}


def head(kind: str, rng: np.random.Generator, lie: str | None = None) -> Figure:
    """Draw the head of an animal, or a thing, upright and centred near 0, 0.

    Parameters
    ----------
    kind : str
        One of ``drawings.CATS_AND_DOGS`` or ``drawings.OTHER_KINDS``.
    rng : numpy.random.Generator
    lie : str, optional
        For cats and dogs, the one of ``LIES`` that is taken from the other kind.

    Returns
    -------
    Figure

    Examples
    --------
    >>> head("cat", np.random.default_rng(0)).landmarks.shape
    (5, 2)
    """
    if kind in CLASS_NAMES:
        figure = _cat_or_dog(kind, rng, lie)
    else:
        figure = (ANIMALS | OBJECTS)[kind](rng)
    return _with_face_turned(figure, rng.uniform(-0.2, 0.2), rng.uniform(-0.07, 0.07))


def _with_face_turned(figure: Figure, turn: float, nod: float) -> Figure:
    """Move the face across the head, as when an animal looks aside, up or down."""
    narrowing, shift = (1 - 0.3 * abs(turn), 1.0), (turn, nod)
    shapes = tuple(
        replace(shape, points=shape.points * narrowing + shift) if shape.face else shape
        for shape in figure.shapes
    )
    landmarks = figure.landmarks.copy()
    landmarks[:3] = landmarks[:3] * narrowing + shift
    return Figure(shapes, landmarks)


def _cat_or_dog(kind: str, rng: np.random.Generator, lie: str | None) -> Figure:
    """Put a cat or a dog together from its parts, one of which may lie."""
    other = "dog" if kind == "cat" else "cat"
    says = {part: other if part == lie else kind for part in LIES}
    skull = _cat_skull(rng) if kind == "cat" else _dog_skull(rng)
    eye_shapes, eyes = (_almond_eyes if says["eyes"] == "cat" else _round_eyes)(rng)
    if says["ears"] == "cat":
        behind, before, tips = _pointed_ears(rng)
    else:
        behind, before, tips = _floppy_ears(rng) if rng.random() < 0.75 else _folded_ears(rng)
    muzzle, nose_y = (_cat_muzzle if kind == "cat" else _dog_muzzle)(rng)
    nose = (_small_nose if says["nose"] == "cat" else _large_nose)(rng, nose_y)
    hairs = _whiskers(rng) if says["whiskers"] == "cat" else []
    shapes = [*behind, skull, *before, *muzzle, *nose, *eye_shapes, *hairs]
    return Figure(tuple(shapes), np.array([*eyes, (0.0, nose_y), *tips]))


def _cat_skull(rng: np.random.Generator) -> Shape:
    """Draw a wide skull with full cheeks, which may have tufts."""
    width, chin, tuft = rng.uniform(0.98, 1.08), rng.uniform(0.78, 0.88), rng.uniform(0.0, 0.12)
    right = [(0.0, -0.8), (0.52, -0.74), (0.9, -0.4), (width, 0.08)]
    right += [(width + tuft, 0.36), (0.72, 0.64), (0.36, chin - 0.04)]
    return Shape(smooth(symmetric(right, chin), 3), "coat", head=True)


def _dog_skull(rng: np.random.Generator) -> Shape:
    """Draw a skull that is higher than wide, with the cheeks running into the muzzle."""
    width, chin = rng.uniform(0.84, 0.96), rng.uniform(0.86, 0.98)
    right = [(0.0, -0.92), (0.46, -0.86), (0.8, -0.52), (width, -0.08)]
    right += [(width - 0.06, 0.36), (0.66, 0.7), (0.34, chin - 0.04)]
    return Shape(smooth(symmetric(right, chin), 3), "coat", head=True)


Ears = tuple[list[Shape], list[Shape], list[tuple[float, float]]]


def _pair_of_ears(
    rng: np.random.Generator, parts: list[tuple[np.ndarray, str]], tip: tuple, about: tuple
) -> tuple[list[Shape], list[tuple[float, float]]]:
    """Place the parts of an ear on both sides, each turned a little by itself."""
    shapes, tips = [], []
    for side in (-1.0, 1.0):
        angle = rng.normal(0, 0.07)
        for number, (points, fill) in enumerate(parts):
            points = turned(points, angle, about) * (side, 1.0)
            shapes.append(Shape(points, fill, OUTLINE if number == 0 else 0.03, head=True))
        x, y = turned(np.array([tip]), angle, about)[0]
        tips.append((side * x, y))
    return shapes, tips


def _pointed_ears(rng: np.random.Generator) -> Ears:
    """Draw two upright triangles high on the head: shapes behind and before, and the tips."""
    tip = (rng.uniform(0.7, 1.02), rng.uniform(-1.54, -1.3))
    outer = np.concatenate(
        [bend((0.98, -0.2), (1.06, -0.8), tip), bend(tip, (0.45, -1.2), (0.14, -0.68))]
    )
    centre = np.array([0.66, -0.72])
    inner = centre + (outer - centre) * 0.6 + (0.0, -0.02)
    shapes, tips = _pair_of_ears(rng, [(outer, "coat"), (inner, "inner")], tip, (0.6, -0.4))
    return shapes, [], tips


def _floppy_ears(rng: np.random.Generator) -> Ears:
    """Draw two long ears that hang down at the sides: shapes behind and before, and the tips."""
    out, low, wide = rng.uniform(1.0, 1.16), rng.uniform(0.6, 1.25), rng.uniform(0.2, 0.3)
    outline = [(0.42, -0.86), (0.86, -0.86), (out, -0.3), (out + 0.06, low - 0.35)]
    outline += [(out - 0.1, low), (out - wide - 0.14, low - 0.1)]
    outline += [(out - wide - 0.22, low - 0.5), (0.66, -0.42)]
    points = smooth(outline, 4)
    tip = tuple(points[np.argmax(points[:, 1])])
    shapes, tips = _pair_of_ears(rng, [(points, _ear_fill(rng))], tip, (0.6, -0.7))
    return [], shapes, tips


def _folded_ears(rng: np.random.Generator) -> Ears:
    """Draw two half-pricked ears whose upper part folds down: shapes behind and before, tips."""
    fold, tip = (rng.uniform(0.72, 0.86), -1.22), (rng.uniform(1.16, 1.3), rng.uniform(-0.56, -0.4))
    base = np.concatenate(
        [
            bend((0.94, -0.3), (1.0, -0.8), (fold[0] + 0.2, -1.12)),
            bend(fold, (0.4, -1.16), (0.2, -0.76)),
        ]
    )
    flap = np.concatenate(
        [
            bend((fold[0] - 0.3, -1.16), (fold[0] + 0.25, -1.42), (1.2, -1.0)),
            bend((1.26, -0.9), (1.36, -0.7), tip),
            bend(tip, (0.86, -0.66), (fold[0] - 0.3, -1.16)),
        ]
    )
    front, tips = _pair_of_ears(rng, [(flap, _ear_fill(rng))], tip, (0.7, -0.8))
    return both(base, "coat", head=True), front, tips


def _ear_fill(rng: np.random.Generator) -> str:
    """Draw the colour of a hanging ear."""
    return "coat" if rng.random() < 0.5 else "second"


Eyes = tuple[list[Shape], list[tuple[float, float]]]


def _almond_eyes(rng: np.random.Generator) -> Eyes:
    """Draw two slanting almonds with upright slits, and return the centres."""
    x, y = rng.uniform(0.4, 0.5), rng.uniform(-0.14, -0.02)
    wide, high, slant = rng.uniform(0.29, 0.34), rng.uniform(0.25, 0.32), rng.uniform(0.1, 0.3)
    lids = np.concatenate(
        [bend((-wide, 0), (0, -2 * high), (wide, 0)), bend((wide, 0), (0, 1.7 * high), (-wide, 0))]
    )
    almond = turned(lids, -slant) + (x, y)
    slit = ellipse(x, y, rng.uniform(0.06, 0.085), high * 0.86, 0.0, 12)
    return _eyes([(almond, "iris", 0.05), (slit, "pupil", 0.0)], x, y)


def _round_eyes(rng: np.random.Generator) -> Eyes:
    """Draw two round eyes with round pupils, and return the centres."""
    x, y, size = rng.uniform(0.36, 0.46), rng.uniform(-0.22, -0.08), rng.uniform(0.24, 0.29)
    ball = ellipse(x, y, size, size * 1.06)
    pupil = ellipse(x, y, size * 0.62, size * 0.66, 0.0, 14)
    return _eyes([(ball, "iris", 0.05), (pupil, "pupil", 0.0)], x, y)


def _eyes(parts: list[tuple[np.ndarray, str, float]], x: float, y: float) -> Eyes:
    """Place the parts of an eye on both sides, and a glint above the pupil's centre."""
    shapes = [
        shape for points, fill, line in parts for shape in both(points, fill, line, face=True)
    ]
    for side in (-1, 1):
        glint = ellipse(side * x + 0.09, y - 0.12, 0.055, 0.055, 0.0, 8)
        shapes.append(Shape(glint, "white", 0.0, face=True))
    return shapes, [(-x, y), (x, y)]


def _cat_muzzle(rng: np.random.Generator) -> tuple[list[Shape], float]:
    """Draw two small puffs with a mouth between them; return also where the nose is."""
    y = rng.uniform(0.24, 0.32)
    puff = ellipse(0.17, y + 0.22, rng.uniform(0.2, 0.25), rng.uniform(0.15, 0.19))
    chin = ellipse(0, y + 0.38, 0.15, 0.12)
    smile = bend((0.0, y + 0.2), (0.14, y + 0.42), (0.32, y + 0.24))
    shapes = [
        Shape(chin, "light", 0.0, face=True),
        *both(puff, "light", 0.0, face=True),
        Shape(np.array([(0, y), (0, y + 0.22)]), None, 0.05, "line", face=True),
        *both(smile, None, 0.05, ink="line", face=True),
    ]
    return shapes, y


def _dog_muzzle(rng: np.random.Generator) -> tuple[list[Shape], float]:
    """Draw a big rounded muzzle with jowls, often a tongue; return also where the nose is."""
    y, wide, low = rng.uniform(0.14, 0.24), rng.uniform(0.54, 0.66), rng.uniform(0.92, 1.06)
    right = [(0.0, y - 0.2), (0.34, y - 0.08), (wide, 0.5), (wide - 0.08, low - 0.14), (0.28, low)]
    outline = smooth(symmetric(right, low - 0.06), 4)
    smile = bend((0.0, y + 0.4), (0.22, y + 0.66), (wide - 0.14, y + 0.4))
    shapes = [Shape(outline, "light", head=True, face=True)]
    if rng.random() < 0.4:
        tongue = smooth(
            [(-0.17, y + 0.5), (0.17, y + 0.5), (0.18, y + 0.84), (0, y + 1.0), (-0.18, y + 0.84)]
        )
        shapes.append(Shape(tongue, "tongue", 0.04, face=True))
    shapes += [
        Shape(np.array([(0, y), (0, y + 0.42)]), None, 0.05, "line", face=True),
        *both(smile, None, 0.05, ink="line", face=True),
    ]
    return shapes, y


def _small_nose(rng: np.random.Generator, y: float) -> list[Shape]:
    """Draw a small triangle that points down."""
    size = rng.uniform(0.13, 0.17)
    corners = [(-size, -0.7 * size), (size, -0.7 * size), (0.0, 0.9 * size)]
    return [Shape(np.array(corners) + (0, y), "nose", 0.03, face=True)]


def _large_nose(rng: np.random.Generator, y: float) -> list[Shape]:
    """Draw a large oval with a glint."""
    wide, high = rng.uniform(0.25, 0.31), rng.uniform(0.18, 0.22)
    glint = ellipse(-0.08, y - 0.09, 0.09, 0.04, 0.0, 8)
    return [
        Shape(ellipse(0, y, wide, high), "nose", 0.03, face=True),
        Shape(glint, "white", 0.0, face=True),
    ]


def _whiskers(rng: np.random.Generator) -> list[Shape]:
    """Draw three long hairs on each side."""
    reach, y = rng.uniform(1.2, 1.5), rng.uniform(0.4, 0.5)
    shapes: list[Shape] = []
    for number in (-1, 0, 1):
        end = (reach, y + 0.26 * number + rng.normal(0.02, 0.05))
        hair = bend((0.34, y + 0.06 * number), (0.8, y + 0.1 * number - 0.06), end, 4)
        shapes += both(hair, None, 0.06, ink="whisker", face=True)
    return shapes


def body(rng: np.random.Generator) -> list[Shape]:
    """Draw a body with paws and a tail, hanging down from a neck at 0, 0.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    list of Shape
        It reaches about 2.6 units down.
    """
    hips, long = rng.uniform(0.8, 1.1), rng.uniform(1.9, 2.4)
    right = [(0.0, -0.2), (0.5, 0.2), (0.62, 0.9), (hips, long - 0.5), (0.6, long)]
    side = 1 if rng.random() < 0.5 else -1
    line = bend((0.5 * side, long - 0.3), (2.0 * side, long), (side * rng.uniform(1.1, 1.8), 0.7))
    leg = ellipse(rng.uniform(0.26, 0.36), long - 0.35, 0.24, 0.72)
    shapes = [
        Shape(ribbon(line, 0.2, rng.uniform(0.06, 0.2)), "coat"),
        *both(ellipse(hips * 0.8, long - 0.02, 0.4, 0.2), "coat"),
        Shape(smooth(symmetric(right, long + 0.06)), "coat"),
        Shape(ellipse(0, 1.15, 0.38, 0.6), "light", 0.0),
        *both(leg, "coat"),
        *both(ellipse(leg[:, 0].mean(), long + 0.26, 0.26, 0.16), "light"),
    ]
    if rng.random() < 0.5:
        collar = ribbon(bend((-0.56, 0.3), (0.0, 0.62), (0.56, 0.3)), 0.1, 0.1)
        shapes += [
            Shape(collar, "collar", 0.04),
            Shape(ellipse(0, 0.62, 0.14, 0.14, 0.0, 12), "iris", 0.04),
        ]
    return shapes


def stray_part(rng: np.random.Generator) -> list[Shape]:
    """Draw a loose part of a face, as often of a cat as of a dog.

    Parameters
    ----------
    rng : numpy.random.Generator

    Returns
    -------
    list of Shape
        Where it would be on a head around 0, 0.
    """
    parts = (
        lambda: _pointed_ears(rng)[0][:2],
        lambda: _floppy_ears(rng)[1][:1],
        lambda: _almond_eyes(rng)[0],
        lambda: _round_eyes(rng)[0],
        lambda: [*_cat_muzzle(rng)[0], *_small_nose(rng, 0.28)],
        lambda: [*_dog_muzzle(rng)[0], *_large_nose(rng, 0.19)],
        lambda: [*_whiskers(rng), *_small_nose(rng, 0.4)],
        lambda: _large_nose(rng, 0.2),
    )
    return parts[rng.integers(len(parts))]()
