"""Make a folder of files once, however often it is asked for, interrupted or asked for twice.

The files are written beside the folder's place, and get their name when all of them are
there.
"""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from course_utils.data.http_download import disk_error


def make_once(
    folder: Path,
    is_there: Callable[[], bool],
    fill: Callable[[Path], None],
    *,
    replace: bool = False,
) -> None:
    """Fill a folder that is not there yet, and give it its name when it is complete.

    Of several processes that ask for the same folder at once, one fills it and the others
    wait. What an interrupted or killed process left behind is removed.

    Parameters
    ----------
    folder : pathlib.Path
    is_there : function
        Tells whether the folder is there and right; it may refuse what is there by raising.
    fill : function
        Writes the files into the folder that it is given.
    replace : bool, default False
        Whether to make the folder anew without asking ``is_there``. What has its name is
        deleted, whatever it is, but only when the new folder is complete.

    Raises
    ------
    DataError
        If the disk cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as place:
    ...     folder = Path(place) / "greetings"
    ...     make_once(folder, folder.is_dir, lambda new: (new / "hello.txt").touch())
    ...     [file.name for file in folder.iterdir()]
    ['hello.txt']
    """
    from filelock import FileLock

    try:
        if not replace and is_there():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(_beside(folder, "lock")):
            _put_back(folder)
            # While this process waited, another one may have made the folder.
            if replace or not is_there():
                _fill_beside(folder, fill, replace)
    except OSError as error:
        raise disk_error(error, folder.parent) from error


def _beside(folder: Path, ending: str) -> Path:
    """Return the hidden name beside a folder that has this ending."""
    return folder.parent / f".{folder.name}.{ending}"


def _put_back(folder: Path) -> None:
    """Give a folder its name back that had been set aside for a new one which never came."""
    old = _beside(folder, "old")
    if os.path.lexists(old) and not os.path.lexists(folder):
        os.rename(old, folder)


def _fill_beside(folder: Path, fill: Callable[[Path], None], replace: bool) -> None:
    """Fill a folder under another name, and rename it when it is complete."""
    _remove_leftovers(folder)
    staging, old = _beside(folder, f"{os.getpid()}.part"), _beside(folder, "old")
    try:
        staging.mkdir()
        fill(staging)
        if replace and os.path.lexists(folder):
            os.rename(folder, old)
        os.rename(staging, folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        _put_back(folder)
        raise
    _remove_leftovers(folder)


def _remove_leftovers(folder: Path) -> None:
    """Remove what has been replaced, and what killed processes left unfinished."""
    leftover = re.compile(rf"\.{re.escape(folder.name)}\.(\d+\.part|old)")
    for path in list(folder.parent.iterdir()):
        if not leftover.fullmatch(path.name):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
