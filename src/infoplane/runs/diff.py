"""What differs between two runs: their configuration, and their results."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane.runs.config import Config
from infoplane.runs.provenance import config_differences, differences

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True)
class Difference:
    """What differs between results A and B.

    Attributes:
        config: each key whose value differs, as ``key: a → b``; versions of packages too.
        labels: what only one of them has, as members, epochs or layers, a line each.
        variables: each variable whose numbers differ where both have some, and by how much, a line each.
        identical: names of the variables that are equal to the last bit in both.
    """

    config: list[str]
    labels: list[str]
    variables: list[str]
    identical: list[str]

    @property
    def none(self) -> bool:
        """Whether configuration and results are the same."""
        return not (self.config or self.labels or self.variables)

    @property
    def lines(self) -> list[str]:
        """All of it as text."""
        if self.none:
            return [f"no difference: the same configuration, and {len(self.identical)} variables equal to the bit"]
        lines = [f"configuration  {line}" for line in self.config]
        lines += [f"only in one    {line}" for line in self.labels]
        lines += [f"results        {line}" for line in self.variables]
        return [*lines, f"equal to the bit: {', '.join(self.identical) or 'nothing'}"]


def diff(a: str | Path, b: str | Path) -> Difference:
    """Compare two runs, given by their folders or their ``results.nc``.

    Raises:
        StoreError: when one of them has no result that can be read.
    """
    from infoplane.record import load

    return compare(load(a), load(b))


def compare(a: "xr.Dataset", b: "xr.Dataset") -> Difference:
    """Compare two results where they have the same labels (member, epoch, layer, …)."""
    told, shared = [], {}
    for dim in dict.fromkeys([*map(str, a.sizes), *map(str, b.sizes)]):
        if dim in a.coords and dim in b.coords:
            shared[dim], lines = _shared(dim, a[dim].values, b[dim].values)
            told += lines
        else:
            told.append(f"dimension {dim} is in {'A' if dim in a.sizes else 'B'} only")
    variables, identical = [], []
    for name in dict.fromkeys([*map(str, a.data_vars), *map(str, b.data_vars)]):
        if name not in a or name not in b:
            told.append(f"variable {name} is in {'A' if name in a else 'B'} only")
        elif a[name].dims != b[name].dims:
            told.append(f"variable {name} has dimensions {_dims(a[name])} in A and {_dims(b[name])} in B")
        elif line := _compare_values(a[name], b[name], shared):
            variables.append(line)
        else:
            identical.append(name)
    return Difference(_config(a, b), told, variables, identical)


def _dims(variable: "xr.DataArray") -> str:
    return "(" + ", ".join(map(str, variable.dims)) + ")"


def _config(a: "xr.Dataset", b: "xr.Dataset") -> list[str]:
    import json

    if "config" not in a.attrs or "config" not in b.attrs:
        return []
    texts = [ds.attrs["config"] for ds in (a, b)]
    try:
        told = config_differences(*(Config.model_validate_json(text) for text in texts))
    except ValueError:  # the configuration of a recording, which has keys of its own
        told = differences(*map(json.loads, texts))
    versions = (json.loads(ds.attrs.get("versions", "{}")) for ds in (a, b))
    return told + [f"versions.{line}" for line in differences(*versions)]


def _shared(dim: str, a: np.ndarray, b: np.ndarray) -> tuple[list[Any], list[str]]:
    """Return the labels that both have, and a line on those that only one has."""
    in_a, in_b = set(a.tolist()), set(b.tolist())
    lines = [
        f"{dim} in {side} only: {_some([label for label in own.tolist() if label not in other])}"
        for side, own, other in (("A", a, in_b), ("B", b, in_a))
        if not set(own.tolist()) <= other
    ]
    return [label for label in a.tolist() if label in in_b], lines


def _some(labels: list[Any]) -> str:
    shown = ", ".join(map(str, labels[:5]))
    return shown if len(labels) <= 5 else f"{shown}, … ({len(labels)})"


def _compare_values(a: "xr.DataArray", b: "xr.DataArray", shared: dict[str, list[Any]]) -> str | None:
    """Say by how much the numbers of a variable differ and where most; None where no bit does."""
    labels = {str(dim): shared[str(dim)] for dim in a.dims if str(dim) in shared}
    one, other = a.sel(labels), b.sel(labels)
    x, y = one.values, other.values
    if x.size == 0 or (x.dtype == y.dtype and x.tobytes() == y.tobytes()):
        return None
    if not all(np.issubdtype(values.dtype, np.number) or values.dtype == bool for values in (x, y)):
        return _compare_texts(str(a.name), x.astype(str), y.astype(str))
    differ = (x != y) & ~(np.isnan(x) & np.isnan(y))
    if not differ.any():
        return None
    gap = np.abs(x.astype(float) - y.astype(float))
    if np.isnan(gap[differ]).all():
        return f"{a.name}: {differ.sum()} of {x.size} numbers are missing in one of them"
    at = np.unravel_index(np.nanargmax(np.where(differ, gap, np.nan)), gap.shape)
    where = ", ".join(f"{dim} {one[dim].values[i]}" for dim, i in zip(one.dims, at, strict=True))
    return (
        f"{a.name}: {differ.sum()} of {x.size} numbers differ, most by {gap[at]:.4g} at {where} "
        f"({x[at]:.6g} → {y[at]:.6g})"
    )


def _compare_texts(name: str, x: np.ndarray, y: np.ndarray) -> str | None:
    count = int((x != y).sum())
    return f"{name}: {count} of {x.size} texts differ" if count else None
