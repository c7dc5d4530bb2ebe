"""Layers of which only parts are held at a time: the same rows, the same sums."""

import numpy as np
import pytest

from infoplane import layer_information
from infoplane.estimators import _pairs_rows, _pairs_tiles
from infoplane.estimators._pairs import pair_sums
from infoplane.estimators._pairs_rows import WideRows, codes_of, in_unit_ball, mean_square, only, unit_ball

DIM = 70


def layer(n, kind=np.float32):
    """Clusters of points far from 0, a tenth of them twice."""
    rng = np.random.default_rng(n)
    corners = rng.choice([-1.0, 1.0], (6, DIM))
    t = 100 + corners[rng.integers(6, size=n)] + 0.05 * rng.normal(size=(n, DIM))
    t[: n // 10] = t[n - n // 10 :]
    return t.T.astype(kind)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_rows_made_when_asked_for_are_those_of_the_whole(kind):
    t = layer(5000, kind)
    whole, radius = unit_ball(t)
    rows = WideRows(t)
    assert rows.shape == whole.shape and len(rows) == 5000
    assert rows.radius == pytest.approx(radius, rel=1e-12)
    assert mean_square(rows) == pytest.approx(mean_square(whole), rel=1e-12)
    some = np.random.default_rng(0).integers(5000, size=40)
    for index in (some, slice(3, 4000, 7)):
        np.testing.assert_allclose(rows[index], whole[index], atol=1e-13)
        np.testing.assert_allclose(only(rows, some)[slice(2, 9)], whole[some[2:9]], atol=1e-13)
    for chosen in (rows, rows.only(some)):
        codes = codes_of(chosen)
        equal = codes_of(whole if chosen is rows else whole[some])
        assert len(np.unique(codes)) == len(np.unique(equal))
        assert len(np.unique(np.stack([codes, equal]), axis=1).T) == len(np.unique(equal))


def test_some_of_some_rows_are_rows_of_the_whole():
    rows = WideRows(layer(300))
    some = rows.only(np.arange(50, 250)).only(np.array([3, 199]))
    np.testing.assert_array_equal(some[0:2], rows[np.array([53, 249])])
    np.testing.assert_array_equal(codes_of(some), codes_of(rows)[[53, 249]])


def test_a_spread_beyond_all_noise_is_told_without_a_warning(monkeypatch):
    monkeypatch.setattr(_pairs_rows, "WIDE", 100)
    t = np.random.default_rng(0).normal(size=(50, 4)) * 1e200
    assert layer_information(t, None, "kde").input.flags == {"non-finite"}


def test_the_largest_numbers_overflow_in_the_radius_only():
    t = np.array([[1.7e308, -1.7e308], [1.7e308, -1.7e308]])
    rows = WideRows(t)
    assert rows.radius == np.inf and np.isfinite(rows[0:2]).all()


def test_equal_rows_have_a_radius_of_nought():
    rows = WideRows(np.full((3, 5), 7.0))
    assert (rows[0:5] == 0).all() and rows.mean_square == 0


@pytest.mark.parametrize("n", [700, 1024, 1300])
@pytest.mark.parametrize("blocks", [1, *(pytest.param(blocks, marks=pytest.mark.slow) for blocks in (2, 3))])
@pytest.mark.parametrize("scale", [1000.0, *(pytest.param(scale, marks=pytest.mark.slow) for scale in (4.0, 2e4))])
def test_two_parts_at_a_time_give_the_sums_of_all(monkeypatch, n, blocks, scale):
    """Tiles of one to three blocks of 128 rows; the last one is shorter, and rows are merged."""
    rows, _ = unit_ball(layer(n))
    labels = np.random.default_rng(1).choice(3, n, p=[0.7, 0.25, 0.05])
    options = {"scales": np.array([scale, scale / 8]), "tolerance": 1e-9}
    whole = pair_sums(rows, labels, **options)
    itemsize = 8 if scale == 2e4 else 4
    tile = blocks * 128 * DIM * itemsize * (1 if scale == 4.0 else 2)
    monkeypatch.setattr(_pairs_tiles, "TILE", tile)
    made = []
    jobs = _pairs_tiles.jobs
    monkeypatch.setattr(
        "infoplane.estimators._pairs.jobs", lambda *a, **k: (made.append(j) or j for j in jobs(*a, **k))
    )
    parts = pair_sums(rows, labels, **options)
    assert len(made) > 1 or -(-n // 128) <= 2 * blocks
    for name in ("upper", "lower", "upper_within", "lower_within"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)
    assert (parts.copies, parts.error) == (whole.copies, whole.error)
    assert parts.skipped == pytest.approx(whole.skipped, abs=1e-15)


@pytest.mark.parametrize(("estimator", "params"), [("noisy", {"draws": 1}), ("renyi", {"batch": 100})])
def test_other_estimators_make_its_rows_when_they_need_them(monkeypatch, estimator, params):
    t, y = layer(700).T, np.arange(700) % 3
    whole = layer_information(t, y, estimator, **params)
    monkeypatch.setattr(_pairs_rows, "WIDE", 1000)
    monkeypatch.setattr(_pairs_rows, "unit_ball", None)
    parts = layer_information(t, y, estimator, **params)
    for one, other in ((parts.input, whole.input), (parts.label, whole.label)):
        assert one.bits == pytest.approx(other.bits, abs=1e-6)
        assert one.flags == other.flags


@pytest.mark.slow
@pytest.mark.parametrize("variance", [1e-4, 0.1])
def test_a_layer_too_large_to_copy_is_measured_alike(monkeypatch, variance):
    t, y = layer(1300).T, np.arange(1300) % 3
    whole = layer_information(t, y, "kde", variance=variance)
    monkeypatch.setattr(_pairs_rows, "WIDE", 1000)
    monkeypatch.setattr(_pairs_tiles, "TILE", 2**17)
    assert isinstance(in_unit_ball(t.T)[0], WideRows)
    parts = layer_information(t, y, "kde", variance=variance)
    for one, other in ((parts.input, whole.input), (parts.label, whole.label)):
        assert one.bits == pytest.approx(other.bits, abs=1e-6)
        assert one.flags == other.flags


@pytest.mark.parametrize("distinct", [1, 50, 300])
def test_a_large_layer_of_few_distinct_rows_is_measured_alike(monkeypatch, distinct):
    """Merged, its rows are one part of the two that are held."""
    t = layer(distinct).T[np.random.default_rng(0).integers(distinct, size=2000)]
    t[0] += 1
    rows, labels = unit_ball(t.T)[0], np.arange(2000) % 3
    options = {"scales": np.array([4.0, 1000.0]), "tolerance": 1e-9}
    whole = pair_sums(rows, labels, **options)
    monkeypatch.setattr(_pairs_tiles, "TILE", 7 * 128 * DIM * 8)
    parts = pair_sums(rows, labels, **options)
    for name in ("upper", "lower", "upper_within", "lower_within"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), rtol=1e-12)
    assert (parts.copies, parts.skipped) == (whole.copies, whole.skipped)
