"""Commands that train and measure: run, resume, status."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infoplane.cli.app import Folder, app, fail
from infoplane.cli.progress import PARTIAL, compute

if TYPE_CHECKING:
    import xarray as xr

    from infoplane.runs import pools


Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a configuration key, e.g. train.learning_rate=0.001."),
]
Workers = Annotated[int | None, typer.Option(metavar="N", help="Compute in N worker processes of this machine.")]
Cluster = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Compute on the Dask cluster at an address. Who reaches a cluster without TLS can run code there.",
    ),
]
TlsCa = Annotated[
    Path | None, typer.Option("--tls-ca", metavar="FILE", help="With --cluster tls://…: certificate of its authority.")
]
TlsCert = Annotated[
    Path | None, typer.Option("--tls-cert", metavar="FILE", help="With --cluster tls://…: your certificate.")
]
TlsKey = Annotated[
    Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, if it is not in the same file.")
]
ForceNew = Annotated[
    bool, typer.Option("--force-new", help="Where there is a run already, start a new one beside it (DIR-2, …).")
]


@app.command()
def run(
    what: Annotated[
        str, typer.Argument(metavar="NAME|FILE.toml|all", help="An experiment (see list), a configuration, or all.")
    ],
    quick: Annotated[bool, typer.Option("--quick", help="The small version: about a minute, on MNIST two.")] = False,
    as_: Annotated[
        str, typer.Option("--as", metavar="paper|code", help="Follow the paper's text or its public code.")
    ] = "code",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's folder; default: a new one under runs/.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="A folder of images, or a .npz, .csv or .mat file, to run it on; several stand side by side.",
        ),
    ] = None,
    set_: Set = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=A,B", help="Run every combination of values, e.g. model.activation=tanh,relu."),
    ] = None,
    members: Annotated[int | None, typer.Option(help="Number of networks, independently initialised.")] = None,
    workers: Workers = None,
    cluster: Cluster = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    force_new: ForceNew = False,
    only: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="With all: the experiments whose names begin so.")
    ] = None,
) -> None:
    """Run an experiment: train, measure every layer, draw the plane.

    Example: infoplane run szt --quick --set model.activation=relu --set data.shuffle_labels=true

    'run all' runs every experiment into --out DIR/NAME (default runs/all/NAME); called again it goes on.
    """
    from infoplane.experiments import EXPERIMENTS, configure, new_folder, place
    from infoplane.experiments import run as run_experiment
    from infoplane.experiments.side_by_side import on_data
    from infoplane.runs.words import parse_assignment, parse_sweep

    if as_ not in ("paper", "code"):
        fail(f"--as {as_}: expected 'paper' or 'code'")
    if what == "all":
        if data or set_ or sweep or members is not None or force_new:
            fail("run all takes each experiment as it is: leave out --data, --set, --sweep, --members and --force-new")
        _run_all(
            only or "", out, _where(workers, cluster, tls_ca, tls_cert, tls_key), quick=quick, as_paper=as_ == "paper"
        )
        return
    if only is not None:
        fail(f"--only {only}: belongs to 'infoplane run all'")
    changes: dict[str, Any] = dict(parse_assignment(text) for text in set_ or [])
    if data:
        tree = configure(what, quick=quick, as_paper=as_ == "paper").tree() if len(data) > 1 else {}
        changes = on_data(data, tree, changes)
    changes |= {"sweep": dict(parse_sweep(text) for text in sweep)} if sweep else {}
    if members is not None:
        changes["members"] = members
    config = configure(what, quick=quick, as_paper=as_ == "paper", changes=changes)
    folder = place(out if out is not None else new_folder(config.name), force_new=force_new)
    if as_ == "paper" and what in EXPERIMENTS:
        typer.echo(f"note: {EXPERIMENTS[what].paper_note}", err=True)
    where = _where(workers, cluster, tls_ca, tls_cert, tls_key)
    _show_result(compute(config.name, lambda show: run_experiment(config, folder, where, on_event=show)), folder)


def _run_all(only: str, out: Path | None, where: "pools.Where", *, quick: bool, as_paper: bool) -> None:
    """Run experiments one after the other and say a line on each; end with 1 when parts have failed."""
    import time

    from infoplane.experiments.suite import entries, left_out

    failed = 0
    for entry in entries(only, out, quick=quick, as_paper=as_paper):
        if entry.finished:
            typer.echo(f"{entry.folder}: finished before")
            continue
        start = time.monotonic()
        ds = compute(entry.name, lambda show, entry=entry: entry.run(where, show))
        lost = len(json.loads(ds.attrs["failed"]))
        failed += lost
        told = f", {lost} tasks failed" if lost else ""
        typer.echo(f"{entry.folder}: done in {time.monotonic() - start:.0f} s{told}")
    for name in left_out(only):
        typer.echo(f"{name}: left out, it needs data: infoplane run {name} --data PATH")
    if failed:
        typer.echo(f"partial: {failed} tasks failed; try them again with the same command", err=True)
        raise typer.Exit(PARTIAL)


@app.command()
def resume(
    folder: Folder,
    set_: Set = None,
    workers: Workers = None,
    cluster: Cluster = None,
    tls_ca: TlsCa = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    force_new: ForceNew = False,
) -> None:
    """Go on with a stopped run, to the bit as if it had not been.

    What is damaged on disk is computed again. A changed configuration, data set or package is refused; --force-new
    starts a new run beside the old one.
    """
    from infoplane.experiments import config_in, configure, place
    from infoplane.experiments import resume as resume_experiment
    from infoplane.experiments import run as run_experiment
    from infoplane.record.folder import is_recording
    from infoplane.runs.words import parse_assignment

    if is_recording(folder):
        fail(f"{folder}: a recording; go on by running your own training again with out={str(folder)!r}")
    changes = dict(parse_assignment(text) for text in set_ or [])
    config, where = configure(config_in(folder), changes=changes), _where(workers, cluster, tls_ca, tls_cert, tls_key)
    if force_new:
        new = place(folder, force_new=True)
        _show_result(compute(str(new), lambda show: run_experiment(config, new, where, on_event=show)), new)
    else:
        ds = compute(str(folder), lambda show: resume_experiment(folder, where, on_event=show, **changes))
        _show_result(ds, folder)


def _where(workers: int | None, cluster: str | None, *tls: Path | None) -> "pools.Where":
    """Return where to compute."""
    if workers is not None and cluster is not None:
        fail("--workers and --cluster: give one of them; a cluster has its own workers")
    if any(tls):
        from infoplane.runs.clusters import Cluster

        if cluster is None:
            fail("--tls-ca, --tls-cert and --tls-key: expected --cluster tls://HOST:PORT too")
        return Cluster(cluster, *tls)
    return workers if workers is not None else cluster


@app.command()
def status(folder: Folder) -> None:
    """Print what is done, remaining and damaged in a folder.

    The exit code is 1 when lines of a recording are damaged; the remaining ones are counted.
    """
    from infoplane.record.folder import is_recording, recording_lines
    from infoplane.runs.status import status_lines

    lines, damage = recording_lines(folder) if is_recording(folder) else (status_lines(folder), [])
    for line in lines:
        typer.echo(line)
    for line in damage:
        typer.echo(f"damaged: {line}", err=True)
    if damage:
        raise typer.Exit(PARTIAL)


def _show_result(ds: "xr.Dataset", folder: Path) -> None:
    """Print the summary table, a sentence a layer, and where the files are; end with 1 when parts have failed."""
    from infoplane.experiments import measured
    from infoplane.runs.combine import split

    for labels, part in measured(split(ds)):
        if labels:
            typer.echo("\n" + ", ".join(f"{name} = {label}" for name, label in labels.items()))
        _show_one(part)
    failed = json.loads(ds.attrs["failed"])
    for one in failed:
        typer.echo(_tell_failure(one))
    _show_claims(ds, folder)
    pictures = sorted(path.name for path in (folder / "figures").glob("*.png"))
    typer.echo(f"\n{folder}: results.nc, figures/ ({', '.join(pictures[:4])}{', …' if len(pictures) > 4 else ''})")
    typer.echo(f"next: infoplane export {shlex.quote(str(folder))} --to csv")
    if failed:
        typer.echo(f"partial: {len(failed)} tasks failed; try them again with infoplane resume", err=True)
        raise typer.Exit(PARTIAL)


def _show_claims(ds: "xr.Dataset", folder: Path) -> None:
    """Print what a packaged experiment says of its claims, a line each."""
    from infoplane.experiments.claims import claims, table

    purpose = table.purpose(ds)
    chosen = table.Answered(folder.name, "", claims(ds, purpose)).asked if purpose else []
    if chosen:
        typer.echo(f"\nclaims, with their numbers in 'infoplane claims {shlex.quote(str(folder))}':")
    for verdicts in table.by_claim(chosen):
        typer.echo(f"  {table.brief(verdicts)}")


def _tell_failure(one: dict[str, Any]) -> str:
    members = one["members"]
    who = f"member {members[0]}" if len(members) == 1 else f"members {members[0]}–{members[-1]}"
    where = "".join(f" at {name} = {label}" for name, label in one["labels"].items())
    lost = f"from epoch {one['epoch']} on" if "layer" not in one else f"in {one['layer']} at epoch {one['epoch']}"
    return f"failed: {who}{where} {lost}, after {one['tries']} tries: {one['reason']}"


def _show_one(ds: "xr.Dataset") -> None:
    """Print the tables of one result."""
    from infoplane.experiments import summary
    from infoplane.plots.content import describe_estimator

    for estimator in ds["estimator"].values:
        every = summary.summarise(ds, str(estimator))
        layers, empty = [one for one in every if not one.is_empty], [one.layer for one in every if one.is_empty]
        quantity = str(ds["quantity"].sel(estimator=estimator).item())
        other = "" if quantity == "Shannon" else f" of {quantity} information, which is not Shannon's"
        known = ds["information"].sel(estimator=estimator).notnull().any(["epoch", "layer", "variable"])
        members = f"{int(known.sum())} member{'s' if int(known.sum()) != 1 else ''}"
        typer.echo(f"\n{describe_estimator(ds, str(estimator))}; mean over {members}, in bits{other}")
        _table([summary.columns(), *(summary.row(layer) for layer in layers)])
        for line in (*(f"{one.layer}: {one.sentence}" for one in layers), *summary.without_numbers(empty)):
            typer.echo(line)
    for line in summary.remarks(ds):
        typer.echo(line)


def _table(rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        first, *numbers = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join([first.strip().ljust(widths[0]), *numbers]))
