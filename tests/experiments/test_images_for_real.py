"""The experiments on images, run: on the digits always, on real MNIST and notMNIST where their files are."""

import math

import numpy as np
import pytest

import infoplane as ip
from in_process import infoplane
from real_files import folder_of

HIDDEN = ["hidden1", "hidden2", "hidden3", "hidden4"]


def ends(ds, variant, estimator="binning"):
    """Mean over members of I(X;T) of each layer at the first and the last epoch."""
    one = ds.sel(variant=variant)
    kinds = [str(name).partition("(")[0] for name in one["estimator"].values]
    information = one["information"].isel(estimator=kinds.index(estimator)).sel(variable="input").mean("member")
    return information.isel(epoch=0).values, information.isel(epoch=-1).values


@pytest.mark.slow
def test_images_are_run_on_the_digits(tmp_path):
    """Two members for 360 updates, in which little is learnt with 0.001, hence 0.1; of the first layer an eighth."""
    smaller = {"model": {"hidden": [128, 20, 20, 20]}, "schedule": {"points": 3}}
    ds = ip.run("images", tmp_path / "run", quick=True, train={"epochs": 30, "learning_rate": 0.1}, **smaller)
    assert ds["variant"].values.tolist() == ["tanh", "relu"]
    assert ds["layer"].values.tolist() == [*HIDDEN, "output"]
    assert ds.attrs["n_samples"] == 500
    assert float(ds["accuracy"].sel(split="test").isel(step=-1).min()) > 0.8
    for variant in ds["variant"].values:
        start, end = ends(ds, variant)
        assert start[-1] < 1 < end[-1] < end[0]
        assert end[0] == pytest.approx(math.log2(500), rel=0.01)
    drawn = {path.name for path in (tmp_path / "run" / "figures").iterdir()}
    assert {"compression.png", "ends.png", "variants.png", "information-variant=tanh.png"} <= drawn
    ids = {verdict.claim.id for verdict in ip.claims(ds)}
    assert {"image-tanh-compresses", "image-relu-stays", "image-any-data"} <= ids


@pytest.mark.slow
def test_saxe_mnist_on_the_real_files(tmp_path):
    """Six epochs on 60 000 images: tanh layers tell most of 2000 images apart from the start, ReLU layers learn to."""
    ds = ip.run("saxe-mnist", tmp_path / "run", quick=True, data={"path": str(folder_of("mnist"))})
    assert ds.attrs["input_entropy"] == pytest.approx(math.log2(2000), abs=1e-9)
    (tanh, tanh_end), (relu, relu_end) = (ends(ds, variant, "kde") for variant in ("tanh", "relu"))
    assert (tanh[1:4] > relu[1:4] + 2).all()
    assert (relu_end[1:4] > relu[1:4] + 1).all()
    assert (tanh_end[:4] >= 0.7 * math.log2(2000)).all()
    assert (np.diff(tanh[:4]) < 0).all()  # deeper layers know less at the start
    assert float(ds["accuracy"].sel(split="test", variant="tanh").isel(step=-1).mean()) > 0.7


@pytest.mark.slow
def test_images_are_run_on_several_sets_side_by_side(tmp_path):
    """The digits and notMNIST, of which some images occur more than once: H(X) is less than the logarithm."""
    where = ["--data", "digits", "--data", folder_of("notmnist"), "--out", tmp_path / "run"]
    code, out, _ = infoplane("run", "images", "--quick", *where, "--set", "measure.rows=10000")
    assert code == 0
    assert "image-any-data" in out
    parts = dict(split(ip.load(tmp_path / "run")))
    assert [*parts] == ["digits, tanh", "digits, relu", "notmnist, tanh", "notmnist, relu"]
    assert parts["digits, tanh"].attrs["input_entropy"] == pytest.approx(math.log2(1797), abs=1e-6)
    assert parts["notmnist, relu"].attrs["input_entropy"] == pytest.approx(13.1758, abs=1e-4)
    assert parts["notmnist, relu"].attrs["n_distinct"] == 9804


def split(ds):
    """The networks of a result by the name of their variant."""
    from infoplane.runs.combine import split as parts_of

    return [(str(labels["variant"]), part) for labels, part in parts_of(ds)]
