"""Information of two discrete variables by counting."""

import math

import numpy as np
import pytest

import infoplane as ip
from infoplane.estimators.discrete import CORRECTIONS, entropy_of_counts
from infoplane.estimators.pair import as_variable
from infoplane.estimators.plugin import Plugin


def pairs(table):
    """Samples with the counts of a table."""
    rows = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    x, y = np.array(rows).T
    return x, y


def test_a_binary_symmetric_channel_gives_1_minus_the_entropy_of_its_error():
    x, y = pairs([[45, 5], [5, 45]])  # error 0.1
    expected = 1 + 0.1 * math.log2(0.1) + 0.9 * math.log2(0.9)
    assert ip.mutual_information(x, y, "plugin").bits == pytest.approx(expected, abs=1e-12)


def test_independent_counts_give_0():
    assert ip.mutual_information(*pairs([[6, 4], [12, 8]]), "plugin").bits == pytest.approx(0, abs=1e-12)


def test_50_distinct_rows_ten_times_each_tell_log2_of_50():
    rows = np.repeat(np.arange(50), 10)
    estimate = ip.mutual_information(rows, np.stack([rows % 7, rows // 7], 1), "plugin")
    assert estimate.bits == pytest.approx(math.log2(50), abs=1e-9)
    assert estimate.flags == frozenset()


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_each_entropy_is_corrected_by_itself(correction):
    table = np.array([[10, 2, 1], [3, 9, 0]])
    bits = ip.mutual_information(*pairs(table), "plugin", correction=correction).bits
    alphabets = {"james-stein": 6, "nsb": 6}
    h_pair = entropy_of_counts(table, correction, alphabet=alphabets.get(correction))
    parts = [entropy_of_counts(table.sum(axis), correction) for axis in (0, 1)]
    assert bits == pytest.approx(sum(parts) - h_pair, abs=1e-10)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_swapping_the_variables_changes_nothing(correction):
    x, y = pairs([[10, 2, 1], [3, 9, 0]])
    ways = [ip.mutual_information(*pair, "plugin", correction=correction).bits for pair in ((x, y), (y, x))]
    assert ways[0] == pytest.approx(ways[1], abs=1e-12)


def test_names_of_symbols_do_not_matter():
    x, y = pairs([[10, 2, 1], [3, 9, 0]])
    named = np.array(["cat", "dog", "emu"])[y], x == 1
    assert ip.mutual_information(*named, "plugin").bits == pytest.approx(ip.mutual_information(x, y, "plugin").bits)


def test_a_part_of_the_samples_counts_only_the_symbols_in_it():
    x, y = (as_variable(value, "x") for value in ([0, 1, 2, 3, 2, 3], [0, 1, 2, 3, 3, 2]))
    part = Plugin("james-stein").between(x.take(slice(2, 6)), y.take(slice(2, 6)))
    fresh = Plugin("james-stein")([0, 1, 0, 1], [0, 1, 1, 0])
    assert part.bits == pytest.approx(fresh.bits, abs=1e-12)


def test_all_samples_distinct_is_flagged_as_saturated():
    estimate = ip.mutual_information(np.arange(40), np.arange(40) * 3, "plugin")
    assert estimate.bits == pytest.approx(math.log2(40))
    assert estimate.flags == {"saturated"}


def test_entropy_of_symbols_is_that_of_their_counts():
    assert ip.entropy(["a", "b", "b", "c"], "plugin").bits == 1.5
    assert ip.entropy([1, 2, 2, 3], "plugin", correction="miller-madow").bits == pytest.approx(
        1.5 + 2 / (8 * math.log(2))
    )


def test_floats_and_unknown_corrections_are_refused():
    with pytest.raises(ip.InputError, match="x holds floats"):
        ip.entropy([0.5, 1.5], "plugin")
    with pytest.raises(ip.InputError, match="did you mean 'grassberger'"):
        ip.mutual_information([0, 1], [0, 1], "plugin", correction="grasberger")


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_many_shuffles_give_what_each_gives(correction):
    rng = np.random.default_rng(0)
    x, y = as_variable(rng.integers(0, 5, 60), "x"), as_variable(rng.integers(0, 3, 60), "y")
    orders = [rng.permutation(60) for _ in range(5)]
    estimator = Plugin(correction)
    alone = [estimator.between(x, y.take(order)).bits for order in orders]
    assert estimator.between_shuffled(x, y, orders) == alone  # exactly: p compares them
