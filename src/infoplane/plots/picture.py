"""Figures that show themselves in a notebook."""

import io

from matplotlib.figure import Figure


class Picture(Figure):
    """A figure that a notebook draws below its cell, without pyplot and its global state."""

    def _repr_png_(self) -> bytes:
        """Return the figure as a PNG of 150 dots per inch."""
        content = io.BytesIO()
        self.savefig(content, format="png", dpi=150, metadata={"Software": None})
        return content.getvalue()
