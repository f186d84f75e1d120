"""The run of the notebooks goes red for whatever a run can show to be wrong."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from exercises import of_notebook
from tools import check_notebooks

CHECKED = {"tags": ["nbval-check-output"]}
FIRST = of_notebook(0)[0]
EXERCISE = f"from exercises import check\n{FIRST.start}\n{FIRST.call}"
SOLUTION = "<details><summary>Solution</summary>\n\n```python\n{}\n```\n\n</details>"


def printing(code, stored):
    """A checked cell, and what it is said to print."""
    outputs = [new_output("stream", text=stored)]
    return new_code_cell(code, metadata=CHECKED, execution_count=1, outputs=outputs)


def exercise(solution):
    """An exercise and its solution."""
    return [
        new_code_cell(EXERCISE, metadata={"tags": ["exercise"]}),
        new_markdown_cell(SOLUTION.format(solution), metadata={"tags": ["solution"]}),
    ]


GOOD = [printing("print(1 + 1)", "2\n"), *exercise(FIRST.solution), new_code_cell("x = 1")]
BAD = {
    "a stored output": [printing("print(1 + 1)", "3\n")],
    "a solution": exercise(f"{FIRST.names[0]} = 0"),
    "a cell": [new_code_cell("1 / 0")],
}


@pytest.fixture
def run(tmp_path):
    """A function that runs a notebook of some cells, as ``make test`` runs those of the course."""

    def check(cells):
        path = tmp_path / "some.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        folder = tmp_path / "copies"
        folder.mkdir()
        return check_notebooks.check([path], folder, "-n", "0", "-q")

    return check


@pytest.mark.slow
def test_a_good_notebook_passes(run):
    assert run(GOOD) == pytest.ExitCode.OK


@pytest.mark.slow
@pytest.mark.parametrize("cells", BAD.values(), ids=BAD)
def test_a_bad_notebook_fails(run, cells):
    assert run(cells) == pytest.ExitCode.TESTS_FAILED


@pytest.mark.slow
def test_a_notebook_over_its_budget_fails(run, monkeypatch, capsys):
    monkeypatch.setattr(check_notebooks, "BUDGET", 0.001)
    assert run(GOOD) == pytest.ExitCode.TESTS_FAILED
    assert "FAILED some took longer than" in capsys.readouterr().out


def test_the_longest_notebook_comes_first(tmp_path):
    paths = sorted((check_notebooks.ROOT / "notebooks").glob("[0-9]*.ipynb"))
    written = check_notebooks.copies(paths, tmp_path)
    assert {path.name for path in written} == {path.name for path in paths}
    assert written[-1].name == paths[0].name
