"""Shares of activations in cells, against cases worked out by hand."""

import numpy as np
import pytest

from infoplane.nets import histogram


def cell_of(value):
    """Number of the only cell that holds a value."""
    (found,) = histogram.shares(np.full((1, 1, 1), value, np.float32))
    assert found.sum() == 1
    return int(found.argmax())


def test_shares_of_a_member_add_up_to_one():
    t = np.random.default_rng(0).standard_normal((3, 4, 50)).astype(np.float32) * 100
    np.testing.assert_allclose(histogram.shares(t).sum(axis=1), 1, rtol=1e-6)  # float32


def test_half_of_the_values_are_half_of_the_mass():
    t = np.array([[[0.01, 0.02, 0.99, 0.51]]], np.float32)
    (found,) = histogram.shares(t)
    assert found[cell_of(0.015)] == 0.5
    assert found[cell_of(0.98)] == found[cell_of(0.53)] == 0.25


@pytest.mark.parametrize(("value", "like"), [(1.0, 0.96), (-1.0, -0.96), (0.0, 0.04), (1e6, 200.0), (-1e6, -200.0)])
def test_ends_of_bounded_activations_and_what_is_beyond_the_last_edge_have_their_cells(value, like):
    assert cell_of(value) == cell_of(like)


@pytest.mark.parametrize(("value", "other"), [(1.0, 1.01), (-1.0, -1.01), (0.0, -0.01), (99.0, 101.0)])
def test_what_lies_beyond_an_edge_is_in_another_cell(value, other):
    assert cell_of(value) != cell_of(other)


def test_the_cells_are_in_order_and_the_first_has_no_beginning():
    assert histogram.LOWER[0] == -np.inf
    assert (np.diff(histogram.EDGES) > 0).all()
    assert len(histogram.LOWER) == 2 * 16 + 41 + 1  # two decades of 8 on each side, 40 cells between 41 edges


def test_a_member_that_is_not_finite_has_no_shares():
    t = np.zeros((2, 1, 3), np.float32)
    t[1, 0, 2] = np.nan
    found = histogram.shares(t)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()
