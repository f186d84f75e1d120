import os
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from course_utils.data.atomic_folder import make_once
from course_utils.data.settings import DataError


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
