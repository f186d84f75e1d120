"""Make a folder of files once, however often it is asked for, interrupted or asked for twice.

The files are written beside the folder's place, and get their name when all of them are
there. Helper processes can share the work.
"""

import multiprocessing
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from course_utils.downloads import disk_error

Task = TypeVar("Task")
Result = TypeVar("Result")


def make_once(
    folder: Path,
    is_there: Callable[[], bool],
    fill: Callable[[Path], None],
    *,
    replace: bool = False,
    helpers: bool = False,
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
    helpers : bool, default False
        Whether ``fill`` starts helper processes, as ``shared_out`` does.

    Raises
    ------
    DataError
        If the disk cannot be written to.
    RuntimeError
        If ``fill`` starts helper processes, and this is one itself that is still importing
        the user's script: the call is not under ``if __name__ == "__main__":``.

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
        if helpers:
            _refuse_while_importing()
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(_beside(folder, "lock")):
            _put_back(folder)
            # While this process waited, another one may have made the folder.
            if replace or not is_there():
                _fill_beside(folder, fill, replace)
    except OSError as error:
        raise disk_error(error, folder.parent) from error


def _refuse_while_importing() -> None:
    """Refuse to work in a helper process that is only about to read the user's script."""
    # A script without the guard would have its helpers wait for it, and it for them.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError('Put the call under `if __name__ == "__main__":`, or use processes=1.')


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


def shared_out(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    processes: int,
    on_done: Callable[[Task], Any],
) -> list[Result]:
    """Do pieces of work on several processes, or on this one where there can be no others.

    Parameters
    ----------
    work : function
        Takes a task. Other processes must be able to import it: it is a module's function,
        or a ``functools.partial`` of one.
    tasks : sequence
    processes : int
        At least 1, which stands for this process alone.
    on_done : function
        Called here with each task that is done, for a progress bar.

    Returns
    -------
    list
        The results, in the order of the tasks.

    Examples
    --------
    >>> shared_out(abs, [-1, 2], processes=1, on_done=print)
    -1
    2
    [1, 2]
    """
    from concurrent.futures.process import BrokenProcessPool

    results: list[Result] = []
    if processes > 1 and len(tasks) > 1:
        try:
            _by_helpers(work, tasks, min(processes, len(tasks)), on_done, results)
        except BrokenProcessPool:
            pass  # no helper can be started here, or one was killed: do the rest alone
    for task in tasks[len(results) :]:
        results.append(work(task))
        on_done(task)
    return results


def _by_helpers(
    work: Callable, tasks: Sequence, processes: int, on_done: Callable, results: list
) -> None:
    """Spread pieces of work over helper processes, and add their results to a list."""
    from concurrent.futures import ProcessPoolExecutor

    # Started afresh: a copy of this process would share TensorFlow's threads and locks.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_prepare_helper)
    try:
        for task, result in zip(tasks, pool.map(work, tasks), strict=True):
            results.append(result)
            on_done(task)
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare_helper() -> None:
    """Leave interruptions to the main process, and end when it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Wait for the main process to end, then end this one at once."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
