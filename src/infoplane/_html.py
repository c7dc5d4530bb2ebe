"""How records show themselves in a notebook: small tables, in which whatever a user named is text."""

import html
from collections.abc import Iterable, Sequence

LEFT = 'style="text-align:left"'


def table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a two-column table as HTML; rows whose text is empty are left out, and all text is escaped."""
    lines = [f"{_cell('th', name)}{_cell('td', text)}" for name, text in rows if text]
    return _whole(title, lines)


def grid(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a heading over each column as HTML; all text is escaped."""
    lines = ["".join(_cell("td", text) for text in row) for row in rows]
    return _whole(title, ["".join(_cell("th", heading) for heading in headings), *lines])


def line(text: str) -> str:
    """Return a line of text as HTML."""
    return f"<div>{html.escape(text)}</div>"


def _cell(tag: str, text: str) -> str:
    return f"<{tag} {LEFT}>{html.escape(text)}</{tag}>"


def _whole(title: str, lines: Sequence[str]) -> str:
    rows = "".join(f"<tr>{one}</tr>" for one in lines)
    return f"<table><caption {LEFT}>{html.escape(title)}</caption>{rows}</table>"
