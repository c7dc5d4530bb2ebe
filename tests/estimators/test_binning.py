"""Binning against values worked out by hand and against a slow, independent implementation."""

import math
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoplane import InputError, layer_information
from infoplane.estimators import Binning
from infoplane.estimators.base import Layers
from infoplane.estimators.cells import equal_mass_edges, uniform_cells


def slow_entropy(symbols):
    counts = Counter(symbols)
    n = sum(counts.values())
    return -math.fsum(c / n * math.log2(c / n) for c in counts.values())


def slow_cell(value, bins, edges, low, high):
    """Number of the cell of one value, by walking along the edges."""
    places = np.linspace(low, high, bins if edges == "idnns" else bins + 1)
    inner = places[1:] if edges == "idnns" else places[1:-1]
    return sum(value >= place for place in inner)


def slow_information(t, y, bins, edges, low=-1.0, high=1.0):
    """I(X;T) and I(T;Y) with loops and dictionaries."""
    if edges == "layer":
        low, high = float(t.min()), float(t.max())
        low, high = (low, high) if low < high else (low - 0.5, low + 0.5)
    rows = [tuple(slow_cell(float(v), bins, edges, low, high) for v in row) for row in t]
    h_t = slow_entropy(rows)
    h_t_given_y = 0.0
    for label in set(y):
        own = [row for row, other in zip(rows, y, strict=True) if other == label]
        h_t_given_y += len(own) / len(rows) * slow_entropy(own)
    return h_t, h_t - h_t_given_y


def example(kind, seed, n=200, d=4):
    rng = np.random.default_rng(seed)
    t = rng.uniform(-1, 1, (n, d))
    if kind == "constant":
        t = np.full((n, d), 0.3)
    if kind == "saturated":
        t = np.tanh(20 * rng.standard_normal((n, d)))
    if kind == "duplicates":
        t = t[rng.integers(0, 10, n)]
    if kind == "on the edges":
        t = rng.choice(np.linspace(-1, 1, 30), (n, d))
    return t, rng.integers(0, 3, n).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("edges", ["idnns", "fixed", "layer"])
@pytest.mark.parametrize("kind", ["random", "constant", "saturated", "duplicates", "on the edges"])
def test_binning_agrees_with_a_slow_independent_implementation(kind, edges, dtype):
    for seed in range(3):
        t, y = example(kind, seed)
        t = t.astype(dtype)
        measured = layer_information(t, y, "binning", bins=30, edges=edges)
        expected = slow_information(t, y, 30, edges)
        assert measured.input.bits == pytest.approx(expected[0], abs=1e-12)
        assert measured.label.bits == pytest.approx(expected[1], abs=1e-12)


def test_idnns_has_29_equal_cells_and_one_for_values_from_1_up():
    centres = -1 + (np.arange(29) + 0.5) * 2 / 29
    t = np.append(centres, 1.0)[:, None]
    assert layer_information(t, None, Binning(edges="idnns")).input.bits == pytest.approx(math.log2(30), abs=1e-12)
    # a step of half a cell: -1 and the first centre share a cell
    assert layer_information(np.array([-1.0, centres[0]]), None, Binning(edges="idnns")).input.bits == 0


def test_fixed_cells_hold_their_lower_edge_and_the_last_one_its_upper_too():
    t = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    assert uniform_cells(t[None], -1.0, 1.0, 4).tolist() == [[0, 1, 2, 3, 3]]


def test_distinct_rows_give_log2_n_and_say_so():
    t = np.arange(256) / 128 - 1
    estimate = layer_information(t, None, Binning(bins=256)).input
    assert estimate.bits == pytest.approx(8, abs=1e-12)
    assert estimate.flags == {"saturated"}
    assert estimate.reason == "saturated at 8.0 of 8.0 bits: reflects the number of inputs, not the network"


@pytest.mark.parametrize("y", [None, [0, 1] * 50])
def test_a_constant_layer_says_nothing_and_is_flagged(y):
    information = layer_information(np.full((100, 3), 0.7), y, "binning")
    assert information.input.bits == 0
    assert information.input.flags == {"constant"}
    assert (information.label is None) if y is None else (information.label.bits == 0)


def test_one_class_leaves_no_label_information():
    t, _ = example("random", 0)
    assert layer_information(t, np.zeros(200, int), "binning").label.bits == pytest.approx(0, abs=1e-12)


def test_a_constant_unit_among_live_ones_changes_nothing():
    t, y = example("random", 1)
    with_dead = np.column_stack([t, np.full(len(t), 0.123)])
    assert layer_information(with_dead, y, "binning").label.bits == layer_information(t, y, "binning").label.bits


def test_values_outside_the_range_go_to_the_outer_cells_and_are_counted():
    t = np.array([-3.0, -0.9, 0.9, 5.0])
    estimate = layer_information(t, None, Binning(bins=2)).input
    assert estimate.bits == 1
    assert estimate.flags == {"clipped"}
    assert "50.00% of values" in estimate.reason


def test_values_at_the_ends_of_the_range_are_not_clipped():
    for edges in ("fixed", "idnns"):
        assert "clipped" not in layer_information(np.array([-1.0, 0.0, 1.0]), None, Binning(edges=edges)).input.flags


def test_relu_values_above_1_share_one_cell_under_idnns_bins():
    t = np.array([0.1, 0.5, 2.0, 7.0])
    assert layer_information(t, None, Binning(edges="idnns")).input.bits == pytest.approx(1.5, abs=1e-12)


def test_a_non_finite_layer_is_nan_and_touches_no_neighbour():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, (3, 4, 50))
    labels = rng.integers(0, 2, 50)
    alone = Binning().measure(Layers(t[[0, 2]], labels))
    t[1, 2, 7] = np.nan
    values = Binning().measure(Layers(t, labels))
    assert np.isnan(values.input.bits[1])
    assert np.isnan(values.label.bits[1])
    assert values.input.flags[1] == {"non-finite"}
    assert values.input.reasons[1] == "1 of 200 activations are not finite"
    assert (values.input.bits[[0, 2]] == alone.input.bits).all()
    assert (values.label.bits[[0, 2]] == alone.label.bits).all()


@pytest.mark.parametrize("d", [14, 200, 1024])
def test_wide_layers_are_exact_beyond_64_bits(d):
    rng = np.random.default_rng(d)
    t = rng.uniform(-1, 1, (64, d))[rng.integers(0, 64, 300)]
    assert layer_information(t, None, "binning").input.bits == pytest.approx(
        slow_entropy([tuple(row) for row in t]), abs=1e-12
    )


def test_rows_that_differ_in_the_last_of_many_units_only_are_told_apart():
    t = np.zeros((8, 40))
    t[:, -1] = np.linspace(-1, 1, 8)
    t[:, 0] = np.tile([-1, 1], 4)
    assert layer_information(t, None, "binning").input.bits == pytest.approx(3, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), edges=st.sampled_from(["idnns", "fixed", "layer"]), bins=st.integers(2, 60))
def test_permuting_samples_and_units_changes_nothing(seed, edges, bins):
    rng = np.random.default_rng(seed)
    t, y = rng.standard_normal((60, 3)), rng.integers(0, 3, 60)
    rows, units = rng.permutation(60), rng.permutation(3)
    one = layer_information(t, y, Binning(bins=bins, edges=edges))
    two = layer_information(t[rows][:, units], y[rows], Binning(bins=bins, edges=edges))
    assert one.input.bits == pytest.approx(two.input.bits, abs=1e-12)
    assert one.label.bits == pytest.approx(two.label.bits, abs=1e-12)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_information_lies_between_0_and_its_caps(seed):
    rng = np.random.default_rng(seed)
    t, y = rng.uniform(-1, 1, (40, 2)), rng.integers(0, 4, 40)
    information = layer_information(t, y, "binning", bins=5)
    assert -1e-12 <= information.label.bits <= information.input.bits + 1e-12
    assert information.input.bits <= min(math.log2(40), 2 * math.log2(5)) + 1e-12


def test_the_layer_range_follows_the_layer():
    t = np.linspace(100, 101, 30)[:, None]
    assert layer_information(t, None, Binning(edges="layer")).input.bits == pytest.approx(math.log2(30), abs=1e-12)


def test_inputs_are_not_changed():
    t, y = example("random", 3)
    before = t.copy()
    layer_information(t, y, ["binning"])
    assert (t == before).all()


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"bins": 0}, "binning bins is 0; expected 1 to 1048576 for edges 'fixed'"),
        ({"bins": 1, "edges": "idnns"}, "binning bins is 1; expected 2 to 1048576 for edges 'idnns'"),
        ({"bins": 2.5}, "binning bins is 2.5; expected a whole number"),
        (
            {"edges": "idnn"},
            "binning edges is 'idnn'; "
            "expected one of 'fixed', 'idnns', 'width', 'layer', 'run', 'quantile', 'adaptive'",
        ),
        ({"low": 1.0, "high": 1.0}, "binning low, high is 1.0, 1.0; expected finite numbers, low < high"),
        ({"width": 0.0}, "binning width is 0.0; expected a finite number above 0"),
        (
            {"per": "unit"},
            "binning per is 'unit' with edges 'fixed'; expected edges among layer, run, quantile, adaptive",
        ),
        ({"correction": "miller"}, "correction 'miller' is not known; did you mean 'miller-madow'?"),
        ({"bin": 3}, "estimator 'binning' has no parameter 'bin'; did you mean 'bins'?"),
    ],
)
def test_a_bad_parameter_is_named(params, text):
    with pytest.raises(InputError) as caught:
        layer_information(np.zeros((4, 2)), None, "binning", **params)
    assert str(caught.value) == text


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.floats(0.01, 3))
def test_width_cells_are_floors(seed, width):
    rng = np.random.default_rng(seed)
    t, y = rng.normal(0, 5, (80, 2)), rng.integers(0, 2, 80)
    symbols = [tuple(math.floor(v / width) for v in row) for row in t]
    measured = layer_information(t, y, "binning", edges="width", width=width)
    assert measured.input.bits == pytest.approx(slow_entropy(symbols), abs=1e-12)
    assert measured.input.flags <= {"saturated"}


def test_width_cells_survive_values_too_far_apart_to_number():
    t = np.array([[-1e300], [0.0], [1e300], [1e300]])
    assert layer_information(t, None, "binning", edges="width").input.bits == pytest.approx(1.5, abs=1e-12)


def test_quantile_cells_have_equal_mass_whatever_the_scale():
    t = np.exp(np.linspace(0, 50, 300))[:, None]
    estimate = layer_information(t, None, "binning", edges="quantile", bins=30).input
    assert estimate.bits == pytest.approx(math.log2(30), abs=1e-12)


def test_the_zeros_of_a_rectified_unit_take_one_adaptive_cell():
    """Half the values are 0: as one cell of 30 the entropy is 1 + ½ log2 29 to within the cells' rounding."""
    t = np.append(np.zeros(2900), np.arange(1, 2901))[:, None]
    adaptive = layer_information(t, None, "binning", edges="adaptive", bins=30).input.bits
    quantile = layer_information(t, None, "binning", edges="quantile", bins=30).input.bits
    # 2901 distinct values in 30 cells: the zero shares its cell with the 96 smallest positive ones
    positive = np.searchsorted(np.quantile(np.arange(2901), np.arange(1, 30) / 30), np.arange(1, 2901), side="right")
    assert adaptive == pytest.approx(slow_entropy([0] * 2900 + positive.tolist()), abs=1e-12)
    # plain quantiles spend half their edges on the zeros
    assert quantile == pytest.approx(1 + 0.5 * math.log2(15), abs=0.05)
    assert adaptive > quantile + 0.3


def test_edges_of_each_unit_see_a_unit_that_is_small_beside_another():
    rng = np.random.default_rng(0)
    t = np.column_stack([rng.uniform(0, 1e-3, 500), np.append(np.zeros(499), 1e3)])
    layerwise = layer_information(t, None, "binning", edges="layer").input.bits
    unitwise = layer_information(t, None, "binning", edges="layer", per="unit").input.bits
    assert layerwise < 0.1
    assert unitwise > 4.5


def test_run_edges_use_the_range_that_the_run_had():
    t = np.linspace(0, 1, 31)[:30].reshape(1, 1, 30)
    wide = Binning(edges="run").measure(Layers(t, None, np.array([[0.0, 2.0]]))).input.bits[0]
    own = Binning(edges="run").measure(Layers(t, None, np.array([[0.0, 1.0]]))).input.bits[0]
    assert wide == pytest.approx(math.log2(15), abs=1e-12)
    assert own == pytest.approx(math.log2(30), abs=1e-12)
    with pytest.raises(InputError, match="known in packaged runs only"):
        layer_information(t[0].T, None, "binning", edges="run")


def test_a_correction_is_applied_to_each_entropy():
    """Miller–Madow by hand: H + (K − 1)/2N nats for T, Y and (T, Y)."""
    t, y = np.array([0.0, 0.0, 0.5, 0.5, 0.9, 0.9]), [0, 0, 0, 1, 1, 1]
    plain = layer_information(t, y, "binning")
    corrected = layer_information(t, y, "binning", correction="miller-madow")
    nats = math.log2(math.e) / (2 * 6)
    assert corrected.input.bits == pytest.approx(plain.input.bits + 2 * nats, abs=1e-12)
    assert corrected.label.bits == pytest.approx(plain.label.bits + (2 + 1 - 3) * nats, abs=1e-12)


def test_several_corrections_of_the_same_cells_cut_the_layer_once(monkeypatch):
    cuts = []
    monkeypatch.setattr(
        Binning, "_count", lambda self, layers, count=Binning._count: cuts.append(1) or count(self, layers)
    )
    t, y = example("random", 5)
    layer_information(t, y, [Binning(), Binning(correction="miller-madow"), Binning(bins=7)])
    assert len(cuts) == 2


@pytest.mark.parametrize("edges", ["fixed", "idnns", "width", "layer", "quantile", "adaptive"])
@pytest.mark.parametrize("size", [1e-320, 1e-30, 1e20, 1e300, np.finfo(float).max])
def test_numbers_of_any_size_are_binned_without_a_warning(edges, size):
    constant = layer_information(np.full(20, size), None, "binning", edges=edges)
    assert constant.input.bits == 0
    spread = layer_information(size * np.linspace(-1, 1, 21), None, "binning", edges=edges)
    assert 0 <= spread.input.bits <= math.log2(21)
    if edges == "layer" and size > 1e-300:
        assert spread.input.bits == pytest.approx(math.log2(21), abs=1e-12)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 79, 4096])
def test_edges_of_equal_mass_are_numpys_quantiles(kind, n):
    t = np.random.default_rng(n).normal(0, 5, (1, n)).astype(kind)
    edges = equal_mass_edges(t, 30, distinct=False)
    np.testing.assert_array_equal(edges, np.unique(4 * np.quantile(0.25 * t.astype(float), np.arange(1, 30) / 30)))


@pytest.mark.parametrize(
    ("edges", "per"),
    [(edges, "layer") for edges in ("fixed", "idnns", "width", "layer", "quantile", "adaptive")]
    + [(edges, "unit") for edges in ("layer", "quantile", "adaptive")],
)
def test_a_wide_layer_is_cut_a_few_units_at_a_time(edges, per):
    """240 units of 50 000 samples: cells of all units at once would be five times as large as the layer."""
    t = np.random.default_rng(0).standard_normal((1, 240, 50_000), np.float32)
    estimator = Binning(edges=edges, per=per)
    tracemalloc.start()
    try:
        estimator.measure(Layers(t, np.arange(50_000) % 2))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (2.3 if edges in ("quantile", "adaptive") and per == "layer" else 0.7) * t.nbytes
