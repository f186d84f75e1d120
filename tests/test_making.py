import multiprocessing
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from course_utils.making import make_once, shared_out
from course_utils.settings import COURSE_FOLDER, DataError


def write(text):
    """What fills a folder with one file."""
    return lambda folder: (folder / "text").write_text(text)


def failing(error):
    """What writes something and then fails."""

    def fill(folder):
        (folder / "half").mkdir()
        (folder / "half" / "text").write_text("half")
        raise error

    return fill


def tree(folder):
    """The text of every file in a folder, but for locks."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".lock"
    }


@pytest.fixture
def folder(tmp_path):
    """The folder to make, in a folder of its own that is not there yet."""
    return tmp_path / "place" / "set"


def test_a_folder_is_filled_once(folder):
    make_once(folder, folder.exists, write("first"))
    make_once(folder, folder.exists, write("second"))
    assert tree(folder.parent) == {"set/text": "first"}


def test_a_folder_has_its_name_only_when_it_is_complete(folder):
    seen = []

    def fill(staging):
        write("new")(staging)
        seen.append((staging.parent == folder.parent, folder.exists()))

    make_once(folder, folder.exists, fill)
    assert seen == [(True, False)]


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("no")])
def test_a_failure_leaves_nothing_behind_and_is_passed_on(folder, error, replace):
    with pytest.raises(type(error)):
        make_once(folder, folder.exists, failing(error), replace=replace)
    assert [path.name for path in folder.parent.iterdir()] == [".set.lock"]


def test_a_full_disk_is_said_plainly(folder):
    with pytest.raises(DataError, match=r"disk that holds .*place is full"):
        make_once(folder, folder.exists, failing(OSError(28, "No space left on device")))


def test_a_refusal_is_passed_on_and_nothing_is_touched(folder):
    folder.mkdir(parents=True)
    write("mine")(folder)

    def refuse():
        raise DataError("That is yours.")

    with pytest.raises(DataError, match="yours"):
        make_once(folder, refuse, write("ours"))
    assert tree(folder.parent) == {"set/text": "mine"}


def test_what_comes_into_being_meanwhile_is_not_overwritten(folder):
    def fill(staging):
        write("ours")(staging)
        folder.mkdir()
        write("mine")(folder)

    with pytest.raises(DataError):
        make_once(folder, folder.exists, fill)
    assert tree(folder.parent) == {"set/text": "mine"}


def test_what_killed_processes_left_is_removed_and_nothing_else(folder):
    folder.parent.mkdir()
    (folder.parent / ".set.8.part").write_text("a file")
    (folder.parent / ".set.9.part").symlink_to(folder.parent / "mine")
    kept = {".set.copy.7.part", ".set.x.part", "set.7.part", ".sets.old", "mine"}
    for name in {".set.7.part", *kept}:
        (folder.parent / name).mkdir()
        write(name)(folder.parent / name)
    make_once(folder, folder.exists, write("new"))
    assert tree(folder.parent) == {f"{name}/text": name for name in kept} | {"set/text": "new"}
    assert not os.path.lexists(folder.parent / ".set.9.part")


# Making a folder anew


def test_a_folder_is_replaced_on_demand(folder):
    make_once(folder, folder.exists, write("old"))
    make_once(folder, folder.exists, write("new"), replace=True)
    assert tree(folder.parent) == {"set/text": "new"}


def test_a_folder_that_is_not_there_can_be_replaced_too(folder):
    make_once(folder, folder.exists, write("new"), replace=True)
    assert tree(folder.parent) == {"set/text": "new"}


def test_the_old_folder_stays_until_the_new_one_is_complete(folder):
    make_once(folder, folder.exists, write("old"))

    def fill(staging):
        assert tree(folder) == {"text": "old"}
        failing(ValueError("no"))(staging)

    with pytest.raises(ValueError, match="no"):
        make_once(folder, folder.exists, fill, replace=True)
    assert tree(folder.parent) == {"set/text": "old"}


def test_the_old_folder_is_put_back_if_the_new_one_cannot_get_its_name(folder, monkeypatch):
    make_once(folder, folder.exists, write("old"))
    rename = os.rename

    def refuse_new(source, target):
        if Path(source).suffix == ".part":
            raise PermissionError(13, "Permission denied")
        rename(source, target)

    monkeypatch.setattr(os, "rename", refuse_new)
    with pytest.raises(DataError, match="cannot be written to"):
        make_once(folder, folder.exists, write("new"), replace=True)
    assert tree(folder.parent) == {"set/text": "old"}


def test_a_run_killed_between_the_old_folder_and_the_new_one_is_undone(folder):
    make_once(folder, folder.exists, write("old"))
    folder.rename(folder.parent / ".set.old")
    make_once(folder, folder.exists, write("new"))
    assert tree(folder.parent) == {"set/text": "old"}


def test_a_run_killed_before_the_old_folder_was_removed_is_cleared_up_after(folder):
    make_once(folder, folder.exists, write("old"))
    folder.rename(folder.parent / ".set.old")
    folder.mkdir()
    make_once(folder, folder.exists, write("new"), replace=True)
    assert tree(folder.parent) == {"set/text": "new"}


def test_of_a_link_only_the_link_is_replaced(folder, tmp_path):
    write("elsewhere")(tmp_path)
    folder.parent.mkdir()
    folder.symlink_to(tmp_path)
    make_once(folder, folder.exists, write("new"), replace=True)
    assert tree(folder.parent) == {"set/text": "new"}
    assert (tmp_path / "text").read_text() == "elsewhere"


# Two at once


def test_of_two_at_once_one_fills_the_folder_and_the_other_waits(folder):
    filled = []

    def fill(staging):
        filled.append(staging)
        time.sleep(0.2)

    folder.parent.mkdir()
    with FileLock(folder.parent / ".set.lock"):
        arguments = (folder, folder.exists, fill)
        both = [threading.Thread(target=make_once, args=arguments) for _ in range(2)]
        for thread in both:
            thread.start()
        time.sleep(0.2)
        assert filled == []
    for thread in both:
        thread.join(timeout=20)
    assert len(filled) == 1
    assert folder.exists()


# Scripts that helper processes import


def outcome(tmp_path, call):
    """Run a script with helpers, each of which makes this call while it imports the script."""
    lines = [
        "from concurrent.futures import ProcessPoolExecutor",
        "from multiprocessing import get_context",
        "from pathlib import Path",
        "from course_utils.making import make_once",
        f"folder = Path({str(tmp_path / 'set')!r})",
        "if __name__ != '__main__':",
        f"    {call}",
        "if __name__ == '__main__':",
        "    with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:",
        "        print(*pool.map(abs, [-2]))",
    ]
    path = tmp_path / "script.py"
    path.write_text("\n".join(lines))
    environment = {**os.environ, "PYTHONPATH": str(COURSE_FOLDER)}
    return subprocess.run(
        [sys.executable, path], env=environment, capture_output=True, text=True, timeout=60
    )


def test_a_helper_process_that_imports_a_script_finds_the_folder_that_is_there(tmp_path):
    (tmp_path / "set").mkdir()
    done = outcome(tmp_path, "make_once(folder, folder.exists, Path.rmdir, helpers=True)")
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_a_helper_process_that_imports_a_script_may_make_a_folder_alone(tmp_path):
    done = outcome(tmp_path, "make_once(folder, folder.exists, lambda new: None)")
    assert (done.stdout, done.stderr) == ("2\n", "")
    assert (tmp_path / "set").is_dir()


def test_a_helper_process_that_imports_a_script_may_not_make_a_folder_with_helpers(tmp_path):
    done = outcome(tmp_path, "make_once(folder, folder.exists, lambda new: None, helpers=True)")
    assert done.returncode == 1
    assert 'RuntimeError: Put the call under `if __name__ == "__main__":`' in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"script.py"}


# Sharing work out


@pytest.mark.parametrize("tasks", [[], [-1], [-3, 2, -1]])
def test_the_results_come_in_the_order_of_the_tasks(tasks):
    done = []
    assert shared_out(abs, tasks, 1, done.append) == [abs(task) for task in tasks]
    assert done == tasks


def test_an_error_in_the_work_is_passed_on():
    with pytest.raises(TypeError):
        shared_out(abs, [1, "no number", 2], 1, lambda task: None)


def done_by_a_helper(ready, task):
    """Tell whether a helper process does the task; one that comes to task 3 gets killed."""
    is_helper = multiprocessing.parent_process() is not None
    if is_helper and task == 3:
        give_up = time.monotonic() + 20
        while not ready.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        os._exit(1)
    return is_helper


def test_what_helpers_have_done_is_kept_when_one_of_them_is_killed(tmp_path):
    done, ready = [], tmp_path / "ready"

    def on_done(task):
        done.append(task)
        if task == 2:
            ready.touch()

    results = shared_out(partial(done_by_a_helper, ready), range(4), 2, on_done)
    assert results == [True, True, True, False]
    assert done == [0, 1, 2, 3]
