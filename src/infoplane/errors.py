"""What can go wrong, said in one sentence that names the remedy."""

import difflib
from collections.abc import Iterable


class InfoplaneError(Exception):
    """Any error that infoplane raises on purpose; its text is one line for people."""

    def __init__(self, text: str = "") -> None:
        super().__init__(" ".join(text.split("\n")))


class InputError(InfoplaneError, ValueError):
    """An argument cannot be used: the text names it, what came, what was expected and the remedy."""


class ConfigError(InfoplaneError, ValueError):
    """A configuration cannot be run: the text names the key, what came and what was expected."""


class StoreError(InfoplaneError, RuntimeError):
    """A run's folder or one of its files cannot be read or written; the text names the path."""


class CheckpointWarning(UserWarning):
    """The epochs that the names of checkpoints state are doubtful: the text names two files and the remedy."""


class DiskFullError(StoreError):
    """A file could not be written because the disk is full; the text names the path and the free bytes."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the known name nearest to ``name``, else the list of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(names)}"
