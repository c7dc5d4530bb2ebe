"""Rows that depend on each other: the flag, nulls by shifts and blocks, parts of whole blocks."""

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane
from infoplane import InputError
from infoplane.estimators._row_blocks import null_order, parts_of_blocks, rows_of_groups
from infoplane.estimators._row_order import autocorrelated, block_length, row_dependence
from infoplane.estimators.pair import as_variable


def series(seed, n=1000, phi=0.99):
    """An autoregressive series of order 1 in its stationary state: ρ(l) = φ^l."""
    from scipy.signal import lfilter

    return lfilter([1], [1, -phi], np.random.default_rng(seed).normal(size=n + 2000))[2000:]


def flagged(x, y):
    return bool(autocorrelated(as_variable(x, "x"), as_variable(y, "y")))


def test_two_slow_series_are_flagged_with_their_worth_in_independent_rows():
    """For φ = 0.9 the variance is (1 + φ²)/(1 − φ²) = 9.5 times that of independent rows."""
    found = row_dependence(as_variable(series(0, 20_000, 0.9), "x"), as_variable(series(1, 20_000, 0.9), "y"))
    assert found.inflation == pytest.approx(1.81 / 0.19, rel=0.15)  # ranks of a normal series lose a few percent
    estimate = ip.mutual_information(series(0), series(1), "gaussian")
    assert "autocorrelated" in estimate.flags
    assert "independent ones" in estimate.reason


@pytest.mark.parametrize("n", [60, 300, 1000])
def test_independent_rows_are_flagged_in_less_than_one_percent(n):
    rng, count = np.random.default_rng(n), 0
    for _ in range(100):
        x, y = rng.normal(size=(n, 3)), rng.integers(0, 4, n)
        count += flagged(x, x + 0.1 * rng.normal(size=(n, 3)))  # equal columns: ρ² does not cancel
        count += flagged(x + y[:, None], y) + flagged(rng.standard_cauchy(n), x)
    assert count <= 3  # of 300: 1 %


@pytest.mark.parametrize("n", [200, 1000])
def test_rows_grouped_by_class_are_exchangeable_and_not_flagged(n):
    rng = np.random.default_rng(n)
    y = np.sort(rng.integers(0, 5, n))
    noise = rng.normal(size=(n, 4))
    assert not flagged(noise + 3 * y[:, None], y)
    assert not flagged(np.maximum(noise + 0.5 * y[:, None], 0), y)
    assert not flagged((rng.random(n) < 0.2 + 0.1 * y).astype(int), y)


def test_a_slow_series_beside_blocks_of_labels_is_flagged():
    assert flagged(series(0), (np.arange(1000) // 100) % 2)


def test_a_slow_series_beside_white_noise_is_not_flagged():
    assert not any(flagged(series(seed), np.random.default_rng(seed).normal(size=1000)) for seed in range(20))


def test_sorted_rows_are_told_to_be_shuffled():
    x = np.sort(np.random.default_rng(0).normal(size=500))
    assert "shuffle both variables alike" in autocorrelated(as_variable(x, "x"), as_variable(x**3, "y"))
    order = np.random.default_rng(1).permutation(500)
    assert not flagged(x[order], x[order] ** 3)


def test_shifts_and_blocks_are_orders_that_keep_neighbors():
    blocks = list(np.split(np.arange(100), range(10, 100, 10)))
    for kind in ("shift", "block"):
        order = null_order(kind, 100, blocks, 0, 3, 19)
        assert sorted(order) == list(range(100))
        assert (np.diff(order) == 1).sum() >= 89
        assert (order == null_order(kind, 100, blocks, 0, 3, 19)).all()
        assert not (order == null_order(kind, 100, blocks, 0, 4, 19)).all()


@pytest.mark.parametrize(("n", "count"), [(100, 19), (100, 39), (7, 6), (5, 20), (2, 2)])
def test_shifts_and_the_unshifted_order_are_evenly_spaced(n, count):
    starts = [int(null_order("shift", n, None, 0, index, count)[0]) for index in range(count)]
    assert all(0 < start < n for start in starts)  # never unshifted
    if n > count:
        gaps = np.diff([0, *starts, n])
        assert gaps.max() - gaps.min() <= 1  # rounded to whole rows


@pytest.mark.parametrize(("phi", "n", "bound"), [(0.9, 500, 0.07), (0.99, 1000, 0.07)])
def test_shifts_have_their_level_for_the_correlation_of_independent_series(phi, n, bound):
    """The Gaussian estimate rises with r², so 3000 pairs are tested by correlations around the circle, with one FFT."""
    from scipy.signal import lfilter

    z = lfilter([1], [1, -phi], np.random.default_rng(0).normal(size=(2, 3000, n + 1500)))[..., -n:]
    transformed = np.fft.rfft(z - z.mean(axis=-1, keepdims=True))
    r = np.abs(np.fft.irfft(transformed[0].conj() * transformed[1], n))
    shifts = [null_order("shift", n, None, 0, index, 39)[0] for index in range(39)]
    p = (1 + (r[:, shifts] >= r[:, :1]).sum(axis=1)) / 40
    assert 0.03 <= np.mean(p <= 0.05 + 1e-9) <= bound  # a standard error is 0.4 %


def test_groups_move_whole():
    groups = np.array([2, 0, 2, 1, 0, 2])
    blocks = rows_of_groups(groups)
    assert [list(block) for block in blocks] == [[1, 4], [3], [0, 2, 5]]
    order = null_order("block", 6, blocks, 0, 0, 19)
    assert sorted(order) == list(range(6))
    parts = parts_of_blocks(blocks, 2, np.random.default_rng(0))
    assert sorted(np.concatenate(parts)) == list(range(6))
    assert all(len({int(groups[row]) for row in part} & {int(groups[row]) for row in other}) == 0
               for part in parts for other in parts if part is not other)  # fmt: skip


def test_blocks_follow_the_autocorrelation():
    slow, quick = (block_length(*(as_variable(series(s, phi=phi), "x") for s in (0, 1))) for phi in (0.98, 0.8))
    assert slow > quick > 1
    white = np.random.default_rng(0).normal(size=(2, 1000))
    assert block_length(as_variable(white[0], "x"), as_variable(white[1], "y")) == 1


def test_shifted_null_of_slow_series_holds_what_unrelated_ones_show():
    x, y = series(10), series(11)
    shuffled = ip.mutual_information(x, y, "ksg1", null=39)
    shifted = ip.mutual_information(x, y, "ksg1", null=39, null_kind="shift", uncertainty=True)
    assert shuffled.null.p == pytest.approx(1 / 40)
    assert shifted.null.p > 0.05
    assert shifted.null.mean > 10 * abs(shuffled.null.mean)
    assert shifted.interval[0] <= 0 <= shifted.interval[1]
    assert shifted.bits == shuffled.bits


def test_dependent_series_stay_dependent_beside_shifts():
    x = series(0, phi=0.9)
    y = x + 0.5 * np.random.default_rng(5).normal(size=1000)
    assert ip.mutual_information(x, y, "ksg1", null=39, null_kind="shift").null.p == pytest.approx(1 / 40)


def test_repeated_measurements_widen_the_interval():
    """Each of 100 subjects five times: the error is that of 100 rows, √5 times that of 500 independent ones."""
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(100), 5)
    x = rng.normal(size=100)
    y = 0.8 * x + 0.6 * rng.normal(size=100)
    x, y = (v[subject] + 1e-3 * rng.normal(size=500) for v in (x, y))
    alone = ip.mutual_information(x, y, "gaussian", uncertainty=True)
    grouped = ip.mutual_information(x, y, "gaussian", uncertainty=True, groups=subject)
    assert 1.5 < grouped.std_error / alone.std_error < 3.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"null_kind": "bootstrap"}, "null_kind: expected one of shuffle, shift, block"),
        ({"block": 0, "null_kind": "block"}, "block: expected a whole number"),
        ({"block": 600}, "block: expected a whole number"),
        ({"block": 5, "groups": np.zeros(1000, int)}, "block: expected None together with groups"),
        ({"groups": np.zeros(4, int)}, "groups"),
    ],
)
def test_what_cannot_be_used_is_refused(options, words):
    with pytest.raises(InputError, match=words):
        ip.mutual_information(series(0), series(1), "gaussian", null=2, **options)


def test_the_command_offers_the_kind_of_null(tmp_path):
    paths = [tmp_path / f"{name}.npy" for name in "xy"]
    for seed, path in enumerate(paths):
        np.save(path, series(seed))
    options = ["--estimator", "gaussian", "--null", "9", "--null-kind", "shift"]
    code, out, _ = infoplane("estimate", "--x", paths[0], "--y", paths[1], *options)
    assert code == 0
    assert "9 shifts of y" in out
    assert "flag autocorrelated" in out


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.9, 0.99])
def test_shifts_reject_independent_series_in_about_five_percent(phi):
    pairs = [(series(2 * seed, 500, phi), series(2 * seed + 1, 500, phi)) for seed in range(400)]
    p = [ip.mutual_information(x, y, "ksg1", null=39, null_kind="shift").null.p for x, y in pairs]
    assert np.mean(np.array(p) <= 0.05) <= 0.07 + 0.022  # two standard errors of 400 pairs


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.9, 0.99])
def test_intervals_of_independent_series_hold_zero(phi):
    held = []
    for seed in range(60):
        x, y = series(2 * seed, 1000, phi), series(2 * seed + 1, 1000, phi)
        low, high = ip.mutual_information(x, y, "ksg1", null=19, null_kind="shift", uncertainty=True).interval
        held.append(low <= 0 <= high)
    assert np.mean(held) >= 0.9
