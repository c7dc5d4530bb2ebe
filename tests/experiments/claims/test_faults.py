"""What must not be decided: clipped, begun late, counted in updates, without compression, or changed by chance."""

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.experiments.claims import CONFIRMED, DENIED, NOT_DECIDED

FALL, GROW, FLAT = [5.0, 7.0, 6.5, 5.0, 4.0, 3.0], [3.0, 3.5, 4.0, 5.0, 6.0, 7.0], [5.0] * 6


def said(ds, id_):
    return {one.verdict for one in ip.claims(ds, [id_])}


@pytest.mark.parametrize(
    "id_",
    [
        "near-bound-label",
        "near-bound-input",
        "layers-in-order-input",
        "layers-in-order-label",
        "first-layer-stays",
        "held-out-label",
    ],
)
def test_clipped_activations_decide_nothing(network, id_):
    held_out = (FALL, [0.1, 0.5, 0.8, 0.9, 0.9, 0.9])
    assert said(network(held_out=held_out), id_) != {NOT_DECIDED}
    found = ip.claims(network(held_out=held_out, clipped=True), [id_])
    assert {one.verdict for one in found} == {NOT_DECIDED}
    assert "clipped" in found[0].reason


@pytest.mark.parametrize("id_", ["fitting", "below-random-weights"])
def test_without_the_initialisation_nothing_is_said_of_the_start(network, id_):
    late = network().isel(epoch=slice(2, None))
    (found,) = ip.claims(late, [id_])
    assert found.verdict == NOT_DECIDED
    assert "the initialisation, epoch 0" in found.reason


@pytest.mark.parametrize("id_", ["fitting-is-short", "mostly-compression"])
def test_updates_are_no_epochs(network, id_):
    assert said(network(), id_) == {CONFIRMED}
    (found,) = ip.claims(network().assign_attrs(epoch_unit="update"), [id_])
    assert found.verdict == NOT_DECIDED
    assert "this run counts updates" in found.reason


def test_time_after_compression_is_not_spent_on_it(network):
    """All is lost by epoch 100 of 8000."""
    assert said(network([5.0, 7.0, 3.0, 3.0, 3.0, 3.0]), "mostly-compression") == {DENIED}


def test_the_label_is_not_kept_while_compressing_where_nothing_is_compressed(network):
    assert said(network(), "label-is-kept") == {CONFIRMED}
    assert CONFIRMED not in said(network(GROW), "label-is-kept")


def test_where_the_first_setting_does_not_compress_nothing_is_said_of_what_survives(sweep):
    ds = sweep("model.init", {"fan-in": {"i_xt": FLAT}, "fan-out": {"i_xt": FLAT}})
    found = ip.claims(ds, ["survives-initialisation"])
    assert {one.verdict for one in found} == {NOT_DECIDED}
    assert "needs a first setting under which the layer compresses" in found[0].reason


def test_gradients_that_stay_what_they_are_make_no_transition(network):
    ds = network()
    rng = np.random.default_rng(0)
    ratio = 2.0 ** rng.normal(-0.05, 0.2, ds["gradient_mean"].shape)
    still = ds.assign(gradient_mean=(results.NORM_DIMS, ratio), gradient_std=(results.NORM_DIMS, np.ones(ratio.shape)))
    assert said(still, "gradient-transition-tanh") == {DENIED}
