"""The site and the slides, as they are opened from a folder: in a browser without a network."""

import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from tests import browser
from tools import pages

pytestmark = pytest.mark.full
needs_chromium = pytest.mark.skipif(
    browser.chromium_path() is None, reason="Chromium is not installed"
)

ROOT = Path(__file__).resolve().parent.parent
NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
KINDS_OF_PAGES = ["index", f"notebooks/{NAMES[1]}", "api/course_utils/plots/index"]

# What is wrong on a page, once all formulas are set.
PROBLEMS = r"""async () => {
  await window.MathJax?.startup?.promise;
  const all = selector => [...document.querySelectorAll(selector)];
  const raw = text => {
    const copy = text.cloneNode(true);
    copy.querySelectorAll('mjx-container, code, pre').forEach(node => node.remove());
    return /\$|\\[a-z]{3}/.test(copy.textContent);
  };
  return [
    ...all('img').filter(node => !node.naturalWidth).map(node => `broken picture: ${node.src}`),
    ...all('img').filter(node => !node.alt).map(node => `no description: ${node.src}`),
    ...all('.math').filter(node => !node.querySelector('mjx-container'))
      .map(node => `formula: ${node.textContent}`),
    ...all('mjx-merror, [data-mml-node="merror"]').map(node => `formula: ${node.textContent}`),
    ...all('p, li, td').filter(node => !node.closest('aside')).filter(raw)
      .map(node => `raw formula: ${node.textContent}`),
    ...all('p').filter(node => node.textContent.startsWith('|'))
      .map(node => `raw table: ${node.textContent}`),
    ...all('[type*="jupyter.widget"]').map(node => `dead widget: ${node.textContent}`),
  ];
}"""

# Shows one slide after the other; returns those that are empty, or do not fit, in either direction.
UNFIT = """async () => {
  const found = [];
  for (const slide of Reveal.getSlides()) {
    const { h, v } = Reveal.getIndices(slide);
    Reveal.slide(h, v);
    await new Promise(requestAnimationFrame);
    const blocks = [...slide.children].filter(node => !node.matches('.notes'));
    const bottom = Math.max(...blocks.map(node => node.offsetTop + node.offsetHeight));
    const cut = [...slide.querySelectorAll('pre')].some(
      node => node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1
    );
    const empty = blocks.every(node => node.matches('h1, h2, h3'));
    const text = slide.textContent.slice(0, 60);
    if (empty || cut || bottom > 720) found.push(`${h}/${v}: ${bottom} ${text}`);
  }
  return found;
}"""

# After Tab: where the keyboard is, if no ring shows it; nothing at the end of the page.
FOCUS = """() => {
  const node = document.activeElement, { outlineStyle, boxShadow } = getComputedStyle(node);
  if (node === document.body || node.dataset.reached) return null;
  node.dataset.reached = true;
  return outlineStyle === 'none' && boxShadow === 'none' ? node.outerHTML : '';
}"""
UNREACHED = """() => [...document.querySelectorAll('a[href], button, summary, input, select')]
  .filter(node => node.checkVisibility({ visibilityProperty: true }) && node.tabIndex >= 0)
  .filter(node => !node.dataset.reached).map(node => node.outerHTML)"""


def built(kind, factory):
    """Build the site or the slides; return the folder."""
    folder = factory.mktemp(kind) / kind
    pages.build(kind, folder)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return built("site", tmp_path_factory)


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    return built("slides", tmp_path_factory)


@pytest.fixture(scope="module")
def chromium():
    with browser.chromium() as chromium:
        yield chromium


@contextmanager
def opened(chromium, **options):
    """Yield a page that reaches files only, and the list of what went wrong on it."""
    page, troubles = chromium.new_page(**options), []

    def only_files(route):
        if urlsplit(route.request.url).scheme in ("file", "data", "blob"):
            route.continue_()
        else:
            troubles.append(f"a request to {route.request.url}")
            route.abort()

    page.route("**/*", only_files)
    page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else 0)
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("requestfailed", lambda request: troubles.append(f"failed: {request.url}"))
    yield page, troubles
    page.close()


def barriers(page, *rules):
    """Tell what keeps somebody out, such as pale text or a button without a name."""
    page.evaluate("Promise.all(document.getAnimations().map(change => change.finished))")
    found = Axe().run(page, options={"runOnly": rules})
    return [(v["id"], [n["html"] for n in v["nodes"]]) for v in found.response["violations"]]


def html_files(folder):
    return [path for path in folder.rglob("*.html") if "_static" not in path.parts]


def size(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", pages.BUILDERS)
def test_it_is_small_and_has_every_lecture(kind, request):
    folder = request.getfixturevalue(kind)
    assert size(folder) < 30_000_000
    assert sorted(path.stem for path in (folder / "notebooks").glob("*.html")) == NAMES


@pytest.mark.parametrize("kind", pages.BUILDERS)
def test_every_link_leads_somewhere(kind, request):
    folder = request.getfixturevalue(kind)
    soups = {
        path: BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in html_files(folder)
    }
    ids = {path: {tag["id"] for tag in soup.find_all(id=True)} for path, soup in soups.items()}
    for path, soup in soups.items():
        for link in soup.find_all("a", href=True):
            url = urlsplit(link["href"])
            if url.scheme in ("http", "https", "mailto"):
                continue
            target = (path.parent / unquote(url.path)).resolve() if url.path else path
            assert target.is_file(), (path, link["href"])
            is_page = target in ids and not url.fragment.startswith("/")
            assert not is_page or url.fragment in {"", "#", *ids[target]}, (path, link["href"])


@needs_chromium
@pytest.mark.parametrize("kind", pages.BUILDERS)
def test_every_page_shows_everything_without_a_network(kind, request, chromium):
    folder = request.getfixturevalue(kind)
    with opened(chromium) as (page, troubles):
        for path in html_files(folder):
            page.goto(path.as_uri())
            assert page.evaluate(PROBLEMS) == [], path
            assert troubles == [], path


# The site


@needs_chromium
def test_solutions_are_folded_and_interactive_cells_keep_their_picture(site, chromium):
    with opened(chromium) as (page, _):
        for name in NAMES:
            page.goto((site / "notebooks" / f"{name}.html").as_uri())
            assert page.locator("main details", has_text="Solution").count() >= 5
            assert page.locator("main details[open]").count() == 0
            for output in page.locator(".cell_output", has_text=pages.NOTE).all():
                assert output.locator("img").count() == 1


@needs_chromium
def test_the_search_finds_pages_and_complains_of_nothing(site, chromium):
    with opened(chromium) as (page, troubles):
        page.goto((site / "index.html").as_uri())
        page.keyboard.press("Control+k")
        page.keyboard.type("padding")
        page.keyboard.press("Enter")
        page.get_by_role("link", name="1 · Convolution > Padding").wait_for()
        page.get_by_role("link", name="course_utils.convolution.padding_amounts").wait_for()
        assert troubles == []


@needs_chromium
@pytest.mark.parametrize("name", KINDS_OF_PAGES)
def test_the_keyboard_leads_everywhere_and_shows_where_it_is(site, chromium, name):
    with opened(chromium) as (page, _):
        page.goto((site / f"{name}.html").as_uri())
        hidden = []
        page.keyboard.press("Tab")
        while (where := page.evaluate(FOCUS)) is not None:
            hidden += [where] if where else []
            page.keyboard.press("Tab")
        assert hidden == []
        assert page.evaluate(UNREACHED) == []


@needs_chromium
def test_the_keyboard_opens_a_solution_and_turns_the_page(site, chromium):
    with opened(chromium) as (page, _):
        page.goto((site / "notebooks" / f"{NAMES[1]}.html").as_uri())
        page.locator("main summary").last.focus()
        page.keyboard.press("Enter")
        assert page.locator("main details[open]").count() == 1
        page.locator("a.right-next").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{NAMES[2]}.html")


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_dark_where_the_system_is(site, chromium, scheme):
    with opened(chromium, color_scheme=scheme) as (page, _):
        page.goto((site / "index.html").as_uri())
        assert page.locator("html").get_attribute("data-theme") == scheme


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS_OF_PAGES)
def test_nobody_is_kept_out(site, chromium, name, scheme):
    with opened(chromium, color_scheme=scheme) as (page, _):
        page.goto((site / f"{name}.html").as_uri())
        page.evaluate(PROBLEMS)
        assert barriers(page, "wcag2a", "wcag2aa") == []


def test_each_lecture_can_be_downloaded_and_leads_to_the_next(site):
    for place, name in enumerate(NAMES):
        path = site / "notebooks" / f"{name}.html"
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        target = path.parent / soup.select_one("a.btn-download-source-button")["href"]
        assert target.read_bytes() == (ROOT / "notebooks" / f"{name}.ipynb").read_bytes()
        following = soup.select_one("a.right-next")["href"]
        assert following == [*NAMES[1:], "../api/course_utils/index"][place] + ".html"


def test_the_package_has_its_pages(site):
    text = (site / "api" / "course_utils" / "detection" / "index.html").read_text("utf-8")
    assert "center_xywh" in text
    package = site / "api" / "course_utils"
    assert "grad_cam" in (package / "explain" / "index.html").read_text("utf-8")
    modules = {path.stem for path in (ROOT / "course_utils").glob("[!_]*.py")}
    assert modules < {path.parent.name for path in package.glob("*/index.html")}


# The slides


@needs_chromium
@pytest.mark.parametrize("name", NAMES)
def test_every_slide_has_room_for_what_it_shows(slides, chromium, name):
    with opened(chromium, viewport={"width": 1280, "height": 720}) as (page, troubles):
        page.goto((slides / "notebooks" / f"{name}.html").as_uri())
        page.evaluate(PROBLEMS)
        assert page.evaluate(UNFIT) == []
        assert troubles == []


@needs_chromium
@pytest.mark.parametrize("name", NAMES)
def test_what_is_on_a_slide_can_be_read(slides, chromium, name):
    with opened(chromium) as (page, _):
        page.goto((slides / "notebooks" / f"{name}.html").as_uri() + "?view=print")  # all at once
        page.evaluate(PROBLEMS)
        page.locator(".pdf-page").last.wait_for()
        assert barriers(page, "color-contrast") == []


@needs_chromium
def test_the_space_bar_leads_to_the_last_slide(slides, chromium):
    with opened(chromium) as (page, _):
        page.goto((slides / "notebooks" / f"{NAMES[1]}.html").as_uri())
        for _ in range(page.evaluate("Reveal.getTotalSlides()") - 1):
            assert not page.evaluate("Reveal.isLastSlide()")
            page.keyboard.press("Space")
        assert page.evaluate("Reveal.isLastSlide()")


@needs_chromium
def test_the_speaker_has_notes_and_a_clock(slides, chromium):
    with opened(chromium) as (page, troubles):
        page.goto((slides / "notebooks" / f"{NAMES[1]}.html").as_uri())
        for _ in range(6):
            page.keyboard.press("Space")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        popup.value.get_by_text("Look at the output").wait_for()
        popup.value.get_by_text("Pacing").wait_for()
        assert troubles == []


# What happens to a notebook on its way


def code(*outputs):
    return {"cell_type": "code", "id": "code", "metadata": {}, "source": [], "outputs": outputs}


def text(source, name="text"):
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def test_a_figure_is_described_by_its_heading_and_a_dead_widget_is_left_out():
    progress, explorer = ({"data": {pages.WIDGET: {}, "text/plain": t}} for t in ("0%", pages.NOTE))
    cells = [text("# One\n\n## Two"), text("more"), code(progress, explorer, {"text": "printed"})]
    notebook = pages.described({"cells": cells, "metadata": {"widgets": {"state": {}}}})
    assert notebook["metadata"] == {}
    cell = notebook["cells"][-1]
    assert cell["metadata"]["mystnb"]["image"]["alt"] == "Figure: Two"
    assert cell["outputs"] == [explorer, {"text": "printed"}]


def test_notices_become_notes_up_to_their_heading():
    cells = [text("a", "a-notice"), text("b\n\n## C\n\nc", "b-notice"), text("## D", "d-notice")]
    notes = "``````{revealjs-notes}\n%s\n``````\n\n"
    sources = [cell["source"] for cell in pages.with_notes({"cells": cells})["cells"]]
    assert sources == [notes % "a", notes % "b\n\n" + "## C\n\nc", "## D"]


def test_a_link_that_leads_nowhere_stops_the_build(tmp_path, monkeypatch, capfd):
    for name in ("docs", "notebooks", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("0[1-9]*"))
    shutil.copy(ROOT / "README.md", tmp_path)
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    with pytest.raises(SystemExit):
        pages.build("slides", tmp_path / "slides")
    assert "target not found: 'notebooks/01_convolution.ipynb'" in capfd.readouterr().err
