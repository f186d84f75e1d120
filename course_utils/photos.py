"""The photos of cats and dogs: from the archive as it comes to one folder for each class.

An archive of photos from the web holds files that are damaged, of another kind than their
name says, or hostile. Every photo used here is decoded in full first; what cannot be used is
left out and listed with its reason in ``report.json``. Nothing is taken from an archive but
the bytes of its photos: the names of the files written are built here.
"""

import json
import os
import re
import shutil
import stat
import threading
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from course_utils.downloads import disk_error
from course_utils.settings import DataError, data_folder, made_folder

if TYPE_CHECKING:
    from PIL import Image

FOLDER = "dogs-vs-cats"
CLASS_NAMES = ("cat", "dog")
PER_CLASS = {"train": 1000, "validation": 500, "test": 500}

# Where the photos lie in Kaggle's archive and in Microsoft's; without the outer folders
# where the source is such a folder itself.
_KAGGLE = re.compile(r"(?:(?:.*/)?train/)?(cat|dog)\.([0-9]{1,9})\.jpe?g", re.IGNORECASE)
_MICROSOFT = re.compile(r"(?:(?:.*/)?PetImages/)?(cat|dog)/([0-9]{1,9})\.jpe?g", re.IGNORECASE)
_FOLDERS = ("train", "petimages", "cat", "dog")
_EXPECTED = "train/cat.0.jpg (as Kaggle's train.zip has them) or PetImages/Cat/0.jpg (Microsoft's)"

# EPS, PDF and other kinds that are programs rather than pictures are not opened at all.
_KINDS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
_MOST_BYTES = 32 * 2**20
_MOST_PIXELS = 50_000_000
_LEAST_SIDE, _LONGEST_SIDE = 8, 65_500
_LARGEST_ARCHIVE = 2 * 2**30
# Of the other methods, zipfile unpacks as much as there is, however little is asked for.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HOLE = 64
_FEWEST = 8
_WORKERS = min(4, os.cpu_count() or 1)
_BATCH = 32
# Several large pictures decoded side by side would need gigabytes.
_LARGE_PIXELS = 4_000_000
_one_large_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Report:
    """What became of a source of photos.

    Attributes
    ----------
    source : str
        The name of the archive or folder, without its path.
    wanted : dict of str to int
        How many photos of each class were asked for, by part.
    counts : dict of str to dict of str to int
        How many there are, by part and class: ``counts["train"]["cat"]``.
    left_out : tuple of (str, str)
        Every picture that was looked at and left out: its name in the source, and why.
    """

    source: str
    wanted: dict[str, int]
    counts: dict[str, dict[str, int]]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def is_smaller(self) -> bool:
        """Whether the source had too few good photos for what was asked for."""
        return any(self.counts[part][CLASS_NAMES[0]] < self.wanted[part] for part in self.wanted)

    def summary(self) -> str:
        """Say in one to three sentences how many photos there are and what was left out.

        Examples
        --------
        >>> each = {part: dict.fromkeys(CLASS_NAMES, n) for part, n in PER_CLASS.items()}
        >>> print(Report("train.zip", PER_CLASS, each).summary())
        Dogs vs Cats from train.zip: 2,000 photos for training, 1,000 for validation, 1,000 to test.
        """
        train, validation, test = (sum(self.counts[part].values()) for part in PER_CLASS)
        text = (
            f"Dogs vs Cats from {self.source}: {train:,} photos for training, "
            f"{validation:,} for validation, {test:,} to test."
        )
        if self.is_smaller:
            wanted = sum(self.wanted.values()) * len(CLASS_NAMES)
            text += f" It has too few good ones for the usual {wanted:,}, so every part is smaller."
        if self.left_out:
            text += f" Pictures left out: {len(self.left_out):,} (report.json says why)."
        return text


def prepare(
    source: str | Path,
    target: str | Path,
    per_class: Mapping[str, int] = PER_CLASS,
    progress: bool = True,
    *,
    replace: bool = False,
) -> Report:
    """Sort the good photos of an archive or a folder into parts and classes.

    In each class, taken by ascending number, the first 1,000 good photos are for training, the
    next 500 for validation and the next 500 for the test. Where one class has fewer, all parts
    of both classes shrink in the same proportion. The target gets files such as
    ``train/cat/cat.0.jpg``, which keep the number of the photo, and ``report.json``. The same
    source gives the same bytes every time, also after an interrupted attempt.

    Parameters
    ----------
    source : str or pathlib.Path
        Kaggle's ``train.zip`` (or the archive around it), Microsoft's archive, a part of one
        of them, or the folder that one was unpacked to.
    target : str or pathlib.Path
        The folder to make. One that is there and complete is left as it is.
    per_class : mapping of str to int
        How many photos of each class go to ``"train"``, ``"validation"`` and ``"test"``.
    progress : bool, default True
        Whether to show a progress bar, in a terminal or a notebook.
    replace : bool, default False
        Whether to make the target anew, even where an earlier call has made it.

    Returns
    -------
    Report

    Raises
    ------
    ValueError
        If ``per_class`` does not name the three parts, with at least one photo each.
    DataError
        If the source is missing, broken, laid out in another way, or has fewer than 8 good
        photos of a class; if the target is there but incomplete, or cannot be written to.

    Notes
    -----
    A JPEG file that needs no change is copied byte for byte; every other picture becomes an
    upright RGB JPEG, transparent parts turned white. A JPEG with a few flipped bits may decode
    without any error, to a picture with a smudge: such a photo is used.

    Examples
    --------
    >>> prepare("nowhere.zip", "photos")
    Traceback (most recent call last):
    course_utils.settings.DataError: There is no file or folder nowhere.zip to take photos from.
    """
    source, target = Path(source), Path(target)
    if set(per_class) != set(PER_CLASS) or min(per_class.values()) < 1:
        raise ValueError(
            f"per_class is {per_class}; expected a count of 1 or more for each of "
            f"{', '.join(PER_CLASS)}."
        )
    wanted = {part: int(per_class[part]) for part in PER_CLASS}
    try:
        done = None if replace else read_report(target)
        return done or _prepare(source, target, wanted, progress, replace)
    except OSError as error:
        raise disk_error(error, target.parent) from error


def read_report(folder: Path) -> Report | None:
    """Return the report of a complete folder of prepared photos.

    Parameters
    ----------
    folder : pathlib.Path
        The target of an earlier ``prepare``.

    Returns
    -------
    Report or None
        None where there is nothing by that name.

    Raises
    ------
    DataError
        If the folder has no report, which is written last, a broken one, or not the photos
        that the report counts.

    Examples
    --------
    >>> read_report(Path("nowhere")) is None
    True
    """
    if not os.path.lexists(folder):
        return None
    check_target(folder)
    path = folder / "report.json"
    try:
        said = json.loads(path.read_text("ascii"))
        left_out = tuple((str(name), str(reason)) for name, reason in said["left_out"])
        report = Report(str(said["source"]), said["wanted"], said["counts"], left_out)
        missing = [part for part in PER_CLASS if _counted(folder / part) != report.counts[part]]
        report.summary()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is broken. {_away(folder)}") from error
    if missing:
        raise DataError(
            f"{folder / missing[0]} has not as many photos as its report counts. {_away(folder)}"
        )
    return report


def check_target(target: Path) -> None:
    """Refuse to use or to replace anything that is no folder of prepared photos.

    Parameters
    ----------
    target : pathlib.Path
        The folder to be made; that there is nothing by this name is fine.

    Raises
    ------
    DataError
        If there is something else by this name.

    Examples
    --------
    >>> check_target(Path("nowhere"))
    """
    if os.path.lexists(target) and not os.path.lexists(target / "report.json"):
        raise DataError(
            f"{target} is no folder of prepared photos: it has no report.json. {_away(target)}"
        )


def find(folders: Iterable[Path]) -> Path | None:
    """Return the first complete folder of prepared photos, or None.

    Parameters
    ----------
    folders : iterable of pathlib.Path
        Where to look for a folder named ``FOLDER``.

    Raises
    ------
    DataError
        If there is one which was complete and now lacks photos.

    Examples
    --------
    >>> find([Path("nowhere")]) is None
    True
    """
    for folder in folders:
        if os.path.lexists(folder / FOLDER / "report.json") and read_report(folder / FOLDER):
            return folder / FOLDER
    return None


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


def state() -> str:
    """Say whether there are photos, without preparing any.

    Returns
    -------
    {"on disk", "to be prepared", "not on disk", "broken"}
        "to be prepared" means that ``ensure`` has an archive to prepare the photos from.

    Examples
    --------
    >>> state() in ("on disk", "to be prepared", "not on disk", "broken")
    True
    """
    try:
        if find(_places()):
            return "on disk"
        read_report(made_folder() / FOLDER)
        if find_source([data_folder()]):
            return "to be prepared"
        read_report(data_folder() / FOLDER)
    except DataError:
        return "broken"
    return "not on disk"


def ensure() -> Path | None:
    """Return the folder of prepared photos; prepare them first where an archive is on disk.

    What is in the data folder decides; nothing is ever downloaded. What is prepared goes to
    ``settings.made_folder()``, and one printed line says so.

    Returns
    -------
    pathlib.Path or None
        The folder with ``train``, ``validation`` and ``test``; None where there are no photos.

    Raises
    ------
    DataError
        If there are photos which cannot be used; the message says why and what to do.
    """
    found = find(_places())
    if found:
        return found
    source = find_source([data_folder()])
    if source is None:
        for place in _places():
            read_report(place / FOLDER)
        return None
    target = made_folder() / FOLDER
    print("Prepared", prepare(source, target).summary())
    return target


# The target folder


def _prepare(
    source: Path, target: Path, per_class: dict[str, int], progress: bool, replace: bool
) -> Report:
    """Prepare the photos in a folder beside the target, and rename it at the end."""
    from filelock import FileLock

    if not os.path.lexists(source):
        raise DataError(f"There is no file or folder {source} to take photos from.")
    target.parent.mkdir(parents=True, exist_ok=True)
    staging, old = (target.with_name(f".{target.name}.{end}") for end in ("part", "old"))
    with FileLock(target.with_name(f".{target.name}.lock")):
        if os.path.lexists(old) and not os.path.lexists(target):
            os.rename(old, target)
        # While this process waited, another one may have done the work.
        done = None if replace else read_report(target)
        if done:
            return done
        check_target(target)
        _remove(staging)
        staging.mkdir()
        try:
            report = _fill(staging, source, per_class, progress)
            text = json.dumps(asdict(report), indent=1) + "\n"
            (staging / "report.json").write_text(text, "ascii", newline="\n")
            _remove(old)
            if os.path.lexists(target):
                os.rename(target, old)
            os.rename(staging, target)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _remove(old)
    return report


def _away(target: Path) -> str:
    """Say what to do about something that is in the way."""
    return f"Move {target} away, or give it another name, and try again."


def _places() -> list[Path]:
    """Return the folders that may hold prepared photos."""
    return list(dict.fromkeys([data_folder(), made_folder()]))


def _counted(folder: Path) -> dict[str, int]:
    """Count the photos of each class in a part."""
    return {name: len(list((folder / name).glob(f"{name}.*.jpg"))) for name in CLASS_NAMES}


def _remove(folder: Path) -> None:
    """Remove what an attempt left or replaced: a folder, or whatever has its name."""
    if folder.is_dir() and not folder.is_symlink():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)


def _fill(staging: Path, source: Path, per_class: dict[str, int], progress: bool) -> Report:
    """Write the photos of a source into a folder, by part and class, and report on them."""
    from tqdm.auto import tqdm

    total = sum(per_class.values())
    good: dict[str, list[str]] = {}
    with (
        _opened(source, staging) as ((photos, left_out), archive),
        _strict_pillow(),
        ThreadPoolExecutor(_WORKERS) as pool,
        tqdm(
            desc="Checking photos",
            total=total * len(CLASS_NAMES),
            leave=False,
            disable=None if progress else True,
        ) as bar,
    ):
        for name in CLASS_NAMES:
            (staging / name).mkdir()
            good[name] = []
            remaining = iter(photos[name])
            # No batch is larger than what is still wanted, so that no photo is decoded in vain.
            while batch := list(islice(remaining, min(_BATCH, total - len(good[name])))):
                tasks = pool.map(lambda photo: _take(photo, archive, staging), batch)
                for photo, reason in zip(batch, tasks, strict=True):
                    if reason is None:
                        good[name].append(photo.file_name)
                        bar.update()
                    else:
                        left_out.append((photo.name, reason))
    return _split(staging, source, per_class, good, tuple(left_out))


def _split(
    staging: Path,
    source: Path,
    per_class: dict[str, int],
    good: dict[str, list[str]],
    left_out: tuple[tuple[str, str], ...],
) -> Report:
    """Move the photos of each class into the parts, in order."""
    sizes = _part_sizes(source, per_class, good, left_out)
    for name in CLASS_NAMES:
        files = iter(good[name])
        for part, size in sizes.items():
            (staging / part / name).mkdir(parents=True)
            for file in islice(files, size):
                os.rename(staging / name / file, staging / part / name / file)
        shutil.rmtree(staging / name)
    counts = {part: dict.fromkeys(CLASS_NAMES, size) for part, size in sizes.items()}
    return Report(Path(os.path.abspath(source)).name, per_class, counts, left_out)


def _part_sizes(
    source: Path,
    per_class: dict[str, int],
    good: dict[str, list[str]],
    left_out: tuple[tuple[str, str], ...],
) -> dict[str, int]:
    """Return how many photos of each class every part gets."""
    total = sum(per_class.values())
    scarce = min(CLASS_NAMES, key=lambda name: len(good[name]))
    have = len(good[scarce])
    if have >= total:
        return per_class
    sizes = {part: have * size // total for part, size in per_class.items()}
    if have < _FEWEST or not all(sizes.values()):
        example = f", such as {left_out[0][0]} ({left_out[0][1]})" if left_out else ""
        raise DataError(
            f"{source} has only {have} good photos of the class {scarce}, too few for a training, "
            f"a validation and a test part. Pictures left out: {len(left_out)}{example}. "
            "Use a more complete copy of the archive."
        )
    return sizes


# Where the photos come from


class _LeftOut(Exception):
    """A picture is not used; the message says why."""


@dataclass(frozen=True)
class _Photo:
    """A picture of a source: its name there, its class and number, and where its bytes are."""

    name: str
    class_name: str
    number: int
    entry: zipfile.ZipInfo | Path

    @property
    def file_name(self) -> str:
        """The name that its file gets."""
        return f"{self.class_name}.{self.number}.jpg"


_Entry = tuple[str, zipfile.ZipInfo | Path]
# The photos of each class by number, and what is left out already because of its name.
_Listing = tuple[dict[str, list[_Photo]], list[tuple[str, str]]]


@contextmanager
def _opened(source: Path, staging: Path) -> Iterator[tuple[_Listing, zipfile.ZipFile | None]]:
    """List the photos of a source, and open the archive where it is one."""
    if os.path.isdir(source):
        yield _found(_walk(source.resolve()), source), None
        return
    with _archive(source) as outer:
        inner = _inner_archive(outer)
        if inner is None:
            yield _found(_members(outer), source), outer
            return
        copy = staging / "train.zip"
        _unpack(outer, inner, copy)
        with _archive(copy) as archive:
            yield _found(_members(archive), source), archive
        copy.unlink()


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive, or say why this is not possible."""
    try:
        file = open(path, "rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        try:
            archive = zipfile.ZipFile(file)
        except Exception as error:
            # zipfile raises half a dozen kinds of exception for a damaged file.
            raise DataError(
                f"{path} is no zip archive, or a damaged one. Fetch it again, or move it away."
            ) from error
        with archive:
            yield archive


def _members(archive: zipfile.ZipFile) -> list[_Entry]:
    """List the files of an archive."""
    return [(info.filename, info) for info in archive.infolist()]


def _walk(folder: Path, prefix: str = "") -> list[_Entry]:
    """List what lies in a folder and in the folders below it that may hold photos."""
    entries: list[_Entry] = []
    try:
        for path in sorted(folder.iterdir()):
            if path.name.lower() in _FOLDERS and path.is_dir() and not path.is_symlink():
                entries += _walk(path, f"{prefix}{path.name}/")
            else:
                entries.append((prefix + path.name, path))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}.") from error
    return entries


def _found(entries: list[_Entry], source: Path) -> _Listing:
    """Sort the photos of a source; refuse one that has none under the names expected."""
    photos, left_out = _sorted_photos(entries)
    if not any(photos.values()):
        raise DataError(f"{source} holds no photos of cats and dogs; names expected: {_EXPECTED}.")
    return photos, left_out


def _sorted_photos(entries: list[_Entry]) -> _Listing:
    """Tell photos from other files by their names, and sort them by class and number."""
    found: dict[tuple[str, int], _Photo] = {}
    left_out = []
    for name, entry in entries:
        path = name.replace("\\", "/").rstrip("/")
        match = _KAGGLE.fullmatch(path) or _MICROSOFT.fullmatch(path)
        if path.startswith("/") or ".." in path.split("/") or path[1:2] == ":":
            left_out.append((name, "its name leads out of the archive"))
        elif match:
            photo = _Photo(name, match[1].lower(), int(match[2]), entry)
            first = found.setdefault((photo.class_name, photo.number), photo)
            if first is not photo:
                left_out.append((name, f"it has the class and number of {first.name}"))
    by_number = sorted(found.values(), key=lambda photo: photo.number)
    photos = {c: [photo for photo in by_number if photo.class_name == c] for c in CLASS_NAMES}
    return photos, left_out


def _holds_photos(path: Path) -> bool:
    """Tell whether an archive or a folder has photos under the names expected."""
    try:
        if os.path.isdir(path):
            return any(_sorted_photos(_walk(path))[0].values())
        with _archive(path) as archive:
            return any(_sorted_photos(_members(archive))[0].values())
    except DataError:
        return False


def _matches(folder: Path, pattern: str) -> list[Path]:
    """Return what matches a pattern, in order; nothing where the folder cannot be searched."""
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _inner_archive(outer: zipfile.ZipFile) -> zipfile.ZipInfo | None:
    """Return the train.zip inside the archive that Kaggle offers for all files of its contest."""
    infos = [info for info in outer.infolist() if info.filename.split("/")[-1] == "train.zip"]
    if infos and not any(_sorted_photos(_members(outer))[0].values()):
        return infos[0]
    return None


def _unpack(outer: zipfile.ZipFile, inner: zipfile.ZipInfo, copy: Path) -> None:
    """Copy an archive out of another one, because it can only be read from a file at speed."""
    try:
        if inner.file_size > _LARGEST_ARCHIVE or inner.compress_type not in _METHODS:
            raise ValueError("it is too large, or packed in an unusual way")
        with outer.open(inner) as packed, open(copy, "wb") as file:
            shutil.copyfileobj(packed, file)
    except OSError:
        raise
    except Exception as error:
        raise DataError(
            f"{outer.filename}: the archive {inner.filename} in it cannot be unpacked ({error}). "
            "Unpack it yourself, or fetch it again."
        ) from error


# One photo


def _take(photo: _Photo, archive: zipfile.ZipFile | None, staging: Path) -> str | None:
    """Check a photo and write it; return why it is left out, None if it is not."""
    try:
        jpeg = _as_jpeg(_bytes_of(photo, archive))
    except _LeftOut as left_out:
        return str(left_out)
    (staging / photo.class_name / photo.file_name).write_bytes(jpeg)
    return None


def _bytes_of(photo: _Photo, archive: zipfile.ZipFile | None) -> bytes:
    """Return the bytes of a photo, never more than the limit."""
    if archive is None:
        content = _read_file(photo.entry)
    else:
        content = _read_member(archive, photo.entry)
    if len(content) > _MOST_BYTES:
        raise _LeftOut(f"it has more than {_MOST_BYTES // 2**20} MB")
    if not content:
        raise _LeftOut("it is empty")
    return content


def _read_file(path: Path) -> bytes:
    """Read an ordinary file."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise _LeftOut("it is a link")
        if not stat.S_ISREG(mode):
            raise _LeftOut("it is a folder" if stat.S_ISDIR(mode) else "it is no ordinary file")
        with open(path, "rb") as file:
            return file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _LeftOut(f"it cannot be read: {error.strerror}") from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Read a file of an archive; zipfile checks its CRC on the way."""
    if stat.S_ISLNK(info.external_attr >> 16):
        raise _LeftOut("it is a link")
    if info.flag_bits & 1:
        raise _LeftOut("it is encrypted")
    if info.is_dir():
        raise _LeftOut("it is a folder")
    if info.compress_type not in _METHODS:
        raise _LeftOut("it is compressed in an unusual way")
    try:
        with archive.open(info) as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) != min(info.file_size, _MOST_BYTES + 1):
            raise zipfile.BadZipFile("fewer bytes than promised")
    except Exception as error:
        # zipfile and zlib raise half a dozen kinds of exception for a damaged archive.
        raise _LeftOut("the archive is damaged here") from error
    return content


@contextmanager
def _strict_pillow() -> Iterator[None]:
    """Let Pillow refuse files that are cut short, and print no warnings."""
    from PIL import Image, ImageFile

    Image.init()
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _as_jpeg(content: bytes) -> bytes:
    """Return a picture as an upright RGB JPEG: the bytes themselves where they are one."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(BytesIO(content), formats=_KINDS) as picture:
            _check_size(*picture.size)
            if picture.size[0] * picture.size[1] <= _LARGE_PIXELS:
                return _decoded(picture, content)
            with _one_large_at_a_time:
                return _decoded(picture, content)
    except _LeftOut:
        raise
    except UnidentifiedImageError as error:
        raise _LeftOut("it is no picture of a kind that is read here (JPEG, PNG, ...)") from error
    except Image.DecompressionBombError as error:
        raise _LeftOut(_too_large()) from error
    except Exception as error:
        # Pillow raises a dozen kinds of exception for a damaged file.
        cut = "truncated" in str(error)
        raise _LeftOut("it is cut short" if cut else "it is damaged") from error


def _check_size(width: int, height: int) -> None:
    """Refuse a picture by the size in its header, before memory is spent on it."""
    if width * height > _MOST_PIXELS:
        raise _LeftOut(_too_large())
    if min(width, height) < _LEAST_SIDE:
        raise _LeftOut(f"it has {width} x {height} pixels, too few to show anything")
    if max(width, height) > _LONGEST_SIDE:
        raise _LeftOut(f"it has {width} x {height} pixels, too many in a row for a JPEG")


def _too_large() -> str:
    """Say that a picture has too many pixels."""
    return f"it has more than {_MOST_PIXELS // 10**6} million pixels"


def _decoded(picture: "Image.Image", content: bytes) -> bytes:
    """Decode a picture in full; encode it again only where something is to be corrected."""
    picture.load()
    _check_size(*picture.size)
    orientation = _orientation(picture)
    if picture.format == "JPEG":
        _check_scan(content)
        if picture.mode == "RGB" and orientation == 1:
            return content
    upright = _turned(_rgb(picture), orientation)
    upright.info = {}
    jpeg = BytesIO()
    upright.save(jpeg, "JPEG", quality=95, subsampling="4:4:4")
    return jpeg.getvalue()


def _check_scan(content: bytes) -> None:
    """Refuse a JPEG that was cut short or has a hole, which libjpeg fills with grey or smears.

    A hole, as an interrupted download leaves, is a run of zero bytes. Zeros decode as the first
    symbol of the code table again and again; in a flat area they may stand in a sound file, but
    only if that symbol is 0, "the rest of the block is zero", in every table. (ITU-T T.81, F.2)
    """
    segments, scan = _segments(content)
    end = content.find(b"\xff\xd9", scan)
    if end < 0:
        raise _LeftOut("it is cut short")
    is_baseline = any(marker in (0xC0, 0xC1) for marker, _ in segments)
    tables = [first for marker, body in segments if marker == 0xC4 for first in _ac_tables(body)]
    if is_baseline and any(tables) and bytes(_HOLE) in content[scan:end]:
        raise _LeftOut("it has a hole, filled with zeros")


def _segments(content: bytes) -> tuple[list[tuple[int, bytes]], int]:
    """Return the marker and the body of each segment of a JPEG, and where its first scan begins."""
    segments, position = [], 2
    while position + 4 <= len(content):
        marker = content[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        length = int.from_bytes(content[position + 2 : position + 4])
        segments.append((marker, content[position + 4 : position + 2 + length]))
        position += 2 + length
        if marker == 0xDA:
            break
    return segments, position


def _ac_tables(body: bytes) -> Iterator[int]:
    """Give the first symbol of every code table for AC coefficients in a segment."""
    while len(body) > 17:
        if body[0] >> 4 == 1:
            yield body[17]
        body = body[17 + sum(body[1:17]) :]


def _orientation(picture: "Image.Image") -> int:
    """Return the EXIF orientation, 1 (upright) to 8; 1 where the EXIF data is damaged."""
    try:
        said = picture.getexif().get(0x0112, 1)
        return said if said in range(1, 9) else 1
    except Exception:
        return 1


def _turned(picture: "Image.Image", orientation: int) -> "Image.Image":
    """Turn a picture upright."""
    from PIL.Image import Transpose

    # ImageOps.exif_transpose also writes the EXIF data anew, which fails where it is damaged.
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return picture.transpose(turns[orientation]) if orientation in turns else picture


def _rgb(picture: "Image.Image") -> "Image.Image":
    """Convert a picture of any mode to RGB."""
    from PIL import Image

    if picture.mode == "F" or picture.mode.startswith("I"):
        picture = Image.fromarray(_eight_bits(np.asarray(picture)))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    if picture.mode != "RGBA":
        picture = picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Scale grey values of 16 or 32 bits, or of floating point, to 0 to 255.

    A file of these kinds need not say which value is white. It is taken to be the first of
    1 (floating point only), 255 and 65,535 that no value exceeds; else, black is the smallest
    value and white the largest.
    """
    whites = (255, 65_535) if values.dtype.kind in "iu" else (1, 255, 65_535)
    values = np.nan_to_num(values.astype(np.float32), copy=False, posinf=0, neginf=0)
    black, high = 0.0, float(values.max())
    white = next((white for white in whites if high <= white), None)
    if white is None or values.min() < 0:
        black, white = float(values.min()), high
    values -= black
    values *= 255 / ((white - black) or 1)
    return np.rint(values, out=values).astype(np.uint8)
