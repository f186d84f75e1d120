"""Is what lies on disk what the catalogue describes? Checksums decide."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np

from course_utils.data.catalogue import Download, Source
from course_utils.data.settings import DataError


def problem(source: Source, path: Path) -> str | None:
    """Say what is wrong with the content of a file of a set, or return None where nothing is.

    Parameters
    ----------
    source : Source
    path : pathlib.Path
        A file of the set, or one that is downloaded to make it.

    Returns
    -------
    str or None
    """
    if source.content and path.name in source.files:
        try:
            read_npz(source, path)
        except DataError as error:
            return str(error)
        return None
    items = [item for item in source.downloads if item.file_name == path.name]
    return _file_problem(items[0], path) if items else None


def read_npz(source: Source, path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of a set from its ``.npz`` file, whatever program wrote it.

    Parameters
    ----------
    source : Source
        Says which arrays there are, and their checksums.
    path : pathlib.Path

    Returns
    -------
    dict of str to ndarray of uint8
        ``x_train``, ``y_train``, ``x_test`` and ``y_test``.

    Raises
    ------
    DataError
        If the file cannot be read, is damaged, or holds something else. Python objects are never
        loaded. The message says what is wrong, not what to do.
    """
    try:
        with open(path, "rb") as raw:
            if not zipfile.is_zipfile(raw):
                raise ValueError("it is no .npz file")
            with np.load(raw, allow_pickle=False) as file:
                arrays = {name: file[name] for name in source.content}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:
        # NumPy, zipfile and zlib raise a dozen kinds of exception for a damaged file.
        raise DataError(f"{path} is broken: {str(error) or type(error).__name__}.") from error
    for name, checksum in source.content.items():
        content = np.ascontiguousarray(arrays[name])
        if content.dtype != np.uint8 or hashlib.sha256(content).hexdigest() != checksum:
            raise DataError(f"{path} is not {source.title}: its array {name} has another content.")
    return arrays


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
