import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest

from course_utils import tensorboards
from course_utils.backend import keras, tf
from course_utils.data.settings import COURSE_FOLDER, DataError

pytestmark = pytest.mark.slow  # boards and trainings take seconds each

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(40, 3)).astype("f4"), RANDOM.normal(size=40).astype("f4")


def train(folder, epochs=3, **options):
    """Train a small net with the callback; return its history."""
    dense = keras.layers.Dense
    layers = [keras.Input((3,)), dense(2, name="hidden"), dense(1, name="last")]
    net = keras.Sequential(layers, name="net")
    net.compile(keras.optimizers.SGD(0.05), loss="mse", metrics=["mae"])
    callback = keras.callbacks.TensorBoard(folder, **options)
    data = {"validation_data": (X[:9], Y[:9]), "verbose": 0}
    return net.fit(X, Y, epochs=epochs, callbacks=[callback], **data).history


def write(folder, values, tag="loss", steps=None):
    """Write an event file with one curve; return its path."""
    before = set(folder.glob("*")) if folder.exists() else set()
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default():
        for step, value in zip(steps or range(len(values)), values, strict=True):
            tf.summary.scalar(tag, value, step)
            writer.flush()
    writer.close()
    (path,) = set(folder.glob("*")) - before
    return path


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """A folder with one trained run in it, under a name that needs care."""
    folder = tmp_path_factory.mktemp("boards") / "my logs, all: 100 %"
    train(folder / "first try", histogram_freq=1)
    return folder


# Reading


def test_the_curves_are_those_of_the_history_exactly(tmp_path):
    history = train(tmp_path, epochs=4)
    curves = tensorboards.scalars(tmp_path)
    assert set(curves) == {"train", "validation"}
    for name in ("loss", "mae"):
        assert curves["train"][f"epoch_{name}"] == history[name]
        assert curves["validation"][f"epoch_{name}"] == history[f"val_{name}"]
    assert curves["train"]["epoch_learning_rate"] == [float(np.float32(0.05))] * 4


def test_a_run_is_named_after_its_folder(tmp_path):
    for number, name in enumerate((".", "a", "a/b c", "a/d")):
        write(tmp_path / name, [float(number)])
    expected = {".": 0.0, "a": 1.0, "a/b c": 2.0, "a/d": 3.0}
    assert tensorboards.scalars(tmp_path) == {
        run: {"loss": [value]} for run, value in expected.items()
    }


def test_values_come_in_the_order_of_their_steps(tmp_path):
    write(tmp_path, [1.0, 2.0, 3.0], steps=[20, 0, 10])
    assert tensorboards.scalars(tmp_path) == {".": {"loss": [2.0, 3.0, 1.0]}}


def test_of_two_trainings_into_one_folder_the_later_values_count(tmp_path):
    write(tmp_path, [1.0, 2.0, 3.0])
    write(tmp_path, [5.0, 6.0])
    assert tensorboards.scalars(tmp_path) == {".": {"loss": [5.0, 6.0, 3.0]}}


def test_later_means_later_also_after_nine_files(tmp_path):
    path = write(tmp_path, [1.0])
    for number in (9, 10):
        (tmp_path / f"events.out.tfevents.1700000000.host.7.{number}.v2").write_bytes(
            write(tmp_path / str(number), [float(number)]).read_bytes()
        )
    path.unlink()
    assert tensorboards.scalars(tmp_path)["."] == {"loss": [10.0]}


def test_the_tags_are_listed_by_kind(logs):
    found = tensorboards.tags(logs)
    assert set(found) >= {"first try/train", "first try/validation"}
    assert set(found["first try/train"]) == {"graph_keras_model", "histograms", "scalars"}
    assert found["first try/train"]["graph_keras_model"] == ["keras"]
    weights = ["net/hidden/kernel", "net/hidden/bias", "net/last/kernel", "net/last/bias"]
    assert found["first try/train"]["histograms"] == [f"{name}/histogram" for name in weights]
    assert set(found["first try/validation"]) == {"scalars"}


def test_histograms_and_graphs_are_no_curves(logs):
    curves = tensorboards.scalars(logs)
    assert set(curves["first try/train"]) == {"epoch_loss", "epoch_mae", "epoch_learning_rate"}


def test_a_file_that_breaks_off_is_read_up_to_there(tmp_path):
    values = [0.5, 0.25, 0.125]
    path = write(tmp_path, values)
    whole = path.read_bytes()
    lengths = []
    for size in range(0, len(whole) + 1, 3):
        path.write_bytes(whole[:size])
        try:
            read = tensorboards.scalars(tmp_path).get(".", {}).get("loss", [])
        except DataError:
            read = None
        assert read is None or read == values[: len(read)]
        lengths.append(-1 if read is None else len(read))
    assert lengths[0] == 0
    assert lengths[1:] == sorted(lengths[1:])
    assert set(lengths[1:]) >= {-1, 0, 1, 2}


def test_a_file_with_a_wrong_byte_is_read_up_to_there(tmp_path):
    path = write(tmp_path, [0.5, 0.25, 0.125])
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3] ^= 255
    path.write_bytes(content)
    assert tensorboards.scalars(tmp_path)["."]["loss"] in ([0.5], [0.5, 0.25])


def test_a_file_that_was_only_begun_holds_no_run(tmp_path):
    (tmp_path / "events.out.tfevents.1").touch()
    assert tensorboards.scalars(tmp_path) == {}
    assert tensorboards.tags(tmp_path) == {}


@pytest.mark.parametrize("content", [b"x", b"not an event file" * 100, bytes(1000)])
def test_a_file_of_another_kind_is_refused_by_name(tmp_path, content):
    write(tmp_path / "good", [1.0])
    (tmp_path / "events.out.tfevents.1").write_bytes(content)
    for read in (tensorboards.scalars, tensorboards.tags):
        with pytest.raises(DataError, match=r"events\.out\.tfevents\.1 is broken"):
            read(tmp_path)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs to change the user")
def test_a_file_that_may_not_be_read_is_refused_by_name():
    with tempfile.TemporaryDirectory() as name:
        path = write(Path(name), [1.0])
        Path(name).chmod(0o755)
        path.chmod(0)
        os.seteuid(65534)
        try:
            with pytest.raises(DataError, match=f"{path.name} cannot be read: .*[Pp]ermission"):
                tensorboards.scalars(name)
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("read", [tensorboards.scalars, tensorboards.tags, tensorboards.start])
def test_a_folder_without_event_files_is_refused(tmp_path, read):
    (tmp_path / "notes.txt").write_text("nothing to see")
    with pytest.raises(DataError, match=r"holds no event files.*keras\.callbacks\.TensorBoard"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"There is no folder .*lgos"):
        read(tmp_path / "lgos")
    with pytest.raises(DataError, match=r"There is no folder .*notes\.txt"):
        read(tmp_path / "notes.txt")


def test_a_folder_can_be_named_from_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "logs", [1.0])
    assert tensorboards.scalars("~/logs") == {".": {"loss": [1.0]}}


# Starting and stopping


def ask(url, path="/"):
    """Ask a server directly; return status and content."""
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


def listens(port, host="127.0.0.1"):
    """Tell whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


def port_of(url):
    return int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)/", url)[1])


def wait_until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def runs(process):
    """Whether a process runs; a zombie has ended, but nobody has asked how."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def helpers():
    """Processes of TensorBoard that this one has started and that are not about to vanish."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # which a zombie is, too
            if any("tensorboard" in word for word in process.cmdline()):
                found.append(process)
    return found


@pytest.fixture(scope="module")
def board(logs):
    with tensorboards.start(logs) as board:
        yield board


def test_it_answers_with_its_page(board):
    status, page = ask(board.url)
    assert status == 200
    assert b"<title>TensorBoard</title>" in page
    assert board.running


def test_it_shows_the_runs_of_the_folder(board, logs):
    def runs():
        return json.loads(ask(board.url, "/data/runs")[1])

    assert wait_until(runs)
    assert sorted(runs()) == ["first try/train", "first try/validation"]
    query = "/data/plugin/scalars/scalars?run=first%20try/train&tag=epoch_loss"
    shown = [value for _, _, value in json.loads(ask(board.url, query)[1])]
    read = tensorboards.scalars(logs)["first try/train"]["epoch_loss"]
    assert shown == pytest.approx(read, rel=1e-6)


def test_a_run_that_is_written_later_appears_by_itself(board, logs):
    write(logs / "second try", [1.0])
    assert wait_until(lambda: b"second try" in ask(board.url, "/data/runs")[1])


def test_no_other_address_of_this_machine_answers(board):
    port = port_of(board.url)
    addresses = {
        address.address.partition("%")[0]
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family in (socket.AF_INET, socket.AF_INET6)
    }
    others = (addresses | {"127.0.0.2", "::1"}) - {"127.0.0.1"}
    assert listens(port)
    assert [address for address in others if listens(port, address)] == []
    # The same of its helper that reads the files, and of whatever else it may have started.
    for process in helpers():
        for connection in process.net_connections():
            if connection.status == psutil.CONN_LISTEN:
                assert connection.laddr.ip == "127.0.0.1"


def test_for_the_same_folder_it_is_started_once(board, logs, monkeypatch):
    monkeypatch.chdir(logs.parent)
    assert tensorboards.start(logs) is board
    assert tensorboards.start(logs.name) is board


def test_two_threads_that_start_it_at_once_get_the_same_board(tmp_path):
    write(tmp_path, [1.0])
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(tensorboards.start, [tmp_path, tmp_path])
    for board in (first, second):
        board.stop()
    assert first is second


def test_stopping_leaves_nothing_behind(logs, tmp_path):
    write(tmp_path, [1.0])
    before = helpers()
    board = tensorboards.start(tmp_path)
    port = port_of(board.url)
    assert listens(port)
    assert set(helpers()) > set(before)
    assert repr(board) == f"TensorBoard at http://127.0.0.1:{port}/"
    board.stop()
    assert not listens(port)
    assert wait_until(lambda: set(helpers()) == set(before))
    assert not board.running
    assert repr(board) == "TensorBoard, stopped"
    board.stop()


def test_after_stopping_it_can_be_started_anew(tmp_path):
    write(tmp_path, [1.0])
    with tensorboards.start(tmp_path) as first:
        pass
    with tensorboards.start(tmp_path) as second:
        assert second is not first
        assert ask(second.url)[0] == 200
    assert not first.running
    assert not second.running


def test_a_with_block_stops_it_for_all_who_started_it_also_after_an_error(tmp_path):
    write(tmp_path, [1.0])
    board = tensorboards.start(tmp_path)
    with pytest.raises(KeyError), tensorboards.start(tmp_path):
        raise KeyError
    assert not board.running


def test_it_stops_while_a_browser_keeps_its_connection(tmp_path):
    write(tmp_path, [1.0])
    board = tensorboards.start(tmp_path)
    with socket.create_connection(("127.0.0.1", port_of(board.url))) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: keep-alive\r\n\r\n")
        assert browser.recv(12) == b"HTTP/1.1 200"
        board.stop()
        assert wait_until(lambda: not listens(port_of(board.url)))
    assert not board.running


def test_a_proxy_is_not_asked(tmp_path, monkeypatch):
    write(tmp_path, [1.0])
    before = set(helpers())
    with tensorboards.start(tmp_path):
        usual = len(set(helpers()) - before)
    for name in ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with tensorboards.start(tmp_path) as board:
        assert ask(board.url)[0] == 200
        assert len(set(helpers()) - before) == usual


KERNEL = """
import signal, sys, time
from course_utils import tensorboards
signal.signal(signal.SIGINT, signal.default_int_handler)  # as a kernel does
board = tensorboards.start(sys.argv[1])
try:
    print(board.url, flush=True)
    time.sleep(300)
except KeyboardInterrupt:
    print("interrupted", flush=True)
    input()
"""


@pytest.mark.skipif(os.name == "nt", reason="uses signals")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_it_survives_an_interrupt_but_not_the_end_of_its_parent(tmp_path, end):
    write(tmp_path, [1.0])
    parent = subprocess.Popen(
        [sys.executable, "-c", KERNEL, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=COURSE_FOLDER,
        start_new_session=True,
    )
    url = parent.stdout.readline().strip()
    family = psutil.Process(parent.pid).children(recursive=True)
    assert family
    os.killpg(parent.pid, signal.SIGINT)  # as "Interrupt Kernel" does
    assert parent.stdout.readline() == "interrupted\n"
    assert ask(url)[0] == 200
    if end:
        parent.send_signal(end)
    parent.communicate("\n")
    assert wait_until(lambda: not listens(port_of(url)))
    assert wait_until(lambda: not any(runs(process) for process in family))


# Trouble


def test_what_it_said_is_shown_when_it_does_not_start(tmp_path, monkeypatch):
    write(tmp_path / "logs", [1.0])
    broken = tmp_path / "tensorboard"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('broken on purpose')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    message = r"TensorBoard ended before it answered\. It said: (.|\n)*broken on purpose$"
    with pytest.raises(RuntimeError, match=message):
        tensorboards.start(tmp_path / "logs")


def test_when_it_takes_too_long_it_is_stopped(tmp_path):
    write(tmp_path, [1.0])
    before = helpers()
    with pytest.raises(RuntimeError, match=r"did not answer within 0\.001 seconds"):
        tensorboards.start(tmp_path, timeout=0.001)
    assert wait_until(lambda: set(helpers()) == set(before))


def test_without_tensorboard_it_says_how_to_get_it(tmp_path, monkeypatch):
    write(tmp_path, [1.0])
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ImportError, match="not installed: run pip install"):
        tensorboards.start(tmp_path)


def test_importing_and_starting_it_loads_no_tensorflow(logs):
    code = (
        "import sys\nfrom course_utils import tensorboards\n"
        "with tensorboards.start(sys.argv[1]): pass\n"
        "print(*{'tensorflow', 'keras', 'tensorboard'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(logs)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


# In a notebook


def test_a_cell_shows_the_page_until_it_is_stopped(tmp_path, displayed):
    write(tmp_path, [1.0])
    board = tensorboards.start(tmp_path)
    for _ in range(2):
        board._ipython_display_()
    board.stop()
    board.stop()
    *frames, note = displayed
    assert len(frames) == 2
    for frame in frames:
        assert f'<iframe src="{board.url}"' in frame["data"]["text/html"]
        assert f'<a href="{board.url}"' in frame["data"]["text/html"]
    assert "stopped" in note["data"]["text/html"]
    assert "127.0.0.1" not in json.dumps(note["data"])
    assert [output["update"] for output in displayed] == [False, False, True]
    assert len({output["transient"]["display_id"] for output in displayed}) == 1


@pytest.mark.skipif(os.name == "nt", reason="counts file descriptors")
@pytest.mark.parametrize("how", ["stopped", "started anew"])
def test_a_board_that_died_by_itself_is_cleared_away(tmp_path, displayed, how):
    write(tmp_path, [1.0])
    before = helpers()
    board = tensorboards.start(tmp_path)
    board._ipython_display_()
    for process in set(helpers()) - set(before):
        process.kill()
    assert wait_until(lambda: not board.running)
    count = psutil.Process().num_fds()
    if how == "started anew":
        tensorboards.start(tmp_path).stop()
    board.stop()
    board.stop()
    assert psutil.Process().num_fds() == count - 2
    _, note = displayed
    assert "stopped" in note["data"]["text/html"]


def test_a_board_that_was_not_shown_says_nothing_when_it_stops(tmp_path, displayed, capfd):
    write(tmp_path, [1.0])
    tensorboards.start(tmp_path).stop()
    assert displayed == []
    assert capfd.readouterr() == ("", "")


STOP = """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
  .requestExecute({ code: 'board.stop()' }).done"""
CELL = "from course_utils import tensorboards\nboard = tensorboards.start({!r})\nboard"


@pytest.mark.browser
def test_jupyterlab_shows_the_curves_without_a_network(logs, tmp_path):
    browser = pytest.importorskip("tests.browser")
    if browser.chromium_path() is None:
        pytest.skip("Chromium is not installed")
    from nbformat import write as save
    from nbformat.v4 import new_code_cell, new_notebook

    folder, home = tmp_path / "notebooks", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    shown = new_notebook(cells=[new_code_cell(CELL.format(str(logs)))])
    shown.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
    save(shown, folder / "board.ipynb")
    outside = []
    with (
        browser.jupyter_lab(folder, home, "embedded") as lab,
        browser.chromium() as chromium,
        browser.notebook(chromium, lab, "board.ipynb") as page,
    ):

        def let_pass(route):
            if "//127.0.0.1:" in route.request.url:
                route.continue_()
            else:
                outside.append(route.request.url)
                route.abort()

        page.route(re.compile("^(https?|wss?)://"), let_pass)
        browser.run_all(page)
        frame = page.frame_locator('iframe[title="TensorBoard"]')
        frame.get_by_text("epoch_mae").first.wait_for(timeout=60_000)
        frame.locator("line-chart canvas").first.wait_for(timeout=60_000)
        page.evaluate(STOP)
        page.get_by_text("It is stopped; run this cell again").wait_for()
        assert page.locator("iframe[title=TensorBoard]").count() == 0
        assert browser.complaints(page) == []
        assert outside == []
