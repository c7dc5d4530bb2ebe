"""The minimal model against values worked out twice elsewhere, quadrature by cells, and a sample."""

import numpy as np
import pytest
from scipy import optimize, stats

from infoplane import layer_information
from infoplane.errors import InputError
from infoplane.estimators import Binning
from infoplane.truth.minimal import INVERSES, inner_edges, minimal_information

FORWARD = {
    "tanh": np.tanh,
    "softsign": lambda z: z / (1 + np.abs(z)),
    "relu": lambda z: np.maximum(0, z),
    "softplus": lambda z: np.logaddexp(0, z),
    "linear": lambda z: z,
}


@pytest.mark.parametrize(
    ("weight", "bits"),
    [(0.1, 2.6445), (0.5, 4.6312), (1, 4.8771), (2, 4.1573), (5, 2.7751), (10, 2.0442), (100, 1.1506), (1000, 1.0195)],
)
def test_tanh_under_30_equal_bins(weight, bits):
    assert minimal_information("tanh", weight) == pytest.approx(bits, abs=1e-4)


@pytest.mark.parametrize(("activation", "weight", "bits"), [("tanh", 0.869, 4.8998), ("softsign", 1.781, 4.5175)])
def test_bounded_units_peak_where_they_are_known_to(activation, weight, bits):
    found = optimize.minimize_scalar(lambda w: -minimal_information(activation, w), bounds=(0.3, 4), method="bounded")
    assert found.x == pytest.approx(weight, abs=1e-3)
    assert -found.fun == pytest.approx(bits, abs=1e-4)


def test_tanh_under_idnns_bins_peaks_lower():
    found = optimize.minimize_scalar(
        lambda w: -minimal_information("tanh", w, edges="idnns"), bounds=(0.3, 4), method="bounded"
    )
    assert -found.fun == pytest.approx(4.851, abs=1e-4)


@pytest.mark.parametrize(("weight", "bits"), [(0.5, 2.6815), (1, 3.2844), (5, 4.5585), (10, 5.0778), (100, 6.7603)])
def test_relu_under_bins_of_one_width(weight, bits):
    assert minimal_information("relu", weight, edges="width") == pytest.approx(bits, abs=1e-4)


@pytest.mark.parametrize(("weight", "bits"), [(1, 5.8839), (10, 9.2055), (100, 12.5275)])
def test_linear_under_bins_of_one_width(weight, bits):
    assert minimal_information("linear", weight, edges="width") == pytest.approx(bits, abs=1e-4)


@pytest.mark.parametrize(("activation", "slope"), [("linear", 1.0), ("relu", 0.5), ("softplus", 0.5)])
def test_unbounded_units_gain_the_same_with_each_doubling(activation, slope):
    low, high = (minimal_information(activation, w, edges="width") for w in (500, 1000))
    assert high - low == pytest.approx(slope, abs=2e-2 if activation == "softplus" else 2e-3)


@pytest.mark.parametrize("edges", ["fixed", "idnns", "width"])
@pytest.mark.parametrize("activation", FORWARD)
def test_the_estimator_measures_the_same_on_a_fine_grid(activation, edges):
    """A million equally likely slices of x: each cell's probability is right to 1e-6, its entropy far below 1e-3."""
    x = stats.norm.ppf((np.arange(10**6) + 0.5) / 10**6)
    t = FORWARD[activation](1.3 * x + 0.4)
    measured = layer_information(t, None, Binning(edges=edges)).input.bits
    assert minimal_information(activation, 1.3, bias=0.4, edges=edges) == pytest.approx(measured, abs=1e-3)


@pytest.mark.parametrize("activation", FORWARD)
def test_inverses_undo_activations(activation):
    z = np.linspace(0.1, 3, 20)
    assert INVERSES[activation](FORWARD[activation](z)) == pytest.approx(z, rel=1e-9)


def test_two_bins_of_a_unit_without_bias_hold_one_bit():
    assert minimal_information("tanh", 3.0, bins=2) == pytest.approx(1, abs=1e-12)


def test_tails_beyond_the_last_edge_keep_their_digits():
    """One cell from 9 sd on: p = Φ(−9) = 1.1e-19 is below the resolution of 1 − Φ(9), which is 0."""
    p = stats.norm.sf(9)
    assert minimal_information("tanh", 1.0, bias=-9.0, bins=2) == pytest.approx(
        -p * np.log2(p) + p / np.log(2), rel=1e-6
    )
    assert minimal_information("tanh", 1.0, bias=9.0, bins=2) == pytest.approx(
        -p * np.log2(p) + p / np.log(2), rel=1e-6
    )


def test_edges_of_both_conventions():
    assert inner_edges("fixed", 4) == pytest.approx([-0.5, 0, 0.5])
    assert inner_edges("idnns", 5) == pytest.approx([-0.5, 0, 0.5, 1])


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"activation": "cosine"}, "activation is 'cosine'; expected one of tanh, softsign"),
        ({"weight": 0.0}, "weight is 0.0; expected a finite number above 0"),
        ({"weight": np.nan}, "weight is nan"),
        ({"bias": np.inf}, "bias is inf; expected a finite number"),
        ({"bins": 1}, "bins is 1; expected at least 2"),
        ({"edges": "width", "width": 0.0}, "width is 0.0; expected a finite number above 0"),
        (
            {"activation": "linear", "weight": 1e6, "edges": "width", "width": 1e-3},
            "width is 0.001; expected more than",
        ),
    ],
)
def test_what_cannot_be_computed_is_refused(wrong, told):
    with pytest.raises(InputError, match=told):
        minimal_information(**{"activation": "tanh", "weight": 1.0} | wrong)
