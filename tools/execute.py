"""Run notebooks top to bottom and store what they show: ``make execute``.

Each notebook runs twice: on the embedded tier, to measure how long a student without the real
data waits, and then on whatever is on disk, to store its outputs. A notebook that fails is
left as it was.
"""

import argparse
import json
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
TIMES = ROOT / "data" / "notebooks.json"
MINUTES = 240  # a recording may train for hours


def execute(
    notebook: nbformat.NotebookNode, folder: Path, tier: str | None = None
) -> nbformat.NotebookNode:
    """Run the cells of a notebook in a kernel of its own that works in `folder`."""
    client = NotebookClient(
        notebook,
        timeout=60 * MINUTES,
        record_timing=False,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    return client.execute(env={**os.environ, **({"COURSE_TIER": tier} if tier else {})})


def run(path: Path, tier: str | None = None) -> tuple[nbformat.NotebookNode, float]:
    """Execute a stored notebook; return it with new outputs, and the seconds it took."""
    notebook = nbformat.read(path, as_version=4)
    start = time.perf_counter()
    return execute(notebook, path.parent, tier), time.perf_counter() - start


def store(path: Path, notebook: nbformat.NotebookNode) -> None:
    """Write an executed notebook, refusing outputs that a reader should not see.

    What a cell tagged ``remove-output`` shows lives no longer than the kernel, and a progress bar
    no longer than its cell: both are left out.
    """
    for problem in problems(notebook):
        raise SystemExit(f"{path.name}: {problem}; not stored.")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            gone = "remove-output" in cell.metadata.get("tags", [])
            cell.outputs = [] if gone else [o for o in cell.outputs if not is_progress(o)]
    notebook.metadata["language_info"] = {"name": "python"}
    draft = path.with_suffix(".draft")
    nbformat.write(notebook, draft)
    draft.replace(path)


def is_progress(output: nbformat.NotebookNode) -> bool:
    """Tell whether an output is what tqdm leaves behind."""
    return "%|" in output.get("data", {}).get("text/plain", "")


def problems(notebook: nbformat.NotebookNode) -> list[str]:
    """List what must not be in stored outputs: errors, noise on stderr, paths of the machine."""
    found = []
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if [cell.execution_count for cell in cells] != list(range(1, len(cells) + 1)):
        found.append("the cells were not run once each, top to bottom")
    for cell in cells:
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {cell.id} stores an error: {output.ename}")
            if output.get("name") == "stderr":
                found.append(f"cell {cell.id} stores noise on stderr: {output.text[:200]}")
        text = json.dumps([without_pictures(output) for output in cell.outputs])
        if match := re.search(r"(?<![\w.])(/(home|root|tmp|work|opt|Users)/\w[^\"\s]*)", text):
            found.append(f"cell {cell.id} stores a path of this machine: {match[0]}")
    return found


def without_pictures(output: nbformat.NotebookNode) -> dict:
    """Copy an output without its pictures, in whose encoding anything may occur."""
    data = {
        kind: content for kind, content in output.get("data", {}).items() if "image" not in kind
    }
    return {**output, "data": data}


def main() -> None:
    """Run the notebooks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--no-times", action="store_true", help="skip the run that measures")
    options = parser.parse_args()
    try:
        if not options.no_times:
            measure(options.notebooks)
        for path in options.notebooks:
            notebook, seconds = run(path)
            store(path, notebook)
            print(f"{path.name}: stored, {seconds:.0f} s")
    except CellExecutionError as error:
        sys.exit(f"This notebook failed and is left as it was:\n{error}")


def measure(notebooks: list[Path]) -> None:
    """Measure the seconds on the embedded tier; the start page and the README show them."""
    times = json.loads(TIMES.read_text("utf-8")) if TIMES.exists() else {}
    for path in notebooks:
        times[path.stem] = round(run(path, "embedded")[1])
        print(f"{path.name}: {times[path.stem]} s on the embedded tier")
    TIMES.write_text(json.dumps(dict(sorted(times.items())), indent=1) + "\n", "utf-8")
    README.write_text(with_times(README.read_text("utf-8"), times), "utf-8")


def with_times(text: str, times: dict[str, int]) -> str:
    """Put the seconds into the table of notebooks."""
    for name, seconds in times.items():
        text = re.sub(rf"(\(notebooks/{name}\.ipynb\).*\| )\d+( \|)", rf"\g<1>{seconds}\g<2>", text)
    return text


if __name__ == "__main__":
    main()
