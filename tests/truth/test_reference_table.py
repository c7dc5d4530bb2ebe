"""The forty tasks against a table made with other samples and other code, N = 10 000, in nats.

The reference was computed on samples of the original generators, with standardised data and seeds 0 and 1 (one seed
above five dimensions). On those very samples the estimators here agree with it in all printed digits. Here the samples
are others, so both tables scatter: an estimate by neighbours has a standard deviation of about 0.01 nats, and tasks
that are maps of each other share it.
"""

import math

import numpy as np
import pytest

from infoplane.estimators import build
from infoplane.estimators.copula import normal_scores
from infoplane.estimators.pair import as_variable
from infoplane.truth import tasks

pytestmark = pytest.mark.slow

N, SEEDS = 10_000, 2
SCATTER = 0.012
"""Standard deviation of one estimate by neighbours, in nats."""

COLUMNS = ("ksg1", "ranks and ksg1", "gaussian", "ranks and gaussian")
REFERENCE = {
    "1v1-normal-0.75": (0.415, 0.415, 0.411, 0.411),
    "normal_cdf-1v1-normal-0.75": (0.415, 0.415, 0.385, 0.411),
    "1v1-additive-0.1": (1.695, 1.694, 1.629, 1.277),
    "1v1-additive-0.75": (0.327, 0.325, 0.185, 0.184),
    "1v1-bimodal-0.75": (0.415, 0.415, 0.332, 0.411),
    "wiggly-1v1-normal-0.75": (0.419, 0.415, 0.380, 0.411),
    "half_cube-1v1-normal-0.75": (0.414, 0.415, 0.382, 0.411),
    "student-identity-1-1-1": (0.196, 0.231, 0.280, 0.000),
    "asinh-student-identity-1-1-1": (0.233, 0.231, 0.000, 0.000),
    "swissroll_x-normal_cdf-1v1-normal-0.75": (0.409, 0.411, 0.022, 0.033),
    "multinormal-dense-2-2-0.5": (0.301, 0.300, 0.292, 0.292),
    "multinormal-dense-3-3-0.5": (0.415, 0.414, 0.413, 0.413),
    "multinormal-dense-5-5-0.5": (0.577, 0.578, 0.594, 0.594),
    "multinormal-dense-25-25-0.5": (1.113, 1.114, 1.330, 1.329),
    "multinormal-dense-50-50-0.5": (1.290, 1.292, 1.735, 1.735),
    "multinormal-sparse-2-2-2-2.0": (1.033, 1.033, 1.017, 1.017),
    "multinormal-sparse-3-3-2-2.0": (1.000, 1.000, 1.030, 1.029),
    "multinormal-sparse-5-5-2-2.0": (0.816, 0.816, 1.023, 1.022),
    "multinormal-sparse-25-25-2-2.0": (0.239, 0.238, 1.057, 1.057),
    "student-identity-2-2-1": (0.307, 0.415, 1.239, 0.001),
    "student-identity-2-2-2": (0.125, 0.176, 0.039, 0.000),
    "student-identity-3-3-2": (0.147, 0.213, 0.031, 0.001),
    "student-identity-3-3-3": (0.078, 0.115, 0.032, 0.001),
    "student-identity-5-5-2": (0.197, 0.263, 0.278, 0.002),
    "student-identity-5-5-3": (0.138, 0.181, 0.079, 0.002),
    "normal_cdf-multinormal-sparse-3-3-2-2.0": (0.952, 0.987, 0.967, 1.025),
    "normal_cdf-multinormal-sparse-5-5-2-2.0": (0.790, 0.815, 0.962, 1.019),
    "normal_cdf-multinormal-sparse-25-25-2-2.0": (0.238, 0.238, 0.993, 1.057),
    "half_cube-multinormal-sparse-3-3-2-2.0": (0.935, 0.987, 0.958, 1.025),
    "half_cube-multinormal-sparse-5-5-2-2.0": (0.738, 0.815, 0.950, 1.019),
    "half_cube-multinormal-sparse-25-25-2-2.0": (0.209, 0.238, 0.994, 1.057),
    "spiral-multinormal-sparse-3-3-2-2.0": (0.799, 0.798, 0.228, 0.229),
    "spiral-multinormal-sparse-5-5-2-2.0": (0.629, 0.626, 0.379, 0.381),
    "spiral-multinormal-sparse-25-25-2-2.0": (0.215, 0.215, 0.862, 0.862),
    "spiral-normal_cdf-multinormal-sparse-3-3-2-2.0": (0.941, 0.939, 0.844, 0.833),
    "spiral-normal_cdf-multinormal-sparse-5-5-2-2.0": (0.761, 0.759, 0.898, 0.879),
    "spiral-normal_cdf-multinormal-sparse-25-25-2-2.0": (0.231, 0.229, 0.983, 0.976),
    "asinh-student-identity-2-2-1": (0.418, 0.425, 0.002, 0.001),
    "asinh-student-identity-3-3-2": (0.227, 0.226, 0.001, 0.001),
    "asinh-student-identity-5-5-2": (0.265, 0.263, 0.002, 0.002),
}


@pytest.fixture(scope="module")
def differences():
    """Our mean less the reference: a row for each task, a column for each estimator."""
    return np.array([mean_estimates(task) - REFERENCE[name] for name, task in tasks().items()])


def mean_estimates(task):
    ksg, gaussian = build("ksg1", k=3, norm="euclidean"), build("gaussian", correction=False)
    estimates = []
    for seed in range(SEEDS):
        x, y = (as_variable(side / side.std(axis=0), "side") for side in task.sample(N, seed))
        ranks = normal_scores(x), normal_scores(y)
        estimates.append([how.between(*pair).bits for how in (ksg, gaussian) for pair in ((x, y), ranks)])
    return np.mean(estimates, axis=0) * math.log(2)


def test_the_table_names_every_task():
    assert list(REFERENCE) == list(tasks())


@pytest.mark.parametrize("column", range(4), ids=COLUMNS)
def test_the_mean_difference_over_tasks_is_below_a_hundredth(differences, column):
    tailed = [name.startswith("student") for name in tasks()]  # covariances of Student-t have no limit
    kept = ~np.array(tailed) if COLUMNS[column] == "gaussian" else np.full(len(tailed), True)
    assert abs(differences[kept, column].mean()) < 0.01


@pytest.mark.parametrize("column", [0, 1, 3], ids=[COLUMNS[0], COLUMNS[1], COLUMNS[3]])
def test_every_task_agrees_within_the_scatter_of_both_tables(differences, column):
    allowed = 0.01 + 3 * SCATTER * math.sqrt(1 / SEEDS + 1)
    assert np.abs(differences[:, column]).max() < allowed
