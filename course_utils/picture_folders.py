"""Folders of pictures as arrays: one folder for each class, named after it.

``read`` takes any such folders; ``split`` also shares the pictures out into a training, a
validation and a test part.
"""

import os
import re
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import numpy as np

from course_utils.data.picture_decoding import strict_pillow, upright_rgb
from course_utils.data.settings import DataError
from course_utils.datasets import Dataset

_ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
# What file managers leave in a folder, in small letters.
_CLUTTER = ("thumbs.db", "ehthumbs.db", "desktop.ini")


@dataclass(frozen=True, eq=False)
class PictureFolder:
    """What was read from class folders.

    Attributes
    ----------
    x : ndarray of uint8, shape (N, size, size, 3)
        Pictures, class by class, in the order of their file names.
    y : ndarray of int64, shape (N,)
        Number of each picture's class.
    class_names : tuple of str
        The names of the folders.
    files : tuple of pathlib.Path
        Where each picture comes from.
    left_out : dict of pathlib.Path to str
        Files that were not read, and why: broken ones, and those of other kinds.
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    class_names: tuple[str, ...]
    files: tuple[Path, ...] = field(repr=False)
    left_out: dict[Path, str]


def read(folder: str | Path, size: int, class_names: Sequence[str] | None = None) -> PictureFolder:
    """Decode all pictures in class folders, and resize them to squares.

    Parameters
    ----------
    folder : str or pathlib.Path
        Holds one folder for each class, named after it, with pictures in it.
    size : int
        Height and width of the result in pixels; other proportions are squeezed.
    class_names : sequence of str, optional
        The folders to read, in this order; all of them, by the alphabet, if not given.

    Returns
    -------
    PictureFolder
        Files that are no pictures, or broken, are left out and listed; hidden files, and
        what file managers leave behind, such as ``Thumbs.db``, are not even listed.

    Raises
    ------
    DataError
        If there is no such folder, no class folder, or a class without a readable picture; if
        this machine fails to read a file, as with a broken disk.
    ValueError
        If the size is below 1.
    """
    folder = Path(folder).expanduser()
    if size < 1:
        raise ValueError(f"size is {size}; expected 1 pixel or more.")
    names = tuple(class_names or _class_folders(folder))
    paths = [(number, path) for number, name in enumerate(names) for path in _files(folder / name)]
    read = _read_all([path for _, path in paths], size)
    good = [i for i, picture in enumerate(read) if not isinstance(picture, str)]
    y = np.array([paths[i][0] for i in good], np.int64)
    left_out = {
        path: why for (_, path), why in zip(paths, read, strict=True) if isinstance(why, str)
    }
    for number, name in enumerate(names):
        if number not in y:
            raise DataError(_without_pictures(folder / name, left_out))
    x = np.stack([read[i] for i in good])
    return PictureFolder(x, y, names, tuple(paths[i][1] for i in good), left_out)


def split(
    folder: str | Path, size: int, most: int | None = None, seed: int = 0
) -> tuple[Dataset, list[str]]:
    """Read class folders of your own, and split them: 60 % training, 20 % validation, 20 % test.

    Parameters
    ----------
    folder : str or pathlib.Path
        Holds one folder for each class, named after it, with pictures in it. Thirty of each
        class are enough for a head on a pretrained base.
    size : int
        Height and width of the result in pixels; other proportions are squeezed.
    most : int, optional
        Use at most so many pictures of each class, the first ones: 5 or more.
    seed : int
        Another seed splits otherwise.

    Returns
    -------
    data : Dataset
        Of tier "real".
    notes : list of str
        What to know about these pictures: files left out and why, classes that are small, or
        much larger than others.

    Raises
    ------
    DataError
        As `read`; or if there is only one class, or a class has fewer than five pictures.
    ValueError
        If the size is below 1, or ``most`` below 5.
    """
    if most is not None and most < 5:
        raise ValueError(f"most is {most}; expected 5 pictures of each class or more.")
    found = read(folder, size)
    classes = range(len(found.class_names))
    used = np.concatenate([np.flatnonzero(found.y == number)[:most] for number in classes])
    counts = np.bincount(found.y[used])
    named = ", ".join(f"{name} {n}" for name, n in zip(found.class_names, counts, strict=True))
    _check_counts(folder, counts, named)
    train, validation, test = (
        (found.x[part], found.y[part]) for part in _split(used, found.y[used], seed)
    )
    title = f"Your pictures in {Path(folder).name}"
    data = Dataset("own", title, "real", *train, *test, found.class_names, *validation)
    return data, _notes(found, counts, named)


def _check_counts(folder: str | Path, counts: np.ndarray, named: str) -> None:
    """Refuse a single class, and classes that are too small to be split."""
    if len(counts) < 2:
        raise DataError(
            f"{folder} holds pictures of one class only ({named}). Add a folder for each other "
            "class, with pictures of it."
        )
    if min(counts) < 5:
        raise DataError(f"{folder}: a class needs at least 5 pictures, 30 are better ({named}).")


def _split(
    numbers: np.ndarray, labels: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share out the numbers of pictures: 60 % of each class to train, 20 %, 20 % to test."""
    from sklearn.model_selection import train_test_split

    train, held_out, _, held_out_labels = train_test_split(
        numbers, labels, test_size=0.4, stratify=labels, random_state=seed
    )
    validation, test = train_test_split(
        held_out, test_size=0.5, stratify=held_out_labels, random_state=seed
    )
    return train, validation, test


def _notes(found: PictureFolder, counts: np.ndarray, named: str) -> list[str]:
    """Say what to know about pictures of one's own."""
    files: dict[str, list[str]] = {}
    for path, why in found.left_out.items():
        files.setdefault(why, []).append(path.name)
    notes = [f"left out: {_some(names)}: {why}" for why, names in files.items()]
    if min(counts) < 30:
        notes.append(f"few pictures: 30 of each class, or more, would be better ({named})")
    if max(counts) > 2 * min(counts):
        notes.append(
            f"unbalanced: the largest class has more than twice as many pictures as the smallest "
            f"({named}); a net may prefer it"
        )
    return notes


def _some(names: list[str]) -> str:
    """Name the first five of some files, and say how many more there are."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _class_folders(folder: Path) -> list[str]:
    """Name the folders inside a folder, but for hidden ones."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not names:
        raise DataError(
            f"{folder} holds no folders. Make one for each class, named after it, "
            "and put the pictures of that class into it."
        )
    return names


def _files(folder: Path) -> list[Path]:
    """List the files in a folder: 2 comes before 10; hidden ones and clutter do not count."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    files = [p for p in folder.iterdir() if not p.name.startswith(".") and p.is_file()]
    return sorted(
        (p for p in files if p.name.lower() not in _CLUTTER), key=lambda p: _natural(p.name)
    )


def _natural(name: str) -> list[tuple[int, str]]:
    """Turn a name into a key that sorts the numbers in it by their value."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name)]


def is_named_as_picture(path: Path) -> bool:
    """Tell by its ending whether a file should be a picture.

    Parameters
    ----------
    path : pathlib.Path

    Examples
    --------
    >>> is_named_as_picture(Path("cat.JPG")), is_named_as_picture(Path("notes.txt"))
    (True, False)
    """
    return path.suffix.lower() in _ENDINGS


def _read_all(paths: list[Path], size: int) -> list[np.ndarray | str]:
    """Read pictures side by side; in place of one that is left out, say why."""
    from PIL import Image

    # Filters of warnings count for all threads, so they are set here and not in each of them.
    with strict_pillow(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return list(pool.map(lambda path: _read(path, size), paths))


def _read(path: Path, size: int) -> np.ndarray | str:
    """Read a picture and resize it, or say why it is left out."""
    if not is_named_as_picture(path):
        return f"not a picture format that the course reads ({', '.join(_ENDINGS[:3])}, ...)"
    try:
        content = path.read_bytes()
    except PermissionError as error:
        return f"it cannot be read: {error.strerror}"
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}. Mend this, and try again."
        ) from error
    return _decoded(content, size)


def _decoded(content: bytes, size: int) -> np.ndarray | str:
    """Decode a picture and resize it, or say why that is impossible."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(content)) as picture:
            picture.draft("RGB", (size, size))
            upright = upright_rgb(picture)
        return np.asarray(upright.resize((size, size), Image.Resampling.BILINEAR))
    except MemoryError:
        raise  # this machine's trouble, which says nothing about the picture
    except UnidentifiedImageError:
        return "it is no picture, or a damaged one"
    except Exception as error:  # Pillow raises a dozen kinds of exception for a broken file
        return str(error) or type(error).__name__


def _without_pictures(folder: Path, left_out: dict[Path, str]) -> str:
    """Say that a class folder holds no picture, and what may be wrong with it."""
    inner = sorted(p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if inner:
        return (
            f"{folder} holds no pictures, but folders ({', '.join(inner[:5])}). Are they the "
            f"classes? Then point to {folder}."
        )
    here = {path: why for path, why in left_out.items() if path.parent == folder}
    return (
        f"{folder} holds no readable picture{_first(here)}. Put some of that class into it, "
        f"as {', '.join(_ENDINGS[:3])} or the like, or remove the folder."
    )


def _first(left_out: dict[Path, str]) -> str:
    """Name the first file that was left out, for a message."""
    return "".join(f" (the first: {path}: {why})" for path, why in list(left_out.items())[:1])
