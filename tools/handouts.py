"""Write the students' copies of the notebooks: ``make handouts``.

They have no outputs and no solutions; the exercises stay, with what checks them.
"""

import argparse
import tempfile
import zipfile
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor

from tools.execute import ROOT

TARGET = ROOT / "build" / "handouts.zip"
STEPS = (
    ClearOutputPreprocessor(enabled=True),
    TagRemovePreprocessor(remove_cell_tags={"solution"}, enabled=True),
)


def handout(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a copy of a notebook without its outputs and without its solutions."""
    for step in STEPS:
        notebook, _ = step(notebook, {})
    notebook.metadata.pop("widgets", None)
    return notebook


def pack(target: Path) -> None:
    """Write the copies and the pictures in their texts into a zip archive, in one move."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        draft = Path(folder) / target.name
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
                copy = handout(nbformat.read(path, as_version=4))
                archive.writestr(f"handouts/{path.name}", nbformat.writes(copy))
            for path in sorted((ROOT / "notebooks" / "images").iterdir()):
                archive.write(path, f"handouts/images/{path.name}")
        draft.replace(target)


def main() -> None:
    """Write the archive into the folder ``build``."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    pack(TARGET)
    print(f"The students' copies are in {TARGET.relative_to(ROOT)}.")


if __name__ == "__main__":
    main()
