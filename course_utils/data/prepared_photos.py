"""The photos of cats and dogs: from the archive as it comes to one folder for each class.

An archive of photos from the web holds files that are damaged, of another kind than their
name says, or hostile. Every photo used here is decoded in full first; what cannot be used is
left out and listed with its reason in ``report.json``.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from course_utils.data.atomic_folder import make_once
from course_utils.data.photo_archives import CLASS_NAMES, Photo, find_source, opened
from course_utils.data.picture_decoding import as_jpeg, strict_pillow
from course_utils.data.settings import DataError, data_folder, made_folder

FOLDER = "dogs-vs-cats"
PER_CLASS = {"train": 1000, "validation": 500, "test": 500}
_FEWEST = 8  # good photos of each class
_WORKERS = min(4, os.cpu_count() or 1)
_BATCH = 32


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
        wanted = sum(self.wanted.values()) * len(CLASS_NAMES)
        if train + validation + test < wanted:
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
    of both classes shrink in the same proportion. The target gets ``report.json`` and files such
    as ``train/cat/cat.0.jpg``, which keep the number of the photo. A JPEG file that needs no
    change is copied byte for byte; ``picture_decoding.as_jpeg`` makes one of every other picture. The same
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
        photos of a class; if the target is there but incomplete, or cannot be written to; if
        this machine fails to read a photo, as with a broken disk.

    Examples
    --------
    >>> prepare("nowhere.zip", "photos")
    Traceback (most recent call last):
    course_utils.data.settings.DataError: There is no file or folder nowhere.zip to take photos from.
    """  # noqa: E501
    source, target = Path(source), Path(target)
    if set(per_class) != set(PER_CLASS) or min(per_class.values()) < 1:
        raise ValueError(
            f"per_class is {per_class}; expected a count of 1 or more for each of "
            f"{', '.join(PER_CLASS)}."
        )
    if not replace and (done := read_report(target)):
        return done
    if not os.path.lexists(source):
        raise DataError(f"There is no file or folder {source} to take photos from.")
    check_target(target)
    wanted = {part: int(per_class[part]) for part in PER_CLASS}
    make_once(
        target,
        lambda: read_report(target) is not None,
        lambda staging: _fill(staging, source, wanted, progress),
        replace=replace,
    )
    return read_report(target)


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
        said = json.loads(path.read_text("utf-8"))
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


def _places() -> list[Path]:
    """Return the folders that may hold prepared photos."""
    return list(dict.fromkeys([data_folder(), made_folder()]))


def _away(target: Path) -> str:
    """Say what to do about something that is in the way."""
    return f"Move {target} away, or give it another name, and try again."


def _counted(folder: Path) -> dict[str, int]:
    """Count the photos of each class in a part."""
    return {name: len(list((folder / name).glob(f"{name}.*.jpg"))) for name in CLASS_NAMES}


# Filling the folder


def _fill(staging: Path, source: Path, wanted: dict[str, int], progress: bool) -> None:
    """Write the photos of a source into a folder, by part and class, and report on them."""
    from tqdm.auto import tqdm

    total = sum(wanted.values())
    hidden = None if progress else True  # None shows it in notebooks and terminals only
    with (
        opened(source, staging) as (photos, left_out),
        strict_pillow(),
        tqdm(desc="Checking photos", total=2 * total, leave=False, disable=hidden) as bar,
    ):
        good = {}
        for name in CLASS_NAMES:
            (staging / name).mkdir()
            good[name], unusable = _take(photos[name], total, staging / name, bar.update)
            left_out += unusable
    sizes = _part_sizes(source, wanted, good, left_out)
    _split(staging, good, sizes)
    counts = {part: dict.fromkeys(CLASS_NAMES, size) for part, size in sizes.items()}
    report = Report(Path(os.path.abspath(source)).name, wanted, counts, tuple(left_out))
    text = json.dumps(asdict(report), indent=1) + "\n"
    (staging / "report.json").write_text(text, "utf-8", newline="\n")


def _take(
    photos: list[Photo], total: int, folder: Path, on_good: Callable[[], object]
) -> tuple[list[str], list[tuple[str, str]]]:
    """Write the first good photos to a folder; return their file names, and what is left out."""
    good, left_out, remaining = [], [], iter(photos)
    with ThreadPoolExecutor(_WORKERS) as pool:
        # No batch is larger than what is still wanted, so that no photo is decoded in vain.
        while batch := list(islice(remaining, min(_BATCH, total - len(good)))):
            reasons = pool.map(partial(_write, folder), batch)
            for photo, reason in zip(batch, reasons, strict=True):
                if reason is None:
                    good.append(_file_name(photo))
                    on_good()
                else:
                    left_out.append((photo.name, reason))
    return good, left_out


def _file_name(photo: Photo) -> str:
    """Return the name that the file of a photo gets, whatever it was called in the source."""
    return f"{photo.class_name}.{photo.number}.jpg"


def _write(folder: Path, photo: Photo) -> str | None:
    """Check a photo and write it; return why it is left out, None if it is not."""
    try:
        jpeg = as_jpeg(photo.read())
    except DataError as error:
        return str(error)
    except OSError as error:
        # The photo may be sound: without it, other photos would get into the parts.
        raise DataError(
            f"{photo.name} cannot be read: {error.strerror}. Mend this, and try again."
        ) from error
    (folder / _file_name(photo)).write_bytes(jpeg)
    return None


def _part_sizes(
    source: Path,
    wanted: dict[str, int],
    good: dict[str, list[str]],
    left_out: list[tuple[str, str]],
) -> dict[str, int]:
    """Return how many photos of each class every part gets."""
    total = sum(wanted.values())
    scarce = min(CLASS_NAMES, key=lambda name: len(good[name]))
    have = len(good[scarce])
    if have >= total:
        return wanted
    sizes = {part: have * size // total for part, size in wanted.items()}
    if have < _FEWEST or not all(sizes.values()):
        example = f", such as {left_out[0][0]} ({left_out[0][1]})" if left_out else ""
        raise DataError(
            f"{source} has only {have} good photos of the class {scarce}, too few for a training, "
            f"a validation and a test part. Pictures left out: {len(left_out)}{example}. "
            "Use a more complete copy of the archive."
        )
    return sizes


def _split(staging: Path, good: dict[str, list[str]], sizes: dict[str, int]) -> None:
    """Move the photos of each class into the parts, in order."""
    for name in CLASS_NAMES:
        files = iter(good[name])
        for part, size in sizes.items():
            (staging / part / name).mkdir(parents=True)
            for file in islice(files, size):
                os.rename(staging / name / file, staging / part / name / file)
        shutil.rmtree(staging / name)
