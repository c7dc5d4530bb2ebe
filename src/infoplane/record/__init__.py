"""Records the information plane of your own model, in any framework, while it trains or afterwards."""

from pathlib import Path
from typing import TYPE_CHECKING

from infoplane import results
from infoplane.record.folder import is_recording, read_result
from infoplane.record.recorder import Recorder
from infoplane.record.rows import Row

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Recorder", "Row", "load"]


def load(path: str | Path, *, skip_damaged: bool = False) -> "xr.Dataset":
    """Load the result of a run or of a recording, and verify its checksums.

    Args:
        path: the folder, or its ``results.nc``.
        skip_damaged: whether to return the remaining epochs of a recording of which lines are damaged; the attribute
            ``damaged`` of the result then names the missing lines. A damaged ``results.nc`` is refused in any case.

    Raises:
        StoreError: when there is no result there, or its content is not what was written; names the damaged lines
            of a recording.
    """
    folder = Path(path)
    if folder.is_dir() and is_recording(folder):
        return read_result(folder, skip_damaged=skip_damaged)
    return results.load(path)
