"""Heatmaps over pictures: scaled, enlarged, and laid over what they explain."""

import numpy as np


def scaled(maps: np.ndarray) -> np.ndarray:
    """Scale each map to [0, 1]: negative values become 0, and the largest one becomes 1.

    Every map has its own scale, so that a bright spot says where, not how strongly. A map
    without any positive value stays zero everywhere.

    Parameters
    ----------
    maps : array of shape (N, h, w)

    Returns
    -------
    float32 array of shape (N, h, w)

    Raises
    ------
    ValueError
        If there are other axes, no numbers, or NaNs.

    Examples
    --------
    >>> scaled([[[-1.0, 2.0, 4.0]], [[-1.0, 0.0, 0.0]]])[:, 0]
    array([[0. , 0.5, 1. ],
           [0. , 0. , 0. ]], dtype=float32)
    """
    maps = np.maximum(check_maps(maps), 0)
    highest = maps.max(axis=(1, 2), keepdims=True)
    return (maps / np.where(highest > 0, highest, 1)).astype(np.float32)


def upsample(maps: np.ndarray, size: int | tuple[int, int]) -> np.ndarray:
    """Enlarge maps to the size of the pictures, with bilinear interpolation.

    Parameters
    ----------
    maps : array of shape (N, h, w)
    size : int or (int, int)
        Height and width of the result in pixels.

    Returns
    -------
    float32 array of shape (N, height, width)

    Raises
    ------
    ValueError
        If the size is below 1, or as for `scaled`.

    Examples
    --------
    >>> upsample([[[0.0, 4.0]]], (1, 4))[0]
    array([[0., 1., 3., 4.]], dtype=float32)
    """
    from PIL import Image

    maps = check_maps(maps).astype(np.float32)
    height, width = (size, size) if isinstance(size, int | np.integer) else size
    if height < 1 or width < 1:
        raise ValueError(f"size is {size}; expected 1 pixel or more.")
    bilinear = Image.Resampling.BILINEAR
    large = [Image.fromarray(each).resize((int(width), int(height)), bilinear) for each in maps]
    return np.stack([np.asarray(each) for each in large])


def overlay(
    pictures: np.ndarray, maps: np.ndarray, alpha: float = 0.4, colours: str = "jet"
) -> np.ndarray:
    """Lay heatmaps over pictures.

    Parameters
    ----------
    pictures : array of shape (N, H, W, 3), (N, H, W, 1) or (N, H, W)
        ``uint8``, or float in [0, 1].
    maps : array of shape (N, h, w)
        In [0, 1], as `scaled` returns them; of any size.
    alpha : float
        Share of the heatmap in the mixture, from 0 to 1.
    colours : str
        One of matplotlib's colour maps.

    Returns
    -------
    uint8 array of shape (N, H, W, 3)

    Raises
    ------
    ValueError
        If the shapes do not fit, or values are out of their range.

    Examples
    --------
    >>> overlay(np.full((1, 2, 2), 255, np.uint8), np.ones((1, 1, 1)), alpha=0.5)[0, 0, 0]
    array([191, 128, 128], dtype=uint8)
    """
    import matplotlib

    maps = check_maps(maps)
    if not 0 <= alpha <= 1 or maps.min() < 0 or maps.max() > 1:
        raise ValueError("alpha and the maps must lie in [0, 1]; `scaled` brings maps there.")
    pictures = _as_colours(pictures)
    if len(pictures) != len(maps):
        raise ValueError(f"{len(pictures)} pictures and {len(maps)} maps: expected as many.")
    large = upsample(maps, pictures.shape[1:3]).clip(0, 1)
    heat = matplotlib.colormaps[colours](large)[..., :3]
    return np.rint(255 * ((1 - alpha) * pictures + alpha * heat)).astype(np.uint8)


def check_maps(maps: np.ndarray) -> np.ndarray:
    """Return maps as an array, or say what is wrong with them.

    Parameters
    ----------
    maps : array of shape (N, h, w)

    Returns
    -------
    array of shape (N, h, w)

    Raises
    ------
    ValueError
        If there are other axes, no numbers, or NaNs.

    Examples
    --------
    >>> check_maps(np.zeros((5, 5)))
    Traceback (most recent call last):
    ValueError: maps has shape (5, 5); expected (N, h, w), at least one map of one pixel.
    """
    maps = np.asarray(maps)
    if maps.ndim != 3 or not maps.size:
        raise ValueError(
            f"maps has shape {maps.shape}; expected (N, h, w), at least one map of one pixel."
        )
    if not np.isfinite(maps).all():
        raise ValueError("maps holds NaN or infinite values.")
    return maps


def _as_colours(pictures: np.ndarray) -> np.ndarray:
    """Turn grey or colour pictures into floats (N, H, W, 3) in [0, 1]."""
    pictures = np.asarray(pictures)
    pictures = pictures[..., np.newaxis] if pictures.ndim == 3 else pictures
    if pictures.ndim != 4 or pictures.shape[-1] not in (1, 3):
        raise ValueError(
            f"pictures has shape {pictures.shape}; expected (N, H, W), with an axis for 1 or 3 "
            "colours behind it or without."
        )
    pictures = pictures / 255 if pictures.dtype == np.uint8 else pictures.astype(np.float64)
    if not (0 <= pictures.min() and pictures.max() <= 1):
        raise ValueError("pictures holds values outside of [0, 1]; expected uint8, or [0, 1].")
    return np.broadcast_to(pictures, (*pictures.shape[:3], 3))
