"""Clouds on a grid, by neighbors: one common cloud gives 0, separate clouds log2 N, the others the sum over cells."""

import math

import numpy as np
import pytest
from scipy import stats

import infoplane as ip
from infoplane.estimators import Ross
from infoplane.estimators._neighbors_judge import samples_needed
from infoplane.truth import GaussianClouds

GRIDS = {
    "1 decimal": lambda t: t.round(1),
    "2 decimals": lambda t: t.round(2),
    "half precision": lambda t: t.astype(np.float16),
    "16 levels": lambda t: np.rint(7.5 * np.tanh(t)) / 7.5,
    "float32 near 1": lambda t: (1 - 3e-6 + 4e-7 * t).astype(np.float32),
    "float32 near -1": lambda t: (4e-7 * t - 1 + 3e-6).astype(np.float32),
    "relu": lambda t: np.maximum(t, 0),
    "saturated": lambda t: np.clip(t, -1, 1),
}


def entropy_bits(p):
    held = p[p > 0]
    return float(-(held * np.log2(held)).sum())


def cell_bits(of_input):
    """Information of the row of a table about its column: the sum over cells; rows are equally probable."""
    return entropy_bits(of_input.mean(0)) - float(np.mean([entropy_bits(row) for row in of_input]))


@pytest.mark.parametrize("shape", [(100, 32, 1), (60, 20, 2)])
@pytest.mark.parametrize("grid", GRIDS)
def test_one_common_cloud_on_a_grid_gives_nothing(grid, shape):
    """The tolerance is 4 standard errors of the mean over seeds, and 0.02 bits for the bias of small samples."""
    bits = []
    for seed in range(4):
        t, y = np.random.default_rng(seed).standard_normal(shape), np.arange(shape[1]) % 2
        found = ip.as_if_random(GRIDS[grid](t), y)
        assert found.label is not None
        bits.append((found.input.bits, found.label.bits))
    mean, error = np.mean(bits, axis=0), np.std(bits, axis=0, ddof=1) / 2
    assert (np.abs(mean) < 4 * error + 0.02).all()


@pytest.mark.parametrize("grid", ["1 decimal", "2 decimals", "16 levels", "relu"])
@pytest.mark.parametrize("k", [1, 3])
def test_separate_clouds_on_a_grid_give_log2_n(grid, k):
    t = GRIDS[grid](np.random.default_rng(0).standard_normal((30, 16, 1))) + 16.0 * np.arange(16)[:, None]
    found = ip.as_if_random(t, np.arange(16) % 4, Ross(k=k))
    assert found.label is not None
    assert found.input.bits == pytest.approx(4, abs=1e-9)
    assert found.label.bits == pytest.approx(2, abs=0.01)


@pytest.mark.parametrize("k", [1, 3])
def test_separate_cells_of_one_value_each_give_log2_n_beside_separate_clouds(k):
    """Half of the inputs have one value in all samples, the others a cloud: all are apart."""
    rng = np.random.default_rng(0)
    t = 50.0 * np.arange(16)[None, :, None] + np.zeros((30, 16, 1))
    t[:, 8:] += rng.standard_normal((30, 8, 1)).round(1)
    assert ip.as_if_random(t, None, Ross(k=k)).input.bits == pytest.approx(4, abs=1e-9)


@pytest.mark.parametrize("n_weights", [100, 400])
def test_counts_meet_the_sum_over_cells(n_weights):
    """Input s of 8 draws counts of mean 2 + 2 s, and the class is s // 4."""
    counts = np.arange(80)
    table = np.stack([stats.poisson.pmf(counts, 2 + 2 * s) for s in range(8)])
    bits = []
    for seed in range(6):
        t = np.random.default_rng(seed).poisson(2 + 2 * np.arange(8), (n_weights, 8)).astype(float)[..., None]
        found = ip.as_if_random(t, np.arange(8) // 4)
        assert found.label is not None
        bits.append((found.input.bits, found.label.bits))
    mean = np.mean(bits, axis=0)
    assert mean[0] == pytest.approx(cell_bits(table), abs=0.04)
    assert mean[1] == pytest.approx(cell_bits(np.stack([table[:4].mean(0), table[4:].mean(0)])), abs=0.03)


def test_four_levels_meet_the_sum_over_cells():
    """Four inputs on four levels: the own one with probability 2/3, else any of the four."""
    table = np.full((4, 4), 1 / 12) + 2 / 3 * np.eye(4)
    rng, bits = np.random.default_rng(0), []
    for _ in range(8):
        own = rng.random((60, 4)) < 2 / 3
        t = np.where(own, np.arange(4), rng.integers(0, 4, (60, 4)))
        bits.append(ip.as_if_random(t.astype(float)[..., None] / 3).input.bits)
    assert np.mean(bits) == pytest.approx(cell_bits(table), abs=0.04)


@pytest.mark.slow
def test_gaussian_clouds_near_1_in_float32_keep_their_information():
    """Steps of 6e-8 below clouds of 6e-7 change less than 0.01 bits."""
    clouds = GaussianClouds.spread_out(32, 2, 0.3)
    plain = clouds.samples(200)
    t = (1 - 1e-5 + 3e-7 * plain / plain.std() * 4).astype(np.float32)
    assert np.abs(t).max() < 1
    found = ip.as_if_random(t, clouds.labels)
    assert found.label is not None
    assert "ties" in found.input.flags
    assert found.input.bits == pytest.approx(clouds.information, abs=0.1)
    assert found.label.bits == pytest.approx(clouds.label_information, abs=0.08)


def test_a_part_of_the_rows_has_the_same_terms():
    t = np.random.default_rng(0).standard_normal((40, 30, 2)).round(1)
    y = np.arange(30) % 3
    whole, part = (ip.as_if_random(t, y, queries=queries) for queries in (None, 400))
    for quantity, of_part in ((whole.input, part.input), (whole.label, part.label)):
        assert quantity is not None
        assert of_part is not None
        assert of_part.std_error is not None
        assert abs(quantity.bits - of_part.bits) < 4 * of_part.std_error


def test_the_label_on_a_grid_is_that_of_ross():
    t = np.random.default_rng(0).standard_normal((40, 30, 2)).round(2)
    y = np.arange(30) % 3
    pooled = ip.mutual_information(t.reshape(-1, 2), np.tile(y, 40), Ross(scale=None))
    found = ip.as_if_random(t, y).label
    assert found is not None
    assert found.bits == pytest.approx(pooled.bits, abs=2e-3)  # one rounds values of a grid to whole steps


@pytest.mark.parametrize("shape", [(12, 40, 1), (6, 10, 520)])
def test_few_levels_are_no_high_dimension_by_themselves(shape):
    t = np.random.default_rng(0).integers(0, 2, shape) * 1.0
    found = ip.as_if_random(t).input
    assert math.isfinite(found.bits)
    assert ("high-dimension" in found.flags) == (shape[2] > 1)
    assert "inf" not in found.reason


def test_numbers_of_samples_beyond_floats_are_written_as_powers_of_ten():
    """log10(3 · 4^600) = 0.477 + 361.236."""
    assert samples_needed(600.0, 3) == "3·4^d = 1e362"
    assert samples_needed(2.0, 3) == "3·4^d = 48"


def test_the_scale_of_the_network_is_kept_whatever_ross_says():
    t = np.random.default_rng(0).standard_normal((40, 30, 2)) * [1, 1000]
    standard, raw = (ip.as_if_random(t, None, Ross(scale=scale)).input for scale in ("standard", None))
    assert standard.bits == raw.bits
    assert standard.params["scale"] is None
