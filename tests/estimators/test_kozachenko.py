"""Differential entropy from nearest neighbours, and information from it."""

import math

import numpy as np
import pytest
from scipy.special import digamma, gamma

import infoplane as ip
from infoplane.estimators.kozachenko import Kl, _weights
from infoplane.estimators.pair import as_variable

LN2 = math.log(2)


def nats(x, **params):
    return ip.entropy(x, "kl", **params).bits * LN2


def test_three_points_on_a_line_by_hand():
    """0, 1, 3 with k = 1: distances 1, 1, 2; V = 2: h = ψ(3) − ψ(1) + ln 2 + (0 + 0 + ln 2)/3."""
    expected = digamma(3) - digamma(1) + LN2 + LN2 / 3
    assert nats([0.0, 1, 3], k=1) == pytest.approx(expected, abs=1e-12)
    assert nats([0.0, 1, 3], k=1, norm="euclidean") == pytest.approx(expected, abs=1e-12)


def test_four_corners_by_hand_in_both_norms():
    """Corners of a unit square, k = 3: the diagonal, 1 in the max norm and √2 in the euclidean one."""
    corners = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    start = digamma(4) - digamma(3)
    assert nats(corners, k=3) == pytest.approx(start + math.log(4), abs=1e-12)
    assert nats(corners, k=3, norm="euclidean") == pytest.approx(start + math.log(math.pi) + math.log(2), abs=1e-12)


@pytest.mark.parametrize("norm", ["max", "euclidean"])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_normal_data_have_their_entropy(dims, norm):
    """(d/2) ln 2πe; standard error √(d/2N + ψ'(k)/N) below 0.025 at N = 4000, and a bias below 0.02 at d = 3."""
    x = np.random.default_rng(dims).standard_normal((4000, dims))
    assert nats(x, norm=norm) == pytest.approx(dims / 2 * math.log(2 * math.pi * math.e), abs=0.1)


def test_uniform_and_exponential_data_have_their_entropy():
    rng = np.random.default_rng(0)
    assert nats(rng.random(6000)) == pytest.approx(0, abs=0.05)
    assert nats(rng.random((6000, 2))) == pytest.approx(0, abs=0.06)
    assert nats(rng.exponential(size=6000)) == pytest.approx(1, abs=0.07)


@pytest.mark.parametrize("factor", [3.0, 1e-12, 1e4, -0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_factor_adds_its_logarithm_for_each_coordinate(factor, weighted):
    x = np.random.default_rng(1).standard_normal((200, 3))
    moved = nats(factor * x + 2 * factor, k=5, weighted=weighted)
    assert moved == pytest.approx(nats(x, k=5, weighted=weighted) + 3 * math.log(abs(factor)), abs=1e-9)


def test_many_samples_use_a_tree_and_agree_with_the_sweep(monkeypatch):
    from infoplane.estimators import _neighbors_search

    x = np.random.default_rng(2).standard_normal((1000, 3))
    swept = nats(x)
    monkeypatch.setattr(_neighbors_search, "_TREE_SAMPLES", 1)
    assert nats(x) == pytest.approx(swept, abs=1e-12)


# weights


@pytest.mark.parametrize(("k", "dims"), [(3, 1), (5, 2), (9, 3), (12, 4), (20, 8), (30, 10)])
def test_weights_meet_their_conditions(k, dims):
    weights = _weights(k, dims)
    j = np.arange(1, k + 1)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    for order in range(1, dims // 4 + 1):
        ratios = gamma(j + 2 * order / dims) / gamma(j)
        assert weights @ ratios == pytest.approx(0, abs=1e-9 * ratios.max())
    assert set(np.flatnonzero(weights) + 1) <= {place * k // dims for place in range(1, dims + 1)}


def test_weights_of_one_dimension_are_the_plain_estimator():
    x = np.random.default_rng(3).random(300)
    assert nats(x, k=4, weighted=True) == pytest.approx(nats(x, k=4), abs=1e-12)


def test_weights_take_off_what_grows_with_the_number_of_neighbours():
    """Eight normal coordinates, N = 3000: from k = 3 to 40 the plain value rises by about 0.19, standard error 0.03."""
    x = np.random.default_rng(4).standard_normal((3000, 8))
    near = nats(x)
    assert nats(x, k=40) - near > 0.1
    assert abs(nats(x, k=40, weighted=True) - near) < 0.1


def test_weights_need_as_many_neighbours_as_dimensions():
    with pytest.raises(ip.InputError, match="kl k is 3 with weighted=True in 5 dimensions"):
        ip.entropy(np.random.default_rng(0).random((50, 5)), "kl", weighted=True)


# information


def test_information_is_entropies_added_and_subtracted():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((300, 2))
    y = x + rng.standard_normal((300, 2))
    x, y = (part / np.sqrt(part.var(axis=0).mean()) for part in (x, y))
    expected = nats(x) + nats(y) - nats(np.hstack([x, y]))
    assert ip.mutual_information(x, y, "kl").bits * LN2 == pytest.approx(expected, abs=1e-9)


def test_information_on_a_label_is_entropy_less_that_within_classes():
    rng = np.random.default_rng(6)
    y = np.repeat([0, 1], [100, 200])
    x = rng.standard_normal((300, 2)) + y[:, None]
    expected = nats(x, scale=None) - nats(x[:100], scale=None) / 3 - nats(x[100:], scale=None) * 2 / 3
    for pair in ((x, y), (y, x)):
        assert ip.mutual_information(*pair, "kl", scale=None).bits * LN2 == pytest.approx(expected, abs=1e-9)


def test_information_of_a_normal_pair():
    rng = np.random.default_rng(7)
    x = rng.standard_normal(4000)
    y = 0.8 * x + 0.6 * rng.standard_normal(4000)
    assert ip.mutual_information(x, y, "kl").bits * LN2 == pytest.approx(-math.log(0.6), abs=0.08)


# atoms and other trouble


def test_atoms_have_entropy_minus_infinity_and_no_information_of_this_kind():
    x = np.maximum(np.random.default_rng(8).standard_normal(200), 0)
    given = ip.entropy(x, "kl")
    assert given.bits == -math.inf
    assert given.flags == {"ties"}
    information = ip.mutual_information(x, np.random.default_rng(9).random(200), "kl")
    assert math.isfinite(information.bits) is False
    assert math.isnan(information.bits)
    assert "ties" in information.flags
    assert "use mixed-ksg" in information.reason


def test_a_constant_has_entropy_minus_infinity():
    given = ip.entropy(np.full(20, 0.3), "kl")
    assert given.bits == -math.inf
    assert given.flags == {"constant"}


def test_a_class_of_equal_points_in_many_coordinates_is_flagged_not_a_crash():
    x = np.random.default_rng(10).random((60, 4))
    x[:30] = 0.5
    information = ip.mutual_information(x, np.arange(60) < 30, "kl")
    assert math.isnan(information.bits)
    assert "ties" in information.flags


def test_too_many_dimensions_and_small_classes_are_flagged():
    rng = np.random.default_rng(11)
    assert "high-dimension" in ip.entropy(rng.standard_normal((200, 8)), "kl").flags
    labels = np.repeat([0, 1, 2], [3, 60, 37])
    information = ip.mutual_information(rng.random(100), labels, "kl")
    assert information.flags == {"small-class"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: ip.entropy([1, 2, 3, 4], "kl"), "x is discrete"),
        (lambda: ip.entropy([0.5, 1.5, 2.5], "kl"), "kl k is 3 with 3 samples"),
        (lambda: ip.entropy([0.5, math.nan, 2.5], "kl"), "x holds 1 values that are NaN"),
        (lambda: ip.entropy([0.5, 1.5], "kl", weighted=1), "kl weighted is 1; expected true or false"),
        (lambda: Kl(k=-1), "kl k is -1"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(call, text):
    with pytest.raises(ip.InputError, match=text):
        call()


def test_a_constant_coordinate_makes_the_entropy_minus_infinity():
    """All probability lies on a plane, whose volume is 0."""
    x = np.random.default_rng(0).standard_normal((200, 2))
    estimate = ip.entropy(np.column_stack([x, np.ones(200)]), "kl")
    assert estimate.bits == -math.inf
    assert estimate.flags == {"manifold"}
    assert estimate.reason == "1 of 3 coordinates are constant"


@pytest.mark.parametrize("estimator", [Kl(), Kl(k=8, weighted=True), Kl(norm="euclidean")])
@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("labelled", [False, True])
def test_many_shuffles_give_what_each_gives(estimator, dims, labelled):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, dims))
    y = x + rng.standard_normal((400, dims))
    x, y = as_variable(x, "x"), as_variable((y[:, 0] > 0).astype(int) if labelled else y, "y")
    orders = [rng.permutation(400) for _ in range(9)]
    alone = [estimator.between(x, y.take(order)).bits for order in orders]
    assert estimator.between_shuffled(x, y, orders) == pytest.approx(alone, abs=1e-12)


def test_shuffled_copies_have_no_number_as_each_has_none():
    x = as_variable(np.repeat(np.sqrt(np.arange(50.0)), 8), "x")  # on no grid
    rng = np.random.default_rng(0)
    orders = [rng.permutation(400) for _ in range(9)]
    assert np.isnan(Kl().between_shuffled(x, x, orders)).all()


@pytest.mark.parametrize("power", [1, 3])
def test_a_function_of_a_coordinate_is_flagged(power):
    """Infinite: samples on a curve, where k = 1 gives psi(3) - psi(1) = 1.5 nats or 2.16 bits more than k = 3."""
    x = np.random.default_rng(0).standard_normal(1000) ** power
    found = ip.mutual_information(x, x**2, "kl")
    assert "k-dependent" in found.flags and "k = 1 gives 2." in found.reason


@pytest.mark.parametrize("n", [40, 150, 1000])
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_normal_pairs_do_not_change_with_the_number_of_neighbors(rho, n):
    rng = np.random.default_rng([4, n])
    for _ in range(20):
        x, noise = rng.standard_normal((2, n))
        assert "k-dependent" not in ip.mutual_information(x, rho * x + math.sqrt(1 - rho**2) * noise, "kl").flags
