"""How the text of a lecture is cut into slides: ``make slides``.

A heading begins a slide. What stands below it is laid out on as many slides as it needs, all of
them with this heading. A cell stays with what it shows, and with the sentence that leads to it,
where a slide has room for them.
"""

from collections.abc import Iterator
from math import ceil
from pathlib import Path

from docutils import nodes
from docutils.nodes import Element, Node
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.images import get_image_size
from sphinx_revealjs.nodes import revealjs_break

PYTHON = ("ipython3", "python")
MINUTES = 45  # for a lecture; the speaker's window says whether one is late
# In pixels of a slide, as in docs/slides.css.
WIDTH, HEIGHT = 1280, 720
ROOM = 610  # below the heading
TEXT_LINE, TEXT_WIDTH = 36, 90  # the latter in characters
CODE_LINE = 25
FORMULA = 110
FOLDED = 60
LARGEST_PICTURE = 450
GAP = 14


class Slides(SphinxPostTransform):
    """Cuts every section of a lecture into slides."""

    default_priority = 900  # after it was decided which form of an output is shown

    def run(self, **kwargs: object) -> None:
        """Put a break into the document wherever a slide is full."""
        folder = Path(self.env.srcdir)
        for block in self.document.findall(nodes.literal_block):
            if block.get("language") in PYTHON:
                del block["language"]  # so that Sphinx colours it, as it does for the site
        for section in list(self.document.findall(nodes.section)):
            groups, filled = list(kept_together(section.children)), 0
            section.clear()
            for blocks, needed in parts(groups, folder):
                if filled and needed and filled + needed > ROOM:
                    section += revealjs_break()
                    filled = 0
                section += blocks
                filled += needed


def kept_together(children: list[Node]) -> Iterator[list[Node]]:
    """Group blocks that belong together; a solution, folded by its tags, is one container."""
    group: list[Node] = []
    for child in folded(children):
        group += taken_apart(child)
        leads_on = isinstance(child, nodes.paragraph) and child.astext().endswith(":")
        if not leads_on:
            yield group
            group = []
    yield group


def folded(children: list[Node]) -> Iterator[Node]:
    """Put what stands between the tags of a folded block into a container."""
    fold = None
    for child in children:
        tag = child.astext() if isinstance(child, nodes.raw) else ""
        if tag.startswith("<details"):
            fold = nodes.container(classes=["folded"])
        if fold is None:
            yield child
        else:
            fold += child
        if fold is not None and tag.rstrip().endswith("</details>"):
            yield fold
            fold = None


def taken_apart(node: Node) -> Iterator[Node]:
    """Take a cell apart: its code, and each of its outputs."""
    kind = node.get("nb_element", "") if isinstance(node, Element) else ""
    if kind in ("cell_code", "cell_code_output"):
        for child in node.children:
            yield from taken_apart(child)
    else:
        yield node


def parts(groups: list[list[Node]], folder: Path) -> Iterator[tuple[list[Node], int]]:
    """Yield what is to stay on one slide, with its height; too large a group comes in pieces."""
    for group in groups:
        heights = [height(block, folder) for block in group]
        if sum(heights) <= ROOM:
            yield group, sum(heights)
        else:
            yield from (([block], pixels) for block, pixels in zip(group, heights, strict=True))


def height(node: Node, folder: Path) -> int:
    """Estimate the height of a block in pixels, from the number of its lines."""
    if isinstance(node, nodes.section | nodes.title | nodes.Admonition | nodes.Invisible):
        return 0  # slides of its own, the heading, or nothing that is seen
    if isinstance(node, nodes.image):
        size = get_image_size(folder / node["uri"]) or (0, LARGEST_PICTURE)
        return min(size[1], LARGEST_PICTURE) + GAP
    if isinstance(node, nodes.literal_block | nodes.raw):
        return CODE_LINE * len(node.astext().splitlines()) + 2 * GAP
    if isinstance(node, nodes.math_block):
        return FORMULA
    if isinstance(node, nodes.paragraph) and (pictures := list(node.findall(nodes.image))):
        return sum(height(picture, folder) for picture in pictures)
    if isinstance(node, nodes.paragraph | nodes.row):
        return TEXT_LINE * ceil(len(node.astext()) / TEXT_WIDTH) + GAP
    if "folded" in node.get("classes", []):
        return FOLDED
    return sum(height(child, folder) for child in node.children)
