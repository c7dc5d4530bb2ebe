"""The command that measures arrays in files: estimate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infoplane._numbers import digits
from infoplane.cli.app import app
from infoplane.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from infoplane.estimators import Estimate


@app.command()
def estimate(
    x: Annotated[
        Path, typer.Option("--x", metavar="FILE", help="One variable: .npy, .csv or .tsv, a row for each sample.")
    ],
    y: Annotated[
        Path | None,
        typer.Option(
            "--y", metavar="FILE", help="The other variable, same order; default: --label-column of the file of x."
        ),
    ] = None,
    estimator: Annotated[
        str, typer.Option(metavar="NAME", help="See infoplane list; auto chooses what suits the data and says why.")
    ] = "auto",
    column: Annotated[
        list[str] | None, typer.Option("--column", metavar="NAME", help="A column of x in a table; may be repeated.")
    ] = None,
    label_column: Annotated[
        list[str] | None,
        typer.Option("--label-column", metavar="NAME", help="A column of y in a table; may be repeated."),
    ] = None,
    heading: Annotated[
        bool | None,
        typer.Option("--heading/--no-heading", help="Whether tables start with names; default: recognized."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the estimator, e.g. k=5.")
    ] = None,
    uncertainty: Annotated[bool, typer.Option("--uncertainty", help="Give a standard error and an interval.")] = False,
    null: Annotated[int, typer.Option(metavar="N", min=0, help="Compare with N shuffles of the samples of y.")] = 0,
    null_kind: Annotated[
        str, typer.Option(metavar="KIND", help="shuffle; shift or block for rows that follow each other in time.")
    ] = "shuffle",
    block: Annotated[int | None, typer.Option(metavar="ROWS", min=1, help="Rows of a block.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
) -> None:
    """Estimate the mutual information of two arrays in files.

    Integers, booleans and words are symbols, other numbers are coordinates. Tables may have a heading and an index
    column, as pandas writes them.

    Example: infoplane estimate --x x.npy --y y.npy

    Example: infoplane estimate --x flowers.csv --column height --label-column species

    Example: infoplane estimate --x x.npy --y y.npy --estimator ksg1 --set k=5 --uncertainty --null 100
    """
    from infoplane.cli.arrays import read_pair
    from infoplane.estimators import estimator_class
    from infoplane.estimators.mutual import mutual_information
    from infoplane.runs.words import parse_assignment

    if y is None and not label_column:
        raise InputError("--y: expected a file, got none. Pass --y FILE, or --label-column NAME of the table of x")
    other = x if y is None else y
    read = dict(zip("xy", read_pair(x, other, column or [], label_column or [], heading), strict=True))
    arrays = {name: variable.values for name, variable in read.items()}
    params: dict[str, Any] = dict(parse_assignment(text) for text in set_ or [])
    for name, path in (("x", x), ("y", other)):
        note = f" ({read[name].note})" if read[name].note else ""
        typer.echo(f"{name}: {path}, {_describe(arrays[name])}{note}")
    built = estimator_class(estimator).with_params(params)
    how = {"null": null, "null_kind": null_kind, "block": block}
    found = mutual_information(**arrays, estimator=built, seed=seed, uncertainty=uncertainty, **how)
    for line in estimate_lines(found, null, null_kind):
        typer.echo(line)


def estimate_lines(found: "Estimate", n_shuffles: int = 0, kind: str = "shuffle") -> list[str]:
    """Say an estimate in lines: bits, interval, null, each flag with its explanation, the reason."""
    from infoplane.estimators.flags import explain

    what = {"lower": " (a lower bound)", "upper": " (an upper bound)"}.get(found.kind, "")
    lines = [f"I(X;Y) = {digits(found.bits)} bits{what} by {found.estimator}"]
    if found.std_error is not None:
        lines.append(f"standard error: {digits(found.std_error)} bits")
    if found.interval is not None:
        lines.append(f"95 % interval: {digits(found.interval[0])} to {digits(found.interval[1])} bits")
    if found.null is not None:
        null = found.null
        what = {"shuffle": "shuffles", "shift": "shifts"}.get(kind, "orders of the blocks")
        lines.append(f"{n_shuffles} {what} of y: {digits(null.mean)} ± {digits(null.sd)} bits, p = {null.p:.3g}")
    lines += [f"flag {flag}: {explain(flag).partition('. ')[0].rstrip('.')}." for flag in sorted(found.flags)]
    if found.reason:
        lines.append(f"reason: {found.reason}")
    return lines


def _describe(array: "np.ndarray") -> str:
    from infoplane._arrays import is_discrete

    columns = array.shape[1] if array.ndim > 1 else 1
    kind = "discrete" if is_discrete(array) else "continuous"
    return f"{len(array) if array.ndim else 0} rows × {columns} column{'s' if columns > 1 else ''}, {kind}"
