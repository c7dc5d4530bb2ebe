"""Arrays from files that users name: .npy without pickled objects, and .csv."""

import csv
from pathlib import Path

import numpy as np

from infoplane.errors import InputError


def read_array(path: Path) -> np.ndarray:
    """Read one variable, a row for each sample.

    A .csv holds one sample a line, with commas. Whole numbers become symbols, other numbers coordinates, anything
    else strings, which are symbols too; a first line of words above numbers is taken as the names of columns.

    Raises:
        InputError: for a file that is missing, damaged, ragged or of another kind; names it and the line.
    """
    readers = {".npy": _read_npy, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: expected a file that ends in .npy or .csv; write one with numpy.save")
    try:
        return readers[path.suffix.lower()](path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from None


def _read_npy(path: Path) -> np.ndarray:
    with path.open("rb") as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except (ValueError, EOFError, MemoryError, OverflowError) as error:
            raise InputError(f"{path}: cannot be read as a NumPy array: {str(error) or 'too large'}") from None


def _read_csv(path: Path) -> np.ndarray:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, line) for number, line in enumerate(csv.reader(file), 1) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as text with commas: {error}") from None
    if not lines:
        raise InputError(f"{path}: is empty; expected one sample a line")
    width = len(lines[0][1])
    for number, line in lines:
        if len(line) != width or not all(cell.strip() for cell in line):
            raise InputError(f"{path}, line {number}: expected {width} values as in the first line, none empty")
    rows = [[cell.strip() for cell in line] for _, line in lines]
    for body in (rows, rows[1:]):  # with the first line, then without it as a heading
        for kind in (np.int64, np.float64):
            try:
                return np.array(body, dtype=str).astype(kind) if body else np.array(rows)
            except (ValueError, OverflowError):
                continue
    return np.array(rows)
