"""TensorBoard from a notebook: open it on this machine only, stop it, read what it shows.

TensorBoard is a small web server that draws what ``keras.callbacks.TensorBoard`` has written.
Here it runs as a process of its own, which ends when it is told to, and with the notebook's
kernel at the latest.
"""

import atexit
import http.client
import importlib.util
import mimetypes
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from IPython.display import display, update_display

from course_utils.data.settings import DataError

HOST = "127.0.0.1"


class Board:
    """A TensorBoard that runs; `start` makes it.

    As the last line of a cell it shows itself in a frame, with a link to a page of its own;
    once it is stopped, the cell says so instead. In a ``with`` block it is stopped at the end,
    and so for every cell that has started one on the same folder: they share it.

    Attributes
    ----------
    url : str
        Its address, which only this machine can reach.
    log_dir : pathlib.Path
        The folder whose runs it shows.
    """

    def __init__(self, log_dir: Path, url: str, process: subprocess.Popen) -> None:
        self.log_dir = log_dir
        self.url = url
        self._process = process
        self._display_id = uuid.uuid4().hex
        self._shown = False

    @property
    def running(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Stop it, and clear away after it if it has ended by itself; once is enough."""
        if not self._process.stdout.closed:  # which is the last thing that `_end` does
            _end(self._process)
            if self._shown:
                update_display(self._view(), raw=True, display_id=self._display_id)

    def __enter__(self) -> "Board":
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"TensorBoard at {self.url}" if self.running else "TensorBoard, stopped"

    def _ipython_display_(self) -> None:
        """Show the frame, in such a way that `stop` can replace it."""
        self._shown = True
        display(self._view(), raw=True, display_id=self._display_id)

    def _view(self) -> dict[str, str]:
        """Write the frame, or that there is none any more."""
        html = "<p>TensorBoard was open here. It is stopped; run this cell again to open it.</p>"
        if self.running:
            html = (
                f'<p>TensorBoard, on this machine only: <a href="{self.url}" target="_blank">'
                f'{self.url}</a></p><iframe src="{self.url}" title="TensorBoard" width="100%" '
                'height="700" style="border: 1px solid #bbb"></iframe>'
            )
        return {"text/html": html, "text/plain": repr(self)}


_boards: dict[Path, Board] = {}
_starting = threading.Lock()


def start(log_dir: str | Path, timeout: float = 60) -> Board:
    """Open TensorBoard on a folder of event files, at an address of this machine only.

    Parameters
    ----------
    log_dir : str or pathlib.Path
        Holds event files, also in folders of any depth; each folder with such files is a run.
    timeout : float
        Seconds to wait until it answers.

    Returns
    -------
    Board
        The one that already runs for this folder, if there is one. Runs that are written
        later appear in it by themselves.

    Raises
    ------
    DataError
        If there is no such folder, or no event file in it.
    ImportError
        If TensorBoard is not installed.
    RuntimeError
        If TensorBoard ends, or does not answer in time; the message ends with what it has
        printed.

    Examples
    --------
    >>> start("lgos")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    course_utils.data.settings.DataError: There is no folder ...lgos. ...
    """
    folder = Path(log_dir).expanduser().absolute()
    _event_files(folder)
    if importlib.util.find_spec("tensorboard") is None:
        raise ImportError("TensorBoard is not installed: run pip install -r requirements.txt.")
    with _starting:
        if folder in _boards and not _boards[folder].running:
            _boards.pop(folder).stop()
        if folder not in _boards:
            _boards[folder] = Board(folder, *_launch(folder, timeout))
            atexit.register(_boards[folder].stop)
        return _boards[folder]


def scalars(log_dir: str | Path) -> dict[str, dict[str, list[float]]]:
    """Read the curves that TensorBoard would draw.

    Parameters
    ----------
    log_dir : str or pathlib.Path
        As for `start`.

    Returns
    -------
    dict of str to dict of str to list of float
        For each run, named after its folder, and each tag in it, one value for each step that
        was written. Where a step was written twice, as by two trainings into one folder, the
        later value counts. A file that breaks off, as one does whose training was killed, is
        read up to there.

    Raises
    ------
    DataError
        If there is no such folder, no event file in it, or one that cannot be read at all.

    Examples
    --------
    >>> from course_utils.backend import tf
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with tf.summary.create_file_writer(f"{folder}/first").as_default():
    ...         for step, loss in enumerate([0.5, 0.25]):
    ...             _ = tf.summary.scalar("loss", loss, step)
    ...         tf.summary.flush()
    ...     scalars(folder)
    {'first': {'loss': [0.5, 0.25]}}
    """
    steps: dict[str, dict[str, dict[int, float]]] = {}
    for run, step, value, kind in _values(log_dir):
        tags_of_run = steps.setdefault(run, {})
        if kind == "scalars":
            tags_of_run.setdefault(value.tag, {})[step] = _number(value)
    return {
        run: {tag: [values[step] for step in sorted(values)] for tag, values in by_tag.items()}
        for run, by_tag in steps.items()
    }


def tags(log_dir: str | Path) -> dict[str, dict[str, list[str]]]:
    """List what there is to see in TensorBoard.

    Parameters
    ----------
    log_dir : str or pathlib.Path
        As for `start`.

    Returns
    -------
    dict of str to dict of str to list of str
        For each run and each kind of content, the tags. The kinds are called as TensorBoard
        calls them: ``scalars``, ``histograms``, ``graph_keras_model`` and so on.

    Raises
    ------
    DataError
        As for `scalars`.

    Examples
    --------
    >>> from course_utils.backend import tf
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with tf.summary.create_file_writer(folder).as_default():
    ...         _ = tf.summary.histogram("kernel", [0.0, 1.0], step=0)
    ...         tf.summary.flush()
    ...     tags(folder)
    {'.': {'histograms': ['kernel']}}
    """
    found: dict[str, dict[str, list[str]]] = {}
    for run, _, value, kind in _values(log_dir):
        names = found.setdefault(run, {}).setdefault(kind, [])
        if value.tag not in names:
            names.append(value.tag)
    return found


def _values(log_dir: str | Path) -> Iterator[tuple]:
    """Read all event files: run, step, value and kind of each thing that was written."""
    from course_utils.backend import tf  # first, because TensorBoard imports it noisily

    folder = Path(log_dir).expanduser().absolute()
    kinds: dict[tuple[str, str], str] = {}
    for path in _event_files(folder):
        run = path.parent.relative_to(folder).as_posix()
        try:
            events = _events(path)
        except tf.errors.OpError as error:
            raise DataError(f"{path} cannot be read: {error.message}.") from error
        for event in events:
            for value in event.summary.value:
                # The kind is only sure to be there where a tag occurs for the first time.
                kind = kinds.setdefault((run, value.tag), value.metadata.plugin_data.plugin_name)
                yield run, event.step, value, kind


def _events(path: Path) -> list:
    """Read one file, up to where it breaks off."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    events = list(EventFileLoader(str(path)).Load())
    if not events and path.stat().st_size:
        raise DataError(f"{path} is broken, or no event file. Delete it, and train again.")
    return events


def _number(value: object) -> float:
    """Take the number out of a value."""
    from tensorboard.util.tensor_util import make_ndarray

    return float(make_ndarray(value.tensor))


def _event_files(folder: Path) -> list[Path]:
    """List the event files of a folder, run by run, the older ones first."""
    write = "Train with keras.callbacks.TensorBoard(folder) among the callbacks first."
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}. {write}")
    files = [path for path in folder.rglob("*tfevents*") if path.is_file()]
    if not files:
        raise DataError(f"{folder} holds no event files. {write}")
    # Their names hold the second at which they were begun, and count on within it.
    return sorted(files, key=lambda p: (p.parent, [int(n) for n in re.findall(r"\d+", p.name)]))


def _launch(folder: Path, timeout: float) -> tuple[str, subprocess.Popen]:
    """Start TensorBoard, and wait until it has an address and answers there."""
    failure = f"did not answer within {timeout:g} seconds"
    with tempfile.TemporaryFile() as complaints:
        process = _process(folder, complaints)
        try:
            url = _first_line(process, timeout)
            if _answers(url, timeout):
                return url, process
            if _has_ended(process):
                failure = "ended before it answered"
        except BaseException:  # also when the user interrupts the waiting
            _end(process)
            raise
        _end(process)
        complaints.seek(0)
        tail = complaints.read().decode(errors="replace").strip()[-2000:]
    raise RuntimeError(f"TensorBoard {failure}. It said: {tail}")


def _process(folder: Path, complaints: IO[bytes]) -> subprocess.Popen:
    """Start the process of TensorBoard; its warnings and errors go to a file."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "course_utils.tensorboards", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        env={**os.environ, "no_grpc_proxy": "localhost"},  # it talks to a helper of its own
        start_new_session=True,  # so that interrupting a cell does not reach it
    )


def _first_line(process: subprocess.Popen, timeout: float) -> str:
    """Wait for the first line that a process prints; nothing if it ends or takes too long."""
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: lines.put(process.stdout.readline()), daemon=True).start()
    try:
        return lines.get(timeout=timeout).strip()
    except queue.Empty:
        return ""


def _has_ended(process: subprocess.Popen) -> bool:
    """Tell whether a process has ended; it closes its pipes a moment before."""
    try:
        process.wait(1)
    except subprocess.TimeoutExpired:
        return False
    return True


def _answers(url: str, timeout: float) -> bool:
    """Tell whether a page is served; asked directly, whatever proxy the machine may use."""
    if not url:
        return False
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=timeout)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen) -> None:
    """End a process that reads its standard input to the end, gently if it allows."""
    process.stdin.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _serve(folder: str) -> None:
    """Run TensorBoard in this process, until its standard input is closed.

    The other end of that pipe is held by the notebook's kernel. However the kernel ends, the
    operating system closes it.
    """
    from tensorboard import program

    mimetypes.add_type("text/javascript", ".js")  # some Windows programs register another one
    board = program.TensorBoard()
    board.configure(argv=["", "--logdir", folder, "--host", HOST, "--port", "0"])
    print(board.launch(), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1])
