"""The information plane: what is drawn, where, in which colour."""

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from infoplane.errors import InputError
from infoplane.plots import plane
from infoplane.plots.style import epoch_colours
from infoplane.results import encode_flags


def means(ds):
    """Means over members by the data set's own arithmetic: (epoch, layer, 2)."""
    return ds["information"][0].mean("member").transpose("epoch", "layer", "variable").values


def names_of(ax):
    return [name for note in ax.texts if note.arrow_patch for name in note.get_text().split(", ")]


def words_of(figure):
    return " ".join(figure.axes[0].get_title(loc="left").split())


def test_each_layer_is_a_path_through_its_means(result, by_id):
    ax = plane(result).axes[0]
    for layer, name in enumerate(result["layer"].values):
        (path,) = by_id(ax, f"mean {name}")
        pieces = np.array(path.get_segments())
        np.testing.assert_allclose(pieces[:, 0], means(result)[:-1, layer], rtol=1e-12)  # rounding of sums
        np.testing.assert_allclose(pieces[:, 1], means(result)[1:, layer], rtol=1e-12)


def test_colour_of_a_piece_is_the_epoch_where_it_ends(result, by_id):
    figure = plane(result)
    figure.draw_without_rendering()
    (path,) = by_id(figure.axes[0], "mean output")
    # by hand: epoch 0 at 0, half a decade to 1, log10(40) decades from there to 40
    place = (0.5 + np.log10(result["epoch"].values[1:])) / (0.5 + np.log10(40))
    np.testing.assert_allclose(path.norm(result["epoch"].values[1:]), place, rtol=1e-9)
    np.testing.assert_array_equal(path.get_array(), result["epoch"].values[1:])
    np.testing.assert_allclose(path.get_edgecolors(), epoch_colours()(path.norm(path.get_array())))


def test_epoch_0_is_a_white_disc_at_the_start(result, by_id):
    ax = plane(result).axes[0]
    (disc,) = by_id(ax, "start output")
    np.testing.assert_allclose(disc.get_offsets()[0], means(result)[0, -1], rtol=1e-12)
    assert matplotlib.colors.same_color(disc.get_facecolor(), "white")


def test_epoch_0_is_named_on_the_colour_bar(result):
    bar = plane(result).axes[1]
    assert bar.get_ylabel() == "epoch"
    assert [tick.get_text() for tick in bar.get_yticklabels()] == ["0", "1", "10", "40"]


def test_a_chain_joins_input_and_layers_of_each_epoch(result, by_id):
    ax = plane(result).axes[0]
    (chains,) = by_id(ax, "chains")
    assert len(chains.get_segments()) == result.sizes["epoch"]
    np.testing.assert_array_equal(chains.get_array(), result["epoch"].values)
    for chain, layers in zip(chains.get_segments(), means(result), strict=True):
        np.testing.assert_allclose(chain, [[8.0, 1.0], *layers], rtol=1e-12)


def test_members_are_one_faint_image_of_one_line_each_layer(result, by_id):
    (members,) = by_id(plane(result).axes[0], "members")
    assert len(members.get_segments()) == 4 * 3
    assert members.get_rasterized()
    np.testing.assert_array_equal(members.get_segments()[5], result["information"][0, 1, :, 2].values)


def test_a_single_member_has_no_faint_line(make_result, by_id):
    ax = plane(make_result(members=1)).axes[0]
    assert by_id(ax, "members") == []
    assert len(by_id(ax, "mean output")) == 1


def test_entropies_and_input_are_marked_inside_the_limits(result, by_id):
    ax = plane(result).axes[0]
    assert by_id(ax, "H(X)")[0].get_xdata()[0] == 8
    assert by_id(ax, "H(Y)")[0].get_ydata()[0] == 1
    assert by_id(ax, "input")[0].get_xydata().tolist() == [[8, 1]]
    assert ax.get_xlim()[0] < 0 and ax.get_xlim()[1] > 8
    assert ax.get_ylim()[0] < 0 and ax.get_ylim()[1] > 1


def test_limits_hold_values_below_zero_and_above_the_entropy(result):
    result["information"][0, 0, 0, 1] = [9.5, -0.2]
    ax = plane(result).axes[0]
    assert ax.get_xlim()[1] > 9.5
    assert ax.get_ylim()[0] < -0.2


def test_axes_say_bits(result):
    ax = plane(result).axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("I(X;T) (bits)", "I(T;Y) (bits)")


@pytest.mark.parametrize("n_layers", [1, 3, 10])
def test_every_layer_is_named_and_no_name_touches_another(make_result, n_layers):
    layers = [f"hidden{layer + 1}" for layer in range(n_layers)]
    figure = plane(make_result(layers=layers))
    ax = figure.axes[0]
    assert sorted(names_of(ax)) == sorted(["input", *layers])
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(note) for note in ax.texts]
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]


def test_layers_on_top_of_each_other_share_a_name(result):
    result["information"][..., :2, :] = [8.0, 1.0]
    texts = [note.get_text() for note in plane(result).axes[0].texts]
    assert "input, hidden1, hidden2" in texts


def test_caption_names_run_members_epochs_and_noise_model(result):
    words = words_of(plane(result))
    assert words == "toy · 4 members · epochs 0–40, 6 measured binning: bins 30, edges idnns"


def test_caption_counts_flagged_members(result):
    result["member_flags"][:] = [encode_flags({"dead"}), 0, encode_flags({"dead", "diverged"}), 0]
    assert words_of(plane(result)).endswith("2 of 4 members dead; 1 of 4 members diverged")


def test_caption_says_where_members_are_missing(result):
    result["information"][:, 0, 4:] = np.nan
    assert words_of(plane(result)).endswith("from epoch 10 on as few as 3 of 4 members measured")


def test_means_are_over_the_members_that_have_a_number(result, by_id):
    result["information"][:, 0, 4:] = np.nan
    (path,) = by_id(plane(result).axes[0], "mean output")
    np.testing.assert_allclose(np.array(path.get_segments())[:, 1], means(result)[1:, -1], rtol=1e-12)


def test_an_epoch_without_numbers_is_skipped(result, by_id):
    result["information"][:, :, 2, 1] = np.nan
    ax = plane(result).axes[0]
    (path,) = by_id(ax, "mean hidden2")
    np.testing.assert_array_equal(path.get_array(), [1, 5, 10, 40])
    assert [len(chain) for chain in by_id(ax, "chains")[0].get_segments()] == [4, 4, 3, 4, 4, 4]


def test_a_layer_without_numbers_has_neither_path_nor_name(result, by_id):
    result["information"][:, :, :, 1] = np.nan
    ax = plane(result).axes[0]
    assert by_id(ax, "mean hidden2") == []
    assert "hidden2" not in names_of(ax)


def test_one_epoch_is_a_chain_of_discs_without_colour_bar(make_result, by_id):
    figure = plane(make_result(epochs=(0,)))
    assert len(figure.axes) == 1
    assert len(by_id(figure.axes[0], "chains")[0].get_segments()) == 1
    assert len(by_id(figure.axes[0], "start hidden2")) == 1


def test_argument_selects_the_estimator(make_result, by_id):
    ds = make_result(estimators=("binning", "kde"))
    (chains,) = by_id(plane(ds, estimator="kde").axes[0], "chains")
    expected = ds["information"].sel(estimator="kde").mean("member").values[0]
    np.testing.assert_allclose(chains.get_segments()[0][1:], expected, rtol=1e-12)


def test_unknown_estimator_is_refused_with_those_there(make_result):
    with pytest.raises(InputError, match=r"estimator 'ksg' is not in this result; it holds: binning, kde"):
        plane(make_result(estimators=("binning", "kde")), estimator="ksg")


def test_result_without_labels_is_refused(result):
    result["information"][..., 1] = np.nan
    with pytest.raises(InputError, match=r"plane needs I\(T;Y\), but this result has no labels"):
        plane(result)


def test_result_without_measurements_is_refused(result):
    with pytest.raises(InputError, match="measured no I"):
        plane(result.isel(epoch=slice(0)))


def test_draws_into_given_axes(result, by_id):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert plane(result, ax=right) is figure
    assert by_id(right, "chains") and not by_id(left, "chains")
