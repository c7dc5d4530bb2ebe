"""Packaged experiments: one table, one small file each."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane import files
from infoplane._import_jax import random_state_kept
from infoplane.errors import ConfigError, InputError, did_you_mean
from infoplane.experiments.as_if_random import AS_IF_RANDOM
from infoplane.experiments.base import Experiment, draw_figures
from infoplane.experiments.images import IMAGES
from infoplane.experiments.infonet_mnist import INFONET_MNIST
from infoplane.experiments.invertibility import INVERTIBILITY
from infoplane.experiments.noisy import NOISY
from infoplane.experiments.quantised import QUANTISED
from infoplane.experiments.robustness import ROBUSTNESS
from infoplane.experiments.saxe_activations import SAXE_ACTIVATIONS
from infoplane.experiments.saxe_batch import SAXE_BATCH
from infoplane.experiments.saxe_irrelevant import SAXE_IRRELEVANT
from infoplane.experiments.saxe_linear import SAXE_LINEAR
from infoplane.experiments.saxe_minimal import SAXE_MINIMAL
from infoplane.experiments.saxe_mnist import SAXE_MNIST
from infoplane.experiments.saxe_overtraining import SAXE_OVERTRAINING
from infoplane.experiments.saxe_overtraining_linear import SAXE_OVERTRAINING_LINEAR
from infoplane.experiments.saxe_relu_bins import SAXE_RELU_BINS
from infoplane.experiments.szt import SZT
from infoplane.experiments.szt_depth import SZT_DEPTH
from infoplane.experiments.szt_fraction import SZT_FRACTION
from infoplane.experiments.szt_gradients import SZT_GRADIENTS
from infoplane.experiments.szt_ib_bound import SZT_IB_BOUND

if TYPE_CHECKING:
    import xarray as xr

    from infoplane.runs import pools
    from infoplane.runs.computed import Computation, Settings
    from infoplane.runs.config import Config
    from infoplane.runs.engine import OnEvent

EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in (
        SZT,
        SZT_GRADIENTS,
        SZT_FRACTION,
        SZT_DEPTH,
        SZT_IB_BOUND,
        INVERTIBILITY,
        ROBUSTNESS,
        SAXE_ACTIVATIONS,
        SAXE_BATCH,
        SAXE_OVERTRAINING,
        SAXE_RELU_BINS,
        SAXE_MINIMAL,
        SAXE_LINEAR,
        SAXE_OVERTRAINING_LINEAR,
        SAXE_IRRELEVANT,
        SAXE_MNIST,
        IMAGES,
        INFONET_MNIST,
        AS_IF_RANDOM,
        QUANTISED,
        NOISY,
    )
}

BESIDE = ("plane", "information")
"""Figures that mark networks on shuffled labels beside the others."""

DEFAULT_FIGURES = Experiment.figures
"""Figures of a run that is no packaged experiment."""


def configure(
    what: "str | Path | Config | Settings",
    *,
    quick: bool = False,
    as_paper: bool = False,
    changes: Mapping[str, Any] | None = None,
) -> "Config | Settings":
    """Return the checked configuration of an experiment's name, a TOML file or a configuration.

    Raises:
        ConfigError: for an unknown name (the nearest is named), whatever is wrong with a key, or a variant of
            what is no packaged experiment.
    """
    from infoplane.runs.computed import Settings
    from infoplane.runs.config import Config, override, parse, read_toml

    packaged = isinstance(what, str | Path) and str(what) in EXPERIMENTS
    if (quick or as_paper) and not packaged:
        raise ConfigError("--quick and --as paper are variants of packaged experiments; set the keys instead")
    if isinstance(what, Config | Settings):
        tree = what.tree()
    elif packaged:
        tree = EXPERIMENTS[str(what)].tree(quick=quick, as_paper=as_paper)
    elif str(what).endswith(".toml"):
        tree = {"name": _name_of(Path(what))} | read_toml(Path(what))
    else:
        raise ConfigError(f"unknown experiment '{what}'{did_you_mean(str(what), EXPERIMENTS)}")
    tree = override(tree, changes or {})
    if isinstance(what, Settings) or (packaged and EXPERIMENTS[str(what)].computation):
        return _computation(what.name if isinstance(what, Settings) else str(what)).read(tree)
    return parse(tree)


def _computation(name: str) -> "Computation":
    """Return what the experiment of this name computes.

    Raises:
        ConfigError: for an experiment that computes nothing.
    """
    experiment = EXPERIMENTS.get(name)
    if experiment is None or experiment.computation is None:
        known = [one.name for one in EXPERIMENTS.values() if one.computation]
        raise ConfigError(f"'{name}' is no experiment that is computed by a formula{did_you_mean(name, known)}")
    return experiment.computation()


def config_in(folder: Path) -> "Config | Settings":
    """Return the configuration that a folder's run was asked for.

    Raises:
        StoreError: when it holds no run.
        ConfigError: when it holds one of an experiment that this version does not have.
    """
    from infoplane.runs import computed
    from infoplane.runs.store import Store

    if not computed.is_computed(folder):
        return Store.open(folder).config
    asked = computed.settings_in(folder)
    return _computation(str(asked.get("name"))).read(asked)


def _name_of(path: Path) -> str:
    """Return a run's name made from that of a file: what a name cannot hold becomes a hyphen."""
    return re.sub(r"[^A-Za-z0-9._ -]+", "-", path.stem).strip("-._ ")[:80] or "run"


def new_folder(name: str) -> Path:
    """Return ``runs/NAME-…``, a folder that does not exist yet."""
    import time

    stem = Path("runs") / f"{name.replace(' ', '-')}-{time.strftime('%Y%m%d-%H%M%S')}"
    candidates = [stem, *(stem.with_name(f"{stem.name}-{n}") for n in range(2, 1000))]
    return next(path for path in candidates if not path.exists())


@random_state_kept()
def run(
    experiment_or_config: "str | Path | Config | Settings",
    out: str | Path | None = None,
    executor: "pools.Where" = None,
    *,
    quick: bool = False,
    as_paper: bool = False,
    force_new: bool = False,
    on_event: "OnEvent | None" = None,
    **overrides: Any,
) -> "xr.Dataset":
    """Run an experiment: train, measure, keep everything in a folder, draw its figures.

    Args:
        experiment_or_config: the name of a packaged experiment (``infoplane list``), the path of a TOML
            file, or a `Config`.
        out: the run's folder; a new one under ``runs/`` when it is not given.
        executor: where tasks are computed: None in this process, a number of local worker processes, the
            address of a Dask scheduler, or any `concurrent.futures.Executor`. The numbers do not depend on it.
            Experiments that are computed by a formula take none.
        quick: the small version of a packaged experiment.
        as_paper: follow the paper's text where its public code differs.
        force_new: where ``out`` already holds a run, start a new one beside it (``OUT-2``, …).
        on_event: called with the progress, and with what is to be known; where it is None, a notebook shows a bar.
        overrides: configuration keys, as ``members=8`` or ``train={"epochs": 1000}``;
            ``sweep={"model.activation": ["tanh", "relu"]}`` runs every combination of some values.

    Returns:
        The result: ``information`` in bits by estimator, member, epoch, layer and variable, with a sweep's keys
        as further dimensions in front; ``attrs["folder"]`` says where it is kept, ``attrs["failed"]`` lists as
        JSON what failed for good.

    Raises:
        ConfigError: for an unknown experiment or a key that is wrong; nothing is written.
        StoreError: when the folder cannot be used.
        KeyboardInterrupt: when stopped; what was measured is kept and `resume` goes on.
    """
    from infoplane.runs import computed, engine, notebook

    config = configure(experiment_or_config, quick=quick, as_paper=as_paper, changes=overrides)
    folder = place(Path(out) if out is not None else new_folder(config.name), force_new=force_new)
    on_event = notebook.shown(config.name, on_event)
    if not isinstance(config, computed.Settings):
        return _finish(engine.run(config, folder, on_event, executor), folder)
    _refuse_executor(config.name, executor)
    return _finish(computed.run(_computation(config.name), config, folder, on_event), folder)


@random_state_kept()
def resume(
    folder: str | Path,
    executor: "pools.Where" = None,
    *,
    force_new: bool = False,
    on_event: "OnEvent | None" = None,
    **overrides: Any,
) -> "xr.Dataset":
    """Go on with a run that was stopped, to the bit as if it had not been; see `run`.

    What is damaged on disk is computed again. ``overrides`` are keys that must be what they were; with
    ``force_new`` a new run with these keys starts beside the old one, which stays as it is.

    Raises:
        StoreError: when the folder holds no run or is in use, or when its configuration, data or a package is
            another one than before; names each difference.
    """
    from infoplane.runs import computed, engine, notebook

    folder = Path(folder)
    on_event = notebook.shown(folder.name, on_event)
    if force_new:
        return run(config_in(folder), folder, executor, force_new=True, on_event=on_event, **overrides)
    if computed.is_computed(folder):
        name = config_in(folder).name
        _refuse_executor(name, executor)
        return _finish(computed.resume(_computation(name), folder, on_event, overrides), folder)
    return _finish(engine.resume(folder, on_event, executor, overrides), folder)


def _refuse_executor(name: str, executor: "pools.Where") -> None:
    """Refuse workers for what is computed in a few seconds.

    Raises:
        ConfigError: when there are any.
    """
    if executor is not None:
        raise ConfigError(f"{name} is computed in this process; leave out --workers, --cluster or executor")


def place(folder: Path, *, force_new: bool) -> Path:
    """Return where a new run goes: beside the run that is already there when a new one is asked for."""
    from infoplane.runs.store import Store

    return Store.beside(folder) if force_new and (folder / "run.json").exists() else folder


def _finish(ds: "xr.Dataset", folder: Path) -> "xr.Dataset":
    """Write the summary and the figures of a result, unless they stand there as they were written."""
    from infoplane.runs.store import Store

    store = Store(folder)
    digest = files.sha256(folder / "results.nc")
    shown = [event for event in store.events() if event.get("event") == "shown"]
    if not shown or shown[-1].get("sha256") != digest or not all(map(store.is_sound, shown[-1].get("files", [""]))):
        files.write_bytes(folder / "summary.csv", _summary(ds).encode(), store.record_file)
        paths = [folder / "summary.csv", *draw(ds, folder)]
        names = [path.relative_to(folder).as_posix() for path in paths]
        store.record("shown", sha256=digest, files=names)
    ds.attrs["folder"] = str(folder)
    return ds


def _summary(ds: "xr.Dataset") -> str:
    """Return the summary as comma-separated text; a sweep's values stand in columns in front."""
    import csv
    import io

    from infoplane.experiments import summary
    from infoplane.runs.combine import split

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for place, (labels, part) in enumerate(measured(split(ds))):
        heading, *rows = csv.reader(io.StringIO(summary.to_csv(part)))
        writer.writerows([[*labels, *heading]] if place == 0 else [])
        writer.writerows([*map(str, labels.values()), *row] for row in rows)
    return text.getvalue()


def measured(parts: "list[tuple[dict[str, Any], xr.Dataset]]") -> "list[tuple[dict[str, Any], xr.Dataset]]":
    """Return the combinations of a sweep of which anything was measured."""
    return [(labels, part) for labels, part in parts if part.sizes["epoch"]]


def draw(ds: "xr.Dataset", folder: Path, names: Sequence[str] | None = None) -> list[Path]:
    """Draw the figures of a run into its folder and return their paths; of a sweep a plane a combination.

    ``names`` are the figures to draw; those that belong to the run where it is None.

    Raises:
        InputError: for a figure that there is not, or that the result has no numbers for.
        StoreError: when they cannot be written.
    """
    from infoplane import results
    from infoplane.plots import suited
    from infoplane.runs.combine import is_sweep, split
    from infoplane.runs.store import Store

    experiment = EXPERIMENTS.get(ds.attrs["title"])
    files.refuse_links(folder)
    files.make_folder(folder / "figures", inside=folder)
    record = Store(folder).record_file
    if names:
        return _draw_named(ds, names, folder / "figures", record)
    if is_sweep(ds) and experiment:
        return _draw_sweep(ds, experiment.figures, folder / "figures", record)
    names = ["plane"] if is_sweep(ds) else [*(experiment.figures if experiment else DEFAULT_FIGURES)]
    if ds.sizes["estimator"] > 1 and not (experiment and experiment.computation):
        names.append("planes")  # the others show the first estimator
    if not is_sweep(ds):
        paths = draw_figures(ds, suited(ds, names), folder / "figures", record)
        if not results.has_held_out(ds):
            return paths
        other = results.held_out(ds)
        apart = ["plane"] if results.parts(ds) != ("all",) else names  # the run's other figures show both
        return paths + draw_figures(other, suited(other, apart), folder / "figures", record, "-held-out")
    return [
        path
        for labels, part in measured(split(ds))
        for path in draw_figures(part, names, folder / "figures", record, _suffix(labels))
    ]


def _draw_named(ds: "xr.Dataset", names: Sequence[str], folder: Path, record: files.Record) -> list[Path]:
    """Draw figures that were asked for.

    Raises:
        InputError: for a figure that there is not, or that the result has no numbers for.
    """
    from infoplane.plots import FIGURES
    from infoplane.runs.combine import is_sweep

    for name in names:
        if name not in FIGURES:
            raise InputError(f"figure '{name}' is unknown{did_you_mean(name, FIGURES)}")
    return _draw_sweep(ds, names, folder, record) if is_sweep(ds) else draw_figures(ds, names, folder, record)


def _draw_sweep(ds: "xr.Dataset", names: Sequence[str], folder: Path, record: files.Record) -> list[Path]:
    """Draw the figures of a packaged experiment that varies something: some of it all, the others one by one."""
    from infoplane.plots import OF_SWEEPS, suited
    from infoplane.plots.content import is_baseline
    from infoplane.runs.combine import split

    parts = measured(split(ds))
    experiment = EXPERIMENTS.get(ds.attrs["title"])
    whole = suited(ds, [name for name in names if name in OF_SWEEPS])
    paths = draw_figures(ds, whole, folder, record, options=experiment.options(ds) if experiment else {})
    for labels, part in parts:
        single = suited(part, [name for name in names if name not in OF_SWEEPS])
        options = {"shuffled": _baseline(part, parts)} if not is_baseline(part) else {}
        paths += draw_figures(part, single, folder, record, _suffix(labels), dict.fromkeys(BESIDE, options))
    return paths


def _baseline(part: "xr.Dataset", parts: "list[tuple[dict[str, Any], xr.Dataset]]") -> "xr.Dataset | None":
    """Return the same networks trained on shuffled labels, where they are among the combinations of a sweep."""
    from infoplane import results
    from infoplane.runs.config import override

    wanted = override(results.config_of(part), {"data.shuffle_labels": True})
    return next((other for _, other in parts if results.config_of(other) == wanted), None)


def _suffix(labels: Mapping[str, Any]) -> str:
    """Return a combination's values as the end of a file's name."""
    named = "".join(f"-{name}={label}" for name, label in labels.items())
    return re.sub(r"[^A-Za-z0-9._=,+-]+", "_", named)[:150]
