"""What all figures promise: any result is drawn, files are whole and repeatable, nothing global changes."""

import concurrent.futures
import subprocess
import sys

import matplotlib
import numpy as np
import pytest

from infoplane import plots, results
from infoplane.errors import InputError, StoreError
from infoplane.plots import FIGURES


def with_gradients(ds):
    """What runs record beside the rest: noise that takes over from the signal; nothing has trained at step 0."""
    signal = np.where(ds["step"].values > 0, np.exp(-ds["step"].values / 10), np.nan)
    falling = np.broadcast_to(signal[:, None], ds["weight_norm"].shape)
    return ds.assign(
        gradient_mean=(results.NORM_DIMS, falling.copy()), gradient_std=(results.NORM_DIMS, 0.1 + 0 * falling)
    )


def with_gaps(ds):
    ds["information"][:, 0, 1:] = np.nan
    ds["information"][:, :, 2, 1] = np.nan
    ds["loss"][:, 1, 5:] = np.nan
    return ds


def beyond(ds):
    """Another estimator's range: below 0, above H(X)."""
    ds["information"][...] = ds["information"] * 3 - 1
    return ds


OF_EXACT = {"minimal", "errors", "relevance", "oracle"}
"""Figures of what is known exactly, which refuse what is measured; see test_exact.py."""

OF_CLOUDS = {"windows", "lengths", "clouds", "levels", "precisions", "noise", "strengths"}
"""Figures of networks whose weights are random, on levels or noisy; see test_windows.py and test_networks.py."""

OF_SEVERAL = {"comparison"}
"""Figures of several estimators; see test_violations.py."""

RESULTS = {
    "one member": lambda make: make(members=1),
    "one epoch": lambda make: make(epochs=(0,)),
    "one member and epoch": lambda make: make(members=1, epochs=(0,)),
    "two epochs": lambda make: make(epochs=(0, 1)),
    "one layer": lambda make: make(layers=("output",)),
    "many layers": lambda make: make(layers=[f"layer{i}" for i in range(12)]),
    "gaps": lambda make: with_gaps(make()),
    "another range": lambda make: beyond(make()),
}

QUICK = ("one member and epoch", "gaps")
"""Those that are drawn in every run of the tests; the others are slow ones."""


def test_table_holds_the_figures():
    shown = {"plane", "planes", "snapshots", "information", "training", "gradients", "compression", "ends", "variants"}
    shown |= {"violations", "comparison"}
    assert set(FIGURES) == shown | {"bound", "rows", "ranks", "bins", "histograms"} | OF_EXACT | OF_CLOUDS


@pytest.mark.parametrize(
    "kind", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in RESULTS]
)
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_every_result_that_suits_it(make_result, tmp_path, name, kind):
    ds = with_gradients(RESULTS[kind](make_result))
    if name not in plots.suited(ds, FIGURES):
        with pytest.raises(InputError):
            FIGURES[name](ds)
        return
    (png, pdf) = plots.save(FIGURES[name](ds), tmp_path / name)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", sorted(FIGURES.keys() - OF_EXACT - OF_CLOUDS - OF_SEVERAL))
def test_drawing_leaves_the_result_as_it_was(result, name):
    whole = with_gradients(result)
    before = whole.copy(deep=True)
    FIGURES[name](whole)
    assert whole.identical(before)


def test_save_writes_both_files_and_nothing_else(result, tmp_path):
    paths = plots.save(FIGURES["plane"](result), tmp_path / "a.plane")
    assert paths == [tmp_path / "a.plane.png", tmp_path / "a.plane.pdf"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_the_same_result_gives_the_same_bytes(result, tmp_path):
    first, second = (plots.save(FIGURES["plane"](result), tmp_path / stem) for stem in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"/CreationDate" not in first[1].read_bytes()


def test_png_has_200_dots_per_inch(result, tmp_path):
    from matplotlib.image import imread

    png, _ = plots.save(FIGURES["plane"](result), tmp_path / "plane")
    assert imread(png).shape[1] == pytest.approx(8 / 2.54 * 200, abs=1)  # one column, 8 cm


def test_pdf_embeds_truetype_fonts(result, tmp_path):
    _, pdf = plots.save(FIGURES["plane"](result), tmp_path / "plane")
    assert b"/Type3" not in pdf.read_bytes()
    assert b"/FontFile2" in pdf.read_bytes()


def test_save_into_a_missing_folder_is_refused(result, tmp_path):
    with pytest.raises(StoreError, match="missing"):
        plots.save(FIGURES["training"](result), tmp_path / "missing" / "training")


def test_nothing_global_changes(result, tmp_path):
    before = dict(matplotlib.rcParams)
    for name in FIGURES.keys() - OF_EXACT - OF_CLOUDS - OF_SEVERAL:
        FIGURES[name](with_gradients(result))
    plots.save(FIGURES["plane"](result), tmp_path / "plane")
    assert dict(matplotlib.rcParams) == before


def test_threads_draw_what_one_thread_draws(result, tmp_path):
    def pixels(stem):
        return [path.read_bytes() for path in plots.save(FIGURES["information"](result), tmp_path / stem)]

    alone = pixels("alone")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert all(together == alone for together in pool.map(pixels, "abcd"))


def test_importing_the_room_loads_no_matplotlib():
    code = "import sys, infoplane.plots; sys.exit('matplotlib' in sys.modules or 'jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
