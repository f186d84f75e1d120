"""The notebooks in a real JupyterLab, in a real browser.

With ``COURSE_SCREENSHOTS=folder`` every notebook is photographed after Run All, screen by screen.
"""

import os
import shutil
from pathlib import Path

import nbformat
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import expect, sync_playwright

from tests import browser as lab_browser
from tests.browser import cells, complaints, notebook, problems, run_all, screens

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(lab_browser.chromium() is None, reason="Chromium is not installed"),
]

ROOT = Path(__file__).resolve().parent.parent
NAMES = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    home = tmp_path_factory.mktemp("jupyter")
    folder = home / "notebooks"
    shutil.copytree(ROOT / "notebooks", folder, ignore=shutil.ignore_patterns(".*"))
    tier = os.environ.get("COURSE_TIER", "embedded")
    with lab_browser.jupyter_lab(folder, home, tier) as address:
        yield address


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        options = lab_browser.CHROMIUM_OPTIONS
        browser = playwright.chromium.launch(
            executable_path=lab_browser.chromium(), args=options
        )
        yield browser
        browser.close()


@pytest.mark.parametrize("name", NAMES)
def test_run(chromium, lab, name):
    import time
    t=time.time()
    with notebook(chromium, lab, name) as page:
        print(name, "opened", time.time()-t)
        for n in screens(page):
            print(n, problems(page))
        print("scrolled", time.time()-t)
        print(name, run_all(page))
        print(complaints(page))
        for n in screens(page):
            print(n, problems(page))
            page.screenshot(path=f"/tmp/w/browser/{name[:2]}-{n:02}.png")
    print("closed", time.time()-t)
