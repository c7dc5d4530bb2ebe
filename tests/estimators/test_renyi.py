"""Matrix-based Rényi information against hand-made matrices and a direct, independent implementation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infoplane import InputError
from infoplane.estimators import renyi
from infoplane.estimators.base import Layers
from infoplane.estimators.renyi import Renyi

ALPHAS = [0.3, 0.99, 1.01, 2.0, 3.0, 7.5]


def direct_entropy(matrix, alpha):
    eigenvalues = np.clip(np.linalg.eigvalsh(matrix / np.trace(matrix)), 0, None)
    eigenvalues = eigenvalues[eigenvalues > 1e-13]
    return math.log2((eigenvalues**alpha).sum()) / (1 - alpha)


def direct_information(t, y, alpha, width):
    """I(X;T) and I(T;Y) with three kernel matrices and two Hadamard products, as the papers define them."""
    a = np.array([[math.exp(-sum((p - q) ** 2) / (2 * width**2)) for q in t] for p in t])
    which_row = np.eye(len(t))
    label = (np.asarray(y)[:, None] == np.asarray(y)).astype(float)
    return tuple(
        direct_entropy(a, alpha) + direct_entropy(b, alpha) - direct_entropy(a * b, alpha) for b in (which_row, label)
    )


def example(seed=0, n=60, d=3):
    rng = np.random.default_rng(seed)
    t = rng.standard_normal((n, d))
    return t, (t[:, 0] + 0.5 * rng.standard_normal(n) > 0).astype(int)


def clusters(sizes, gap=100.0):
    """Points so far apart that the kernel of width 1 is 1 within a cluster and 0 between."""
    return np.repeat(np.arange(len(sizes)) * gap, sizes)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_matrix_of_ones_has_entropy_0(alpha):
    assert renyi.matrix_entropy(np.ones((40, 40)), alpha) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_the_identity_has_entropy_log2_n(alpha):
    assert renyi.matrix_entropy(np.eye(40), alpha) == pytest.approx(math.log2(40), abs=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("n_clusters", [2, 5])
def test_equal_blocks_have_the_entropy_of_their_number(alpha, n_clusters):
    t = clusters([8] * n_clusters)
    information = Renyi(alpha=alpha, width=1.0).of_layer(t, t.astype(int))
    assert information.input.bits == pytest.approx(math.log2(n_clusters), abs=1e-12)
    # the label's kernel is the same matrix, and so is their product
    assert information.label.bits == pytest.approx(math.log2(n_clusters), abs=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_unequal_blocks_have_the_renyi_entropy_of_their_shares(alpha):
    t = clusters([2, 6, 24])
    expected = math.log2(sum((size / 32) ** alpha for size in (2, 6, 24))) / (1 - alpha)
    information = Renyi(alpha=alpha, width=1.0).of_layer(t, t.astype(int))
    assert information.input.bits == pytest.approx(expected, abs=1e-12)
    assert information.label.bits == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_label_that_the_layer_cannot_know_shares_nothing_with_it(alpha):
    t = clusters([8, 8, 8])
    label = np.tile([0, 1], 12)  # crosses the clusters evenly, so the product has 6 equal blocks
    assert Renyi(alpha=alpha, width=1.0).of_layer(t, label).label.bits == pytest.approx(0, abs=1e-12)


def test_two_rows_have_the_entropy_worked_out_by_hand():
    # K = [[1, e], [e, 1]] with e = exp(−1/2): eigenvalues of K/2 are (1 ± e)/2.
    e = math.exp(-0.5)
    for alpha in (0.5, 1.01, 2.0, 3.0):
        expected = math.log2(((1 + e) / 2) ** alpha + ((1 - e) / 2) ** alpha) / (1 - alpha)
        assert Renyi(alpha=alpha, width=3.0).of_layer([0.0, 3.0]).input.bits == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("width", [0.3, 1.0, 4.0])
def test_both_values_agree_with_a_direct_implementation(alpha, width):
    t, y = example()
    # A small α makes much of eigenvalues at the edge of rounding: 1e-14^0.3 = 6e-5 each.
    tolerance = 1e-2 if alpha < 0.5 else 1e-9
    information = Renyi(alpha=alpha, width=width).of_layer(t, y)
    expected = direct_information(t, y, alpha, width)
    assert information.input.bits == pytest.approx(expected[0], abs=tolerance)
    assert information.label.bits == pytest.approx(expected[1], abs=tolerance)


def test_order_2_needs_no_eigenvalues_and_agrees_with_them(monkeypatch):
    t, y = example(1)
    gram = renyi.gaussian_gram(renyi.squared_distances(t[:, None]), np.array([1.0]))
    by_eigenvalues = (
        renyi.spectral_entropy(np.linalg.eigvalsh(gram / 60), 2.0),
        renyi.spectral_entropy(np.linalg.eigvalsh(gram * (y[:, None] == y) / 60), 2.0),
    )
    monkeypatch.setattr(np.linalg, "eigvalsh", None)
    assert renyi.matrix_entropy(gram, 2.0) == pytest.approx(by_eigenvalues[0], abs=1e-10)
    assert renyi.entropy_with_label(gram, y, 2.0) == pytest.approx(by_eigenvalues[1], abs=1e-10)


def test_near_order_1_it_is_the_entropy_of_von_neumann():
    t, _ = example(2)
    gram = renyi.gaussian_gram(renyi.squared_distances(t[:, None]), np.array([1.0]))
    eigenvalues = np.linalg.eigvalsh(gram / 60)
    logs = np.log2(eigenvalues[eigenvalues > 1e-15])
    weights = eigenvalues[eigenvalues > 1e-15]
    von_neumann = -(weights @ logs)
    # dS/dα at 1 is −(ln 2/2) Var(log2 λ); S falls with α
    slope = math.log(2) / 2 * (weights @ logs**2 - von_neumann**2)
    for step in (1e-2, 1e-3, 1e-4):
        below, above = renyi.matrix_entropy(gram, 1 - step), renyi.matrix_entropy(gram, 1 + step)
        assert above < von_neumann < below
        assert below - von_neumann == pytest.approx(slope * step, rel=10 * step)
        assert von_neumann - above == pytest.approx(slope * step, rel=10 * step)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    alpha=st.sampled_from(ALPHAS),
    width=st.sampled_from([0.1, 1.0, 10.0, "silverman", "neighbours", "alignment"]),
)
def test_values_lie_between_0_and_their_caps_and_ignore_the_order_of_rows_and_units(seed, alpha, width):
    t, y = example(seed, n=30)
    rng = np.random.default_rng(seed)
    one = Renyi(alpha=alpha, width=width).of_layer(t, y)
    order = rng.permutation(30)
    two = Renyi(alpha=alpha, width=width).of_layer(t[order][:, rng.permutation(3)], y[order])
    tolerance = 1e-2 if alpha < 0.5 else 1e-9  # as above
    assert one.input.bits == pytest.approx(two.input.bits, abs=tolerance)
    assert one.label.bits == pytest.approx(two.label.bits, abs=tolerance)
    assert -1e-9 <= one.input.bits <= math.log2(30) + 1e-9
    assert one.label.bits <= min(one.input.bits, renyi.label_entropy(y, alpha)) + tolerance


def test_entropy_falls_with_the_order_and_with_the_width():
    t, _ = example(3)
    by_order = [Renyi(alpha=alpha, width=1.0).of_layer(t).input.bits for alpha in ALPHAS]
    by_width = [Renyi(width=width).of_layer(t).input.bits for width in (0.01, 0.1, 1.0, 10.0, 100.0)]
    assert (np.diff(by_order) < 0).all()
    assert (np.diff(by_width) < 0).all()
    assert by_width[0] == pytest.approx(math.log2(60), abs=1e-3)
    assert by_width[-1] == pytest.approx(0, abs=1e-2)


def test_a_high_order_sees_the_largest_eigenvalue_only():
    t = clusters([2, 6, 24])
    # S_∞ = −log2 of it; at order α the sum's exponent adds the factor α/(α − 1)
    assert Renyi(alpha=1e6, width=1.0).of_layer(t).input.bits == pytest.approx(-math.log2(24 / 32), rel=2e-6)


def test_silverman_width_by_hand():
    squares = renyi.squared_distances(np.array([0.0, 2.0])[:, None, None])[0]
    # both rows are 1 away from their mean; n = 2, d = 1
    assert renyi.silverman_width(squares, 1) == pytest.approx(2 ** (-1 / 5), abs=1e-15)
    t, _ = example()
    spread = math.sqrt(((t - t.mean(0)) ** 2).sum(1).mean())
    squares = renyi.squared_distances(t[:, None])[0]
    assert renyi.silverman_width(squares, 3) == pytest.approx(spread * 60 ** (-1 / 7), rel=1e-12)


def test_gamma_multiplies_the_rule():
    t, y = example()
    spread = math.sqrt(((t - t.mean(0)) ** 2).sum(1).mean())
    ruled = Renyi(gamma=0.7).of_layer(t, y)
    fixed = Renyi(width=0.7 * spread * 60 ** (-1 / 7)).of_layer(t, y)
    assert ruled.input.bits == pytest.approx(fixed.input.bits, abs=1e-10)
    assert ruled.label.bits == pytest.approx(fixed.label.bits, abs=1e-10)


def test_the_width_of_neighbours_by_hand():
    squares = renyi.squared_distances(np.array([0.0, 1.0, 3.0])[:, None, None])[0]
    # fewer than 10 others: all of them; (1 + 3) + (1 + 2) + (2 + 3) over 6
    assert renyi.neighbours_width(squares) == pytest.approx(2, abs=1e-15)
    line = renyi.squared_distances(np.arange(101.0)[:, None, None])[0]
    # ten nearest of an inner row: 1…5 on either side, mean 3; the end rows' are farther
    expected = np.mean([np.sort(np.abs(np.arange(101) - i))[1:11].mean() for i in range(101)])
    assert renyi.neighbours_width(line) == pytest.approx(expected, abs=1e-12)


def test_the_aligned_width_is_the_best_of_the_grid():
    t, y = example(4)
    squares = renyi.squared_distances(t[:, None])
    label = (y[:, None] == y).astype(float)

    def alignment(width):
        gram = renyi.gaussian_gram(squares, np.array([width]))
        return (gram * label).sum() / (np.linalg.norm(gram) * np.linalg.norm(label))

    mean = np.sqrt(squares[0][np.triu_indices(60, 1)]).mean()
    best = max(mean * renyi.ALIGNMENT_GRID, key=alignment)
    assert renyi.aligned_width(squares[0], y) == pytest.approx(best, rel=1e-12)
    assert 0.1 * mean < best < 10 * mean  # an inner point of the grid


def test_alignment_finds_the_classes_where_they_are_clusters():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 40)
    t = rng.standard_normal((80, 2)) + 50 * y[:, None]
    information = Renyi(width="alignment").of_layer(t, y)
    assert information.label.bits == pytest.approx(1, abs=0.01)
    assert information.input.bits < 1.1  # the kernel is wide against a cluster


@pytest.mark.parametrize("width", ["silverman", "neighbours", "alignment"])
def test_a_rule_follows_the_scale_of_the_layer(width):
    t, y = example(5)
    one, two = Renyi(width=width).of_layer(t, y), Renyi(width=width).of_layer(1e3 * t - 7, y)
    assert one.input.bits == pytest.approx(two.input.bits, abs=1e-9)
    assert one.label.bits == pytest.approx(two.label.bits, abs=1e-9)


def test_a_fixed_width_sees_a_layer_shrink():
    t, _ = example(5)
    assert Renyi(width=1.0).of_layer(t).input.bits > 1 + Renyi(width=1.0).of_layer(t / 4).input.bits


def test_channels_multiply_their_kernels():
    t, y = example(6, d=6)
    rows = t.reshape(60, 3, 2)  # (sample, channel, dim)
    grams = []
    for channel in range(3):
        part = rows[:, channel]
        spread = math.sqrt(((part - part.mean(0)) ** 2).sum(1).mean())
        width = spread * 60 ** (-1 / 6)
        squares = ((part[:, None] - part) ** 2).sum(-1)
        grams.append(np.exp(-squares / (2 * width**2)))
    product = grams[0] * grams[1] * grams[2]
    label = (y[:, None] == y).astype(float)
    expected = direct_entropy(product, 1.01)
    information = Renyi(channels=3).of_layer(t, y)
    assert information.input.bits == pytest.approx(expected, abs=1e-9)
    assert information.label.bits == pytest.approx(
        expected + direct_entropy(label, 1.01) - direct_entropy(product * label, 1.01), abs=1e-9
    )


def test_with_one_width_for_all_channels_do_not_matter():
    t, y = example(7, d=6)
    one, three = (Renyi(width=2.0, channels=channels).of_layer(t, y) for channels in (1, 3))
    assert one.input.bits == pytest.approx(three.input.bits, abs=1e-10)


def test_batches_share_out_all_rows_once_and_evenly():
    split = renyi._split(1030, 512)
    assert [len(own) for own in split] == [344, 343, 343]
    assert sorted(np.concatenate(split).tolist()) == list(range(1030))
    assert (np.diff(split[0]) != 1).any()  # shuffled, for rows may be ordered by class
    assert [own.tolist() for own in renyi._split(4, 512)] == [[0, 1, 2, 3]]


def test_values_are_means_over_the_batches():
    t, y = example(8)
    batches = renyi._split(60, 25)
    parts = [Renyi(width=1.0).of_layer(t[own], y[own]) for own in batches]
    whole = Renyi(width=1.0, batch=25).of_layer(t, y)
    assert whole.input.bits == pytest.approx(np.mean([part.input.bits for part in parts]), abs=1e-10)
    assert whole.label.bits == pytest.approx(np.mean([part.label.bits for part in parts]), abs=1e-10)


def test_rows_that_the_kernel_tells_apart_are_flagged_with_the_batch():
    estimate = Renyi(width=0.1, batch=32).of_layer(np.arange(64.0)).input
    assert estimate.bits == pytest.approx(5, abs=1e-12)
    assert estimate.flags == {"saturated"}
    assert estimate.reason == "saturated at 5.0 of 5.0 bits: reflects the 32 rows of a batch, not the network"


@pytest.mark.parametrize("width", ["silverman", "neighbours", "alignment", 1.0])
def test_a_constant_layer_says_exactly_nothing(width):
    information = Renyi(width=width).of_layer(np.full((50, 3), 0.7), [0, 1] * 25)
    for estimate in (information.input, information.label):
        assert estimate.bits == 0
        assert estimate.flags == {"constant"}


@pytest.mark.parametrize("width", ["silverman", "neighbours", "alignment"])
def test_a_batch_of_equal_rows_in_a_live_layer_counts_as_0(width):
    live, _ = renyi._split(40, 20)
    t, y = np.zeros(40), np.arange(40) % 2
    t[live[0]] = 1.0  # the other batch holds equal rows only
    alone = Renyi(width=width).of_layer(t[live], y[live]).input.bits
    assert alone > 0
    assert Renyi(width=width, batch=20).of_layer(t, y).input.bits == pytest.approx(alone / 2, abs=1e-12)


def test_rows_with_ten_copies_under_the_rule_of_neighbours_are_counted_exactly():
    # every row has 10 copies, so the mean distance to the 10 nearest is 0 and only equal rows are alike
    t = np.repeat(np.arange(4.0), 11)
    assert Renyi(width="neighbours").of_layer(t).input.bits == pytest.approx(2, abs=1e-12)


def test_one_class_leaves_no_label_information():
    t, _ = example()
    label = Renyi().of_layer(t, np.zeros(60, int)).label
    assert label.bits == pytest.approx(0, abs=1e-12)
    assert label.flags == {"constant"}


def test_its_kind_keeps_it_apart_from_shannon_bits():
    t, y = example()
    information = Renyi().of_layer(t, y)
    assert information.input.kind == information.label.kind == "renyi"


def test_a_non_finite_layer_is_nan_and_touches_no_neighbour():
    layers = np.stack([example(seed)[0].T for seed in range(3)])
    labels = example()[1]
    clean = Renyi().measure(Layers(layers.copy(), labels))
    layers[1, 2, 7] = np.nan
    values = Renyi().measure(Layers(layers, labels))
    for found in (values.input, values.label):
        assert np.isnan(found.bits).tolist() == [False, True, False]
        assert found.flags[1] == {"non-finite"}
        assert found.reasons[1] == "1 of 180 activations are not finite"
    assert (values.input.bits[[0, 2]] == clean.input.bits[[0, 2]]).all()
    assert (values.label.bits[[0, 2]] == clean.label.bits[[0, 2]]).all()


@pytest.mark.parametrize("width", ["silverman", "neighbours", "alignment", 1.0])
def test_the_largest_numbers_neither_overflow_nor_warn(width):
    information = Renyi(width=width).of_layer(np.array([0.0, 1e308, -1e308, 2.0]), [0, 1, 0, 1])
    assert 0 <= information.input.bits <= 2 + 1e-12


def test_inputs_are_not_changed():
    t, y = example()
    before = t.copy(), y.copy()
    Renyi(width="alignment").of_layer(t, y)
    assert (t == before[0]).all()
    assert (y == before[1]).all()


@pytest.mark.parametrize(
    ("params", "text"),
    [
        (
            {"alpha": 0.0},
            "renyi alpha is 0.0; expected a positive number at least 1e-06 away from 1, such as 1.01",
        ),
        (
            {"alpha": 1.0},
            "renyi alpha is 1.0; expected a positive number at least 1e-06 away from 1, such as 1.01",
        ),
        (
            {"alpha": math.nan},
            "renyi alpha is nan; expected a positive number at least 1e-06 away from 1, such as 1.01",
        ),
        ({"alpha": "2"}, "renyi alpha is '2'; expected a number"),
        ({"width": 0.0}, "renyi width is 0.0; expected a positive finite number or a rule's name"),
        (
            {"width": "silvermann"},
            "renyi width is 'silvermann'; expected a number or one of 'silverman', 'neighbours', 'alignment'",
        ),
        ({"gamma": -1.0}, "renyi gamma is -1.0; expected a positive finite number"),
        ({"batch": 1}, "renyi batch is 1; expected at least 2 rows"),
        ({"batch": 2.0}, "renyi batch is 2.0; expected a whole number"),
        ({"channels": 0}, "renyi channels is 0; expected at least 1"),
        ({"order": 2}, "estimator 'renyi' has no parameter 'order'; known: alpha, batch, channels, gamma, width"),
    ],
)
def test_a_bad_parameter_is_named(params, text):
    with pytest.raises(InputError) as caught:
        Renyi.with_params(params)
    assert str(caught.value) == text


def test_alignment_without_labels_is_refused():
    with pytest.raises(InputError, match="renyi width is 'alignment' and there are no labels"):
        Renyi(width="alignment").of_layer(example()[0])


def test_channels_that_do_not_divide_the_units_are_refused():
    with pytest.raises(InputError, match="renyi channels is 2 and the layer has 3 units"):
        Renyi(channels=2).of_layer(example()[0])
