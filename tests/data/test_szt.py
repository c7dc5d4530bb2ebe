"""The 12-bit tasks against the labels of the papers and the symmetry of the icosahedron."""

import hashlib
import itertools
import math

import numpy as np
import pytest

import infoplane.data as data
from infoplane.data.szt import VERTICES, exact_information, g1, g2, label_probabilities, pattern_values, szt
from infoplane.errors import InputError

PLACES = 2 ** np.arange(11, -1, -1)
TASK = szt()
BITS = TASK.inputs.astype(int)
WEIGHT = BITS.sum(axis=1)


@pytest.fixture(scope="module")
def symmetries():
    """All permutations p of the vertices with v_p(i)·v_p(j) = v_i·v_j, and the determinant of each map.

    A linear map is fixed by the images of three independent vertices; it is a symmetry where those images
    have the same dot products and the map takes every vertex to a vertex.
    """
    base = np.linalg.inv(VERTICES[:3].T)
    gram = np.round(VERTICES @ VERTICES.T, 9)
    found = []
    for images in itertools.permutations(range(12), 3):
        if (gram[np.ix_(images, images)] != gram[:3, :3]).any():
            continue
        linear = VERTICES[list(images)].T @ base
        dots = (VERTICES @ linear.T) @ VERTICES.T
        if np.allclose(dots.max(axis=1), 1):
            found.append((dots.argmax(axis=1), round(np.linalg.det(linear))))
    return found


def images_of_rows(permutation):
    """Number of the row that each row becomes when the bit at vertex i moves to vertex permutation[i]."""
    moved = np.empty_like(BITS)
    moved[:, permutation] = BITS
    return moved @ PLACES


def pair_distances():
    """Numbers of set bits and of pairs at each distance, counted pair by pair for every pattern."""
    dots = np.round(VERTICES @ VERTICES.T, 6)
    kinds = np.unique(dots[dots < 0.9])
    histograms = np.zeros((4096, 1 + len(kinds)), int)
    histograms[:, 0] = WEIGHT
    for i, j in itertools.combinations(range(12), 2):
        histograms[:, 1 + np.searchsorted(kinds, dots[i, j])] += BITS[:, i] & BITS[:, j]
    return histograms


def entropy(shares):
    return -sum(p * math.log2(p) for p in shares if p > 0)


# the labels of the papers


def test_labels_are_those_of_the_papers_bit_for_bit():
    text = "".join(map(str, TASK.labels))
    digest = "8adbd792d6400d00410815b5a1f01b05b59f15fd41ace0db85c7772aa5cf4566"
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_labels_follow_the_rule_written_with_vectors():
    values = BITS.sum(axis=1) + np.linalg.norm(BITS @ VERTICES, axis=1)
    assert (TASK.labels == (values > 7.6)).all()


def test_rows_count_upwards_with_the_first_bit_most_significant():
    assert (np.arange(4096) == BITS @ PLACES).all()


def test_2118_of_4096_labels_are_one():
    assert TASK.labels.sum() == 2118


def test_ones_by_weight_are_0_60_532_732_and_all():
    ones = np.bincount(WEIGHT, weights=TASK.labels)
    assert ones.tolist() == [0, 0, 0, 0, 0, 60, 532, 732, 495, 220, 66, 12, 1]


def test_every_bit_is_set_in_1280_of_the_ones():
    assert (BITS[TASK.labels == 1].sum(axis=0) == 1280).all()


def test_label_entropy_and_information_are_0_999157_bits_and_input_entropy_12():
    by_hand = entropy([2118 / 4096, 1978 / 4096])
    assert by_hand == pytest.approx(0.999157, abs=5e-7)
    assert TASK.label_entropy == pytest.approx(by_hand, abs=1e-12)
    assert TASK.label_information == TASK.label_entropy
    assert TASK.input_entropy == 12


def test_unshuffled_split_has_ones_at_437_in_training_and_836_in_test():
    train, test = data.split_rows(TASK, 0.8, "unshuffled")
    assert len(train) == 3277
    assert TASK.labels[train].mean() == pytest.approx(0.437, abs=5e-4)
    assert TASK.labels[test].mean() == pytest.approx(0.836, abs=5e-4)


def test_no_value_lies_within_0_037_of_the_threshold():
    """The gap (7.5628, 7.7013): |S| = 6 or 7 with the vector sums nearest to 7.6 − |S|."""
    values = pattern_values()
    assert values[values < 7.6].max() == pytest.approx(7.562777, abs=1e-6)
    assert values[values > 7.6].min() == pytest.approx(7.701302, abs=1e-6)


# symmetry


def test_there_are_120_symmetries_of_which_60_are_rotations(symmetries):
    assert len(symmetries) == 120
    assert sum(sign == 1 for _, sign in symmetries) == 60


@pytest.mark.parametrize(("signs", "orbits"), [((1, -1), 82), ((1,), 96)])
def test_patterns_fall_into_82_orbits_and_96_under_rotations(symmetries, signs, orbits):
    rows = [images_of_rows(permutation) for permutation, sign in symmetries if sign in signs]
    assert len(np.unique(np.min(rows, axis=0))) == orbits


def test_labels_are_invariant_under_all_symmetries(symmetries):
    for permutation, _ in symmetries:
        assert (TASK.labels[images_of_rows(permutation)] == TASK.labels).all()


def test_labels_change_when_two_bits_swap_places():
    swapped = np.arange(12)
    swapped[[0, 1]] = 1, 0
    assert (TASK.labels[images_of_rows(swapped)] != TASK.labels).any()


def test_values_of_any_degrees_are_invariant_bit_for_bit(symmetries):
    values = pattern_values((0, 1, 2, 3, 6))
    for permutation, _ in symmetries:
        assert (values[images_of_rows(permutation)] == values).all()


def test_there_are_64_pair_distance_histograms_of_entropy_5_5695_bits():
    _, counts = np.unique(pair_distances(), axis=0, return_counts=True)
    assert len(counts) == 64
    assert entropy(counts / 4096) == pytest.approx(5.5695, abs=5e-5)


def test_values_are_a_function_of_the_pair_distance_histogram():
    _, kind = np.unique(pair_distances(), axis=0, return_inverse=True)
    pairs = np.unique(np.stack([kind.ravel(), pattern_values((0, 1, 2, 3))]), axis=1)
    assert pairs.shape[1] == 64


# other degrees and thresholds


def test_degree_0_counts_the_bits():
    assert (pattern_values((0,)) == WEIGHT).all()


def test_degree_1_is_the_length_of_the_vector_sum():
    # The largest length is 3.24; where it is 0 the sum of vectors leaves 1e-16 and the closed form 0.
    np.testing.assert_allclose(pattern_values((1,)), np.linalg.norm(BITS @ VERTICES, axis=1), atol=1e-12)


def test_degree_2_agrees_with_the_five_harmonics_written_out():
    x, y, z = VERTICES.T
    root = math.sqrt(3)
    harmonics = [root * x * y, root * y * z, root * x * z, root / 2 * (x**2 - y**2), (3 * z**2 - 1) / 2]
    norms = np.linalg.norm(BITS @ np.stack(harmonics, axis=1), axis=1)
    # Norms reach 3 or so in float64; below 1e-5 the closed form says 0.
    np.testing.assert_allclose(pattern_values((2,)), norms, atol=1e-12)


@pytest.mark.parametrize("degree", range(1, 12))
def test_all_twelve_vertices_cancel_except_in_degrees_6_and_10(degree):
    """An icosahedron has no invariant harmonics below degree 12 but for 0, 6 and 10."""
    assert (pattern_values((degree,))[-1] == 0) == (degree not in (6, 10))


def test_values_add_over_degrees():
    apart = pattern_values((0,)) + pattern_values((1,)) + pattern_values((4,))
    np.testing.assert_allclose(pattern_values((0, 1, 4)), apart, atol=1e-14)


def test_a_value_exactly_at_the_threshold_gives_label_0():
    three_axes = [0, 9, 1, 7, 2, 5]  # opposite pairs: six bits whose vectors cancel
    assert np.abs(VERTICES[three_axes].sum(axis=0)).max() < 1e-15
    row = PLACES[three_axes].sum()
    assert pattern_values()[row] == 6
    assert szt(threshold=6).labels[row] == 0


def test_a_threshold_above_all_values_gives_one_class():
    task = szt(threshold=100)
    assert task.n_classes == 1
    assert task.label_information == pytest.approx(0, abs=1e-12)


def test_names_say_what_differs_from_the_papers():
    assert TASK.name == "szt"
    assert szt(degrees=[1, 0]).name == "szt"
    assert szt(threshold=7, degrees=(2, 0), gamma=30.5).name == ("szt (threshold 7, degrees 0+2, gamma 30.5, seed 0)")


# labels drawn at random


def test_stochastic_task_has_0_9697_bits():
    assert exact_information(label_probabilities(7.6, gamma=30.5)) == pytest.approx(0.9697, abs=5e-5)


def test_a_steep_sigmoid_carries_what_the_rule_carries():
    # γ times the gap of .037 is 370: e^-370 is far below float64's last digit.
    assert exact_information(label_probabilities(gamma=1e4)) == pytest.approx(TASK.label_entropy, abs=1e-12)


def test_no_steepness_is_a_coin_flip_without_information():
    probabilities = label_probabilities(gamma=0)
    assert (probabilities == 0.5).all()
    assert exact_information(probabilities) == 0


def test_exact_information_of_a_symmetric_channel_is_one_minus_its_noise():
    noise = entropy([0.1, 0.9])
    assert exact_information(np.array([0.1, 0.9])) == pytest.approx(1 - noise, abs=1e-12)


def test_drawn_labels_are_as_frequent_as_their_probabilities():
    # Σp = 2128.5 with standard deviation √Σp(1−p) = 4.7 over draws; 4 of them.
    probabilities = label_probabilities()
    spread = math.sqrt((probabilities * (1 - probabilities)).sum())
    for seed in range(20):
        assert abs(szt(gamma=30.5, seed=seed).labels.sum() - probabilities.sum()) < 4 * spread


def test_drawn_labels_depend_on_the_seed_alone():
    first, again, other = (szt(gamma=30.5, seed=seed).labels for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_drawn_labels_far_from_the_threshold_obey_the_rule():
    # At a distance of 1 the odds are e^30.5: one exception in 10^13 rows.
    far = np.abs(pattern_values() - 7.6) > 1
    assert (szt(gamma=30.5).labels[far] == TASK.labels[far]).all()


# g1 and g2


def test_g1_has_2063_ones_and_agrees_with_integer_arithmetic():
    ridges = np.array(
        [
            [2, 8, 6, 10, 6, 14, 2, 4, 8, 6, 10, 5],
            [8, 14, 14, 8, 12, 12, 6, 2, 3, 5, 9, 1],
            [8, 4, 6, 12, 2, 13, 11, 5, 2, 5, 14, 3],
        ]
    )  # in twentieths
    sums = np.maximum(0, BITS @ ridges.T - [2, 6, 4]).sum(axis=1)
    assert (g1().labels == (100 * sums > 20 * 589)).all()
    assert g1().labels.sum() == 2063


def test_g2_has_2045_ones():
    assert g2().labels.sum() == 2045


def test_g2_agrees_with_its_rule_summed_bit_by_bit():
    ridges = [
        [0.1, 0.4, 0.3, 0.5, 0.3, 0.7, 0.1, 0.2, 0.4, 0.3, 0.5, 0.25],
        [0.4, 0.7, 0.7, 0.4, 0.6, 0.6, 0.3, 0.1, 0.15, 0.25, 0.45, 0.05],
        [0.4, 0.2, 0.3, 0.6, 0.1, 0.65, 0.55, 0.25, 0.1, 0.25, 0.7, 0.15],
    ]
    labels = g2().labels
    for row in range(0, 4096, 13):
        drives = [sum(w for i, w in enumerate(ridge) if row >> (11 - i) & 1) / sum(ridge) for ridge in ridges]
        total = sum(1 / (1 + math.exp(-7 * (drive - 0.41))) for drive in drives)
        assert labels[row] == (total > 1.945)


# the table of data sets


@pytest.mark.parametrize("name", ["szt", "g1", "g2"])
def test_12_bit_tasks_share_rows_and_have_no_division_of_their_own(name):
    task = data.make(name)
    assert task.name == name
    assert (task.inputs == TASK.inputs).all()
    assert task.split is None


@pytest.mark.parametrize("name", data.DATASETS)
def test_every_data_set_is_described_in_one_short_sentence(name):
    line = data.describe(name)
    assert 20 < len(line) < 85
    assert line.endswith(".")


def test_make_passes_parameters_on():
    assert (data.make("szt", threshold=6.5).labels == szt(6.5).labels).all()


# errors


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: data.make("stz"), "data set is 'stz'; did you mean 'szt'?"),
        (lambda: data.describe("gg1"), "data set is 'gg1'; did you mean 'g1'?"),
        (
            lambda: data.make("szt", treshold=7),
            "data set 'szt' has no parameter 'treshold'; did you mean 'threshold'?",
        ),
        (lambda: data.make("g1", threshold=7), "data set 'g1' has no parameter 'threshold'; it takes none"),
        (lambda: szt(threshold=math.nan), "threshold is nan; expected a finite number"),
        (lambda: szt(gamma=-1), "gamma is -1; expected 0 or more (None in szt() for labels without chance)"),
        (lambda: szt(gamma=math.inf), "gamma is inf; expected a finite number"),
        (lambda: szt(gamma=1, seed=-1), "seed is -1; expected an integer from 0 to 2^64 − 1"),
        (
            lambda: exact_information(np.array([0.5, 1.5])),
            "p_one has no entry or one outside 0…1; expected a probability for each input",
        ),
    ],
)  # fmt: skip
def test_errors_name_the_argument_and_the_remedy(call, text):
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value) == text


@pytest.mark.parametrize("degrees", [(), (0, 0), (-1,), (101,)])
def test_degrees_must_be_different_and_from_0_to_100(degrees):
    with pytest.raises(InputError) as error:
        szt(degrees=degrees)
    assert str(error.value) == (
        f"degrees is {degrees}; expected one or more different integers from 0 to 100, for example (0, 1)"
    )
