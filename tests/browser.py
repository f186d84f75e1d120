"""JupyterLab in a headless Chromium, for the browser check.

JupyterLab hands its application object to the page (``expose_app_in_browser``). What a
student does, opening, scrolling, clicking, typing, happens in the page itself; the object only tells
how far the kernel has got and what the notebook holds.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, expect

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
START_SECONDS = 60
RUN_SECONDS = 300
SHOW_SECONDS = 20

# Collects everything the kernel complains about, also what no cell shows: an exception in the
# callback of a widget goes to JupyterLab's log.
READY_SCRIPT = """
() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const session = panel?.sessionContext;
  if (!session?.isReady || session.session?.kernel?.status !== 'idle') return false;
  if (!window.complaints) {
    window.complaints = [];
    session.iopubMessage.connect((_, message) => {
      const content = message.content;
      if (message.header.msg_type === 'error') window.complaints.push(content.ename + ': ' + content.evalue);
      if (content.name === 'stderr') window.complaints.push(content.text);
    });
  }
  return true;
}
"""
CELLS_SCRIPT = """
() => [...window.jupyterapp.shell.currentWidget.content.model.cells].map(cell => ({
  type: cell.type,
  source: cell.sharedModel.source,
  count: cell.executionCount ?? null,
  outputs: cell.type === 'code' ? cell.outputs.toJSON() : [],
}))
"""
# True once every cell has run, or once one has failed: the cells below it never run.
FINISHED_SCRIPT = """
() => {
  const panel = window.jupyterapp.shell.currentWidget;
  if (panel.sessionContext.session.kernel.status !== 'idle') return false;
  const cells = [...panel.content.model.cells].filter(cell => cell.type === 'code');
  const failed = cells.some(cell => cell.outputs.toJSON().some(o => o.output_type === 'error'));
  return failed || cells.every(cell => cell.executionCount || !cell.sharedModel.source.trim());
}
"""
# What is wrong on the part of the page that is in view, and a formula or picture still on its way.
PROBLEMS_SCRIPT = r"""
() => {
  const found = [];
  const scroller = document.querySelector('.jp-WindowedPanel-outer').getBoundingClientRect();
  const inView = node => {
    const box = node.getBoundingClientRect();
    return box.height > 0 && box.bottom > scroller.top && box.top < scroller.bottom;
  };
  const all = selector => [...document.querySelectorAll(selector)].filter(inView);
  const report = (selector, what) =>
    all(selector).forEach(node => found.push(what + ': ' + node.textContent.slice(0, 200)));
  report('.jp-RenderedText[data-mime-type*="error"]', 'error');
  report('.jp-RenderedText[data-mime-type*="stderr"]', 'stderr');
  report('mjx-merror, .MathJax_Error', 'formula');
  report('.jp-Dialog, .Toastify__toast', 'popup');
  for (const node of all('.jp-OutputArea-output'))
    if (/Error displaying widget|Loading widget|Widget not found/.test(node.textContent))
      found.push('widget: ' + node.textContent.slice(0, 200));
  for (const picture of all('.jp-Notebook img'))
    if (!picture.complete || !picture.naturalWidth || !picture.naturalHeight)
      found.push('picture without pixels: ' + (picture.alt || picture.src.slice(0, 60)));
  for (const text of all('.jp-RenderedMarkdown')) {
    const copy = text.cloneNode(true);
    copy.querySelectorAll('mjx-container, code').forEach(node => node.remove());
    if (/\$|\\[a-z]{3}/.test(copy.textContent)) found.push('raw formula: ' + copy.textContent.slice(0, 200));
  }
  return found;
}
"""
# Goes down the notebook by most of a screen; answers whether there was anything left below.
SCROLL_SCRIPT = """
() => {
  const scroller = document.querySelector('.jp-WindowedPanel-outer');
  if (scroller.scrollTop + scroller.clientHeight >= scroller.scrollHeight - 2) return false;
  scroller.scrollTop += scroller.clientHeight * 0.9;
  return true;
}
"""


@contextmanager
def jupyter_lab(notebooks: Path, home: Path, tier: str) -> Iterator[str]:
    """Serve a folder of notebooks with JupyterLab; yield its address, and stop it at the end."""
    token = secrets.token_hex(16)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _write_settings(home / "config")
    options = [
        "--no-browser",
        "--allow-root",
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={notebooks}",
        f"--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True",
    ]
    environment = os.environ | {
        "COURSE_TIER": tier,
        "IPYTHONDIR": str(home / "ipython"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
    }
    with (home / "lab.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(server, f"{address}/api/status?token={token}", home / "lab.log")
        yield f"{address}/doc/tree/{{name}}?token={token}&reset"
    finally:
        _stop(server)


def _write_settings(config: Path) -> None:
    """Keep JupyterLab from saving behind our back: the next test wants the notebook as stored."""
    settings = config / "lab" / "user-settings" / "@jupyterlab" / "docmanager-extension"
    settings.mkdir(parents=True)
    (settings / "plugin.jupyterlab-settings").write_text(json.dumps({"autosave": False}))


def _wait_for(server: subprocess.Popen, url: str, log: Path) -> None:
    """Wait until the server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            opener.open(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start; its log says:\n{log.read_text()}")


def _stop(server: subprocess.Popen) -> None:
    """End the server and its kernels, politely first."""
    processes = []
    if server.poll() is None:
        processes = psutil.Process(server.pid).children(recursive=True)
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    _, alive = psutil.wait_procs(processes, timeout=3)
    for process in alive:
        process.kill()


def chromium() -> str | None:
    """Return the path of Chromium, if this machine has it."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def notebook(browser: Browser, lab: str, name: str) -> Iterator[Page]:
    """Open a notebook and wait for its kernel; shut both down at the end."""
    page = browser.new_page(viewport=VIEWPORT)
    page.goto(lab.format(name=name))
    page.wait_for_function(READY_SCRIPT, timeout=1000 * START_SECONDS)
    try:
        yield page
    finally:
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        page.close()


def run_all(page: Page) -> float:
    """Choose Run > Run All Cells; return the seconds until all of them have run."""
    start = time.perf_counter()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(FINISHED_SCRIPT, timeout=1000 * RUN_SECONDS, polling=200)
    return time.perf_counter() - start


def cells(page: Page) -> list[dict]:
    """Return type, source, execution count and outputs of every cell."""
    return page.evaluate(CELLS_SCRIPT)


def complaints(page: Page) -> list[str]:
    """Return the errors and the stderr output of the kernel since the notebook was opened."""
    return page.evaluate("() => window.complaints")


def problems(page: Page) -> list[str]:
    """Return what is wrong with the part in view, after some time to finish loading."""
    end = time.monotonic() + SHOW_SECONDS
    while (found := page.evaluate(PROBLEMS_SCRIPT)) and time.monotonic() < end:
        page.wait_for_timeout(100)
    return found


def screens(page: Page) -> Iterator[int]:
    """Scroll from top to bottom, a screen at a time; yield the number of each."""
    page.evaluate("() => { document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0 }")
    number = 1
    yield number
    while page.evaluate(SCROLL_SCRIPT):
        number += 1
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
        yield number
