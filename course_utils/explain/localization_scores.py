"""Are the heatmaps right? Scores against boxes that are known.

Boxes are as `drawings.read_annotations` returns them: x_min, y_min, x_max, y_max, where the
pixel in row r and column c reaches from (c, r) to (c + 1, r + 1). A pixel counts as inside if
its middle is.
"""

import numpy as np

from course_utils.explain.heatmap_overlays import check_maps, upsample


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
