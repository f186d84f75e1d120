"""Settings of Sphinx for the course as a site and as slides: ``make site``, ``make slides``."""

from importlib.resources import files
from pathlib import Path

from sphinx.application import Sphinx

from tools import pages, slides

ROOT = Path(__file__).resolve().parent.parent
IS_SITE = tags.has("site")  # noqa: F821, Sphinx puts it here

project = "Convolutional networks, from the first kernel on"
language = "en"
extensions = ["myst_nb"]
extensions += ["autoapi.extension", "sphinx.ext.napoleon"] if IS_SITE else ["sphinx_revealjs"]
exclude_patterns = ["README.md"]  # parts of it are in the index
pygments_style = "a11y-high-contrast-light"

# The lectures, as they are stored: nothing is run, and no control needs a server.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
SHOWN = ["text/html", "image/png", "image/jpeg", "text/markdown", "text/plain"]
nb_mime_priority_overrides = [("*", kind, place) for place, kind in enumerate(SHOWN)]
nb_mime_priority_overrides += [("*", pages.WIDGET, None)]
nb_render_markdown_format = "myst"  # as in the cells: with tables and formulas
myst_enable_extensions = ["dollarmath"]

# Formulas: of all that MathJax consists of, the one file in which the letters are drawn, too.
MATHJAX = files("sphinx-mathjax-offline") / "static" / "mathjax" / "tex-svg.js"
mathjax_path = MATHJAX.name

# The site.
html_theme = "sphinx_book_theme"
html_title = project
html_theme_options = {"navbar_persistent": [], "footer_content_items": []}
html_context = {"default_mode": "auto"}
html_static_path = [str(MATHJAX), str(ROOT / "docs" / "site.css"), str(ROOT / "docs" / "site.js")]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = IS_SITE  # to be downloaded
html_sourcelink_suffix = ""
html_show_search_summary = False  # it cannot be fetched where there is no server

# The package, read but not imported.
autoapi_dirs = [str(ROOT / "course_utils")]
autoapi_root = "api"
autoapi_add_toctree_entry = False
autoapi_options = ["members", "show-inheritance", "imported-members"]
suppress_warnings = ["autoapi.python_import_resolution"]  # of Keras, through `backend`
autodoc_typehints = "none"  # the docstrings name them
napoleon_use_param = napoleon_use_rtype = False

# The slides.
revealjs_static_path = [str(MATHJAX), str(ROOT / "docs" / "slides.css")]
revealjs_style_theme = "white"
revealjs_css_files = ["pygments.css", "slides.css"]
revealjs_use_section_ids = True
revealjs_script_plugins = [
    {"src": f"revealjs/plugin/{name}/{name}.js", "name": f"Reveal{name.title()}"}
    for name in ("notes", "search", "zoom")
]
revealjs_script_conf = {
    **{"width": slides.WIDTH, "height": slides.HEIGHT, "center": False, "margin": 0.02},
    **{"hash": True, "slideNumber": "c/t", "transition": "none", "totalTime": 60 * slides.MINUTES},
}


def setup(app: Sphinx) -> None:
    """Tell Sphinx what to change on its way."""
    app.connect("source-read", pages.prepare)
    if IS_SITE:
        app.connect("autoapi-skip-member", pages.is_inner)
    else:
        app.add_post_transform(slides.Slides)
