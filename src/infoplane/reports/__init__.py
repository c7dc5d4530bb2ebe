"""One offline page for one or several runs: what was run, what it says, what to distrust, and the plane to play with.

The page is a single HTML file that asks nothing of any network: Plotly lies inside it, compressed, beside the numbers
of the data sets as they are (float32, compressed too; the browser's own DecompressionStream opens both). Plotly is
4.8 MB of source, 2 MB as it lies in the page, and takes a fraction of a second to start; in return axes, hover and
print are those of a library that is kept well. Slider, keyboard and choices are a few hundred lines of ours. What
the page says in words is plain HTML, made in Python, and can be read without any script.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane.errors import InputError
from infoplane.reports.source import Source, from_folder
from infoplane.results import need_result

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FILE", "report", "report_folders"]

FILE = "report.html"
"""What a report is called in a run's folder."""


def report(ds: "xr.Dataset | Sequence[xr.Dataset] | Mapping[str, xr.Dataset]", path: Any) -> Path:
    """Write one or several results as an offline HTML page and return its path.

    The page holds a summary in words, the information plane with a slider over epochs, curves, claims, configuration
    and the command that makes the run again. Where single members would make it larger than 8 MB, only their mean
    and interval are kept, and the page says so.

    Args:
        ds: a result, as `ip.run` and `ip.load` return it; a list of them, or a mapping from names to them, stands
            side by side.
        path: the HTML file; its folder must exist. What stood there before is replaced whole or not at all.

    Raises:
        InputError: for what is no result.
        StoreError: when the file cannot be written.

    Example:
        >>> import infoplane as ip
        >>> ip.report(ip.load("runs/szt"), "szt.html")  # doctest: +SKIP
        PosixPath('szt.html')
    """
    named = _named(ds)
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path: expected the path of a file, got {path!r}. Pass for example 'report.html'")
    return _write([Source(name, one) for name, one in named], Path(path))


def report_folders(folders: Sequence[Path], to: Path | None = None) -> Path:
    """Write the report of runs and recordings from their folders and return its path.

    Args:
        folders: folders of runs, or their ``results.nc``.
        to: the HTML file; ``report.html`` in the first folder where it is None.

    Raises:
        StoreError: when a folder holds no finished result or a damaged one, or the file cannot be written.
    """
    sources = [from_folder(folder) for folder in folders]
    folder = sources[0].folder
    if to is not None or folder is None:
        return _write(sources, to or Path(FILE))
    return _write(sources, folder / FILE, recorded=True)


def _named(ds: Any) -> list[tuple[str, Any]]:
    """Return results with their names; those of the same name are counted."""
    pairs: list[tuple[str, Any]] = [("", one) for one in (ds if isinstance(ds, list | tuple) else [ds])]
    if isinstance(ds, Mapping) and not hasattr(ds, "data_vars"):  # an xarray.Dataset is a mapping too
        pairs = [(str(name), one) for name, one in ds.items()]
    if not pairs:
        raise InputError("ds is empty; expected at least one result, as from ip.load(folder)")
    for _, one in pairs:
        need_result(one)
    titles = [name or str(one.attrs.get("title", "result")) for name, one in pairs]
    return [
        (f"{title} ({titles[: place + 1].count(title)})" if titles.count(title) > 1 else title, one)
        for place, (title, (_, one)) in enumerate(zip(titles, pairs, strict=True))
    ]


def _write(sources: Sequence[Source], path: Path, *, recorded: bool = False) -> Path:
    from infoplane import files
    from infoplane.reports.html import page
    from infoplane.runs.store import Store

    content = page(sources).encode("utf-8", "xmlcharrefreplace")
    files.write_bytes(path, content, Store(path.parent).record_file if recorded else None)
    return path
