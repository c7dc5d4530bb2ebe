"""The one function for the information between two arrays."""

import numpy as np
import pytest

import infoplane as ip
from infoplane.estimators.neighbors import Ksg1


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(300)
    return x, 0.8 * x + 0.6 * rng.standard_normal(300)


def test_a_name_a_table_and_an_instance_mean_the_same(pair):
    named = ip.mutual_information(*pair, "ksg1", k=5)
    assert ip.mutual_information(*pair, {"name": "ksg1", "k": 5}).bits == named.bits
    assert ip.mutual_information(*pair, Ksg1(k=5)).bits == named.bits
    assert Ksg1(k=5)(*pair).bits == named.bits
    assert (named.params["k"], named.n, named.dims) == (5, 300, (1, 1))


def test_lists_half_precision_strides_and_read_only_arrays_give_the_value_of_their_copy(pair):
    x, y = pair
    plain = ip.mutual_information(x, y, "ksg1").bits
    wide = np.stack([x, y], 1)
    wide.setflags(write=False)
    assert ip.mutual_information(wide[:, 0], wide[:, 1], "ksg1").bits == plain
    assert ip.mutual_information(x.tolist(), y.tolist(), "ksg1").bits == plain
    half = x.astype(np.float16)
    assert ip.mutual_information(half, y, "ksg1").bits == ip.mutual_information(half.astype(float), y, "ksg1").bits


def test_a_column_is_the_same_as_a_flat_array(pair):
    x, y = pair
    assert ip.mutual_information(x[:, None], y, "ksg1").bits == ip.mutual_information(x, y, "ksg1").bits


def test_uncertainty_and_null_are_filled_when_asked_for(pair):
    plain = ip.mutual_information(*pair, "ksg1")
    full = ip.mutual_information(*pair, "ksg1", uncertainty=True, null=10, seed=1)
    assert (plain.std_error, plain.interval, plain.null) == (None, None, None)
    assert full.bits == plain.bits
    assert full.std_error is not None and full.std_error > 0
    assert full.interval is not None and full.interval[0] < full.bits < full.interval[1]
    assert full.null is not None and full.null.mean < full.bits


def test_the_same_seed_gives_the_same_numbers(pair):
    one, two = (ip.mutual_information(*pair, "ksg1", uncertainty=True, null=5, seed=3) for _ in range(2))
    assert (one.std_error, one.null) == (two.std_error, two.null)


def test_the_global_random_state_is_not_touched(pair):
    before = np.random.get_state()[1].copy()
    ip.mutual_information(*pair, "ksg1", uncertainty=True, null=3)
    np.testing.assert_array_equal(before, np.random.get_state()[1])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"estimator": "ksg"}, "unknown estimator 'ksg'; did you mean 'ksg"),
        ({"estimator": "kde"}, "'kde' measures layers .* use one of ksg1"),
        ({"estimator": "ksg1", "neighbours": 3}, "no parameter 'neighbours'"),
        ({"estimator": "ksg1", "k": 0}, "k is 0; expected a whole number of neighbours"),
        ({"estimator": "ksg1", "k": 2.5}, "ksg1 k is 2.5; expected a whole number"),
        ({"estimator": "ksg1", "k": 300}, "k is 300 with 300 samples; expected k < N"),
        ({"estimator": "ksg1", "norm": "l2"}, "norm is 'l2'"),
        ({"estimator": "ksg1", "seed": -1}, "seed is -1"),
        ({"estimator": "ksg1", "seed": 0.5}, "seed is 0.5"),
        ({"estimator": "ksg1", "null": -2}, "null is -2"),
        ({"estimator": "ksg1", "null": True}, "null is True"),
        ({"estimator": "ksg1", "uncertainty": 1}, "uncertainty is 1"),
        ({"estimator": 7}, "estimator is 7"),
    ],
)
def test_bad_arguments_are_refused_by_name(pair, arguments, text):
    with pytest.raises(ip.InputError, match=text):
        ip.mutual_information(*pair, **arguments)


def test_the_second_array_is_named_in_its_errors(pair):
    with pytest.raises(ip.InputError, match="y holds 2 values that are NaN or infinite, in 2 of 300 rows"):
        ip.mutual_information(pair[0], np.where(np.arange(300) < 2, np.nan, pair[1]), "ksg1")


def test_an_entropy_is_refused_where_there_is_none(pair):
    with pytest.raises(ip.InputError, match=r"'ksg1' gives no entropy; expected one of .* kl"):
        ip.entropy(pair[0], "ksg1")
