"""Building blocks of judges for nets: what usually goes wrong with them, and what they do."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from exercises.judges import kind_of, quoted


def unlike_net(answer: Any) -> str | None:
    """Say why an answer is not a net that can be used, if it is not.

    Examples
    --------
    >>> unlike_net([keras.layers.Flatten()])
    'that is a list; put its layers into keras.Sequential(...).'
    """
    kind = type(answer).__name__
    if isinstance(answer, keras.Model):
        return None if answer.built else "this net does not know its input: begin with keras.Input."
    if answer is None:
        return "that is None. `compile` and `add` return nothing; give the net itself."
    if isinstance(answer, type):
        return f"{answer.__name__} is a class; build a net of it."
    if isinstance(answer, keras.callbacks.History | dict):
        return "that is what `fit` measured; give the net itself."
    if isinstance(answer, keras.layers.Layer):
        return f"that is a single layer ({kind}); put it into keras.Sequential([...])."
    if isinstance(answer, list | tuple):
        return f"that is a {kind}; put its layers into keras.Sequential(...)."
    if isinstance(answer, str):
        return f"{quoted(answer)} is text; give the net itself, without quotation marks."
    if callable(answer):
        return "that is a function; give the net that it returns."
    return f"a net is asked for, and that is {kind_of(answer)}."


def wrong_ends(net: keras.Model, taken: Sequence[int], given: Sequence[int]) -> str | None:
    """Say which end of a net has the wrong shape, if one has; without the axis of the pictures.

    Examples
    --------
    >>> net = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    >>> wrong_ends(net, (4,), (1,))
    'for each picture it gives (2,), and (1,) is asked for: look at the last layer.'
    """
    if len(net.inputs) != 1 or len(net.outputs) != 1:
        return "it should take one thing and give one."
    input_shape, output_shape = tuple(net.inputs[0].shape[1:]), tuple(net.outputs[0].shape[1:])
    if input_shape != tuple(taken):
        return f"it takes pictures of shape {input_shape}, and {tuple(taken)} is asked for."
    if output_shape != tuple(given):
        return (
            f"for each picture it gives {output_shape}, and {tuple(given)} is asked for: look at "
            "the last layer."
        )
    return None


def unlike_probabilities(net: keras.Model) -> str | None:
    """Say why the outputs of a net are not probabilities, if they are not.

    One output is the probability of one of two classes; several belong to one class each.

    Examples
    --------
    >>> unlike_probabilities(keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)]))
    'its outputs are not between 0 and 1: the last layer lacks its activation, a sigmoid.'
    """
    p = np.asarray(net(loud(net.input_shape[1:]), training=False))
    last = "a sigmoid" if p.shape[-1] == 1 else "softmax"
    if p.min() < 0 or p.max() > 1:
        return f"its outputs are not between 0 and 1: the last layer lacks its activation, {last}."
    if p.shape[-1] > 1 and not np.allclose(p.sum(axis=-1), 1, atol=1e-3):
        return "its outputs do not add up to 1; which activation sees to that?"
    return None


def loud(shape: Sequence[int]) -> np.ndarray:
    """Make two pictures of huge values: only an activation keeps the outputs small.

    Examples
    --------
    >>> loud((8, 8, 3)).shape
    (2, 8, 8, 3)
    """
    return np.random.default_rng(0).normal(0, 1e4, (2, *shape)).astype("float32")


def all_layers(net: keras.Model) -> list[keras.layers.Layer]:
    """List the layers of a net, those of nets inside it too.

    Examples
    --------
    >>> inner = keras.Sequential([keras.layers.Flatten(), keras.layers.ReLU()])
    >>> net = keras.Sequential([keras.Input((2, 2)), inner, keras.layers.Dense(1)])
    >>> [type(layer).__name__ for layer in all_layers(net)]
    ['Flatten', 'ReLU', 'Dense']
    """
    found = []
    for layer in net.layers:
        found += all_layers(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def accuracy(net: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    """Measure the share of pictures that a net gets right, compiled or not.

    Examples
    --------
    >>> net = keras.Sequential([keras.Input((2,)), keras.layers.Activation("sigmoid")])
    >>> accuracy(net, np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([0, 0]))
    0.5
    """
    parts = [net(x[n : n + 100], training=False) for n in range(0, len(x), 100)]
    p = np.concatenate([np.asarray(part) for part in parts])
    predicted = p[:, 0] > 0.5 if p.shape[1] == 1 else p.argmax(axis=1)
    return float(np.mean(predicted == np.ravel(y)))
