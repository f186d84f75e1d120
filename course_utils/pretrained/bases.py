"""Pretrained bases behind one call: the convolutional part of a known network, with its weights.

Every base is built by Keras, or is the course's own; what is written here is what each of them
expects of its pictures, and where its weights lie. `build` stands for a call such as
``keras.applications.MobileNet(include_top=False, weights=path)``. Nothing is downloaded here.
"""

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import cats_and_dogs, runs
from course_utils.backend import keras
from course_utils.data.catalogue import how_to_get
from course_utils.data.download import keras_cache
from course_utils.data.settings import DataError, Tier, data_folder, forced_tier

ops = keras.ops

# The mean of the photos of ImageNet: blue, green and red, from 0 to 255.
_MEAN = (103.939, 116.779, 123.68)
MODES = ("caffe", "tf", "none")


@dataclass(frozen=True)
class Base:
    """What is known about a base before it is built.

    Attributes
    ----------
    name, title : str
        The name that `build` takes, and the name for people.
    function : str
        The function of ``keras.applications`` that builds it; empty for the course's own.
    preprocessing : str
        The mode of `Preprocessing` that it was trained with.
    parameters : int
        Number of its parameters.
    size, smallest : int
        Height and width of its pictures in pixels: as it was trained, and the least.
    file : str
        The name that Keras gives to the file of its ImageNet weights.
    source : str
        The set that ``make data`` fetches this file with; empty where there is none.
    options : dict
        Further arguments of the function.
    """

    name: str
    title: str
    function: str
    preprocessing: str
    parameters: int
    size: int
    smallest: int
    file: str = ""
    source: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def _kernels(name: str, ending: str = "notop") -> str:
    """Return a file name as Keras gives it to most weights."""
    return f"{name}_weights_tf_dim_ordering_tf_kernels_{ending}.h5"


def _mobilenet(alpha: float, parameters: int, file: str, source: str = "") -> Base:
    """Describe MobileNet with a share alpha of its filters."""
    name, title, options = f"mobilenet_{alpha}", f"MobileNet {alpha}", {"alpha": alpha}
    return Base(name, title, "MobileNet", "tf", parameters, 224, 32, file, source, options)


_V2 = _kernels("mobilenet_v2", "1.0_224_no_top")
_ALL = (
    Base("course", "the course's own base", "", "tf", 588_688, 64, 32),
    Base("vgg16", "VGG16", "VGG16", "caffe", 14_714_688, 224, 32, _kernels("vgg16"), "vgg16"),
    Base("vgg19", "VGG19", "VGG19", "caffe", 20_024_384, 224, 32, _kernels("vgg19"), "vgg19"),
    _mobilenet(0.25, 218_544, "mobilenet_2_5_224_tf_no_top.h5", "mobilenet"),
    _mobilenet(1.0, 3_228_864, "mobilenet_1_0_224_tf_no_top.h5"),
    Base("mobilenet_v2", "MobileNetV2", "MobileNetV2", "tf", 2_257_984, 224, 32, _V2),
    Base("resnet50", "ResNet50", "ResNet50", "caffe", 23_587_712, 224, 32, _kernels("resnet50")),
)
BASES: dict[str, Base] = {base.name: base for base in _ALL}


@keras.saving.register_keras_serializable(package="course_utils")
class Preprocessing(keras.layers.Layer):
    """Turn pixels from 0 to 1 into the numbers that a base was trained on.

    Computed in single precision, whatever the rest of a model computes in.

    Parameters
    ----------
    mode : {"caffe", "tf", "none"}
        "caffe": from 0 to 255, blue first, the mean of ImageNet subtracted. "tf": from -1 to 1.
        "none": unchanged. The names are those of ``keras.applications.imagenet_utils``.

    Raises
    ------
    ValueError
        If the mode is unknown, or pictures for "caffe" have not three channels.

    Examples
    --------
    >>> Preprocessing("tf")(np.array([0.0, 0.5, 1.0])).numpy().tolist()
    [-1.0, 0.0, 1.0]
    """

    def __init__(self, mode: str, **options) -> None:
        options.setdefault("dtype", "float32")
        super().__init__(**options)
        if mode not in MODES:
            raise ValueError(f"There is no preprocessing {mode!r}; known are {', '.join(MODES)}.")
        self.mode = mode

    def call(self, pixels):
        """Convert a batch of pictures, (N, H, W, 3) or any other shape that ends in 3."""
        if not keras.backend.is_float_dtype(pixels.dtype):
            raise TypeError(
                f"The pixels are {keras.backend.standardize_dtype(pixels.dtype)}; expected "
                "fractions from 0 to 1: divide bytes by 255 first."
            )
        if self.mode == "caffe" and pixels.shape[-1] not in (3, None):
            raise ValueError(
                f"The pixels have the shape {tuple(pixels.shape)}, but {self.mode!r} needs three "
                "channels, red, green and blue: repeat the one of a grey picture three times."
            )
        pixels = ops.cast(pixels, "float32")
        if self.mode == "caffe":
            return 255 * pixels[..., ::-1] - ops.array(_MEAN, "float32")
        return 2 * pixels - 1 if self.mode == "tf" else pixels

    def get_config(self) -> dict:
        """Return what is needed to build the layer again."""
        return {**super().get_config(), "mode": self.mode}


def preprocessing(base: keras.Model | str) -> Preprocessing:
    """Return the layer that belongs in front of a base.

    Parameters
    ----------
    base : keras.Model or str
        A base that `build` has built, or the name of one.

    Returns
    -------
    Preprocessing

    Raises
    ------
    ValueError
        If there is no base of this name.

    Examples
    --------
    >>> preprocessing("vgg16").mode
    'caffe'
    """
    known = _named(base if isinstance(base, str) else base.name)
    return Preprocessing(known.preprocessing, name="preprocessing")


def build(
    name: str,
    size: int | None = None,
    weights: str | Path | None = "pretrained",
    last: str | None = None,
) -> keras.Model:
    """Build the convolutional part of a known network.

    Parameters
    ----------
    name : str
        One of ``BASES``.
    size : int, optional
        Height and width of the pictures in pixels; as it was trained, if not given.
    weights : "pretrained", None or a path
        The weights of its training on ImageNet (the course's own base: on drawn creatures and
        objects), random ones, or those of an ``.h5`` file.
    last : str, optional
        Name of the layer to end with; all layers, if not given.

    Returns
    -------
    keras.Model
        Named `name`: (N, size, size, 3) pictures, as `preprocessing` leaves them -> feature
        maps. Its layers have the names that Keras gives them.

    Raises
    ------
    ValueError
        If the name is unknown, the size too small, or there is no layer to end with.
    DataError
        If the weights are not on disk, or are broken, or belong to another network.

    Examples
    --------
    >>> base = build("mobilenet_0.25", 64, weights=None)
    >>> base.count_params(), base.output_shape
    (218544, (None, 2, 2, 256))
    """
    base = _named(name)
    size = base.size if size is None else size
    if size < base.smallest:
        raise ValueError(
            f"size is {size}; {base.title} takes pictures of {base.smallest} pixels or more."
        )
    path = weights
    if weights == "pretrained":
        path = available(name)
        if path is None:
            raise DataError(_missing(base))
    model = _untrained(base, size)
    if path is not None:
        _load(model, base, Path(path))
    if last is None:
        return model
    return keras.Model(model.input, model.get_layer(last).output, name=name)


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
    >>> base = build("mobilenet_0.25", 32, weights=None)
    >>> settle(base, np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8))
    >>> bool(np.any(base.get_layer("conv1_bn").moving_mean))
    True
    """
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # forget what was there
    base(preprocessing(base)(pictures / np.float32(255)), training=True)


def available(name: str) -> Path | None:
    """Return the file with the pretrained weights of a base, where it is on disk.

    Parameters
    ----------
    name : str
        One of ``BASES``.

    Returns
    -------
    pathlib.Path or None
        In the data folder, else in the folder where Keras keeps what it has downloaded.

    Raises
    ------
    ValueError
        If the name is unknown.
    """
    return next((path for path in _places(_named(name)) if os.path.isfile(path)), None)


def tier() -> Tier:
    """Return the tier on which both cats and dogs and a base for them can be had here.

    Where there are photos, but no weights of MobileNet 0.25 for them, it says so, and how to get
    them.

    Returns
    -------
    {"real", "embedded"}
        "real" where photos and weights are on disk, or ``COURSE_TIER`` demands it.
    """
    found, base = cats_and_dogs.tier(), BASES["mobilenet_0.25"]
    if found == "embedded" or forced_tier() == "real" or available(base.name):
        return found
    print(
        f"There are photos on disk, but no weights of {base.title}, so drawings are used. "
        f"To get the weights (2 MB): {how_to_get(base.source)}."
    )
    return "embedded"


def course_base(size: int = 64, batch_norm: bool = False) -> keras.Model:
    """Build the course's own small base: the plan of VGG16 with narrower layers.

    Five blocks of two 3 x 3 convolutions and a 2 x 2 max pooling, named as those of VGG16.

    Parameters
    ----------
    size : int
        Height and width of the pictures in pixels, at least 32.
    batch_norm : bool
        Whether batch normalization follows each convolution, as while the base is
        pretrained; `make base` then works it into the convolutions.

    Returns
    -------
    keras.Model
        (N, size, size, 3) values in [-1, 1] -> (N, size // 32, size // 32, 128) feature maps;
        588,688 parameters without batch normalization.

    Raises
    ------
    ValueError
        If the pictures are too small for five poolings.

    Examples
    --------
    >>> base = course_base()
    >>> base.count_params(), base.output_shape
    (588688, (None, 2, 2, 128))
    """
    if size < 32:
        raise ValueError(f"size is {size}; after five poolings, less than 32 pixels leave nothing.")
    x = pixels = keras.Input((size, size, 3))
    for block, filters in enumerate((16, 32, 64, 128, 128), 1):
        for number in (1, 2):
            name = f"block{block}_conv{number}"
            if batch_norm:
                x = keras.layers.Conv2D(filters, 3, padding="same", name=name)(x)
                x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
                x = keras.layers.ReLU(name=f"{name}_relu")(x)
            else:
                x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    return keras.Model(pixels, x, name="course_base")


def _named(name: str) -> Base:
    """Look a base up."""
    if name not in BASES:
        raise ValueError(f"There is no base named {name!r}; known are {', '.join(BASES)}.")
    return BASES[name]


def _places(base: Base) -> list[Path]:
    """List where the pretrained weights of a base may lie, the preferred place first."""
    if not base.file:
        return [runs.RUNS_FOLDER / "course_base" / "weights.npz"]
    return [data_folder() / base.file, keras_cache() / "models" / base.file]


def _missing(base: Base) -> str:
    """Say that the weights of a base are not on disk, and how to get them."""
    places = " or ".join(str(path.parent) for path in _places(base))
    file = _places(base)[0].name
    return f"The weights of {base.title} are not on disk: no {file} in {places}. {_advice(base)}"


def _advice(base: Base, force: bool = False) -> str:
    """Say how to get the weights of a base."""
    if base.source:
        return f"Fetch them: {how_to_get(base.source, force)}."
    if not base.function:
        return "Restore them: `git checkout -- data/runs`."
    options = "".join(f", {name}={value!r}" for name, value in base.options.items())
    return (
        "Let Keras fetch them, in a terminal: `python -c "
        f'"import keras; keras.applications.{base.function}(include_top=False{options})"`.'
    )


def _untrained(base: Base, size: int) -> keras.Model:
    """Build a base with random weights."""
    if not base.function:
        model = course_base(size)
        model.name = base.name
        return model
    function = getattr(keras.applications, base.function)
    options = {"include_top": False, "weights": None, "input_shape": (size, size, 3)}
    return function(**options, **base.options, name=base.name)


def _load(model: keras.Model, base: Base, path: Path) -> None:
    """Load weights from a file, and say what to do where they cannot be."""
    if not os.path.isfile(path):
        raise DataError(
            f"There is no file {path} with weights for {base.title}. Correct the path, or "
            'choose "pretrained", or None for random weights.'
        )
    try:
        if path == _places(base)[0] and not base.file:
            runs.load("course_base", runs.RUNS_FOLDER).restore(model)
        else:
            with warnings.catch_warnings():
                # Keras only warns where a file lacks layers, and leaves those as they are.
                warnings.filterwarnings("error", "Skipping nested")
                model.load_weights(path)
        if not all(np.isfinite(weight).all() for weight in model.get_weights()):
            raise ValueError("it holds weights that are not finite")
    except Exception as error:  # for a broken or another file, h5py and Keras raise many kinds
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise DataError(
            f"{path} does not hold the weights of {base.title}, or is broken ({reason}). "
            f"Move it away. {_advice(base, force=True)}"
        ) from error
