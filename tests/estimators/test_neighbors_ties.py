"""Values on a grid: independent data give 0, dependent data the sum over cells, all searches the same numbers."""

import math

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import digamma

import infoplane as ip
from infoplane.estimators.neighbors import Ksg1, Ksg2, MixedKsg, Ross
from infoplane.estimators.pair import as_variable

PAIRS = ("ksg1", "ksg2", "mixed-ksg")
LABELS = ("ross", "mixed-ksg")


def relu(rng, n):
    return np.maximum(rng.standard_normal(n), 0)


GRIDS = {
    "1 decimal": lambda rng, n: rng.standard_normal(n).round(1),
    "2 decimals": lambda rng, n: rng.standard_normal(n).round(2),
    "2 decimals in float32": lambda rng, n: rng.standard_normal(n).round(2).astype(np.float32),
    "half precision": lambda rng, n: rng.standard_normal(n).astype(np.float16),
    "bfloat16": lambda rng, n: (rng.standard_normal(n).astype(np.float32).view(np.uint32) & 0xFFFF0000).view(
        np.float32
    ),
    "counts": lambda rng, n: rng.poisson(4, n).astype(float),
    "pixels": lambda rng, n: rng.integers(0, 256, n).astype(float),
    "tanh of 16 levels": lambda rng, n: np.rint(7.5 * np.tanh(2 * rng.standard_normal(n))) / 7.5,
    "relu": relu,
    "saturated": lambda rng, n: np.clip(rng.standard_normal(n), -1, 1),
    "not rounded": lambda rng, n: rng.standard_normal(n),
}


def mean_of(estimate, n_repeats):
    """Mean over seeds and its standard error, in bits."""
    bits = [estimate(np.random.default_rng(seed)) for seed in range(n_repeats)]
    return float(np.mean(bits)), float(np.std(bits) / math.sqrt(n_repeats))


def entropy_bits(probabilities):
    held = probabilities[probabilities > 0]
    return float(-(held * np.log2(held)).sum())


def table_bits(table):
    """Information of a table of joint probabilities: the sum over its cells."""
    return entropy_bits(table.sum(0)) + entropy_bits(table.sum(1)) - entropy_bits(table.ravel())


def rounded_normal_bits(rho, step):
    """Information of two rounded normals of correlation rho, from the probability of every cell.

    P(cell) = ∫ φ(x) [Φ((y + h/2 − ρx)/√(1 − ρ²)) − Φ((y − h/2 − ρx)/√(1 − ρ²))] dx over the cell of x, with 8
    Gauss–Legendre points a cell.
    """
    centers = np.arange(-6, 6 + step / 2, step)
    nodes, weights = np.polynomial.legendre.leggauss(8)
    x = centers[:, None] + nodes * step / 2
    edges = np.append(centers - step / 2, centers[-1] + step / 2)
    below = stats.norm.cdf((edges - rho * x[..., None]) / math.sqrt(1 - rho**2))
    return table_bits(np.einsum("xgy,xg->xy", np.diff(below, axis=2), stats.norm.pdf(x) * weights * step / 2))


@pytest.mark.parametrize("n", [500, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", PAIRS)
def test_independent_values_on_a_grid_have_no_information(name, grid, n):
    """The tolerance is 4 standard errors of the mean over seeds, and 0.015 bits for the bias of small samples."""
    draw = GRIDS[grid]
    mean, error = mean_of(lambda rng: ip.mutual_information(draw(rng, n), draw(rng, n), name).bits, 5)
    assert abs(mean) < 4 * error + 0.015
    mean, error = mean_of(lambda rng: ip.mutual_information(draw(rng, n), rng.standard_normal(n), name).bits, 5)
    assert abs(mean) < 4 * error + 0.015


@pytest.mark.parametrize("n", [500, 3000])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("name", LABELS)
def test_values_on_a_grid_say_nothing_about_random_labels(name, grid, n):
    draw = GRIDS[grid]
    mean, error = mean_of(lambda rng: ip.mutual_information(draw(rng, n), rng.integers(0, 3, n), name).bits, 6)
    assert abs(mean) < 4 * error + 0.015


@pytest.mark.parametrize("dims", [2, 4])
@pytest.mark.parametrize("grid", ["1 decimal", "counts", "half precision"])
def test_several_coordinates_on_a_grid_say_nothing_about_random_values_and_labels(grid, dims):
    def pair(rng):
        x = GRIDS[grid](rng, dims * 800).reshape(800, dims)
        return ip.mutual_information(x, GRIDS[grid](rng, 800), "ksg1").bits

    def label(rng):
        x = GRIDS[grid](rng, dims * 800).reshape(800, dims)
        return ip.mutual_information(x, rng.integers(0, 3, 800), "ross").bits

    for estimate in (pair, label):
        mean, error = mean_of(estimate, 6)
        assert abs(mean) < 4 * error + 0.015


@pytest.mark.slow
@pytest.mark.parametrize("grid", GRIDS)
def test_20_000_independent_values_on_a_grid_have_no_information(grid):
    draw, rng = GRIDS[grid], np.random.default_rng(0)
    for name in PAIRS:
        assert abs(ip.mutual_information(draw(rng, 20_000), draw(rng, 20_000), name).bits) < 0.03
    for name in LABELS:
        assert abs(ip.mutual_information(draw(rng, 20_000), rng.integers(0, 3, 20_000), name).bits) < 0.02


@pytest.mark.parametrize("decimals", [1, 2])
@pytest.mark.parametrize("name", PAIRS)
def test_rounded_normals_have_the_information_of_their_cells(name, decimals):
    """ρ = 0.8, 3000 samples: the standard error of one estimate is about 0.02 bits, of the mean of 6 0.01."""

    def estimate(rng):
        x = rng.standard_normal(3000)
        y = 0.8 * x + 0.6 * rng.standard_normal(3000)
        return ip.mutual_information(x.round(decimals), y.round(decimals), name).bits

    assert mean_of(estimate, 6)[0] == pytest.approx(rounded_normal_bits(0.8, 10.0**-decimals), abs=0.03)


@pytest.mark.parametrize("name", PAIRS)
def test_half_precision_changes_the_information_of_normals_by_less_than_can_be_seen(name):
    """Half precision has 11 bits; next to the noise its steps are 1/1000, so −½ log2(1 − ρ²) holds to 10⁻³."""

    def estimate(rng):
        x = rng.standard_normal(3000)
        y = 0.8 * x + 0.6 * rng.standard_normal(3000)
        return ip.mutual_information(x.astype(np.float16), y.astype(np.float16), name).bits

    assert mean_of(estimate, 6)[0] == pytest.approx(-math.log2(0.6), abs=0.03)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("n", [500, 3000])
def test_counts_tell_of_the_stimulus_what_their_table_says(name, n):
    """Stimulus uniform on 0 … 7 as floats, count Poisson with mean 2 + 2 s: the sum over the table.

    Counts of neighboring stimuli overlap, and so do the neighborhoods of samples: with 500 samples the mean is within
    0.1 bits, with 3000 within 0.05.
    """
    counts = np.arange(80)
    table = np.stack([stats.poisson.pmf(counts, 2 + 2 * s) for s in range(8)]) / 8

    def estimate(rng):
        stimulus = rng.integers(0, 8, n).astype(float)
        return ip.mutual_information(rng.poisson(2 + 2 * stimulus).astype(float), stimulus, name).bits

    assert mean_of(estimate, 6)[0] == pytest.approx(table_bits(table), abs=0.1 if n < 1000 else 0.05)


@pytest.mark.parametrize("name", PAIRS)
def test_pixels_tell_of_a_shifted_copy_what_their_table_says(name):
    """x uniform on 0 … 255 and y = x + U{−30 … 30}: I = H(Y) − log2 61."""
    table = np.zeros((256, 316))
    for value in range(256):
        table[value, value : value + 61] = 1 / 256 / 61

    def estimate(rng):
        x = rng.integers(0, 256, 3000).astype(float)
        return ip.mutual_information(x, x + rng.integers(-30, 31, 3000), name).bits

    assert mean_of(estimate, 6)[0] == pytest.approx(table_bits(table), abs=0.06)


@pytest.mark.parametrize("name", PAIRS)
def test_a_relu_unit_tells_of_its_input_with_noise_what_quadrature_says(name):
    """z normal, t = max(z, 0), y = ρ z + √(1 − ρ²) noise with ρ = 0.8.

    I = ½·KL over the atom, ∫ p(y | z < 0) log p(y | z < 0)/p(y) dy, and over z > 0 the KL of N(ρz, 1 − ρ²) to N(0, 1):
    −½ ln(1 − ρ²) + (1 − ρ² + ρ² z² − 1)/2, whose mean over z > 0 is −½ ln(1 − ρ²) since E z² = 1 there too.
    """
    rho, sd = 0.8, 0.6

    def integrand(y):
        given = 2 * stats.norm.pdf(y) * stats.norm.cdf(-rho * y / sd)
        return given * math.log(given / stats.norm.pdf(y)) if given > 0 else 0.0

    atom = integrate.quad(integrand, -8, 6)[0]
    truth = (atom / 2 - math.log(sd) / 2) / math.log(2)

    def estimate(rng):
        z = rng.standard_normal(3000)
        return ip.mutual_information(np.maximum(z, 0), rho * z + sd * rng.standard_normal(3000), name).bits

    assert mean_of(estimate, 6)[0] == pytest.approx(truth, abs=0.03)


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("n", [500, 3000])
def test_a_relu_unit_tells_of_a_label_what_quadrature_says(name, n):
    """Label 0 or 1, z normal with mean −1 or 1, t = max(z, 0): an atom of probability Φ(±1) and densities."""
    atoms = stats.norm.cdf([1.0, -1.0])
    truth = sum(p / 2 * math.log2(p / atoms.mean()) for p in atoms)

    def integrand(t, mean):
        own = stats.norm.pdf(t - mean)
        return own / 2 * math.log2(2 * own / (stats.norm.pdf(t - 1) + stats.norm.pdf(t + 1)))

    truth += sum(integrate.quad(integrand, 0, 9, args=(mean,))[0] for mean in (-1.0, 1.0))

    def estimate(rng):
        label = rng.integers(0, 2, n)
        return ip.mutual_information(np.maximum(rng.standard_normal(n) + 2 * label - 1, 0), label, name).bits

    assert mean_of(estimate, 8)[0] == pytest.approx(truth, abs=0.03)


@pytest.mark.parametrize("name", LABELS)
def test_a_quantized_layer_tells_of_its_label_what_its_table_says(name):
    """Label of 3 classes, a unit tanh(z + label − 1) rounded to 16 levels: normal probabilities."""
    levels = np.arange(-7.5, 8) / 7.5
    edges = np.arctanh(np.clip((levels[1:] + levels[:-1]) / 2, -1, 1))
    table = np.stack([np.diff(stats.norm.cdf([-np.inf, *(edges - mean), np.inf])) for mean in (-1, 0, 1)]) / 3

    def estimate(rng):
        label = rng.integers(0, 3, 2000)
        t = np.tanh(rng.standard_normal(2000) + label - 1)
        return ip.mutual_information(levels[np.abs(t[:, None] - levels).argmin(axis=1)], label, name).bits

    assert mean_of(estimate, 8)[0] == pytest.approx(table_bits(table), abs=0.02)


def test_ross_is_the_mean_over_all_orders_of_equal_distances():
    """Noise of 10⁻⁹ breaks ties in a random order, and equation 2 of Ross is then used as it is printed.

    The mean over 400 draws of noise has a standard error of about 0.002; that of the two estimates is the same.
    """
    rng, k = np.random.default_rng(0), 3
    x, label = rng.standard_normal(150).round(1), rng.integers(0, 3, 150)
    members = np.bincount(label)[label]

    def with_noise(noise):
        apart = np.abs(noise[:, None] - noise)
        np.fill_diagonal(apart, np.inf)
        own = np.where(label[:, None] == label, apart, np.inf)
        kth = np.sort(own, axis=1)[:, k - 1]
        nearer = (apart < kth[:, None]).sum(axis=1) + 1
        return digamma(150) + digamma(k) - digamma(members).mean() - digamma(nearer).mean()

    draws = [with_noise(x + 1e-9 * rng.random(150)) for _ in range(400)]
    found = ip.mutual_information(x, label, "ross").bits * math.log(2)
    assert found == pytest.approx(np.mean(draws), abs=0.01)


@pytest.mark.parametrize("name", ["ksg1", "mixed-ksg"])
def test_ksg_is_the_mean_over_all_orders_of_equal_distances(name):
    """As above, with equation 8 of Kraskov et al. in a scipy tree: noise changes what a sample counts, not its mean."""
    from scipy.spatial import cKDTree

    rng, k, n = np.random.default_rng(1), 3, 400
    x = rng.standard_normal(n)
    y = 0.6 * x + 0.8 * rng.standard_normal(n)
    x, y = x.round(1), y.round(1)

    def with_noise(x, y):
        both = np.c_[x, y]
        kth = cKDTree(both).query(both, k + 1, p=np.inf)[0][:, -1]
        counts = [(np.abs(one[:, None] - one) < kth[:, None]).sum(axis=1) for one in (x, y)]
        return digamma(k) + digamma(n) - sum(digamma(count).mean() for count in counts)

    draws = [with_noise((x + 1e-9 * rng.random(n)) / x.std(), (y + 1e-9 * rng.random(n)) / y.std()) for _ in range(200)]
    assert ip.mutual_information(x, y, name).bits * math.log(2) == pytest.approx(np.mean(draws), abs=0.03)


@pytest.mark.parametrize("estimator", [Ksg1(), Ksg2(), MixedKsg()])
@pytest.mark.parametrize("dims", [1, 2])
def test_shuffles_of_a_grid_give_what_each_gives_alone(estimator, dims):
    rng = np.random.default_rng(2)
    x, y = as_variable(rng.standard_normal((700, dims)).round(1), "x"), as_variable(rng.poisson(4.0, 700) * 1.0, "y")
    orders = [rng.permutation(700) for _ in range(9)]
    each = [estimator.between(x, y.take(order)).bits for order in orders]
    np.testing.assert_allclose(estimator.between_shuffled(x, y, orders), each, atol=1e-12)


@pytest.mark.parametrize("estimator", [Ross(), MixedKsg()])
@pytest.mark.parametrize("dims", [1, 2])
@pytest.mark.parametrize("first", ["points", "labels"])
def test_shuffled_labels_beside_a_grid_give_what_each_gives_alone(estimator, dims, first):
    rng = np.random.default_rng(3)
    x, y = as_variable(rng.standard_normal((700, dims)).round(1), "x"), as_variable(rng.integers(0, 3, 700), "y")
    x, y = (x, y) if first == "points" else (y, x)
    orders = [rng.permutation(700) for _ in range(9)]
    each = [estimator.between(x, y.take(order)).bits for order in orders]
    np.testing.assert_allclose(estimator.between_shuffled(x, y, orders), each, atol=1e-12)


def test_a_null_of_rounded_values_rejects_at_its_rate():
    """12 independent pairs: p below 0.1 in at most 4 of them (binomial probability of more: 0.004)."""
    few = 0
    for seed in range(12):
        x, y = np.random.default_rng(seed).standard_normal((2, 300)).round(1)
        few += ip.mutual_information(x, y, "ksg1", null=19).null.p < 0.1
    assert few <= 4


def test_classes_of_equal_values_are_measured_without_a_remark_on_their_dimension():
    """Distances between 16 levels are nearly all 0 or equal, which looks like any number of dimensions."""
    rng = np.random.default_rng(0)
    x, label = np.rint(7.5 * np.tanh(2 * rng.standard_normal(500))), rng.integers(0, 3, 500)
    assert "high-dimension" not in ip.mutual_information(x, label, "ross").flags
