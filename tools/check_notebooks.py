"""Run every notebook once with nbval, and check all that a run can show: ``make test``.

What runs are copies in which the exercises are solved. A run fails when a cell fails, when a cell
tagged ``nbval-check-output`` prints anything but what is stored, when a solution is wrong, or when
a notebook takes too long.
"""

import argparse
import copy
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from tools.execute import ROOT, TIMES

#: Seconds that a notebook may take on two cores which it has for itself, as ``make execute``
#: measures them, and how much longer a run may be that shares them, on whatever machine.
BUDGET = 60
SLACK = 3
AT_ONCE = 2
VERDICT = """\
verdicts = [line for line in said.stdout.splitlines() if line.startswith(("✓", "✗", "…"))]
assert verdicts and all(line.startswith("✓") for line in verdicts), said.stdout"""


class Seconds:
    """Add up what the cells of each notebook took; a notebook over its budget is a failure."""

    def __init__(self) -> None:
        self.of = Counter()

    def over_budget(self) -> list[str]:
        """Name the notebooks that took too long."""
        return [name for name, seconds in self.of.items() if seconds > SLACK * BUDGET]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one part of the run of one cell."""
        self.of[Path(report.location[0]).stem] += report.duration

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Let the run fail if a notebook took too long."""
        if self.over_budget() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter) -> None:
        """Show the seconds, and which notebooks took too long."""
        terminalreporter.section(f"seconds of each notebook, {AT_ONCE} at once")
        for name, seconds in sorted(self.of.items()):
            terminalreporter.line(f"{seconds:6.1f}  {name}")
        for name in self.over_budget():
            limit = f"{SLACK * BUDGET} s while another one runs ({BUDGET} s alone)"
            terminalreporter.line(f"FAILED {name} took longer than {limit}", red=True)


def solved(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Copy a notebook, put each solution into its exercise, and let a cell read the verdict."""
    result = copy.deepcopy(notebook)
    result.cells = []
    following = [*notebook.cells[1:], None]
    for cell, solution in zip(copy.deepcopy(notebook.cells), following, strict=True):
        result.cells.append(cell)
        if "exercise" in cell.metadata.get("tags", []):
            code = re.search(r"```python\n(.*?)```", solution.source, re.DOTALL)[1]
            before, _, after = re.split(
                r"^(\w.* = (?:\.\.\.(?:, )?)+\n)", cell.source, flags=re.MULTILINE
            )
            cell.source = f"%%capture said\n{before}{code}{after}"
            result.cells.append(new_code_cell(VERDICT))
    return result


def copies(notebooks: list[Path], folder: Path) -> list[Path]:
    """Write solved copies of notebooks into a folder, and list them, the longest first."""
    times = json.loads(TIMES.read_text("utf-8"))
    shutil.copytree(ROOT / "notebooks" / "images", folder / "images")
    for path in notebooks:
        nbformat.write(solved(nbformat.read(path, as_version=4)), folder / path.name)
    longest_first = sorted(notebooks, key=lambda path: -times.get(path.stem, BUDGET))
    return [folder / path.name for path in longest_first]


def check(notebooks: list[Path], folder: Path, *options: str) -> int:
    """Run copies of notebooks in a folder; return 0 where everything is as it should be."""
    arguments = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "--nbval-lax"]
    arguments += [
        "--nbval-current-env",
        "--nbval-cell-timeout",
        "300",
        "-p",
        "no:cacheprovider",
        "-n",
        str(AT_ONCE),
    ]
    arguments += ["--dist", "loadfile", "--no-loadscope-reorder", *options]
    files = map(str, copies(notebooks, folder))
    return pytest.main([*arguments, *files], plugins=[Seconds()])


def main() -> None:
    """Run the notebooks named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="all, if none is named")
    parser.add_argument(
        "--tier", default="", help="embedded or real; what is on disk decides if not given"
    )
    options = parser.parse_args()
    notebooks = options.notebooks or sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    with tempfile.TemporaryDirectory() as folder:
        # What a kernel leaves behind when nbval kills it is to go with the folder.
        os.environ |= {"TMPDIR": folder, "COURSE_TIER": options.tier}
        status = check(notebooks, Path(folder))
    sys.exit(status)


if __name__ == "__main__":
    main()
