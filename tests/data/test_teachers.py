"""Linear teachers: what is known of them, against samples of them."""

import numpy as np
import pytest

from infoplane.data.teachers import Teacher
from infoplane.errors import InputError


def rng(seed=0):
    return np.random.default_rng(seed)


def test_the_signal_has_variance_one_and_the_noise_its_share():
    teacher = Teacher.drawn(20, signal_to_noise=4.0, rng=rng())
    assert teacher.weights @ teacher.weights == pytest.approx(1)
    assert teacher.label_noise == 0.25
    assert teacher.label_variance == pytest.approx(1.25)


def test_information_of_the_input_on_the_label_is_that_of_the_channel():
    assert Teacher.drawn(3, signal_to_noise=3.0, rng=rng()).label_information == pytest.approx(1.0)  # ½ log2(1 + 3)


def test_only_the_first_inputs_matter():
    teacher = Teacher.drawn(10, relevant=3, signal_to_noise=1.0, rng=rng())
    assert teacher.relevant.tolist() == [True] * 3 + [False] * 7


def test_samples_have_the_moments_that_they_should():
    teacher = Teacher.drawn(3, signal_to_noise=2.0, rng=rng(1))
    x, y = teacher.sample(200_000, rng(2))
    error = 4 / np.sqrt(200_000)  # four standard errors of a covariance of normal variables of variance near 1
    assert np.cov(x.T) == pytest.approx(teacher.covariance, abs=2 * error)
    assert y.var() == pytest.approx(teacher.label_variance, abs=3 * error)
    assert x.T @ y[:, 0] / len(x) == pytest.approx(teacher.weights, abs=2 * error)


def test_generalisation_error_is_that_on_new_samples():
    teacher = Teacher.drawn(5, signal_to_noise=2.0, rng=rng(3))
    student = teacher.weights + 0.3 * rng(4).standard_normal(5)
    x, y = teacher.sample(200_000, rng(5))
    measured = np.mean((y[:, 0] - x @ student) ** 2) / teacher.label_variance
    assert teacher.generalisation_error(student) == pytest.approx(measured, rel=4 * np.sqrt(2 / 200_000))


def test_predicting_zero_has_error_one_and_the_teacher_the_noise_alone():
    teacher = Teacher.drawn(5, signal_to_noise=4.0, rng=rng(6))
    assert teacher.generalisation_error(np.zeros(5)) == pytest.approx(1)
    assert teacher.generalisation_error(teacher.weights) == pytest.approx(0.2)


@pytest.mark.parametrize("relevant", [0, 6])
def test_more_relevant_inputs_than_there_are_are_refused(relevant):
    with pytest.raises(InputError, match=f"relevant is {relevant}; expected 1 to 5, the number of inputs"):
        Teacher.drawn(5, relevant=relevant, signal_to_noise=1.0, rng=rng())


@pytest.mark.parametrize("ratio", [0.0, -1.0, np.inf, np.nan])
def test_a_ratio_that_is_not_above_zero_is_refused(ratio):
    with pytest.raises(InputError, match="signal_to_noise is"):
        Teacher.drawn(5, signal_to_noise=ratio, rng=rng())
