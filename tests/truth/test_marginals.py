"""Laws with known entropy against SciPy's entropies, the mean of −log p, and laws of scaling."""

import numpy as np
import pytest
from scipy import stats

from infoplane.errors import InputError
from infoplane.truth import ExponentialMarginal, LaplaceMarginal, NormalMarginal, StudentMarginal, UniformMarginal

NAT = np.log2(np.e)
CHANCE = 1e-3  # lowest p-value that a few dozen tests of right samplers may show
LAWS = [
    (NormalMarginal(3, 2.0), stats.norm(scale=2.0)),
    (UniformMarginal(2, 0.3), stats.uniform(scale=0.3)),
    (ExponentialMarginal(2, 5.0), stats.expon(scale=5.0)),
    (LaplaceMarginal(1, 0.7), stats.laplace(scale=0.7)),
    (StudentMarginal(1, 2.5), stats.t(2.5)),
]


@pytest.mark.parametrize(("law", "peer"), LAWS, ids=lambda law: type(law).__name__)
def test_entropy_is_that_of_scipy_times_the_coordinates(law, peer):
    assert law.entropy == pytest.approx(law.dims * float(peer.entropy()) * NAT, abs=1e-6)


@pytest.mark.parametrize(("law", "peer"), LAWS, ids=lambda law: type(law).__name__)
def test_samples_follow_the_law(law, peer):
    samples = law.sample(5000, seed=2)
    assert samples.shape == (5000, law.dims)
    for column in samples.T:
        assert stats.kstest(column, peer.cdf).pvalue > CHANCE


def test_entropy_of_a_student_vector_is_the_mean_of_its_negative_log_density():
    law = StudentMarginal(4, 2.0)
    values = -stats.multivariate_t(np.zeros(4), np.eye(4), df=2.0).logpdf(law.sample(100_000)) * NAT
    assert law.entropy == pytest.approx(values.mean(), abs=4 * values.std() / np.sqrt(100_000))


def test_known_values_by_hand():
    assert UniformMarginal(3).entropy == 0.0
    assert ExponentialMarginal().entropy == pytest.approx(NAT)
    assert LaplaceMarginal(scale=0.5).entropy == pytest.approx(NAT)
    assert NormalMarginal().entropy == pytest.approx(1.418939 * NAT, abs=2e-6)


def test_a_student_with_many_degrees_of_freedom_is_normal():
    assert StudentMarginal(2, 1e7).entropy == pytest.approx(NormalMarginal(2).entropy, abs=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: NormalMarginal(0), lambda: NormalMarginal(sd=-1.0), lambda: StudentMarginal(1, 0.0)]
)
def test_parameters_out_of_range_are_refused(make):
    with pytest.raises(InputError, match="expected"):
        make()
