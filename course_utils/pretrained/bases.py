"""Pretrained bases: the convolutional part of a network, with its weights.

`build` stands for a call such as ``keras.applications.VGG16(include_top=False)``, for the two
bases whose weights come with the course, and `preprocessing` for its ``preprocess_input``.
"""

from typing import NamedTuple

import numpy as np

from course_utils import runs
from course_utils.backend import keras
from course_utils.data.settings import DataError
from course_utils.pretrained.efficientnet_lite import efficientnet_lite0, network


class Base(NamedTuple):
    """The name of a base for people, and the side in pixels of the pictures of its training."""

    title: str
    size: int


BASES = {
    "course": Base("the course's own base", 64),
    "efficientnet_lite0": Base("EfficientNet-Lite0", 224),
}
_SMALLEST = 32


def preprocessing(base: keras.Model | str) -> keras.layers.Rescaling:
    """Return the layer that belongs in front of a base, for pixels from 0 to 1.

    Parameters
    ----------
    base : keras.Model or str
        A base that `build` has built, or its name.

    Returns
    -------
    keras.layers.Rescaling
        In single precision, whatever the rest of a model computes in.

    Raises
    ------
    ValueError
        If there is no base of this name.

    Examples
    --------
    >>> preprocessing("course")(np.array([0.0, 0.5, 1.0])).numpy().tolist()
    [-1.0, 0.0, 1.0]
    """
    name = _known(base if isinstance(base, str) else base.name)
    scale, offset = {"course": (2, -1), "efficientnet_lite0": (255 / 128, -127 / 128)}[name]
    return keras.layers.Rescaling(scale, offset, name="preprocessing", dtype="float32")


def build(
    name: str,
    size: int | None = None,
    weights: str | None = "pretrained",
    last: str | None = None,
) -> keras.Model:
    """Build the convolutional part of a known network.

    Parameters
    ----------
    name : {"course", "efficientnet_lite0"}
    size : int, optional
        Height and width of the pictures in pixels, 32 or more; as it was trained, if not given.
    weights : {"pretrained", None}
        The weights of its training, on ImageNet or on drawn creatures and objects, or random
        ones.
    last : str, optional
        Name of the layer to end with; all layers, if not given.

    Returns
    -------
    keras.Model
        Named `name`: (N, size, size, 3) pictures, as `preprocessing` leaves them -> feature
        maps.

    Raises
    ------
    ValueError
        If the name is unknown, the size too small, or there is no layer to end with.
    DataError
        If the weights are missing or broken.

    Examples
    --------
    >>> base = build("course", last="block4_pool")
    >>> base.name, base.output_shape
    ('course', (None, 4, 4, 128))
    """
    title, usual_size = BASES[_known(name)]
    size = usual_size if size is None else size
    if size < _SMALLEST:
        raise ValueError(f"size is {size}; {title} takes pictures of {_SMALLEST} pixels or more.")
    if name == "course":
        whole = course_base(size)
        last = last or whole.layers[-1].name
        if weights is not None:
            _restore(whole)
    else:
        whole = network(size) if weights is None else efficientnet_lite0(size)
        last = last or "top_relu"
    return keras.Model(whole.input, whole.get_layer(last).output, name=name)


def settle(base: keras.Model, pictures: np.ndarray) -> None:
    """Let batch normalization measure the means and variances of a base with random weights.

    Without it, what passes through a deep base with random weights fades to nothing, and the
    base would be no fair control. One without batch normalization stays as it is.

    Parameters
    ----------
    base : keras.Model
        As `build` builds it; its running means and variances are replaced.
    pictures : uint8 array of shape (N, H, W, 3)
        A few dozen are enough.

    Examples
    --------
    >>> base = build("efficientnet_lite0", 32, weights=None)
    >>> settle(base, np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8))
    >>> bool(np.any(base.get_layer("stem_bn").moving_mean))
    True
    """
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # forget what was there
    base(preprocessing(base)(pictures / np.float32(255)), training=True)


def course_base(size: int = 64) -> keras.Model:
    """Build the course's own small base: the plan of VGG16 with narrower layers.

    Five blocks of two 3 x 3 convolutions and a 2 x 2 max pooling, named as those of VGG16.

    Parameters
    ----------
    size : int
        Height and width of the pictures in pixels, at least 32.

    Returns
    -------
    keras.Model
        (N, size, size, 3) values in [-1, 1] -> (N, size // 32, size // 32, 128) feature maps.

    Examples
    --------
    >>> base = course_base()
    >>> base.count_params(), base.output_shape
    (588688, (None, 2, 2, 128))
    """
    x = pixels = keras.Input((size, size, 3))
    for block, filters in enumerate((16, 32, 64, 128, 128), 1):
        for number in (1, 2):
            name = f"block{block}_conv{number}"
            x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(pixels, x, name="course_base")


def _known(name: str) -> str:
    """Refuse the name of no base."""
    if name not in BASES:
        raise ValueError(
            f"There is no base named {name!r}; known are {', '.join(BASES)}. Others are built by "
            "keras.applications."
        )
    return name


def _restore(base: keras.Model) -> None:
    """Load the weights of the course's own base."""
    try:
        runs.load("course_base", runs.RUNS_FOLDER).restore(base)
    except runs.RunError as error:
        raise DataError(f"The course's own base has no weights: {error}") from error
