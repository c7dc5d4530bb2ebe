"""Tables of estimates beside the truth, and peers that compute the same as we do."""

import csv
import io
import math

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.neighbors import Ksg1
from infoplane.estimators.pair import PairEstimator, PairValue
from infoplane.truth import Normal, speed
from infoplane.truth.benchmark import Measurement, measure, table_rows, tabulate, to_csv

TASKS = {"one": Normal.from_information(1.0), "none": Normal.from_information(0.0)}


class Fails(PairEstimator):
    """Cannot measure anything."""

    name = "fails"
    kinds = ("continuous",)
    params = {}  # noqa: RUF012

    def between(self, x, y) -> PairValue:
        raise InputError("too few samples for this")


def measurement(task, seed, bits, truth):
    return Measurement(task, "ksg1", seed, 10, truth, bits, 0.1, "", "")


def test_every_task_meets_every_estimator_on_the_same_samples_of_each_seed():
    found = list(measure(TASKS, {"a": Gaussian(), "b": Gaussian()}, n=200, n_seeds=2))
    assert [(one.seed, one.task, one.estimator) for one in found] == [
        (seed, task, name) for seed in (0, 1) for task in TASKS for name in "ab"
    ]
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert first.bits == second.bits
    assert found[0].bits == Gaussian()(*TASKS["one"].sample(200, 0)).bits
    assert found[0].bits != found[4].bits


def test_an_estimator_that_cannot_measure_a_task_gives_nan_and_its_reason():
    failed, went_on = measure({"one": TASKS["one"]}, {"fails": Fails(), "gaussian": Gaussian()}, n=50, n_seeds=1)
    assert math.isnan(failed.bits)
    assert failed.reason == "too few samples for this"
    assert math.isfinite(went_on.bits)


def test_the_table_holds_means_over_seeds_with_their_standard_errors():
    table = tabulate(
        [measurement("one", 0, 1.0, 1.2), measurement("one", 1, 1.2, 1.2), measurement("two", 0, 3.0, 2.0)]
    )
    cell = table.columns["ksg1"]["one"]
    assert cell.bits == pytest.approx(1.1)
    assert cell.std_error == pytest.approx(0.1)  # of 1.0 and 1.2: sd 0.2/√2, divided by √2
    assert math.isnan(table.columns["ksg1"]["two"].std_error)
    assert table.mean_absolute_error("ksg1") == pytest.approx((0.1 + 1.0) / 2)


def test_the_printed_table_ends_with_mean_absolute_errors_in_bits_and_nats():
    rows = table_rows(tabulate([measurement("one", 0, 0.5, 1.0)]))
    assert rows == [
        ["task", "true", "ksg1"],
        ["one", "1.000", "0.5000"],
        ["mean absolute error, bits", "", "0.5000"],
        ["mean absolute error, nats", "", f"{0.5 * math.log(2):.4f}"],
    ]


def test_a_task_without_a_number_leaves_no_mean_error():
    rows = table_rows(tabulate([measurement("one", 0, math.nan, 1.0), measurement("two", 0, 1.0, 1.0)]))
    assert [row[2] for row in rows[1:]] == ["–", "1.000", "–", "–"]


def test_a_task_not_reached_by_an_estimator_is_left_out_of_its_mean():
    reached = Measurement("one", "gaussian", 0, 10, 1.0, 0.9, 0.1, "", "")
    rows = table_rows(tabulate([measurement("one", 0, 0.5, 1.0), measurement("two", 0, 2.0, 2.0), reached]))
    assert rows[2] == ["two", "2.000", "2.000", "–"]
    assert rows[3][2:] == ["0.2500", "0.1000"]


def test_the_csv_reads_back_to_the_last_bit():
    original = measurement("one", 0, 1 / 3, math.log2(3))
    (line,) = csv.DictReader(io.StringIO(to_csv([original])))
    assert (float(line["bits"]), float(line["truth_bits"])) == (original.bits, original.truth_bits)
    assert line["task"] == "one"


@pytest.mark.parametrize("peer", [speed.with_trees, speed.with_sklearn_trees])
@pytest.mark.parametrize("dims", [1, 5])
def test_the_way_with_trees_computes_what_ksg1_does(dims, peer):
    x, y = Normal.from_information(1.0, (dims, dims)).sample(500)
    x, y = (side / side.std(axis=0) for side in (x, y))  # as ksg1 scales them
    assert peer(x, y) == pytest.approx(Ksg1(k=speed.K)(x, y).bits, abs=1e-9)


def test_scikit_learn_agrees_up_to_its_noise():
    x, y = Normal.from_information(1.0).sample(2000)
    assert speed.with_sklearn(x, y) == pytest.approx(Ksg1(k=speed.K)(x, y).bits, abs=0.01)


def test_best_times_are_the_shortest_of_several_turns(monkeypatch):
    now, turns = [0.0], {"a": iter([1.0, 5.0, 3.0]), "b": iter([2.0, 4.0, 6.0])}
    called = []

    def call(name):
        called.append(name)
        now[0] += next(turns[name])

    monkeypatch.setattr(speed.time, "perf_counter", lambda: now[0])
    # the first turns, of 1 and 2 s, do not count
    assert speed.best_times(lambda: call("a"), lambda: call("b"), repeats=2) == (3.0, 4.0)
    assert called == ["a", "b"] * 3


def test_comparisons_are_rows_with_ratios():
    one = speed.Comparison("ksg1", "peer", ours_seconds=0.5, peer_seconds=1.0, at_least=2.0)
    assert one.ratio == 2.0
    assert len(speed.row(one)) == len(speed.HEADING)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bare_products_are_those_of_all_pairs(dtype):
    x, y = np.random.default_rng(0).standard_normal((2, 1300, 4))  # more than one block
    expected = sum((side @ side[-1]).sum() for side in (x, y))
    assert speed.products(x, y, dtype) == pytest.approx(expected, rel=1e-4)  # float32


def test_every_comparison_is_measured():
    measured = list(speed.comparisons(n=200, repeats=1))
    assert [one.peer for one in measured].count("one estimate") == 6
    assert all(one.ratio > 0 and one.ours_seconds > 0 for one in measured)
