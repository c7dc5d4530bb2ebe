"""A result at a glance: what each layer did, what to distrust, what the claims say."""

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from infoplane import _html
from infoplane._numbers import digits
from infoplane.errors import InputError

if TYPE_CHECKING:
    import xarray as xr

LAYERS = ("layer", "I(X;T) start", "peak", "at", "end", "I(T;Y) end", "in words")
CLAIMS = ("claim", "verdict", "reason")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: what stands above it.
        headings: one for each column.
        rows: as many entries each.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [self.headings, *self.rows]
        *widths, _ = (max(map(len, column)) for column in zip(*lines, strict=True))
        padded = ("  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in lines)
        return "\n".join([self.title, *padded])


@dataclasses.dataclass(frozen=True, repr=False)
class Overview:
    """What a result says; a notebook shows it as tables, and `print` as text.

    Attributes:
        title: what was run.
        tables: one for each combination and estimator, then one of claims.
        remarks: what to distrust, a sentence each.
    """

    title: str
    tables: Sequence[Table]
    remarks: Sequence[str]

    def __str__(self) -> str:
        return "\n\n".join([self.title, *map(str, self.tables), *(["\n".join(self.remarks)] if self.remarks else [])])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same as HTML, in which whatever a user named is text."""
        tables = [_html.grid(table.title, table.headings, table.rows) for table in self.tables]
        return "".join([_html.line(self.title), *tables, *map(_html.line, self.remarks)])


def show(ds: Any) -> Overview:
    """Show a result at a glance: a table and a sentence for each layer, what to distrust, what the claims say.

    Numbers are means over members in bits. The peak is the largest mean over epochs; noise makes it an upper estimate.
    Claims are those of the papers that concern the result: those of a packaged experiment, and for other results those
    with an interval over members. `ip.claims` lists all. Layers without any number are omitted.

    Args:
        ds: a result, as `ip.run` and `ip.load` return it.

    Raises:
        InputError: for what is no result.

    Example:
        >>> import infoplane as ip
        >>> ip.show(ip.load("runs/szt"))  # doctest: +SKIP
    """
    from infoplane.experiments import measured
    from infoplane.plots import content
    from infoplane.runs.combine import split

    if not hasattr(ds, "data_vars") or "information" not in ds:
        raise InputError(f"ds is of type {type(ds).__name__}; expected a result, as from ip.load(folder)")
    parts = [(", ".join(f"{k} = {v}" for k, v in labels.items()), part) for labels, part in measured(split(ds))]
    tables = [table for where, part in parts for table in _layers(part, where)]
    remarks = [": ".join(filter(None, [where, text])) for where, part in parts for text in _remarks(part)]
    title = content.caption(parts[0][1])[0] if parts else f"{ds.attrs.get('title', 'run')}: nothing was measured"
    return Overview(title, [*tables, *_claims(ds)], [*_failed(ds), *dict.fromkeys(remarks)])


def _layers(ds: "xr.Dataset", where: str) -> list[Table]:
    """Return the table of each estimator that measured anything."""
    from infoplane.experiments import summary
    from infoplane.plots import content

    tables = []
    for estimator in map(str, ds["estimator"].values):
        if not bool(ds["information"].sel(estimator=estimator, variable="input").notnull().any()):
            continue
        known = content.measured(ds, estimator)
        title = ", ".join(filter(None, [where, content.describe_estimator(ds, estimator)]))
        rows = [_row(one) for one in summary.summarise(known, estimator) if not one.is_empty]
        tables.append(Table(f"{title} (bits)", LAYERS, rows))
    return tables


def _row(layer: Any) -> list[str]:
    """Return the entries of one layer, in bits."""
    start, peak, end, label = (
        "" if bits != bits else digits(bits)
        for bits in (layer.input_start, layer.input_peak, layer.input_end, layer.label_end)
    )
    return [layer.layer, start, peak, f"{layer.unit} {layer.peak_epoch}", end, label, layer.sentence]


def _remarks(ds: "xr.Dataset") -> list[str]:
    """Say what is to be distrusted; results that were made elsewhere may lack what it takes to say it."""
    from infoplane.experiments import summary

    return summary.remarks(ds) if {"member_flags", "flags"} <= set(ds.data_vars) else []


def _claims(ds: "xr.Dataset") -> list[Table]:
    """Return the table of the claims that concern a result, if there are any."""
    from infoplane.experiments.claims import claims, table

    purpose = table.purpose(ds)
    answered = table.Answered("", "", claims(ds), purpose=purpose)
    rows = [
        [one.claim.sentence, one.verdict, " ".join(filter(None, [one.case, one.reason]))] for one in answered.chosen
    ]
    title = f"claims of the papers ({answered.n_others} others do not concern this result; ip.claims(ds) lists all)"
    return [Table(title, CLAIMS, rows)] if rows else []


def _failed(ds: "xr.Dataset") -> list[str]:
    """Say that tasks failed for good."""
    count = len(json.loads(ds.attrs.get("failed", "[]")))
    return [f"partial: {count} tasks failed; infoplane resume tries them again"] if count else []
