"""Several experiments one after the other, each in a folder of its own; finished ones are left as they are."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from infoplane.errors import ConfigError

if TYPE_CHECKING:
    import xarray as xr

    from infoplane.runs import pools
    from infoplane.runs.computed import Settings
    from infoplane.runs.config import Config
    from infoplane.runs.engine import OnEvent

FOLDER = Path("runs/all")
"""Where they go when nothing else is said."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """One experiment of several.

    Attributes:
        name: its name.
        folder: where it is kept.
        config: what is run.
    """

    name: str
    folder: Path
    config: "Config | Settings"

    @property
    def begun(self) -> bool:
        """Whether the folder holds a run already."""
        return (self.folder / "run.json").exists()

    @property
    def finished(self) -> bool:
        """Whether the folder holds the finished run of this very configuration, with its figures."""
        from infoplane import files
        from infoplane.experiments import config_in
        from infoplane.runs.store import Store

        result = self.folder / "results.nc"
        if not self.begun or not result.is_file() or config_in(self.folder) != self.config:
            return False
        told = [event for event in Store(self.folder).events() if event.get("event") in ("start", "done", "shown")]
        ended = [event["event"] for event in told[-2:]] == ["done", "shown"]
        return ended and files.sha256(result) == told[-1].get("sha256")

    def run(self, executor: "pools.Where" = None, on_event: "OnEvent | None" = None) -> "xr.Dataset":
        """Begin it, or go on with it; what is computed by a formula needs no workers and takes none.

        Raises:
            StoreError: when the folder holds a run of another configuration, such as the small version.
            KeyboardInterrupt: when stopped; the next call goes on.
        """
        from infoplane.experiments import resume, run
        from infoplane.runs.computed import Settings

        executor = None if isinstance(self.config, Settings) else executor
        if self.begun:
            return resume(self.folder, executor, on_event=on_event, **self.config.tree())
        return run(self.config, self.folder, executor, on_event=on_event)


def entries(
    only: str = "", out: str | Path | None = None, *, quick: bool = False, as_paper: bool = False
) -> list[Entry]:
    """Return the experiments whose names begin with ``only``, in the table's order, see `left_out`.

    Args:
        only: what their names begin with; empty for all.
        out: the folder that holds a folder for each; ``runs/all`` where it is None.
        quick: the small versions.
        as_paper: follow the papers' text where their public code differs.

    Raises:
        ConfigError: when there is none.
    """
    from infoplane.experiments import EXPERIMENTS, configure

    names = [name for name in EXPERIMENTS if name.startswith(only)]
    needing = left_out(only)
    if names and names == needing:
        raise ConfigError(f"--only {only}: needs data; infoplane run {names[0]} --data PATH")
    if not names:
        raise ConfigError(f"--only {only}: no experiment's name begins so; known: {', '.join(EXPERIMENTS)}")
    chosen = [name for name in names if name not in needing]
    return [Entry(name, Path(out or FOLDER) / name, configure(name, quick=quick, as_paper=as_paper)) for name in chosen]


def left_out(only: str = "") -> list[str]:
    """Return the experiments whose names begin with ``only`` and that are left out: they need the user's data."""
    from infoplane.experiments import EXPERIMENTS

    return [name for name, one in EXPERIMENTS.items() if name.startswith(only) and one.needs_data]
