"""Class activation maps: which places of a picture speak for a class.

Both methods add up the maps of a layer with weights: the gradient of the class's score, averaged
over each map (Grad-CAM), or the gradient at each place (HiResCAM).
"""

from collections.abc import Mapping, Sequence

import numpy as np

from course_utils.backend import keras, tf
from course_utils.explain.layer_graph import (
    Step,
    as_batch,
    class_scores,
    find,
    has_places,
    last_maps,
    run,
    trace,
)

ops = keras.ops

Target = int | Sequence[int] | None


def grad_cam(
    model: keras.Model,
    x: np.ndarray,
    layer: str | None = None,
    target: Target = None,
    batch_size: int = 50,
) -> np.ndarray:
    """Compute Grad-CAMs: maps weighted by how strongly the class's score depends on them.

    alpha_k = average over all places of dS_c / dA_k(i, j), and the map is
    ReLU(sum over k of alpha_k * A_k). S_c is the score before softmax or sigmoid.

    Parameters
    ----------
    model : keras.Model
        A classifier, Sequential or functional; other models may be nested in it.
    x : array of shape (N, H, W, C)
        Pictures as the model reads them, of any size that its layers can work on.
    layer : str, optional
        Name of a layer with maps, such as ``"base/block5_conv2"``; the last one that has them,
        before the classifier's pooling, if not given.
    target : int or sequence of N int, optional
        Class to explain, the same for all pictures or one for each; the predicted one of each
        picture if not given. A sigmoid knows two classes, 0 and 1.
    batch_size : int
        Pictures to compute at a time; a matter of memory only.

    Returns
    -------
    float32 array of shape (N, h, w)
        0 or more, not scaled. Zero everywhere if nothing in the picture speaks for the class.

    Raises
    ------
    ValueError
        If the layer is unknown or has no maps, the class is unknown, or the pictures do not
        fit.

    References
    ----------
    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", arXiv:1610.02391.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3),
    ...     keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")])
    >>> grad_cam(model, np.ones((2, 8, 8, 1)), target=0).shape
    (2, 6, 6)
    """
    return _by_gradient(True, model, x, layer, target, batch_size)


def hires_cam(
    model: keras.Model,
    x: np.ndarray,
    layer: str | None = None,
    target: Target = None,
    batch_size: int = 50,
) -> np.ndarray:
    """Compute HiResCAMs: Grad-CAM without averaging the gradient, each place with its own.

    The map is ReLU(sum over k of dS_c / dA_k(i, j) * A_k(i, j)). Behind global average pooling,
    all places have the same gradient, and the result is that of Grad-CAM. Behind Flatten, they
    have not: the classifier knows places, and Grad-CAM may point where it does not look.

    Parameters
    ----------
    model, x, layer, target, batch_size
        As for `grad_cam`.

    Returns
    -------
    float32 array of shape (N, h, w)
        As for `grad_cam`.

    Raises
    ------
    ValueError
        As for `grad_cam`.

    References
    ----------
    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks", arXiv:2011.08891.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3),
    ...     keras.layers.Flatten(), keras.layers.Dense(1, activation="sigmoid")])
    >>> hires_cam(model, np.ones((2, 8, 8, 1)), target=1).shape
    (2, 6, 6)
    """
    return _by_gradient(False, model, x, layer, target, batch_size)


def _by_gradient(average: bool, model: keras.Model, x, layer, target, batch_size) -> np.ndarray:
    """Add up maps weighted by the gradient, averaged over each map or at each place."""
    steps = trace(model)
    score, step = class_scores(steps), _maps_of(steps, layer)
    pictures = as_batch(steps, x)
    classes = _check_classes(target, len(pictures), max(score.shape[-1], 2))
    sums = []
    for first in range(0, len(pictures), batch_size):
        part = slice(first, first + batch_size)
        chosen = None if classes is None else classes[part]
        maps, weights = _maps_and_gradient({steps[0]: pictures[part]}, step, score, chosen)
        weights = tf.reduce_mean(weights, (1, 2), keepdims=True) if average else weights
        sums.append(tf.reduce_sum(maps * weights, axis=-1).numpy().astype(np.float32))
    return np.maximum(np.concatenate(sums), 0)


def _check_classes(target: Target, count: int, classes: int) -> np.ndarray | None:
    """Return the class to explain in each picture, or say what is wrong with what is given."""
    if target is None:
        return None
    numbers = np.asarray(target)
    if numbers.dtype.kind not in "iu" or numbers.shape not in ((), (count,)):
        raise ValueError(
            f"target is {target!r}; expected a class, or {count}, one for each picture."
        )
    if numbers.min() < 0 or numbers.max() >= classes:
        raise ValueError(f"target is {target!r}; there are the classes 0 to {classes - 1}.")
    return np.broadcast_to(numbers, (count,))


def _maps_and_gradient(
    known: Mapping[Step, tf.Tensor], step: Step, score: Step, classes: np.ndarray | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Compute the maps A_k of a layer, and how the class's score changes with them."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        maps, scores = run(known, [step, score], watch=tape.watch)
        # Pictures do not influence each other: the gradient of the sum holds one for each.
        total = tf.reduce_sum(_of_class(scores, classes))
    gradient = tape.gradient(total, maps, unconnected_gradients="zero")
    dtype = keras.backend.result_type(scores.dtype, "float32")  # sums need more than half precision
    return ops.cast(maps, dtype), ops.cast(gradient, dtype)


def _maps_of(steps: Sequence[Step], name: str | None) -> Step:
    """Find a layer with maps, on the way from the input to the scores."""
    if name is None:
        return last_maps(steps)
    step = find(steps, name)
    if not has_places(step):
        maps = [step.name for step in steps[1:] if has_places(step)]
        raise ValueError(
            f"Layer {name!r} has results of shape {step.shape}, without places to tell apart. "
            f"Layers with maps: {', '.join(maps) or 'none'}."
        )
    return step


def _both_directions(scores: tf.Tensor) -> tf.Tensor:
    """Give a sigmoid's one score a second direction: what speaks against 1 speaks for 0."""
    return tf.concat([-scores, scores], axis=-1) if scores.shape[-1] == 1 else scores


def _predicted(scores: tf.Tensor) -> tf.Tensor:
    """Return the class with the highest score, for each picture."""
    return tf.argmax(_both_directions(scores), axis=-1)


def _of_class(scores: tf.Tensor, classes: np.ndarray | tf.Tensor | None) -> tf.Tensor:
    """Return each picture's score of its class, or of the predicted one."""
    classes = _predicted(scores) if classes is None else classes
    return tf.gather(_both_directions(scores), classes, axis=-1, batch_dims=1)
