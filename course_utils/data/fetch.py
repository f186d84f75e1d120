"""The data command: show which data sets are on disk, and fetch the real ones.

In a terminal, ``python -m course_utils.data.fetch`` shows a table, and
``python -m course_utils.data.fetch mnist`` fetches a set. A set is checked before it is put in
place, in one move; a broken download goes on where it stopped.
"""

import argparse
import gzip
import hashlib
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from course_utils.data import photos
from course_utils.data.archives import find_source
from course_utils.data.downloads import Patience, disk_error, download
from course_utils.data.settings import DataError, Tier, data_folder, made_folder
from course_utils.data.sources import SOURCES, Download, Source, how_to_get
from course_utils.datasets import read_npz


@dataclass(frozen=True)
class Status:
    """One row of the table of data sets.

    Attributes
    ----------
    name, title, images, licence : str
        As in ``sources``.
    tier : {"real", "embedded"}
        Whether the set is fetched, or comes with the course's requirements.
    on_disk : bool
        Whether its files are in the data folder, so that it can be loaded.
    state : str
        ``"on disk"``, ``"not on disk"``, ``"incomplete"`` or ``"broken"``; or ``"built in"``;
        ``"to be prepared"`` where the first use makes the set from an archive that is there.
    size : int
        Bytes to download.
    in_keras_cache : bool
        Whether Keras has downloaded it before, so that it need only be copied.
    get : str
        The commands that fetch it; empty where nothing is to be done.
    """

    name: str
    title: str
    tier: Tier
    on_disk: bool
    state: str
    images: str
    size: int
    licence: str
    in_keras_cache: bool
    get: str


def status() -> list[Status]:
    """Return one row for each data set, the embedded ones first.

    This looks at names, sizes and tables of contents only, so that it takes no time;
    ``fetch`` checks the content.

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
    digits = ("Handwritten digits", "built in", "1,797 of 28 x 28, grey", "CC BY 4.0")
    drawn = (
        "Drawn cats and dogs",
        "drawn at first use",
        "4,000 of 64 x 64, colour",
        "the course's",
    )
    embedded = [
        Status(name, title, "embedded", True, state, images, 0, licence, False, "")
        for name, (title, state, images, licence) in (
            ("digits", digits),
            ("drawn_cats_and_dogs", drawn),
        )
    ]
    return [*embedded, *(_status_of(source) for source in SOURCES.values())]


def fetch(
    name: str,
    *,
    force: bool = False,
    source: str | Path | None = None,
    patience: Patience | None = None,
) -> str:
    """Bring a real data set into the data folder, unless it is there already.

    Copies in ``source`` and in Keras's own cache are looked for first; a copy is taken if
    its content is right. What is missing then is downloaded.

    Parameters
    ----------
    name : str
        A name in ``sources.SOURCES``, such as ``"mnist"``.
    force : bool, default False
        Whether to replace what is in the data folder.
    source : str or pathlib.Path, optional
        A folder that may hold a copy.
    patience : Patience, optional
        How long to wait for the server and how often to try again.

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
            return _fetch_photos(wanted, force, source, patience or Patience())
        if not force and _is_in_place(wanted, folder):
            return f"{wanted.title} is already there, and its content is right."
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_folders(wanted, folder)
        with _alone(wanted, folder):
            # While this process waited, another one may have fetched the set.
            if not force and _is_in_place(wanted, folder):
                return f"{wanted.title} is already there, and its content is right."
            places = _places(wanted, source, None if force else folder)
            return _bring(wanted, folder, places, patience or Patience())


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
        prog="python -m course_utils.data.fetch",
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
        state = f"{row.state}, in Keras's cache" if row.in_keras_cache else row.state
        lines.append((row.name, row.tier, state, row.images, size, row.licence))
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    missing = [f"{row.title}: {row.get}" for row in rows if row.get]
    return "\n".join([f"Data folder: {data_folder()}", "", *text, "", *missing]).rstrip()


def _status_of(source: Source) -> Status:
    """Describe one real set from names, sizes and tables of contents."""
    state = photos.state() if source.name == "dogs_vs_cats" else _state(source)
    on_disk = state in ("on disk", "to be prepared")
    return Status(
        source.name,
        source.title,
        "real",
        on_disk,
        state,
        source.images,
        source.size,
        source.licence,
        not on_disk and _is_in_keras_cache(source),
        "" if on_disk else how_to_get(source.name, force=state == "broken"),
    )


def _state(source: Source) -> str:
    """Say whether the files of a set are there."""
    found = [_looks_right(source, data_folder() / file) for file in source.files]
    if all(right is None for right in found):
        return "not on disk"
    if False in found:
        return "broken"
    return "incomplete" if None in found else "on disk"


def _looks_right(source: Source, path: Path) -> bool | None:
    """Tell at a glance whether a file is there and whole; None where there is none."""
    try:
        if not os.path.lexists(path):
            return None
        if path.suffix == ".npz":
            return _labels_match(source, path)
        sizes = {item.file_name: item.size for item in source.downloads}
        return path.stat().st_size == sizes.get(path.name, path.stat().st_size)
    except Exception:
        # zipfile raises half a dozen kinds of exception for a damaged file.
        return False


def _labels_match(source: Source, path: Path) -> bool:
    """Tell whether a file has the arrays of a set, and its test labels, which are quickly read."""
    with np.load(path, allow_pickle=False) as file:
        labels = np.ascontiguousarray(file["y_test"], np.uint8).tobytes()
        same = hashlib.sha256(labels).hexdigest() == source.content["y_test"]
        return same and set(source.content) <= set(file.files)


def _is_in_keras_cache(source: Source) -> bool:
    """Tell whether Keras has downloaded all files of a set."""
    places = [keras_cache() / source.keras] if source.keras else []
    return any(
        all(_is_file(place / item.file_name) for item in source.downloads) for place in places
    )


def _is_file(path: Path) -> bool:
    """Tell whether there is such a file, also where its folder may not be searched."""
    try:
        return path.is_file()
    except OSError:
        return False


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
        _note(f"Another process is fetching {wanted.title}; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _note(text: str) -> None:
    """Tell the user something on the way."""
    print(text, file=sys.stderr, flush=True)


def _fetch_photos(wanted: Source, force: bool, source: Path | None, patience: Patience) -> str:
    """Prepare the photos from an archive on this computer, else from one that is downloaded."""
    if not force and photos.find([data_folder(), made_folder()]):
        return f"{wanted.title} is already there, prepared."
    data_folder().mkdir(parents=True, exist_ok=True)
    folder = made_folder()
    folder.mkdir(exist_ok=True)
    target, staging = folder / photos.FOLDER, folder / f"{wanted.name}.download"
    with _alone(wanted, folder):
        # While this process waited, another one may have prepared them.
        if not force and photos.find([folder]):
            return f"{wanted.title} is already there, prepared."
        photos.check_target(target)
        archive = find_source([source, data_folder()] if source else [data_folder()])
        if archive is None:
            staging.mkdir(exist_ok=True)
            _download(wanted.downloads[0], staging, patience)
            archive = staging / wanted.downloads[0].file_name
        report = photos.prepare(archive, target, replace=force)
        shutil.rmtree(staging, ignore_errors=True)
    return f"{report.summary()} They are in {target}."


def _is_in_place(wanted: Source, folder: Path) -> bool:
    """Tell whether a set is there; where a file of it is broken, say so."""
    there = [folder / file for file in wanted.files if os.path.lexists(folder / file)]
    for path in there:
        problem = _problem(wanted, path)
        if problem:
            raise DataError(
                f"{problem} It was left as it is: move it away, or replace it with "
                f"{how_to_get(wanted.name, force=True)}."
            )
    return len(there) == len(wanted.files)


def _refuse_folders(wanted: Source, folder: Path) -> None:
    """Refuse to go on where a folder has the name of a file, which cannot be replaced."""
    for path in (folder / file for file in wanted.files):
        if path.is_dir():
            raise DataError(f"{path} is a folder, where a file belongs: move it away first.")


def _problem(wanted: Source, path: Path) -> str | None:
    """Say what is wrong with the content of a file, or return None where nothing is."""
    if wanted.content and path.name in wanted.files:
        return _content_problem(wanted, path)
    for item in wanted.downloads:
        if item.file_name == path.name:
            return _file_problem(item, path)
    return None


def _content_problem(wanted: Source, path: Path) -> str | None:
    """Compare the arrays in a file with the set's checksums."""
    try:
        arrays = read_npz(path)
    except DataError as error:
        return str(error)
    for name, checksum in wanted.content.items():
        found = hashlib.sha256(np.ascontiguousarray(arrays[name]).tobytes()).hexdigest()
        if arrays[name].dtype != np.uint8 or found != checksum:
            return f"{path} is not {wanted.title}: its array {name} has another content."
    return None


def _file_problem(item: Download, path: Path) -> str | None:
    """Compare a file with the size and the checksum of the download."""
    try:
        size = path.stat().st_size
        if size != item.size:
            return f"{path} has {size:,} bytes instead of {item.size:,}."
        if item.checksum:
            algorithm, _, expected = item.checksum.partition(":")
            with open(path, "rb") as file:
                if hashlib.file_digest(file, algorithm).hexdigest() != expected:
                    return f"{path} has the wrong checksum."
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}."
    return None


def _places(wanted: Source, source: Path | None, folder: Path | None) -> list[Path]:
    """Return the folders that may hold a copy of a set, or of a part of it."""
    places = [folder, source, keras_cache() / wanted.keras if wanted.keras else None]
    return [place for place in places if place is not None]


def _bring(wanted: Source, folder: Path, places: list[Path], patience: Patience) -> str:
    """Gather a set in a folder of its own, check it, and put it in place."""
    staging = folder / f"{wanted.name}.download"
    staging.mkdir(exist_ok=True)
    downloaded = False
    # A list, so that every file of which there is a copy is copied, not only the first.
    if not all([_copy(wanted, file, staging, places) for file in wanted.files]):
        for item in wanted.downloads:
            tried = item.file_name in wanted.files
            if tried or not _copy(wanted, item.file_name, staging, places):
                _download(item, staging, patience)
                downloaded = True
        _finish(wanted, staging)
    for file in wanted.files:
        os.replace(staging / file, folder / file)
    shutil.rmtree(staging)
    how = "downloaded" if downloaded else "copied from this computer"
    return f"{wanted.title} was {how}, checked and put into {folder}."


def _copy(wanted: Source, file: str, staging: Path, places: list[Path]) -> bool:
    """Copy a file from the first place that holds it with the right content."""
    for place in places:
        if not _is_file(place / file):
            continue
        problem = _problem(wanted, place / file)
        if problem is None:
            shutil.copyfile(place / file, staging / file)
            return True
        _note(f"Not used: {problem}")
    return False


def _download(item: Download, staging: Path, patience: Patience) -> None:
    """Download one file and check it; pooch leaves it alone if it is there already."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    part = staging / f"{item.file_name}.part"
    resuming = partial(download, part=part, size=item.size, patience=patience)
    try:
        pooch.retrieve(item.url, item.checksum, item.file_name, staging, downloader=resuming)
    except ValueError as error:
        raise DataError(
            f"{item.url} was downloaded, but has the wrong checksum, and was removed. "
            "Run the same command again; if that does not help, report it to the course."
        ) from error


def _finish(wanted: Source, staging: Path) -> None:
    """Turn what was downloaded into the files of the set, where the two differ."""
    if wanted.name == "fashion_mnist":
        _pack_idx(wanted, staging)


def _pack_idx(wanted: Source, staging: Path) -> None:
    """Put the four IDX files of Fashion-MNIST into one ``.npz`` file."""
    arrays = [_read_idx(staging / item.file_name) for item in wanted.downloads]
    path = staging / wanted.files[0]
    np.savez_compressed(
        path, **dict(zip(("x_train", "y_train", "x_test", "y_test"), arrays, strict=True))
    )
    problem = _problem(wanted, path)
    if problem:
        raise DataError(f"{problem} Remove {staging} and run the same command again.")


def _read_idx(path: Path) -> np.ndarray:
    """Read a gzipped IDX file of bytes: a magic number, the sides (big-endian), the values."""
    try:
        with gzip.open(path) as file:
            zeros, kind, axes = struct.unpack(">HBB", file.read(4))
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            if (zeros, kind) != (0, 8):
                raise ValueError("this is no IDX file of bytes")
            return np.frombuffer(file.read(), np.uint8).reshape(shape)
    except (OSError, EOFError, ValueError, struct.error, zlib.error) as error:
        raise DataError(f"{path} is broken: {error}. Remove it and run again.") from error


if __name__ == "__main__":
    sys.exit(main())
