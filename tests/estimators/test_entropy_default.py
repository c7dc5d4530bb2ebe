"""The estimator that `ip.entropy` selects by the kind of data, and its values beside closed forms."""

import numpy as np
import pytest

import infoplane as ip
from infoplane import InputError


def normal(n=10_000, seed=0):
    return np.random.default_rng(seed).standard_normal(n)


def test_normal_data_have_their_differential_entropy():
    """log2(2πe)/2 = 2.047 bits, with the standard error √((1/2 + ψ'(3))/N)/ln 2 = 0.014 of ln f and distances."""
    estimate = ip.entropy(normal())
    assert estimate.estimator == "kl"
    assert estimate.bits == pytest.approx(np.log2(2 * np.pi * np.e) / 2, abs=0.04)  # 3 standard errors
    assert "differential entropy" in estimate.reason


def test_a_change_of_units_adds_its_logarithm():
    """h(aX) = h(X) + log2 |a|, exactly so for distances between neighbors."""
    assert ip.entropy(1024 * normal()).bits - ip.entropy(normal()).bits == pytest.approx(10, abs=1e-9)


def test_uniform_data_have_entropy_zero():
    """The density of the unit interval is 1, so h = 0. For k = 3 the error is about √(ψ'(3)/N)/ln 2 = 0.009 bits."""
    estimate = ip.entropy(np.random.default_rng(1).random(10_000))
    assert estimate.estimator == "kl"
    assert estimate.bits == pytest.approx(0.0, abs=0.04)


def test_two_columns_add_their_entropies():
    """Independent columns: h(X1, X2) = h(X1) + h(X2) = log2(2πe)."""
    estimate = ip.entropy(normal(20_000).reshape(-1, 2))
    assert estimate.bits == pytest.approx(np.log2(2 * np.pi * np.e), abs=0.06)


@pytest.mark.parametrize(
    ("x", "bits"),
    [
        (np.arange(8), 3.0),  # 8 equally frequent integers
        (np.repeat([0, 1], [1, 3]), 2 - 0.75 * np.log2(3)),
        ([True, True, False, False], 1.0),
        (["a", "b", "b", "c"], 1.5),
        (np.arange(80).reshape(-1, 2) % 4, 1.0),  # rows (0, 1) and (2, 3), equally frequent
        (np.arange(80.0) % 4, 2.0),  # floats that are whole, 20 rows for each
        (np.arange(80) % 4 / 7, 2.0),  # floats that are not whole, 20 rows for each
        (np.full(50, 0.3), 0.0),  # a constant
    ],
)
def test_discrete_data_are_counted(x, bits):
    estimate = ip.entropy(x)
    assert estimate.estimator == "exact"
    assert estimate.bits == pytest.approx(bits, abs=1e-12)
    assert "equal rows are counted" in estimate.reason


def test_whole_floats_are_counted_as_the_same_integers():
    codes = np.random.default_rng(2).integers(0, 10, 1000)
    assert ip.entropy(codes.astype(float)).bits == ip.entropy(codes).bits
    assert ip.entropy(codes.astype(np.float32)).bits == ip.entropy(codes).bits


@pytest.mark.parametrize(
    "x",
    [
        np.round(normal(1000), 2),  # about 500 values, nearly all repeated
        np.maximum(normal(1000), 0),  # half of the rows are 0, the others are distinct
        np.arange(76.0) % 4,  # 19 rows for each value: one too few for symbols
        np.concatenate([normal(980), np.zeros(20)]),  # 2 % repeat
    ],
)
def test_floats_between_the_two_kinds_need_a_choice(x):
    with pytest.raises(InputError, match=r"x: expected .* got floats of which \d+ of \d+ rows equal another") as caught:
        ip.entropy(x)
    assert "estimator='exact'" in str(caught.value)
    assert "'kl'" in str(caught.value)
    assert ip.entropy(x, "exact").estimator == "exact"


def test_a_rare_repeated_row_leaves_data_continuous():
    x = normal(1000)
    x[:10] = x[10]  # 11 rows equal each other: 1.1 %
    with pytest.raises(InputError, match="11 of 1000 rows equal another"):
        ip.entropy(x)
    x = normal(1000)
    x[:9] = x[9]
    assert ip.entropy(x).estimator == "kl"


def test_the_chosen_estimator_overrides_the_default():
    x = normal(500)
    assert ip.entropy(x, "exact").bits == pytest.approx(np.log2(500))
    assert "saturated" in ip.entropy(x, "exact").flags
    assert ip.entropy(x).bits == ip.entropy(x, "kl").bits
