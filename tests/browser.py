"""JupyterLab and its notebooks in a headless Chromium, for the browser check.

What a student does, opening, scrolling, clicking, typing, is done in the page itself. How far
the kernel has got and what the notebook holds is asked of JupyterLab's application object, which
it hands to the page (``expose_app_in_browser``).
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import numpy as np
import psutil
import pytest
from nbformat.sign import NotebookNotary

from tests import servers

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Browser, Locator, Page, sync_playwright

CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
VIEWPORT = {"width": 1400, "height": 1800}
RUN_SECONDS = 300
SHOW_SECONDS = 20

OPEN = """async name => {
  window.complaints = null;
  await window.jupyterapp.commands.execute('docmanager:open', { path: name });
}"""

CLOSE = """async () => {
  const notebook = window.jupyterapp.shell.currentWidget;
  await notebook.sessionContext.shutdown();
  notebook.dispose();
}"""

# True once the kernel can be used; before that, JupyterLab loses what it is asked to run. From
# then on everything the kernel complains about is kept, also what no cell shows: an exception in
# the callback of a widget goes to JupyterLab's log only.
READY = """() => {
  const session = window.jupyterapp?.shell.currentWidget?.sessionContext;
  if (!session?.isReady || session.session?.kernel?.status !== 'idle') return false;
  if (!window.complaints) {
    window.complaints = [];
    session.iopubMessage.connect((_, { header, content }) => {
      const { ename, evalue, name, text } = content;
      if (header.msg_type === 'error') window.complaints.push(`${ename}: ${evalue}`);
      if (header.msg_type === 'stream' && name === 'stderr') window.complaints.push(text);
    });
  }
  return true;
}"""

IDLE = """() =>
  window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"""

CELLS = """() => [...window.jupyterapp.shell.currentWidget.content.model.cells].map(cell => ({
  type: cell.type,
  source: cell.sharedModel.source,
  count: cell.executionCount ?? null,
  outputs: cell.type === 'code' ? cell.outputs.toJSON() : [],
}))"""

# True once every cell has run, or one has failed: those below it may never run.
FINISHED = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  if (panel.sessionContext.session.kernel.status !== 'idle') return false;
  const cells = [...panel.content.model.cells].filter(cell => cell.type === 'code');
  return cells.some(cell => cell.outputs.toJSON().some(o => o.output_type === 'error'))
    || cells.every(cell => cell.executionCount || !cell.sharedModel.source.trim());
}"""

# For every cell, how many of its outputs show a decoded picture, and how many a widget.
SHOWN = """() => {
  const decoded = picture => picture.complete && picture.naturalWidth && picture.naturalHeight;
  return window.jupyterapp.shell.currentWidget.content.widgets.map(({ node }) => [
    [...node.querySelectorAll('.jp-OutputArea-output img')].filter(decoded).length,
    node.querySelectorAll('.jp-OutputArea-output:has(.jupyter-widgets)').length,
  ]);
}"""

# What is wrong on the part of the page that is in view.
PROBLEMS = r"""() => {
  const frame = document.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect();
  const inView = node => {
    const box = node.getBoundingClientRect();
    return box.height > 0 && box.bottom > frame.top && box.top < frame.bottom;
  };
  const all = selector => [...document.querySelectorAll(selector)].filter(inView);
  const tell = (what, node) => `${what}: ${node.textContent.trim().slice(0, 200)}`;
  const undecoded = picture => !picture.complete || !picture.naturalWidth;
  const isRaw = text => {
    const copy = text.cloneNode(true);
    copy.querySelectorAll('mjx-container, code').forEach(node => node.remove());
    return /\$|\\[a-z]{3}/.test(copy.textContent);
  };
  return [
    ...all('.jp-RenderedText[data-mime-type*="error"]').map(node => tell('error', node)),
    ...all('.jp-RenderedText[data-mime-type*="stderr"]').map(node => tell('stderr', node)),
    ...all('.jp-OutputArea-output')
      .filter(node => /(Error displaying|Loading) widget/.test(node.textContent))
      .map(node => tell('widget', node)),
    ...all('mjx-merror, mjx-container [fill="red"], mjx-container [style*="color: red"]')
      .map(node => tell('formula', node)),
    ...all('.jp-RenderedMarkdown').filter(isRaw).map(node => tell('raw formula', node)),
    ...all('.jp-Notebook img').filter(undecoded)
      .map(node => `picture: ${node.alt || node.src.slice(0, 60)}`),
  ];
}"""

# Goes down by most of a screen, and waits until that is drawn; false at the end of the notebook.
SCROLL = """async () => {
  const frame = document.querySelector('.jp-WindowedPanel-outer');
  if (frame.scrollTop + frame.clientHeight >= frame.scrollHeight - 2) return false;
  frame.scrollTop += frame.clientHeight * 0.9;
  for (let n = 0; n < 3; n++) await new Promise(requestAnimationFrame);
  return true;
}"""


def chromium_path() -> str | None:
    """Return the path of Chromium, or None where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a Chromium without a window, and stop it at the end."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@contextmanager
def new_tab(browser: Browser, address: str) -> Iterator[Page]:
    """Open JupyterLab in a tab of its own, without a notebook."""
    page = browser.new_page(viewport=VIEWPORT)
    page.goto(address)
    page.wait_for_function("() => window.jupyterapp?.shell", timeout=1000 * servers.START_SECONDS)
    page.evaluate("() => window.jupyterapp.restored")
    yield page
    page.close()


@contextmanager
def jupyter_lab(notebooks: Path, home: Path, tier: str) -> Iterator[str]:
    """Serve a folder with JupyterLab, all its own files in `home`; yield its address."""
    token = secrets.token_hex(16)
    address = servers.free_address()
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={address.rpartition(':')[2]}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={notebooks}",
        f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
    ]
    command = [sys.executable, "-m", "jupyterlab", *options]
    environment = os.environ | _own_folders(home) | {"COURSE_TIER": tier}
    log = home / "lab.log"
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
    try:
        servers.wait_for(server, f"{address}/api/status?token={token}", log)
        yield f"{address}/doc?token={token}&reset"
    finally:
        servers.stop(server)


def _own_folders(home: Path) -> dict[str, str]:
    """Point JupyterLab to folders of its own, with settings that keep it from saving."""
    settings = home / "config" / "lab" / "user-settings" / "@jupyterlab" / "docmanager-extension"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text(json.dumps({"autosave": False}))
    folders = {f"JUPYTER_{kind}_DIR": kind.lower() for kind in ("CONFIG", "DATA", "RUNTIME")}
    return {name: str(home / folder) for name, folder in {**folders, "IPYTHONDIR": "ipy"}.items()}


def trust(path: Path, home: Path) -> None:
    """Sign a notebook, as JupyterLab does when its user has run and saved it."""
    notary = NotebookNotary(data_dir=str(home / "data"))
    notary.sign(nbformat.read(path, as_version=4))
    notary.store.close()


@contextmanager
def notebook(tab: Page, name: str) -> Iterator[Page]:
    """Open a notebook in a tab and wait for its kernel; end both afterwards, saving nothing."""
    tab.evaluate(OPEN, name)
    try:
        tab.wait_for_function(READY, timeout=1000 * servers.START_SECONDS)
        yield tab
    finally:
        tab.evaluate(CLOSE)


def busy_seconds() -> float:
    """Return how many CPU seconds the kernels that run for this process have taken so far."""
    family = psutil.Process().children(recursive=True)
    kernels = [process for process in family if "ipykernel_launcher" in process.cmdline()]
    return sum(sum(process.cpu_times()[:2]) for process in kernels)


def choose(page: Page, menu: str, item: str) -> None:
    """Click an item of JupyterLab's menu bar."""
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def clear(page: Page) -> None:
    """Remove the stored outputs, so that what is seen afterwards is new."""
    choose(page, "Edit", "Clear Outputs of All Cells")


def run_all(page: Page) -> float:
    """Run all cells from the menu; return the seconds until the last has run or one failed."""
    clear(page)
    start = time.perf_counter()
    choose(page, "Run", "Run All Cells")
    page.wait_for_function(FINISHED, timeout=1000 * RUN_SECONDS, polling=100)
    return time.perf_counter() - start


def cells(page: Page) -> list[dict]:
    """Return type, source, execution count and outputs of every cell, from the model."""
    return page.evaluate(CELLS)


def complaints(page: Page) -> list[str]:
    """Return the errors and the stderr output of the kernel since the notebook was opened."""
    # While a notebook opens, JupyterLab asks for widgets before the kernel has any: no harm done.
    heard = page.evaluate("() => window.complaints")
    return [text for text in heard if not text.startswith("No such comm")]


def stored(page: Page) -> np.ndarray:
    """Count, from the model, the pictures (first column) and widgets of every cell (row)."""
    kinds = ("image/png", "image/jpeg"), ("application/vnd.jupyter.widget-view+json",)
    return np.array(
        [
            [
                sum(any(k in o.get("data", {}) for k in kind) for o in each["outputs"])
                for kind in kinds
            ]
            for each in cells(page)
        ]
    )


def shown(page: Page) -> np.ndarray:
    """Count the same on the page; far from view, a cell may show nothing yet."""
    return np.array(page.evaluate(SHOWN))


def problems(page: Page, seconds: float = SHOW_SECONDS) -> list[str]:
    """Return what is wrong in the part of the page in view, after some time to load it."""
    until(page, lambda: not page.evaluate(PROBLEMS), seconds)
    return page.evaluate(PROBLEMS)


def until(page: Page, condition: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; return whether it came true in time."""
    end = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < end:
        page.wait_for_timeout(50)
    return met


def screens(page: Page) -> Iterator[int]:
    """Scroll from top to bottom and yield the number of each screen, from 1."""
    page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0 }")
    number = 1
    yield number
    while page.evaluate(SCROLL):
        number += 1
        yield number


def cell(page: Page, number: int) -> Locator:
    """Scroll to a cell, counted from 0, and return it."""
    page.evaluate(
        "number => window.jupyterapp.shell.currentWidget.content.scrollToItem(number, 'start')",
        number,
    )
    found = page.locator(f'.jp-Cell[data-windowed-list-index="{number}"]')
    found.wait_for()
    return found
