"""The phases of the gradients: what is drawn is what was recorded, in both normalisations, with the transition."""

import numpy as np
import pytest

from infoplane import results
from infoplane.errors import InputError
from infoplane.plots import FIGURES, gradients, suited
from infoplane.plots.gradients import transition

LAST, CROSSES = 40, 20


@pytest.fixture
def with_gradients(make_result):
    """Spread 0.1 in each layer; the mean is 0.4 up to epoch 20 and 0.01 afterwards, so m/s falls from 4 to 0.1."""
    ds = make_result()
    shape = ds["weight_norm"].shape
    mean = np.full(shape, 0.4)
    mean[:, CROSSES + 1 :] = 0.01
    mean[:, 0] = np.nan
    std = np.where(np.isnan(mean), np.nan, 0.1)
    return ds.assign(gradient_mean=(results.NORM_DIMS, mean), gradient_std=(results.NORM_DIMS, std))


def lines(ax):
    return [line for line in ax.get_lines() if line.get_gid() == "median"]


def test_the_panels_are_as_recorded_then_divided_by_weight_norms_then_the_ratio(with_gradients):
    left, middle, right = gradients(with_gradients).axes
    assert [len(lines(ax)) for ax in (left, middle, right)] == [6, 6, 3]
    for layer in range(3):
        assert lines(left)[layer].get_ydata()[0] == pytest.approx(0.4)
        assert lines(left)[3 + layer].get_ydata()[0] == pytest.approx(0.1)
        assert lines(middle)[layer].get_ydata()[0] == pytest.approx(0.4 / (1 + layer))  # the norm of layer n is n
        assert lines(middle)[3 + layer].get_ydata()[-1] == pytest.approx(0.1 / (1 + layer))
        np.testing.assert_allclose(lines(right)[layer].get_ydata()[[0, -1]], [4, 0.1])
        assert lines(right)[layer].get_xdata()[[0, -1]].tolist() == [1, LAST]


def test_the_transition_is_the_first_epoch_with_more_noise_than_signal(with_gradients, by_id):
    # a running median over 11 epochs leaves a step where it is
    assert transition(with_gradients) == CROSSES + 1
    for ax in gradients(with_gradients).axes:
        (line,) = by_id(ax, "transition")
        assert line.get_xdata()[0] == CROSSES + 1


def test_without_a_transition_none_is_marked(with_gradients, by_id):
    steady = with_gradients.assign(gradient_mean=with_gradients["gradient_std"] * 3)
    assert np.isnan(transition(steady))
    assert by_id(gradients(steady).axes[2], "transition") == []


def test_the_transition_needs_half_of_the_members(with_gradients):
    ds = with_gradients.copy(deep=True)
    ds["gradient_mean"][:3] = 0.4
    assert np.isnan(transition(ds))


def test_of_full_batches_only_the_mean_is_drawn(with_gradients):
    full = with_gradients.assign(gradient_std=with_gradients["gradient_std"] * np.nan)
    assert np.isnan(transition(full))
    assert [len(lines(ax)) for ax in gradients(full).axes] == [3, 3, 0]


def test_a_result_without_gradients_is_refused_and_not_suited(result):
    with pytest.raises(InputError, match="gradients needs 'gradient_mean'"):
        gradients(result)
    assert "gradients" not in suited(result, FIGURES)


def test_dead_members_have_no_part_in_the_transition(with_gradients):
    dead = with_gradients.copy(deep=True)
    for name in ("gradient_mean", "gradient_std"):
        dead[name][1] = 0.0
    assert transition(dead) == CROSSES + 1
