"""The students' copies of the notebooks."""

import zipfile
from pathlib import Path

import nbformat

from tools import handouts
from tools.execute import ROOT


def test_the_copies_have_no_outputs_and_no_solutions_but_all_exercises(tmp_path):
    handouts.pack(tmp_path / "build" / "handouts.zip")
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["handouts.zip"]
    with zipfile.ZipFile(tmp_path / "build" / "handouts.zip") as archive:
        archive.extractall(tmp_path)
    paths = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    copies = sorted((tmp_path / "handouts").glob("*.ipynb"))
    assert [path.name for path in copies] == [path.name for path in paths]
    for path, copy in zip(paths, copies, strict=True):
        before, after = (nbformat.read(place, as_version=4) for place in (path, copy))
        nbformat.validate(after)
        kept = [cell.id for cell in before.cells if "solution" not in cell.metadata.get("tags", [])]
        assert [cell.id for cell in after.cells] == kept
        assert not any(cell.get("outputs") or cell.get("execution_count") for cell in after.cells)
        assert "Solution</summary>" not in copy.read_text("utf-8")
        exercises = [
            [c for c in nb.cells if "exercise" in c.metadata.get("tags", [])]
            for nb in (before, after)
        ]
        assert len(exercises[0]) == len(exercises[1]) >= 5
    pictures = {path.name for path in (ROOT / "notebooks" / "images").iterdir()}
    assert {path.name for path in Path(tmp_path / "handouts" / "images").iterdir()} == pictures
