"""Packaged experiments: one table, one small file each."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane import files
from infoplane.errors import ConfigError, did_you_mean
from infoplane.experiments.base import Experiment, draw_figures
from infoplane.experiments.szt import SZT

if TYPE_CHECKING:
    import xarray as xr

    from infoplane.runs.config import Config
    from infoplane.runs.engine import OnEvent

EXPERIMENTS: dict[str, Experiment] = {experiment.name: experiment for experiment in (SZT,)}

DEFAULT_FIGURES = Experiment.figures
"""Figures of a run that is no packaged experiment."""


def configure(
    what: "str | Path | Config",
    *,
    quick: bool = False,
    as_paper: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> "Config":
    """Return the checked configuration of an experiment's name, a TOML file or a configuration.

    Raises:
        ConfigError: for an unknown name (the nearest is named), whatever is wrong with a key, or a variant of
            what is no packaged experiment.
    """
    from infoplane.runs.config import Config, override, parse, read_toml

    packaged = not isinstance(what, Config) and str(what) in EXPERIMENTS
    if (quick or as_paper) and not packaged:
        raise ConfigError("--quick and --as paper are variants of packaged experiments; set the keys instead")
    if isinstance(what, Config):
        tree = what.model_dump(mode="json")
    elif packaged:
        tree = EXPERIMENTS[str(what)].tree(quick=quick, as_paper=as_paper)
    elif str(what).endswith(".toml"):
        tree = {"name": _name_of(Path(what))} | read_toml(Path(what))
    else:
        raise ConfigError(f"unknown experiment '{what}'{did_you_mean(str(what), EXPERIMENTS)}")
    return parse(override(tree, changes or {}))


def _name_of(path: Path) -> str:
    """Return a run's name made from that of a file: what a name cannot hold becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._ -]+", "-", path.stem).strip("-._ ")[:80] or "run"


def new_folder(name: str) -> Path:
    """Return ``runs/NAME-…``, a folder that does not exist yet."""
    import time

    stem = Path("runs") / f"{name.replace(' ', '-')}-{time.strftime('%Y%m%d-%H%M%S')}"
    candidates = [stem, *(stem.with_name(f"{stem.name}-{n}") for n in range(2, 1000))]
    return next(path for path in candidates if not path.exists())


def run(
    experiment_or_config: "str | Path | Config",
    out: str | Path | None = None,
    *,
    quick: bool = False,
    as_paper: bool = False,
    on_event: "OnEvent | None" = None,
    **overrides: Any,
) -> "xr.Dataset":
    """Run an experiment: train, measure, keep everything in a folder, draw its figures.

    Args:
        experiment_or_config: the name of a packaged experiment (``infoplane list``), the path of a TOML
            file, or a `Config`.
        out: the run's folder; a new one under ``runs/`` when it is not given.
        quick: the small version of a packaged experiment.
        as_paper: follow the paper's text where its public code differs.
        on_event: called with the progress.
        overrides: configuration keys, as ``members=8`` or ``train={"epochs": 1000}``.

    Returns:
        The result: ``information`` in bits by estimator, member, epoch, layer and variable;
        ``attrs["folder"]`` says where it is kept.

    Raises:
        ConfigError: for an unknown experiment or a key that is wrong; nothing is written.
        StoreError: when the folder cannot be used.
        KeyboardInterrupt: when stopped; what was measured is kept and `resume` goes on.
    """
    from infoplane.runs import engine

    config = configure(experiment_or_config, quick=quick, as_paper=as_paper, changes=overrides)
    folder = Path(out) if out is not None else new_folder(config.name)
    return _finish(engine.run(config, folder, on_event), folder)


def resume(folder: str | Path, *, on_event: "OnEvent | None" = None) -> "xr.Dataset":
    """Go on with a run that was stopped, to the bit as if it had not been; see `run`.

    Raises:
        StoreError: when the folder holds no run or is in use.
    """
    from infoplane.runs import engine

    return _finish(engine.resume(Path(folder), on_event), Path(folder))


def _finish(ds: "xr.Dataset", folder: Path) -> "xr.Dataset":
    from infoplane.experiments import summary
    from infoplane.runs.store import Store

    files.write_bytes(folder / "summary.csv", summary.to_csv(ds).encode(), Store(folder).record_file)
    draw(ds, folder)
    ds.attrs["folder"] = str(folder)
    return ds


def draw(ds: "xr.Dataset", folder: Path) -> list[Path]:
    """Draw the figures of a run into its folder and return their paths.

    Raises:
        StoreError: when they cannot be written.
    """
    from infoplane.runs.store import Store

    experiment = EXPERIMENTS.get(ds.attrs["title"])
    files.make_folder(folder / "figures")
    names = [*(experiment.figures if experiment else DEFAULT_FIGURES)]
    if ds.sizes["estimator"] > 1:
        names.append("planes")  # the others show the first estimator
    return draw_figures(ds, names, folder / "figures", Store(folder).record_file)
