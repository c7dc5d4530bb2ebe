"""Layer names as text in figures: printable, short, and joined where several layers share a point."""

import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

ELLIPSIS, MISSING = "…", "□"
"""Replaces the middle of a long name; replaces a character that the font does not have."""

LONG = 24
"""Characters of a single name in a figure."""

LISTED, LISTED_LONG = 3, 28
"""Layers, and characters, up to which a group of layers is a plain list: "hidden1, hidden2"."""

NODES = ("input", "X")
"""Names of the input node, which is no layer."""


def printable(text: Any) -> str:
    r"""Return a text that matplotlib draws as it is: on one line, without formulas, in characters of the font.

    ``$`` starts a formula in matplotlib and is escaped. Control characters, line breaks, marks that change the
    direction of writing and lone surrogates become spaces. Characters that the font does not have become ``□``.

    >>> printable("loss$_1$\n(new)")
    'loss\\$_1\\$ (new)'
    """
    spaced = "".join(" " if unicodedata.category(letter).startswith("C") else letter for letter in str(text))
    drawn = "".join(letter if _has_glyph(letter) else MISSING for letter in " ".join(spaced.split()))
    return drawn.replace("$", r"\$")


def shorten(name: Any, most: int = LONG) -> str:
    """Return a printable name of at most ``most`` characters; a longer one loses its middle.

    >>> shorten("encoder.layer.11.attention.output.dense", 20)
    'encoder.l…tput.dense'
    """
    shown = printable(name).replace(r"\$", "$")
    if len(shown) > most:
        tail = most // 2
        shown = shown[: max(most - 1 - tail, 1)] + ELLIPSIS + shown[len(shown) - tail :]
    return (shown or MISSING * bool(str(name))).replace("$", r"\$")


def join(names: Sequence[str], most: int = 2 * LONG) -> str:
    """Return one label for layers that share a point, of about ``most`` characters.

    A few short names are listed. Of many the first, the last and their number are given. The input node keeps its
    name.

    >>> join(["hidden1", "hidden2"])
    'hidden1, hidden2'
    >>> join(["input", "layer1.0", "layer1.1", "layer2.0", "layer2.1"])
    'input, layer1.0 … layer2.1 (4)'
    """
    if len(names) == 1:
        return shorten(names[0], min(most, LONG))
    listed = ", ".join(map(printable, names))
    if len(names) <= LISTED and len(listed) <= min(most, LISTED_LONG):
        return listed
    if names[0] in NODES:
        return f"{names[0]}, {join(names[1:], most - len(names[0]) - 2)}"
    counted = f"({len(names)})"
    each = max((most - len(counted) - 4) // 2, 3)
    return f"{shorten(names[0], each)} {ELLIPSIS} {shorten(names[-1], each)} {counted}"


def spread(count: int, most: int) -> list[int]:
    """Return at most ``most`` places among ``count``, evenly apart, the first and the last among them.

    >>> spread(9, 3)
    [0, 4, 8]
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


@cache
def _has_glyph(letter: str) -> bool:
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    return letter == " " or bool(font.get_char_index(ord(letter)))
