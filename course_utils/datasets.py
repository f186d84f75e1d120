"""Images with their labels, and a few photos, as NumPy arrays.

``load`` takes a real data set where it is on disk, else the small one of handwritten
digits that comes with scikit-learn. Nothing in this module downloads anything.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from course_utils.data.catalogue import SOURCES, Source, how_to_get
from course_utils.data.settings import DataError, Tier, data_folder, forced_tier
from course_utils.data.verification import problem, read_npz


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
        parts = {"training": self.x_train, "validation": self.x_validation, "test": self.x_test}
        counts = [f"{len(x):,} {part}" for part, x in parts.items() if x is not None]
        return (
            f"{self.title} ({self.tier} tier): {', '.join(counts[:-1])} and {counts[-1]} images "
            f"of {shape}, {len(self.class_names)} classes"
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


def grey(images: np.ndarray) -> np.ndarray:
    """Make images grey, with values from 0 (black) to 1 (white).

    Parameters
    ----------
    images : ndarray of uint8, or of floats in [0, 1], shape (..., H, W) or (..., H, W, 3)

    Returns
    -------
    ndarray of float, shape (..., H, W)
        The luminance of colours, as ``skimage.color.rgb2gray`` weighs them.

    Examples
    --------
    >>> grey(np.array([[[255, 0, 0], [255, 255, 255]]], dtype=np.uint8)).round(4).tolist()
    [[0.2125, 1.0]]
    >>> grey(np.array([[0, 255]], dtype=np.uint8)).tolist()
    [[0.0, 1.0]]
    """
    from skimage.color import rgb2gray
    from skimage.util import img_as_float

    has_colours = np.ndim(images) > 2 and np.shape(images)[-1] == 3
    return rgb2gray(images) if has_colours else img_as_float(images)


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
