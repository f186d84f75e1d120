"""Boxes: their formats, IoU, suppression, anchors, and average precision.

A box is x_min, y_min, x_max, y_max ("xyxy"), where the pixel in row r and column c reaches from
(c, r) to (c + 1, r + 1). All functions take and return arrays; none changes what it is given.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Format = Literal["xyxy", "xywh", "center_xywh"]


def convert(boxes: ArrayLike, source: Format, target: Format) -> np.ndarray:
    """Write boxes in another format.

    Parameters
    ----------
    boxes : array of shape (..., 4)
    source, target : {"xyxy", "xywh", "center_xywh"}
        Two corners; the upper left corner, width and height; the centre, width and height.

    Returns
    -------
    float64 array of shape (..., 4)

    Raises
    ------
    ValueError
        If there is no such format, or the last axis does not hold four numbers.

    Examples
    --------
    >>> convert([10, 20, 30, 60], "xyxy", "center_xywh")
    array([20., 40., 20., 40.])
    """
    first, second = np.split(_boxes(boxes), 2, axis=-1)
    # How much of the box lies before the point that the format names: all, half, none.
    before = {"xywh": 0.0, "center_xywh": 0.5}
    for name in (source, target):
        if name != "xyxy" and name not in before:
            raise ValueError(f"There is no format {name!r}; known are xyxy, {', '.join(before)}.")
    low, sides = (
        (first, second - first) if source == "xyxy" else (first - before[source] * second, second)
    )
    ends = (low, low + sides) if target == "xyxy" else (low + before[target] * sides, sides)
    return np.concatenate(ends, axis=-1)


def area(boxes: ArrayLike) -> np.ndarray:
    """Return the area of boxes, 0 where the corners have changed places.

    Parameters
    ----------
    boxes : array of shape (..., 4)

    Returns
    -------
    float64 array of shape (...)

    Examples
    --------
    >>> area([[0, 0, 2, 3], [2, 3, 0, 0]])
    array([6., 0.])
    """
    boxes = _boxes(boxes)
    return np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0), axis=-1)


def iou(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Return intersection over union of each box of `a` with each of `b`.

    Parameters
    ----------
    a : array of shape (N, 4)
    b : array of shape (M, 4)

    Returns
    -------
    float64 array of shape (N, M)
        From 0 to 1; 0 for two boxes without area, and for a box that holds a NaN.

    Raises
    ------
    ValueError
        If the last axis does not hold four numbers.

    Examples
    --------
    >>> iou([[0, 0, 10, 10]], [[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10]]).round(3)
    array([[1.   , 0.333, 0.   ]])
    """
    a, b = _boxes(a).reshape(-1, 1, 4), _boxes(b).reshape(1, -1, 4)
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    intersection = area(np.concatenate([low, high], axis=-1))
    union = area(a) + area(b) - intersection
    return np.divide(intersection, union, out=np.zeros(union.shape), where=union > 0)


def nms(
    boxes: ArrayLike,
    scores: ArrayLike,
    iou_threshold: float = 0.5,
    score_threshold: float = 0.0,
    labels: ArrayLike | None = None,
) -> np.ndarray:
    """Suppress all but the best of boxes that overlap: non-max suppression.

    Take the box with the highest score, drop all that overlap it too much, repeat.

    Parameters
    ----------
    boxes : array of shape (N, 4)
    scores : array of shape (N,)
    iou_threshold : float
        Boxes whose IoU with a better one that is kept is above this are dropped.
    score_threshold : float
        Boxes below this are dropped at once, and so are those whose score is NaN.
    labels : int array of shape (N,), optional
        Classes: only boxes of the same class suppress each other.

    Returns
    -------
    int array of shape (K,)
        Numbers of the boxes that are kept, the best first; among equals, the first.

    Examples
    --------
    >>> boxes = [[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]]
    >>> nms(boxes, [0.8, 0.9, 0.7])
    array([1, 2])
    >>> nms(boxes, [0.8, 0.9, 0.7], labels=[0, 1, 0])
    array([1, 0, 2])
    """
    scores = np.asarray(scores, np.float64)
    overlaps = iou(boxes, boxes) > iou_threshold
    if labels is not None:
        overlaps &= np.equal.outer(labels, labels)
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    for number in order[scores[order] >= score_threshold]:
        if not overlaps[number, kept].any():
            kept.append(number)
    return np.array(kept, int)


def anchors(cells: int, size: int, sides: ArrayLike, ratios: ArrayLike = (1.0,)) -> np.ndarray:
    """Put anchor boxes around the middle of each cell of a grid.

    Parameters
    ----------
    cells : int
        Rows, and columns, of the grid.
    size : int
        Height and width of the pictures in pixels.
    sides : sequence of float
        Roots of the areas of the boxes, in pixels.
    ratios : sequence of float
        Width over height; every side is combined with every ratio.

    Returns
    -------
    float64 array of shape (cells, cells, len(sides) * len(ratios), 4)
        Row, column, kind of box.

    Examples
    --------
    >>> anchors(2, 64, sides=[16])[0, 1, 0]
    array([40.,  8., 56., 24.])
    """
    middles = (np.arange(cells) + 0.5) * size / cells
    y, x = np.meshgrid(middles, middles, indexing="ij")
    side, root = (each.ravel() for each in np.meshgrid(sides, np.sqrt(ratios), indexing="ij"))
    shapes = np.stack([side * root, side / root], axis=-1)
    places = np.stack([x, y], axis=-1)[:, :, np.newaxis]
    both = np.broadcast_arrays(places, shapes)
    return convert(np.concatenate(both, axis=-1), "center_xywh", "xyxy")


def match(
    anchor_boxes: ArrayLike, boxes: ArrayLike, high: float = 0.5, low: float = 0.4
) -> np.ndarray:
    """Say for each anchor which true box it stands for.

    An anchor stands for the box that it overlaps most, if their IoU is at least `high`. Each
    true box that overlaps some anchor also gets the one that overlaps it most.

    Parameters
    ----------
    anchor_boxes : array of shape (A, 4)
    boxes : array of shape (N, 4)
        True boxes; none is a case like any other.
    high, low : float
        IoU from which an anchor stands for a box, and below which it stands for background.

    Returns
    -------
    int array of shape (A,)
        Number of the box; -1 for background, -2 for what lies in between and is best ignored.

    References
    ----------
    Ren et al., "Faster R-CNN", arXiv:1506.01497, section 3.1.2.

    Examples
    --------
    >>> match([[0, 0, 4, 4], [4, 0, 8, 4], [8, 0, 12, 4]], [[0, 0, 4, 4], [5, 0, 10, 4]])
    array([ 0,  1, -1])
    """
    overlap = iou(anchor_boxes, boxes)
    if not overlap.size:
        return np.full(len(overlap), -1)
    best, highest = overlap.argmax(axis=1), overlap.max(axis=1)
    chosen = np.where(highest >= high, best, np.where(highest < low, -1, -2))
    seen = np.flatnonzero(overlap.max(axis=0) > 0)
    chosen[overlap.argmax(axis=0)[seen]] = seen
    return chosen


def encode(boxes: ArrayLike, anchor_boxes: ArrayLike) -> np.ndarray:
    """Write boxes as their distance from anchors, as a network learns it.

    Parameters
    ----------
    boxes, anchor_boxes : array of shape (..., 4)
        All with an area.

    Returns
    -------
    float64 array of shape (..., 4)
        Shift of the centre in widths and heights of the anchor, and logarithm of the ratios of
        width and height.

    References
    ----------
    Girshick et al., "Rich feature hierarchies", arXiv:1311.2524, appendix C.

    Examples
    --------
    >>> encode([0, 0, 20, 10], [0, 0, 10, 10]).round(3)
    array([0.5  , 0.   , 0.693, 0.   ])
    """
    box, anchor = (convert(each, "xyxy", "center_xywh") for each in (boxes, anchor_boxes))
    shift = (box[..., :2] - anchor[..., :2]) / anchor[..., 2:]
    return np.concatenate([shift, np.log(box[..., 2:] / anchor[..., 2:])], axis=-1)


def decode(offsets: ArrayLike, anchor_boxes: ArrayLike) -> np.ndarray:
    """Turn what `encode` returns, or a network predicts, back into boxes.

    Parameters
    ----------
    offsets, anchor_boxes : array of shape (..., 4)

    Returns
    -------
    float64 array of shape (..., 4)

    Examples
    --------
    >>> decode([0.5, 0, np.log(2), 0], [0, 0, 10, 10]).round(6)
    array([ 0.,  0., 20., 10.])
    """
    offsets, anchor = _boxes(offsets), convert(anchor_boxes, "xyxy", "center_xywh")
    centre = anchor[..., :2] + offsets[..., :2] * anchor[..., 2:]
    sides = anchor[..., 2:] * np.exp(offsets[..., 2:])
    return convert(np.concatenate([centre, sides], axis=-1), "center_xywh", "xyxy")


def true_positives(
    boxes: ArrayLike,
    scores: ArrayLike,
    pictures: ArrayLike,
    true_boxes: ArrayLike,
    true_pictures: ArrayLike,
    iou_threshold: float = 0.5,
) -> np.ndarray:
    """Tell which detections of one class are right.

    From the highest score down, a detection takes the true box of its picture that it overlaps
    most, out of those that no better one has taken. It is right if their IoU is high enough.

    Parameters
    ----------
    boxes, scores, pictures : arrays of shape (N, 4), (N,), (N,)
        Detections, and the number of the picture that each lies in.
    true_boxes, true_pictures : arrays of shape (M, 4), (M,)
    iou_threshold : float
        From which IoU on a detection is right.

    Returns
    -------
    bool array of shape (N,)

    Examples
    --------
    >>> twice = [[0, 0, 10, 10], [0, 0, 10, 9]]
    >>> true_positives(twice, [0.6, 0.9], [0, 0], [[0, 0, 10, 10]], [0])
    array([False,  True])
    """
    pictures, true_pictures = np.asarray(pictures), np.asarray(true_pictures)
    overlap = iou(boxes, true_boxes)
    overlap[np.not_equal.outer(pictures, true_pictures)] = -1
    right = np.zeros(len(overlap), bool)
    if not overlap.size:
        return right
    for number in np.argsort(-np.asarray(scores, np.float64), kind="stable"):
        best = overlap[number].argmax()
        if overlap[number, best] >= iou_threshold:
            right[number] = True
            overlap[:, best] = -1  # taken
    return right


def precision_recall(
    right: ArrayLike, scores: ArrayLike, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return precision and recall if all detections from a score on are kept, for each score.

    Parameters
    ----------
    right : bool array of shape (N,)
        Which detections are right, as `true_positives` tells.
    scores : array of shape (N,)
    count : int
        How many true boxes there are.

    Returns
    -------
    precision, recall : float64 arrays of shape (N,)
        From the highest score to the lowest. Recall is NaN if there is no true box.

    Examples
    --------
    >>> precision, recall = precision_recall([True, False, True], [0.9, 0.8, 0.7], count=4)
    >>> precision.round(3), recall
    (array([1.   , 0.5  , 0.667]), array([0.25, 0.25, 0.5 ]))
    """
    order = np.argsort(-np.asarray(scores, np.float64), kind="stable")
    hits = np.cumsum(np.asarray(right, bool)[order])
    recall = hits / count if count else np.full(len(hits), np.nan)
    return hits / np.arange(1, len(hits) + 1), recall


def average_precision(right: ArrayLike, scores: ArrayLike, count: int) -> float:
    """Return the area under the precision-recall curve, as COCO measures it.

    At each of the recalls 0, 0.01, ... 1, take the best precision that is reached at this recall
    or a higher one, 0 where none is; the mean of these is the average precision.

    Parameters
    ----------
    right, scores, count
        As for `precision_recall`.

    Returns
    -------
    float
        From 0 to 1; NaN if there is no true box.

    References
    ----------
    Lin et al., "Microsoft COCO", arXiv:1405.0312, and the evaluation code of its authors.

    Examples
    --------
    >>> round(average_precision([True, False, True], [0.9, 0.8, 0.7], count=4), 4)
    0.4224
    """
    if count == 0:
        return float("nan")
    precision, recall = precision_recall(right, scores, count)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0)
    return float(best[np.searchsorted(recall, np.linspace(0, 1, 101))].mean())


def landmark_error(found: ArrayLike, true: ArrayLike, boxes: ArrayLike) -> np.ndarray:
    """Return how far landmarks lie from where they should, as a share of the box's side.

    Parameters
    ----------
    found, true : arrays of shape (N, L, 2)
        x, y in pixels.
    boxes : array of shape (N, 4)
        True boxes; the side is the root of the area.

    Returns
    -------
    float64 array of shape (N, L)
        NaN where there is no such landmark.

    Examples
    --------
    >>> landmark_error([[[3, 4], [9, 9]]], [[[0, 0], [np.nan, np.nan]]], [[0, 0, 10, 10]])
    array([[0.5, nan]])
    """
    distance = np.linalg.norm(np.asarray(found, float) - np.asarray(true, float), axis=-1)
    return distance / np.sqrt(area(boxes))[:, np.newaxis]


def _boxes(boxes: ArrayLike) -> np.ndarray:
    """Return boxes as an array; an empty list is no boxes."""
    boxes = np.asarray(boxes, np.float64)
    if boxes.size == 0 and boxes.ndim == 1:
        boxes = boxes.reshape(0, 4)
    if boxes.shape[-1:] != (4,):
        raise ValueError(f"Boxes have shape {boxes.shape}; expected four numbers each, (..., 4).")
    return boxes
