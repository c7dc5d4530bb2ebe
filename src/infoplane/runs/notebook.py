"""Progress in a Jupyter notebook: a bar below the cell, drawn where nobody else has asked for the progress."""

import html
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from infoplane.runs.dispatch import OnEvent

SECONDS = 0.2
"""Time between two pictures of the bar."""


def in_notebook() -> bool:
    """Say whether this is the kernel of a notebook; loads nothing to find out."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def shown(name: str, on_event: "OnEvent | None") -> "OnEvent | None":
    """Return what is told the progress of a run: who asked for it, else a bar where this is a notebook."""
    return Bar(name).show if on_event is None and in_notebook() else on_event


class Bar:
    """A bar of HTML that is drawn below the cell and redrawn in its place."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._handle: Any = None
        self._drawn = -float("inf")
        self._notes: list[str] = []

    def show(self, event: Any) -> None:
        """Draw one event of the engine; progress at most five times a second, the end always."""
        if (text := getattr(event, "text", None)) is not None:
            self._notes.append(text)
            return
        now = time.monotonic()
        if now - self._drawn >= SECONDS or event.done >= event.total:
            self._drawn = now
            self._draw(as_html(self._name, event.done, event.total, event.unit, self._notes))

    def _draw(self, page: str) -> None:
        from IPython.display import HTML, display  # pyright: ignore[reportMissingImports]

        if self._handle is None:
            self._handle = display(HTML(page), display_id=True)
        else:
            self._handle.update(HTML(page))


def as_html(name: str, done: int, total: int, unit: str, notes: list[str]) -> str:
    """Return a bar as HTML, with what is to be known below it; whatever a user named is text."""
    count = f"{done:,} of {total:,} {unit}"
    told = "".join(f"<div>{html.escape(note)}</div>" for note in notes)
    bar = f'<progress value="{done}" max="{max(total, 1)}" aria-label="progress"></progress>'
    return f"<div>{html.escape(name)} {bar} {html.escape(count)}</div>{told}"
