"""Commands that measure the tool itself: benchmark estimators, benchmark speed."""

import math
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infoplane.cli.app import app, stopping_signal
from infoplane.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from infoplane.estimators.pair import PairEstimator
    from infoplane.truth.benchmark import Measurement, Table

benchmark = typer.Typer(help="Measure how right and how fast the estimators are.", rich_markup_mode=None)
app.add_typer(benchmark, name="benchmark")


@benchmark.command("estimators")
def estimators_(
    tasks: Annotated[
        str, typer.Option(metavar="GLOB", help="Names of tasks, with * and ?, separated by commas.")
    ] = "*",
    n: Annotated[int, typer.Option("--n", min=2, help="Samples of each task.")] = 10_000,
    estimators: Annotated[
        str | None, typer.Option(metavar="A,B,…", help='Estimators, with parameters as in "ksg1(k=5,norm=euclidean)".')
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How often each task is sampled.")] = 1,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for estimators.csv and a heat map.")] = None,
) -> None:
    """Compare estimators with the truth on 40 distributions whose information is known.

    Ctrl-C or SIGTERM ends early: what was measured is printed and kept.

    Example: infoplane benchmark estimators --tasks "1v1-*" --n 2000 --estimators ksg1,gaussian --out bench
    """
    from infoplane.truth.benchmark import DEFAULT, measure, table_rows, tabulate
    from infoplane.truth.tasks import select

    chosen, named = select(tasks), parse_estimators(",".join(DEFAULT) if estimators is None else estimators)
    total = len(chosen) * len(named) * seeds
    done, stopped = _collect(measure(chosen, named, n=n, n_seeds=seeds), total, out)
    if done:
        table = tabulate(done)
        reached = done[-1].seed + 1
        typer.echo(f"information in bits, {n} samples, mean over {reached} seed{'s' if reached > 1 else ''}")
        print_table(table_rows(table))
        _say_failures(done)
        if out is not None:
            _draw(table, out)
    if stopped:
        typer.echo(f"interrupted; {len(done)} of {total} estimates were made", err=True)
        raise typer.Exit(128 + stopped)


@benchmark.command("speed")
def speed_() -> None:
    """Time the neighbour estimators beside their peers, as ratios within one run.

    Peers: scikit-learn, one estimate, and reimplementations of ours of the usual way with SciPy's trees and of the
    bare distance products. Takes some minutes; nothing else should run meanwhile.
    """
    from infoplane.truth.speed import HEADING, comparisons, row

    rows = [HEADING]
    for one in comparisons():
        rows.append(row(one))
        typer.echo(one.what, err=True)
    print_table(rows)


def parse_estimators(text: str) -> dict[str, "PairEstimator"]:
    """Read a list of estimators such as ``ksg1,copula(then=ksg1)``; each keeps its text as its name.

    Raises:
        InputError: for an unknown estimator or parameter, one that does not measure pairs, or the same twice.
    """
    from infoplane.estimators import build
    from infoplane.estimators.pair import PairEstimator
    from infoplane.runs.words import parse_assignment

    named: dict[str, PairEstimator] = {}
    for part in re.split(r",(?![^(]*\))", text):
        match = re.fullmatch(r"\s*([\w-]+)\s*(?:\((.*)\))?\s*", part)
        if match is None:
            raise InputError(f"--estimators: cannot read '{part}'; expected names such as ksg1 or ksg1(k=5)")
        assignments = [one for one in (match[2] or "").split(",") if one.strip()]
        built = build(match[1], **dict(parse_assignment(one) for one in assignments))
        if not isinstance(built, PairEstimator):
            raise InputError(f"estimator '{match[1]}' measures layers, not pairs of variables; see infoplane list")
        if part.strip() in named:
            raise InputError(f"--estimators: '{part.strip()}' is named twice")
        named[part.strip()] = built
    return named


def print_table(rows: list[list[str]]) -> None:
    """Print cells below each other, the first column to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others in rows:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        typer.echo("  ".join([first.ljust(widths[0]), *numbers]))


def _collect(measurements: Iterator["Measurement"], total: int, out: Path | None) -> tuple[list["Measurement"], int]:
    """Take all measurements, writing the csv after each; return also the signal that interrupted them, else 0."""
    from infoplane import files
    from infoplane.truth.benchmark import to_csv

    if out is not None:
        files.make_folder(out)
    done: list[Measurement] = []
    try:
        for one in measurements:
            done.append(one)
            if out is not None:
                files.write_bytes(out / "estimators.csv", to_csv(done).encode())
            _progress(len(done), total, f"{one.task}, {one.estimator}")
    except KeyboardInterrupt as stop:
        return done, stopping_signal(stop)
    return done, 0


def _progress(done: int, total: int, what: str) -> None:
    """Say on stderr how far the work is: on one line of a terminal, elsewhere at each tenth."""
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K{done}/{total}  {what}" if done < total else "\r\x1b[K", err=True, nl=False)
    elif done * 10 // total > (done - 1) * 10 // total:
        typer.echo(f"{done}/{total} estimates", err=True)


def _say_failures(done: list["Measurement"]) -> None:
    """Print once for each estimator and reason which tasks have no number."""
    failed: dict[tuple[str, str], list[str]] = {}
    for one in done:
        if math.isnan(one.bits):
            failed.setdefault((one.estimator, one.reason), []).append(one.task)
    for (estimator, reason), names in failed.items():
        typer.echo(f"{estimator} has no number for {', '.join(dict.fromkeys(names))}: {reason}")


def _draw(table: "Table", out: Path) -> None:
    from infoplane import plots

    for path in plots.save(heat_map(table), out / "estimators"):
        typer.echo(path)


def heat_map(table: "Table") -> "Figure":
    """Draw the table: a cell for each task and estimator, coloured by its error and holding the estimate.

    Colours end at an error of one bit either way, so that one bad cell does not hide the others.
    """
    import numpy as np
    from matplotlib.colors import TwoSlopeNorm

    from infoplane.plots.style import DOUBLE, INK, SMALL, dress, new_figure

    tasks, names = list(table.truth_bits), list(table.columns)
    bits = np.array([[_bits(table.columns[name], task) for name in names] for task in tasks])
    errors = bits - np.array(list(table.truth_bits.values()))[:, None]
    figure = new_figure(DOUBLE, 1.0 + 0.16 * len(tasks))
    ax = figure.subplots()
    dress(ax, "", "task, and its information in bits")
    norm = TwoSlopeNorm(0.0, -1.0, 1.0)
    picture = ax.imshow(np.ma.masked_invalid(errors), aspect="auto", cmap="RdBu_r", norm=norm)
    ax.set_xticks(range(len(names)), names, rotation=20, ha="right")
    ax.set_yticks(range(len(tasks)), [f"{task}   {truth:.2f}" for task, truth in table.truth_bits.items()])
    for (row, column), value in np.ndenumerate(bits):
        shade = "white" if abs(errors[row, column]) > 0.7 else INK
        ax.text(column, row, f"{value:.2f}" if math.isfinite(value) else "–", ha="center", va="center",
                fontsize=SMALL - 0.5, color=shade)  # fmt: skip
    bar = figure.colorbar(picture, ax=ax, shrink=0.5, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.set_label("estimate − truth, bits", fontsize=SMALL, color=INK)
    bar.ax.tick_params(labelsize=SMALL)
    return figure


def _bits(cells: Mapping[str, object], task: str) -> float:
    return float(getattr(cells.get(task), "bits", math.nan))
