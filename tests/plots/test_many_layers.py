"""Results with many layers: what names and legends do to a figure, with layers at one point and apart."""

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from infoplane import plots
from infoplane.errors import InputError
from infoplane.plots import naming, style

MANY = (10, 60, 200)
HOSTILE = "encoder.$block_{}$.a_module_with_a_name_as_generators_make_them.with\nbreak.日本.\ud800.{}"
SATURATED = 0.8
"""Share of the layers that stand on the input in `coinciding`."""


def plain_names(count):
    return [f"layer{1 + 4 * place // count}.{place}" for place in range(count)]


def hostile_names(count):
    return [HOSTILE.format(place, place) for place in range(count - 1)] + ["_head$$"]


def coinciding(ds):
    """Put the first layers on the input node, as saturated layers are."""
    n_first = int(SATURATED * ds.sizes["layer"])
    ds["information"][:, :, :, :n_first] = np.array([8.0, 1.0])
    return ds


@pytest.fixture(params=[*MANY[:-1], pytest.param(MANY[-1], marks=pytest.mark.slow)])
def count(request):
    return request.param


CASES = [
    pytest.param(
        (count, names, change),
        id=f"{count}-{names.__name__}-{kind}",
        marks=pytest.mark.slow if count == MANY[-1] and kind == "distinct" else (),
    )
    for count in MANY
    for kind, change in {"coinciding": coinciding, "distinct": lambda ds: ds}.items()
    for names in (plain_names, hostile_names)
    if count < MANY[-1] or (names is hostile_names) == (kind == "coinciding")  # 200 layers take seconds
]


@pytest.fixture(params=CASES)
def many(request, make_result):
    count, names, change = request.param
    return change(make_result(members=2, epochs=(0, 5, 40), layers=names(count)))


def labels_of(ax):
    return [note for note in ax.texts if note.arrow_patch]


def boxes_of(ax):
    return [Text.get_window_extent(note) for note in labels_of(ax)]


def panels(figure):
    return [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]


def assert_readable(figure, ax):
    """Labels lie inside the axes and touch no other label."""
    figure.draw_without_rendering()
    boxes = boxes_of(ax)
    assert boxes
    assert not [(a, b) for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert min(box.x0 for box in boxes) >= ax.bbox.x0
    assert max(box.x1 for box in boxes) <= ax.bbox.x1


def test_names_of_a_plane_are_inside_and_leave_its_axes_alone(many):
    figure = plots.plane(many)
    assert figure.get_figwidth() == pytest.approx(8 / 2.54)
    assert_readable(figure, figure.axes[0])
    named = figure.axes[0].get_position().bounds
    for note in labels_of(figure.axes[0]):
        note.remove()
    figure.draw_without_rendering()
    assert figure.axes[0].get_position().bounds == pytest.approx(named, abs=1e-9)
    assert named[2] > 0.6  # of the figure's width


def test_layers_at_one_point_are_one_label_with_their_number(make_result, count):
    layers = plain_names(count)
    texts = [
        note.get_text()
        for note in labels_of(plots.plane(coinciding(make_result(layers=layers, epochs=(0, 40)))).axes[0])
    ]
    n_first = int(SATURATED * count)
    assert f"input, {layers[0]} … {layers[n_first - 1]} ({n_first})" in texts


@pytest.mark.slow
def test_panels_of_planes_keep_their_size(make_result, count):
    ds = coinciding(make_result(members=2, layers=hostile_names(count), epochs=(0, 40), estimators=("binning", "kde")))
    figure = plots.planes(ds)
    used = panels(figure)
    assert len(used) == 2
    for ax in used:
        assert_readable(figure, ax)
        assert ax.get_position().width > 0.35


@pytest.mark.parametrize("name", ["snapshots", "information", "training", "ranks"])
def test_a_legend_leaves_most_of_the_width_to_the_panels(make_result, count, name):
    figure = plots.FIGURES[name](coinciding(make_result(members=2, epochs=(0, 5, 40), layers=hostile_names(count))))
    figure.draw_without_rendering()
    shown = panels(figure)
    assert max(ax.get_position().x1 for ax in shown) - min(ax.get_position().x0 for ax in shown) > 0.5
    right = max(ax.get_position().x1 for ax in shown) * figure.bbox.width
    beside = [ax for ax in figure.axes if ax.get_label() == "<colorbar>"]
    assert len(beside) == (count > style.LISTED)
    for element in [*beside, *figure.legends]:
        box = element.get_tightbbox()
        assert box.x0 > right
        assert box.x1 <= figure.bbox.x1
        assert box.y0 >= 0 and box.y1 <= figure.bbox.y1


def test_planes_in_a_column_of_8_cm_are_readable(make_result, count):
    ds = make_result(layers=plain_names(count), epochs=(0, 40), estimators=("binning", "kde"))
    figure = plots.planes(coinciding(ds), width=8)
    assert figure.get_figwidth() == pytest.approx(8 / 2.54)
    for ax in panels(figure):
        assert_readable(figure, ax)
        assert ax.get_position().width > 0.6


def test_snapshots_in_a_column_of_8_cm_keep_their_panels(make_result, count):
    figure = plots.FIGURES["snapshots"](coinciding(make_result(layers=plain_names(count), epochs=(0, 5, 40))), width=8)
    figure.draw_without_rendering()
    assert figure.get_figwidth() == pytest.approx(8 / 2.54)
    shown = panels(figure)
    assert len({round(ax.get_position().y0, 3) for ax in shown}) == 3
    assert all(ax.get_position().width > 0.45 for ax in shown)
    for element in [*figure.legends, *(ax for ax in figure.axes if ax.get_label() == "<colorbar>")]:
        assert element.get_tightbbox().x1 <= figure.bbox.x1


@pytest.mark.parametrize("width", [0, -3, "8", float("nan"), 300])
def test_another_width_is_refused(make_result, width):
    with pytest.raises(InputError, match="width: expected"):
        plots.planes(make_result(), width=width)


@pytest.mark.parametrize("name", ["compression", "ends"])
def test_names_below_the_bars_are_few_and_inside(make_result, count, name):
    figure = plots.FIGURES[name](make_result(members=2, layers=hostile_names(count)))
    figure.draw_without_rendering()
    ticks = figure.axes[0].get_xticklabels()
    assert 2 <= len(ticks) <= style.TICKS
    assert figure.axes[0].get_position().height > 0.4
    lines = sorted(tick.get_window_extent().x1 for tick in ticks)
    assert min(np.diff(lines)) > 7  # pixels at 100 dots an inch: slanted lines of 6.5 points do not touch


@pytest.mark.parametrize("name", ["comparison", "histograms"])
def test_at_most_24_layers_have_a_panel_and_the_caption_says_so(make_result, name):
    figure = plots.FIGURES[name](
        make_result(members=2, layers=plain_names(60), epochs=(0, 40), estimators=("binning", "kde"))
    )
    titles = [ax.get_title(loc="left") for ax in panels(figure) if ax.get_title(loc="left")]
    assert len(titles) == 24
    assert (titles[0], titles[-1]) == ("layer1.0", "layer4.59")
    assert "24 of 60 layers" in figure.get_suptitle().replace("\n", " ")


@pytest.mark.parametrize("ending", ["gif", "html"])
def test_a_film_of_many_layers_is_made_with_hostile_names(make_result, tmp_path, ending):
    ds = coinciding(make_result(members=2, layers=hostile_names(60), epochs=(0, 1)))
    ds.attrs["title"] = "my $$ \ud800 model"
    path = plots.animate(ds, tmp_path / f"film.{ending}", width=200)
    assert path.stat().st_size > 1000
    if ending == "gif":
        with Image.open(path) as film:
            assert film.n_frames == 2


def test_names_are_printable():
    assert naming.printable("a$_1$") == r"a\$_1\$"
    assert naming.printable("one\ntwo\ud800") == "one two"
    assert naming.shorten("abcdefghijklmnop", 7) == "abc…nop"
    assert len(naming.shorten("x" * 5000)) == naming.LONG
    assert naming.shorten("") == ""


def test_joined_names_list_a_few_and_count_many():
    assert naming.join(["only"]) == "only"
    assert naming.join(["a", "b", "c"]) == "a, b, c"
    assert naming.join([f"layer{place}" for place in range(8)]) == "layer0 … layer7 (8)"
    assert naming.join(["input", "a", "b", "c", "d"]) == "input, a … d (4)"
