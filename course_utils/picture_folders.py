"""Folders of pictures as arrays: one folder for each class, named after it.

``read`` takes any such folders, whatever lies in them; ``split`` shares the pictures out into a
training, a validation and a test part, so that nothing leaks from one into another.
"""

import operator
import os
import re
import shutil
import warnings
import zipfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from course_utils import duplicates
from course_utils.data.atomic_folder import make_once
from course_utils.data.picture_decoding import loaded, opened, strict_pillow, upright_rgb
from course_utils.data.settings import DataError
from course_utils.datasets import Dataset

Fit = Literal["squeeze", "crop", "pad"]

# What file managers leave in a folder, in small letters.
_CLUTTER = ("thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx")
# Folders of a set that is split already.
_PARTS = {"train": "train", "training": "train", "test": "test", "testing": "test"}
_PARTS |= dict.fromkeys(("val", "valid", "validation"), "validation")
_LARGEST_ARCHIVE = 8 * 2**30
# Of the other methods, zipfile unpacks as much as there is, whatever the archive says.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


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
        What was not read, and why: broken files, and those of other kinds.
    parts : tuple of str
        For each picture "train", "validation" or "test", where the folder is split already.
    proportions : ndarray of float64, shape (N,)
        How many times as long as the shorter side the longer one was.
    """

    x: np.ndarray = field(repr=False)
    y: np.ndarray = field(repr=False)
    class_names: tuple[str, ...]
    files: tuple[Path, ...] = field(repr=False)
    left_out: dict[Path, str]
    parts: tuple[str, ...] = field(repr=False)
    proportions: np.ndarray = field(repr=False)


def read(
    folder: str | Path,
    size: int,
    class_names: Sequence[str] | None = None,
    fit: Fit = "squeeze",
) -> PictureFolder:
    """Decode all pictures in class folders, and make squares of them.

    Parameters
    ----------
    folder : str or pathlib.Path
        Holds one folder for each class, named after it, with pictures in it; or the folders
        ``train`` and ``test`` (or ``val``), which hold the classes; or is a zip archive of
        such a folder, which is unpacked beside itself.
    size : int
        Height and width of the result in pixels.
    class_names : sequence of str, optional
        The folders to read, in this order; all of them, by the alphabet, if not given.
    fit : {"squeeze", "crop", "pad"}
        What happens to pictures that are no squares: other proportions, the middle only, or
        black borders.

    Returns
    -------
    PictureFolder
        What is no picture, by its content, or broken, is left out and listed; hidden files, and
        what file managers leave behind, such as ``Thumbs.db``, are not even listed.

    Raises
    ------
    DataError
        If there is no such folder, no class folder, or a class without a readable picture; if
        this machine fails to read a file, as with a broken disk.
    TypeError, ValueError
        If the size is no whole number, or below 1, or ``fit`` is unknown.
    """
    _check_arguments(size, fit)
    folder = as_folder(folder)
    places, left_out = _places(folder, class_names)
    names = tuple(class_names or sorted({name for _, name, _ in places}))
    places.sort(key=lambda place: names.index(place[1]))
    entries = [(part, name, path) for part, name, place in places for path in _files(place)]
    results = _read_all([path for *_, path in entries], size, fit)
    pairs = list(zip(entries, results, strict=True))
    left_out |= {path: why for (*_, path), why in pairs if isinstance(why, str)}
    good = [(*entry, *result) for entry, result in pairs if not isinstance(result, str)]
    _check_training(folder, places, {(part, name) for part, name, *_ in good}, left_out)
    parts, labels, files, pictures, proportions = zip(*good, strict=True)
    y = np.array([names.index(name) for name in labels], np.int64)
    return PictureFolder(
        np.stack(pictures), y, names, files, left_out, parts, np.array(proportions)
    )


def _check_arguments(size: int, fit: Fit) -> None:
    """Refuse what no picture can be read with, before any is blamed for it."""
    if operator.index(size) < 1:
        raise ValueError(f"size is {size}; expected 1 pixel or more.")
    if fit not in ("squeeze", "crop", "pad"):
        raise ValueError(f"fit is {fit!r}; expected 'squeeze', 'crop' or 'pad'.")


def _check_training(
    folder: Path,
    places: list[tuple[str, str, Path]],
    found: set[tuple[str, str]],
    left_out: dict[Path, str],
) -> None:
    """Refuse a class without a picture that could be used for training."""
    trained = [place for place in places if place[0] in ("", "train")]
    for part, name, place in trained:
        if (part, name) not in found:
            raise DataError(_without_pictures(place, left_out))
    missing = sorted({name for _, name, _ in places} - {name for _, name, _ in trained})
    if missing:
        raise DataError(f"{folder} holds no pictures of {', '.join(missing)} to train with.")


def square(content: bytes, size: int, fit: Fit = "squeeze") -> np.ndarray:
    """Decode the content of one picture file, and make a square of it.

    Parameters
    ----------
    content : bytes
    size, fit
        As for `read`.

    Returns
    -------
    ndarray of uint8, shape (size, size, 3)

    Raises
    ------
    DataError
        If it is no picture, or a broken one; the message is a reason.
    """
    with strict_pillow():
        return _square(opened(content), size, fit)


def as_folder(path: str | Path) -> Path:
    """Return a folder of pictures as it is, and a zip archive unpacked beside itself, once.

    Parameters
    ----------
    path : str or pathlib.Path

    Returns
    -------
    pathlib.Path
        Of an archive, the folder of its name without ``.zip``. A folder that is there already
        is taken as it is.

    Raises
    ------
    DataError
        If there is no such folder, or the archive is damaged, encrypted or too large.
    """
    path = Path(path).expanduser()
    if path.is_file() and zipfile.is_zipfile(path):
        folder = path.with_suffix("") if path.suffix else path.with_name(f"{path.name}-unpacked")
        make_once(folder, folder.is_dir, partial(_unpack, path))
        return folder
    if not path.is_dir():
        kind = "It is a file, and no zip archive" if path.is_file() else "Is the path right?"
        raise DataError(f"There is no folder {path}. {kind}")
    return path


def split(found: PictureFolder, seed: int = 0) -> tuple[Dataset, list[str]]:
    """Split pictures of your own: 60 % of each class to train, 20 % to validate, 20 % to test.

    Pictures that show the same stay together. Where the folder is split already, that split is
    used, and what it lacks is taken from its training part.

    Parameters
    ----------
    found : PictureFolder
        What `read` returns. Thirty pictures of each class are enough for a head on a pretrained
        base; with fewer than three, some part gets none.
    seed : int
        Another seed splits otherwise.

    Returns
    -------
    data : Dataset
        Of tier "real".
    notes : list of str
        What to know about these pictures: what was left out and why, copies, unusual
        proportions, classes that are small, or much larger than others.

    Raises
    ------
    DataError
        If there is only one class.
    """
    if len(found.class_names) < 2:
        raise DataError(
            f"There are pictures of one class only ({found.class_names[0]} {len(found.y)}). Add a "
            'folder for each other class, with pictures of it; "none of these" may be one.'
        )
    group = duplicates.groups(found.x)
    parts = np.array(found.parts, dtype="<U10")
    notes = _notes(found) + _settle_copies(found, group, parts)
    random = np.random.default_rng(seed)
    for label in range(len(found.class_names)):
        _share_out(parts, group, found.y == label, random)
    counts = {
        part: np.bincount(found.y[parts == part], minlength=len(found.class_names))
        for part in ("train", "validation", "test")
    }
    notes += _about_counts(found.class_names, counts)
    train, validation, test = ((found.x[parts == part], found.y[parts == part]) for part in counts)
    data = Dataset("own", "Your pictures", "real", *train, *test, found.class_names, *validation)
    return data, notes


def _share_out(
    parts: np.ndarray, group: np.ndarray, mine: np.ndarray, random: np.random.Generator
) -> None:
    """Fill the parts of one class with groups of pictures that have none yet, the test first."""
    free = (parts == "") | (parts == "train")
    for part, least in (("test", 2), ("validation", 3)):
        is_given = np.any(parts[mine] == part)
        wanted = 0 if is_given or mine.sum() < least else max(1, round(0.2 * mine.sum()))
        for number in random.permutation(np.unique(group[mine & free])):
            members = free & (group == number)
            if members.sum() <= wanted:
                wanted -= members.sum()
                parts[members] = part
                free &= ~members
    parts[mine & free] = "train"


def _settle_copies(found: PictureFolder, group: np.ndarray, parts: np.ndarray) -> list[str]:
    """Take contradictions and leaks out, by the part "none", and say what there is twice."""
    notes = []
    for number in np.flatnonzero(np.bincount(group) > 1):
        members = np.flatnonzero(group == number)
        said = f"these show the same: {_some(found, members)}"
        held_out = [part for part in ("test", "validation") if part in parts[members]]
        if len(set(found.y[members])) > 1:
            parts[members] = "none"
            notes.append(f"{said}; their classes differ, so they are left out")
        elif held_out and len(set(parts[members])) > 1:
            parts[members[parts[members] != held_out[0]]] = "none"
            notes.append(f"{said}; only those in the {held_out[0]} part are used")
        else:
            notes.append(f"{said}; they are kept in one part")
    return notes


def _notes(found: PictureFolder) -> list[str]:
    """Say what was left out, and which pictures have unusual proportions."""
    files: dict[str, list[Path]] = {}
    for path, why in found.left_out.items():
        files.setdefault(why, []).append(path)
    notes = [f"left out: {_named(paths)}: {why}" for why, paths in files.items()]
    long = np.flatnonzero(found.proportions > 2)
    if len(long):
        notes.append(
            f"more than twice as long as wide: {_some(found, long)}; read() squeezes them to "
            'squares, unless fit="crop" or fit="pad"'
        )
    return notes


def _about_counts(class_names: tuple[str, ...], counts: dict[str, np.ndarray]) -> list[str]:
    """Say which classes are small, or much larger than others."""
    notes, total = [], sum(counts.values())
    named = ", ".join(f"{name} {n}" for name, n in zip(class_names, total, strict=True))
    for part, found in counts.items():
        empty = [name for name, n in zip(class_names, found, strict=True) if not n]
        if empty:
            notes.append(f"no pictures of {', '.join(empty)} in the {part} part")
    if min(total) < 30:
        notes.append(f"few pictures: 30 of each class, or more, would be better ({named})")
    if max(total) > 2 * min(total):
        notes.append(
            f"unbalanced: the largest class has more than twice as many pictures as the smallest "
            f"({named}); give fit() a class_weight, or the net may prefer it"
        )
    return notes


def _some(found: PictureFolder, numbers: Sequence[int]) -> str:
    """Name the first five of some pictures."""
    return _named([found.files[n] for n in numbers])


def _named(paths: Sequence[Path]) -> str:
    """Name the first five of some files with their folders, and say how many more there are."""
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(f"{path.parent.name}/{path.name}" for path in paths[:5]) + more


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the files of an archive; zipfile keeps names inside the folder, and makes no links."""
    try:
        with zipfile.ZipFile(archive) as packed:
            infos = packed.infolist()
            room = min(_LARGEST_ARCHIVE, shutil.disk_usage(folder).free)
            usual = all(info.compress_type in _METHODS for info in infos)
            if not usual or sum(info.file_size for info in infos) > room:
                raise ValueError("it is too large, or packed in an unusual way")
            packed.extractall(folder)
    except OSError:
        raise
    except Exception as error:  # zipfile raises half a dozen kinds for a damaged file
        raise DataError(
            f"{archive} cannot be unpacked ({error}). Unpack it yourself, or fetch it again."
        ) from error


def _places(
    folder: Path, class_names: Sequence[str] | None
) -> tuple[list[tuple[str, str, Path]], dict[Path, str]]:
    """Find the class folders, each with its part and its name, and folders that do not count."""
    if class_names:
        return [("", name, folder / name) for name in class_names], {}
    inner = _folders(folder)
    if not inner:
        raise DataError(
            f"{folder} holds no folders. Make one for each class, named after it, "
            "and put the pictures of that class into it."
        )
    if len(inner) == 1 and _folders(inner[0]) and not _files(inner[0]):
        return _places(inner[0], None)  # an archive often has one folder around everything
    parts = {path: _PARTS[path.name.lower()] for path in inner if path.name.lower() in _PARTS}
    if len(set(parts.values())) < 2 or "train" not in parts.values():
        return [("", path.name, path) for path in inner], {}
    places = [(part, path.name, path) for place, part in parts.items() for path in _folders(place)]
    why = "a folder beside train and test, and none of them"
    return places, {path: why for path in inner if path not in parts}


def _folders(folder: Path) -> list[Path]:
    """List the folders inside a folder, but for hidden ones and clutter."""
    return sorted(path for path in _visible(folder) if path.is_dir())


def _files(folder: Path) -> list[Path]:
    """List the files in a folder: 2 comes before 10."""
    return sorted(
        (path for path in _visible(folder) if path.is_file()), key=lambda path: _natural(path.name)
    )


def _visible(folder: Path) -> list[Path]:
    """List what is in a folder, but for hidden things and clutter."""
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.")
    return [p for p in folder.iterdir() if p.name[0] != "." and p.name.lower() not in _CLUTTER]


def _natural(name: str) -> list[tuple[int, str]]:
    """Turn a name into a key that sorts the numbers in it by their value."""
    return [(int(part) if part.isdigit() else -1, part) for part in re.split(r"(\d+)", name)]


def _read_all(paths: list[Path], size: int, fit: Fit) -> list[tuple[np.ndarray, float] | str]:
    """Read pictures side by side; in place of one that is left out, say why."""
    from PIL import Image

    # Filters of warnings count for all threads, so they are set here and not in each of them.
    with strict_pillow(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return list(pool.map(lambda path: _read(path, size, fit), paths))


def _read(path: Path, size: int, fit: Fit) -> tuple[np.ndarray, float] | str:
    """Read a picture as a square, with its proportion, or say why it is left out."""
    try:
        content = path.read_bytes()
    except PermissionError as error:
        return f"it cannot be read: {error.strerror}"
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror}. Mend this, and try again."
        ) from error
    try:
        picture = opened(content)
        proportion = max(picture.size) / min(picture.size)
        return _square(picture, size, fit), proportion
    except DataError as reason:
        return str(reason)


def _square(picture, size: int, fit: Fit) -> np.ndarray:
    """Decode a picture, and make a square of it."""
    from PIL import Image, ImageOps

    picture.draft("RGB", (size, size))
    upright = upright_rgb(loaded(picture))
    if fit == "squeeze":
        return np.asarray(upright.resize((size, size), Image.Resampling.BILINEAR))
    make = {"crop": ImageOps.fit, "pad": ImageOps.pad}[fit]
    return np.asarray(make(upright, (size, size), Image.Resampling.BILINEAR))


def _without_pictures(folder: Path, left_out: dict[Path, str]) -> str:
    """Say that a class folder holds no picture, and what may be wrong with it."""
    inner = [path.name for path in _folders(folder)]
    if inner:
        return (
            f"{folder} holds no pictures, but folders ({', '.join(inner[:5])}). Are they the "
            f"classes? Then point to {folder}."
        )
    here = [f" (the first: {p}: {why})" for p, why in left_out.items() if p.parent == folder]
    return (
        f"{folder} holds no readable picture{''.join(here[:1])}. Put some of that class into it, "
        "as .jpg, .png or the like, or remove the folder."
    )
