"""The lines of a recording's ``rows.jsonl``, each with its number and a checksum of its content.

A line is a measured epoch, a restart (``from_epoch``: later epochs are measured again), or a list of damaged lines that
a recorder has left out (``left_out``). The numbers show where a line is missing. Every line after a restart repeats
it, so that a damaged restart cannot bring back the epochs that it removed.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from infoplane import files
from infoplane.record.rows import Entry

NUMBER, RESTART, LEFT_OUT, RESTARTS = "line", "from_epoch", "left_out", "restarts"

Line = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Lines:
    """What the lines of a recording contain.

    Attributes:
        entries: the measured epochs, ascending; those that were measured again only as they were last.
        damaged: numbers of the damaged or missing lines.
        left_out: numbers of the damaged lines that a recorder knows of and has left out.
        torn: whether a crash cut the last line short.
        size: bytes of the whole lines.
        count: number of the last line.
        restarts: number of restarts, and the first epoch of the last one.
    """

    entries: Sequence[Entry] = ()
    damaged: Sequence[int] = ()
    left_out: Sequence[int] = ()
    torn: bool = False
    size: int = 0
    count: int = 0
    restarts: tuple[int, int] = (0, 0)

    def next(self, content: Mapping[str, Any]) -> tuple[Line, "Lines"]:
        """Return the next line with its number and checksum, and the state after it."""
        restarts = (self.restarts[0] + 1, content[RESTART]) if RESTART in content else self.restarts
        repeated = {RESTARTS: list(restarts)} if restarts[0] else {}
        line = files.sealed({**content, **repeated, NUMBER: self.count + 1})
        return line, dataclasses.replace(self, count=self.count + 1, restarts=restarts)


def read_lines(path: Path, *, old: bool) -> Lines:
    """Read the lines of a recording: the sound ones are read, the damaged ones are named by number.

    Args:
        path: the file; a missing one has no lines.
        old: whether the folder is of a version that numbered no lines and gave restarts no checksum.

    Raises:
        StoreError: when the file cannot be read, or is a link.
    """
    with files.named(path):
        if not path.is_symlink() and not path.exists():
            return Lines()
    content = files.read_bytes(path)
    *texts, tail = content.split(b"\n")
    reader = _Reader()
    for place, text in enumerate(texts, start=1):
        reader.take(_sound(text, old=old), place)
    reader.end()
    if has_lost_its_end := _sound(tail[:-1], old=old) is not None:  # another byte stands where the line ended
        reader.lose_next()
    torn = bool(tail) and not has_lost_its_end
    # an earlier version did not say which lines a crash had torn
    lost = reader.lost - {place for place, text in enumerate(texts, start=1) if old and not text.endswith(b"}")}
    return Lines(
        entries=sorted(reader.entries, key=lambda entry: entry.epoch),
        damaged=sorted(lost - reader.left_out),
        left_out=sorted(lost & reader.left_out),
        torn=torn,
        size=len(content) - (len(tail) if torn else 0),
        count=reader.count,
        restarts=reader.restarts,
    )


def _sound(text: bytes, *, old: bool) -> Line | None:
    """Return a line that is what was written, else None."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict):
        return None
    if files.is_sealed(line) and (old or NUMBER in line):
        return line
    return line if old and set(line) == {RESTART} and isinstance(line[RESTART], int) else None


class _Reader:
    """Puts lines together in their order."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.lost: set[int] = set()
        self.left_out: set[int] = set()
        self.count, self.restarts = 0, (0, 0)
        self._unread = 0

    def take(self, line: Line | None, place: int) -> None:
        """Take the next line; None for a damaged one."""
        if line is None:
            self._unread += 1
            return
        number = line.get(NUMBER, place)
        if number <= self.count:  # it stands there a second time
            self._unread += 1
            return
        self.lost.update(range(self.count + 1, number))
        self.count, self._unread = number, 0
        try:
            self._apply(line, number)
        except (KeyError, TypeError, ValueError, AttributeError):  # its checksum is right, its content is not ours
            self.lost.add(number)

    def end(self) -> None:
        """Count the damaged lines after the last sound one."""
        for _ in range(self._unread):
            self.lose_next()

    def lose_next(self) -> None:
        """Count a damaged line at the end."""
        self.count += 1
        self.lost.add(self.count)

    def _apply(self, line: Line, number: int) -> None:
        told = line.get(RESTARTS) or ([self.restarts[0] + 1, line[RESTART]] if RESTART in line else None)
        if told and told[0] > self.restarts[0]:
            # of several lost restarts only the last one is known: then no earlier epoch is certain
            first = told[1] if told[0] == self.restarts[0] + 1 else 0
            self.entries = [entry for entry in self.entries if entry.epoch < first]
            self.restarts = (told[0], told[1])
        if LEFT_OUT in line:
            self.left_out.update(line[LEFT_OUT])
        elif RESTART not in line:
            self.entries.append(Entry.from_line(line, f"line {number}"))
