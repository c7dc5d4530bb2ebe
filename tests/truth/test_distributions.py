"""Known information against quadrature, sums over tables, Monte Carlo of the log ratio and published values."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from infoplane.errors import InputError
from infoplane.truth import (
    AdditiveUniform,
    BinaryErasure,
    BinarySymmetric,
    GammaExponential,
    LabelledMixture,
    Normal,
    NormalOrSwitch,
    Product,
    SharedIntervals,
    StudentT,
    Symmetric,
    TanhChannel,
    TwoPoints,
    ZeroInflatedPoisson,
)

NAT = math.log2(math.e)
CHANCE = 1e-3  # lowest p-value that a few dozen tests of right samplers may show

# ---- published values, in nats


@pytest.mark.parametrize(
    ("distribution", "nats"),
    [
        (SharedIntervals(2), 0.346574),
        (SharedIntervals(5), 1.054920),
        (SharedIntervals(10), 1.678753),
        (ZeroInflatedPoisson(0.0), 0.301244773),
        (NormalOrSwitch(0.9, 0.1), 1.292362086),
        (TwoPoints(1.0), 0.111421),
        (TwoPoints(2.0), 0.336831),
        (TwoPoints(4.0), 0.632720),
        (TwoPoints(8.0), 0.693054),
        (StudentT.identity((1, 1), 1), 0.224171),
        (StudentT.identity((2, 2), 1), 0.431946),
        (StudentT.identity((2, 2), 2), 0.193147),
        (StudentT.identity((5, 5), 3), 0.298544),
        (Normal.pairs([0.8], (1, 1)), 0.510826),
        (Normal.pairs([0.6] * 5, (5, 5)), 1.115718),
        (Normal.pairs([0.3] * 50, (50, 50)), 2.357767),
    ],
)
def test_published_values_are_met_to_their_last_digit(distribution, nats):
    assert distribution.information / NAT == pytest.approx(nats, abs=6e-7)


@pytest.mark.parametrize(
    ("noise", "nats"),
    [
        (0.1, (1.42686, 1.68043, 1.59129, 1.24915, 0.89052)),
        (0.3, (0.53288, 0.79573, 0.88592, 0.83778, 0.74418)),
    ],
)
def test_the_tanh_channel_compresses_as_the_weight_grows(noise, nats):
    found = [TanhChannel(gain, noise).information / NAT for gain in (0.5, 1.0, 2.0, 5.0, 20.0)]
    np.testing.assert_allclose(found, nats, atol=6e-6)


# ---- values found in another way


def quadrature(density, x_limits, y_limits):
    """I(X;Y) in bits of a joint density in two dimensions, on a fine grid of midpoints."""
    (x, dx), (y, dy) = (
        ((np.arange(1500) + 0.5) * (high - low) / 1500 + low, (high - low) / 1500) for low, high in (x_limits, y_limits)
    )
    joint = density(x[:, None], y[None, :])
    p_x, p_y = joint.sum(axis=1, keepdims=True) * dy, joint.sum(axis=0, keepdims=True) * dx
    matters = joint > 1e-60  # what is smaller adds nothing, but its factors may underflow
    ratio = np.where(matters, joint, 1.0) / np.where(matters, p_x * p_y, 1.0)
    return float((joint * np.log2(ratio)).sum() * dx * dy)


@pytest.mark.parametrize("noise", [0.1, 0.4, 0.5, 0.75, 2.0])
def test_additive_uniform_noise_agrees_with_quadrature(noise):
    found = quadrature(lambda x, y: (np.abs(y - x) < noise) / (2 * noise), (0.0, 1.0), (-noise, 1 + noise))
    assert AdditiveUniform(noise).information == pytest.approx(found, abs=2e-3)  # edges of the band cut the grid


@pytest.mark.parametrize("correlation", [0.0, 0.6, -0.9])
def test_a_normal_pair_agrees_with_quadrature(correlation):
    def density(x, y):
        return stats.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]]).pdf(
            np.dstack([x + 0 * y, y + 0 * x])
        )

    found = quadrature(density, (-8.0, 8.0), (-8.0, 8.0))
    assert Normal.pairs([correlation], (1, 1)).information == pytest.approx(found, abs=1e-9)


@pytest.mark.parametrize("shape", [0.7, 2.0, 9.0])
def test_gamma_and_exponential_agree_with_quadrature_of_their_logarithms(shape):
    def density(u, v):  # of (log X, log Y): x^shape e^-x / gamma(shape) times x y e^(-x y)
        return np.exp(shape * u - np.exp(u) - math.lgamma(shape) + u + v - np.exp(u + v))

    found = quadrature(density, (-45.0, 6.0), (-30.0, 55.0))
    assert GammaExponential(shape).information == pytest.approx(found, abs=1e-6)


def monte_carlo(distribution, log_ratio, n=200_000):
    """Mean of the log ratio over samples, and its standard error, in bits."""
    values = log_ratio(*distribution.sample(n, seed=1)) * NAT
    return values.mean(), values.std() / math.sqrt(n)


def normal_log_ratio(covariance, dim_x):
    def log_pdf(part):
        return stats.multivariate_normal(np.zeros(len(part)), part).logpdf

    def log_ratio(x, y):
        marginals = log_pdf(covariance[:dim_x, :dim_x])(x) + log_pdf(covariance[dim_x:, dim_x:])(y)
        return log_pdf(covariance)(np.hstack([x, y])) - marginals

    return log_ratio


def student_log_ratio(covariance, dim_x, dof):
    def log_pdf(part):
        return stats.multivariate_t(np.zeros(len(part)), part, df=dof).logpdf

    def log_ratio(x, y):
        marginals = log_pdf(covariance[:dim_x, :dim_x])(x) + log_pdf(covariance[dim_x:, dim_x:])(y)
        return log_pdf(covariance)(np.hstack([x, y])) - marginals

    return log_ratio


DENSE = Normal.dense(0.5, (3, 2))


@pytest.mark.parametrize(
    ("distribution", "log_ratio"),
    [
        (DENSE, normal_log_ratio(DENSE.covariance, 3)),
        (StudentT(DENSE, 3.0), student_log_ratio(DENSE.covariance, 3, 3.0)),
        (StudentT.identity((2, 2), 1), student_log_ratio(np.eye(4), 2, 1)),
    ],
    ids=["dense normal", "dense Student-t", "Cauchy"],
)
def test_the_mean_log_density_ratio_of_samples_agrees(distribution, log_ratio):
    mean, error = monte_carlo(distribution, log_ratio)
    assert distribution.information == pytest.approx(mean, abs=4 * error)
    assert error < 0.01


def zero_inflated_by_quadrature(inflation):
    """I(X;Y) in bits, one integral a count."""
    total = 0.0
    for count in range(60):
        point_mass = inflation if count == 0 else 0.0

        def channel(x, count=count, point_mass=point_mass):
            return point_mass + (1 - inflation) * math.exp(count * math.log(x) - x - math.lgamma(count + 1))

        def term(x, channel=channel):
            return math.exp(-x) * channel(x) * math.log2(channel(x)) if channel(x) > 0 else 0.0

        p = point_mass + (1 - inflation) * 0.5 ** (count + 1)
        total += integrate.quad(term, 1e-12, 150.0, limit=400, points=[1.0, count + 1.0])[0] - p * math.log2(p)
    return total


@pytest.mark.parametrize("inflation", [0.0, 0.15, 0.5, 0.9])
def test_zero_inflated_poisson_agrees_with_quadrature(inflation):
    assert ZeroInflatedPoisson(inflation).information == pytest.approx(zero_inflated_by_quadrature(inflation), abs=1e-7)


def test_an_unseen_cause_of_zeros_costs_information():
    known_cause = 0.85 * ZeroInflatedPoisson(0.0).information
    assert ZeroInflatedPoisson(0.15).information < 0.9 * known_cause


@pytest.mark.parametrize("channel", [BinarySymmetric(0.11), BinaryErasure(0.3), Symmetric(2, 0.2), Symmetric(7, 0.4)])
def test_discrete_channels_agree_with_the_sum_over_their_table(channel):
    joint = channel.matrix / len(channel.matrix)
    ratio = joint / (joint.sum(axis=1, keepdims=True) * joint.sum(axis=0))
    terms = joint * np.log2(np.where(joint > 0, ratio, 1.0))
    assert channel.information == pytest.approx(float(terms.sum()), abs=1e-12)


def test_two_points_are_a_mixture_with_two_labels():
    mixture = LabelledMixture(means=(0.0, 3.0), sds=(1.0, 1.0))
    assert TwoPoints(3.0).information == pytest.approx(mixture.information, abs=1e-10)


def test_labels_of_far_clusters_are_known():
    assert LabelledMixture((0.0, 100.0, 200.0, 300.0), (1.0,) * 4).information == pytest.approx(2.0, abs=1e-9)
    skewed = LabelledMixture((0.0, 100.0), (1.0, 2.0), weights=(0.25, 0.75))
    assert skewed.information == pytest.approx(2 - 0.75 * math.log2(3), abs=1e-9)


def test_labels_of_equal_clusters_are_unknown():
    assert LabelledMixture((1.0, 1.0), (0.5, 0.5)).information == pytest.approx(0.0, abs=1e-10)


def test_labels_of_unequal_widths_agree_with_the_mean_log_ratio():
    mixture = LabelledMixture((0.0, 1.0, -2.0), (0.2, 1.5, 0.7), (0.5, 0.3, 0.2))

    def log_ratio(x, y):
        components = stats.norm(mixture.means, mixture.sds).pdf(y)
        return np.log(np.take_along_axis(components, x, axis=1)[:, 0] / (components @ mixture.shares))

    mean, error = monte_carlo(mixture, log_ratio)
    assert mixture.information == pytest.approx(mean, abs=4 * error)


def test_a_tanh_unit_with_a_small_weight_is_a_linear_channel():
    linear = 0.5 * math.log2(1 + (0.01 / 0.1) ** 2)
    assert TanhChannel(0.01, 0.1).information == pytest.approx(linear, rel=1e-3)


@pytest.mark.slow
def test_a_tanh_unit_with_a_huge_weight_is_a_bit():
    assert TanhChannel(2000.0, 0.3).information == pytest.approx(TwoPoints(2 / 0.3).information, abs=2e-3)


def test_two_channels_in_a_row_lose_more_than_each():
    first, second = BinarySymmetric(0.1), BinarySymmetric(0.2)
    both = first.matrix @ second.matrix
    assert both[0, 1] == pytest.approx(0.26)
    assert BinarySymmetric(0.26).information < min(first.information, second.information)


def test_information_of_a_product_is_the_sum():
    parts = (Normal.from_information(1.5), AdditiveUniform(0.3), GammaExponential(2.0))
    together = Product(parts)
    assert together.information == pytest.approx(sum(part.information for part in parts))
    x, y = together.sample(10)
    assert (x.shape, y.shape) == ((10, 3), (10, 3))


def test_information_of_normals_agrees_however_they_are_put_together():
    parts = Product((Normal.pairs([0.5], (1, 1)), Normal.pairs([0.9], (1, 1))))
    assert parts.information == pytest.approx(Normal.pairs([0.5, 0.9], (2, 2)).information, abs=1e-12)


# ---- asked for an amount


@pytest.mark.parametrize(
    ("make", "bits"),
    [
        *[(lambda bits: Normal.from_information(bits, (5, 3)), bits) for bits in (0.0, 1e-6, 2.0, 30.0)],
        *[(lambda bits: StudentT.from_information(bits, (2, 2), 2.0), bits) for bits in (0.3, 5.0)],
        *[(AdditiveUniform.from_information, bits) for bits in (1e-3, 0.5 * NAT, 0.7, 0.75, 14.0)],
        *[(GammaExponential.from_information, bits) for bits in (1e-3, 1.0, 14.0)],
        *[(BinarySymmetric.from_information, bits) for bits in (0.0, 0.3, 1.0)],
        *[(BinaryErasure.from_information, bits) for bits in (0.0, 0.3, 1.0)],
        *[(lambda bits: Symmetric.from_information(bits, 10), bits) for bits in (0.0, 1e-3, 2.0, math.log2(10))],
        *[(TwoPoints.from_information, bits) for bits in (0.0, 0.2, 0.999)],
        *[(ZeroInflatedPoisson.from_information, bits) for bits in (0.001, 0.2, 0.43)],
        *[(NormalOrSwitch.from_information, bits) for bits in (1.3, 3.0)],
    ],
)
def test_a_distribution_asked_for_bits_has_them(make, bits):
    assert make(bits).information == pytest.approx(bits, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Normal.from_information(-1.0), "bits is -1.0; expected at least 0 bits of this family"),
        (lambda: Normal.from_information(float("nan")), "bits is nan"),
        (lambda: StudentT.from_information(0.1, (5, 5), 1.0), "bits is 0.1; expected at least 1.15608"),
        (lambda: BinarySymmetric.from_information(1.5), "at most 1 bits"),
        (lambda: Symmetric.from_information(4.0, 10), "at most 3.32193 bits"),
        (lambda: AdditiveUniform(0.0), "noise is 0.0; expected a positive number"),
        (lambda: Normal(np.array([[1.0, 2.0], [2.0, 1.0]])), "positive definite"),
        (lambda: Normal(np.array([[1.0, 0.5], [0.2, 1.0]])), "not symmetric"),
        (lambda: Normal.pairs([0.5, 0.5], (1, 3)), "at most 1 of them"),
        (lambda: Normal.pairs([0.5], (1, 1)).sample(0), "n is 0; expected at least one sample"),
        (lambda: Normal.pairs([0.5], (1, 1)).sample(5, seed=-1), "seed is -1"),
        (lambda: LabelledMixture((0.0, 1.0), (1.0, 1.0), (0.5, 0.6)), "add up to 1"),
        (lambda: Product(()), "at least one distribution"),
        (lambda: Product((BinarySymmetric(0.1), AdditiveUniform(1.0))).sample(3), "symbols and coordinates"),
        (lambda: GammaExponential.from_information(14.0).sample(1000), "logarithms=True"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(make, text):
    with pytest.raises(InputError, match=text.replace("(", r"\(")):
        make()


# ---- samples

ALL = [
    Normal.dense(0.5, (2, 3)),
    StudentT.identity((2, 2), 3.0),
    AdditiveUniform(0.3),
    GammaExponential(1.0),
    GammaExponential(1e-3, logarithms=True),
    SharedIntervals(5),
    ZeroInflatedPoisson(0.2),
    NormalOrSwitch(),
    BinarySymmetric(0.1),
    BinaryErasure(0.1),
    Symmetric(4, 0.2),
    TwoPoints(2.0),
    LabelledMixture((0.0, 2.0), (1.0, 0.5)),
    TanhChannel(2.0, 0.1),
]


@pytest.mark.parametrize("distribution", ALL, ids=lambda d: type(d).__name__)
def test_samples_are_columns_of_coordinates_or_symbols_fixed_by_the_seed(distribution):
    for side, again in zip(distribution.sample(100, seed=3), distribution.sample(100, seed=3), strict=True):
        assert side.ndim == 2
        assert side.dtype in (np.float64, np.int64)
        assert np.isfinite(side).all()
        np.testing.assert_array_equal(side, again)
    assert not np.array_equal(distribution.sample(100, seed=4)[1], distribution.sample(100, seed=3)[1])


def test_normal_samples_have_their_covariance():
    joint = np.hstack(DENSE.sample(100_000))
    np.testing.assert_allclose(np.cov(joint.T), DENSE.covariance, atol=4 * math.sqrt(2 / 100_000))


@pytest.mark.parametrize("channel", [BinarySymmetric(0.11), BinaryErasure(0.3), Symmetric(5, 0.4)])
def test_channels_send_as_their_table_says(channel):
    x, y = channel.sample(100_000)
    for symbol, row in enumerate(channel.matrix):
        arrived = np.bincount(y[x == symbol], minlength=len(row)) / (x == symbol).sum()
        np.testing.assert_allclose(arrived, row, atol=4 * 0.5 / math.sqrt((x == symbol).sum()))


def test_gamma_and_exponential_samples_follow_their_laws():
    x, y = GammaExponential(0.7).sample(20_000)
    assert stats.kstest(x[:, 0], stats.gamma(0.7).cdf).pvalue > CHANCE
    assert stats.kstest(y[:, 0], stats.lomax(0.7).cdf).pvalue > CHANCE
    assert stats.kstest((x * y)[:, 0], stats.expon().cdf).pvalue > CHANCE


def test_logarithms_of_gamma_and_exponential_are_the_same_samples():
    plain, logs = GammaExponential(2.0).sample(100), GammaExponential(2.0, logarithms=True).sample(100)
    for value, log in zip(plain, logs, strict=True):
        np.testing.assert_allclose(np.log(value), log, atol=1e-12)


def test_student_samples_follow_their_law():
    x, y = StudentT.identity((1, 1), 3.0).sample(20_000)
    for side in (x, y):
        assert stats.kstest(side[:, 0], stats.t(3.0).cdf).pvalue > CHANCE


def test_mixed_samples_have_the_counts_of_their_parts():
    x, y = NormalOrSwitch(0.9, 0.1).sample(100_000)
    atoms = np.abs(x) == 1
    np.testing.assert_array_equal(atoms, np.abs(y) == 1)
    assert atoms.mean() == pytest.approx(0.5, abs=0.007)
    assert (x[atoms] != y[atoms]).mean() == pytest.approx(0.1, abs=0.006)
    assert np.corrcoef(x[~atoms], y[~atoms])[0, 1] == pytest.approx(0.9, abs=0.005)


def test_zero_inflated_counts_have_their_share_of_zeros():
    _, y = ZeroInflatedPoisson(0.3).sample(100_000)
    assert (y == 0).mean() == pytest.approx(0.3 + 0.35, abs=0.007)
    assert (y == 1).mean() == pytest.approx(0.7 / 4, abs=0.006)


def test_shared_intervals_start_at_their_symbol():
    x, y = SharedIntervals(4).sample(10_000)
    assert stats.kstest((y - x)[:, 0] / 2, stats.uniform().cdf).pvalue > CHANCE
    np.testing.assert_allclose(np.bincount(x[:, 0]) / 10_000, 0.25, atol=0.02)
