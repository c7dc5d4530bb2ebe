"""What layers know at the end, network beside network."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.experiments import EXPERIMENTS
from infoplane.plots import FIGURES, ends
from infoplane.results import mean_interval
from infoplane.runs import engine
from infoplane.runs.combine import split
from infoplane.runs.config import parse

LABELS = ["narrow", "deep"]


@pytest.fixture(scope="module")
def varied(tmp_path_factory):
    """Two variants of three members each, the second one deeper, by two estimators."""
    keys = {
        "members": 3,
        "model": {"hidden": [4, 3]},
        "train": {"epochs": 2, "batch_size": 1024},
        "schedule": {"kind": "list", "epochs": [0]},
        "estimators": ["binning", "kde"],
        "variants": [{"label": LABELS[0]}, {"label": LABELS[1], "model.hidden": [4, 3, 3]}],
    }
    return engine.run(parse(keys), tmp_path_factory.mktemp("varied") / "run")


def bars(ax):
    """Means and half widths of each network's dots."""
    found = []
    ends = [line for line in ax.get_lines() if line.get_gid() == "end"]
    for line, (_, _, (bar,)) in zip(ends, ax.containers, strict=True):
        low, high = np.moveaxis(np.array(bar.get_segments())[:, :, 1], 1, 0)
        found.append((line.get_ydata(), (high - low) / 2))
    return found


def test_dots_are_means_at_the_end_with_their_interval_a_panel_for_each_estimator(varied):
    axes = ends(varied).axes
    assert [ax.get_title(loc="left").partition(":")[0] for ax in axes] == ["binning", "kde"]
    for estimator, ax in enumerate(axes):
        for (_, part), (means, halves) in zip(split(varied), bars(ax), strict=True):
            values = part["information"].isel(epoch=-1, estimator=estimator).sel(variable="input")
            expected = [mean_interval(of) for of in values.transpose("layer", "member").values]
            np.testing.assert_allclose(np.transpose([means, halves]), expected, atol=1e-9)


def test_dotted_is_the_first_epoch_and_dashed_the_entropy_of_the_input(varied, by_id):
    ax = ends(varied).axes[0]
    for (_, part), line in zip(split(varied), by_id(ax, "start"), strict=True):
        first = part["information"].isel(epoch=0, estimator=0).sel(variable="input").mean("member")
        np.testing.assert_allclose(line.get_ydata(), first)
    assert {line.get_ydata()[0] for line in by_id(ax, "H(X)")} == {12.0}


def test_what_another_code_stored_stands_beside_its_network_in_its_colour(varied, by_id):
    figure = ends(varied, stored={"deep": [12.0, 11.0, 9.0, 2.0]}, whose="what somebody stored")
    (crosses,) = by_id(figure.axes[0], "stored")
    _, deep = by_id(figure.axes[0], "start")
    np.testing.assert_allclose(crosses.get_ydata(), [12, 11, 9, 2])
    np.testing.assert_allclose(crosses.get_xdata(), deep.get_xdata())
    np.testing.assert_allclose(crosses.get_color(), deep.get_color())
    assert "crosses: what somebody stored" in figure.get_suptitle()
    assert "crosses" not in ends(varied).get_suptitle()


def test_stored_values_stand_in_the_panel_of_their_estimator_only(varied, by_id):
    figure = ends(varied, stored={"deep": [12.0, 11.0, 9.0, 2.0]}, whose="somebody", by="kde")
    assert [len(by_id(ax, "stored")) for ax in figure.axes] == [0, 1]
    assert "crosses" not in ends(varied, stored={"deep": [12.0, 11.0, 9.0, 2.0]}, by="kde(x)").get_suptitle()


def test_layers_of_one_name_stand_above_one_another_whatever_the_depth(varied, by_id):
    ax = ends(varied).axes[0]
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    for (_, part), line in zip(split(varied), by_id(ax, "start"), strict=True):
        places = [names[round(place)] for place in line.get_xdata()]
        assert places == part["layer"].values.tolist()


def test_stored_values_that_belong_to_nothing_are_refused(varied):
    with pytest.raises(InputError, match="stored 'wide' is no combination of this result; it has: narrow, deep"):
        ends(varied, stored={"wide": [1.0, 2.0, 3.0]})
    with pytest.raises(InputError, match="stored 'narrow' has 4 values; one for each of 3 layers"):
        ends(varied, stored={"narrow": [1.0, 2.0, 3.0, 4.0]})


def test_one_network_of_one_member_at_one_epoch_needs_no_names(make_result, by_id):
    figure = ends(make_result(members=1, epochs=(7,)))
    assert not figure.legends
    assert not by_id(figure.axes[0], "start")
    assert not figure.axes[0].containers
    assert len(by_id(figure.axes[0], "end")) == 1
    assert "interval" not in figure.get_suptitle()


def test_wide_intervals_of_two_members_leave_the_axis_to_what_can_be(make_result):
    ds = make_result(members=2)
    ds["information"][:, 0, -1] = ds["information"][:, 0, -1] - 3
    low, high = ends(ds).axes[0].get_ylim()
    assert -1 < low < 0 and 8 < high < 11


def test_without_an_epoch_there_is_nothing_to_draw(make_result):
    with pytest.raises(InputError, match="needs a measured epoch"):
        ends(make_result().isel(epoch=slice(0)))


@pytest.fixture(scope="module")
def infonet(varied):
    """Networks by infonet's layers, as if measured on MNIST."""
    layers = [f"hidden{place}" for place in range(1, 6)] + ["output"]
    one = varied.isel(layer=[0] * 6).assign_coords(layer=layers)
    config = '{"estimators": ["binning", {"name": "kde", "variance": 0.05}]}'
    return one.assign_attrs(input_entropy=np.log2(70_000), label_entropy=3.319837, config=config)


def beside(*parts):
    """What the figure shows beside tanh and relu networks."""
    with pytest.MonkeyPatch.context() as patch:
        named = [({"variant": name}, part) for name, part in zip(("tanh", "relu"), parts, strict=False)]
        patch.setattr("infoplane.runs.combine.split", lambda _: named)
        return EXPERIMENTS["infonet-mnist"].options(parts[0])


def test_infonets_numbers_stand_beside_the_same_images_only(varied, infonet):
    assert EXPERIMENTS["infonet-mnist"].options(varied) == {}
    assert EXPERIMENTS["images"].options(varied) == {}
    shown = beside(infonet, infonet)["ends"]
    assert shown["stored"]["tanh"] == (16.06, 16.10, 8.61, 6.09, 4.35, 3.34)
    assert shown["by"] == "kde"
    others = {
        "fewer images": {"input_entropy": np.log2(2000)},
        "as many of Fashion-MNIST": {"label_entropy": np.log2(10)},
        "other noise": {"config": '{"estimators": [{"name": "kde", "variance": 0.001}]}'},
        "an estimator that is not there": {"config": '{"estimators": ["nobodys"]}'},
    }
    for changed in others.values():
        assert beside(infonet, infonet.assign_attrs(changed)) == {}
    assert beside(infonet) == {}


def test_infonets_numbers_stand_beside_the_networks_that_did_not_fail(infonet):
    shown = beside(infonet.isel(epoch=slice(0)), infonet)["ends"]
    assert [*shown["stored"]] == ["relu"]
    assert beside(infonet.isel(epoch=slice(0)), infonet.isel(epoch=slice(0))) == {}
    assert "ends" in FIGURES
