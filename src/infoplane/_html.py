"""How a record shows itself in a notebook: a small table, in which whatever a user named is text."""

import html
from collections.abc import Iterable


def table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a two-column table as HTML; rows whose text is empty are left out, and all text is escaped."""
    left = 'style="text-align:left"'
    cells = (f"<tr><th {left}>{html.escape(a)}</th><td {left}>{html.escape(b)}</td></tr>" for a, b in rows if b)
    return f"<table><caption {left}>{html.escape(title)}</caption>{''.join(cells)}</table>"
