"""Pictures for papers: each draws one result and returns a matplotlib figure."""

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from infoplane import files
from infoplane.plots.animate import animate
from infoplane.plots.bins import bins
from infoplane.plots.bound import bound, has_bound
from infoplane.plots.clouds import clouds
from infoplane.plots.comparison import comparison
from infoplane.plots.compression import compression
from infoplane.plots.curves import information, training
from infoplane.plots.ends import ends
from infoplane.plots.errors import errors, has_errors
from infoplane.plots.gradients import gradients
from infoplane.plots.histograms import has_histograms, histograms
from infoplane.plots.minimal import has_weights, minimal
from infoplane.plots.networks import has_levels, has_noise, levels, noise, precisions, strengths
from infoplane.plots.oracle import has_oracle, oracle
from infoplane.plots.plane import plane
from infoplane.plots.planes import planes
from infoplane.plots.relevance import has_relevance, relevance
from infoplane.plots.rows import ranks, rows
from infoplane.plots.snapshots import snapshots
from infoplane.plots.variants import variants
from infoplane.plots.violations import has_chain, violations
from infoplane.plots.windows import has_windows, lengths, windows

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = [
    "FIGURES",
    "OF_SWEEPS",
    "animate",
    "bins",
    "bound",
    "clouds",
    "comparison",
    "compression",
    "ends",
    "errors",
    "gradients",
    "histograms",
    "information",
    "lengths",
    "levels",
    "minimal",
    "noise",
    "oracle",
    "plane",
    "planes",
    "precisions",
    "ranks",
    "relevance",
    "rows",
    "save",
    "snapshots",
    "strengths",
    "suited",
    "training",
    "variants",
    "violations",
    "windows",
]

FIGURES: Mapping[str, Callable[..., "Figure"]] = {
    "plane": plane,
    "planes": planes,
    "snapshots": snapshots,
    "information": information,
    "training": training,
    "gradients": gradients,
    "compression": compression,
    "ends": ends,
    "comparison": comparison,
    "violations": violations,
    "variants": variants,
    "bound": bound,
    "rows": rows,
    "ranks": ranks,
    "bins": bins,
    "histograms": histograms,
    "minimal": minimal,
    "errors": errors,
    "relevance": relevance,
    "oracle": oracle,
    "windows": windows,
    "lengths": lengths,
    "clouds": clouds,
    "levels": levels,
    "precisions": precisions,
    "noise": noise,
    "strengths": strengths,
}
"""Every figure by its name; each takes a result."""

OF_SWEEPS = (
    "gradients", "compression", "ends", "variants", "windows", "lengths", "clouds", "levels", "precisions", "noise",
    "strengths",
)  # fmt: skip
"""Figures that take a whole sweep; the others take one of its combinations."""

NEEDS = {
    "plane": "labels",
    "planes": "labels",
    "snapshots": "labels",
    "variants": "labels",
    "comparison": "several",
    "violations": "chain",
    "training": "curves",
    "gradients": "gradients",
    "bound": "bound",
    "rows": "rows",
    "ranks": "ranks",
    "histograms": "histograms",
    "minimal": "weights",
    "errors": "errors",
    "relevance": "relevance",
    "oracle": "oracle",
    "windows": "windows",
    "lengths": "windows",
    "clouds": "windows",
    "levels": "levels",
    "precisions": "levels",
    "noise": "noise",
    "strengths": "noise",
}
"""What a figure cannot be drawn without."""

FORMATS: Mapping[str, dict[str, Any]] = {
    "png": {"dpi": 200, "metadata": {"Software": None}},
    "pdf": {"dpi": 400, "metadata": {"CreationDate": None}},
}
"""What each file is written with: no dates, so that the same figure gives the same bytes."""

_SETTING = threading.Lock()


def suited(ds: "xr.Dataset", names: Iterable[str]) -> list[str]:
    """Return the figures among ``names`` that a result has the numbers for."""
    has = {
        "labels": bool(ds["information"].sel(variable="label").isel(estimator=0).notnull().any()),
        "several": ds.sizes["estimator"] > 1,
        "chain": has_chain(ds),
        "curves": "loss" in ds and bool(ds["loss"].notnull().any()),
        "gradients": "gradient_mean" in ds and bool(ds["gradient_mean"].notnull().any()),
        "rows": "distinct_rows" in ds,
        "bound": has_bound(ds),
        "histograms": has_histograms(ds),
        "weights": has_weights(ds),
        "errors": has_errors(ds),
        "relevance": has_relevance(ds),
        "oracle": has_oracle(ds),
        "windows": has_windows(ds),
        "levels": has_levels(ds),
        "noise": has_noise(ds),
        "ranks": "rank" in ds and bool(ds["rank"].notnull().any()),
    }
    return [name for name in names if has.get(NEEDS.get(name, ""), True)]


def save(
    figure: "Figure", stem: str | Path, record: files.Record | None = None, *, inside: Path | None = None
) -> list[Path]:
    """Write a figure as PNG (200 dots per inch) and PDF and return the paths.

    Args:
        figure: what to write.
        stem: the path without its ending; its folder must exist.
        record: receives the SHA-256 of each file; see `infoplane.files.write`.
        inside: the run's folder, below which no link is followed; see `infoplane.files.write`.

    Raises:
        StoreError: when a file cannot be written; names it.
    """
    stem = Path(stem)
    paths = [stem.with_name(f"{stem.name}.{ending}") for ending in FORMATS]
    for path, (ending, options) in zip(paths, FORMATS.items(), strict=True):
        files.write(
            path,
            lambda file, ending=ending, options=options: _draw(figure, file, ending, options),
            record,
            inside=inside,
        )
    return paths


def _draw(figure: "Figure", file: BinaryIO, ending: str, options: dict[str, Any]) -> None:
    """Draw into an open file; fonts are embedded whole (TrueType), which publishers ask for.

    The kind of fonts can only be set globally: for the moment of writing, by one thread at a time.
    """
    import matplotlib

    with _SETTING, matplotlib.rc_context({"pdf.fonttype": 42}):
        figure.savefig(file, format=ending, **options)
