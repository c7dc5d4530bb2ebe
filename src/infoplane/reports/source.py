"""What a report is made of: a result, its name, and the folder that it came from."""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from infoplane.errors import StoreError

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True)
class Source:
    """A result that is reported on.

    Attributes:
        name: what it is called in the report.
        ds: the result.
        folder: where it is kept; None for one that is given in memory.
    """

    name: str
    ds: "xr.Dataset"
    folder: Path | None = None


def from_folder(path: Path) -> Source:
    """Load what is reported on from a folder, or its ``results.nc``, and verify its checksums.

    Raises:
        StoreError: when there is no result, the run is not finished, or the result is damaged.
    """
    from infoplane import files
    from infoplane.record import load
    from infoplane.record.folder import is_recording

    if path.is_dir():
        files.refuse_links(path)
    if (
        path.is_dir()
        and not is_recording(path)
        and not (path / "results.nc").is_file()
        and (path / "run.json").exists()
    ):
        go_on = f"infoplane resume {shlex.quote(str(path))}"
        raise StoreError(f"{path}: this run has no results.nc yet; finish it with '{go_on}', then report")
    folder = path if path.is_dir() else path.parent
    return Source(folder.resolve().name, load(path), folder)
