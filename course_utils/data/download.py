"""The data command: show which data sets are on disk, and fetch the real ones.

In a terminal, ``python -m course_utils.data.download`` shows a table, and
``python -m course_utils.data.download mnist`` fetches a set. A set is checked before it is put in
place, in one move; a broken download goes on where it stopped.
"""

import argparse
import gzip
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from course_utils.data import prepared_photos
from course_utils.data.catalogue import SOURCES, Download, Source, how_to_get
from course_utils.data.http_download import disk_error, download_file
from course_utils.data.kept_arrays import note
from course_utils.data.photo_archives import find_source
from course_utils.data.settings import DataError, Tier, data_folder, made_folder
from course_utils.data.verification import problem


@dataclass(frozen=True)
class Status:
    """One row of the table of data sets.

    Attributes
    ----------
    name, title, images, licence : str
        As in ``catalogue``.
    tier : {"real", "embedded"}
        Whether the set is fetched, or comes with the course's requirements.
    state : str
        ``"on disk"``, ``"not on disk"``, ``"incomplete"`` or ``"broken"``; or ``"built in"``;
        ``"to be prepared"`` where the first use makes the set from an archive that is there;
        ``"in Keras's cache"`` where Keras has downloaded it, so that it need only be copied.
    size : int
        Bytes to download.
    get : str
        The commands that fetch it; empty where nothing is to be done.
    """

    name: str
    title: str
    images: str
    licence: str
    tier: Tier
    state: str
    size: int = 0
    get: str = ""

    @property
    def on_disk(self) -> bool:
        """Whether the set can be loaded."""
        return not self.get


def status() -> list[Status]:
    """Return one row for each data set, the embedded ones first.

    What is on disk is compared with its checksum; of the photos, only names are looked at.

    Returns
    -------
    list of Status

    Examples
    --------
    >>> for row in status():
    ...     print(row.name, row.tier)
    digits embedded
    drawn_cats_and_dogs embedded
    mnist real
    fashion_mnist real
    svhn real
    dogs_vs_cats real
    vgg16 real
    vgg19 real
    mobilenet real
    """
    grey, colour = "1,797 of 28 x 28, grey", "4,000 of 64 x 64, colour"
    embedded = [
        Status("digits", "Handwritten digits", grey, "CC BY 4.0", "embedded", "built in"),
        Status(
            *("drawn_cats_and_dogs", "Drawn cats and dogs", colour),
            *("the course's", "embedded", "drawn at first use"),
        ),
    ]
    return [*embedded, *(_status_of(source) for source in SOURCES.values())]


def fetch(
    name: str,
    *,
    force: bool = False,
    source: str | Path | None = None,
) -> str:
    """Bring a real data set into the data folder, unless it is there already.

    Copies in ``source`` and in Keras's own cache are looked for first; a copy is taken if
    its content is right. What is missing then is downloaded.

    Parameters
    ----------
    name : str
        A name in ``catalogue.SOURCES``, such as ``"mnist"``.
    force : bool, default False
        Whether to replace what is in the data folder.
    source : str or pathlib.Path, optional
        A folder that may hold a copy.

    Returns
    -------
    str
        One sentence that says what was done.

    Raises
    ------
    ValueError
        If the name is unknown.
    DataError
        If the set is there but broken and ``force`` is not set, if it cannot be
        downloaded, or if the data folder cannot be written to.

    Examples
    --------
    >>> fetch("minst")
    Traceback (most recent call last):
    ValueError: There is no data set named 'minst'; known are mnist, fashion_mnist, svhn, ...
    """
    if name not in SOURCES:
        raise ValueError(f"There is no data set named {name!r}; known are {', '.join(SOURCES)}.")
    source = Path(source).expanduser() if source is not None else None
    if source is not None and not source.is_dir():
        raise DataError(f"There is no folder {source} to take {SOURCES[name].title} from.")
    wanted, folder = SOURCES[name], data_folder()
    with _plain_disk_errors(folder):
        if wanted.name == "dogs_vs_cats":
            return _fetch_photos(wanted, force, source)
        if not force and _is_in_place(wanted, folder):
            return f"{wanted.title} is already there, and its content is right."
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(wanted, folder):
            # While this process waited, another one may have fetched the set.
            if not force and _is_in_place(wanted, folder):
                return f"{wanted.title} is already there, and its content is right."
            places = _places(wanted, source, None if force else folder)
            return _bring(wanted, folder, places)


def keras_cache() -> Path:
    """Return the folder in which Keras keeps what it downloads.

    Returns
    -------
    pathlib.Path
        The folder that ``KERAS_HOME`` names, else ``.keras`` in the home folder.

    Examples
    --------
    >>> keras_cache().is_absolute()
    True
    """
    chosen = os.environ.get("KERAS_HOME", "").strip()
    return Path(chosen or "~/.keras").expanduser().absolute()


def main(arguments: list[str] | None = None) -> int:
    """Run the data command.

    Parameters
    ----------
    arguments : list of str, optional
        What follows the command's name; that of this process by default.

    Returns
    -------
    int
        0 if all went well, else 1.
    """
    parser = argparse.ArgumentParser(
        prog="python -m course_utils.data.download",
        description="Show which data sets are on disk, or fetch the real ones.",
    )
    parser.add_argument("names", nargs="*", metavar="SET", help=f"{', '.join(SOURCES)}, or all")
    parser.add_argument(
        "--from", dest="source", metavar="FOLDER", help="look for copies in this folder first"
    )
    parser.add_argument("--force", action="store_true", help="replace what is there")
    chosen = parser.parse_args(arguments)
    try:
        if not chosen.names:
            print(_table(status()))
            return 0
        names = [name.lower() for name in chosen.names]
        names = list(SOURCES) if "all" in names else names
        # A list, so that one set that fails does not keep the next from being fetched.
        return int(not all([_fetched(name, chosen.force, chosen.source) for name in names]))
    except (DataError, OSError) as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print(
            "\nInterrupted. What has come is kept: run the same command again to go on from there.",
            file=sys.stderr,
        )
    return 1


def _fetched(name: str, force: bool, source: str | None) -> bool:
    """Fetch one set and report it; tell whether that went well."""
    try:
        print(fetch(name, force=force, source=source))
    except (DataError, ValueError) as error:
        print(error, file=sys.stderr)
        return False
    return True


def _table(rows: list[Status]) -> str:
    """Lay the rows out as text for a terminal."""
    lines = [("SET", "TIER", "STATE", "IMAGES", "DOWNLOAD", "LICENCE")]
    for row in rows:
        size = f"{row.size / 1e6:.0f} MB" if row.size else "-"
        lines.append((row.name, row.tier, row.state, row.images, size, row.licence))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    missing = [f"{row.title}: {row.get}" for row in rows if row.get]
    return "\n".join([f"Data folder: {data_folder()}", "", *text, "", *missing]).rstrip()


def _status_of(source: Source) -> Status:
    """Describe one real set by what is on disk."""
    state = prepared_photos.state() if source.name == "dogs_vs_cats" else _state(source)
    get = how_to_get(source.name, force=state == "broken")
    if state in ("on disk", "to be prepared"):
        get = ""
    elif _is_in_keras_cache(source):
        state = "in Keras's cache"
    about = source.name, source.title, source.images, source.licence
    return Status(*about, "real", state, source.size, get)


def _state(source: Source) -> str:
    """Say whether the files of a set are there."""
    paths = [data_folder() / file for file in source.files]
    there = [path for path in paths if os.path.lexists(path)]
    if any(problem(source, path) for path in there):
        return "broken"
    return ("on disk" if len(there) == len(paths) else "incomplete") if there else "not on disk"


def _is_in_keras_cache(source: Source) -> bool:
    """Tell whether Keras has downloaded all files of a set."""
    place = keras_cache() / (source.keras or "")
    return bool(source.keras) and all(os.path.isfile(place / x.file_name) for x in source.downloads)


@contextmanager
def _plain_disk_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the file system into messages that say what to do."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, folder) from error


@contextmanager
def _alone(wanted: Source, folder: Path) -> Iterator[None]:
    """Wait until no other process fetches the same set into the same folder."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / f".{wanted.name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        note(f"Another process is fetching {wanted.title}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch_photos(wanted: Source, force: bool, source: Path | None) -> str:
    """Prepare the photos from an archive on this computer, else from one that is downloaded."""
    if not force and prepared_photos.find([data_folder(), made_folder()]):
        return f"{wanted.title} is already there, prepared."
    data_folder().mkdir(parents=True, exist_ok=True)
    folder = made_folder()
    folder.mkdir(exist_ok=True)
    target, staging = folder / prepared_photos.FOLDER, folder / f"{wanted.name}.download"
    with _alone(wanted, folder):
        # While this process waited, another one may have prepared them.
        if not force and prepared_photos.find([folder]):
            return f"{wanted.title} is already there, prepared."
        prepared_photos.check_target(target)
        archive = find_source([source, data_folder()] if source else [data_folder()])
        if archive is None:
            staging.mkdir(exist_ok=True)
            _download(wanted.downloads[0], staging)
            archive = staging / wanted.downloads[0].file_name
        report = prepared_photos.prepare(archive, target, replace=force)
        shutil.rmtree(staging, ignore_errors=True)
    return f"{report.summary()} They are in {target}."


def _is_in_place(wanted: Source, folder: Path) -> bool:
    """Tell whether a set is there; where a file of it is broken, say so."""
    there = [folder / file for file in wanted.files if os.path.lexists(folder / file)]
    for path in there:
        wrong = problem(wanted, path)
        if wrong:
            raise DataError(
                f"{wrong} It was left as it is: move it away, or replace it with "
                f"{how_to_get(wanted.name, force=True)}."
            )
    return len(there) == len(wanted.files)


def _places(wanted: Source, source: Path | None, folder: Path | None) -> list[Path]:
    """Return the folders that may hold a copy of a set, or of a part of it."""
    places = [folder, source, keras_cache() / wanted.keras if wanted.keras else None]
    return [place for place in places if place is not None]


def _bring(wanted: Source, folder: Path, places: list[Path]) -> str:
    """Gather a set in a folder of its own, check it, and put it in place."""
    staging = folder / f"{wanted.name}.download"
    staging.mkdir(exist_ok=True)
    downloaded = False
    # A list, so that every file of which there is a copy is copied, not only the first.
    if not all([_copy(wanted, file, staging, places) for file in wanted.files]):
        for item in wanted.downloads:
            tried = item.file_name in wanted.files
            if tried or not _copy(wanted, item.file_name, staging, places):
                _download(item, staging)
                downloaded = True
        if wanted.name == "fashion_mnist":
            _pack_idx(wanted, staging)
    for file in wanted.files:
        os.replace(staging / file, folder / file)
    shutil.rmtree(staging)
    how = "downloaded" if downloaded else "copied from this computer"
    return f"{wanted.title} was {how}, checked and put into {folder}."


def _copy(wanted: Source, file: str, staging: Path, places: list[Path]) -> bool:
    """Copy a file from the first place that holds it with the right content."""
    for place in places:
        if not os.path.isfile(place / file):
            continue
        wrong = problem(wanted, place / file)
        if wrong is None:
            shutil.copyfile(place / file, staging / file)
            return True
        note(f"Not used: {wrong}")
    return False


def _download(item: Download, staging: Path) -> None:
    """Download one file and check it; pooch leaves it alone if it is there already."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    part = staging / f"{item.file_name}.part"
    resuming = partial(download_file, part=part, size=item.size)
    try:
        pooch.retrieve(item.url, item.checksum, item.file_name, staging, downloader=resuming)
    except ValueError as error:
        raise DataError(
            f"{item.url} was downloaded, but has the wrong checksum, and was removed. "
            "Run the same command again; if that does not help, report it to the course."
        ) from error


def _pack_idx(wanted: Source, staging: Path) -> None:
    """Put the four IDX files of Fashion-MNIST, which were checked, into one ``.npz`` file."""
    names = ("x_train", "y_train", "x_test", "y_test")
    arrays = [_read_idx(staging / item.file_name) for item in wanted.downloads]
    np.savez_compressed(staging / wanted.files[0], **dict(zip(names, arrays, strict=True)))


def _read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of bytes: the number of axes, their lengths, the values."""
    content = gzip.decompress(path.read_bytes())
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


if __name__ == "__main__":
    sys.exit(main())
