"""Planes of a sweep side by side, and what stands beside the curves of one of its combinations."""

import numpy as np
import pytest

from infoplane import results
from infoplane.plots import information, style, variants
from infoplane.runs import engine
from infoplane.runs.combine import split
from infoplane.runs.config import parse

LABELS = ["narrow", "wide", "deep", "wide, shuffled labels"]


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    """Four variants of two members each, one of them deeper, the last on shuffled labels, with held-out inputs."""
    keys = {
        "members": 2,
        "model": {"hidden": [4, 3]},
        "train": {"epochs": 8, "batch_size": 1024},
        "schedule": {"kind": "list", "epochs": [2, 4]},
        "measure": {"parts": ["all", "test"]},
        "variants": [
            {"label": LABELS[0]},
            {"label": LABELS[1], "model.hidden": [6, 5]},
            {"label": LABELS[2], "model.hidden": [4, 3, 3]},
            {"label": LABELS[3], "model.hidden": [6, 5], "data.shuffle_labels": True},
        ],
    }
    return engine.run(parse(keys), tmp_path_factory.mktemp("varied") / "run")


def test_each_variant_has_a_plane_with_its_own_layers_on_common_axes(varied, by_id):
    axes = variants(varied).axes[:4]
    assert [ax.get_title(loc="left") for ax in axes] == LABELS
    assert len({ax.get_xlim() for ax in axes}) == 1
    for ax, n_layers in zip(axes, (3, 3, 4, 3), strict=True):
        assert len([1 for artist in ax.get_children() if str(artist.get_gid()).startswith("end ")]) == n_layers
        assert len(by_id(ax, "input")) == 1


def test_the_title_of_a_baseline_is_grey(varied):
    colours = [ax._left_title.get_color() for ax in variants(varied).axes[:4]]
    assert colours == [style.INK] * 3 + [style.GREY]


def test_held_out_inputs_are_dotted_beside_their_layer(varied, by_id):
    _, part = split(varied)[1]
    other = results.held_out(part)["information"].isel(estimator=0).mean("member")
    figure = information(part)
    for ax, variable in zip(figure.axes, ("input", "label"), strict=True):
        for line, layer in zip(by_id(ax, "held out"), part["layer"].values, strict=True):
            np.testing.assert_allclose(line.get_ydata(), other.sel(layer=layer, variable=variable))
    assert "dotted: held-out inputs (H(X) = 9.678)" in figure.get_suptitle()


def test_baselines_are_grey_marks_at_the_first_and_the_last_epoch(varied, by_id):
    parts = dict(zip(LABELS, (part for _, part in split(varied)), strict=True))
    figure = information(parts["wide"], shuffled=parts["wide, shuffled labels"])
    marks = {gid: by_id(figure.axes[0], gid)[0] for gid in ("random weights", "shuffled labels")}
    for gid, label, epoch in (("random weights", "wide", 0), ("shuffled labels", "wide, shuffled labels", 8)):
        expected = parts[label]["information"].isel(estimator=0).sel(epoch=epoch, variable="input").mean("member")
        np.testing.assert_allclose(marks[gid].get_ydata(), expected)
        assert set(marks[gid].get_xdata()) == {epoch}
        assert marks[gid].get_color() == style.GREY
    assert "shuffled labels" not in information(parts["wide"]).get_suptitle()
