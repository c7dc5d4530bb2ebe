"""The experiment on single units: its numbers are those of the formula, and its biases belong to members."""

import numpy as np
import pytest

import infoplane as ip
from infoplane.experiments import configure
from infoplane.experiments.exact.minimal import assemble, compute
from infoplane.results import decode_flags
from infoplane.truth.minimal import INVERSES, minimal_information


@pytest.fixture(scope="module")
def settings():
    changes = {"smallest": 0.1, "largest": 100.0, "points": 4, "members": 3}
    return configure("saxe-minimal", changes=changes)


@pytest.fixture(scope="module")
def ds(settings):
    return assemble(settings, {member: compute(settings, member) for member in range(3)})


def bits(ds, estimator, layer, member=0):
    return ds["information"].sel(estimator=estimator, layer=layer, variable="input", member=member).values


def test_the_first_member_is_the_unit_of_the_paper(ds):
    assert bits(ds, "exact(bins=30)", "tanh") == pytest.approx([2.6445, 4.8771, 2.0442, 1.1506], abs=1e-4)
    assert bits(ds, "exact(width=0.07)", "relu")[1:] == pytest.approx([3.2844, 5.0778, 6.7603], abs=1e-4)


def test_the_weights_stand_beside_their_numbers(ds):
    assert ds["weight"].values == pytest.approx([0.1, 1, 10, 100])
    assert ds["weight"].dims == ("epoch",)


def test_both_conventions_of_equal_bins_are_there(ds):
    assert bits(ds, "exact(edges=idnns)", "tanh")[1] == pytest.approx(minimal_information("tanh", 1.0, edges="idnns"))


def test_the_gaussian_channel_is_known_of_the_linear_unit_alone(ds):
    """½ log2(1 + w²/σ²) for σ² = 0.001."""
    channel = 0.5 * np.log2(1 + ds["weight"].values ** 2 / 0.001)
    assert bits(ds, "exact(variance=0.001)", "linear") == pytest.approx(channel)
    assert all(np.isnan(bits(ds, "exact(variance=0.001)", name)).all() for name in INVERSES if name != "linear")


def test_a_bias_moves_the_others_and_matters_less_the_larger_the_weight(ds):
    moved = [np.abs(bits(ds, "exact(bins=30)", "tanh", m) - bits(ds, "exact(bins=30)", "tanh")) for m in (1, 2)]
    assert min(one.max() for one in moved) > 1e-4
    assert all(one[-1] < one[0] for one in moved)


def test_a_seed_gives_the_same_biases_and_another_one_others(settings):
    again, other = compute(settings, 1), compute(settings.model_copy(update={"seed": 1}), 1)
    assert np.array_equal(again["bits"], compute(settings, 1)["bits"], equal_nan=True)
    assert not np.array_equal(again["bits"], other["bits"], equal_nan=True)


def test_units_that_leave_the_bins_are_flagged(ds):
    flags = ds["flags"].sel(variable="input", member=0).isel(epoch=0)
    for name in INVERSES:
        clipped = "clipped" in decode_flags(int(flags.sel(estimator="exact(bins=30)", layer=name)))
        assert clipped == (name not in ("tanh", "softsign"))
        assert not decode_flags(int(flags.sel(estimator="exact(width=0.07)", layer=name)))


def test_members_that_are_missing_are_nan(settings):
    ds = assemble(settings, {0: compute(settings, 0)})
    assert ds.sizes["member"] == 3
    assert bool(ds["information"].isel(member=slice(1, 3)).isnull().all())


@pytest.mark.parametrize(("smallest", "largest"), [(10.0, 1.0), (1.0, 1.0)])
def test_a_grid_that_does_not_ascend_is_refused(smallest, largest):
    changes = {"smallest": smallest, "largest": largest}
    with pytest.raises(ip.ConfigError, match=f"smallest is {smallest:g} and largest {largest:g}"):
        configure("saxe-minimal", changes=changes)
