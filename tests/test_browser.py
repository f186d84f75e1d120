"""The notebooks as a student meets them: JupyterLab in a browser, with mouse and keyboard.

With ``COURSE_SCREENSHOTS=folder``, every notebook is photographed after Run All, one picture for
each screen. ``pytest -m browser -rP`` prints the times.
"""

import os
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests import browser
from tests.browser import (
    cell,
    cells,
    complaints,
    notebook,
    problems,
    run_all,
    screens,
    shown,
    stored,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(browser.chromium_path() is None, reason="Chromium is not installed"),
]

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
NAMES = [path.name for path in PATHS]
CONTROLS = "widgets.explore("
EXPLORED = [path.name for path in PATHS if CONTROLS in path.read_text("utf-8")]
# Of these, only the cells run that the controls need. (nbval runs all.)
NEEDED = {
    "02_filter_banks.ipynb": ["imports", "gabor-kernels", "gabor-magnitude", "gabor-try"],
    "09_activations.ipynb": [
        *("imports", "start", "choose", "by-hand-code", "channel", "pair", "excite", "explore"),
    ],
    "10_learned_filters.ipynb": ["imports", "start", "base", "glasses", "explore"],
    "11_class_activation_maps.ipynb": [
        *("imports", "start", "trunk", "train", "cam-by-hand", "overlay", "tuned"),
        *("gallery-right", "gallery-wrong", "own-photo", "other-class", "layers", "explore"),
    ],
    "13_detection.ipynb": [
        *("imports", "switch", "data", "look", "iou", "iou-widget", "crops", "scenes-train"),
        *("slide", "nms", "thin-out", "ap-by-hand", "ap", "anchors", "targets", "loss"),
        *("grid-net", "grid-data", "grid-train", "detect", "grid-recall", "examples"),
        *("thresholds", "thresholds-widget"),
    ],
}

BAD_VALUES = """
import numpy as np
from course_utils import convolution, plots, widgets
def draw(size):
    return plots.image_grid([convolution.conv2d(np.eye(9), np.ones((size, size)))])
widgets.explore(draw, size=(1, 10))
"""
EDITOR = """
editor = widgets.KernelEditor({"edges": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])})
widgets.explore(lambda kernel: plots.number_grids({"kernel": np.array(kernel)}), kernel=editor)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the notebooks, to be opened and run."""
    copy = tmp_path_factory.mktemp("browser") / "notebooks"
    shutil.copytree(ROOT / "notebooks", copy, ignore=shutil.ignore_patterns(".*"))
    return copy


@pytest.fixture(scope="module")
def lab(folder):
    tier = os.environ.get("COURSE_TIER", "embedded")
    with browser.jupyter_lab(folder, folder.parent, tier) as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as running:
        yield running


@pytest.fixture(scope="module")
def tab(chromium, lab):
    """JupyterLab, in which one notebook at a time is open."""
    with browser.new_tab(chromium, lab) as page:
        yield page


@pytest.fixture(scope="module")
def second_tab(chromium, lab):
    with browser.new_tab(chromium, lab) as page:
        yield page


@pytest.fixture(scope="module")
def ran(request, second_tab, folder):
    """The page of a notebook after Run All; the notebook is the parameter."""
    with notebook(second_tab, shortened(folder, request.param)) as page:
        print(f"{request.param}: Run All took {run_all(page):.1f} s")
        yield page


def shortened(folder, name):
    """Write a copy of a notebook with what its controls need; return its name."""
    if name not in NEEDED:
        return name
    copy = nbformat.read(folder / name, as_version=4)
    copy.cells = [entry for entry in copy.cells if entry.id in NEEDED[name]]
    assert len(copy.cells) == len(NEEDED[name])
    nbformat.write(copy, folder / f"short {name}")
    return f"short {name}"


@pytest.fixture
def scratch(folder, tab):
    """A function that opens a notebook of the cells it is given."""

    def open_cells(*contents):
        content = new_notebook(cells=list(contents))
        content.metadata.kernelspec = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(content, folder / "scratch.ipynb")
        return opened.enter_context(notebook(tab, "scratch.ipynb"))

    with ExitStack() as opened:
        yield open_cells


def look_through(page, kinds=1, photographs=None):
    """Scroll down; return the problems seen, and which cells did not show what they hold.

    The kinds looked for are pictures, and as the second kind controls, which JupyterLab
    shows in trusted notebooks only.
    """
    found, most = [], shown(page)
    for number in screens(page):
        found += problems(page)
        most = np.maximum(most, shown(page))
        if photographs:
            page.screenshot(path=f"{photographs}-{number:02}.png")
    missing = np.flatnonzero((most < stored(page))[:, :kinds].any(axis=1)).tolist()
    return found, [number for number in missing if not shows_all(page, number, kinds)]


def shows_all(page, number, kinds):
    """Return whether a cell shows all it holds, if it is given the time."""
    cell(page, number)
    held = stored(page)[number, :kinds]
    return browser.until(page, lambda: (shown(page)[number, :kinds] >= held).all(), 20)


# Stored


@pytest.mark.parametrize("name", [name for name in NAMES if name not in EXPLORED[1:]])
def test_a_stored_notebook_shows_its_pictures_before_it_is_run(tab, name):
    with notebook(tab, name) as page:
        assert stored(page)[:, 0].any(), f"{name} stores no pictures; run: make execute"
        assert look_through(page) == ([], [])


@pytest.mark.parametrize("name", EXPLORED)
def test_a_stored_notebook_shows_its_pictures_and_controls_once_it_is_trusted(tab, folder, name):
    browser.trust(folder / name, folder.parent)
    with notebook(tab, name) as page:
        assert stored(page)[:, 1].any(), f"{name} stores no controls; run: make execute"
        assert look_through(page, kinds=2) == ([], [])


# Run. The others have been run by nbval; those with controls need a browser.


@pytest.mark.parametrize("ran", NAMES[:1] + EXPLORED, indirect=True)
def test_run_all_runs_every_cell_and_shows_every_picture_and_no_error(ran, request):
    target = os.environ.get("COURSE_SCREENSHOTS")
    name = Path(request.node.callspec.params["ran"]).stem
    if target:
        Path(target).mkdir(parents=True, exist_ok=True)
    seen = look_through(ran, 2, Path(target) / name if target else None)
    after = [entry for entry in cells(ran) if entry["type"] == "code"]
    outputs = [output for entry in after for output in entry["outputs"]]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    assert complaints(ran) == []
    assert [entry["source"] for entry in after if entry["source"] and not entry["count"]] == []
    assert seen == ([], [])


@pytest.mark.parametrize("ran", EXPLORED, indirect=True)
def test_every_control_changes_the_picture(ran):
    for number, entry in enumerate(cells(ran)):
        if "widgets.explore(" not in entry["source"]:
            continue
        explorer = cell(ran, number)
        changes = list(controls(explorer))
        assert changes
        for what, change in changes:
            assert changes_picture(ran, explorer, change), f"{what} does nothing"
        assert problems(ran) == []
    assert complaints(ran) == []


def controls(explorer):
    """Yield the name of each control of a cell, and what to do to change it."""

    def slide(handle):
        is_low = handle.get_attribute("aria-valuenow") == handle.get_attribute("aria-valuemin")
        handle.press("End" if is_low else "Home")

    def pick_next(menu):
        menu.click()
        menu.page.keyboard.press("ArrowDown")
        menu.page.keyboard.press("Enter")

    def add_two(box):
        enter(box, str(float(box.input_value()) + 2))

    kinds = {
        "select": pick_next,
        ".noUi-handle": slide,
        "input[type=number]": add_two,
        "input[type=checkbox]": lambda box: box.click(),
    }
    for selector, change in kinds.items():
        for number, control in enumerate(explorer.locator(selector).all(), start=1):
            yield f"{selector} {number}", lambda control=control, change=change: change(control)


def enter(box, text):
    """Replace the content of a field, key by key."""
    box.fill("")
    box.press_sequentially(text)
    box.press("Enter")


def changes_picture(page, explorer, action):
    """Do something, and return whether the one picture of a cell becomes another one."""
    picture = explorer.locator(".jp-OutputArea-output img")
    before = picture.get_attribute("src")
    action()
    changed = browser.until(page, lambda: picture.get_attribute("src") != before, 20)
    page.wait_for_function(browser.IDLE)
    return changed and picture.evaluate("picture => picture.naturalWidth > 0")


@pytest.mark.parametrize("ran", NAMES[:1], indirect=True)
def test_nothing_pops_up_over_the_notebook(ran):
    assert ran.locator(".jp-Dialog, .Toastify__toast").all_inner_texts() == []


def test_the_first_figure_comes_soon(tab, record_property):
    """The kernel works for ten seconds at most; the clock may say more where others work too."""
    with notebook(tab, NAMES[1]) as page:
        browser.clear(page)
        assert browser.until(page, lambda: not shown(page).any(), 10)
        cell(page, 0).click()
        start, start_of_work = time.perf_counter(), browser.busy_seconds()
        for number, entry in enumerate(cells(page)):
            page.keyboard.press("Shift+Enter")
            if entry["type"] == "code":
                browser.until(page, lambda number=number: cells(page)[number]["count"], 30)
            if shown(page)[:, 0].any():
                break
        seconds = time.perf_counter() - start
        work = browser.busy_seconds() - start_of_work
    record_property("first_figure_seconds", seconds)
    print(f"{NAMES[1]}: the first figure came after {seconds:.1f} s, {work:.1f} s of them work")
    assert work < 10
    assert seconds < 30


# Mistakes of the student


def test_a_bad_value_shows_a_message_and_a_good_one_the_picture_again(scratch):
    page = scratch(new_code_cell(BAD_VALUES))
    run_all(page)
    explorer, slider = cell(page, 0), page.locator(".noUi-handle")
    explorer.locator("img").wait_for()
    slider.press("End")
    explorer.get_by_text("This does not work: A kernel of 10 does not fit").wait_for()
    assert explorer.locator("img").count() == 0
    slider.press("Home")
    explorer.locator("img").wait_for()
    assert problems(page) == []
    assert complaints(page) == []


def test_a_kernel_field_takes_numbers_and_ignores_what_is_none(scratch):
    page = scratch(new_code_cell(BAD_VALUES), new_code_cell(EDITOR))
    run_all(page)
    explorer = cell(page, 1)
    field = explorer.locator("input[type=number]").nth(4)
    assert changes_picture(page, explorer, lambda: enter(field, "7.5"))
    for nonsense in ("", "abc", "-"):
        enter(field, nonsense)
        assert browser.until(page, lambda: field.input_value() == "7.5", 10), nonsense
    assert changes_picture(page, explorer, lambda: enter(field, "-3"))
    assert complaints(page) == []


# The check itself


def test_the_check_sees_what_is_wrong_in_a_stored_notebook(scratch):
    lost = {"application/vnd.jupyter.widget-view+json": {"model_id": "0" * 32}, "text/plain": "x"}
    page = scratch(
        new_markdown_cell("$x^a^b$"),
        new_markdown_cell(r"never closed: $\alpha"),
        new_markdown_cell("![lost](lost.png)"),
        new_code_cell("", outputs=[new_output("display_data", lost)]),
    )
    found = problems(page, seconds=2)
    assert [problem.partition(":")[0] for problem in found] == ["formula", "raw formula", "picture"]
    assert shown(page).tolist() == [[0, 0]] * 4
    assert stored(page).tolist() == [[0, 0]] * 3 + [[0, 1]]


def test_the_check_sees_what_goes_wrong_in_a_run(scratch):
    page = scratch(
        new_markdown_cell(r"$$\nosuch{2}$$"),
        new_code_cell("import sys; print('careful', file=sys.stderr)"),
        new_code_cell("1 / 0"),
    )
    run_all(page)
    found = problems(page, seconds=2)
    assert [problem.partition(":")[0] for problem in found] == ["stderr", "stderr", "formula"]
    assert complaints(page) == ["careful\n", "ZeroDivisionError: division by zero"]
