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


MACHADO = {
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "full colour vision": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}
"""How linear RGB is seen (Machado, Oliveira & Fernandes 2009, severity 1)."""

XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colours, sight):
    """CIELAB coordinates of sRGB colours as a kind of colour vision sees them."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.array(MACHADO[sight]).T, 0, 1) @ XYZ.T / XYZ.sum(axis=1)
    root = np.where(seen > 0.008856, np.cbrt(seen), 7.787 * seen + 16 / 116)
    return np.stack([116 * root[:, 1] - 16, 500 * (root[:, 0] - root[:, 1]), 200 * (root[:, 1] - root[:, 2])], axis=1)


def nearest(colours, sight):
    """The smallest CIELAB distance between two of some colours."""
    seen = lab(np.asarray(colours), sight)
    apart = np.linalg.norm(seen[:, None] - seen, axis=-1)
    return apart[np.triu_indices(len(seen), 1)].min()


@pytest.mark.parametrize("sight", MACHADO)
def test_colours_of_layers_are_told_apart_with_any_colour_vision(sight):
    """A distance of 2.3 is just noticed side by side; ten is clear at a glance."""
    assert nearest(style.layer_colours(6)[:, :3], sight) > 10


def test_the_measure_of_distance_finds_colours_that_are_confused():
    """Red and the green that a deuteranope takes for it."""
    confused = np.array([[0.75, 0.25, 0.1], [0.45, 0.45, 0.1]])
    assert nearest(confused, "full colour vision") > 30
    assert nearest(confused, "deuteranopia") < 20
