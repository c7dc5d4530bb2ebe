"""The forty tasks: names, number, true values; and maps that lose nothing."""

import math

import numpy as np
import pytest
from scipy import stats

from infoplane.errors import InputError
from infoplane.truth import Normal, Transformed, select, tasks, transforms

NAT = math.log2(math.e)
CHANCE = 1e-3  # lowest p-value that a few dozen tests of right samplers may show
BIVARIATE = 0.413339
SPARSE = 1.021651
PUBLISHED = {  # in nats, in the order of the paper
    "1v1-normal-0.75": BIVARIATE,
    "normal_cdf-1v1-normal-0.75": BIVARIATE,
    "1v1-additive-0.1": 1.709438,
    "1v1-additive-0.75": 0.333333,
    "1v1-bimodal-0.75": BIVARIATE,
    "wiggly-1v1-normal-0.75": BIVARIATE,
    "half_cube-1v1-normal-0.75": BIVARIATE,
    "student-identity-1-1-1": 0.224171,
    "asinh-student-identity-1-1-1": 0.224171,
    "swissroll_x-normal_cdf-1v1-normal-0.75": BIVARIATE,
    "multinormal-dense-2-2-0.5": 0.293893,
    "multinormal-dense-3-3-0.5": 0.413339,
    "multinormal-dense-5-5-0.5": 0.592812,
    "multinormal-dense-25-25-0.5": 1.292184,
    "multinormal-dense-50-50-0.5": 1.624265,
    "multinormal-sparse-2-2-2-2.0": SPARSE,
    "multinormal-sparse-3-3-2-2.0": SPARSE,
    "multinormal-sparse-5-5-2-2.0": SPARSE,
    "multinormal-sparse-25-25-2-2.0": SPARSE,
    "student-identity-2-2-1": 0.431946,
    "student-identity-2-2-2": 0.193147,
    "student-identity-3-3-2": 0.290922,
    "student-identity-3-3-3": 0.178712,
    "student-identity-5-5-2": 0.448151,
    "student-identity-5-5-3": 0.298544,
    **{
        f"{prefix}-multinormal-sparse-{d}-{d}-2-2.0": SPARSE
        for prefix in ("normal_cdf", "half_cube", "spiral", "spiral-normal_cdf")
        for d in (3, 5, 25)
    },
    "asinh-student-identity-2-2-1": 0.431946,
    "asinh-student-identity-3-3-2": 0.290922,
    "asinh-student-identity-5-5-2": 0.448151,
}


def test_there_are_forty_tasks_in_the_order_of_the_paper():
    assert list(tasks()) == list(PUBLISHED)
    assert len(PUBLISHED) == 40


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_task_has_its_published_information(name):
    assert tasks()[name].information / NAT == pytest.approx(PUBLISHED[name], abs=1e-6)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_task_has_the_coordinates_that_its_name_says(name):
    x, y = tasks()[name].sample(20, seed=1)
    one_dimensional = "1v1" in name or name.endswith("1-1-1")
    dims = (
        1
        if one_dimensional
        else int(
            name.replace("-2-2.0", "")
            .replace("-0.5", "")
            .split("identity-")[-1]
            .split("-")[0 if "identity" in name else -1]
        )
    )
    assert (x.shape[1], y.shape[1]) == ((2, 1) if "swissroll" in name else (dims, dims))
    assert np.isfinite(x).all()
    assert np.isfinite(y).all()


def test_tasks_are_chosen_by_patterns():
    assert list(select("student-identity-2-2-?,1v1-additive-0.1")) == [
        "1v1-additive-0.1",
        "student-identity-2-2-1",
        "student-identity-2-2-2",
    ]
    assert select("*").keys() == tasks().keys()


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(InputError, match=r"no task is called .1v1-normal.; did you mean .1v1-normal-0\.75.\?"):
        select("1v1-normal")


# ---- maps

GRID = np.linspace(-6.0, 6.0, 100_001)[:, None]


@pytest.mark.parametrize(
    "increasing",
    [
        transforms.asinh,
        transforms.half_cube,
        transforms.normal_cdf,
        transforms.wiggly_x,
        transforms.wiggly_y,
        transforms.Bimodal(0.3, (0.0, 5.0)),
        transforms.Bimodal(0.5, (-1.0, 3.0)),
    ],
)
def test_maps_of_single_coordinates_increase(increasing):
    assert (np.diff(increasing(GRID), axis=0) > 0).all()


def test_half_cube_and_asinh_have_their_values():
    np.testing.assert_allclose(transforms.half_cube(np.array([[-4.0, 0.0, 9.0]])), [[-8.0, 0.0, 27.0]])
    np.testing.assert_allclose(transforms.asinh(np.sinh(GRID)), GRID, atol=1e-12)
    np.testing.assert_allclose(transforms.log(np.exp(GRID)), GRID, atol=1e-12)


def test_the_cdf_of_normals_is_uniform():
    x, _ = tasks()["normal_cdf-1v1-normal-0.75"].sample(10_000)
    assert stats.kstest(x[:, 0], stats.uniform().cdf).pvalue > CHANCE


@pytest.mark.parametrize(("weight", "means"), [(0.3, (0.0, 5.0)), (0.5, (-1.0, 3.0))])
def test_bimodal_samples_follow_their_mixture(weight, means):
    mapped = transforms.Bimodal(weight, means)(np.random.default_rng(0).standard_normal((10_000, 1)))

    def cdf(value):
        return weight * stats.norm.cdf(value - means[0]) + (1 - weight) * stats.norm.cdf(value - means[1])

    assert stats.kstest(mapped[:, 0], cdf).pvalue > CHANCE


def test_the_swiss_roll_can_be_rolled_back():
    u = np.linspace(0.0, 1.0, 1001)[:, None]
    rolled = transforms.swiss_roll(u)
    assert rolled.shape == (1001, 2)
    radius = np.hypot(rolled[:, 0], rolled[:, 1])
    np.testing.assert_allclose((radius * 21 / (1.5 * np.pi) - 1) / 2, u[:, 0], atol=1e-12)
    np.testing.assert_allclose(rolled[0], [0.0, -1.5 * np.pi / 21], atol=1e-15)  # t = 3π/2 points down


@pytest.mark.parametrize("plane", [(0, 1), (1, 2)])
def test_a_spiral_can_be_turned_back(plane):
    x = np.random.default_rng(0).standard_normal((1000, 4))
    turned = transforms.Spiral(*plane, 0.3)(x)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(x, axis=1))
    np.testing.assert_allclose(transforms.Spiral(*plane, -0.3)(turned), x, atol=1e-12)
    assert not np.allclose(turned, x)


def test_a_spiral_turns_by_its_speed_at_distance_one():
    turned = transforms.Spiral(0, 1, np.pi / 2)(np.array([[1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(turned, [[0.0, 1.0, 0.0]], atol=1e-15)


def test_maps_say_what_coordinates_they_need():
    with pytest.raises(InputError, match="number of coordinates is 2; expected 1"):
        Transformed(Normal.dense(0.5, (2, 2)), transforms.Spiral(0, 1, 1.0), transforms.swiss_roll).sample(10)
    with pytest.raises(InputError, match="at least 3"):
        transforms.Spiral(1, 2, 1.0)(np.zeros((5, 2)))


def test_transforming_keeps_information_and_does_not_change_the_samples_of_the_base():
    base = Normal.from_information(1.0)
    moved = Transformed(base, transforms.half_cube, transforms.asinh)
    assert moved.information == base.information
    (x, y), (u, v) = base.sample(100, 7), moved.sample(100, 7)
    np.testing.assert_array_equal(transforms.half_cube(x), u)
    np.testing.assert_array_equal(transforms.asinh(y), v)
