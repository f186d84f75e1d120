"""From pictures in memory to the batches that a network trains on.

Pictures are kept as bytes, one a pixel and colour, and become numbers from 0 to 1 batch by
batch; augmented batches are different each time.
"""

import os
from collections.abc import Callable
from functools import reduce

import numpy as np

from course_utils.backend import keras, tf

ops = keras.ops


def batches(
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int = 32,
    augment: Callable | None = None,
    shuffle: bool = True,
    seed: int | None = None,
) -> tf.data.Dataset:
    """Serve pictures and labels in batches, shuffled anew in every epoch.

    Only the numbers of the pictures are shuffled, not the pictures. While the network works
    on one batch, the next one is prepared.

    Parameters
    ----------
    x : ndarray of uint8, shape (N, H, W, C)
        Pictures.
    y : ndarray of int, shape (N,)
        Labels.
    batch_size : int
        Pictures in one batch; the last batch of an epoch may be smaller.
    augment : callable, optional
        A Keras layer, or a `keras.Sequential` of them, that changes a batch of pictures at
        random. For training only.
    shuffle : bool
        Whether to shuffle; not for validation or test, where it would only cost time.
    seed : int, optional
        Makes the order repeatable.

    Returns
    -------
    tf.data.Dataset
        Of pairs: float32 (B, H, W, C) in [0, 1], and float32 (B, 1).

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no picture, or the batch size is below 1.
    TypeError
        If the pictures are not ``uint8``.

    Examples
    --------
    >>> x, y = np.full((5, 4, 4, 3), 255, np.uint8), np.array([0, 1, 0, 1, 0])
    >>> [(pictures.shape[0], float(pictures[0].numpy().max())) for pictures, _ in batches(x, y, 2)]
    [(2, 1.0), (2, 1.0), (1, 1.0)]
    """
    _check(x, y, batch_size)
    pictures, labels = tf.constant(x), tf.constant(y.reshape(-1, 1), tf.float32)

    @tf.autograph.experimental.do_not_convert
    def prepared(numbers):
        """Take the pictures of these numbers, as fractions, and change them."""
        batch = ops.cast(tf.gather(pictures, numbers), "float32") / 255
        batch = augment(batch, training=True) if augment else batch
        return ops.cast(batch, "float32"), tf.gather(labels, numbers)

    numbers = tf.data.Dataset.range(len(x))
    if shuffle:
        numbers = numbers.shuffle(len(x), seed=seed)
    # One batch after the other, so that a seed repeats them, but each on all cores.
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = os.cpu_count() or 1
    return numbers.batch(batch_size).map(prepared).prefetch(2).with_options(options)


@keras.saving.register_keras_serializable(package="course_utils")
class RandomAffine(keras.layers.Layer):
    """Flip, rotate, shift, shear and zoom at random, all in one affine transform.

    The matrices of the changes are multiplied first, so that every pixel is computed once: much
    faster than five layers, and less blurred. Beyond the border, the nearest pixel is repeated.

    Parameters
    ----------
    flip : bool
        Whether to mirror every other picture, left to right.
    rotation : float
        Largest angle in degrees, either way.
    shift : float
        Largest shift, as a share of width and height, in any direction.
    shear : float
        Largest shear, of rows and of columns, in [0, 1), as `affine_matrices` understands it.
    zoom : float
        Largest change of width and of height, in [0, 1): 0.2 is from 80 % to 120 %.
    seed : int, optional
        Makes the changes repeatable.

    Raises
    ------
    ValueError
        If a range is negative or not finite, or shear or zoom are not below 1.

    Examples
    --------
    >>> layer = RandomAffine(seed=0)
    >>> layer(np.zeros((2, 8, 8, 3)), training=True).shape
    TensorShape([2, 8, 8, 3])
    """

    def __init__(
        self,
        flip: bool = True,
        rotation: float = 40,
        shift: float = 0.2,
        shear: float = 0.2,
        zoom: float = 0.2,
        seed: int | None = None,
        **options,
    ) -> None:
        options.setdefault("dtype", "float32")  # even where the network computes in less
        super().__init__(**options)
        ranges = (rotation, shift, shear, zoom)
        if not (all(0 <= most < np.inf for most in ranges) and max(shear, zoom) < 1):
            raise ValueError(
                f"rotation {rotation}, shift {shift}, shear {shear} and zoom {zoom}: "
                "none may be negative or infinite, and shear and zoom must be below 1."
            )
        self.flip, self.rotation, self.shift = flip, rotation, shift
        self.shear, self.zoom, self.seed = shear, zoom, seed
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images, training=False):
        """Transform each picture of a batch in its own way; only in training."""
        if not training:
            return images
        return transform(images, **self.draw(ops.shape(images)[0]))

    def draw(self, count) -> dict:
        """Draw the changes for a number of pictures, as `affine_matrices` takes them."""

        def between(low, high):
            """Draw a number for each picture."""
            return keras.random.uniform((count,), low, high, seed=self.generator)

        mirrored = between(0, 1) < 0.5 if self.flip else ops.zeros((count,), "bool")
        names = ("shift_x", "shift_y"), ("shear_x", "shear_y"), ("zoom_x", "zoom_y")
        ranges = (0, self.shift), (0, self.shear), (1, self.zoom)
        changes = {"mirrored": mirrored, "rotation": between(-self.rotation, self.rotation)}
        for pair, (middle, most) in zip(names, ranges, strict=True):
            changes |= {name: between(middle - most, middle + most) for name in pair}
        return changes

    def get_config(self) -> dict:
        """Return what is needed to build the layer again."""
        names = ("flip", "rotation", "shift", "shear", "zoom", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def affine_matrices(
    height: int,
    width: int,
    mirrored=(False,),
    rotation=(0.0,),
    shift_x=(0.0,),
    shift_y=(0.0,),
    shear_x=(0.0,),
    shear_y=(0.0,),
    zoom_x=(1.0,),
    zoom_y=(1.0,),
):
    """Say for each pixel of a changed picture where in the original it comes from.

    Everything happens around the middle of the picture, in the order of the parameters.

    Parameters
    ----------
    height, width : int
        Of the pictures, in pixels.
    mirrored : sequence of bool
        Whether left and right change sides; one value for each picture, or one for all. The
        same holds for the other parameters.
    rotation : sequence of float
        Degrees, counterclockwise.
    shift_x, shift_y : sequence of float
        To the right and down, as a share of width and height.
    shear_x, shear_y : sequence of float
        How far a row slides to the right for each pixel that it lies below the middle, and a
        column down for each pixel right of it. Both at once also enlarge the picture, by
        ``1 / (1 - shear_x * shear_y)``.
    zoom_x, zoom_y : sequence of float
        Width and height of what is shown, relative to before, above 0: 2 is twice as large.

    Returns
    -------
    float32 tensor of shape (N, 3, 3)
        Matrices for columns (x, y, 1), in pixels.

    Examples
    --------
    >>> affine_matrices(5, 5, shift_x=[0.2]).numpy()[0].tolist()
    [[1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    angle = ops.cast(rotation, "float32") * (np.pi / 180)
    sine, cosine = ops.sin(angle), ops.cos(angle)
    side = 1 - 2 * ops.cast(mirrored, "float32")
    right, down = (width - 1) / 2, (height - 1) / 2
    # Backwards, from a pixel of the result to one of the original: the last change comes first.
    steps = [
        _matrices((1, 0, right), (0, 1, down)),
        _matrices((side, 0, 0), (0, 1, 0)),
        _matrices((cosine, -sine, 0), (sine, cosine, 0)),
        _matrices((1, 0, -width * _numbers(shift_x)), (0, 1, -height * _numbers(shift_y))),
        _matrices((1, -_numbers(shear_x), 0), (-_numbers(shear_y), 1, 0)),
        _matrices((1 / _numbers(zoom_x), 0, 0), (0, 1 / _numbers(zoom_y), 0)),
        _matrices((1, 0, -right), (0, 1, -down)),
    ]
    return reduce(ops.matmul, steps)


def transform(images, fill_mode: str = "nearest", **changes):
    """Flip, rotate, shift, shear and zoom pictures by given amounts.

    `affine_matrices` says where each pixel comes from; ``keras.ops.image.affine_transform`` takes
    it from there, with bilinear interpolation.

    Parameters
    ----------
    images : array or tensor of shape (N, H, W, C)
        Height and width must be known.
    fill_mode : {"nearest", "constant", "reflect", "wrap"}
        What to show where a pixel comes from beyond the border: the last pixel again, black,
        the picture mirrored, or the picture from its other side.
    **changes
        As `affine_matrices` takes them.

    Returns
    -------
    float32 tensor of shape (N, H, W, C)

    Raises
    ------
    ValueError
        If the shape is another one, the changes are for another number of pictures, or there is
        no such fill mode.

    Examples
    --------
    >>> row = np.array([1.0, 2, 3, 4, 5]).reshape(1, 1, 5, 1)
    >>> transform(row, shift_x=[0.2]).numpy().ravel().tolist()
    [1.0, 1.0, 2.0, 3.0, 4.0]
    """
    images = ops.cast(images, "float32")
    if len(images.shape) != 4 or None in images.shape[1:]:
        raise ValueError(f"The pictures have shape {images.shape}; expected (N, H, W, C).")
    rows = ops.reshape(affine_matrices(*images.shape[1:3], **changes), (-1, 9))[:, :8]
    count, changed = images.shape[0], rows.shape[0]
    if count and changed and changed not in (1, count):
        raise ValueError(f"There are changes for {changed} pictures, but the pictures are {count}.")
    rows = ops.broadcast_to(rows, (ops.shape(images)[0], 8))
    return ops.image.affine_transform(images, rows, "bilinear", fill_mode)


def _numbers(values):
    """Turn a sequence of numbers into a tensor."""
    return ops.cast(values, "float32")


def _matrices(*rows):
    """Stack numbers, and tensors with one number for each picture, to 3 x 3 matrices."""
    numbers = [_numbers(number) for row in (*rows, (0, 0, 1)) for number in row]
    shape = reduce(tf.broadcast_dynamic_shape, map(tf.shape, numbers))
    numbers = [tf.broadcast_to(number, shape) for number in numbers]
    return ops.reshape(ops.stack(numbers, axis=-1), (-1, 3, 3))


def _check(x: np.ndarray, y: np.ndarray, batch_size: int) -> None:
    """Refuse what cannot be served in batches."""
    if x.dtype != np.uint8:
        raise TypeError(f"The pictures are {x.dtype}; expected uint8, 0 to 255.")
    if x.ndim != 4 or y.shape != (len(x),) or not len(x):
        raise ValueError(
            f"Pictures of shape {x.shape} and labels of shape {y.shape}: "
            "expected (N, H, W, C) and (N,), with N at least 1."
        )
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; expected 1 or more.")
