"""Record the trainings of notebooks: ``make record NOTEBOOKS=notebooks/04_small_data.ipynb``.

The notebook is the recipe. It runs with its switch on, once for each seed, and what
``runs.recall`` was asked for is trained and kept in ``data/runs``. The card says which
notebook it was, and holds a hash of the cells tagged ``run-NAME`` that define and train the net;
a test compares it with the cells as they are now.
"""

import argparse
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import nbformat

from course_utils.runs import RUNS_FOLDER
from tools.execute import ROOT, execute

SWITCH = "TRAIN_IN_FULL = False"
SEED = "keras.utils.set_random_seed(0)"
# Dense layers stay in single precision: a probability needs the digits.
FAST = """
from functools import partial
keras.config.set_dtype_policy("mixed_bfloat16")
keras.layers.Dense = partial(keras.layers.Dense, dtype="float32")"""


def source_hash(notebook: nbformat.NotebookNode, name: str) -> str:
    """Return a hash of the cells that define and train the net of a run; name without tier."""
    tag = f"run-{name}"
    sources = [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    if not sources:
        raise SystemExit(f"No cell is tagged {tag}: tag those that define and train the net.")
    return hashlib.sha256("\n\n".join(sources).encode()).hexdigest()[:16]


RECORDER = """
from tools.recording import recorder
runs.recall = recorder({folder!r}, {only!r})"""


def with_seed(notebook: nbformat.NotebookNode, seed: int, fast: bool) -> nbformat.NotebookNode:
    """Turn the switch of a notebook on, and change its seed; if asked, compute in bfloat16."""
    start = next((cell for cell in notebook.cells if SWITCH in cell.source), None)
    if start is None or SEED not in start.source:
        raise SystemExit(f"No cell holds both {SWITCH} and {SEED}")
    start.source = start.source.replace(SWITCH, "TRAIN_IN_FULL = True")
    start.source = start.source.replace(SEED, SEED.replace("0", str(seed)))
    start.source += FAST if fast else ""
    last = max(n for n, cell in enumerate(notebook.cells) if "runs.recall(" in cell.source)
    notebook.cells = notebook.cells[: last + 1]  # what comes after has nothing to record
    return notebook


def keep(draft: Path, path: Path, seed: int, fast: bool, weights: bool) -> None:
    """Complete the card of a run that a notebook has recorded, and put the run in its place."""
    name = draft.name.rpartition("-")[0]
    card = json.loads((draft / "card.json").read_text("utf-8"))
    source = source_hash(nbformat.read(path, as_version=4), name)
    target = RUNS_FOLDER / (draft.name + (f"-seed{seed}" if seed else ""))
    weights = weights and not seed
    card |= {"name": target.name, "notebook": path.stem, "source": source, "seed": seed}
    card |= {"precision": "mixed_bfloat16" if fast else "float32", "weights": weights}
    text = json.dumps(card, indent=1, ensure_ascii=False)
    (draft / "card.json").write_text(text + "\n", "utf-8", newline="\n")
    if not weights:
        (draft / "weights.npz").unlink()
    shutil.rmtree(target, ignore_errors=True)
    shutil.move(draft, target)
    print(f"{target.name}: test accuracy {card.get('test_accuracy')}", flush=True)


def record(path: Path, seed: int, options: argparse.Namespace) -> None:
    """Run a notebook with its switch on, and keep the runs that it has recorded."""
    with tempfile.TemporaryDirectory() as folder:
        notebook = with_seed(nbformat.read(path, as_version=4), seed, options.fast)
        start = next(cell for cell in notebook.cells if "TRAIN_IN_FULL = True" in cell.source)
        start.source += RECORDER.format(folder=folder, only=options.runs)
        os.environ["PYTHONPATH"] = str(ROOT)
        execute(notebook, path.parent, options.tier)
        for draft in sorted(Path(folder).glob("[!.]*")):
            old = RUNS_FOLDER / draft.name
            weights = not old.exists() or (old / "weights.npz").exists()
            keep(draft, path, seed, options.fast, weights and not options.no_weights)


def main() -> None:
    """Record what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--runs", nargs="+", default=[], help="only these, named without tier")
    parser.add_argument("--tier", choices=("real", "embedded"))
    parser.add_argument("--no-weights", action="store_true", help="of a new run")
    parser.add_argument("--fast", action="store_true", help="in bfloat16, half the time")
    options = parser.parse_args()
    for path in options.notebooks:
        for seed in options.seeds:
            record(path, seed, options)


if __name__ == "__main__":
    main()
