"""Build the lectures as a site or as slides that need no network: ``make site``, ``make slides``.

Sphinx reads the notebooks as they are stored and runs nothing. Its settings are in the folder
``docs``; what happens to a notebook on its way is written here and in `tools.slides`.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BUILDERS = {"site": "html", "slides": "revealjs"}
# What `widgets.explore` leaves where no kernel runs. Other widgets, such as progress bars, leave
# nothing that is worth reading.
NOTE = "Run this cell to use its controls."
WIDGET = "application/vnd.jupyter.widget-view+json"
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def build(kind: str, target: Path) -> None:
    """Build the site or the slides; what there was before gives way when all is well.

    Parameters
    ----------
    kind : {"site", "slides"}
    target : pathlib.Path
        Where ``index.html`` shall be.

    Raises
    ------
    SystemExit
        If Sphinx has found something wrong, be it a link that leads nowhere.
    """
    with tempfile.TemporaryDirectory() as name:
        pages, built = Path(name) / "pages", Path(name) / "built"
        gather(kind, pages)
        command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs"]
        command += ["-b", BUILDERS[kind], "-t", kind, str(pages), str(built)]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise SystemExit(f"The {kind} could not be built: see above.")
        shutil.rmtree(built / ".doctrees")
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(built, target)


def gather(kind: str, folder: Path) -> None:
    """Copy what the pages are made of into a folder: notebooks, README and the first page."""
    unseen = shutil.ignore_patterns(".*")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=unseen)
    shutil.copy2(ROOT / "README.md", folder)
    shutil.copy2(ROOT / "docs" / f"{kind}.md", folder / "index.md")


def prepare(app: Any, name: str, source: list[str]) -> None:
    """Change the text of a page before Sphinx reads it, if it is a notebook."""
    if app.env.doc2path(name).suffix == ".ipynb":
        notebook = described(json.loads(source[0]))
        source[0] = json.dumps(with_notes(notebook) if app.tags.has("slides") else notebook)


def described(notebook: dict[str, Any]) -> dict[str, Any]:
    """Give figures a description, the heading they stand below; leave out dead widgets.

    Parameters
    ----------
    notebook : dict
        A notebook as JSON gives it; it is changed.

    Returns
    -------
    dict
        The same notebook.
    """
    notebook["metadata"].pop("widgets", None)  # their state
    heading = ""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            heading = (HEADING.findall("".join(cell["source"])) or [heading])[-1]
        else:
            cell["metadata"]["mystnb"] = {"image": {"alt": f"Figure: {heading}"}}
            cell["outputs"] = [output for output in cell["outputs"] if not is_dead(output)]
    return notebook


def is_dead(output: dict[str, Any]) -> bool:
    """Tell whether an output is a widget that shows nothing without a kernel."""
    data = output.get("data", {})
    return WIDGET in data and "".join(data["text/plain"]) != NOTE


def with_notes(notebook: dict[str, Any]) -> dict[str, Any]:
    """Make notes for the speaker of what a lecture says after a figure.

    That is what stands in a cell whose name ends in "notice", up to its first heading.

    Parameters
    ----------
    notebook : dict
        A notebook as JSON gives it; it is changed.

    Returns
    -------
    dict
        The same notebook.
    """
    for cell in notebook["cells"]:
        if cell.get("id", "").endswith("notice"):
            notes, *rest = re.split("^(?=#)", "".join(cell["source"]), maxsplit=1, flags=re.M)
            directive = f"``````{{revealjs-notes}}\n{notes}\n``````\n\n" if notes else ""
            cell["source"] = directive + "".join(rest)
    return notebook


def is_inner(app: Any, what: str, name: str, member: Any, skip: bool, options: list) -> bool:
    """Leave out of the pages on the package what it keeps behind its front doors.

    These are the modules inside of its own packages, whose functions are shown where they are
    imported from, and what a module has only borrowed from elsewhere.
    """
    package = name.rpartition(".")[0]
    is_inner_module = what in ("module", "package") and name.count(".") > 1
    is_borrowed = member.imported and not member.obj["original_path"].startswith(f"{package}.")
    return skip or is_inner_module or is_borrowed


def main() -> None:
    """Build what is named on the command line, into the folder ``build``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=BUILDERS)
    kind = parser.parse_args().kind
    build(kind, ROOT / "build" / kind)
    print(f"Open build/{kind}/index.html in a browser.")


if __name__ == "__main__":
    main()
