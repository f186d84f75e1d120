"""The exercises as they are written into notebooks."""

import copy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from exercises import of_notebook
from tools import exercises as tool

HEADING = "What to notice.\n\n## Exercises\n\nAn old introduction.\n\n### 1.1 An old one"


def notebook(*section, end="## In short\n\n- A summary."):
    """A notebook with these cells in the section of its exercises."""
    cells = [
        new_code_cell("1 + 1", id="first", execution_count=1),
        new_markdown_cell(HEADING, id="heading"),
        *section,
        new_markdown_cell(end, id="summary"),
        new_code_cell("2 + 2", id="last", execution_count=9),
    ]
    return new_notebook(cells=cells)


OLD = [new_code_cell("check()", id="ex1"), new_markdown_cell("gone", id="another")]


@pytest.fixture
def written():
    return tool.with_exercises(notebook(*OLD), of_notebook(1))


def test_the_section_is_replaced_and_the_rest_is_kept(written):
    old = notebook(*OLD)
    ids = [cell.id for cell in written.cells]
    names = [f"ex{n}{end}" for n in range(1, 7) for end in ("-text", "", "-solution")]
    assert ids == ["first", "heading", *names, "summary", "last"]
    assert written.cells[0] == old.cells[0]
    assert written.cells[-2:] == old.cells[-2:]
    heading = written.cells[1].source
    assert heading.startswith("What to notice.\n\n## Exercises\n\nReplace the dots")
    assert "An old" not in heading
    assert '`hint("1.1")`' in heading
    nbformat.validate(written)


def test_an_exercise_has_a_question_a_cell_and_a_solution(written):
    question, cell, solution, _, second = written.cells[2:7]
    assert question.source.startswith("### 1.1 A size by hand\n\nAn image of 64")
    assert cell.source == 'from exercises import check\n\nwidth = ...\ncheck("1.1", width)'
    assert second.source == 'my_kernel = ...\ncheck("1.2", my_kernel)'
    assert (cell.metadata.tags, solution.metadata.tags) == (["exercise"], ["solution"])
    assert solution.source.startswith("<details><summary>Solution</summary>\n\n$\\lfloor")
    assert "```python\nwidth = (64 - 5) // 2 + 1\n```\n\n</details>" in solution.source


def test_writing_twice_changes_nothing_and_keeps_what_cells_show(written):
    shown = copy.deepcopy(written)
    shown.cells[3].outputs = [new_output("stream", text="… Your turn")]
    shown.cells[3].execution_count = 5
    again = tool.with_exercises(shown, of_notebook(1))
    assert again == shown
    shown.cells[3].source += "\nprint()"
    assert tool.with_exercises(shown, of_notebook(1)).cells[3].outputs == []


def test_a_notebook_may_end_with_the_next_one():
    written = tool.with_exercises(notebook(end="**Next:** one more."), of_notebook(1)[:1])
    assert [cell.id for cell in written.cells][-2:] == ["summary", "last"]


@pytest.mark.parametrize(
    ("old", "new"), [("## Exercises", "## Tasks"), ("## In short", "## At last")]
)
def test_a_notebook_without_a_place_for_exercises_is_refused(old, new):
    wrong = notebook()
    for cell in wrong.cells:
        cell.source = cell.source.replace(old, new)
    with pytest.raises(ValueError, match="there is no"):
        tool.with_exercises(wrong, of_notebook(1))


def test_the_command_writes_files_once_and_leaves_others_alone(tmp_path, monkeypatch, capsys):
    path, wrong = tmp_path / "01_some.ipynb", tmp_path / "02_wrong.ipynb"
    nbformat.write(notebook(*OLD), path)
    nbformat.write(new_notebook(), wrong)
    monkeypatch.setattr("sys.argv", ["exercises", str(path), str(tmp_path / "77_none.ipynb")])
    tool.main()
    before = path.read_bytes()
    tool.main()
    assert path.read_bytes() == before
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "01_some.ipynb: 6 exercises, written"
    assert said[2] == "01_some.ipynb: 6 exercises, as they were"
    assert said[3] == "77_none.ipynb: no exercises"
    monkeypatch.setattr("sys.argv", ["exercises", str(wrong)])
    with pytest.raises(SystemExit, match="02_wrong.ipynb: there is no heading"):
        tool.main()
