"""Entropies of counts, their corrections, and what cells say of input and label."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from infoplane.errors import InputError
from infoplane.estimators.discrete import CORRECTIONS, cell_information, entropy_of_counts
from infoplane.estimators.sorting import sorted_counts

LN2 = math.log(2)
COUNTS = [10, 5, 3, 1, 1]

counts_lists = st.lists(st.integers(1, 50), min_size=1, max_size=12)
samples = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=2, max_size=60)  # (cell, label)


def slow_entropy(symbols):
    """Plug-in entropy by a dictionary and a loop, added up without rounding."""
    n = len(symbols)
    return math.fsum(count / n * math.log2(n / count) for count in Counter(symbols).values())


def slow_label_information(cells, labels):
    """H(T) − Σ p(y) H(T|Y=y) with one dictionary for each class."""
    conditional = 0.0
    for label in set(labels):
        own = [cell for cell, other in zip(cells, labels, strict=True) if other == label]
        conditional += len(own) / len(cells) * slow_entropy(own)
    return slow_entropy(cells) - conditional


def one_layer(cells, labels, **options):
    """H(T) and I(T;Y) of one layer as two numbers."""
    h_t, i_ty, _ = cell_information(np.array([cells]), np.array(labels), max(labels) + 1, **options)
    assert i_ty is not None
    return float(h_t[0]), float(i_ty[0])


def refusal(call):
    """The text of the error that a call ends in."""
    with pytest.raises(InputError) as error:
        call()
    return str(error.value)


# the corrections, against values derived elsewhere or by hand


@pytest.mark.parametrize(
    ("correction", "alphabet", "nats", "tolerance"),
    [
        ("none", None, 1.277288406, 1e-8),
        ("miller-madow", None, 1.377288406, 1e-8),
        ("james-stein", 5, 1.425752380, 1e-8),
        ("grassberger", None, 1.512126865, 1e-8),
        ("chao-shen", None, 1.446832132, 1e-8),
        ("nsb", 5, 1.346327, 1e-5),
        ("nsb", 10, 1.445171, 1e-5),
    ],
)
def test_correction_gives_the_published_value_on_five_symbols(correction, alphabet, nats, tolerance):
    bits = entropy_of_counts(COUNTS, correction, alphabet=alphabet)
    assert bits == pytest.approx(nats / LN2, abs=tolerance / LN2)


def test_grassberger_agrees_with_the_form_that_alternates_in_sign():
    """G(n) = ψ(n) + ½(−1)^n [ψ((n+1)/2) − ψ(n/2)], written down as it stands in the paper."""
    counts = np.arange(1, 200)
    sign = np.where(counts % 2 == 0, 0.5, -0.5)
    g = special.digamma(counts) + sign * (special.digamma((counts + 1) / 2) - special.digamma(counts / 2))
    nats = math.log(counts.sum()) - (counts * g).sum() / counts.sum()
    assert entropy_of_counts(counts, "grassberger") == pytest.approx(nats / LN2, abs=1e-12)


def test_james_stein_with_unseen_symbols_by_hand():
    """Counts 3, 1 of K = 4: Σp̂² = 5/8, λ = (3/8) / (3·(1/4 + 0 + 2/16)) = 1/3, p = 7/12, 1/4, 1/12, 1/12."""
    expected = -sum(p * math.log2(p) for p in (7 / 12, 1 / 4, 1 / 12, 1 / 12))
    assert entropy_of_counts([3, 1], "james-stein", alphabet=4) == pytest.approx(expected, abs=1e-14)


def test_james_stein_of_one_sample_is_the_uniform_entropy():
    assert entropy_of_counts([1], "james-stein", alphabet=8) == pytest.approx(3.0, abs=1e-14)


def test_chao_shen_of_singletons_only_keeps_a_coverage_of_one_sample():
    """N = 2, both seen once: C = 1/2, p = 1/4 each, H = 2·(1/4)·2 / (1 − (3/4)²) = 16/7 bits."""
    assert entropy_of_counts([1, 1], "chao-shen") == pytest.approx(16 / 7, abs=1e-14)


def test_nsb_of_one_sample_is_the_prior_mean_of_half_the_largest_entropy():
    """By symmetry one sample says nothing of the entropy, and the prior is flat between 0 and log2 K."""
    for alphabet in (2, 27_000, 30**10, 10**100):
        bits = entropy_of_counts([1], "nsb", alphabet=alphabet)
        assert bits == pytest.approx(math.log2(alphabet) / 2, rel=1e-9)


@pytest.mark.parametrize(("counts", "alphabet"), [([4, 2, 1], 3), ([3, 1], 5), ([1, 1, 1, 1], 6)])
def test_nsb_agrees_with_draws_from_its_prior(counts, alphabet):
    """Draw ξ flat, solve ξ(β) = ξ, draw a distribution, weigh it by its likelihood; no formula is shared.

    Within 5 standard errors of the weighted mean over 20 000 distributions.
    """
    random = np.random.default_rng(0)
    log_beta = np.linspace(-60, 25, 20_001)
    xi = special.digamma(alphabet * np.exp(log_beta) + 1) - special.digamma(np.exp(log_beta) + 1)
    beta = np.exp(np.interp(random.uniform(0, math.log(alphabet), 20_000), xi, log_beta))
    with np.errstate(divide="ignore"):  # a gamma variate of tiny shape is 0: its logarithm comes from a power
        log_gamma = np.log(random.gamma(beta[:, None] + 1, size=(len(beta), alphabet)))
        log_gamma += np.log(random.random(log_gamma.shape)) / beta[:, None]
    log_p = special.log_softmax(log_gamma, axis=1)
    weight = np.exp(log_p[:, : len(counts)] @ np.array(counts))
    entropy = special.entr(np.exp(log_p)).sum(axis=1) / LN2
    mean = weight @ entropy / weight.sum()
    error = math.sqrt(weight**2 @ (entropy - mean) ** 2) / weight.sum()
    assert error < 0.02
    assert entropy_of_counts(counts, "nsb", alphabet=alphabet) == pytest.approx(mean, abs=5 * error)


def test_nsb_agrees_with_adaptive_quadrature_on_a_long_tail():
    """The plain integral over ln β by QUADPACK, every symbol on its own, a quarter of the 500 never seen."""
    share = 1 / np.arange(1, 501)
    counts = np.random.default_rng(1).multinomial(2000, share / share.sum())
    counts = counts[counts > 0].astype(float)
    n, k = counts.sum(), 500

    def log_weight(u):
        b = math.exp(u)
        seen = (special.gammaln(counts + b) - special.gammaln(b)).sum()
        jacobian = k * special.polygamma(1, k * b + 1) - special.polygamma(1, b + 1)
        return seen + special.gammaln(k * b) - special.gammaln(n + k * b) + math.log(jacobian) + u

    def mean_entropy(u):
        b = math.exp(u)
        after = np.append(counts, np.zeros(k - len(counts))) + b
        return special.digamma(n + k * b + 1) - (after * special.digamma(after + 1)).sum() / (n + k * b)

    peak = max(map(log_weight, np.linspace(-5, 1, 601)))
    options = {"limit": 200, "epsabs": 0, "epsrel": 1e-10}
    total, _ = integrate.quad(lambda u: math.exp(log_weight(u) - peak), -5, 1, **options)
    top, _ = integrate.quad(lambda u: mean_entropy(u) * math.exp(log_weight(u) - peak), -5, 1, **options)
    assert entropy_of_counts(counts, "nsb", alphabet=k) == pytest.approx(top / total / LN2, abs=1e-7)


def test_nsb_of_a_quarter_million_samples_lies_between_plug_in_and_uniform():
    counts = np.random.default_rng(2).multinomial(240_000, np.full(27_000, 1 / 27_000))
    nsb = entropy_of_counts(counts, "nsb", alphabet=27_000)
    assert entropy_of_counts(counts) < nsb < math.log2(27_000)


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("p", [np.full(6, 1 / 6), np.array([0.4, 0.2, 0.2, 0.1, 0.05, 0.05])])
def test_every_correction_finds_the_entropy_of_a_die_with_many_throws(correction, p):
    """Within 5 standard errors; var(log2 p)/N, and for a fair die, where that is 0, 2(K−1) / (2N ln 2)²."""
    n = 100_000
    truth = -(p * np.log2(p)).sum()
    spread = (p * np.log2(p) ** 2).sum() - truth**2
    standard_error = math.sqrt(max(spread, 0) / n + 10 / (2 * n * LN2) ** 2)
    counts = np.random.default_rng(3).multinomial(n, p)
    assert entropy_of_counts(counts, correction, alphabet=6) == pytest.approx(truth, abs=5 * standard_error)


@pytest.mark.parametrize("correction", CORRECTIONS[1:])
def test_every_correction_at_least_halves_the_bias_of_few_samples(correction):
    """20 fair symbols, 40 samples, mean of 100 repetitions: the plug-in misses 0.35 bits."""
    draws = np.random.default_rng(4).multinomial(40, np.full(20, 0.05), size=100)
    truth = math.log2(20)

    def bias(name):
        return abs(np.mean([entropy_of_counts(row, name, alphabet=20) for row in draws]) - truth)

    assert bias(correction) < bias("none") / 2


# identities of entropies of counts


@pytest.mark.parametrize("correction", CORRECTIONS)
@settings(max_examples=25, deadline=None)
@given(counts=counts_lists, data=st.data())
def test_order_of_symbols_does_not_matter(correction, counts, data):
    shuffled = data.draw(st.permutations(counts))
    assert entropy_of_counts(shuffled, correction) == entropy_of_counts(counts, correction)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_symbols_with_count_zero_are_not_seen(correction):
    assert entropy_of_counts([[10, 0, 5], [3, 1, 1]], correction) == entropy_of_counts(COUNTS, correction)


@given(counts=counts_lists)
def test_plug_in_lies_between_zero_and_the_logarithm_of_the_seen_symbols(counts):
    assert 0.0 <= entropy_of_counts(counts) <= math.log2(len(counts)) + 1e-12  # rounding of log2


@given(counts=counts_lists)
def test_miller_madow_adds_half_a_nat_for_each_further_symbol_and_sample(counts):
    expected = entropy_of_counts(counts) + (len(counts) - 1) / (2 * sum(counts) * LN2)
    assert entropy_of_counts(counts, "miller-madow") == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("correction", ["none", "miller-madow", "james-stein", "chao-shen", "nsb"])
@pytest.mark.parametrize("n", [1, 7, 4096])
def test_one_symbol_has_no_entropy_and_no_sign(correction, n):
    bits = entropy_of_counts([n], correction)
    assert bits == 0.0
    assert math.copysign(1, bits) == 1


# cells and labels, against dictionaries and loops


def layers_of(kind, n, random):
    """Three layers of codes; the hashes leave no room for a label beside them."""
    return {
        "random": lambda: random.integers(0, 30, (3, n)),
        "constant": lambda: np.full((3, n), 7, np.uint64),
        "saturated": lambda: np.stack([random.permutation(n) for _ in range(3)]).astype(np.uint64) << 40,
        "duplicates": lambda: np.repeat(random.integers(0, 2**50, (3, n // 2 + 1)), 2, axis=1)[:, :n],
        "hashes": lambda: random.choice(random.integers(2**63, 2**64 - 1, 50, dtype=np.uint64), (3, n)),
        "negative": lambda: random.integers(-5, 5, (3, n)),
    }[kind]()


@pytest.mark.parametrize("n", [2, 3, 1000, 20_000])
@pytest.mark.parametrize("kind", ["random", "constant", "saturated", "duplicates", "hashes", "negative"])
def test_cell_information_agrees_with_dictionaries(kind, n):
    """To 1e-12 bits: a few hundred roundings of numbers below log2 N."""
    random = np.random.default_rng(n)
    codes, labels = layers_of(kind, n, random), random.integers(0, 3, n)
    codes.setflags(write=False)  # and they are not changed
    result = cell_information(codes, labels, 3)
    assert result.label is not None
    for row, h_t, i_ty, n_cells in zip(codes.tolist(), *result, strict=True):
        assert h_t == pytest.approx(slow_entropy(row), abs=1e-12)
        assert i_ty == pytest.approx(slow_label_information(row, labels.tolist()), abs=1e-12)
        assert n_cells == len(set(row))
    unlabelled = cell_information(codes)
    assert unlabelled.label is None
    np.testing.assert_array_equal(unlabelled.input, result.input)


def test_cell_information_agrees_with_dictionaries_at_a_quarter_million_samples():
    random = np.random.default_rng(5)
    codes, labels = random.integers(0, 200_000, (1, 240_000)), random.integers(0, 10, 240_000)
    h_t, i_ty, _ = cell_information(codes, labels, 10)
    assert i_ty is not None
    assert h_t[0] == pytest.approx(slow_entropy(codes[0].tolist()), abs=1e-12)
    assert i_ty[0] == pytest.approx(slow_label_information(codes[0].tolist(), labels.tolist()), abs=1e-12)


@pytest.mark.parametrize("correction", ["none", "james-stein"])
def test_a_layer_has_the_same_values_alone_and_in_a_batch(correction):
    """Layers of 5 to 29 cells, sorted in several blocks; one of them needs wide keys."""
    random = np.random.default_rng(6)
    codes, labels = random.integers(0, np.arange(5, 30)[:, None], (25, 1500)), random.integers(0, 2, 1500)
    codes[13] *= 2**58
    together = cell_information(codes, labels, 2, correction)
    for index in range(25):
        alone = cell_information(codes[index : index + 1], labels, 2, correction)
        for batch, single in zip(together, alone, strict=True):
            assert batch[index] == single[0]


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_constant_layers_are_exactly_zero_under_every_correction(correction):
    for n, alphabet in ((2, None), (3, 4), (1000, None), (4097, 10**6)):
        labels = [index % 2 for index in range(n)]
        h_t, i_ty = one_layer([5] * n, labels, correction=correction, alphabet=alphabet)
        assert (h_t, i_ty) == (0.0, 0.0)
        assert math.copysign(1, h_t) == math.copysign(1, i_ty) == 1


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("n_classes", [1, 4])
def test_one_class_shares_exactly_nothing_under_every_correction(correction, n_classes):
    codes = np.random.default_rng(8).integers(0, 7, (2, 101))
    _, i_ty, _ = cell_information(codes, np.zeros(101, np.int64), n_classes, correction)
    assert list(i_ty) == [0.0, 0.0]


@pytest.mark.parametrize("n", [2, 3, 1000, 4096, 240_000])
def test_distinct_cells_have_the_logarithm_of_the_sample_count(n):
    h_t, _, n_cells = cell_information(np.arange(n)[None])
    assert h_t[0] == pytest.approx(math.log2(n), abs=1e-12)
    assert n_cells[0] == n


@pytest.mark.parametrize("correction", CORRECTIONS)
@pytest.mark.parametrize("alphabet", [None, 30])
def test_corrected_label_information_is_the_sum_of_three_corrected_entropies(correction, alphabet):
    """By default T has its seen cells as alphabet, Y its classes, and the pair the product."""
    random = np.random.default_rng(9)
    cells, labels = random.integers(0, 12, 80).tolist(), random.integers(0, 3, 80).tolist()
    size = len(set(cells)) if alphabet is None else alphabet

    def entropy(symbols, symbol_count):
        return entropy_of_counts(list(Counter(symbols).values()), correction, symbol_count)

    h_t = entropy(cells, size)
    expected = h_t + entropy(labels, 3) - entropy(list(zip(cells, labels, strict=True)), 3 * size)
    got = one_layer(cells, labels, correction=correction, alphabet=alphabet)
    assert got == pytest.approx((h_t, expected), abs=1e-12)


# identities of cells and labels


@pytest.mark.parametrize("correction", CORRECTIONS)
@settings(max_examples=20, deadline=None)
@given(samples=samples, data=st.data())
def test_order_of_samples_does_not_matter(correction, samples, data):
    moved = data.draw(st.permutations(samples))
    expected = one_layer(*zip(*samples, strict=True), correction=correction)
    assert one_layer(*zip(*moved, strict=True), correction=correction) == expected


@settings(deadline=None)
@given(samples=samples, cell_names=st.permutations(range(6)), class_names=st.permutations(range(4)))
def test_names_of_cells_and_classes_do_not_matter(samples, cell_names, class_names):
    """To 1e-12: other names are sorted, and so summed, in another order."""
    renamed = [(cell_names[cell], class_names[label]) for cell, label in samples]
    expected = one_layer(*zip(*samples, strict=True))
    assert one_layer(*zip(*renamed, strict=True)) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None)
@given(samples=samples)
def test_merging_classes_never_raises_the_label_information(samples):
    cells, labels = zip(*samples, strict=True)
    merged = [min(label, 2) for label in labels]
    assert one_layer(cells, merged)[1] <= one_layer(cells, labels)[1] + 1e-12  # rounding


@settings(deadline=None)
@given(samples=samples)
def test_label_information_lies_between_zero_and_both_entropies(samples):
    cells, labels = zip(*samples, strict=True)
    h_t, i_ty = one_layer(cells, labels)
    assert -1e-12 <= i_ty <= min(h_t, slow_entropy(labels)) + 1e-12  # rounding


@settings(deadline=None)
@given(samples=samples, times=st.integers(2, 5))
def test_duplicated_samples_leave_both_plug_in_values_unchanged(samples, times):
    cells, labels = zip(*samples, strict=True)
    assert one_layer(cells * times, labels * times) == pytest.approx(one_layer(cells, labels), abs=1e-12)


def test_sorted_counts_gives_run_lengths_row_after_row():
    counts, per_row = sorted_counts(np.array([[1, 1, 4], [4, 5, 6]]))
    assert counts.tolist() == [2, 1, 1, 1, 1]
    assert per_row.tolist() == [2, 3]


# what is refused, and what it says


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ([3, -1], "counts holds -1; expected numbers that are 0 or more"),
        ([0.5, 0.5], "counts holds 0.5; expected whole numbers; multiply shares by N"),
        ([1.0, float("nan")], "counts holds nan; expected whole numbers; multiply shares by N"),
        ([1.0, float("inf")], "counts holds inf; expected whole numbers; multiply shares by N"),
        ([], "counts is empty; expected how often each symbol was seen, at least one number"),
        ([0, 0], "counts are all 0; expected at least one symbol that was seen"),
        (["a", "b"], "counts has dtype <U1; expected whole numbers, one for each symbol"),
        ([True, False], "counts has dtype bool; expected whole numbers, one for each symbol"),
    ],
)
def test_what_cannot_be_counts_is_refused_by_name(counts, text):
    assert refusal(lambda: entropy_of_counts(counts)) == text


def test_unknown_correction_names_the_nearest():
    text = "correction 'miller_madow' is not known; did you mean 'miller-madow'?"
    assert refusal(lambda: entropy_of_counts([1, 2], "miller_madow")) == text
    assert refusal(lambda: cell_information(np.array([[0, 1]]), correction="miller_madow")) == text


@pytest.mark.parametrize("alphabet", [-1, 0, 4, 10**101])
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_alphabet_below_the_seen_symbols_or_beyond_its_limit_is_refused_by_name(alphabet, correction):
    text = (
        f"alphabet is {alphabet}; expected the whole number of possible symbols, at least the 5 seen and at "
        "most 1e+100; leave it out to use the number seen"
    )
    cells = np.arange(5)[None]
    assert refusal(lambda: entropy_of_counts(COUNTS, correction, alphabet)) == text
    assert refusal(lambda: cell_information(cells, correction=correction, alphabet=alphabet)) == text


def test_labels_beyond_the_number_of_classes_are_refused():
    text = "n_classes is 2; expected more than the largest label, 2"
    assert refusal(lambda: cell_information(np.array([[0, 1, 2]]), np.array([0, 1, 2]), 2)) == text
