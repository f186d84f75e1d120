"""Fixtures that several test modules share."""

import builtins
import importlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
from xdist.scheduler import LoadScopeScheduling

from tests.http_server import FileServer

# What the code under test imports late must be there before `read_only` gives up root's rights:
# the folder of the installed packages may be closed to everybody else.
for late in ("filelock", "pooch", "requests", "tqdm", "zipfile", "encodings.cp437"):
    importlib.import_module(late)

# A shell that starts the tests in the background has Ctrl+C ignored, by all that they start, too.
signal.signal(signal.SIGINT, signal.default_int_handler)


# Tests that share what took long to start: a browser, a site, a hub.
TOGETHER = ("tests/test_browser.py", "tests/test_hub.py", "tests/test_site.py")


class OneByOne(LoadScopeScheduling):
    """Share out these files first and whole, for ``--dist loadfile``, and all other tests singly.

    (The marks of ``--dist loadgroup`` would say the same, but pytest 9.2 does not heed them:
    pytest-xdist #1386.)
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


def pytest_xdist_make_scheduler(config, log) -> LoadScopeScheduling | None:
    """Choose who gets which test."""
    return OneByOne(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_sessionfinish() -> None:
    """Remove what TensorFlow wrote to compile functions, which a worker leaves behind."""
    for name, module in list(sys.modules.items()):
        if name.startswith("__autograph_generated_file"):
            Path(module.__file__).unlink(missing_ok=True)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = FileServer()
    yield server
    server.close()


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """An empty data folder, with no forced tier and no cache of Keras in sight."""
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("COURSE_DATA", str(folder))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.delenv("COURSE_TIER", raising=False)
    return folder


@pytest.fixture
def read_only() -> Iterator[tuple[Path, Callable]]:
    """A folder, and a context in which nobody, not even root, may write to it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "locked"
        folder.mkdir()
        Path(name).chmod(0o755)

        @contextmanager
        def locked():
            folder.chmod(0o555)
            is_root = os.geteuid() == 0
            if is_root:
                os.seteuid(65534)
            try:
                yield
            finally:
                if is_root:
                    os.seteuid(0)
                folder.chmod(0o755)

        yield folder, locked


@pytest.fixture
def displayed(tmp_path, monkeypatch):
    """A shell like that of a Jupyter kernel, and the list of what it is asked to display."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setattr(sys, "path", sys.path[:])  # the shell changes these, and leaves them
    for name in ("__IPYTHON__", "display"):
        monkeypatch.setattr(builtins, name, None, raising=False)
    config = Config(HistoryManager={"enabled": False})
    shell = InteractiveShell.instance(config=config, user_module=ModuleType("cell"), user_ns={})
    shell.kernel = "a kernel"
    shell.display_pub = CapturingDisplayPublisher()
    yield shell.display_pub.outputs
    InteractiveShell.clear_instance()
