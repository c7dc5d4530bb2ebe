"""The scale of epochs, colours, limits."""

import numpy as np
import pytest

from infoplane.plots import style


@pytest.mark.parametrize(
    ("last", "ticks"),
    [
        (8000, [0, 1, 10, 100, 1000, 8000]),
        (2000, [0, 1, 10, 100, 2000]),  # 1000 would touch 2000
        (1000, [0, 1, 10, 100, 1000]),
        (6, [0, 1, 6]),
        (1, [0, 1]),
        (0, [0, 1]),
    ],
)
def test_epochs_named_are_0_powers_of_ten_and_the_last(last, ticks):
    assert style.epoch_ticks(last) == ticks


def test_scale_of_epochs_is_logarithmic_from_1():
    norm = style.epoch_norm(np.array([0, 1, 10, 100, 1000]))
    place = np.asarray(norm([0, 1, 10, 100, 1000]))
    assert place[0] == 0
    assert place[-1] == pytest.approx(1)
    first, *decades = np.diff(place)
    np.testing.assert_allclose(decades, 2 * first, rtol=1e-9)  # epoch 0 lies half a decade below 1


@pytest.mark.parametrize("n_layers", [1, 6, 7, 20])
def test_layers_have_different_colours(n_layers):
    assert len(np.unique(style.layer_colours(n_layers), axis=0)) == n_layers


def test_epochs_get_lighter_from_first_to_last():
    red, green, blue, _ = style.epoch_colours()(np.linspace(0, 1, 32)).T
    lightness = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    assert (np.diff(lightness) > 0).all()


def test_limits_hold_finite_values_and_margins():
    assert style.include((0.0, 8.0), np.array([np.nan, -2.0, np.inf]), 0.1, 0.2) == pytest.approx((-3.0, 10.0))
