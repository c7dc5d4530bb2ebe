"""Estimators against known information: every task by every estimator, and what the errors come to."""

import csv
import dataclasses
import io
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence

from infoplane._numbers import digits
from infoplane.errors import InputError
from infoplane.estimators.pair import PairEstimator
from infoplane.truth.base import NAT, Distribution

DEFAULT = ("ksg1", "ksg2", "kl", "gaussian", "copula", "copula(then=ksg1)")
"""What is measured unless other estimators are named: those of Shannon information between coordinates. ``mixed-ksg``
is ``ksg1`` where no values are equal, and no task has equal values."""


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One estimate beside the truth.

    Attributes:
        task: name of the distribution.
        estimator: name of the estimator, with its parameters where they were given.
        seed: seed of the samples.
        n: number of samples.
        truth_bits: the information.
        bits: the estimate; NaN where the estimator cannot measure this task.
        seconds: wall time of the estimate.
        flags: names of flags, separated by spaces.
        reason: the amounts behind the flags, or why there is no number.
    """

    task: str
    estimator: str
    seed: int
    n: int
    truth_bits: float
    bits: float
    seconds: float
    flags: str
    reason: str


def measure(
    tasks: Mapping[str, Distribution], estimators: Mapping[str, PairEstimator], *, n: int, n_seeds: int
) -> Iterator[Measurement]:
    """Yield every task by every estimator, all with seed 0 first, then with seed 1, and so on.

    All estimators see the same samples of a task and seed. One that cannot measure a task (too few samples for so
    many dimensions, for example) gives NaN and its reason; the others go on.

    Args:
        tasks: distributions by name.
        estimators: estimators by the name that they carry in the table.
        n: samples of each task.
        n_seeds: how often each task is sampled, with seeds 0, 1, …
    """
    for seed in range(n_seeds):
        for task, distribution in tasks.items():
            x, y = distribution.sample(n, seed)
            for name, estimator in estimators.items():
                try:
                    found = estimator(x, y)
                    outcome = (found.bits, found.seconds, " ".join(sorted(found.flags)), found.reason)
                except InputError as error:
                    outcome = (math.nan, 0.0, "", str(error))
                yield Measurement(task, name, seed, n, distribution.information, *outcome)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One estimator on one task over all seeds.

    Attributes:
        bits: mean estimate, NaN where one of them is.
        std_error: standard error of that mean over seeds; NaN with one seed.
    """

    bits: float
    std_error: float


@dataclasses.dataclass(frozen=True)
class Table:
    """Means over seeds: a row for each task, a column for each estimator.

    Attributes:
        truth_bits: the information of each task.
        columns: the cells of each estimator by task; a task that was not reached is not there.
    """

    truth_bits: dict[str, float]
    columns: dict[str, dict[str, Cell]]

    def mean_absolute_error(self, estimator: str) -> float:
        """Mean over tasks of |mean estimate − truth| in bits; NaN where a task has no number."""
        cells = self.columns[estimator]
        return statistics.fmean(abs(cell.bits - self.truth_bits[task]) for task, cell in cells.items())


def tabulate(measurements: Sequence[Measurement]) -> Table:
    """Average over seeds; tasks and estimators keep the order of their first measurement."""
    found: dict[str, dict[str, list[float]]] = {}
    for one in measurements:
        found.setdefault(one.estimator, {}).setdefault(one.task, []).append(one.bits)
    return Table(
        {one.task: one.truth_bits for one in measurements},
        {name: {task: _cell(bits) for task, bits in by_task.items()} for name, by_task in found.items()},
    )


def _cell(bits: list[float]) -> Cell:
    finite = len(bits) > 1 and all(map(math.isfinite, bits))
    return Cell(statistics.fmean(bits), statistics.stdev(bits) / math.sqrt(len(bits)) if finite else math.nan)


def table_rows(table: Table) -> list[list[str]]:
    """Return the table as text: a heading, a row a task, and the mean absolute errors in bits and in nats."""
    names = list(table.columns)
    rows = [["task", "true", *names]]
    for task, truth in table.truth_bits.items():
        cells = [table.columns[name].get(task) for name in names]
        rows.append([task, digits(truth), *("–" if cell is None else digits(cell.bits) for cell in cells)])
    errors = [table.mean_absolute_error(name) for name in names]
    rows.append(["mean absolute error, bits", "", *(digits(error) for error in errors)])
    rows.append(["mean absolute error, nats", "", *(digits(error / NAT) for error in errors)])
    return rows


def to_csv(measurements: Sequence[Measurement]) -> str:
    """Return one line for each measurement, numbers as short as they can be read back."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in dataclasses.fields(Measurement))
    writer.writerows(dataclasses.astuple(one) for one in measurements)
    return text.getvalue()
