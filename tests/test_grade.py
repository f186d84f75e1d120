"""Grading: forty students, some of whom mean no good."""

import csv
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from exercises import of_notebook
from tools import grade
from tools.execute import ROOT

pytestmark = pytest.mark.full

EXERCISES = of_notebook(0)
NUMBERS = [exercise.number for exercise in EXERCISES]
START = "import numpy as np\nimport skimage.data\nfrom exercises import check\n"
START += "cat = skimage.data.chelsea().mean(axis=2) / 255"
WRONG = {
    "0.1": "shape = (32, 3, 150, 200)",
    "0.2": "eye = cat",
    "0.3": "negative = 7",
    "0.4": "mean_colour = 1 / 0",
    "0.5": "as_batch = lambda picture: picture[",
}
SOLVED = {exercise.number: exercise.solution for exercise in EXERCISES}
EMPTY = {exercise.number: exercise.start for exercise in EXERCISES}


def cells(answers):
    """The exercises of the start page with some answers, one cell each."""
    calls = {exercise.number: exercise.call for exercise in EXERCISES}
    return [f"{answers[number]}\n{calls[number]}" for number in answers]


def submission(*sources):
    """What a student hands in, as text."""
    return nbformat.writes(new_notebook(cells=[new_code_cell(s) for s in (START, *sources)]))


def solved_after(source):
    return submission(source, *cells(SOLVED))


def solved_before(source):
    return submission(*cells(SOLVED), source)


def mixed(*right):
    return submission(*cells(WRONG | {number: SOLVED[number] for number in right}))


HOSTILE = {
    "deletes": "import shutil\nfor place in ({folder!r}, {valuable!r}):\n"
    "    shutil.rmtree(place, ignore_errors=True)",
    "writes": "from pathlib import Path\n"
    "for place in ('/tmp', {root!r}, {root!r} + '/data', {folder!r}, {valuable!r}):\n"
    "    try: (Path(place) / 'was-here').touch()\n"
    "    except OSError: pass",
    "reads the others": "import os\nif os.listdir({folder!r}): os._exit(0)",
    "asks the network": "import os, socket\n"
    "try: socket.create_connection(('127.0.0.1', {port}), timeout=2); os._exit(0)\n"
    "except OSError: pass",
    "prints a gigabyte": "for _ in range(1000): print('x' * 1_000_000)",
    "fills the memory": "hoard = [bytearray(10**9) for _ in range(64)]",
    "fills a file": "open('large', 'wb').truncate(64 * 2**30)",
    "patches": "import exercises\nexercises._verdict = lambda *given: '✗'",
    "redefines": "def check(*given): raise SystemExit",
    "asks": "input('Who are you? ')",
    "leaves a thread": "import threading\n"
    "threading.Thread(target=lambda: [print(n) for n in range(10**9)], daemon=True).start()",
}
FINAL = {
    "exits": "import os; os._exit(0)",
    "repeats a verdict": "import re\nre.search('[0-9a-f]{32}', In[-2])[0] + '✓'",
    "loops": "while True: pass",
    "loops on": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "kills": "import os, signal\nfor pid in range(100_000):\n"
    "    try: os.kill(pid, signal.SIGKILL)\n    except OSError: pass",
    "crashes": "import ctypes; ctypes.string_at(0)",
}
CHEATS = {
    "prints": "def check(*given): print('✓ Correct.')",
    "patches": "import exercises\nexercises._verdict = lambda *given: '✓ Correct.'",
    "plants": "import sys, types\nplanted = types.ModuleType('exercises')\n"
    "planted.check = print\nplanted.verdict = lambda *given: '✓'\n"
    "sys.modules['exercises'] = planted",
    "overwrites": "from pathlib import Path\nimport exercises\n"
    "try: Path(exercises.__file__).write_text('')\nexcept OSError: pass",
}
BROKEN = {
    "empty file": "",
    "half a file": submission(*cells(SOLVED))[:900],
    "a list": "[]",
    "a picture": "\x89PNG\r\n",
    "no cells": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}',
    "deep": "[" * 100_000,
}
OTHERS = {
    "nothing to grade": submission("1 + 1"),
    "exercises of nowhere": submission('check("99.1", 1)'),
    "an old format": '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": []}',
    "no name": submission(*cells(EMPTY)),
}


def expected(folder, port):
    """What forty students hand in, by file, each with its points."""
    names = {"root": str(ROOT), "folder": str(folder), "port": port}
    names["valuable"] = str(folder.parent / "valuable")
    found = {"right.ipynb": (submission(*cells(SOLVED)), 5), "in order/10.ipynb": (mixed(), 0)}
    found['wrong, and "quoted".ipynb'] = (submission(*cells(WRONG)), 0)
    found["twice.ipynb"] = (submission(*cells(WRONG), *cells(SOLVED)), 5)
    found["only one.ipynb"] = (submission(*cells({"0.3": SOLVED["0.3"]})), 1)
    found["magic.ipynb"] = (solved_after(f"!rm -rf {folder}\n%cd /"), 5)
    for place in range(1, 5):
        right = NUMBERS[:place]
        found[f"partly/{place}.ipynb"] = (mixed(*right), place)
    for name, source in HOSTILE.items():
        found[f"hostile/{name}.ipynb"] = (solved_after(source.format(**names)), 5)
    for name, source in FINAL.items():
        found[f"final/{name}.ipynb"] = (solved_before(source), 5)
    for name, source in CHEATS.items():
        found[f"cheats/{name}.ipynb"] = (submission(source, *cells(WRONG)), 0)
    for name, text in BROKEN.items():
        found[f"broken/{name}.ipynb"] = (text, 0)
    for name, text in OTHERS.items():
        found[f"others/{name}.ipynb"] = (text, 0)
    return found


def contents(folder):
    """Names and sizes of all files in a folder."""
    return {
        path.relative_to(folder): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".git" not in path.parts
    }


def sandbox_works():
    """Tell whether bubblewrap is installed and may be used here."""
    if shutil.which("bwrap") is None:
        return False
    with tempfile.TemporaryDirectory() as place:
        command = [*grade.sandbox(Path(place), ROOT / "nowhere"), "true"]
        return subprocess.run(command, capture_output=True).returncode == 0


@pytest.mark.skipif(not sandbox_works(), reason="bubblewrap does not work here")
def test_forty_students_get_what_they_have_earned_and_touch_nothing(
    tmp_path, tmp_path_factory, monkeypatch, server
):
    grades = tmp_path_factory.mktemp("grades") / "grades.csv"
    monkeypatch.setattr(grade, "CELL_SECONDS", 8)
    monkeypatch.setattr(grade, "NOTEBOOK_SECONDS", 40)
    monkeypatch.setattr(grade, "TARGET", tmp_path / "grades.csv")
    folder = tmp_path / "collected"
    (tmp_path / "valuable").mkdir()
    (tmp_path / "valuable" / "thesis.txt").write_text("years of work")
    wanted = expected(folder, urlsplit(server.url("/")).port)
    assert len(wanted) >= 40
    for name, (text, _) in wanted.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    places = (tmp_path, ROOT / "exercises", ROOT / "notebooks", ROOT / "tests")
    before = [contents(place) for place in places]
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(sys, "argv", ["grade", str(folder)])
    grade.main()
    (tmp_path / "grades.csv").rename(grades)
    assert [contents(place) for place in places] == before
    assert list(temporary.iterdir()) == []
    rows = list(csv.DictReader(grades.open(encoding="utf-8", newline="")))
    points = {row["file"]: int(row["points"]) for row in rows}
    # On a busy machine the kernel may die of its gigabyte: then that costs this student the points.
    assert points.pop("hostile/prints a gigabyte.ipynb") in (0, 5)
    del wanted["hostile/prints a gigabyte.ipynb"]
    assert points == {name: right for name, (_, right) in wanted.items()}
    remarks = {row["file"]: row["remark"] for row in rows}
    assert remarks["right.ipynb"] == ""
    assert "cannot be read as a notebook" in remarks["broken/half a file.ipynb"]
    assert remarks["final/exits.ipynb"] == "It did not run to its end: DeadKernelError."
    assert remarks["others/nothing to grade.ipynb"] == "It holds no exercise of this course."


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "There is no folder"),
        (lambda folder: folder.mkdir(), "There is no notebook in"),
    ],
)
def test_where_there_is_nothing_to_grade_it_says_so(tmp_path, make, message):
    make(tmp_path / "collected")
    command = [sys.executable, "-m", "tools.grade", str(tmp_path / "collected")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert message in done.stderr


def test_without_a_sandbox_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "one.ipynb").touch()
    monkeypatch.setattr(sys, "argv", ["grade", str(tmp_path)])
    with pytest.raises(SystemExit, match="needs Linux and bubblewrap"):
        grade.main()
