"""A network as a plain list of steps, one for each call of a layer, however it is nested.

Keras hides the layers of a network inside a network, and cannot start in the middle of one.
With the list in hand, both are simple: call the steps one after another, from what is known
to what is wanted, and leave out the rest.
"""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

import numpy as np

from course_utils.backend import keras, tf
from course_utils.convolution import receptive_field

ops, tree = keras.ops, keras.tree

# Layers and operations that only bend numbers, each on its own or all of one place together.
_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "Softmax", "LogSoftmax")
_ACTIVATIONS += ("Relu", "Relu6", "Sigmoid", "LogSigmoid", "Silu", "HardSilu", "Gelu")


@dataclass(frozen=True, eq=False)
class Step:
    """One call of one layer.

    Attributes
    ----------
    name : str
        The layer's name, after those of the models that it lies in: ``"base/block1_conv1"``.
    layer : callable or None
        A Keras layer or operation; None for the input of the network.
    args, kwargs : tuple, dict
        What the layer is called with. Steps in there stand for their results.
    shape : tuple of int or None
        Of the result; None for the pictures of a batch, and wherever any size will do.
    dtype : str
        Of the result.
    """

    name: str
    layer: Any = field(repr=False)
    args: tuple = field(repr=False)
    kwargs: dict = field(repr=False)
    shape: tuple[int | None, ...]
    dtype: str

    @property
    def sources(self) -> list["Step"]:
        """The steps whose results this one needs."""
        return [leaf for leaf in tree.flatten((self.args, self.kwargs)) if isinstance(leaf, Step)]


def trace(model: keras.Model) -> list[Step]:
    """List what a network does with its input, in order.

    Models inside the model are opened, so that the list is flat. Nothing is computed, and the
    model stays as it is.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, with one input and one output.

    Returns
    -------
    list of Step
        The first one is the input, the last one the output.

    Raises
    ------
    ValueError
        If the model is of another kind, or its input shape is not known yet.

    Examples
    --------
    >>> base = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv")],
    ...     name="base")
    >>> model = keras.Sequential([base, keras.layers.Flatten(name="flatten")])
    >>> [(step.name, step.shape) for step in trace(model)]
    [('input', (None, 8, 8, 1)), ('base/conv', (None, 6, 6, 4)), ('flatten', (None, 144))]
    """
    given = _input(model)
    steps = [Step("input", None, (), {}, (None, *given.shape[1:]), given.dtype)]
    last = _follow(model, steps[0], "", steps)
    if not isinstance(last, Step):
        raise ValueError(f"{model.name!r} has several outputs; expected one.")
    return steps[: steps.index(last) + 1]


def find(steps: Sequence[Step], name: str) -> Step:
    """Find a layer by its name.

    Parameters
    ----------
    steps : sequence of Step
    name : str
        In full, such as ``"base/block1_conv1"``, or the end of it, such as ``"block1_conv1"``,
        if no other layer's name ends like that.

    Returns
    -------
    Step

    Raises
    ------
    ValueError
        If there is no such layer, or more than one.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv")])
    >>> find(trace(model), "conf")
    Traceback (most recent call last):
    ValueError: There is no layer 'conf'. Did you mean 'conv'? There are: conv.
    """
    layers = steps[1:]
    found = [step for step in layers if step.name == name]
    found = found or [step for step in layers if step.name.endswith(f"/{name}")]
    if len(found) == 1:
        return found[0]
    if len({step.name for step in found}) > 1:
        raise ValueError(
            f"{name!r} may be any of {', '.join(step.name for step in found)}: give the full name."
        )
    if found:
        raise ValueError(f"Layer {name!r} is used {len(found)} times, with one result each time.")
    near = get_close_matches(str(name), _names(layers), n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(step.name for step in layers)
    raise ValueError(f"There is no layer {name!r}.{hint} There are: {listed}.")


def run(
    known: Mapping[Step, Any], wanted: Sequence[Step], watch: Callable[[Any], None] | None = None
) -> list:
    """Compute what is wanted from what is known, calling only the layers in between.

    All layers behave as at test time: dropout and augmentation do nothing.

    Parameters
    ----------
    known : mapping of Step to tensor
        The input, or the result of a layer in the middle.
    wanted : sequence of Step
    watch : callable, optional
        Called with each wanted result as soon as it is there, before any other layer uses it.
        ``tape.watch`` makes a gradient tape follow what becomes of it.

    Returns
    -------
    list of tensor
        The results of the wanted steps.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Rescaling(3, name="thrice")])
    >>> start, thrice = trace(model)
    >>> run({start: ops.ones((1, 4))}, [thrice])[0].numpy()
    array([[3., 3., 3., 3.]], dtype=float32)
    """
    plan = _in_order(wanted, known)
    last_use = {source: step for step in plan for source in step.sources}
    values = dict(known)
    for step in plan:
        values[step] = _call(step, values)
        if watch and step in wanted:
            watch(values[step])
        for source in set(step.sources):  # free the memory of what nobody needs any more
            if last_use[source] is step and source not in wanted:
                del values[source]
    return [values[step] for step in wanted]


def before_activation(step: Step) -> tuple[Step, Callable]:
    """Take a layer apart: the sums that it computes, and the function that bends them.

    Parameters
    ----------
    step : Step
        A layer with an activation, or one that is an activation, or neither.

    Returns
    -------
    Step
        Gives the numbers before the activation, such as the scores before softmax or sigmoid,
        in single precision at least.
    callable
        The activation, which turns these numbers into the layer's result.

    Examples
    --------
    >>> last = keras.layers.Dense(3, activation="softmax", name="last")
    >>> steps = trace(keras.Sequential([keras.Input((4,)), last]))
    >>> scores, activation = before_activation(steps[-1])
    >>> scores.name, activation.__name__
    ('last (before softmax)', 'softmax')
    """
    if type(step.layer).__name__ in _ACTIVATIONS:
        return step.sources[0], step.layer
    activation = getattr(step.layer, "activation", None)
    if activation in (None, keras.activations.linear):
        return step, keras.activations.linear
    name = f"{step.name} (before {activation.__name__})"
    twin = _LinearTwin(step.layer, step.sources[0].shape)
    return replace(step, name=name, layer=twin, kwargs={}, dtype=twin.dtype), activation


def class_scores(steps: Sequence[Step]) -> Step:
    """Return the step that gives the scores of the classes, before softmax or sigmoid.

    It does not matter whether the activation belongs to the last Dense layer, is a layer of
    its own, or is missing.

    Parameters
    ----------
    steps : sequence of Step
        Of a classifier.

    Returns
    -------
    Step
        Its result has the shape (N, classes).

    Raises
    ------
    ValueError
        If the network does not end in one number for each class.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="dense"),
    ...     keras.layers.Activation("softmax")])
    >>> class_scores(trace(model)).name
    'dense'
    """
    score, _ = before_activation(steps[-1])
    if len(score.shape) != 2 or score.shape[-1] is None:
        raise ValueError(
            f"The network ends in {score.name!r} with the shape {score.shape}; expected one number "
            "for each class. Give a whole classifier, not its base alone."
        )
    return score


def last_maps(steps: Sequence[Step]) -> Step:
    """Find the last layer that still tells places apart: the features before the classifier.

    Pooling, dropout and layers that only move numbers do not count; an activation or a
    normalisation behind a convolution does.

    Parameters
    ----------
    steps : sequence of Step

    Returns
    -------
    Step
        Its result has the shape (N, height, width, channels).

    Raises
    ------
    ValueError
        If there is no convolution.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3, name="conv"),
    ...     keras.layers.MaxPooling2D(), keras.layers.Flatten(), keras.layers.Dense(2)])
    >>> last_maps(trace(model)).name
    'conv'
    """
    convolved, last = set(), None
    for step in steps[1:]:
        if "Conv2D" in type(step.layer).__name__ or convolved & set(step.sources):
            convolved.add(step)
            if has_places(step) and not _only_moves(step.layer):
                last = step
    if last is None:
        raise ValueError(
            "The network has no convolution that makes maps. There are: "
            f"{', '.join(step.name for step in steps[1:])}."
        )
    return last


def seen_pixels(step: Step) -> int | None:
    """Measure the receptive field of a layer: the side of the square that one result sees.

    Parameters
    ----------
    step : Step
        Of a network in one piece, or of branches; then the widest one counts.

    Returns
    -------
    int or None
        In pixels of the network's input; None where a layer looks at all of them.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3),
    ...     keras.layers.MaxPooling2D(), keras.layers.Flatten()])
    >>> [seen_pixels(step) for step in trace(model)]
    [1, 3, 4, None]
    """
    paths: dict[Step, list[tuple[int, int]] | None] = {}
    for each in _in_order([step]):
        before = [paths[source] for source in each.sources]
        if len(each.shape) != 4 or None in before or _looks_everywhere(each.layer):
            paths[each] = None
        else:
            widest = max(before, key=receptive_field, default=[])
            paths[each] = widest + _windows(each.layer)
    return None if paths[step] is None else receptive_field(paths[step])


def as_batch(steps: Sequence[Step], x: np.ndarray) -> tf.Tensor:
    """Check pictures, and turn them into what the network's first layer reads.

    Parameters
    ----------
    steps : sequence of Step
        As `trace` lists them.
    x : array of shape (N, H, W, C)
        Of any height and width that the layers can work on.

    Returns
    -------
    tensor

    Raises
    ------
    ValueError
        If there is no picture, the axes or channels do not fit, or there are NaNs.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> as_batch(trace(model), np.ones((2, 4), "uint8")).dtype
    tf.float32
    """
    x, expected = np.asarray(x), steps[0].shape
    if x.ndim == len(expected) - 1:
        raise ValueError(f"x has shape {x.shape}; for one picture, give a batch: x[np.newaxis].")
    if x.ndim != len(expected) or x.shape[-1] != (expected[-1] or x.shape[-1]):
        raise ValueError(f"x has shape {x.shape}; the network reads {expected}.")
    if not x.size:
        raise ValueError(f"x is empty: its shape is {x.shape}.")
    if not np.isfinite(x).all():
        bad = np.flatnonzero(~np.isfinite(x.reshape(len(x), -1)).all(axis=1))
        raise ValueError(f"x holds NaN or infinite values, the first in picture {bad[0]}.")
    return ops.convert_to_tensor(x, steps[0].dtype)


class _LinearTwin:
    """A layer without its activation, with the same weights, in single precision at least."""

    def __init__(self, layer: keras.layers.Layer, shape: tuple[int | None, ...]) -> None:
        self.original = layer
        self.dtype = keras.backend.result_type(layer.variable_dtype, "float32")
        config = {**layer.get_config(), "activation": "linear", "dtype": self.dtype}
        # Its own weights are never used; zeros take no random numbers from anybody.
        config |= {key: "zeros" for key in config if key.endswith("_initializer")}
        self.layer = type(layer).from_config(config)
        self.layer.build(shape)

    def __call__(self, x):
        weights = self.original.trainable_variables, self.original.non_trainable_variables
        return self.layer.stateless_call(*weights, ops.cast(x, self.dtype))[0]


def _input(model: keras.Model) -> keras.KerasTensor:
    """Return the one input of a model that can be traced, or say why it cannot."""
    if not isinstance(model, keras.Sequential | keras.Function):
        raise ValueError(
            f"{type(model).__name__} is neither a Sequential nor a functional model: "
            "its layers cannot be listed."
        )
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise ValueError(
            f"The input shape of {model.name!r} is not known yet: begin it with keras.Input(...), "
            "or call it on a batch of pictures first."
        )
    if len(inputs) != 1:
        raise ValueError(f"{model.name!r} has {len(inputs)} inputs; expected one.")
    return inputs[0]


def _follow(model: keras.Model, given: Step, prefix: str, steps: list[Step]) -> Step:
    """Add the steps of a model, and of the models in it, to a list; return its last one."""

    def recorder(layer):
        """Return what is called in the place of a layer."""

        def record(*args, **kwargs):
            """Add the layer to the list, or the layers in it."""
            if isinstance(layer, keras.Sequential | keras.Function):
                return _follow(layer, args[0], f"{prefix}{layer.name}/", steps)
            steps.append(_step(f"{prefix}{layer.name}", layer, args, kwargs))
            return steps[-1]

        return record

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            given = recorder(layer)(given)
        return given
    # Keras offers no public way to walk along its graph; this is how its own `call` does.
    return model._run_through_graph(given, operation_fn=recorder)


def _step(name: str, layer: Any, args: tuple, kwargs: dict) -> Step:
    """Make a step, and find out the shape of its result."""
    if "training" in inspect.signature(layer.call).parameters:
        kwargs = {**kwargs, "training": False}
    specs = _replace((args, kwargs), lambda step: keras.KerasTensor(step.shape, step.dtype))
    result = layer.compute_output_spec(*specs[0], **specs[1])
    if not isinstance(result, keras.KerasTensor):
        raise ValueError(f"Layer {name!r} has several results; expected one.")
    return Step(name, layer, args, kwargs, tuple(result.shape), result.dtype)


def _call(step: Step, values: Mapping[Step, Any]):
    """Call the layer of a step on the results of others."""
    args, kwargs = _replace((step.args, step.kwargs), values.__getitem__)
    return step.layer(*args, **kwargs)


def _replace(structure: Any, value: Callable[[Step], Any]) -> Any:
    """Put values in the places of steps."""
    return tree.map_structure(lambda x: value(x) if isinstance(x, Step) else x, structure)


def _in_order(wanted: Sequence[Step], known: Collection[Step] = ()) -> list[Step]:
    """List some steps and all that they need but is not known, each after what it needs."""
    found: dict[Step, None] = {}
    waiting = [step for step in wanted if step not in known]
    while waiting:
        sources = waiting[-1].sources
        missing = [step for step in sources if step not in found and step not in known]
        if missing:
            waiting += missing
        else:
            found[waiting.pop()] = None
    return list(found)


def _names(steps: Sequence[Step]) -> list[str]:
    """List the names of layers, in full and without those of the models around them."""
    return [name for step in steps for name in (step.name, step.name.rpartition("/")[2])]


def has_places(step: Step) -> bool:
    """Tell whether a result has maps of more than one pixel."""
    return len(step.shape) == 4 and tuple(step.shape[1:3]) != (1, 1)


def _only_moves(layer: Any) -> bool:
    """Tell whether a layer makes no features of its own."""
    name = type(layer).__name__
    return any(part in name for part in ("Pooling", "Dropout", "Padding", "Cropping", "Reshape"))


def _looks_everywhere(layer: Any) -> bool:
    """Tell whether each result of a layer depends on all places of its input."""
    name = type(layer).__name__
    return "Global" in name or "Resizing" in name


def _windows(layer: Any) -> list[tuple[int, int]]:
    """Return the size and the stride of a layer's windows, if it has any."""
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if size is None:
        return []
    dilation = max(np.ravel(getattr(layer, "dilation_rate", 1)))
    return [((max(size) - 1) * int(dilation) + 1, max(layer.strides))]
