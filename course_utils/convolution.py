"""Convolution and pooling as sums over patches, and the arithmetic of their shapes.

As everywhere in deep learning, "convolution" slides the kernel without flipping it, which
mathematics calls cross-correlation. Axes are ordered as in Keras: images are
(height, width), (height, width, channels) or (images, height, width, channels).

The formulas for padding, output size and receptive field are derived in Dumoulin and Visin,
"A guide to convolution arithmetic for deep learning", arXiv:1603.07285.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Padding = Literal["valid", "same", "full"] | tuple[int, int]

# Patches that `conv2d` unrolls at a time: many enough for a fast matrix product, few enough to
# stay in the processor's cache.
_PATCHES = 1024


def padding_amounts(
    size: int, kernel_size: int, stride: int = 1, padding: Padding = "valid"
) -> tuple[int, int]:
    """Count the pixels that a padding mode adds before and after one axis.

    Parameters
    ----------
    size : int
        Pixels along the axis, I in the formulas.
    kernel_size : int
        Pixels of the kernel along the axis, F.
    stride : int
        Distance between two windows, S.
    padding : {"valid", "same", "full"} or (int, int)
        "valid" adds nothing. "same" adds what makes the output ceil(I / S) long, one more at
        the end where the number is odd. "full" adds F - 1 on both sides, so that every pixel is
        seen F times. A pair gives the two numbers directly.

    Returns
    -------
    (int, int)
        P_start and P_end, both 0 or more.

    Raises
    ------
    ValueError
        If a size is smaller than 1 or the mode is unknown.

    Examples
    --------
    >>> padding_amounts(5, 3, padding="same")
    (1, 1)
    >>> padding_amounts(10, 4, stride=2, padding="same")
    (1, 1)
    >>> padding_amounts(5, 3, padding="full")
    (2, 2)
    """
    for name, value in (("size", size), ("kernel_size", kernel_size), ("stride", stride)):
        _check_count(name, value)
    if isinstance(padding, tuple | list) and len(padding) == 2:
        for amount in padding:
            _check_count("padding", amount, smallest=0)
        return tuple(padding)
    if not isinstance(padding, str) or padding not in ("valid", "same", "full"):
        raise ValueError(
            f"Unknown padding {padding!r}: use 'valid', 'same', 'full' or a pair (start, end)."
        )
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = max(stride * math.ceil(size / stride) - size + kernel_size - stride, 0)
        return total // 2, total - total // 2
    return kernel_size - 1, kernel_size - 1


def output_size(size: int, kernel_size: int, stride: int = 1, padding: Padding = "valid") -> int:
    """Count the windows along one axis: O = floor((I - F + P_start + P_end) / S) + 1.

    Parameters
    ----------
    size, kernel_size, stride, padding
        As for `padding_amounts`.

    Returns
    -------
    int
        Pixels of the output along the axis, 1 or more.

    Raises
    ------
    ValueError
        If the kernel is larger than the padded axis, or an argument is out of range.

    Examples
    --------
    >>> output_size(5, 3), output_size(10, 3), output_size(5, 3, stride=2)
    (3, 8, 2)
    >>> output_size(150, 3, padding="same")
    150
    """
    start, end = padding_amounts(size, kernel_size, stride, padding)
    free = size + start + end - kernel_size
    if free < 0:
        raise ValueError(
            f"A kernel of {kernel_size} does not fit into {size} pixels with padding {padding!r}: "
            "take a smaller kernel, a larger image or padding 'same'."
        )
    return free // stride + 1


def conv2d(
    images: np.ndarray, kernels: np.ndarray, stride: int = 1, padding: Padding = "valid"
) -> np.ndarray:
    """Slide kernels over images; each output pixel is the sum of patch times kernel.

    Patches are unrolled into the rows of a matrix, and kernels into the columns of another, so
    that one matrix product computes the sums for every kernel at once ("im2col").

    Parameters
    ----------
    images : array of shape (H, W), (H, W, C) or (N, H, W, C)
        Real or complex numbers without NaN. A batch always has four axes.
    kernels : array of shape (F_h, F_w), (F_h, F_w, C) or (F_h, F_w, C, K)
        One kernel for one channel, one kernel for C channels, or K kernels for C channels.
    stride : int
        Distance between two windows in pixels, along both axes.
    padding : {"valid", "same", "full"} or (int, int)
        As for `padding_amounts`; padded pixels are 0.

    Returns
    -------
    array of shape ([N,] O_h, O_w[, K])
        With the axis N if the images have it and the axis K if the kernels have it;
        float32 if both inputs fit into it, else float64 or complex.

    Raises
    ------
    ValueError
        If a shape, the stride or the padding does not fit, or the images hold NaN.

    Examples
    --------
    >>> image = np.arange(9).reshape(3, 3)
    >>> conv2d(image, np.ones((2, 2)))
    array([[ 8., 12.],
           [20., 24.]])
    >>> conv2d(np.ones((28, 28, 3)), np.ones((3, 3, 3, 8)), stride=2, padding="same").shape
    (14, 14, 8)
    """
    batch = _as_batch(images)
    bank = _as_bank(kernels, batch.shape[-1])
    maps = _correlate(batch, bank, stride, padding)
    maps = maps if np.ndim(kernels) == 4 else maps[..., 0]
    return maps if np.ndim(images) == 4 else maps[0]


def max_pool2d(
    images: np.ndarray, pool_size: int = 2, stride: int | None = None, padding: Padding = "valid"
) -> np.ndarray:
    """Keep the largest value of every window, channel by channel.

    Parameters
    ----------
    images : array of shape (H, W), (H, W, C) or (N, H, W, C)
        Real numbers without NaN.
    pool_size : int
        Height and width of the window.
    stride : int, optional
        Distance between two windows; the pool size if not given.
    padding : {"valid", "same", "full"} or (int, int)
        As for `padding_amounts`; padded pixels never win.

    Returns
    -------
    array with the axes of `images`
        Height and width as `output_size` says.

    Raises
    ------
    ValueError
        If the window does not fit, lies in the padding alone, or the images hold NaN.

    Examples
    --------
    >>> max_pool2d(np.arange(16).reshape(4, 4))
    array([[ 5.,  7.],
           [13., 15.]])
    """
    windows = _pool_windows(images, pool_size, stride, padding, fill=-np.inf)
    return _with_axes_of(images, windows.max(axis=(-2, -1)))


def average_pool2d(
    images: np.ndarray, pool_size: int = 2, stride: int | None = None, padding: Padding = "valid"
) -> np.ndarray:
    """Average every window, channel by channel; padded pixels do not count.

    Parameters
    ----------
    images, pool_size, stride, padding
        As for `max_pool2d`.

    Returns
    -------
    array with the axes of `images`

    Raises
    ------
    ValueError
        As for `max_pool2d`.

    Examples
    --------
    >>> average_pool2d(np.arange(16).reshape(4, 4))
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    windows = _pool_windows(images, pool_size, stride, padding, fill=np.nan)
    return _with_axes_of(images, np.nanmean(windows, axis=(-2, -1)))


def conv_parameters(kernel_size: int, channels: int, filters: int) -> int:
    """Count the weights of a convolutional layer: (F * F * C + 1) * K.

    Parameters
    ----------
    kernel_size : int
        Height and width of the kernels, F.
    channels : int
        Channels of the input, C.
    filters : int
        Number of kernels, K; each has one bias.

    Returns
    -------
    int
        Independent of the size of the image. (A pooling layer has none at all.)

    Raises
    ------
    ValueError
        If an argument is smaller than 1.

    Examples
    --------
    >>> conv_parameters(3, channels=1, filters=32)
    320
    """
    for name, value in (("kernel_size", kernel_size), ("channels", channels), ("filters", filters)):
        _check_count(name, value)
    return (kernel_size * kernel_size * channels + 1) * filters


def dense_parameters(inputs: int, outputs: int) -> int:
    """Count the weights of a fully connected layer: (N_in + 1) * N_out.

    Parameters
    ----------
    inputs, outputs : int
        Units before and after the layer; each output has one bias.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If an argument is smaller than 1.

    Examples
    --------
    >>> dense_parameters(576, 64)
    36928
    """
    _check_count("inputs", inputs)
    _check_count("outputs", outputs)
    return (inputs + 1) * outputs


def receptive_field(layers: Sequence[tuple[int, int]]) -> int:
    """Measure how many input pixels, along one axis, one output pixel depends on.

    R_k = 1 + sum over j = 1..k of (F_j - 1) * S_0 * ... * S_(j-1), with S_0 = 1.

    Parameters
    ----------
    layers : sequence of (kernel_size, stride)
        Convolutions and poolings, the first one next to the input.

    Returns
    -------
    int
        1 for no layers at all.

    Raises
    ------
    ValueError
        If a size or a stride is smaller than 1.

    Examples
    --------
    >>> receptive_field([(3, 1), (3, 1)])
    5
    >>> receptive_field([(3, 1), (2, 2), (3, 1), (2, 2), (3, 1)])
    18
    """
    field, jump = 1, 1
    for kernel_size, stride in layers:
        _check_count("kernel_size", kernel_size)
        _check_count("stride", stride)
        field += (kernel_size - 1) * jump
        jump *= stride
    return field


def receptive_window(layers: Sequence[tuple[int, int]], index: int) -> tuple[int, int]:
    """Find the input pixels, along one axis, that output pixel number `index` depends on.

    Parameters
    ----------
    layers : sequence of (kernel_size, stride)
        As for `receptive_field`, all without padding.
    index : int
        Position in the output of the last layer, 0 or more.

    Returns
    -------
    (int, int)
        First pixel and the one after the last, to slice with.

    Raises
    ------
    ValueError
        If the index is negative, or a size or a stride is smaller than 1.

    Examples
    --------
    >>> receptive_window([(3, 1), (2, 2)], 4)
    (8, 12)
    """
    _check_count("index", index, smallest=0)
    field = receptive_field(layers)
    start = index * math.prod(stride for _, stride in layers)
    return start, start + field


def _correlate(
    images: np.ndarray, kernels: np.ndarray, stride: int, padding: Padding
) -> np.ndarray:
    """Correlate (N, H, W, C) with (F_h, F_w, C, K): unroll the patches, multiply matrices."""
    dtype = np.result_type(images, kernels, np.float32)
    windows = _windows(images.astype(dtype, copy=False), kernels.shape[:2], stride, padding)
    weights = kernels.astype(dtype).transpose(2, 0, 1, 3).reshape(-1, kernels.shape[-1])
    maps = np.empty((*windows.shape[:3], kernels.shape[-1]), dtype)
    _, height, width, _ = maps.shape
    images_at_once, rows_at_once = max(1, _PATCHES // (height * width)), max(1, _PATCHES // width)
    for first in range(0, len(maps), images_at_once):
        for top in range(0, height, rows_at_once):
            block = slice(first, first + images_at_once), slice(top, top + rows_at_once)
            patches = windows[block].reshape(-1, len(weights))
            maps[block] = (patches @ weights).reshape(maps[block].shape)
    return maps


def _pool_windows(
    images: np.ndarray, pool_size: int, stride: int | None, padding: Padding, fill: float
) -> np.ndarray:
    """View the pooling windows of images: (N, O_h, O_w, C, F, F)."""
    _check_count("pool_size", pool_size)
    batch = _as_batch(images)
    if np.iscomplexobj(batch):
        raise ValueError("The input is complex: pool its real part or its magnitude.")
    batch = batch.astype(np.result_type(batch, np.float32))
    stride = pool_size if stride is None else stride
    for size in batch.shape[1:3]:
        if max(padding_amounts(size, pool_size, stride, padding)) >= pool_size:
            raise ValueError(f"Padding {padding!r} leaves windows of {pool_size} without a pixel.")
    return _windows(batch, (pool_size, pool_size), stride, padding, fill)


def _windows(
    images: np.ndarray,
    kernel_shape: tuple[int, int],
    stride: int,
    padding: Padding,
    fill: float = 0.0,
) -> np.ndarray:
    """View every window of padded (N, H, W, C) images, without copying: (N, O_h, O_w, C, F, F)."""
    amounts = []
    for size, kernel_size in zip(images.shape[1:3], kernel_shape, strict=True):
        output_size(size, kernel_size, stride, padding)  # raises where the kernel does not fit
        amounts.append(padding_amounts(size, kernel_size, stride, padding))
    padded = np.pad(images, [(0, 0), *amounts, (0, 0)], constant_values=fill)
    return sliding_window_view(padded, kernel_shape, axis=(1, 2))[:, ::stride, ::stride]


def _with_axes_of(images: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Drop the axes of a batch (N, H, W, C) that the images it came from do not have."""
    batch = batch if np.ndim(images) == 4 else batch[0]
    return batch[..., 0] if np.ndim(images) == 2 else batch


def _as_batch(images: np.ndarray) -> np.ndarray:
    """Check images and give them the axes (N, H, W, C)."""
    array = np.asarray(images)
    if array.ndim not in (2, 3, 4):
        raise ValueError(
            f"The input has shape {array.shape}; expected (H, W), (H, W, C) or (N, H, W, C): a "
            "batch needs its channel axis too."
        )
    _check_numbers("input", array)
    array = array[..., np.newaxis] if array.ndim == 2 else array
    return array if array.ndim == 4 else array[np.newaxis]


def _as_bank(kernels: np.ndarray, channels: int) -> np.ndarray:
    """Check kernels and give them the axes (F_h, F_w, C, K)."""
    array = np.asarray(kernels)
    if array.ndim not in (2, 3, 4):
        raise ValueError(
            f"The kernel has shape {array.shape}; expected (F_h, F_w), (F_h, F_w, C) or, for "
            "several kernels, (F_h, F_w, C, K)."
        )
    _check_numbers("kernel", array)
    array = array[..., np.newaxis] if array.ndim == 2 else array
    array = array[..., np.newaxis] if array.ndim == 3 else array
    if array.shape[2] != channels:
        raise ValueError(
            f"The input has {channels} channels, the kernel {array.shape[2]}: "
            f"a kernel needs one slice for each channel of the input."
        )
    return array


def _check_numbers(name: str, array: np.ndarray) -> None:
    """Refuse an array that is empty, not of numbers, or not finite."""
    if array.size == 0:
        raise ValueError(f"The {name} is empty: its shape is {array.shape}.")
    if array.dtype.kind not in "biufc":
        raise ValueError(f"The {name} holds {array.dtype} values; expected numbers.")
    if not np.isfinite(array).all():
        raise ValueError(
            f"The {name} holds NaN or infinite values: replace them first, "
            "for example by np.nan_to_num."
        )


def _check_count(name: str, value: int, smallest: int = 1) -> None:
    """Refuse anything but an integer of at least `smallest`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < smallest:
        raise ValueError(f"{name} is {value!r}; expected an integer of {smallest} or more.")
