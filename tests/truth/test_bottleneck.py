"""The information bottleneck's curve, against curves known in closed form and the shape that theory demands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import brentq

import infoplane as ip
from infoplane.data.szt import exact_information, label_probabilities, szt
from infoplane.errors import InputError
from infoplane.truth.base import binary_entropy
from infoplane.truth.bottleneck import AT_LEAST, ib_curve

FLAT = 1e-9
"""What rounding may add to a slope."""


def inverse_binary_entropy(bits):
    return float(brentq(lambda p: binary_entropy(p) - bits, 0, 0.5)) if 0 < bits < 1 else (0.0 if bits <= 0 else 0.5)


def mrs_gerber(i_xt, flip):
    """The curve of a binary symmetric channel with even inputs (Wyner & Ziv 1973), worked out there."""
    p = inverse_binary_entropy(1 - i_xt)
    return 1 - binary_entropy(p * (1 - flip) + (1 - p) * flip)


def table(p_one):
    """The joint distribution of even inputs and a binary label with p(y=1|x)."""
    return np.stack([1 - p_one, p_one], axis=1) / len(p_one)


def assert_is_a_bottleneck_curve(curve):
    """Ascending, from the origin, never falling, concave, and below I(X;T) itself (data processing)."""
    assert len(curve.input) == len(curve.label) >= 20
    assert (np.diff(curve.input) > 0).all()
    assert (curve.input[0], curve.label[0]) == (0, 0)
    slopes = np.diff(curve.label) / np.diff(curve.input)
    assert (slopes >= -FLAT).all()
    assert (np.diff(curve.label) >= -FLAT * np.diff(curve.input)).all()
    assert (np.diff(slopes) <= 1e-6).all()  # differences of nearly equal numbers over steps of 1e-3 bits
    assert (curve.label <= curve.input + FLAT).all()


@pytest.mark.parametrize("flip", [0.01, 0.1, 0.3])
def test_a_binary_symmetric_channel_has_mrs_gerbers_curve(flip):
    curve = ib_curve([[0.5 * (1 - flip), 0.5 * flip], [0.5 * flip, 0.5 * (1 - flip)]])
    known = np.array([mrs_gerber(i_xt, flip) for i_xt in curve.input])
    assert (curve.label <= known + 1e-9).all()  # every point can be reached
    assert (known - curve.label <= curve.error + 1e-9).all()  # and the error stated is one
    assert curve.error < 2e-3
    assert_is_a_bottleneck_curve(curve)


@pytest.mark.slow
def test_a_discretised_gaussian_has_the_gaussian_curve():
    # Chechik et al. 2005 for one dimension: I(T;Y) = −½ log2(1 − ρ² (1 − 2^(−2 I(X;T)))); 40 cells a tenth of a bit
    # or so from H(X) = 4.3 bits: the cells show only well below that
    rho, x = 0.9, np.linspace(-4, 4, 40)
    across, down = np.meshgrid(x, x)
    p_xy = np.exp(-(across**2 - 2 * rho * across * down + down**2) / 2 / (1 - rho**2))
    curve = ib_curve(p_xy / p_xy.sum())
    below = curve.input <= 3
    known = -0.5 * np.log2(1 - rho**2 * (1 - 2.0 ** (-2 * curve.input)))
    np.testing.assert_allclose(curve.label[below], known[below], atol=2e-3)
    assert_is_a_bottleneck_curve(curve)


@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.7, 0.2, 0.1]])
def test_labels_that_the_input_decides_have_the_closed_form(shares):
    labels = np.repeat(np.arange(len(shares)), np.rint(np.array(shares) * 40).astype(int))
    p_xy = np.eye(len(shares))[labels] / 40
    curve = ib_curve(p_xy)
    h_y = float(-(np.array(shares) @ np.log2(shares)))
    np.testing.assert_allclose(curve.label, np.minimum(curve.input, h_y), atol=1e-12)
    assert curve.input[-1] == pytest.approx(np.log2(40), abs=1e-12)
    assert curve.error == 0


def test_annealing_finds_the_closed_form_where_labels_are_nearly_decided():
    # by Fano p(y|x) within 1e-6 of a rule moves the curve by less than h(1e-6) + 1e-6 = 2.2e-5 bits
    curve = ib_curve(table(np.array([1e-6, 1e-6, 1 - 1e-6, 1e-6])))
    exact = np.minimum(curve.input, binary_entropy(0.25))
    np.testing.assert_allclose(curve.label, exact, atol=5e-3)


def test_the_stochastic_12_bit_task_ends_at_its_exact_information():
    p_one = label_probabilities(7.6, (0, 1), 30.5)
    curve = ib_curve(table(p_one))
    assert curve.input[-1] == pytest.approx(12, abs=1e-9)
    assert curve.label[-1] == pytest.approx(exact_information(p_one), abs=1e-9)
    assert curve.label[-1] == pytest.approx(0.9697, abs=5e-5)
    assert curve.error < 2e-3
    assert_is_a_bottleneck_curve(curve)


def test_no_encoder_can_beat_the_curve_by_optimality():
    """A dual certificate: with a binary label all clusters' p(y|t) lie on a line, where Blahut's condition is checked.

    For any decoder r on [0, 1], c(r) = Σ p(x) exp(−β KL(p(y|x) ‖ r)) / Z(x) ≤ 1 makes the tangent at β a bound.
    """
    p_one = np.array([0.05, 0.2, 0.4, 0.5, 0.9, 0.97])
    p_x = np.array([0.1, 0.3, 0.2, 0.1, 0.1, 0.2])
    curve = ib_curve(np.stack([1 - p_one, p_one], axis=1) * p_x[:, None])
    r = np.linspace(0.0005, 0.9995, 1000)
    cross = p_one[:, None] * np.log2(p_one[:, None] / r) + (1 - p_one)[:, None] * np.log2(
        (1 - p_one)[:, None] / (1 - r)
    )
    for beta in (1.5, 3.0, 8.0):
        # Blahut with the whole grid as alphabet is convex: its value bounds I(X;T) − β I(T;Y) from below
        p_r = np.full(len(r), 1 / len(r))
        for _ in range(3000):
            weights = p_r * 2.0 ** (-beta * cross)
            p_r = p_x @ (weights / weights.sum(axis=1, keepdims=True))
        z = (p_r * 2.0 ** (-beta * cross)).sum(axis=1)
        worst = np.log2((p_x / z) @ 2.0 ** (-beta * cross)).max()
        bound = -(p_x @ np.log2(z)) - worst - beta * curve.label[-1]
        best = (curve.input - beta * curve.label).min()
        assert best >= bound - 1e-6  # c(r) may be larger between the points of the grid by 1e-6
        assert best - bound <= worst + beta * curve.error + 1e-6


def test_equal_inputs_are_merged():
    p_one = np.array([0.1, 0.4, 0.8])
    few, many = ib_curve(table(p_one)), ib_curve(table(np.repeat(p_one, 50)))
    assert many.input[-1] == pytest.approx(np.log2(150), abs=1e-12)
    np.testing.assert_allclose(many.label_at(few.input), few.label, atol=1e-9)


def test_independent_variables_have_a_flat_curve():
    curve = ib_curve(np.outer([0.2, 0.3, 0.5], [0.4, 0.6]))
    np.testing.assert_allclose(curve.label, 0, atol=1e-9)
    assert len(curve.input) >= 20


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(2, 5), st.integers(2, 4)), elements=st.floats(0.01, 1)))
def test_every_curve_is_concave_never_falls_and_ends_at_both_ends(weights):
    p_xy = weights / weights.sum()
    curve = ib_curve(p_xy)
    assert_is_a_bottleneck_curve(curve)
    p_x, p_y = p_xy.sum(axis=1), p_xy.sum(axis=0)
    assert curve.input[-1] == pytest.approx(-(p_x @ np.log2(p_x)), abs=1e-9)
    assert curve.label[-1] == pytest.approx(float((p_xy * np.log2(p_xy / np.outer(p_x, p_y))).sum()), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_no_random_encoder_lies_above_the_curve(seed):
    rng = np.random.default_rng(seed)
    p_xy = rng.dirichlet(np.ones(12)).reshape(4, 3)
    encoder = rng.dirichlet(np.full(4, 0.3), size=4)
    curve = ib_curve(p_xy)
    p_x, p_y = p_xy.sum(axis=1), p_xy.sum(axis=0)
    p_xt, p_ty = encoder * p_x[:, None], encoder.T @ p_xy
    p_t = p_xt.sum(axis=0)

    def bits(joint, left, right):
        return float((joint[joint > 0] * np.log2((joint / np.outer(left, right))[joint > 0])).sum())

    assert bits(p_ty, p_t, p_y) <= curve.label_at(bits(p_xt, p_x, p_t)) + curve.error + 1e-9


def test_the_least_input_information_is_the_inverse_of_the_curve():
    curve = ib_curve(table(np.array([0.1, 0.4, 0.8])))
    rising = curve.label < curve.label[-1]
    np.testing.assert_allclose(curve.input_at(curve.label[rising]), curve.input[rising], atol=1e-6)
    assert np.isnan(curve.input_at(curve.label[-1] + 0.01))


def test_what_a_layer_of_the_12_bit_task_needs_is_its_label_information():
    curve = ip.ib_curve(np.eye(2)[szt().labels] / 4096)
    np.testing.assert_allclose(
        curve.input_at([0.0, 0.5, szt().label_entropy]), [0, 0.5, szt().label_entropy], atol=1e-9
    )


@pytest.mark.parametrize(
    ("p_xy", "words"),
    [
        ([0.5, 0.5], r"p_xy has shape \(2,\)"),
        (np.zeros((0, 2)), r"p_xy has shape \(0, 2\)"),
        ([["a", "b"]], "expected probabilities of shape"),
        ([[0.7, -0.1], [0.2, 0.2]], r"p_xy\[0, 1\] is -0.1; expected a probability"),
        ([[np.nan, 0.5], [0.25, 0.25]], r"p_xy\[0, 0\] is nan"),
        ([[np.inf, 0.5], [0.25, 0.25]], r"p_xy\[0, 0\] is inf"),
        ([[3, 4], [5, 6]], "p_xy sums to 18; expected 1; divide it by its sum"),
        ([[0.5, 0.0], [0.5, 0.0]], "p_xy has one label only"),
        ([[0.5], [0.5]], "p_xy has one label only"),
    ],
)
def test_what_is_no_distribution_is_refused(p_xy, words):
    with pytest.raises(InputError, match=words):
        ib_curve(p_xy)


def test_rows_without_probability_and_float32_are_taken():
    p_xy = np.array([[0.3, 0.2], [0.0, 0.0], [0.1, 0.4]], np.float32)
    assert len(ib_curve(p_xy).input) >= AT_LEAST
