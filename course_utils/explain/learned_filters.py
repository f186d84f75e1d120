"""What a filter looks for: pictures that excite it, found by gradient ascent from noise.

The weights stay as they are; the picture is what changes, a small step at a time, uphill.
"""

from collections.abc import Sequence

import numpy as np

from course_utils.backend import keras, tf
from course_utils.explain.layer_graph import Step, before_activation, find, run, seen_pixels, trace

ops = keras.ops

# Pixels to climb with at a time: what lies in more of them no longer fits near the processor.
_PIXELS_AT_ONCE = 90_000


def maximise(
    model: keras.Model,
    layer: str,
    filters: Sequence[int] | None = None,
    steps: int = 40,
    size: int | None = None,
    rate: float = 0.03,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Change noise until it excites filters, one picture for each filter, all at once.

    x <- x + eta * g / RMS(g), where g is the gradient of L, the mean activation of the filter
    over its map, with respect to the picture x. RMS is the root of the mean of the squares.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, also nested. It is not changed.
    layer : str
        Name of a layer, such as ``"conv2d_1"`` or ``"base/block1_conv1"``.
    filters : sequence of int, optional
        Numbers of its channels; all of them if not given.
    steps : int
        How often to go uphill.
    size : int, optional
        Height and width of the pictures in pixels; that of `canvas_size` if not given.
    rate : float
        Root mean square of the change of a pixel in a step; black is 0, and white is 1.
    seed : int
        Of the noise.

    Returns
    -------
    images : float32 array of shape (filters, size, size, C)
        They leave the range from 0 to 1; `deprocess` makes them fit to be shown.
    history : float32 array of shape (steps + 1, filters)
        Mean activation of each filter, from the noise to the last picture.

    Raises
    ------
    ValueError
        If the layer or a filter is unknown, or an argument is out of its range.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> images, history = maximise(model, "conv", filters=[0, 3], steps=5)
    >>> images.shape, history.shape
    ((2, 3, 3, 1), (6, 2))
    """
    graph = trace(model)
    step = find(graph, layer)
    filters = _check_filters(filters, step)
    size = _canvas(graph, step) if size is None else size
    if steps < 0 or rate <= 0:
        raise ValueError(f"steps {steps}, rate {rate}: expected 0 or more, and above 0.")
    shape = (len(filters), size, size, graph[0].shape[-1])
    start = np.random.default_rng(seed).normal(0.5, 0.05, shape).astype(np.float32)
    climb = _climber(graph[0], step, steps, rate)
    count = min(max(_PIXELS_AT_ONCE // size**2, 1), 32)
    parts = (slice(first, first + count) for first in range(0, len(filters), count))
    climbed = [climb(tf.constant(start[part]), tf.constant(filters[part])) for part in parts]
    images, history = zip(*climbed, strict=True)
    return np.concatenate(images), np.concatenate(history, axis=1)


def canvas_size(model: keras.Model, layer: str) -> int:
    """Choose how large a picture a filter needs to show all that it looks for.

    That is the receptive field of its layer, but no more than the pictures that the model was
    made for.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional; other models may be nested in it.
    layer : str
        Name of a layer.

    Returns
    -------
    int
        Height and width in pixels.

    Raises
    ------
    ValueError
        If the layer is unknown, or looks at whole pictures of any size.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="one"),
    ...     keras.layers.Conv2D(4, 3, name="two"), keras.layers.Flatten(name="all")])
    >>> [canvas_size(model, name) for name in ("one", "two", "all")]
    [3, 5, 8]
    """
    graph = trace(model)
    return _canvas(graph, find(graph, layer))


def deprocess(images: np.ndarray, contrast: float = 0.15) -> np.ndarray:
    """Make the results of gradient ascent fit to be shown.

    Each picture is shifted to middle grey and stretched to the same contrast; what still lies
    beyond black and white is cut off.

    Parameters
    ----------
    images : float array of shape (N, H, W, C)
        In any units.
    contrast : float
        Standard deviation of the result, where white minus black is 1.

    Returns
    -------
    uint8 array of shape (N, H, W, C)

    Raises
    ------
    ValueError
        If there are NaNs, or other than four axes.

    Examples
    --------
    >>> deprocess(np.array([[[[-1.0], [1.0]]]]), contrast=0.1).ravel()
    array([102, 153], dtype=uint8)
    """
    images = np.asarray(images, np.float64)
    if images.ndim != 4 or not np.isfinite(images).all():
        raise ValueError(f"images has shape {images.shape}; expected (N, H, W, C), without NaN.")
    centred = images - images.mean(axis=(1, 2, 3), keepdims=True)
    spread = centred.std(axis=(1, 2, 3), keepdims=True)
    scaled = 0.5 + contrast * centred / np.where(spread > 0, spread, 1)
    return np.rint(scaled.clip(0, 1) * 255).astype(np.uint8)


def _climber(start: Step, layer: Step, steps: int, rate: float):
    """Compile gradient ascent for pictures and the filters that they shall excite."""
    before, activation = before_activation(layer)

    def excitement(images, filters):
        """Average a filter's map for each picture, before and behind the activation."""
        (sums,) = run({start: tf.cast(images, start.dtype)}, [before])
        places = tf.range(1, len(sums.shape) - 1)
        averages = [
            tf.reduce_mean(tf.cast(maps, "float32"), places) for maps in (sums, activation(sums))
        ]
        return [tf.gather(average, filters, axis=1, batch_dims=1) for average in averages]

    @tf.function(autograph=False)
    def step(images, filters):
        """Go one step uphill, and note the height before it."""
        with tf.GradientTape() as tape:
            tape.watch(images)
            sums, level = excitement(images, filters)
        gradient = tape.gradient(sums, images)  # each picture has a filter of its own
        length = tf.sqrt(tf.reduce_mean(gradient**2, axis=(1, 2, 3), keepdims=True))
        return images + rate * tf.math.divide_no_nan(gradient, length), level

    def climb(images, filters):
        """Go uphill, and note the height before each step and after the last."""
        history = []
        for _ in range(steps):
            images, level = step(images, filters)
            history.append(level)
        history.append(step(images, filters)[1])
        return images, tf.stack(history)

    return climb


def _canvas(graph: Sequence[Step], layer: Step) -> int:
    """Return the receptive field of a layer, or the size of the model's input."""
    sizes = [seen_pixels(layer), *graph[0].shape[1:3]]
    known = [size for size in sizes if size is not None]
    if not known:
        raise ValueError(
            f"{layer.name!r} looks at whole pictures, and the model takes any size: give a size."
        )
    return min(known) if sizes[0] is not None else max(known)


def _check_filters(filters: Sequence[int] | None, layer: Step) -> np.ndarray:
    """Return the numbers of the filters as an array, and refuse those that are not there."""
    count = layer.shape[-1]
    numbers = np.arange(count) if filters is None else np.asarray(filters)
    if numbers.ndim != 1 or not numbers.size or numbers.dtype.kind not in "iu":
        raise ValueError(f"filters is {filters!r}; expected numbers of filters, such as range(8).")
    if numbers.min() < 0 or numbers.max() >= count:
        raise ValueError(f"Layer {layer.name!r} has the filters 0 to {count - 1}, not {filters!r}.")
    return numbers
