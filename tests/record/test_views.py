"""Views of wide layers: pooled channels, random projections, principal components."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from infoplane.errors import InputError
from infoplane.experiments.own import table
from infoplane.plots.content import caption
from infoplane.record import Recorder
from infoplane.record._units import Units
from infoplane.record._views import View, as_view

rng = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(60, 40), (30, 200)])
def test_principal_components_are_those_of_scikit_learn(shape):
    rows = rng.normal(size=shape) * np.linspace(1, 3, shape[1])
    given = View("pca", 5).of_layer(rows.T[None])[0].T
    expected = PCA(5, svd_solver="full").fit_transform(rows)
    np.testing.assert_allclose(np.abs(given), np.abs(expected), atol=1e-9)
    assert (given[np.abs(given).argmax(axis=0), np.arange(5)] > 0).all()


def test_components_beyond_the_rank_are_zero():
    rows = np.outer(rng.normal(size=4), rng.normal(size=50))
    given = View("pca", 8).of_layer(rows.T[None])[0]
    assert given.shape == (8, 4)
    np.testing.assert_allclose(given[1:], 0, atol=1e-6)


def test_components_of_what_is_not_finite_are_not_finite():
    rows = np.ones((1, 20, 3))
    rows[0, 0, 0] = np.inf
    assert np.isnan(View("pca", 2).of_layer(rows)).all()


def test_a_projection_keeps_the_mean_square_and_does_not_depend_on_the_batch():
    rows = rng.normal(size=(500, 300)).astype(np.float32)
    view = View("projection", 64)
    whole = view.of_batch(rows, "t")
    assert whole.shape == (500, 64)
    # E|xP|^2 = |x|^2; each has a relative standard deviation of sqrt(2 / 64), and rows share one matrix
    assert np.square(whole).sum() == pytest.approx(np.square(rows).sum(), rel=0.1)
    np.testing.assert_allclose(
        np.concatenate([view.of_batch(part, "t") for part in (rows[:200], rows[200:])]), whole, atol=1e-4
    )


def test_narrow_layers_stay_as_they_are():
    rows = rng.normal(size=(20, 4))
    assert View("projection", 4).of_batch(rows, "t") is rows
    layer = rows.T[None]
    assert View("pca", 4).of_layer(layer) is layer


@pytest.mark.parametrize("view", ["projection", {"name": "pca", "coordinates": 3}])
def test_a_view_is_stated_in_the_result_its_table_and_figures(view, tmp_path):
    inputs = rng.normal(size=(60, 40))
    recorder = Recorder(inputs, np.arange(60) % 3, view=view, out=tmp_path / "folder")
    recorder.step(0, {"wide": inputs, "narrow": inputs[:, :2]})
    ds = recorder.results()
    told = str(as_view(view))
    assert ds.attrs["view"] == told
    assert told in table(ds)
    assert told in caption(ds)
    recorder.close()
    with pytest.raises(InputError.__mro__[1], match="its view is"):
        Recorder(inputs, np.arange(60) % 3, out=tmp_path / "folder")


def test_a_view_measures_the_coordinates():
    inputs = rng.normal(size=(60, 40))
    recorder = Recorder(
        inputs, np.arange(60) % 3, {"name": "binning", "edges": "layer"}, view={"name": "pca", "coordinates": 2}
    )
    recorder.step(0, {"wide": inputs})
    direct = Recorder(inputs, np.arange(60) % 3, {"name": "binning", "edges": "layer"})
    scores = PCA(2, svd_solver="full").fit_transform(inputs)
    direct.step(0, {"wide": scores * np.sign(scores[np.abs(scores).argmax(axis=0), np.arange(2)])})
    np.testing.assert_allclose(recorder.results()["information"], direct.results()["information"], atol=0.05)


@pytest.mark.parametrize(
    "view", ["pac", 3, {"coordinates": 3}, {"name": "pca", "coordinates": 0}, {"name": "pca", "k": 1}]
)
def test_other_views_are_refused(view):
    with pytest.raises(InputError, match="view: expected"):
        as_view(view)


def test_pooled_channels_are_means_over_quarters():
    image = np.arange(2 * 4 * 5 * 3, dtype=float).reshape(2, 4, 5, 3)
    (pooled,) = Units("pool").of(image).values()
    assert pooled.shape == (2, 2, 2, 3)
    np.testing.assert_allclose(pooled[:, 0, 0], image[:, :2, :3].mean(axis=(1, 2)))  # the middle column is in both
    np.testing.assert_allclose(pooled[:, 1, 1], image[:, 2:, 2:].mean(axis=(1, 2)))
    (first,) = Units("pool").of(np.moveaxis(image, -1, 1), channels_first=True).values()
    np.testing.assert_allclose(first, np.moveaxis(pooled, -1, 1))


@pytest.mark.framework
def test_pooling_is_that_of_pytorch_and_the_result_states_it():
    torch = pytest.importorskip("torch", reason="needs the extra 'torch'")
    image = torch.randn(12, 3, 5, 7)
    (pooled,) = Units("pool").of(image, channels_first=True).values()
    assert torch.allclose(pooled, torch.nn.functional.adaptive_avg_pool2d(image, 2), atol=1e-6)
    recorder = Recorder(image)
    with recorder.attach(torch.nn.Conv2d(3, 2, 1), layers="output", channels="pool"):
        recorder.step(0)
    assert "averaged over the two halves" in recorder.results().attrs["reduction"]
