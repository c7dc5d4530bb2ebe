"""HTML built as a tree, so that no text can ever become markup."""

from collections.abc import Iterable
from xml.etree import ElementTree

Element = ElementTree.Element

Child = Element | str
"""What an element may hold: other elements, and text, which is escaped when it is written."""


def element(tag: str, *children: Child, **attributes: str) -> Element:
    """Return an element with its children; ``class_`` and ``aria_label`` stand for ``class`` and ``aria-label``."""
    made = Element(tag, {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()})
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            if last is None:
                made.text = (made.text or "") + child
            else:
                last.tail = (last.tail or "") + child
        else:
            made.append(child)
            last = child
    return made


def name(text: str) -> Element:
    """Return a name that somebody gave: its direction of writing does not reach what stands beside it."""
    return element("bdi", text, class_="name")


def table(heading: Iterable[str], rows: Iterable[Iterable[Child]], *, caption: str, class_: str = "") -> Element:
    """Return a table inside a box that scrolls by itself where the page is narrow.

    A cell that is an element of a table's row already (``td``) stands as it is.
    """
    body = [element("tr", *map(_cell, row)) for row in rows]
    head = element("thead", element("tr", *(element("th", text, scope="col") for text in heading)))
    made = element("table", element("caption", caption), head, element("tbody", *body), class_=class_)
    return element("div", made, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _cell(content: Child) -> Element:
    return content if isinstance(content, Element) and content.tag == "td" else element("td", content)


def render(made: Element) -> str:
    """Return an element as HTML."""
    return ElementTree.tostring(made, encoding="unicode", method="html")
