"""Variables of a pair, what is refused, and pair estimators as estimators of layers."""

import math

import numpy as np
import pytest

import infoplane as ip
from infoplane.estimators import build, list_estimators
from infoplane.estimators._pair_value import ABOVE_ENTROPY, checkable, not_negative
from infoplane.estimators.base import Layers
from infoplane.estimators.layers import measure_layers
from infoplane.estimators.neighbors import Ksg1, Ross
from infoplane.estimators.pair import (
    SUITABLE,
    LabelEstimator,
    PairEstimator,
    PairValue,
    Variable,
    as_variable,
    kind_of_pair,
    measure_pair,
    nothing_to_tell,
    within_entropy,
)

PAIRS = [name for name in (entry.name for entry in list_estimators()) if isinstance(build(name), PairEstimator)]
LABEL = [name for name in PAIRS if isinstance(build(name), LabelEstimator)]


@pytest.fixture(scope="module")
def layer():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 300)
    return np.tanh(rng.standard_normal((300, 2)) + y[:, None]).astype(np.float32), y


# what becomes of users' arrays


@pytest.mark.parametrize("value", [[1, 2, 2], [True, False, True], ["a", "b", "b"], np.array([1, 2, 2], np.uint8)])
def test_integers_booleans_and_strings_are_symbols(value):
    variable = as_variable(value, "x")
    assert variable.discrete
    assert (variable.n, variable.dims, variable.values.shape) == (3, 1, (3, 1))
    assert variable.values.dtype == np.int64
    assert sorted(set(variable.values[:, 0])) == [0, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_are_coordinates_as_they_were_given(dtype):
    given = np.array([[1.5, 2.0], [3.0, -1.0], [0.25, 7.0]], dtype)
    variable = as_variable(given, "x")
    assert not variable.discrete
    assert (variable.n, variable.dims) == (3, 2)
    np.testing.assert_array_equal(variable.values, given.astype(float))


def test_several_columns_of_symbols_are_one_joint_symbol():
    variable = as_variable([[0, 0], [0, 1], [1, 0], [0, 1]], "x")
    assert variable.values[:, 0].tolist() == [0, 1, 2, 1]
    assert variable.dims == 2


def test_a_part_of_the_samples_keeps_its_codes_and_dims():
    part = as_variable([[5, 1], [6, 1], [7, 1], [8, 2]], "x").take(np.array([3, 1]))
    assert part.values[:, 0].tolist() == [3, 1]
    assert (part.n, part.dims) == (2, 2)


def test_a_variable_does_not_share_memory_with_what_was_given():
    given = np.zeros((4, 2))
    as_variable(given, "x").values[0] = 9
    assert given.sum() == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.array([1.0, np.nan, 2.0]), "x holds 1 values that are NaN or infinite, in 1 of 3 rows \\(1\\)"),
        (np.where(np.arange(20) > 9, np.inf, 1.0), "10 of 20 rows \\(10, 11, 12, 13, 14, …\\)"),
        ([1.0], "x has shape \\(1,\\); expected at least 2 rows"),
        ([], "expected at least 2 rows"),
        (3.0, "x has shape \\(\\); expected \\(sample,\\)"),
        (np.zeros((3, 2, 2)), "flatten each sample's values into one row"),
        (np.zeros((3, 0)), "x has shape \\(3, 0\\)"),
        (np.array([object(), object()]), "x has dtype object"),
        (np.array([1j, 2]), "x has dtype complex128"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "x: expected a value in every row, got 1 missing"),
        ([[1.0], [1.0, 2.0]], "x cannot be read as an array"),
        (np.array(["2020-01-01"] * 3, "datetime64[D]"), "x has dtype datetime64"),
    ],
)
def test_what_cannot_be_a_variable_is_refused_with_its_name(value, text):
    with pytest.raises(ip.InputError, match=text):
        as_variable(value, "x")


@pytest.mark.parametrize("name", PAIRS)
def test_unequal_lengths_are_refused_by_every_pair_estimator(name):
    with pytest.raises(ip.InputError, match="x has 10 rows and y has 9"):
        build(name)(np.arange(10.0), np.arange(9.0))


# kinds of pairs


def test_kind_of_a_pair_is_mixed_where_one_side_is_discrete():
    symbols, numbers = as_variable([0, 1], "x"), as_variable([0.0, 1.0], "x")
    assert [kind_of_pair(*pair) for pair in ((symbols, symbols), (numbers, numbers), (symbols, numbers))] == [
        "discrete",
        "continuous",
        "mixed",
    ]


def test_a_kind_that_is_not_measured_names_those_that_measure_it():
    with pytest.raises(ip.InputError, match=r"'ksg1' measures continuous pairs; y of x and y is discrete.*ross"):
        ip.mutual_information(np.arange(9.0), np.arange(9), "ksg1")
    with pytest.raises(ip.InputError, match=r"'ross' measures mixed pairs; neither of x and y is discrete.*ksg1"):
        ip.mutual_information(np.arange(11.0), np.arange(11.0), "ross")
    with pytest.raises(ip.InputError, match=r"x and y of x and y is discrete.*plugin"):
        ip.mutual_information(np.arange(9), np.arange(9), "kl")


@pytest.mark.parametrize("kind", SUITABLE)
def test_what_is_recommended_for_a_kind_measures_it(kind):
    assert all(kind in build(name).kinds for name in SUITABLE[kind])  # pyright: ignore


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "auto"])  # which chooses, so is none of its own
def test_an_estimator_of_mixed_pairs_is_one_of_labels(name):
    assert ("mixed" in build(name).kinds) == isinstance(build(name), LabelEstimator)  # pyright: ignore


# constants


@pytest.mark.parametrize("name", PAIRS)
def test_a_constant_variable_tells_nothing(name):
    estimator = build(name)
    kind = estimator.kinds[0]  # pyright: ignore
    x = np.full(30, 3) if kind == "discrete" else np.full(30, 3.0)
    y = np.arange(30.0) if kind == "continuous" else np.arange(30) % 3
    estimate = estimator(x, y)
    assert estimate.bits == 0.0
    assert estimate.flags == {"constant"}
    assert estimate.reason == "all 30 rows of x are equal"


def test_two_constants_are_named_both():
    constant = Variable(np.zeros((4, 1)), False)
    found = nothing_to_tell(constant, constant)
    assert found is not None
    assert found.reason == "all 4 rows of x and of y are equal"


# estimates


def test_an_estimate_carries_samples_dims_name_parameters_and_time():
    rng = np.random.default_rng(0)
    estimate = measure_pair(Ksg1(k=4), Variable(rng.random((50, 2)), False), Variable(rng.random((50, 3)), False))
    assert (estimate.n, estimate.dims, estimate.estimator) == (50, (2, 3), "ksg1")
    assert estimate.params == {"k": 4, "norm": "max", "scale": "standard"}
    assert estimate.seconds > 0


@pytest.mark.parametrize("name", PAIRS)
def test_the_input_is_not_changed(name):
    rng = np.random.default_rng(2)
    kind = build(name).kinds[0]  # pyright: ignore
    x = rng.integers(0, 4, 60) if kind == "discrete" else rng.random((60, 2)) * 5
    y = rng.random((60, 1)) if kind == "continuous" else rng.integers(0, 3, 60)
    for array in (x, y):
        array.setflags(write=False)
    before = x.copy(), y.copy()
    build(name)(x, y)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])


# pair estimators on layers


@pytest.mark.parametrize("name", LABEL)
def test_label_information_of_a_layer_is_that_of_the_pair(name, layer):
    t, y = layer
    information = ip.layer_information(t, y, name)
    assert information.label.bits == pytest.approx(build(name)(t.astype(float), y).bits, abs=1e-12)
    assert information.label.flags == build(name)(t, y).flags


@pytest.mark.parametrize("name", LABEL)
def test_input_information_of_a_continuous_layer_is_nan_with_the_reason(name, layer):
    given = ip.layer_information(*layer, name).input
    assert np.isnan(given.bits)
    assert given.flags == frozenset()
    assert "without noise is infinite" in given.reason


def test_a_broken_layer_of_a_batch_leaves_the_others_as_they_are(layer):
    t, y = layer
    broken = t.copy()
    broken[7, 1] = np.nan
    values = measure_layers(Layers(np.stack([t.T, broken.T]), y), [Ross()])[0]
    assert values.label is not None
    assert values.label.bits[0] == ip.layer_information(t, y, "ross").label.bits
    assert np.isnan(values.label.bits[1])
    assert values.label.flags[1] == {"non-finite"}
    assert values.label.reasons[1] == "1 of 600 activations are not finite"


@pytest.mark.parametrize("name", [name for name in PAIRS if name not in LABEL])
def test_estimators_of_pairs_of_one_kind_are_refused_for_layers(name, layer):
    with pytest.raises(ip.InputError, match="use ross, mixed-ksg or kl"):
        ip.layer_information(*layer, name)


@pytest.mark.parametrize(
    ("bits", "flagged"), [(0.9, False), (1.01, False), (1.1, True), (math.inf, True), (math.nan, False)]
)
def test_a_value_above_the_entropy_of_the_labels_is_flagged(bits, flagged):
    counts = np.array([500, 500])  # 1 bit; 0.01 bits and 2/N nats of scatter are allowed
    value = within_entropy(PairValue(bits), counts)
    assert (ABOVE_ENTROPY in value.flags) == flagged
    assert value.upper == (1.0 if flagged else None)


@pytest.mark.parametrize(("bits", "upper"), [(0.4, 0.4), (3.0, 1.0)])
def test_an_upper_bound_is_at_most_the_entropy_of_the_labels(bits, upper):
    assert within_entropy(PairValue(bits, kind="upper"), np.array([500, 500])).upper == upper


# values below 0, and too few samples


@pytest.mark.parametrize("n", [40, 400])
def test_values_five_standard_errors_below_0_are_flagged(n):
    least = -5 / math.sqrt(n) / math.log(2)
    assert not_negative(PairValue(least + 0.01), n).flags == frozenset()
    flagged = not_negative(PairValue(least - 0.01, frozenset({"ties"}), "equal values"), n)
    assert flagged.flags == {"negative", "ties"}
    assert flagged.reason.startswith("equal values; ")
    assert "below 0" in flagged.reason
    assert not_negative(PairValue(-math.inf), n).flags == {"negative"}


@pytest.mark.parametrize(("bits", "kind"), [(math.nan, "estimate"), (-9.0, "lower"), (-9.0, "renyi"), (9.0, "upper")])
def test_bounds_from_below_and_missing_values_are_not_negative(bits, kind):
    value = PairValue(bits, kind=kind)
    assert not_negative(value, 400) is value


def test_kl_of_cubed_normals_is_flagged_as_negative():
    rng = np.random.default_rng([565, 0])
    x, noise = rng.standard_normal((400, 2)), rng.standard_normal((400, 2))
    y = 0.6 * x + 0.8 * noise
    found = ip.mutual_information(x**3, y**3, "kl")
    assert found.bits < 0 < -2 * math.log2(0.8)  # the information that cubes leave unchanged
    assert "negative" in found.flags
    assert "negative" not in ip.mutual_information(x, y, "kl").flags


def test_label_values_of_layers_below_0_are_flagged(monkeypatch, layer):
    monkeypatch.setattr(Ross, "between", lambda *_: PairValue(-2.0, reason="made up"))
    label = ip.layer_information(*layer, "ross").label
    assert label is not None
    assert "negative" in label.flags
    assert "below 0" in label.reason


def test_fewer_than_30_samples_of_two_continuous_variables_are_flagged():
    x = np.random.default_rng(3).standard_normal(30)
    found = [ip.mutual_information(x[:n], np.sin(3 * x[:n]), "gaussian") for n in (29, 30)]
    assert ["few-samples" in one.flags for one in found] == [True, False]
    assert "29 samples are too few" in found[0].reason
    assert "few-samples" not in ip.mutual_information(x[:20], x[:20] > 0, "ross").flags
    assert checkable(PairValue(0.0, frozenset({"constant"})), 20).flags == {"constant"}
