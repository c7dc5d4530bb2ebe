"""Sliced mutual information: definition, closed form for normals, directions, labels."""

import math

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.estimators.base import Layers
from infoplane.estimators.copula import Copula
from infoplane.estimators.gaussian import Gaussian
from infoplane.estimators.neighbors import Ksg1, Ross
from infoplane.estimators.pair import Variable
from infoplane.estimators.sliced import Sliced


@pytest.fixture(scope="module")
def pair():
    """Four and three normals; the first coordinates are correlated by .9."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((500, 4)), rng.standard_normal((500, 3))
    y[:, 0] = 0.9 * x[:, 0] + math.sqrt(1 - 0.81) * y[:, 0]
    return x, y


def test_one_dimension_each_side_is_the_estimator_itself(pair):
    x, y = pair[0][:, 0], pair[1][:, 0]
    inner = {"ksg1": Ksg1(), "gaussian": Gaussian(), "copula": Copula()}
    for then, estimator in inner.items():
        value = Sliced(then=then)(x, y)
        assert value.bits == estimator(x, y).bits
        assert value.std_error is None
        assert value.kind == "sliced"


@pytest.mark.slow
def test_normals_have_the_average_over_the_circle():
    # Two normals each side, correlation ρ of the first coordinates: with θ, φ at angles a, b the projections have
    # correlation ρ cos a cos b, so SI is the mean of −½ log2(1 − ρ² cos²a cos²b) over both angles.
    angles = 2 * np.pi * np.arange(400) / 400
    cosines = np.cos(angles)[:, None] * np.cos(angles)
    truth = -np.log2(1 - (0.95 * cosines) ** 2).mean() / 2
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 20_000, 2))
    y[:, 0] = 0.95 * x[:, 0] + math.sqrt(1 - 0.95**2) * y[:, 0]
    value = Sliced(directions=600, then="gaussian")(x, y)
    assert abs(value.bits - truth) < 4 * value.std_error  # the samples add less than a tenth of it
    assert value.std_error < 0.02


def test_independent_data_have_no_sliced_information(pair):
    x, y = pair
    value = Sliced(then="gaussian", directions=20)(x, y[:, 1:])
    assert abs(value.bits) < 0.005  # the samples' own scatter: some (χ² − 1) / 2N nats


def test_value_and_standard_error_are_those_of_the_mean_over_directions(pair):
    x, y = pair
    estimator = Sliced(directions=10, then="gaussian")
    directions = list(estimator._pairs(Variable(x, False), Variable(y, False)))
    assert np.allclose([np.linalg.norm(one) for both in directions for one in both], 1)
    bits = [Gaussian()(x @ theta, y @ phi).bits for theta, phi in directions]
    value = estimator(x, y)
    assert value.bits == pytest.approx(np.mean(bits), abs=1e-12)
    assert value.std_error == pytest.approx(np.std(bits, ddof=1) / math.sqrt(10), abs=1e-12)


def test_directions_follow_the_seed_only(pair):
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    once, again, other = (Sliced(directions=5, then="gaussian", seed=seed)(*pair).bits for seed in (3, 3, 4))
    assert once == again != other
    assert np.array_equal(np.random.get_state()[1], state)


def test_scale_of_a_side_changes_nothing(pair):
    x, y = pair
    for kind in ("random", "pca"):
        estimator = Sliced(directions=4, kind=kind, then="gaussian")
        expected = pytest.approx(estimator(x, y).bits, abs=1e-12)
        assert estimator(1e300 * x, 1e-300 * y).bits == expected
        assert estimator(1e-12 * x, 1e-12 * y).bits == expected


def test_principal_directions_are_those_of_largest_variance(pair):
    x, y = pair
    wide, tall = x * [1.0, 1e3, 1e-3, 1e2], y * [1e3, 1.0, 1e-2]
    value = Sliced(directions=4, kind="pca", then="gaussian")(wide, tall)
    # The leading two of each side are coordinates 1 and 3, and 0 and 1, to one part in 100.
    expected = np.mean([Gaussian()(x[:, i], y[:, j]).bits for i in (1, 3) for j in (0, 1)])
    assert value.bits == pytest.approx(expected, abs=2e-3)
    assert value.std_error is None


def test_principal_directions_without_variance_do_not_count(pair):
    x, y = pair
    doubled = np.c_[x[:, :1], x[:, :1]]
    value = Sliced(directions=4, kind="pca", then="gaussian")(doubled, y[:, 0])
    assert value.bits == pytest.approx(Gaussian()(x[:, 0], y[:, 0]).bits, abs=1e-9)


def test_rotations_of_a_side_change_nothing_in_principal_directions(pair):
    x, y = pair[0] * [1.0, 2.0, 3.0, 4.0], pair[1] * [1.0, 2.0, 3.0]
    rotation = np.linalg.qr(np.random.default_rng(2).standard_normal((4, 4)))[0]
    estimator = Sliced(kind="pca", then="gaussian")
    assert estimator(x @ rotation, y).bits == pytest.approx(estimator(x, y).bits, abs=1e-9)


def test_a_label_is_not_projected(pair):
    x = pair[0][:, 0]
    y = (x > 0.3).astype(int)
    assert Sliced()(x, y).bits == Ross()(x, y).bits
    several = Sliced(directions=5)(pair[0], y)
    assert 0 < several.bits < Ross()(x, y).bits
    assert Sliced(directions=5)(y, pair[0]).bits == pytest.approx(several.bits, abs=1e-12)


def test_a_layer_gets_the_sliced_information_of_its_label(pair):
    x = pair[0]
    y = (x[:, 0] > 0.3).astype(np.int64)
    values = Sliced(directions=5).measure(Layers(x.T[None].copy(), y))
    assert values.label.bits[0] == pytest.approx(Sliced(directions=5)(x, y).bits, abs=1e-12)
    assert values.label.kind == "sliced"


def test_many_values_are_those_of_one_at_a_time(pair):
    x, y = (Variable(side, False) for side in pair)
    orders = [np.arange(500), np.arange(500)[::-1]]
    for kind in ("random", "pca"):
        estimator = Sliced(directions=4, kind=kind)
        alone = [estimator.between(x, y.take(order)).bits for order in orders]
        assert estimator.between_shuffled(x, y, orders) == pytest.approx(alone, abs=1e-12)


def test_flags_of_the_projections_are_counted(pair):
    x, y = pair
    repeated = np.repeat(x[:100], 5, axis=0), np.repeat(y[:100], 5, axis=0)
    value = Sliced(directions=3)(*repeated)
    assert "ties" in value.flags
    assert "ties in 3 of 3 directions" in value.reason


def test_equal_rows_stay_equal_in_every_projection(pair):
    x = np.repeat(pair[0], 3, axis=0)[:-1]
    direction = np.random.default_rng(0).standard_normal(4)
    from infoplane.estimators.sliced import _project

    projected = _project(Variable(x, False), direction).values
    assert len(np.unique(projected)) == 500


def test_constant_data_tell_nothing(pair):
    value = Sliced()(pair[0], np.ones((500, 2)))
    assert (value.bits, value.flags, value.kind) == (0.0, {"constant"}, "sliced")


@pytest.mark.parametrize(("params", "words"), [
    ({"directions": 0}, "directions is 0; expected a whole number, at least 1"),
    ({"seed": -1}, "seed is -1; expected a whole number, at least 0"),
    ({"kind": "cca"}, "sliced kind is 'cca'; expected one of 'random', 'pca'"),
])  # fmt: skip
def test_parameters_that_mean_nothing_are_refused(params, words):
    with pytest.raises(InputError, match=words):
        Sliced.with_params(params)
