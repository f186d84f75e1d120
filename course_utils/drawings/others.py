"""The other kinds of drawings: animals that are neither cats nor dogs, and things."""

from collections.abc import Callable

import numpy as np

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

Point = tuple[float, float]
_NOWHERE = (np.nan, np.nan)


def _animal(shapes: list[Shape], eye: Point, nose: Point, ear_tip: Point = _NOWHERE) -> Figure:
    """Put an animal's head together; eye and ear tip are those on the right."""
    landmarks = [(-eye[0], eye[1]), eye, nose, (-ear_tip[0], ear_tip[1]), ear_tip]
    return Figure(tuple(shapes), np.array(landmarks))


def _oval(x: float, y: float, across: float, down: float, fill: str, **about) -> Shape:
    """Return an oval with an outline."""
    return Shape(ellipse(x, y, across, down), fill, **about)


def _bead_eyes(x: float, y: float, size: float) -> list[Shape]:
    """Return two dark eyes with a glint."""
    glint = ellipse(-0.3 * size, -0.35 * size, 0.3 * size, 0.3 * size, 0.0, 8)
    return [
        *both(ellipse(x, y, size, size * 1.15), "pupil", 0.0, face=True),
        *(Shape(glint + (side * x, y), "white", 0.0, face=True) for side in (-1, 1)),
    ]


def _ring_eyes(x: float, y: float, size: float, fill: str = "white") -> list[Shape]:
    """Return two round eyes with dark middles."""
    return [
        *both(ellipse(x, y, size, size), fill, 0.05, face=True),
        *both(ellipse(x, y, size * 0.5, size * 0.5, 0.0, 12), "pupil", 0.0, face=True),
    ]


def _smile(wide: float, y: float, deep: float) -> Shape:
    """Return a mouth in one bow."""
    bow = bend((-wide, y), (0, y + 2 * deep), (wide, y), 9)
    return Shape(bow, None, 0.06, "line", face=True)


def _rabbit(rng: np.random.Generator) -> Figure:
    """Draw two long upright ears and two large teeth."""
    long, lean, x = rng.uniform(0.7, 0.95), rng.uniform(0.0, 0.3), rng.uniform(0.32, 0.42)
    centre = (x, -0.6 - long)
    foot = (x, -0.5)
    outer = turned(ellipse(*centre, 0.27, long), lean, foot)
    inner = turned(ellipse(*centre, 0.13, long * 0.75), lean, foot)
    tip = tuple(turned(np.array([(x, -0.6 - 2 * long)]), lean, foot)[0])
    teeth = np.array([(0.0, 0.42), (0.15, 0.42), (0.14, 0.72), (0.0, 0.72)])
    eye = (rng.uniform(0.36, 0.44), -0.1)
    shapes = [
        *both(outer, "coat", head=True),
        *both(inner, "inner", 0.0, head=True),
        _oval(0, 0.08, rng.uniform(0.82, 0.95), 0.8, "coat", head=True),
        *both(ellipse(0.2, 0.38, 0.26, 0.2), "light", 0.0, face=True),
        *both(teeth, "white", 0.04, face=True),
        Shape(ellipse(0, 0.24, 0.13, 0.09, 0.0, 12), "nose", 0.0, face=True),
        *_bead_eyes(*eye, rng.uniform(0.15, 0.2)),
    ]
    return _animal(shapes, eye, (0, 0.24), tip)


def _bear(rng: np.random.Generator) -> Figure:
    """Draw small round ears and a round muzzle."""
    x, y, size = rng.uniform(0.68, 0.8), rng.uniform(-0.8, -0.68), rng.uniform(0.3, 0.4)
    eye = (rng.uniform(0.34, 0.44), -0.1)
    shapes = [
        *both(ellipse(x, y, size, size), "coat", head=True),
        *both(ellipse(x, y, size * 0.55, size * 0.55), "inner", 0.0, head=True),
        _oval(0, 0, rng.uniform(0.96, 1.08), 0.88, "coat", head=True),
        _oval(0, 0.4, rng.uniform(0.4, 0.5), 0.36, "light", face=True),
        Shape(np.array([(0, 0.3), (0, 0.5)]), None, 0.05, "line", face=True),
        _smile(0.2, 0.48, 0.08),
        _oval(0, 0.26, 0.17, 0.12, "nose", line=0.0, face=True),
        *_bead_eyes(*eye, rng.uniform(0.09, 0.13)),
    ]
    return _animal(shapes, eye, (0, 0.26), (x * 1.2, y - size * 0.9))


def _mouse(rng: np.random.Generator) -> Figure:
    """Draw huge round ears and a narrow face with a ball for a nose."""
    x, y, size = rng.uniform(0.85, 1.0), rng.uniform(-0.85, -0.65), rng.uniform(0.58, 0.7)
    right = [(0.0, -0.66), (0.56, -0.5), (0.72, 0.02), (0.42, 0.52), (0.14, 0.84)]
    eye = (rng.uniform(0.26, 0.34), 0.02)
    hair = np.array([(0.2, 0.68), (0.72, 0.56)])
    shapes = [
        *both(ellipse(x, y, size, size), "coat", head=True),
        *both(ellipse(x, y, size * 0.66, size * 0.66), "inner", 0.0, head=True),
        Shape(smooth(symmetric(right, 0.88)), "coat", head=True),
        *both(hair, None, 0.04, ink="whisker", face=True),
        Shape(ellipse(0, 0.82, 0.15, 0.14), "tongue", 0.04, head=True, face=True),
        *_bead_eyes(*eye, rng.uniform(0.13, 0.17)),
    ]
    return _animal(shapes, eye, (0, 0.82), (x + size * 0.6, y - size * 0.8))


def _pig(rng: np.random.Generator) -> Figure:
    """Draw a snout like a socket, and leaf-shaped ears that lean forward."""
    tip = (rng.uniform(1.0, 1.15), rng.uniform(-0.75, -0.45))
    ear = np.concatenate(
        [bend((0.28, -0.76), (0.7, -1.35), tip), bend(tip, (0.95, -0.6), (0.72, -0.42))]
    )
    eye, wide = (rng.uniform(0.4, 0.5), -0.2), rng.uniform(0.38, 0.48)
    shapes = [
        _oval(0, 0, rng.uniform(0.96, 1.08), 0.88, "coat", head=True),
        *both(ear, "second", head=True),
        _smile(0.34, 0.56, 0.1),
        _oval(0, 0.28, wide, 0.29, "inner", face=True),
        *both(ellipse(0.15, 0.28, 0.075, 0.13, 0.0, 12), "outline", 0.0, face=True),
        *_bead_eyes(*eye, rng.uniform(0.1, 0.14)),
    ]
    return _animal(shapes, eye, (0, 0.28), tip)


def _frog(rng: np.random.Generator) -> Figure:
    """Draw eyes on top of a wide head, and a mouth as wide."""
    eye, size = (rng.uniform(0.52, 0.68), rng.uniform(-0.62, -0.5)), rng.uniform(0.34, 0.42)
    wide = rng.uniform(1.05, 1.2)
    shapes = [
        *both(ellipse(*eye, size, size), "coat", head=True),
        _oval(0, 0.18, wide, 0.72, "coat", head=True),
        Shape(ellipse(0, 0.5, wide * 0.7, 0.34), "light", 0.0, face=True),
        _smile(wide * 0.82, 0.2, 0.26),
        *both(ellipse(0.12, 0.02, 0.05, 0.04, 0.0, 8), "outline", 0.0, face=True),
        *_ring_eyes(*eye, size * 0.7),
    ]
    return _animal(shapes, eye, (0, 0.02))


def _owl(rng: np.random.Generator) -> Figure:
    """Draw huge eyes in discs and a beak, under brows that meet in a point."""
    eye, size = (rng.uniform(0.42, 0.48), -0.04), rng.uniform(0.42, 0.5)
    beak = np.array([(-0.17, 0.2), (0.0, 0.1), (0.17, 0.2), (0.0, 0.62)])
    brow = np.concatenate(
        [bend((0, 0.14), (0.3, -0.7), (0.9, -0.52)), bend((0.9, -0.52), (0.3, -0.9), (0, -0.4))]
    )
    shapes = [
        _oval(0, 0, rng.uniform(1.0, 1.1), 0.9, "coat", head=True),
        *both(ellipse(*eye, size, size), "light", 0.05, face=True),
        *_ring_eyes(*eye, size * 0.66, "iris"),
        *both(brow, "second", 0.05, face=True),
        Shape(beak, "tongue", face=True),
    ]
    return _animal(shapes, eye, (0, 0.32))


def _cow(rng: np.random.Generator) -> Figure:
    """Draw horns, ears that stand out sideways, and a broad muzzle with nostrils."""
    lift, tall = rng.uniform(-0.25, 0.2), rng.uniform(1.3, 1.5)
    ear = turned(ellipse(1.02, -0.42, 0.46, 0.2), lift, (0.6, -0.42))
    tip = tuple(turned(np.array([(1.48, -0.42)]), lift, (0.6, -0.42))[0])
    horn = ribbon(bend((0.4, -0.7), (1.0, -0.9), (0.7, -tall)), 0.16, 0.03)
    right = [(0.0, -0.84), (0.56, -0.74), (0.7, -0.1), (0.56, 0.6)]
    eye = (rng.uniform(0.34, 0.42), -0.15)
    shapes = [
        *both(horn, "white", head=True),
        *both(ear, "coat", head=True),
        Shape(smooth(symmetric(right, 0.9)), "coat", head=True),
        Shape(smooth([(-0.16, -0.8), (0.16, -0.8), (0, 0.2)]), "second", 0.0, face=True),
        _oval(0, 0.66, rng.uniform(0.62, 0.72), 0.38, "inner", head=True, face=True),
        *both(ellipse(0.27, 0.6, 0.1, 0.09, 0.0, 12), "outline", 0.0, face=True),
        _smile(0.3, 0.8, 0.06),
        *_ring_eyes(*eye, 0.17),
    ]
    return _animal(shapes, eye, (0, 0.6), tip)


def _sheep(rng: np.random.Generator) -> Figure:
    """Draw curls around a narrow face with drooping ears."""
    angles = np.arange(11) * (2 * np.pi / 11) + rng.uniform(0, 0.5)
    curls = [ellipse(0.72 * np.cos(a), 0.62 * np.sin(a) - 0.25, 0.36, 0.34) for a in angles]
    droop = rng.uniform(0.15, 0.5)
    ear = turned(ellipse(0.82, 0.0, 0.36, 0.15), droop, (0.45, 0.0))
    tip = tuple(turned(np.array([(1.18, 0.0)]), droop, (0.45, 0.0))[0])
    eye = (rng.uniform(0.2, 0.25), 0.1)
    nose = [*both(np.array([(0, 0.66), (0.12, 0.54)]), None, 0.06, ink="line", face=True)]
    shapes = [
        *(Shape(curl, "coat", head=True) for curl in curls),
        Shape(ellipse(0, -0.25, 0.8, 0.72), "coat", 0.0, head=True),
        *both(ear, "second", head=True),
        _oval(0, 0.26, 0.46, 0.7, "second", head=True),
        *(Shape(ellipse(x, -0.42, 0.24, 0.2), "coat", 0.05, head=True) for x in (-0.3, 0.3, 0)),
        *nose,
        _smile(0.14, 0.74, 0.05),
        *_ring_eyes(*eye, 0.16),
    ]
    return _animal(shapes, eye, (0, 0.6), tip)


def _elephant(rng: np.random.Generator) -> Figure:
    """Draw ears like sails, a trunk and two tusks."""
    out, side = rng.uniform(1.5, 1.75), 1 if rng.random() < 0.5 else -1
    ear = smooth(
        [(0.5, -0.7), (1.1, -1.0), (out, -0.5), (out - 0.15, 0.4), (0.95, 0.6), (0.55, 0.2)]
    )
    tip = tuple(ear[np.argmax(ear[:, 0])])
    end = (side * rng.uniform(0.35, 0.7), rng.uniform(1.2, 1.45))
    trunk = ribbon(bend((0, 0.0), (-0.1 * side, 1.3), end, 9), 0.32, 0.16)
    tusk = ribbon(bend((0.36, 0.45), (0.46, 0.8), (0.62, 0.86)), 0.1, 0.03)
    eye = (rng.uniform(0.4, 0.48), -0.12)
    folds = [np.array([(-0.2, y), (0.16, y)]) for y in (0.4, 0.6, 0.8)]
    shapes = [
        *both(ear, "coat", head=True),
        *both(0.6 * (ear - tip) + tip + (-0.14, 0.02), "inner", 0.0, head=True),
        _oval(0, -0.1, rng.uniform(0.78, 0.86), 0.82, "coat", head=True),
        *both(tusk, "white", 0.05, head=True, face=True),
        Shape(trunk, "coat", head=True, face=True),
        *(Shape(fold * (side, 1), None, 0.05, "line", face=True) for fold in folds),
        *_bead_eyes(*eye, 0.13),
    ]
    return _animal(shapes, eye, end, tip)


def _monkey(rng: np.random.Generator) -> Figure:
    """Draw round ears at the sides and a pale face in the shape of a heart."""
    x, y, size = rng.uniform(0.98, 1.1), rng.uniform(-0.15, 0.08), rng.uniform(0.32, 0.42)
    eye = (rng.uniform(0.28, 0.34), -0.14)
    shapes = [
        *both(ellipse(x, y, size, size), "coat", head=True),
        *both(ellipse(x, y, size * 0.6, size * 0.6), "light", 0.0, head=True),
        _oval(0, 0, 0.92, 0.9, "coat", head=True),
        *both(ellipse(0.3, -0.14, 0.4, 0.4), "light", 0.0, face=True),
        Shape(ellipse(0, 0.42, 0.64, 0.42), "light", 0.0, face=True),
        *both(ellipse(0.09, 0.2, 0.05, 0.04, 0.0, 8), "outline", 0.0, face=True),
        _smile(0.44, 0.42, 0.13),
        *_bead_eyes(*eye, rng.uniform(0.13, 0.17)),
    ]
    return _animal(shapes, eye, (0, 0.2), (x + size * 0.5, y - size * 0.85))


def _chick(rng: np.random.Generator) -> Figure:
    """Draw a bald round head with three feathers and a wide beak."""
    leans = rng.normal(0, 0.1, 3) + (-0.4, 0, 0.4)
    feathers = [turned(ellipse(0, -1.05, 0.1, 0.34, 0, 12), lean, (0, -0.7)) for lean in leans]
    wide, eye = rng.uniform(0.34, 0.44), (rng.uniform(0.4, 0.5), -0.12)
    upper = np.array([(-wide, 0.2), (0, -0.06), (wide, 0.2), (0, 0.3)])
    lower = np.array([(-wide * 0.8, 0.24), (0, 0.3), (wide * 0.8, 0.24), (0, 0.54)])
    shapes = [
        *(Shape(feather, "second", head=True) for feather in feathers),
        _oval(0, 0, 0.92, rng.uniform(0.86, 0.96), "coat", head=True),
        Shape(lower, "tongue", face=True),
        Shape(upper, "tongue", face=True),
        *both(ellipse(0.6, 0.24, 0.14, 0.1, 0.0, 12), "inner", 0.0, face=True),
        *_bead_eyes(*eye, rng.uniform(0.1, 0.14)),
    ]
    return _animal(shapes, eye, (0, 0.14))


def _hedgehog(rng: np.random.Generator) -> Figure:
    """Draw a crown of spines around a pointed face."""
    angles = np.linspace(0.82 * np.pi, 2.18 * np.pi, 29)
    reach = np.where(np.arange(29) % 2, rng.uniform(1.2, 1.36), 0.9)
    crown = np.stack([np.cos(angles), np.sin(angles)], axis=1) * reach[:, None]
    right = [(0.0, -0.36), (0.4, -0.46), (0.72, -0.06), (0.56, 0.46), (0.2, 0.74)]
    eye = (rng.uniform(0.28, 0.36), 0.02)
    shapes = [
        Shape(crown, "second", head=True),
        *both(ellipse(0.6, -0.32, 0.2, 0.2, 0.0, 14), "inner", head=True),
        Shape(smooth(symmetric(right, 0.8)), "light", head=True),
        _smile(0.2, 0.6, 0.06),
        Shape(ellipse(0, 0.46, 0.15, 0.13), "nose", 0.0, face=True),
        *_bead_eyes(*eye, rng.uniform(0.1, 0.13)),
    ]
    return _animal(shapes, eye, (0, 0.46), (0.68, -0.5))


def _thing(*shapes: Shape) -> Figure:
    """Put a thing together; all of it counts for its box."""
    return Figure(shapes, np.full((5, 2), np.nan))


def _part(points: object, fill: str | None, line: float = OUTLINE) -> Shape:
    """Return a part of a thing."""
    return Shape(np.asarray(points, float), fill, line, head=True)


def _any_fill(rng: np.random.Generator) -> str:
    """Draw one of the figure's colours."""
    return ("coat", "second", "tongue", "collar", "iris")[int(rng.integers(5))]


def _panel(left: float, top: float, right: float, bottom: float, fill: str) -> Shape:
    """Return an upright rectangle."""
    return _part([(left, top), (right, top), (right, bottom), (left, bottom)], fill)


def _house(rng: np.random.Generator) -> Figure:
    """Draw walls, a roof, a chimney, a door and a window."""
    roof, x = rng.uniform(-1.2, -0.9), rng.uniform(-0.5, -0.1)
    return _thing(
        _panel(0.4, -0.95, 0.64, -0.2, "second"),
        _panel(-0.8, -0.25, 0.8, 0.9, "coat"),
        _part([(-1.05, -0.2), (0, roof), (1.05, -0.2)], _any_fill(rng)),
        _panel(x - 0.18, 0.25, x + 0.18, 0.9, "second"),
        _panel(0.2, 0.05, 0.6, 0.42, "iris"),
    )


def _car(rng: np.random.Generator) -> Figure:
    """Draw a car from its side."""
    top, back = rng.uniform(-0.62, -0.5), rng.uniform(-0.75, -0.5)
    cabin = [(back, 0.0), (back + 0.25, top), (0.35, top), (0.7, 0.0)]
    wheels = [ellipse(x, 0.46, 0.27, 0.27) for x in (-0.62, 0.62)]
    hubs = [ellipse(x, 0.46, 0.11, 0.11, 0.0, 10) for x in (-0.62, 0.62)]
    hull = [(-1.2, 0.0), (-0.4, -0.1), (0.6, -0.1), (1.2, 0.08), (1.22, 0.4), (0, 0.5)]
    hull += [(-1.22, 0.4)]
    return _thing(
        _part(cabin, "white"),
        _part([(-0.05, top), (0.05, top), (0.05, 0), (-0.05, 0)], "outline", 0.0),
        _part(smooth(hull), "coat"),
        *(_part(wheel, "pupil") for wheel in wheels),
        *(_part(hub, "light", 0.0) for hub in hubs),
    )


def _tree(rng: np.random.Generator) -> Figure:
    """Draw a trunk under a cloud of leaves, or a fir."""
    trunk = _part([(-0.14, 0.2), (0.14, 0.2), (0.2, 1.2), (-0.2, 1.2)], "second")
    if rng.random() < 0.5:
        steps = [(0.85, 0.7, -0.1), (0.7, 0.25, -0.55), (0.5, -0.2, -1.1)]
        return _thing(trunk, *(_part([(-w, y), (0, t), (w, y)], "iris") for w, y, t in steps))
    places = [(-0.5, -0.05), (0.5, -0.05), (-0.3, -0.6), (0.35, -0.55), (0, -0.2)]
    crowns = [ellipse(x, y, 0.5, 0.45) for x, y in places]
    return _thing(trunk, *(_part(crown, "coat") for crown in crowns))


def _cup(rng: np.random.Generator) -> Figure:
    """Draw a cup with a handle on a saucer."""
    low, side = rng.uniform(0.45, 0.6), 1 if rng.random() < 0.5 else -1
    handle = ribbon(ellipse(0.72 * side, 0.0, 0.36, 0.34), 0.09, 0.09)
    return _thing(
        _part(ellipse(0, 0.86, 1.0, 0.18), "second"),
        _part(handle, "coat"),
        _part([(-0.75, -0.6), (0.75, -0.6), (low, 0.8), (-low, 0.8)], "coat"),
        _part(ellipse(0, -0.6, 0.75, 0.17), "nose"),
    )


def _umbrella(rng: np.random.Generator) -> Figure:
    """Draw an open umbrella with a hooked stick."""
    angles = np.linspace(np.pi, 2 * np.pi, 15)
    dome = np.stack([1.15 * np.cos(angles), rng.uniform(0.85, 1.05) * np.sin(angles)], axis=1)
    edge = [bend((x, 0), (x - 0.19, -0.22), (x - 0.38, 0), 5) for x in np.linspace(1.15, -0.77, 6)]
    canopy = np.concatenate([dome, *edge])
    stick = np.concatenate([[(0, -0.2), (0, 0.95)], bend((0, 0.95), (0.15, 1.4), (0.36, 1.0))])
    middle = np.concatenate([bend((-0.38, 0), (-0.3, -0.6), (0, -0.95)), [(0.38, 0)]])
    return _thing(
        _part(ribbon(stick, 0.05, 0.05), "nose"),
        _part(canopy, "coat"),
        _part(middle, "second", 0.04),
    )


def _flower(rng: np.random.Generator) -> Figure:
    """Draw petals around a middle, a stem and a leaf."""
    count, start = int(rng.integers(5, 8)), rng.uniform(0, 1)
    petals = [
        turned(ellipse(0, -1.0, 0.27, 0.36), start + 2 * np.pi * i / count, (0, -0.5))
        for i in range(count)
    ]
    side = 1 if rng.random() < 0.5 else -1
    return _thing(
        _part(ribbon(bend((0, -0.5), (0.15, 0.4), (0, 1.2)), 0.07, 0.07), "iris"),
        _part(ellipse(0.34 * side, 0.75, 0.36, 0.14, -0.5 * side), "iris"),
        *(_part(petal, "coat") for petal in petals),
        _part(ellipse(0, -0.5, 0.3, 0.3), "second"),
    )


def _boat(rng: np.random.Generator) -> Figure:
    """Draw a hull with a mast and two sails."""
    top = rng.uniform(-1.35, -1.1)
    return _thing(
        _panel(-0.05, top, 0.05, 0.5, "nose"),
        _part([(0.1, top + 0.1), (0.95, 0.3), (0.1, 0.3)], "coat"),
        _part([(-0.1, top + 0.3), (-0.75, 0.3), (-0.1, 0.3)], "white"),
        _part([(-1.1, 0.42), (1.1, 0.42), (0.7, 0.95), (-0.7, 0.95)], "second"),
    )


def _mushroom(rng: np.random.Generator) -> Figure:
    """Draw a spotted cap on a stem."""
    cap = np.concatenate(
        [
            bend((-1.1, 0.1), (-0.9, rng.uniform(-1.4, -1.0)), (0, -0.95)),
            bend((0, -0.95), (0.9, -1.2), (1.1, 0.1)),
            bend((1.1, 0.1), (0, 0.4), (-1.1, 0.1)),
        ]
    )
    stem = smooth([(-0.3, 0.1), (0.3, 0.1), (0.42, 0.95), (0, 1.05), (-0.42, 0.95)])
    dots = [(-0.5, -0.3, 0.17), (0.1, -0.62, 0.16), (0.5, -0.2, 0.2), (-0.05, -0.1, 0.13)]
    return _thing(
        _part(stem, "light"),
        _part(cap, _any_fill(rng)),
        *(_part(ellipse(x, y, size, size, 0.0, 12), "white", 0.0) for x, y, size in dots),
    )


def _by_name(*draw: Callable[[np.random.Generator], Figure]) -> dict[str, Callable]:
    """Put functions under their names."""
    return {function.__name__.lstrip("_"): function for function in draw}


#: How the head of each animal is drawn.
ANIMALS = _by_name(_rabbit, _bear, _mouse, _pig, _frog, _owl, _cow, _sheep)
ANIMALS |= _by_name(_elephant, _monkey, _chick, _hedgehog)
#: How each thing is drawn.
OBJECTS = _by_name(_house, _car, _tree, _cup, _umbrella, _flower, _boat, _mushroom)
