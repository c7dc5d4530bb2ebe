"""Information from nearest neighbours: by hand, closed forms, another library, invariances, size."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.spatial import cKDTree
from scipy.special import digamma

import infoplane as ip
from infoplane.estimators.neighbors import Ksg1, MixedKsg, Ross

LN2 = math.log(2)
CONTINUOUS = ("ksg1", "ksg2", "mixed-ksg")
MIXED = ("ross", "mixed-ksg")


def nats(x, y, name, **params):
    return ip.mutual_information(x, y, name, **params).bits * LN2


def normal_pair(n, rho, dims=1, seed=0):
    """Jointly normal with correlation rho in each coordinate: I = −dims/2 ln(1 − rho²)."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dims))
    return x, rho * x + math.sqrt(1 - rho**2) * rng.standard_normal((n, dims))


# by hand


def test_ksg1_on_four_points():
    """x = 0 1 3 7, y = 0 2 1 9, k = 1, after scaling by the standard deviations sx = 2.69, sy = 3.54.

    Scaled distances to the neighbour: samples 0, 1 and 2 are nearest to each other: 0–1 max(.37, .57) = .57,
    0–2 max(1.12, .28), 1–2 max(.74, .28) = .74; sample 3 to 2: max(1.49, 2.26), to 1: max(2.23, 1.98) = 2.23.
    So ε = .57 .57 .74 2.23. Strictly nearer in x (.37 1.12 2.61 | .74 2.23 | 1.49): 1, 1, 0, 1 (sample 2 only:
    sample 1 is at ε itself). In y (.57 .28 2.55 | .28 1.98 | 2.26): 1, 1, 2, 1.
    """
    psi = {n: float(digamma(n)) for n in range(1, 5)}
    expected = psi[1] + psi[4] - (2 * psi[2] + 2 * psi[2] + psi[1] + psi[3] + 2 * psi[2]) / 4
    assert nats([0.0, 1, 3, 7], [0.0, 2, 1, 9], "ksg1", k=1) == pytest.approx(expected, abs=1e-12)


def test_ksg2_on_a_line_of_eleven():
    """x = y = 1…11, k = 5: the sixth neighbour's distance is reached on both sides where there is room.

    Points at distance at most ε: samples 1, 2, 3 (ε = 5, 4, 3) have 5, samples 4…8 (ε = 3) have 6.
    """
    expected = digamma(5) - 1 / 5 + digamma(11) - 2 * (6 * digamma(5) + 5 * digamma(6)) / 11
    line = np.arange(1.0, 12)
    assert nats(line, line, "ksg2", k=5) == pytest.approx(expected, abs=1e-12)


def test_ross_on_two_classes_apart():
    """Three points in each class: the neighbour within the class is nearer than any other point.

    Class a at 0 1 3, b at 10 11 13, k = 1: distances 1 1 2 each; nearer points, itself included: 1 each.
    """
    expected = digamma(6) + digamma(1) - digamma(3) - digamma(1)
    x, y = [0.0, 1, 3, 10, 11, 13], list("aaabbb")
    assert nats(x, y, "ross", k=1) == pytest.approx(expected, abs=1e-12)
    assert nats(x, y, "mixed-ksg", k=1) == pytest.approx(expected, abs=1e-12)


def test_mixed_ksg_counts_atoms():
    """Two atoms of 4 and 6 samples, x = y: ψ(N) + ⟨ψ(n) − 2 ψ(n)⟩, here for floats, which meet as copies."""
    x = np.repeat([0.0, 1.0], [4, 6])
    expected = digamma(10) - (4 * digamma(4) + 6 * digamma(6)) / 10
    assert nats(x, x, "mixed-ksg", k=2) == pytest.approx(expected, abs=1e-12)
    symbols = x.astype(int)
    assert nats(symbols, symbols, "mixed-ksg", k=2) == pytest.approx(expected, abs=1e-12)
    assert nats(x, symbols, "mixed-ksg", k=2) == pytest.approx(expected, abs=1e-12)


# published values


@pytest.mark.parametrize(("name", "published"), [("ksg1", 5.391681), ("ksg2", 5.031308)])
def test_a_long_grid_agrees_with_the_published_value(name, published):
    """x = 0, 0.1 … 100, y = x + 1, k = 5. Distances tie but for rounding: 0.1 is the tolerance of that test."""
    x = np.arange(1001) / 10
    assert nats(x, x + 1, name, k=5) == pytest.approx(published, abs=0.1)


# closed forms


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8, 0.95])
def test_normal_pairs_have_their_information(name, rho):
    """Standard error at N = 4000, k = 3: about 0.02 nats for these estimators; 4 of them."""
    assert nats(*normal_pair(4000, rho), name) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.08)


@pytest.mark.parametrize("k", [2, 4, 10])
def test_ksg2_of_independent_variables_is_0_for_every_k(k):
    """With the square in place of the rectangle it would be −1/k. Mean of 10, standard error about 0.01."""
    rng = np.random.default_rng(4)
    values = [nats(rng.standard_normal(800), rng.standard_normal(800), "ksg2", k=k) for _ in range(10)]
    assert np.mean(values) == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("name", ["ksg1", "ksg2"])
def test_two_coordinates_each_add_up(name):
    """2 × 2 at N = 3000: bias of a few hundredths, standard error 0.02."""
    assert nats(*normal_pair(3000, 0.6, 2), name) == pytest.approx(-math.log(1 - 0.36), abs=0.08)


def test_five_coordinates_each_are_underestimated_as_published():
    """ρ = 0.6 per pair, N = 10 000, k = 3: other implementations print 0.944 for a truth of 1.116.

    Their data are another draw (standard error 0.013).
    """
    assert nats(*normal_pair(10_000, 0.6, 5), "ksg1") == pytest.approx(0.9442, abs=0.05)


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize(("m", "truth"), [(2, 0.346574), (5, 1.054920), (10, 1.678753)])
def test_a_uniform_window_at_a_uniform_integer(name, m, truth):
    """X uniform on 0…m−1, Y uniform on [X, X+2]: I = ln m − (m−1)/m ln 2. Standard error 0.01 at N = 5000."""
    rng = np.random.default_rng(m)
    x = rng.integers(0, m, 5000)
    assert nats(x, x + 2 * rng.random(5000), name) == pytest.approx(truth, abs=0.04)


def poisson_information(p):
    """X ~ Exp(1), Y = 0 with probability p else Poisson(X), by quadrature over x, in nats."""
    values = np.arange(60)

    def given(x):
        return (1 - p) * stats.poisson.pmf(values, x) + p * (values == 0)

    marginal = (1 - p) * 0.5 ** (values + 1.0) + p * (values == 0)  # Exp(1) mixes Poissons to a geometric

    def integrand(x):
        of_x = given(x)
        return math.exp(-x) * np.sum(of_x * np.log(np.maximum(of_x, 1e-300) / marginal))

    return integrate.quad(integrand, 0, 40)[0]


def test_a_poisson_count_of_an_exponential_rate_has_the_published_information():
    assert poisson_information(0.0) == pytest.approx(0.301244773, abs=1e-8)


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_zero_inflated_poisson_counts(name, p):
    """Standard error 0.01 at N = 5000; large counts are rare and flagged."""
    rng = np.random.default_rng(11)
    x = rng.exponential(size=5000)
    y = np.where(rng.random(5000) < p, 0, rng.poisson(x))
    assert nats(x, y, name) == pytest.approx(poisson_information(p), abs=0.04)


def test_half_normal_half_binary_channel_is_approached():
    """½ normal ρ = .9, ½ binary symmetric channel on ±1: ln 2 + ½ (.8304 + .3681) = 1.2924.

    Continuous points near ±1 count the atoms as neighbours, which costs O(N^−1/2): 0.05 at N = 40 000.
    """
    rng, n = np.random.default_rng(3), 40_000
    normal = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], n)
    sent = rng.choice([-1.0, 1.0], n)
    received = np.where(rng.random(n) < 0.1, -sent, sent)
    pick = rng.random(n) < 0.5
    x, y = np.where(pick, normal[:, 0], sent), np.where(pick, normal[:, 1], received)
    assert nats(x, y, "mixed-ksg") == pytest.approx(1.292362086, abs=0.08)


def test_50_distinct_rows_ten_times_each_are_log2_of_50_but_for_the_bias_of_counting():
    """ψ(N) − ψ(n) in place of ln N − ln n with N = 500 and n = 10."""
    rows = np.repeat(np.random.default_rng(0).standard_normal((50, 3)), 10, axis=0)
    assert nats(rows, rows, "mixed-ksg") == pytest.approx(digamma(500) - digamma(10), abs=1e-12)


# other libraries, written for this test or installed


def tree_ksg(x, y, k):
    """The first estimator by two trees and radius counts, on data that are already scaled."""
    radius = cKDTree(np.hstack([x, y])).query(np.hstack([x, y]), k + 1, p=np.inf)[0][:, -1]
    counts = [
        cKDTree(part).query_ball_point(part, np.nextafter(radius, 0), p=np.inf, return_length=True) for part in (x, y)
    ]
    return digamma(k) + digamma(len(x)) - np.mean(digamma(counts[0]) + digamma(counts[1]))


@pytest.mark.parametrize(("dims", "k"), [(1, 3), (2, 5), (4, 3)])
def test_trees_with_radius_counts_give_the_same(dims, k):
    x, y = (values / values.std(axis=0) for values in normal_pair(1500, 0.7, dims))
    assert nats(x, y, "ksg1", k=k) == pytest.approx(tree_ksg(x, y, k), abs=1e-10)


def test_scikit_learn_gives_the_same_for_two_numbers():
    """It adds noise of 1e-10, which moves no neighbour here, and clips at 0."""
    from sklearn.feature_selection import mutual_info_regression

    x, y = normal_pair(2000, 0.6)
    other = mutual_info_regression(x, y[:, 0], n_neighbors=3, random_state=0)[0]
    assert nats(x, y, "ksg1") == pytest.approx(other, abs=1e-9)


def test_scikit_learn_gives_the_same_for_a_number_and_a_class():
    from sklearn.feature_selection import mutual_info_classif

    rng = np.random.default_rng(2)
    y = rng.integers(0, 4, 1500)
    x = rng.standard_normal(1500) + y
    other = mutual_info_classif(x[:, None], y, n_neighbors=3, random_state=0)[0]
    assert nats(x, y, "ross") == pytest.approx(other, abs=1e-9)


# identities


def test_mixed_ksg_is_ksg1_without_ties_and_ross_for_labels():
    x, y = normal_pair(400, 0.8, 2)
    labels = (y[:, 0] > 0).astype(int)
    assert MixedKsg()(x, y).bits == pytest.approx(Ksg1()(x, y).bits, abs=1e-12)
    assert MixedKsg()(x, labels).bits == pytest.approx(Ross()(x, labels).bits, abs=1e-12)


@pytest.mark.parametrize("name", [*CONTINUOUS, "ross", "kl"])
@pytest.mark.parametrize("norm", ["max", "euclidean"])
def test_a_constant_coordinate_changes_nothing(name, norm):
    x, y = normal_pair(300, 0.7, 2)
    wide = np.insert(x, 1, 7.0, axis=1)
    if name == "ross":
        y = (y[:, 0] > 0).astype(int)
    plain, beside = (ip.mutual_information(given, y, name, norm=norm) for given in (x, wide))
    assert (beside.bits, beside.flags) == (plain.bits, plain.flags)
    if name != "ross":
        assert ip.mutual_information(y, wide, name, norm=norm).bits == pytest.approx(plain.bits, abs=1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("dims", [1, 3])
def test_swapping_the_variables_gives_the_same_bits(name, dims):
    x, y = normal_pair(300, 0.7, dims)
    assert ip.mutual_information(x, y, name).bits == pytest.approx(ip.mutual_information(y, x, name).bits, abs=1e-13)


@pytest.mark.parametrize("name", MIXED)
def test_swapping_points_and_labels_gives_the_same_bits(name):
    x, y = normal_pair(300, 0.7, 2)
    labels = np.digitize(y[:, 0], [-0.5, 0.5])
    ways = [ip.mutual_information(*pair, name).bits for pair in ((x, labels), (labels, x))]
    assert ways[0] == pytest.approx(ways[1], abs=1e-13)


@pytest.mark.parametrize("name", [*CONTINUOUS, "ross"])
@pytest.mark.parametrize("norm", ["max", "euclidean"])
@settings(max_examples=12, deadline=None)
@given(
    shift=st.floats(-100, 100),
    factors=st.sampled_from([(1.0, 1e4), (1e4, 1.0), (1e-12, 1e-12), (-3.7, 0.2), (1e300, 1e-300)]),
    seed=st.integers(0, 100),
    dims=st.integers(1, 3),
)
def test_shift_scale_and_order_of_the_samples_change_nothing(name, norm, shift, factors, seed, dims):
    """To rounding: a comparison that rounding turned would show as 1e-4 or more."""
    x, y = normal_pair(80, 0.7, dims, seed)
    if name == "ross":
        y, factors = (y[:, 0] > 0).astype(int), (factors[0], 1)
    order = np.random.default_rng(seed).permutation(80)
    moved = (x[order] + shift * (np.arange(dims) + 1)) * factors[0], y[order] * factors[1]
    assert nats(*moved, name, norm=norm) == pytest.approx(nats(x, y, name, norm=norm), abs=1e-11)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_order_of_the_samples_does_not_matter_with_ties(name):
    x, y = (np.round(part) for part in normal_pair(120, 0.8, 2))
    order = np.random.default_rng(0).permutation(120)
    assert nats(x[order], y[order], name) == pytest.approx(nats(x, y, name), abs=1e-12)


@pytest.mark.parametrize("name", MIXED)
def test_codes_of_labels_do_not_matter(name):
    x, y = normal_pair(200, 0.8)
    labels = np.digitize(y[:, 0], [-1, 0, 1])
    renamed = np.array(["d", "b", "z", "a"])[labels]
    expected = nats(x, labels, name)
    assert nats(x, renamed, name) == pytest.approx(expected, abs=1e-12)
    assert nats(x, labels * 1000 - 7, name) == pytest.approx(expected, abs=1e-12)


# size


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ksg1", "ksg2", "mixed-ksg"])
def test_50_000_samples_stay_under_1_gib(name):
    """Peak memory of a process of its own, the interpreter and its libraries included."""
    import subprocess
    import sys

    code = f"""
import resource, numpy as np, infoplane as ip
rng = np.random.default_rng(0)
x = rng.standard_normal((50_000, 5))
y = 0.6 * x + 0.8 * rng.standard_normal((50_000, 5))
bits = ip.mutual_information(x, y, {name!r}).bits
print(bits, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert math.isfinite(float(printed[0]))
    assert float(printed[1]) < 0.9


@pytest.mark.slow
def test_5_000_samples_in_blocks_give_what_all_distances_at_once_give():
    x, y = (part / np.sqrt(part.var(axis=0).mean()) for part in normal_pair(5000, 0.6, 5))
    each = [np.abs(part[:, None] - part).max(axis=2) for part in (x, y)]
    for distances in each:
        np.fill_diagonal(distances, np.inf)
    radius = np.partition(np.maximum(*each), 2, axis=1)[:, 2:3]
    counts = [(distances < radius).sum(axis=1) + 1 for distances in each]
    dense = digamma(3) + digamma(5000) - np.mean(digamma(counts[0]) + digamma(counts[1]))
    assert nats(x, y, "ksg1") == pytest.approx(dense, abs=1e-12)
