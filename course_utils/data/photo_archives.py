"""The photos of cats and dogs in a zip archive, or in the folder that one was unpacked to.

Archives from the web may be damaged or hostile. Only the bytes of photos are ever taken from
one: its names are looked at but never used as names of files, links are not followed, and no
more is unpacked than a photo may have.
"""

import errno
import os
import re
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from course_utils.data.settings import DataError

CLASS_NAMES = ("cat", "dog")

# Where the photos lie in Kaggle's archive and in Microsoft's; without the outer folders
# where the source is such a folder itself.
_KAGGLE = re.compile(r"(?:(?:.*/)?train/)?(cat|dog)\.([0-9]{1,9})\.jpe?g", re.IGNORECASE)
_MICROSOFT = re.compile(r"(?:(?:.*/)?PetImages/)?(cat|dog)/([0-9]{1,9})\.jpe?g", re.IGNORECASE)
_FOLDERS = ("train", "petimages", *CLASS_NAMES)
_EXPECTED = "train/cat.0.jpg (as Kaggle's train.zip has them) or PetImages/Cat/0.jpg (Microsoft's)"

_MOST_BYTES = 32 * 2**20
_LARGEST_ARCHIVE = 2 * 2**30
# Of the other methods, zipfile unpacks as much as there is, however little is asked for.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Photo:
    """A photo of a source, by its name: nobody has looked into it yet.

    Attributes
    ----------
    name : str
        Its name in the source.
    class_name : {"cat", "dog"}
    number : int
        Cats and dogs are numbered each for themselves.
    read : function
        Returns the bytes, up to 32 MB. Where the photo is the reason that this is impossible,
        it raises a DataError whose message says so, such as "it is a link"; trouble of this
        machine, such as a broken disk, is an OSError or a MemoryError.
    """

    name: str
    class_name: str
    number: int
    read: Callable[[], bytes]


# Every name in a source, with what reads the bytes.
_Entries = list[tuple[str, Callable[[], bytes]]]
# The photos of each class by number, and what is left out because of its name.
_Listing = tuple[dict[str, list[Photo]], list[tuple[str, str]]]


@contextmanager
def opened(source: Path, spare: Path) -> Iterator[_Listing]:
    """List the photos of an archive or a folder, which can be read within the ``with`` block.

    Parameters
    ----------
    source : pathlib.Path
        An archive or a folder in Kaggle's layout or in Microsoft's, or the archive of all files
        of Kaggle's contest, which has ``train.zip`` in it.
    spare : pathlib.Path
        A folder on a disk with room for that ``train.zip``, which goes to a temporary file.

    Yields
    ------
    photos : dict of str to list of Photo
        The photos of each class by ascending number, each number once.
    left_out : list of (str, str)
        The names of photos that are not listed, each with the reason.

    Raises
    ------
    DataError
        If the source cannot be read, or has no photos under the names expected.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as place:
    ...     _ = Path(place, "cat.7.jpg").write_bytes(b"a photo")
    ...     with opened(Path(place), Path(place)) as (photos, left_out):
    ...         print([(photo.number, photo.read()) for photo in photos["cat"]])
    [(7, b'a photo')]
    """
    if os.path.isdir(source):
        yield _found(_in_folder(source.resolve()), source)
        return
    with _file(source) as file, _archive(file, source) as outer:
        inner = _inner_archive(outer)
        if inner is None:
            yield _found(_in_archive(outer), source)
            return
        # Only from a file can an archive be read here and there.
        with tempfile.TemporaryFile(dir=spare) as copy:
            _unpack(outer, inner, copy)
            with _archive(copy, source / "train.zip") as archive:
                yield _found(_in_archive(archive), source)


def find_source(folders: Iterable[Path]) -> Path | None:
    """Return an archive or unpacked folder of photos that can be prepared, or None.

    Parameters
    ----------
    folders : iterable of pathlib.Path
        Where to look for ``train.zip``, ``dogs-vs-cats*.zip``, ``kagglecatsanddogs*.zip``,
        ``train``, ``PetImages`` and ``kagglecatsanddogs*/PetImages``, in this order.

    Examples
    --------
    >>> find_source([Path("nowhere")]) is None
    True
    """
    patterns = (
        *("train.zip", "dogs-vs-cats*.zip", "kagglecatsanddogs*.zip"),
        *("train", "PetImages", "kagglecatsanddogs*/PetImages"),
    )
    for folder in folders:
        for path in (path for pattern in patterns for path in _matches(folder, pattern)):
            # Other data may be called "train" too; the other archives are known by their names.
            if (path.suffix == ".zip" and path.stem != "train") or _holds_photos(path):
                return path
    return None


# Names


def _matches(folder: Path, pattern: str) -> list[Path]:
    """Return what matches a pattern, in order; nothing where the folder cannot be searched."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _holds_photos(source: Path) -> bool:
    """Tell whether a source can be read and has photos under the names expected."""
    try:
        if os.path.isdir(source):
            return _any_photo(_in_folder(source))
        with _file(source) as file, _archive(file, source) as archive:
            return _any_photo(_in_archive(archive))
    except DataError:
        return False


def _in_archive(archive: zipfile.ZipFile) -> _Entries:
    """List what is in an archive."""
    return [(info.filename, partial(_read_member, archive, info)) for info in archive.infolist()]


def _in_folder(folder: Path, prefix: str = "") -> _Entries:
    """List what is in a folder and in the folders below it that may hold photos."""
    entries: _Entries = []
    try:
        for path in sorted(folder.iterdir()):
            if path.name.lower() in _FOLDERS and path.is_dir() and not path.is_symlink():
                entries += _in_folder(path, f"{prefix}{path.name}/")
            else:
                entries.append((prefix + path.name, partial(_read_file, path)))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}.") from error
    return entries


def _found(entries: _Entries, source: Path) -> _Listing:
    """Sort the photos of a source; refuse one that has none under the names expected."""
    photos, left_out = _sorted_photos(entries)
    if not any(photos.values()):
        raise DataError(f"{source} holds no photos of cats and dogs; names expected: {_EXPECTED}.")
    return photos, left_out


def _any_photo(entries: _Entries) -> bool:
    """Tell whether there is a photo among the entries."""
    return any(_sorted_photos(entries)[0].values())


def _sorted_photos(entries: _Entries) -> _Listing:
    """Tell photos from other files by their names, and sort them by class and number."""
    found: dict[tuple[str, int], Photo] = {}
    left_out = []
    for name, read in entries:
        path = name.replace("\\", "/").rstrip("/")
        match = _KAGGLE.fullmatch(path) or _MICROSOFT.fullmatch(path)
        if path.startswith("/") or ".." in path.split("/") or path[1:2] == ":":
            left_out.append((name, "its name leads out of the archive"))
        elif match:
            photo = Photo(name, match[1].lower(), int(match[2]), read)
            first = found.setdefault((photo.class_name, photo.number), photo)
            if first is not photo:
                left_out.append((name, f"it has the class and number of {first.name}"))
    by_number = sorted(found.values(), key=lambda photo: photo.number)
    photos = {c: [photo for photo in by_number if photo.class_name == c] for c in CLASS_NAMES}
    return photos, left_out


# Archives


def _file(path: Path) -> BinaryIO:
    """Open a file for reading, or say why this is not possible."""
    try:
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _archive(file: BinaryIO, name: Path) -> zipfile.ZipFile:
    """Read the table of contents of an archive, or say why this is not possible."""
    try:
        return zipfile.ZipFile(file)
    except Exception as error:
        # zipfile raises half a dozen kinds of exception for a damaged file.
        raise DataError(
            f"{name} is no zip archive, or a damaged one. Fetch it again, or move it away."
        ) from error


def _inner_archive(outer: zipfile.ZipFile) -> zipfile.ZipInfo | None:
    """Return the train.zip inside the archive that Kaggle offers for all files of its contest."""
    infos = [info for info in outer.infolist() if info.filename.split("/")[-1] == "train.zip"]
    return infos[0] if infos and not _any_photo(_in_archive(outer)) else None


def _unpack(outer: zipfile.ZipFile, inner: zipfile.ZipInfo, copy: BinaryIO) -> None:
    """Copy an archive out of another one."""
    try:
        if inner.file_size > _LARGEST_ARCHIVE or inner.compress_type not in _METHODS:
            raise ValueError("it is too large, or packed in an unusual way")
        with outer.open(inner) as packed:
            shutil.copyfileobj(packed, copy)
    except OSError:
        raise
    except Exception as error:
        raise DataError(
            f"{outer.filename}: the archive {inner.filename} in it cannot be unpacked ({error}). "
            "Unpack it yourself, or fetch it again."
        ) from error


# Bytes


def _read_file(path: Path) -> bytes:
    """Read an ordinary file."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise DataError("it is a link")
        if not stat.S_ISREG(mode):
            raise DataError("it is a folder" if stat.S_ISDIR(mode) else "it is no ordinary file")
        with open(path, "rb") as file:
            return _checked(file.read(_MOST_BYTES + 1))
    except PermissionError as error:
        raise DataError(f"it cannot be read: {error.strerror}") from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read a file of an archive; zipfile checks its CRC on the way."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DataError("it is a link")
    if info.flag_bits & 1:
        raise DataError("it is encrypted")
    if info.is_dir():
        raise DataError("it is a folder")
    if info.compress_type not in _METHODS:
        raise DataError("it is compressed in an unusual way")
    try:
        with archive.open(info) as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) != min(info.file_size, _MOST_BYTES + 1):
            raise zipfile.BadZipFile("fewer bytes than promised")
    except Exception as error:
        if _is_of_machine(error):
            raise
        # zipfile and zlib raise half a dozen kinds of exception for a damaged archive.
        raise DataError("the archive is damaged here") from error
    return _checked(content)


def _is_of_machine(error: Exception) -> bool:
    """Tell whether an error in reading is trouble of this machine, not of the archive."""
    # EINVAL comes from a damaged archive, which says that a file begins where none can.
    is_of_system = isinstance(error, OSError) and error.errno != errno.EINVAL
    return is_of_system or isinstance(error, MemoryError)


def _checked(content: bytes) -> bytes:
    """Return the bytes of a photo, unless they are too many or none."""
    if len(content) > _MOST_BYTES:
        raise DataError(f"it has more than {_MOST_BYTES // 2**20} MB")
    if not content:
        raise DataError("it is empty")
    return content
