"""Write the exercises into the notebooks: ``python -m tools.exercises``.

Everything between the heading "Exercises" and the summary comes from the package `exercises`.
Cells that are there already and stay as they are keep what they show; all others of the notebook
are left alone.
"""

import argparse
import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from exercises import Exercise, of_notebook
from tools.execute import ROOT

HEADING = re.compile(r"^## Exercises$", re.MULTILINE)
AFTER = re.compile(r"^(## In short$|\*\*Next)", re.MULTILINE)
INTRODUCTION = """\
## Exercises

Replace the dots by your answer and run the cell: it tells you whether you are right, or what to \
think about. For a hint, run `from exercises import hint` and `hint("{number}")` in a cell of your \
own; called again, it goes further. A solution is folded away below each exercise; give yourself \
five minutes first."""
SOLUTION = "<details><summary>Solution</summary>\n\n{remark}```python\n{code}\n```\n\n</details>"


def code_of(exercise: Exercise, first: bool = False) -> str:
    """Write the code of an exercise's cell; the first one of a notebook also imports."""
    head = "from exercises import check\n\n" if first else ""
    return f"{head}{exercise.start}\n{exercise.call}"


def cells_of(exercise: Exercise, place: int) -> list[NotebookNode]:
    """Make the three cells of an exercise: its question, its code and its solution."""
    remark = f"{exercise.remark}\n\n" if exercise.remark else ""
    return [
        new_markdown_cell(
            f"### {exercise.number} {exercise.title}\n\n{exercise.question}", id=f"ex{place}-text"
        ),
        new_code_cell(
            code_of(exercise, first=place == 1), id=f"ex{place}", metadata={"tags": ["exercise"]}
        ),
        new_markdown_cell(
            SOLUTION.format(remark=remark, code=exercise.solution),
            id=f"ex{place}-solution",
            metadata={"tags": ["solution"]},
        ),
    ]


def with_exercises(notebook: NotebookNode, exercises: list[Exercise]) -> NotebookNode:
    """Copy a notebook, with these exercises in the place of those that it had.

    Raises
    ------
    ValueError
        If the notebook lacks the heading of its exercises, or what comes after them.
    """
    start, end = section(notebook)
    heading = notebook.cells[start].copy()
    text = HEADING.split(heading.source)[0]
    heading.source = text + INTRODUCTION.format(number=exercises[0].number)
    old = {cell.id: cell for cell in notebook.cells[start + 1 : end]}
    new = [cell for n, each in enumerate(exercises, 1) for cell in cells_of(each, n)]
    kept = [old[cell.id] if same(cell, old.get(cell.id)) else cell for cell in new]
    result = notebook.copy()
    result.cells = [*notebook.cells[:start], heading, *kept, *notebook.cells[end:]]
    return result


def section(notebook: NotebookNode) -> tuple[int, int]:
    """Find the cell with the heading of the exercises, and the first one after them."""
    texts = [cell.source if cell.cell_type == "markdown" else "" for cell in notebook.cells]
    start = next((n for n, text in enumerate(texts) if HEADING.search(text)), None)
    if start is None:
        raise ValueError('there is no heading "## Exercises"')
    rest = range(start + 1, len(texts))
    end = next((n for n in rest if AFTER.search(texts[n])), None)
    if end is None:
        raise ValueError('there is no "## In short" or "**Next" after the exercises')
    return start, end


def same(cell: NotebookNode, other: NotebookNode | None) -> bool:
    """Tell whether two cells say the same, whatever they show."""
    parts = ("cell_type", "source", "metadata")
    return other is not None and all(cell[part] == other[part] for part in parts)


def main() -> None:
    """Write the exercises into the notebooks named on the command line, or into all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="*", type=Path, help="all, if none is named")
    options = parser.parse_args()
    for path in options.notebooks or sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        exercises = of_notebook(int(path.stem[:2]))
        if not exercises:
            print(f"{path.name}: no exercises")
            continue
        try:
            write(path, exercises)
        except ValueError as error:
            raise SystemExit(f"{path.name}: {error}; left as it was.") from None


def write(path: Path, exercises: list[Exercise]) -> None:
    """Write exercises into a stored notebook, unless they are there already."""
    old = nbformat.read(path, as_version=4)
    new = with_exercises(old, exercises)
    if new != old:
        draft = path.with_suffix(".draft")
        nbformat.write(new, draft)
        draft.replace(path)
    state = "written" if new != old else "as they were"
    print(f"{path.name}: {len(exercises)} exercises, {state}")


if __name__ == "__main__":
    main()
