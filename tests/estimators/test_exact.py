"""Exact counting of activation rows."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoplane import layer_information
from infoplane.estimators.base import Layers
from infoplane.estimators.rows import distinct_rows, row_codes


def test_fifty_distinct_rows_ten_times_each_hold_log2_50_bits():
    rng = np.random.default_rng(0)
    t = np.repeat(rng.standard_normal((50, 7)), 10, axis=0)[rng.permutation(500)]
    assert layer_information(t, None, "exact").input.bits == pytest.approx(math.log2(50), abs=1e-12)


def test_integer_activations_are_counted():
    t = np.array([[0, 1], [0, 1], [3, 1], [3, 2]])
    information = layer_information(t, [0, 0, 1, 1], "exact")
    assert information.input.bits == 1.5
    assert information.label.bits == 1.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_one_rounding_apart_are_different_rows(dtype):
    one = dtype(0.3)
    t = np.array([[one], [np.nextafter(one, dtype(1))], [one], [dtype(-0.3)]])
    assert layer_information(t, None, "exact").input.bits == 1.5


def test_minus_zero_is_zero():
    assert layer_information(np.array([[0.0], [-0.0]]), None, "exact").input.bits == 0


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_injective_map_of_the_activations_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    t, y = rng.integers(-3, 4, (60, 3)).astype(float), rng.integers(0, 3, 60)
    mapped = np.exp(t[:, ::-1]) * 5 + 1
    before, after = layer_information(t, y, "exact"), layer_information(mapped, y, "exact")
    assert (before.input.bits, before.label.bits) == (after.input.bits, after.label.bits)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_merging_labels_never_raises_their_information(seed):
    rng = np.random.default_rng(seed)
    t, y = rng.integers(0, 3, (60, 2)), rng.integers(0, 4, 60)
    merged = layer_information(t, y // 2, "exact").label.bits
    assert merged <= layer_information(t, y, "exact").label.bits + 1e-12


def test_distinct_rows_are_counted_for_every_layer_of_a_batch():
    t = np.stack([np.arange(12.0).reshape(2, 6), np.zeros((2, 6)), np.tile([[1.0, 2.0], [3.0, 4.0]], 3)])
    assert distinct_rows(Layers(t)).tolist() == [6, 1, 2]


def test_codes_of_a_million_neighbouring_rows_do_not_collide():
    grid = np.stack(np.meshgrid(np.arange(1000.0), np.arange(1000.0))).reshape(1, 2, -1)
    assert len(np.unique(row_codes(grid))) == 10**6


def test_a_non_finite_layer_is_nan_and_flagged():
    estimate = layer_information(np.array([[1.0], [np.inf]]), None, "exact").input
    assert math.isnan(estimate.bits)
    assert estimate.flags == {"non-finite"}
