"""Every flag is explained; entropies of arrays."""

import math

import numpy as np
import pytest

import infoplane as ip
from infoplane.estimators.base import FLAGS
from infoplane.estimators.flags import EXPLANATIONS


def test_every_flag_has_an_explanation_and_nothing_else_has():
    assert sorted(EXPLANATIONS) == sorted(FLAGS)


@pytest.mark.parametrize("flag", FLAGS)
def test_an_explanation_says_something(flag):
    assert len(ip.explain(flag)) > 80


def test_an_unknown_flag_names_the_nearest():
    with pytest.raises(ip.InputError, match="did you mean 'saturated'"):
        ip.explain("saturation")


@pytest.mark.parametrize("x", [["a", "b", "b", "c"], [1, 2, 2, 3], np.array([[0, 1], [1, 0], [1, 0], [1, 1]])])
def test_the_entropy_of_symbols_counts_them(x):
    assert ip.entropy(x).bits == 1.5


def test_the_entropy_of_binned_rows_is_that_of_their_cells():
    assert ip.entropy(np.linspace(-1, 0.99, 600), "binning", bins=6).bits == pytest.approx(math.log2(6), abs=1e-3)


def test_continuous_rows_counted_exactly_say_how_many_there_are():
    estimate = ip.entropy(np.random.default_rng(0).standard_normal(64), "exact")
    assert estimate.bits == 6
    assert estimate.flags == {"saturated"}


@pytest.mark.parametrize("name", ["binning", "kde", "noisy"])
def test_the_entropy_of_whole_numbers_is_that_of_the_numbers(name):
    x = np.array([[0, 10], [5, 7], [3, 3]])
    assert ip.entropy(x, name).bits == ip.entropy(x.astype(float), name).bits
    assert ip.entropy(x, name).dims == (2,)


def test_strings_have_an_exact_entropy_only():
    with pytest.raises(ip.InputError, match="x holds strings"):
        ip.entropy(["a", "b"], "kde")


def test_whole_numbers_that_floats_cannot_tell_apart_are_refused():
    with pytest.raises(ip.InputError, match="whole numbers beyond 2"):
        ip.layer_information(np.array([2**53, 2**53 + 1, 2**53 + 2, 0]), None, "exact")
    assert ip.entropy([2**53, 2**53 + 1]).bits == 1


@pytest.mark.parametrize("estimator", [None, 5, b"kde", ip.Estimate, [None], [], {}])
def test_what_is_no_estimator_is_refused(estimator):
    with pytest.raises(ip.InputError, match="estimator"):
        ip.layer_information(np.zeros((4, 2)), None, estimator)


def test_a_table_stands_for_an_estimator():
    t = np.linspace(-1, 1, 20)
    assert ip.layer_information(t, None, {"name": "binning", "bins": 2}).input.bits == 1
    with pytest.raises(ip.InputError, match="no parameter 'bin'"):
        ip.layer_information(t, None, "binning", bin=3)
