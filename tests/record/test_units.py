"""Units of images and sequences."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.record._units import Units

IMAGES = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
SEQUENCES = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)


def test_everything_is_a_unit_unless_something_is_said():
    assert Units().of(IMAGES)[""] is IMAGES
    assert Units().of(SEQUENCES)[""] is SEQUENCES


def test_vectors_stay_what_they_are_whatever_is_said():
    vectors = SEQUENCES[:, 0]
    assert Units(channels="each", positions=0).of(vectors)[""] is vectors


def test_a_channel_s_mean_is_over_all_places():
    np.testing.assert_allclose(Units(channels="mean").of(IMAGES)[""], IMAGES.reshape(2, 12, 5).mean(axis=1))
    np.testing.assert_allclose(
        Units(channels="mean").of(IMAGES, channels_first=True)[""], IMAGES.reshape(2, 3, 20).mean(axis=2)
    )


def test_each_channel_is_a_layer_of_its_own():
    last, first = Units(channels="each").of(IMAGES), Units(channels="each").of(IMAGES, channels_first=True)
    assert list(last) == ["[0]", "[1]", "[2]", "[3]", "[4]"]
    assert list(first) == ["[0]", "[1]", "[2]"]
    np.testing.assert_array_equal(last["[4]"], IMAGES[..., 4])
    np.testing.assert_array_equal(first["[2]"], IMAGES[:, 2])


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        (0, SEQUENCES[:, 0]),
        (-1, SEQUENCES[:, 2]),
        ("mean", SEQUENCES.mean(axis=1)),
        ("flatten", SEQUENCES),
    ],
)
def test_positions_choose_among_those_of_a_sequence(positions, expected):
    np.testing.assert_allclose(Units(channels="each", positions=positions).of(SEQUENCES)[""], expected)


def test_positions_of_a_sequence_with_channels_first_are_its_last_axis():
    np.testing.assert_array_equal(Units(positions=3).of(SEQUENCES, channels_first=True)[""], SEQUENCES[..., 3])


def test_without_positions_a_sequence_s_channels_are_treated_like_an_image_s():
    np.testing.assert_allclose(Units(channels="mean").of(SEQUENCES)[""], SEQUENCES.mean(axis=1))


def test_the_mean_of_half_precision_is_not_rounded_to_it():
    ones = np.ones((1, 4, 2), np.float16)
    ones[0, 0] += np.float16(2**-10)
    assert Units(channels="mean").of(ones)[""].tolist() == [[1 + 2**-12] * 2]  # half precision has steps of 2⁻¹⁰ there


def test_a_position_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="positions is 3; the sequences have 3 positions"):
        Units(positions=3).of(SEQUENCES)


@pytest.mark.parametrize(
    "options", [{"channels": "sum"}, {"positions": "last"}, {"positions": 1.5}, {"positions": True}]
)
def test_unknown_ways_are_refused(options):
    with pytest.raises(InputError, match=f"{next(iter(options))} is {next(iter(options.values()))!r}; expected"):
        Units(**options)
