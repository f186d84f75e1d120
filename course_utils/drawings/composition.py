"""One drawn scene: where its animals are, and what is painted behind, around and before them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from course_utils.detection import iou
from course_utils.drawings import creatures, scenery
from course_utils.drawings.coats import draw_coat, draw_style
from course_utils.drawings.others import OBJECTS
from course_utils.drawings.shapes import Figure, Shape, paint, placed

if TYPE_CHECKING:
    from course_utils.drawings import Scene

#: Each of these has random numbers of its own, so that one dial leaves the rest as it is.
STREAMS = ("figure", "pose", "colours", "body", "background", "clutter", "strays", "front", "light")

Streams = dict[str, np.random.Generator]


@dataclass(frozen=True, eq=False)
class Plan:
    """A figure and its place in the unit square.

    Attributes
    ----------
    kind : str
    streams : dict of str to numpy.random.Generator
        Those that made the plan, and will paint it.
    figure : Figure
    matrix : ndarray of float64, shape (2, 3)
        From the figure's units to the picture, whose sides are 1 long.
    box : ndarray of float64, shape (4,)
        x_min, y_min, x_max, y_max of the head (or thing), lines included.
    lies : bool
        Whether one part of it is that of another kind.
    """

    kind: str
    streams: Streams
    figure: Figure
    matrix: np.ndarray
    box: np.ndarray
    lies: bool

    @property
    def scale(self) -> float:
        """How long the figure's unit is in the picture, on average over all directions."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))


def plan(
    kind: str,
    scene: "Scene",
    streams: Streams,
    others: Sequence[Plan] = (),
    overlap: tuple[float, float] = (0.0, 1.0),
) -> Plan:
    """Draw the figure, and choose its size, its tilt and its place.

    Parameters
    ----------
    kind : str
    scene : Scene
    streams : dict of str to numpy.random.Generator
        One for each name in ``STREAMS``.
    others : sequence of Plan
        What is in the picture already.
    overlap : pair of float
        Between which its IoU with the nearest of these shall be, where a place is found.

    Returns
    -------
    Plan
    """
    rng, pose = streams["figure"], streams["pose"]
    lies = rng.random() < scene.lie
    lie = rng.choice(list(creatures.LIES), p=list(creatures.LIES.values()))
    figure = creatures.head(kind, rng, lie if lies else None)
    linear = _stretching(pose, scene.stretch) @ _rotation(_tilt(pose, scene))
    low, high = _extent(figure, linear)
    scale = pose.uniform(*scene.head_size) / np.sqrt(np.prod(high - low))
    scale = min(scale, 1 / (high - low).max())  # a long head has to fit in as well
    sides = (high - low) * scale
    for _ in range(40):
        corner = _place(pose, sides, scene.off_centre)
        box = np.concatenate([corner, corner + sides])
        nearest = iou([box], [other.box for other in others]).max(initial=0)
        if not others or overlap[0] <= nearest <= overlap[1]:
            break
    matrix = np.column_stack([linear * scale, corner - low * scale])
    return Plan(kind, streams, figure, matrix, box, lies)


def painted(plans: Sequence[Plan], scene: "Scene", canvas: int) -> Image.Image:
    """Paint a planned scene, before light falls on it.

    Parameters
    ----------
    plans : sequence of Plan
        Animals and things from back to front; what surrounds them comes from the first one's
        random numbers.
    scene : Scene
    canvas : int
        Side in pixels.

    Returns
    -------
    PIL.Image.Image
    """
    streams = plans[0].streams
    image = scenery.background(streams["background"], canvas, scene.texture)
    _add_clutter(image, scene.clutter, streams["clutter"])
    _add_stray_parts(image, plans, scene, streams["strays"])
    heads = []
    for each in plans:  # all bodies behind all heads
        style, matrix = draw_style(each.streams["colours"]), each.matrix * canvas
        coat = draw_coat(each.streams["colours"], style, matrix, canvas)
        if each.kind not in OBJECTS:
            body = creatures.body(each.streams["body"])
            paint(image, body, _body_frame(each, each.streams["body"]) * canvas, style, coat)
        heads.append((each.figure.shapes, matrix, style, coat))
    for head in heads:
        paint(image, *head)
    for each in plans:
        _add_occluders(image, each, scene.occluders, each.streams["front"])
    return image


def _tilt(rng: np.random.Generator, scene: "Scene") -> float:
    """Draw a tilt in radians."""
    return np.deg2rad(scene.rotation) * rng.uniform(-1, 1)


def _rotation(angle: float) -> np.ndarray:
    """Return the matrix that turns clockwise on the screen."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _stretching(rng: np.random.Generator, stretch: float) -> np.ndarray:
    """Return a matrix that stretches along one direction and leaves areas as they are."""
    turn, factor = _rotation(rng.uniform(0, np.pi)), np.exp(stretch * rng.uniform(-1, 1) / 2)
    return turn @ np.diag([factor, 1 / factor]) @ turn.T


def _extent(figure: Figure, linear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two corners of the box around the head, lines included, after a linear map."""
    parts = [(shape.points @ linear.T, shape.line / 2) for shape in figure.shapes if shape.head]
    low = np.min([points.min(axis=0) - line for points, line in parts], axis=0)
    high = np.max([points.max(axis=0) + line for points, line in parts], axis=0)
    return low, high


def _place(rng: np.random.Generator, sides: np.ndarray, off_centre: float) -> np.ndarray:
    """Draw the upper left corner of a box inside the unit square, often clear of its centre."""
    corner = np.maximum(1 - sides, 0) * rng.random(2)
    keeps_clear, axis_draw, along, half = rng.random(4)
    room = np.maximum(0.5 - sides, 0)  # how far the box can move within half of the square
    if keeps_clear < off_centre and room.max() > 0.01:
        axis = int(axis_draw > room[0] / room.sum())
        corner[axis] = along * room[axis] + 0.5 * (half < 0.5)
    return corner


def _count(rng: np.random.Generator, average: float) -> int:
    """Draw one of the two whole numbers next to an average."""
    return int(average + rng.random())


def _frame(angle: float, scale: float, place: np.ndarray) -> np.ndarray:
    """Return the matrix of a figure that is turned, scaled and put somewhere."""
    return np.column_stack([_rotation(angle) * scale, place])


def _add_clutter(image: Image.Image, average: float, rng: np.random.Generator) -> None:
    """Paint things that lie about."""
    for _ in range(_count(rng, average)):
        frame = _frame(rng.uniform(-0.8, 0.8), rng.uniform(0.06, 0.14), rng.random(2))
        paint(image, scenery.distractor(rng), frame * image.width, draw_style(rng))


def _add_stray_parts(
    image: Image.Image, plans: Sequence[Plan], scene: "Scene", rng: np.random.Generator
) -> None:
    """Paint loose parts of faces, away from the heads and about as large as on the first."""
    for _ in range(_count(rng, scene.stray_parts)):
        parts = creatures.stray_part(rng)
        middle = np.concatenate([part.points for part in parts]).mean(axis=0)
        frame = _frame(_tilt(rng, scene), plans[0].scale * rng.uniform(0.7, 1.2), (0, 0))
        frame[:, 2] = _outside(rng, [plan.box for plan in plans]) - placed(middle, frame)
        paint(image, parts, frame * image.width, draw_style(rng))


def _outside(rng: np.random.Generator, boxes: Sequence[np.ndarray]) -> np.ndarray:
    """Draw a place clear of boxes; where there is hardly any, the last one tried."""
    low, high = np.split(np.array(boxes), 2, axis=1)
    for place in rng.random((12, 2)):
        if ((place < low - 0.06) | (place > high + 0.06)).any(axis=1).all():
            break
    return place


def _body_frame(plan: Plan, rng: np.random.Generator) -> np.ndarray:
    """Return the matrix of a body that leads from the head to some place in the picture."""
    head = plan.matrix[:, 2]
    across, down = rng.uniform((0.1, 0.5), (0.9, 1.3)) - head
    angle = np.clip(-np.arctan2(across, max(down, 0.15)), -1.2, 1.2) + rng.normal(0, 0.15)
    neck = head + _rotation(angle) @ (0, 0.55 * plan.scale)
    return _frame(angle, plan.scale * rng.uniform(0.8, 1.05), neck)


def _add_occluders(
    image: Image.Image, plan: Plan, average: float, rng: np.random.Generator
) -> None:
    """Paint things before the animal."""
    for _ in range(_count(rng, average)):
        shapes = scenery.occluder(rng)
        # With one part lying, the others must be seen.
        allowed = rng.uniform(0.02, 0.06) if plan.lies else rng.uniform(0.08, 0.24)
        frame = _occluder_frame(shapes[0], plan.box, allowed, rng)
        paint(image, shapes, frame * image.width, draw_style(rng))


def _occluder_frame(
    outline: Shape, box: np.ndarray, allowed: float, rng: np.random.Generator
) -> np.ndarray:
    """Push a thing away from the head until it hides no more of its box than it may."""
    middle, side = (box[:2] + box[2:]) / 2, np.sqrt(np.prod(box[2:] - box[:2]))
    angle = rng.uniform(0, 2 * np.pi)
    outward, aside = _rotation(angle).T * side
    start = middle + aside * rng.normal(0, 0.15)
    for distance in np.linspace(0.1, 1.2, 23):
        frame = _frame(angle, side * 0.4, start + outward * distance)
        if _hidden(outline.points, frame, box) <= allowed:
            break
    return frame


def _hidden(points: np.ndarray, frame: np.ndarray, box: np.ndarray) -> float:
    """Return the share of a box that an outline covers, on a grid of 32 x 32."""
    corners = (placed(points, frame) - box[:2]) / (box[2:] - box[:2]) * 32
    mask = Image.new("L", (32, 32))
    ImageDraw.Draw(mask).polygon(corners.ravel().tolist(), fill=1)
    return float(np.asarray(mask).mean())
