"""Grade the exercises in many students' notebooks: ``make grade FROM=folder``.

Each notebook runs from top to bottom in a kernel of its own. The kernel is shut into a sandbox
(bubblewrap, so on Linux): it can write to an empty folder only, which is deleted afterwards; it
sees no home folder, no other student's notebook, no other process and no network; its memory
and its time are limited. After each exercise the answer is judged as in the notebook, whatever
has become of ``check`` there. An exercise that is right gives a point.

Nothing can be drawn, downloaded or kept for later in the sandbox, so run a notebook once
yourself before you grade it.
"""

import argparse
import asyncio
import csv
import logging
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell

from course_utils.data.settings import data_folder
from exercises import of_notebook
from tools.execute import ROOT

TARGET = ROOT / "build" / "grades.csv"
CELL_SECONDS, NOTEBOOK_SECONDS = 120, 600
AT_ONCE = os.cpu_count() or 1
GIB = 2**30
MEMORY, FILE, LARGEST = 16 * GIB, GIB, 50_000_000  # bytes: to address, to write, of a notebook
KEPT = ("COURSE_DATA", "COURSE_TIER", "LANG", "PATH")
ONE_CORE = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS"), "1")
CHECK = re.compile(r"""^check\(\s*["'](\d+\.\d+)["']""", re.MULTILINE)
UNHEARD = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
QUIET = logging.getLogger(__name__)  # a table says what went wrong
QUIET.setLevel(logging.CRITICAL + 1)
# A fresh copy of the exercises, whatever a notebook has done to the one that it imported.
JUDGE = """def _judge():
    import importlib, sys
    for name in [name for name in sys.modules if name.partition(".")[0] == "exercises"]:
        del sys.modules[name]
    return {secret!r} + importlib.import_module("exercises").verdict({number!r}, globals())
_judge()"""


@dataclass
class Grade:
    """What came out for one notebook.

    Attributes
    ----------
    file : str
        Its path in the folder of all.
    points : dict of str to int
        1 or 0 for each exercise of the lecture, by its number.
    remark : str
        Why it could not be run to its end, if so.
    """

    file: str
    points: dict[str, int] = field(default_factory=dict)
    remark: str = ""


class Judging(NotebookClient):
    """Runs a notebook; keeps the verdicts on its exercises, and nothing else that it says."""

    def __init__(self, notebook: nbformat.NotebookNode, secret: str, **options: Any) -> None:
        super().__init__(notebook, **options)
        self.secret = secret
        self.verdicts: dict[int, str] = {}

    def output(self, outs, msg, display_id, cell_index):
        """Look for a verdict in what a cell says."""
        said = msg["content"].get("data", {}).get("text/plain", "")
        if msg["msg_type"] == "execute_result" and said.startswith(f"'{self.secret}"):
            self.verdicts[cell_index] = said


def sandbox(place: Path, hidden: Path) -> list[str]:
    """Return the command that shuts a process into a sandbox.

    Parameters
    ----------
    place : pathlib.Path
        The only folder that it can write to.
    hidden : pathlib.Path
        A folder that it shall not see.

    Returns
    -------
    list of str
        To be followed by the command of the process.
    """
    limits = ["prlimit", f"--as={MEMORY}", f"--fsize={FILE}", "--core=0"]
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv"]
    command += ["--cap-drop", "ALL"]
    command += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for empty in ("/tmp", "/run", "/var/tmp", str(Path.home()), str(hidden)):
        command += ["--tmpfs", empty] if Path(empty).is_dir() else []
    for needed in (sys.base_prefix, str(ROOT), sys.prefix, str(data_folder())):
        command += ["--ro-bind", needed, needed] if Path(needed).exists() else []
    command += ["--tmpfs", str(hidden)] if hidden.is_dir() else []
    command += ["--bind", str(place), str(place), "--chdir", str(place)]
    settings = {name: os.environ[name] for name in KEPT if name in os.environ}
    settings |= {"HOME": str(place), "TMPDIR": str(place), **ONE_CORE}
    return [*limits, *command, *(w for item in settings.items() for w in ("--setenv", *item))]


def kernel_in_sandbox(place: Path, hidden: Path) -> AsyncKernelManager:
    """Prepare a kernel that runs in a sandbox and is talked to through files in its folder."""
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class Specs(KernelSpecManager):
        """Knows the one kernel that there is here."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(argv=[*sandbox(place, hidden), *command], interrupt_mode="message")

    place = place.resolve()
    file = str(place / "kernel.json")
    return AsyncKernelManager(
        transport="ipc", connection_file=file, kernel_spec_manager=Specs(), shutdown_wait_time=1
    )


def judged(notebook: nbformat.NotebookNode, secret: str) -> tuple[list, dict[int, str]]:
    """Let each exercise be judged; return all cells, and the exercises by the places of judges."""
    cells, numbers = [], {}
    for cell in notebook.cells:
        cells.append(cell)
        for number in CHECK.findall(cell.source) if cell.cell_type == "code" else ():
            numbers[len(cells)] = number
            cells.append(new_code_cell(JUDGE.format(secret=secret, number=number)))
    return cells, numbers


async def run(
    notebook: nbformat.NotebookNode, secret: str, folder: Path
) -> tuple[dict[int, str], str]:
    """Run a notebook in a sandbox; return the verdicts by place, and what went wrong."""
    remark = ""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        kernel = kernel_in_sandbox(Path(place), folder)
        options = {"timeout": CELL_SECONDS, "interrupt_on_timeout": True, "allow_errors": True}
        options |= {"store_widget_state": False, "log": QUIET}
        client = Judging(notebook, secret, km=kernel, **options)
        try:
            await asyncio.wait_for(client.async_execute(**UNHEARD), NOTEBOOK_SECONDS)
        except TimeoutError:
            remark = f"It was stopped after {NOTEBOOK_SECONDS} seconds."
        except Exception as error:
            remark = f"It did not run to its end: {type(error).__name__}."
        if client.kc:
            client.kc.stop_channels()
        await kernel.shutdown_kernel(now=True)
    return client.verdicts, remark


async def grade(path: Path, folder: Path) -> Grade:
    """Run a student's notebook in a sandbox, and give points for what is right.

    Parameters
    ----------
    path : pathlib.Path
    folder : pathlib.Path
        Holds the notebooks of all students; none of them is seen in the sandbox.

    Returns
    -------
    Grade
        Whatever the notebook does.
    """
    result, secret = Grade(path.relative_to(folder).as_posix()), secrets.token_hex(16)
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST // 10**6} MB")
        notebook = nbformat.read(path, as_version=4)
        notebook.cells, numbers = judged(notebook, secret)
    except Exception as error:  # whatever is wrong with what a student hands in
        result.remark = f"It cannot be read as a notebook: {' '.join(str(error).split())[:200]}"
        return result
    lectures = sorted({int(number.partition(".")[0]) for number in numbers.values()})
    for lecture in lectures:
        result.points |= dict.fromkeys([each.number for each in of_notebook(lecture)], 0)
    if not result.points:
        result.remark = "It holds no exercise of this course."
        return result
    verdicts, result.remark = await run(notebook, secret, folder)
    for place, number in numbers.items():
        if number in result.points and "✓" in verdicts.get(place, ""):
            result.points[number] = 1
    return result


async def grade_all(folder: Path) -> list[Grade]:
    """Grade every notebook in a folder and in the folders inside it, some at a time."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path) -> Grade:
        async with free:
            found = await grade(path, folder)
        print(f"{sum(found.points.values()):3} points  {found.file}  {found.remark}", flush=True)
        return found

    return await asyncio.gather(*map(one, notebooks(folder)))


def notebooks(folder: Path) -> list[Path]:
    """List the notebooks in a folder and in the folders inside it, but for Jupyter's copies."""
    paths = folder.rglob("*.ipynb")
    return sorted(path for path in paths if ".ipynb_checkpoints" not in path.parts)


def write(grades: list[Grade], target: Path) -> None:
    """Write one row for each notebook: its points, their sum, and what was strange about it."""
    numbers = {number for result in grades for number in result.points}
    columns = sorted(numbers, key=lambda number: [int(part) for part in number.split(".")])
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".draft")
    with draft.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", *columns, "points", "remark"])
        for result in grades:
            points = [result.points.get(number, "") for number in columns]
            table.writerow([result.file, *points, sum(result.points.values()), result.remark])
    draft.replace(target)


def main() -> None:
    """Grade the notebooks in the folder named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    if not folder.is_dir():
        sys.exit(f"There is no folder {folder} with notebooks to grade.")
    if ROOT.is_relative_to(folder):
        sys.exit(
            f"{folder} holds the course itself: put the students' notebooks into one of its own."
        )
    if not notebooks(folder):
        sys.exit(f"There is no notebook in {folder}.")
    try:
        with tempfile.TemporaryDirectory() as place:
            subprocess.run([*sandbox(Path(place), folder), "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", b"") or str(error).encode()
        sys.exit(
            "Students' notebooks run in a sandbox, which needs Linux and bubblewrap (for example: "
            f"apt install bubblewrap). It does not work here: {reason.decode().strip()}"
        )
    start = time.perf_counter()
    grades = asyncio.run(grade_all(folder))
    write(grades, TARGET)
    seconds = time.perf_counter() - start
    print(f"{len(grades)} notebooks in {seconds:.0f} s: {os.path.relpath(TARGET)}")


if __name__ == "__main__":
    main()
