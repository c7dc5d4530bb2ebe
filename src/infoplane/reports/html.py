"""The page itself: words, tables and packed numbers put into the template, under a policy that lets nothing out."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from infoplane.reports import sections
from infoplane.reports.elements import element, render
from infoplane.reports.pack import compressed
from infoplane.reports.panels import has_numbers, has_plane, pack, panels_of
from infoplane.reports.source import Source

SCRIPTS = ("data.js", "charts.js", "controls.js")
"""What the page's own script is made of, in this order."""


def page(sources: Sequence[Source]) -> str:
    """Return the report on some results as one HTML page."""
    panels = panels_of(sources)
    drawn = [panel for panel in panels if has_numbers(panel)]
    about, numbers, without = pack(drawn)
    script, plotly = _script(), _plotly()
    rest = [
        sections.figures([source for n, source in enumerate(sources) if not _any_plane(n, drawn)]),
        sections.claims(sources),
        sections.configuration(sources),
        sections.reproduce(sources),
        sections.cite(sources),
    ]
    title = ", ".join(source.name for source in sources)
    return _fill(
        "report.html",
        {
            "policy": _policy(script, plotly),
            "title": html.escape(f"{title[:200]} · infoplane"),
            "heading": render(element("bdi", title, class_="name long")),
            "style": _read("report.css"),
            "summary": render(sections.summary(sources, panels, without)),
            "rest": "".join(render(section) for section in rest if section is not None),
            "footer": render(sections.footer()),
            "about": in_script(about),
            "numbers": numbers,
            "plotly": _packed_plotly() if drawn else "",
            "script": script,
        },
    )


def in_script(content: Any) -> str:
    """Return JSON that cannot end the script element it stands in, nor begin a comment there."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _any_plane(place: int, panels: Sequence[Any]) -> bool:
    return any(has_plane(panel) for panel in panels if panel.source == place)


def _fill(name: str, parts: dict[str, str]) -> str:
    """Put texts into the places of a template, all at once: what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _read(name))


def _policy(*scripts: str) -> str:
    """Return a policy under which the page runs these scripts and asks nothing of anybody."""
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(one.encode()).digest()).decode()}'" for one in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


def _script() -> str:
    inner = "\n".join(_read(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{inner}}})();'


def _read(name: str) -> str:
    return resources.files("infoplane.reports").joinpath(name).read_text("utf-8")


@cache
def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


@cache
def _packed_plotly() -> str:
    return compressed(_plotly().encode())
