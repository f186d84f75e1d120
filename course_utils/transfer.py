"""Standing on a trained network: a head on a base, freezing and unfreezing, fine-tuning.

Features of a frozen base are computed once by `features.extract`; what is here puts base and
head together, and says which of their layers training may change.
"""

import difflib

import numpy as np

from course_utils import bases
from course_utils.backend import keras

layers = keras.layers

_POOLS = {
    "flatten": layers.Flatten,
    "average": layers.GlobalAveragePooling2D,
    "max": layers.GlobalMaxPooling2D,
}


def head(
    feature_shape: tuple[int, ...],
    units: int = 256,
    dropout: float = 0.5,
    classes: int = 2,
    pooling: str = "flatten",
) -> keras.Sequential:
    """Build a dense classifier for the feature maps of a base.

    Parameters
    ----------
    feature_shape : tuple of int
        Height, width and channels of the feature maps.
    units : int
        Of the hidden layer.
    dropout : float
        Share of the hidden units that each training step leaves out, in [0, 1).
    classes : int
        With 2 there is one output, the probability of class 1; with more, one for each.
    pooling : {"flatten", "average", "max"}
        Whether every value of the maps is connected, or only the average or the largest value
        of each map.

    Returns
    -------
    keras.Sequential
        (N, *feature_shape) -> (N, 1) or (N, classes) probabilities.

    Raises
    ------
    ValueError
        If there are fewer than two classes, or the pooling is unknown.

    Examples
    --------
    >>> head((4, 4, 512)).count_params()
    2097665
    """
    if classes < 2 or pooling not in _POOLS:
        raise ValueError(
            f"classes is {classes}, pooling {pooling!r}; expected 2 or more, "
            f"and one of {', '.join(_POOLS)}."
        )
    outputs, activation = classes, "softmax"
    if classes == 2:
        outputs, activation = 1, "sigmoid"
    return keras.Sequential(
        [
            keras.Input(feature_shape),
            _POOLS[pooling](),
            layers.Dense(units, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(outputs, activation=activation, dtype="float32"),
        ],
        name="head",
    )


def join(base: keras.Model, head: keras.Model) -> keras.Sequential:
    """Make one model of a base and a head, with the base's preprocessing in front.

    Parameters
    ----------
    base : keras.Model
        As `bases.build` builds it.
    head : keras.Model
        Takes the feature maps of the base.

    Returns
    -------
    keras.Sequential
        Pixels in [0, 1] -> what the head puts out. Its layers are the given base and head, not
        copies of them.

    Examples
    --------
    >>> base = bases.build("vgg16", 150, weights=None)
    >>> join(base, head(base.output_shape[1:])).count_params()
    16812353
    """
    return keras.Sequential(
        [keras.Input(base.input_shape[1:]), bases.preprocessing(base), base, head],
        name=f"{base.name}_and_head",
    )


def freeze(model: keras.Model, base: keras.Model) -> None:
    """Exclude all weights of a base from training.

    Like every change of what is trained it takes effect at the next ``compile``; until then
    the model refuses to be trained.

    Parameters
    ----------
    model : keras.Model
        The whole model.
    base : keras.Model
        A part of it, or the model itself.

    Examples
    --------
    >>> base = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    >>> model = keras.Sequential([base, layers.Dense(1)])
    >>> freeze(model, base)
    >>> len(model.trainable_weights)
    2
    """
    base.trainable = False
    model.compiled = False


def unfreeze(model: keras.Model, base: keras.Model, first: str) -> None:
    """Let training change a base from one of its layers on; what comes before stays frozen.

    Batch normalization stays frozen everywhere in the base, also in models inside it. Then it
    goes on with the means and variances it was trained with, instead of those of a few small
    batches.

    Parameters
    ----------
    model : keras.Model
        The whole model; it has to be compiled again before it is trained.
    base : keras.Model
        A part of it, or the model itself.
    first : str
        Name of the first layer of the base to be trained, for example ``"block5_conv1"``.

    Raises
    ------
    ValueError
        If the base has no layer of that name.

    Examples
    --------
    >>> base = keras.Sequential([layers.Dense(3, name="a"), layers.Dense(2, name="b")])
    >>> base.build((None, 4))
    >>> model = keras.Sequential([base, layers.Dense(1)])
    >>> unfreeze(model, base, "b")
    >>> [layer.trainable for layer in base.layers]
    [False, True]
    """
    number = _number_of(base, first)
    base.trainable = True
    for n, layer in enumerate(base.layers):
        layer.trainable = n >= number
    _freeze_normalization(base)
    model.compiled = False


def cut(base: keras.Model, first: str) -> tuple[keras.Model, keras.Model]:
    """Cut a base in two before one of its layers; both parts share its weights.

    The maps between them can be computed once if the lower part stays frozen: then only the
    upper part has to run while the rest is fine-tuned.

    Parameters
    ----------
    base : keras.Model
        A chain of layers at the cut: nothing may lead around it.
    first : str
        Name of the first layer of the upper part.

    Returns
    -------
    lower, upper : keras.Model
        ``upper(lower(x))`` equals ``base(x)``.

    Raises
    ------
    ValueError
        If the base has no layer of that name, the layer has more than one input, or something
        leads around it.

    Examples
    --------
    >>> from course_utils.models import course_base
    >>> lower, upper = cut(course_base(64), "block5_conv1")
    >>> lower.output_shape, upper.count_params()
    ((None, 4, 4, 128), 295168)
    """
    maps = base.layers[_number_of(base, first)].input
    if isinstance(maps, list):
        raise ValueError(f"Layer {first!r} has {len(maps)} inputs; cut before one that has one.")
    lower = keras.Model(base.input, maps, name=f"{base.name}_lower")
    try:
        return lower, keras.Model(maps, base.output, name=f"{base.name}_upper")
    except ValueError as error:
        raise ValueError(f"Something leads around layer {first!r}: cut elsewhere.") from error


def class_probabilities(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """Return what a classifier says about every class, also where it has a single output.

    Parameters
    ----------
    model : keras.Model
        With outputs as `head` makes them.
    x : array of shape (N, ...)
        Its inputs.

    Returns
    -------
    float32 array of shape (N, classes)
        Probabilities of the classes, in [0, 1].
    """
    p = model.predict(x, verbose=0)
    return np.hstack([1 - p, p]) if p.shape[1] == 1 else p


def smooth(values: list[float], factor: float = 0.8) -> np.ndarray:
    """Smooth a noisy curve by an exponential moving average.

    Each value is the weighted mean of the smoothed value before it and the measured one:
    ``s[t] = factor * s[t - 1] + (1 - factor) * values[t]``, starting with the first value.

    Parameters
    ----------
    values : sequence of float, of length N
        Measured, one for each epoch.
    factor : float
        Weight of the past, in [0, 1); 0 leaves the values as they are.

    Returns
    -------
    float64 array of shape (N,)

    Raises
    ------
    ValueError
        If the factor is not in [0, 1).

    Examples
    --------
    >>> smooth([1.0, 0.0, 0.0], 0.5).tolist()
    [1.0, 0.5, 0.25]
    """
    if not 0 <= factor < 1:
        raise ValueError(f"factor is {factor}; expected 0 or more, and less than 1.")
    smoothed = np.array(values, float)
    for t in range(1, len(smoothed)):
        smoothed[t] = factor * smoothed[t - 1] + (1 - factor) * smoothed[t]
    return smoothed


def _freeze_normalization(layer: keras.Layer) -> None:
    """Freeze batch normalization in a layer or a model, at any depth."""
    if isinstance(layer, layers.BatchNormalization):
        layer.trainable = False
    for part in getattr(layer, "layers", []):
        _freeze_normalization(part)


def _number_of(base: keras.Model, name: str) -> int:
    """Return which layer of a base has this name."""
    names = [layer.name for layer in base.layers]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3) or names[-3:]
        raise ValueError(f"{base.name!r} has no layer {name!r}; near to that: {', '.join(near)}.")
    return names.index(name)
