"""Images with their labels, and a few photos, as NumPy arrays.

``load`` takes a real data set where it is on disk, else the small one of handwritten
digits that comes with scikit-learn. Nothing in this module downloads anything.
"""

import os
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from course_utils.data.catalogue import SOURCES, Source, how_to_get
from course_utils.data.settings import DataError, Tier, data_folder, forced_tier
from course_utils.data.verification import problem, read_npz

_LUMINANCE = (0.2125, 0.7154, 0.0721)

# Pictures inside the installed packages, so that none of them is ever downloaded.
_PHOTO_FILES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "brick": ("skimage", "data/brick.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "coins": ("skimage", "data/coins.png"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "grass": ("skimage", "data/grass.png"),
    "gravel": ("skimage", "data/gravel.png"),
    "photographer": ("skimage", "data/camera.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "temple": ("sklearn", "datasets/images/china.jpg"),
}
PHOTOS: tuple[str, ...] = tuple(_PHOTO_FILES)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images with their labels.

    Attributes
    ----------
    name, title : str
        The short name, such as ``"mnist"`` or ``"digits"``, and the name for people.
    tier : {"real", "embedded"}
        Whether this is a real data set or the one that needs no download.
    x_train, x_test : ndarray of uint8, shape (N, H, W) or (N, H, W, 3)
        Grey or colour images.
    y_train, y_test : ndarray of int64, shape (N,)
        The class of each image.
    class_names : tuple of str
        What the labels 0, 1, 2, ... stand for.
    x_validation, y_validation : ndarray or None
        Like the test part, for decisions on the way; None where a set has no such part.
    """

    name: str
    title: str
    tier: Tier
    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    class_names: tuple[str, ...]
    x_validation: np.ndarray | None = field(default=None, repr=False)
    y_validation: np.ndarray | None = field(default=None, repr=False)

    def summary(self) -> str:
        """Return one line that says which data this is, how much of it, and of which tier.

        Examples
        --------
        >>> digits().summary()  # doctest: +ELLIPSIS
        'Handwritten digits (embedded tier): 1,347 training and 450 test images of 28 x 28, ...'
        """
        shape = " x ".join(str(side) for side in self.x_train.shape[1:])
        parts = f"{len(self.x_train):,} training and {len(self.x_test):,} test"
        if self.x_validation is not None:
            parts = (
                f"{len(self.x_train):,} training, {len(self.x_validation):,} validation "
                f"and {len(self.x_test):,} test"
            )
        return (
            f"{self.title} ({self.tier} tier): {parts} images of {shape}, "
            f"{len(self.class_names)} classes"
        )


def load(*names: str) -> Dataset:
    """Return the first of the named real data sets that is on disk, else the digits.

    Parameters
    ----------
    *names : {"mnist", "fashion_mnist", "svhn"}
        The real data sets to look for in the data folder, the preferred one first.

    Returns
    -------
    Dataset
        The real set, or the embedded digits where none of them is on disk.
        ``COURSE_TIER=embedded`` asks for the digits in any case.

    Raises
    ------
    ValueError
        If no name is given, or one is unknown.
    DataError
        If the file of a set is there but broken, if ``COURSE_DATA`` names a folder that
        does not exist, or if ``COURSE_TIER=real`` and none of the sets is on disk.

    Examples
    --------
    >>> data = load("fashion_mnist", "mnist")
    >>> data.x_train.shape[1:], data.x_train.dtype, len(data.class_names)
    ((28, 28), dtype('uint8'), 10)
    """
    sources = _named(names)
    tier = forced_tier()
    if tier == "embedded":
        return digits()
    folder = _checked_folder()
    for source in sources:
        if any(_is_there(folder / file) for file in source.files):
            return _real(source, folder)
    if tier == "real":
        files = ", ".join(file for source in sources for file in source.files)
        raise DataError(
            f"COURSE_TIER is 'real', but {folder} holds none of the files looked for: {files}. "
            f"Run {how_to_get(sources[0].name)}, or unset COURSE_TIER."
        )
    return digits()


def digits() -> Dataset:
    """Return scikit-learn's handwritten digits, enlarged and framed as in MNIST.

    Each 8 x 8 digit is enlarged to 20 x 20 (bicubic) and framed by 4 black pixels.
    The split is the same on every call: 1,347 training and 450 test images,
    with every class in the same proportion in both.

    Returns
    -------
    Dataset
        28 x 28 images of the embedded tier.

    Examples
    --------
    >>> data = digits()
    >>> data.x_train.shape, data.x_test.shape, data.x_train.max()
    ((1347, 28, 28), (450, 28, 28), np.uint8(255))
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    small = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        _enlarged(small.images),
        small.target.astype(np.int64),
        test_size=450,
        stratify=small.target,
        random_state=0,
    )
    names = tuple(str(name) for name in small.target_names)
    return Dataset(
        "digits", "Handwritten digits", "embedded", x_train, y_train, x_test, y_test, names
    )


def textures(size: int = 28) -> Dataset:
    """Cut three photos of surfaces into small pictures: brick, grass and gravel.

    Training pictures come from the left half of each photo, test pictures from the right half.

    Parameters
    ----------
    size : int
        Height and width of a picture in pixels, from 1 to 256.

    Returns
    -------
    Dataset
        Grey images of the embedded tier, three classes.

    Raises
    ------
    ValueError
        If the size is out of range.

    Examples
    --------
    >>> data = textures()
    >>> data.x_train.shape, data.class_names
    ((486, 28, 28), ('brick', 'grass', 'gravel'))
    """
    if not 1 <= size <= 256:
        raise ValueError(f"size is {size}; expected 1 to 256 pixels.")
    names = ("brick", "grass", "gravel")
    halves = [np.split(photo(name)[..., 0], 2, axis=1) for name in names]
    rows, columns = (length // size for length in halves[0][0].shape)
    images = []
    for half in zip(*halves, strict=True):
        cut = np.stack(half)[:, : rows * size, : columns * size]
        tiles = cut.reshape(len(names), rows, size, columns, size).swapaxes(2, 3)
        images.append(tiles.reshape(-1, size, size))
    labels = np.repeat(np.arange(len(names)), rows * columns)
    return Dataset("textures", "Textures", "embedded", images[0], labels, images[1], labels, names)


def photo(name: str) -> np.ndarray:
    """Return a colour photo from the pictures that scikit-image and scikit-learn bring along.

    Parameters
    ----------
    name : str
        One of ``PHOTOS``.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Red, green and blue; a grey photo has three equal channels.

    Raises
    ------
    ValueError
        If there is no photo of this name.

    Notes
    -----
    "temple" is by danielbuechele and "flower" by vultilion, both CC BY 2.0 (see scikit-learn's
    ``datasets/images/README.txt``); ``skimage.data`` says who took the others.

    Examples
    --------
    >>> photo("cat").shape
    (300, 451, 3)
    """
    from PIL import Image

    if name not in _PHOTO_FILES:
        raise ValueError(f"There is no photo named {name!r}; choose one of {', '.join(PHOTOS)}.")
    package, file = _PHOTO_FILES[name]
    (home,) = find_spec(package).submodule_search_locations
    with Image.open(Path(home) / file) as picture:
        return np.array(picture.convert("RGB"))


def grey(images: np.ndarray) -> np.ndarray:
    """Return the luminance of images, between 0 (black) and 1 (white).

    Luminance is 0.2125 red + 0.7154 green + 0.0721 blue (Rec. 709), as in
    ``skimage.color.rgb2gray``.

    Parameters
    ----------
    images : ndarray
        ``uint8`` (0 to 255), or floating point between 0 and 1. The shape says what it is:
        (H, W) is one grey image; (H, W, 3), three axes with the last of length 3, one
        colour image; (N, H, W), three axes with any other last length, N grey images;
        (N, H, W, 3), N colour images. Grey images that are 3 pixels wide can thus be
        given one by one only.

    Returns
    -------
    ndarray of float64, shape (H, W) or (N, H, W)

    Raises
    ------
    ValueError
        If the shape is another, the array is empty, or a value is out of range.
    TypeError
        If the values are neither ``uint8`` nor floating point.

    Examples
    --------
    >>> grey(np.array([[[255, 0, 0], [255, 255, 255]]], dtype=np.uint8)).tolist()
    [[0.2125, 1.0]]
    >>> grey(np.array([[0, 255]], dtype=np.uint8)).tolist()
    [[0.0, 1.0]]
    """
    images = np.asarray(images)
    colour = images.ndim in (3, 4) and images.shape[-1] == 3
    if images.size == 0 or not (colour or images.ndim in (2, 3)):
        raise ValueError(
            f"Images of shape {images.shape} are neither (H, W) nor (H, W, 3), "
            "(N, H, W) or (N, H, W, 3)."
        )
    top = _largest_value(images)
    if not colour:
        return images / top
    red, green, blue = (images[..., channel] / top for channel in range(3))
    return _LUMINANCE[0] * red + _LUMINANCE[1] * green + _LUMINANCE[2] * blue


def _named(names: tuple[str, ...]) -> list[Source]:
    """Look the names up among the sets that ``load`` can read."""
    known = {name: source for name, source in SOURCES.items() if source.image_shape}
    for name in names:
        if name not in known:
            raise ValueError(f"There is no data set named {name!r}; known are {', '.join(known)}.")
    if not names:
        raise ValueError(f"Name at least one data set; known are {', '.join(known)}.")
    return [known[name] for name in names]


def _checked_folder() -> Path:
    """Return the data folder; where ``COURSE_DATA`` names one, it must exist."""
    folder = data_folder()
    if os.environ.get("COURSE_DATA", "").strip() and not folder.is_dir():
        raise DataError(
            f"COURSE_DATA names {folder}, which is not a folder. Create it with "
            "`make data SET=mnist`, correct the path, or unset COURSE_DATA."
        )
    return folder


def _is_there(path: Path) -> bool:
    """Tell whether a file, even one that cannot be read or a dangling link, has this name."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise DataError(f"{path.parent} cannot be searched: {error.strerror}.") from error
    return True


def _real(source: Source, folder: Path) -> Dataset:
    """Read a real set, and say what to do where its files are broken."""
    try:
        is_svhn = source.name == "svhn"
        file = folder / source.files[0]
        arrays = _read_svhn(source, folder) if is_svhn else read_npz(source, file)
    except DataError as error:
        raise DataError(
            f"{error} Move what is there away, or fetch {source.title} again: "
            f"{how_to_get(source.name, force=True)}."
        ) from error
    labels = {name: array.astype(np.int64) for name, array in arrays.items() if name[0] == "y"}
    about = {"name": source.name, "title": source.title, "tier": "real"}
    return Dataset(**about, class_names=source.class_names, **arrays | labels)


def _read_svhn(source: Source, folder: Path) -> dict[str, np.ndarray]:
    """Read the two MATLAB files of SVHN, where the label 10 stands for the digit 0."""
    from scipy.io import loadmat

    arrays = {}
    for part, file in zip(("train", "test"), source.files, strict=True):
        wrong = problem(source, folder / file)
        if wrong:
            raise DataError(wrong)
        content = loadmat(folder / file)
        arrays[f"x_{part}"] = np.ascontiguousarray(np.moveaxis(content["X"], -1, 0))
        arrays[f"y_{part}"] = content["y"][:, 0] % 10
    return arrays


def _enlarged(images: np.ndarray) -> np.ndarray:
    """Enlarge 8 x 8 digits of 0 to 16 to 20 x 20 of 0 to 255, in a black 28 x 28 frame."""
    from skimage.transform import resize

    # Black beyond the border: mirroring it would put ghosts beside the strokes that touch it.
    large = resize(images, (len(images), 20, 20), order=3, mode="constant", clip=False)
    values = np.rint(np.clip(large / 16, 0, 1) * 255).astype(np.uint8)
    return np.pad(values, ((0, 0), (4, 4), (4, 4)))


def _largest_value(images: np.ndarray) -> float:
    """Return what stands for white in these images, 255 or 1, after checking the values."""
    if images.dtype == np.uint8:
        return 255.0
    if images.dtype.kind != "f":
        raise TypeError(f"Images of {images.dtype} are neither uint8 nor floating point.")
    if not (images.min() >= 0 and images.max() <= 1):
        raise ValueError(
            f"Floating-point images must lie between 0 and 1; "
            f"these go from {images.min():g} to {images.max():g}."
        )
    return 1.0
