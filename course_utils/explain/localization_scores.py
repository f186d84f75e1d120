"""Are the heatmaps right? Scores against boxes that are known, and by deleting pixels.

Boxes are as `drawings.read_annotations` returns them: x_min, y_min, x_max, y_max, where the
pixel in row r and column c reaches from (c, r) to (c + 1, r + 1). A pixel counts as inside if
its middle is.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.explain.heatmap_overlays import check_classes, check_maps, upsample

# Pictures to predict at a time: a matter of memory only.
_AT_ONCE = 50


@dataclass(frozen=True, eq=False)
class Deletion:
    """How the score of a class falls while more and more of a picture is taken away.

    Attributes
    ----------
    shares : ndarray of float64, shape (S + 1,)
        Share of the pixels that is gone, from 0 to 1.
    by_map : ndarray of float64, shape (N, S + 1)
        Probability of the class, the most important pixels gone first.
    at_random : ndarray of float64, shape (N, S + 1)
        The same for patches in random order, as coarse as the maps.
    """

    shares: np.ndarray
    by_map: np.ndarray
    at_random: np.ndarray


def pointing_game(maps: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """Tell for each map whether its peak lies inside the box.

    Where several pixels share the highest value, at least half of them have to lie inside. A
    map without a positive value points nowhere, and misses.

    Parameters
    ----------
    maps : array of shape (N, h, w)
        Enlarged to the size of the pictures first.
    boxes : array of shape (N, 4)
        x_min, y_min, x_max, y_max in pixels of the pictures.
    size : int
        Height and width of the pictures in pixels.

    Returns
    -------
    bool array of shape (N,)

    Raises
    ------
    ValueError
        If the shapes do not fit, a box has no area, or there are NaNs.

    References
    ----------
    Zhang et al., "Top-down Neural Attention by Excitation Backprop", arXiv:1608.00507.

    Examples
    --------
    >>> peak_at_the_upper_right = [[[0.0, 1.0], [0.0, 0.0]]]
    >>> pointing_game(peak_at_the_upper_right, [[40, 0, 64, 20]], size=64)
    array([ True])
    """
    maps, inside = _prepare(maps, boxes, size)
    highest = maps.max(axis=(1, 2), keepdims=True)
    peaks = (maps >= highest * (1 - 1e-6)) & (highest > 0)  # equal, but for rounding
    hits, count = (peaks & inside).sum(axis=(1, 2)), peaks.sum(axis=(1, 2))
    return (count > 0) & (2 * hits >= count)


def energy_inside(maps: np.ndarray, boxes: np.ndarray, size: int) -> np.ndarray:
    """Measure which share of a map's sum lies inside the box.

    Parameters
    ----------
    maps, boxes, size
        As for `pointing_game`; no value may be negative.

    Returns
    -------
    float array of shape (N,)
        From 0 to 1; 0 for a map that is zero everywhere.

    Raises
    ------
    ValueError
        As for `pointing_game`, or if a value is negative.

    References
    ----------
    Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural
    Networks", arXiv:1910.01279, section 4.3.

    Examples
    --------
    >>> energy_inside(np.ones((1, 4, 4)), [[0, 0, 16, 32]], size=64)
    array([0.125])
    """
    maps, inside = _prepare(maps, boxes, size)
    if maps.min() < 0:
        raise ValueError("maps holds negative values; leave them out: np.maximum(maps, 0).")
    maps = maps.astype(np.float64)
    total = maps.sum(axis=(1, 2))
    return (maps * inside).sum(axis=(1, 2)) / np.where(total > 0, total, 1)


def deletion_curve(
    model: Any,
    pictures: np.ndarray,
    maps: np.ndarray,
    target: int | np.ndarray | None = None,
    steps: int = 20,
    seed: int = 0,
) -> Deletion:
    """Take away the pixels that a map calls important, and watch the class's probability.

    If the map is right, the probability falls sooner than for a random order.

    Parameters
    ----------
    model : keras.Model
        A classifier that returns probabilities.
    pictures : float array of shape (N, H, W, C)
        As the model reads them.
    maps : array of shape (N, h, w)
        Enlarged to the size of the pictures first.
    target : int or int array of shape (N,), optional
        Class to watch; the predicted one of each picture if not given. A sigmoid knows two
        classes, 0 and 1.
    steps : int
        In how many equal steps to take away all pixels.
    seed : int
        Of the random order, and of the order of pixels with the same value.

    Returns
    -------
    Deletion

    Raises
    ------
    ValueError
        If the shapes do not fit, an argument is out of its range, or the model returns
        anything but probabilities.

    References
    ----------
    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    arXiv:1806.07421.

    Examples
    --------
    >>> from course_utils.backend import keras
    >>> net = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(),
    ...     keras.layers.Dense(1, activation="sigmoid")])
    >>> deletion_curve(net, np.ones((2, 8, 8, 1)), np.ones((2, 2, 2)), steps=4).shares
    array([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    maps = check_maps(maps)
    pictures = _check_pictures(pictures, len(maps))
    if steps < 1:
        raise ValueError(f"steps is {steps}; expected 1 or more.")
    p = _probabilities(model, pictures)
    target = p.argmax(axis=1) if target is None else target
    classes = check_classes(target, *p.shape)
    rng, colour = np.random.default_rng(seed), pictures.mean(axis=(1, 2), keepdims=True)
    shares, curves = np.linspace(0, 1, steps + 1), []
    for order in (maps, rng.random(maps.shape)):
        ranks = _ranks(upsample(order, pictures.shape[1:3]), rng)
        gone = ((ranks < share)[..., np.newaxis] for share in shares)
        p = [_probabilities(model, np.where(pixels, colour, pictures)) for pixels in gone]
        curves.append(np.stack([each[np.arange(len(classes)), classes] for each in p], axis=1))
    return Deletion(shares, *curves)


def _prepare(maps: np.ndarray, boxes: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Enlarge maps, and mark the pixels inside the boxes."""
    boxes, maps = _check_boxes(boxes, size), check_maps(maps)
    if len(boxes) != len(maps):
        raise ValueError(f"{len(maps)} maps and {len(boxes)} boxes: expected as many.")
    middles = np.arange(size) + 0.5
    left, top, right, bottom = boxes[:, :, np.newaxis].transpose(1, 0, 2)
    columns = (left <= middles) & (middles <= right)
    rows = (top <= middles) & (middles <= bottom)
    return upsample(maps, size), rows[:, :, np.newaxis] & columns[:, np.newaxis, :]


def _check_boxes(boxes: np.ndarray, size: int) -> np.ndarray:
    """Return boxes as an array, or say what is wrong with them."""
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
        raise ValueError(
            f"boxes has shape {boxes.shape}; expected (N, 4): x_min, y_min, x_max, y_max."
        )
    if size < 1:
        raise ValueError(f"size is {size}; expected 1 pixel or more.")
    wrong = ~(boxes[:, :2] < boxes[:, 2:]).all(axis=1)  # true for NaN, too
    if wrong.any():
        number = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"Box {number} is {boxes[number].tolist()}: it has no area.")
    return boxes


def _probabilities(model: Any, pictures: np.ndarray) -> np.ndarray:
    """Predict the probability of each class; a sigmoid's one number becomes two."""
    parts = [pictures[first : first + _AT_ONCE] for first in range(0, len(pictures), _AT_ONCE)]
    p = np.concatenate([np.asarray(model(part, training=False), np.float64) for part in parts])
    if p.ndim != 2 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("The model does not return probabilities: end it with softmax or sigmoid.")
    return np.hstack([1 - p, p]) if p.shape[1] == 1 else p


def _check_pictures(pictures: np.ndarray, count: int) -> np.ndarray:
    """Return pictures as an array, or say what is wrong with them."""
    pictures = np.asarray(pictures, np.float32)
    if pictures.ndim != 4 or len(pictures) != count or not np.isfinite(pictures).all():
        raise ValueError(
            f"pictures has shape {pictures.shape}, for {count} maps; expected as many, "
            "(N, H, W, C), without NaN."
        )
    return pictures


def _ranks(maps: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Number the pixels of each map from the highest, 0, to the lowest, just below 1."""
    flat = maps.reshape(len(maps), -1)
    order = np.lexsort((rng.random(flat.shape), -flat), axis=1)  # random where values are equal
    return (order.argsort(axis=1) / flat.shape[1]).reshape(maps.shape)
