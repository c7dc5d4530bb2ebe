"""Tables in text files: separators, headings, index columns; missing values are refused with their line."""

import csv
import dataclasses
import math
import os
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from infoplane.errors import InputError, did_you_mean

ENDINGS = (".csv", ".tsv")

GAPS = frozenset(
    (*"nan na n/a <na> nat null none #n/a #na -nan 1.#qnan -1.#qnan 1.#ind -1.#ind".split(), "", "#n/a n/a")  # noqa: SIM905
)
"""Cells that stand for a missing value, in lower case: those that pandas writes and reads as such."""

_COMMA = re.compile(r"[+-]?\d+(,\d+)+([eE][+-]?\d+)?")
_LOOKED_AT = 20
"""Number of lines that decide on the separator."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a table is written.

    Attributes:
        path: the file.
        separator: what stands between two cells.
        width: number of cells in a line.
        first: the cells of the first line.
        indexed: whether the first column is an index, as pandas writes it: its heading is empty.
    """

    path: Path
    separator: str
    width: int
    first: tuple[str, ...]
    indexed: bool

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the lines that are not empty with their numbers, their cells without spaces around them.

        Raises:
            InputError: for a line with another number of cells, and for what is no text.
        """
        for number, row in _lines(self.path, self.separator):
            if len(row) != self.width:
                raise InputError(
                    f"{self.path}, line {number}: expected {self.width} values as in the first line, got {len(row)}. "
                    "Quote cells that hold the separator, and write decimal points"
                )
            yield number, row

    def place(self, name: str) -> int:
        """Return the column of this name.

        Raises:
            InputError: where there is none, or several.
        """
        names = [text.strip() for text in self.first]
        if names.count(name) > 1:
            raise InputError(f"{self.path}: column '{name}' is there {names.count(name)} times. Rename one of them")
        if name not in names:
            raise InputError(f"{self.path}: no column '{name}'{did_you_mean(name, [n for n in names if n])}")
        return names.index(name)


def read_layout(path: Path) -> Layout:
    """Find out how a table is written from its first lines.

    Raises:
        InputError: for an empty file, one too large for this machine, spaces between numbers, and what is no text.
    """
    refuse_large(path, path.stat().st_size * 4, "Measure on fewer rows, or save the arrays with numpy.savez")
    heads = {separator: _head(path, separator) for separator in (";", "\t", ",")}
    wide = [separator for separator, rows in heads.items() if _same_width(rows) and len(rows[0]) > 1]
    separator = wide[0] if wide else ","
    rows = heads[separator]
    if not rows:
        raise InputError(f"{path}: is empty; expected one sample a line")
    if all(len(row) == 1 and len(row[0].split()) > 1 and all(map(is_number, row[0].split())) for row in rows):
        raise InputError(
            f"{path}: expected commas, semicolons or tabs between the values, got spaces. Write it with "
            "numpy.savetxt(…, delimiter=',')"
        )
    return Layout(path, separator, len(rows[0]), tuple(rows[0]), len(rows[0]) > 1 and rows[0][0] in ("", "Unnamed: 0"))


def _head(path: Path, separator: str) -> list[list[str]]:
    rows = []
    for _, row in _lines(path, separator, strict=False):
        rows.append(row)
        if len(rows) == _LOOKED_AT:
            break
    return rows


def _same_width(rows: list[list[str]]) -> bool:
    return len({len(row) for row in rows}) == 1


def _lines(path: Path, separator: str, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=strict)
            for row in reader:
                if row:
                    yield reader.line_num, [cell.strip() for cell in row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a table in UTF-8: {error}") from None


def refuse_large(path: Path, n_bytes: int, remedy: str) -> None:
    """Refuse what does not fit into the memory of this machine.

    Raises:
        InputError: names both amounts.
    """
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if n_bytes > there:
        raise InputError(
            f"{path}: expected data that fit into the {there / 2**30:.1f} GiB of memory of this machine, got about "
            f"{n_bytes / 2**30:.1f} GiB. {remedy}"
        )


def is_number(text: str) -> bool:
    """Say whether a cell is a number; NaN is none."""
    try:
        return not math.isnan(float(text))
    except ValueError:
        return False


def read_columns(layout: Layout, places: Sequence[int]) -> tuple[list[list[str]], list[int]]:
    """Return the cells of some columns, the first line among them, and the number of each line."""
    columns: list[list[str]] = [[] for _ in places]
    numbers = []
    for number, row in layout.rows():
        numbers.append(number)
        for cells, place in zip(columns, places, strict=True):
            cells.append(row[place])
    return columns, numbers


def read_numbers(layout: Layout, places: Sequence[int], label: int | None) -> tuple[np.ndarray, list[str], list[int]]:
    """Return some columns of a table with headings as float32, the cells of another column, and the line numbers.

    Raises:
        InputError: for a cell that is no number; names its line and column.
    """
    values, labels, lines = array("f"), [], []
    rows = layout.rows()
    next(rows)
    for number, row in rows:
        cells = [row[place] for place in places]
        try:
            values.extend(map(float, cells))
        except ValueError:
            bad = next(place for place in places if not _reads(row[place]))
            raise _no_number(layout, number, layout.first[bad], row[bad]) from None
        lines.append(number)
        if label is not None:
            labels.append(row[label])
    table = np.frombuffer(values, np.float32).reshape(len(lines), len(places)).copy()
    if np.isnan(table).any():
        row, column = (int(place) for place in np.argwhere(np.isnan(table))[0])
        n_rows = int(np.isnan(table).any(axis=1).sum())
        raise _gap(layout.path, lines[row], layout.first[places[column]], "nan", n_rows, len(lines))
    return table, labels, lines


def _reads(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parse_column(path: Path, name: str, cells: Sequence[str], lines: Sequence[int]) -> np.ndarray:
    """Return the cells of a column as int64, float64 or words.

    Raises:
        InputError: for missing values, decimal commas, and words among numbers; names the line and the column.
    """
    gaps = [place for place, cell in enumerate(cells) if cell.lower() in GAPS]
    if gaps:
        raise _gap(path, lines[gaps[0]], name, cells[gaps[0]], len(gaps), len(cells))
    for kind in (np.int64, np.float64):
        try:
            return np.array(cells, dtype=str).astype(kind)
        except (ValueError, OverflowError):
            continue
    words = [place for place, cell in enumerate(cells) if not is_number(cell)]
    commas = [place for place in words if _COMMA.fullmatch(cells[place])]
    if commas and 2 * len(commas) >= len(words):
        raise _decimal_comma(path, lines[commas[0]], name, cells[commas[0]])
    if 2 * len(words) < len(cells):
        first = words[0]
        raise InputError(
            f"{path}, line {lines[first]}, column {name}: expected a number as in {len(cells) - len(words)} of "
            f"{len(cells)} rows, got {cells[first][:40]!r}. Correct or drop this row; if the column holds classes, "
            "write all of them as words"
        )
    return np.array(cells, dtype=str)


def _no_number(layout: Layout, line: int, name: str, cell: str) -> InputError:
    if cell.lower() in GAPS:
        return _gap(layout.path, line, name, cell)
    if _COMMA.fullmatch(cell):
        return _decimal_comma(layout.path, line, name, cell)
    return InputError(
        f"{layout.path}, line {line}, column {name!r}: expected a number, got {cell[:40]!r}; code the column or "
        "leave it out with --column"
    )


def _gap(path: Path, line: int, name: str, cell: str, n: int = 0, n_rows: int = 0) -> InputError:
    amount = f" ({n} of {n_rows} rows lack one)" if n else ""
    return InputError(
        f"{path}, line {line}, column {name}: expected a value, got {cell!r}{amount}. Drop these rows, or rename the "
        "word if it is a class"
    )


def _decimal_comma(path: Path, line: int, name: str, cell: str) -> InputError:
    return InputError(
        f"{path}, line {line}, column {name}: expected a number with a decimal point, got {cell!r}. Replace the comma "
        "by a point, for example with pandas.read_csv(…, decimal=',') and to_csv"
    )


# ---- is the first line a heading?


def find_heading(columns: Sequence[Sequence[str]], first: Sequence[str]) -> bool | None:
    """Say whether the first line of a table holds names; None where it may hold a sample as well.

    Names are words above numbers; a word above words that repeat, if it stands nowhere else; ``0, 1, 2, …``, which
    pandas writes, above numbers with decimals, or over three and more columns.

    Args:
        columns: the cells of each column, the first line among them.
        first: all cells of the first line.
    """
    if len(columns[0]) < 2:
        return False
    said = [_names_column(cells[0], cells[1:]) for cells in columns]
    if True in said:
        return True
    counted = list(first) == [str(place) for place in range(len(first))]
    if not counted:
        return None if None in said else False
    decimals = any(not _is_whole(cell) for cells in columns for cell in cells[1:])
    return True if decimals or len(first) > 2 else None


def _names_column(first: str, rest: Sequence[str]) -> bool | None:
    """Say whether a cell is the name of the cells below it; None where they may be words of one kind."""
    if is_number(first) or first.lower() in GAPS:
        return False
    rest = [cell for cell in rest if cell.lower() not in GAPS]
    n_numbers = sum(map(is_number, rest))
    if 2 * n_numbers >= len(rest):
        return True
    if n_numbers:
        return False
    times: Counter[Any] = Counter(rest)
    if times[first]:
        return False
    return True if min(times.values()) > 1 else None


def _is_whole(cell: str) -> bool:
    return cell.lstrip("+-").isdecimal()
