"""Arrays from files that users name: .npy without pickled objects, and tables in .csv and .tsv."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from infoplane.data import tables
from infoplane.errors import InputError


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable of a file.

    Attributes:
        values: a row for each sample.
        note: what was done with the first line and the index column of a table; empty where nothing was.
    """

    values: np.ndarray
    note: str = ""


@dataclasses.dataclass(frozen=True)
class _Table:
    """Columns of a table; whether the first line is a heading may be open."""

    path: Path
    names: tuple[str, ...]
    cells: list[list[str]]
    lines: list[int]
    heading: bool | None
    note: str

    @property
    def n_lines(self) -> int:
        return len(self.lines)


def read_array(path: Path, columns: Sequence[str] = (), heading: bool | None = None) -> np.ndarray:
    """Read one variable, a row for each sample; see `read_pair`."""
    part = _read(path, columns, (), heading)
    return (part if isinstance(part, Variable) else _variable(part, None)).values


def read_pair(
    x: Path, y: Path, columns: Sequence[str] = (), labels: Sequence[str] = (), heading: bool | None = None
) -> tuple[Variable, Variable]:
    """Read two variables, a row for each sample.

    A .csv or .tsv holds one sample a line, with commas, semicolons or tabs. Whole numbers become symbols, other numbers
    coordinates, words symbols. A heading is recognized (`tables.find_heading`); where the first line may be a sample as
    well, the number of rows of the other file decides. An index column as pandas writes it is left out.

    Args:
        x: file of the first variable.
        y: file of the second variable, with its samples in the same order; it may be the file of x.
        columns: names of the columns of x; all but those of y by default.
        labels: names of the columns of y; all by default.
        heading: whether the first line of tables is a heading; None recognizes it.

    Raises:
        InputError: for a file that is missing, damaged, ragged or of another kind, missing values, decimal commas, and
            columns of words beside columns of numbers; names the file, the line and the column.
    """
    first = _read(x, columns, labels if x == y else (), heading)
    second = _read(y, labels, (), heading)
    n_x, n_y = (_known_rows(part) for part in (first, second))
    return _variable(first, n_y), _variable(second, n_x)


def _known_rows(part: "Variable | _Table") -> int | None:
    if isinstance(part, Variable):
        return len(part.values) if part.values.ndim else None
    return None if part.heading is None else part.n_lines - part.heading


def _read(path: Path, columns: Sequence[str], without: Sequence[str], heading: bool | None) -> "Variable | _Table":
    try:
        if path.suffix.lower() == ".npy":
            if columns:
                raise InputError(f"{path}: expected a table for columns, got .npy. Save a .csv with names")
            return Variable(_read_npy(path))
        if path.suffix.lower() in tables.ENDINGS:
            return _read_table(path, columns, without, heading)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    raise InputError(f"{path}: expected a file that ends in .npy, .csv or .tsv; write one with numpy.save")


def _read_npy(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError, MemoryError, OverflowError, TypeError, SyntaxError) as error:
            raise InputError(f"{path}: cannot be read as a NumPy array: {str(error) or 'too large'}") from None


def _read_table(path: Path, columns: Sequence[str], without: Sequence[str], heading: bool | None) -> _Table:
    layout = tables.read_layout(path)
    start = int(layout.indexed)
    left_out = {layout.place(name) for name in without}
    places = [layout.place(name) for name in columns] or [p for p in range(start, layout.width) if p not in left_out]
    if not places:
        raise InputError(
            f"{path}: no column is left for x beside --label-column {', '.join(without)}. Name other columns"
        )
    cells, lines = tables.read_columns(layout, places)
    if columns or without or layout.indexed:
        heading = True
    elif heading is None:
        heading = tables.find_heading(cells, layout.first)
    note = "the index column is left out" if layout.indexed and not columns else ""
    return _Table(path, tuple(layout.first[place] for place in places), cells, lines, heading, note)


def _variable(part: "Variable | _Table", n_other: int | None) -> Variable:
    """Return the values of a table; the number of rows of the other variable settles an open heading."""
    if isinstance(part, Variable):
        return part
    heading, note = part.heading, part.note
    if heading is None:
        heading = {part.n_lines: False, part.n_lines - 1: True}.get(n_other if n_other is not None else -1)
    if heading is None:
        heading, note = _guess_sample(part), f"the first line, '{','.join(part.names)}', counts as a sample; --heading"
    named = [name if heading else str(place) for place, name in enumerate(part.names)]
    parsed = [
        tables.parse_column(part.path, f"'{name}'" if heading else name, cells[heading:], part.lines[heading:])
        for name, cells in zip(named, part.cells, strict=True)
    ]
    if not part.lines[heading:]:
        raise InputError(
            f"{part.path}: expected samples below the heading, got none. Pass --no-heading if it is a sample"
        )
    words = [name for name, column in zip(named, parsed, strict=True) if column.dtype.kind == "U"]
    if 0 < len(words) < len(parsed):
        raise InputError(
            f"{part.path}: expected columns of one kind, got words in {', '.join(words[:5])} and numbers in the other "
            "columns. Choose with --column, and --label-column for y"
        )
    return Variable(np.stack(parsed, axis=1), note)


def _guess_sample(part: _Table) -> bool:
    """Return that an open first line is a sample, which holds for ``0`` above whole numbers.

    Raises:
        InputError: for a word above words.
    """
    if all(map(tables.is_number, part.names)):
        return False
    raise InputError(
        f"{part.path}: the first line, '{','.join(part.names)}', may be a heading or a sample. Pass --heading or "
        "--no-heading"
    )
