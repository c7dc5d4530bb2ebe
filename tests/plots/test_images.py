"""Every figure looks as it did when somebody last looked at it, and its words can be read at its width in print.

After a wanted change draw the pictures again with ``REDRAW=1 pytest tests/plots/test_images.py``, and look at
every one of them.
"""

import json
import os
from pathlib import Path

import matplotlib.text
import numpy as np
import pytest
from PIL import Image, ImageFilter

from infoplane import results
from infoplane.experiments import configure
from infoplane.experiments.exact import linear, minimal
from infoplane.plots import FIGURES, style

REFERENCE = Path(__file__).parent / "reference"
DPI = 50
BLUR = ImageFilter.GaussianBlur(1)
TOLERANCE = 4.0
"""Root mean square over pixels from 0 to 255: more than another way to render fonts changes; see the last tests."""

SMALLEST = 6.0
"""The smallest type in points that is read without effort, at the width at which a figure is printed."""

EXACT = {"members": 2, "data.inputs": 8, "data.samples": 40, "model.hidden": [6], "train.epochs": 60}
EXACT |= {"measure.points": 8, "measure.oracle_samples": 100, "measure.oracle_points": 3}


def whole(make):
    """A result by two estimators with gradients, of which a deeper layer sometimes exceeds the one before it."""
    ds = make(estimators=("binning", "kde"))
    steps = ds["step"].values
    signal = np.where(steps > 0, np.exp(-steps / 10), np.nan)
    falling = np.broadcast_to(signal[:, None], ds["weight_norm"].shape)
    excess = np.where(ds["epoch"].values < 5, 1.5, 0.2)
    ds["information"][0, :, :, 1, 0] = ds["information"][0, :, :, 0, 0] + excess
    return ds.assign(
        gradient_mean=(results.NORM_DIMS, falling.copy()), gradient_std=(results.NORM_DIMS, 0.1 + 0 * falling)
    )


def exact(name, module, changes):
    settings = configure(name, changes=changes)
    pieces = {member: module.compute(settings, member) for member in range(settings.members)}
    return module.assemble(settings, pieces).assign_attrs(title=name)


@pytest.fixture(scope="module")
def units():
    return exact("saxe-minimal", minimal, {"points": 9, "members": 2})


@pytest.fixture(scope="module")
def students():
    return exact("saxe-irrelevant", linear, EXACT | {"data.relevant": 3})


@pytest.fixture(scope="module")
def oracles():
    return exact("saxe-linear", linear, EXACT)


OF = {"minimal": "units", "errors": "students", "relevance": "students", "oracle": "oracles"}
OF |= dict.fromkeys(("windows", "lengths", "clouds"), "side_by_side")
OF |= dict.fromkeys(("levels", "precisions"), "few_levels") | dict.fromkeys(("noise", "strengths"), "under_noise")
BESIDE = {
    "plane, baselines": lambda ds: FIGURES["plane"](ds, shuffled=untaught(ds), bound=True),
    "information, baselines": lambda ds: FIGURES["information"](ds, shuffled=untaught(ds)),
    "plane, kde": lambda ds: FIGURES["plane"](ds, estimator="kde"),
}
"""Figures with their options."""


def untaught(ds):
    """What the same networks know after training on shuffled labels: less of the label."""
    config = json.loads(ds.attrs["config"]) | {"data": {"shuffle_labels": True}}
    return ds.assign(information=0.55 * ds["information"]).assign_attrs(config=json.dumps(config))


@pytest.fixture
def draw(request, make_result):
    """Return a function that draws a figure by its name."""

    def drawn(name):
        if name in BESIDE:
            return BESIDE[name](whole(make_result))
        return FIGURES[name](request.getfixturevalue(OF[name]) if name in OF else whole(make_result))

    return drawn


def pixels(figure):
    """The figure as an array of 8-bit colours."""
    figure.set_dpi(DPI)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def apart(drawn, name):
    """Root mean square over pixels of what differs from the picture that is kept, both a little blurred.

    Blurred, since an edge that another renderer puts half a pixel beside says nothing, and a moved line does.
    """
    kept = Image.open(reference(name)).convert("RGB")
    assert drawn.shape[1::-1] == kept.size
    seen, expected = (np.asarray(one.filter(BLUR), float) for one in (Image.fromarray(drawn), kept))
    return np.sqrt(((seen - expected) ** 2).mean())


def reference(name):
    return REFERENCE / f"{name.replace(', ', '-')}.png"


@pytest.mark.parametrize("name", [*FIGURES, *BESIDE])
def test_a_figure_looks_as_it_did_and_its_words_can_be_read(draw, name):
    figure = draw(name)
    drawn = pixels(figure)
    if os.environ.get("REDRAW"):
        few = Image.fromarray(drawn).quantize(64, kmeans=3, dither=Image.Dither.NONE)
        few.save(reference(name), optimize=True)
    assert apart(drawn, name) < TOLERANCE
    assert smallest_type(figure) >= SMALLEST - 1e-6


def smallest_type(figure):
    """Size in points of the smallest words of a figure, printed in a column of 8 cm or over a page of 17.8 cm."""
    words = [text for text in figure.findobj(matplotlib.text.Text) if text.get_text().strip() and text.get_visible()]
    printed = 8 / 2.54 if figure.get_figwidth() <= style.SINGLE else 17.8 / 2.54
    return min(1.0, printed / figure.get_figwidth()) * min(text.get_fontsize() for text in words)


def test_reference_pictures_are_small_and_none_is_left_over():
    names = {reference(name).name for name in [*FIGURES, *BESIDE]}
    assert {path.name for path in REFERENCE.iterdir()} == names
    assert max(path.stat().st_size for path in REFERENCE.iterdir()) < 30_000


@pytest.mark.parametrize("name", ["plane", "information", "snapshots", "violations", "comparison"])
def test_a_figure_of_other_numbers_does_not_pass(make_result, name):
    """One layer of three moved by an eighth of the axis."""
    ds = whole(make_result)
    ds["information"][:, :, :, 1] = ds["information"][:, :, :, 1] - np.array([1.0, 0.12])
    assert apart(pixels(FIGURES[name](ds)), name) > TOLERANCE


def test_words_that_are_too_small_do_not_pass(draw):
    figure = draw("plane")
    figure.axes[0].annotate("small print", (0.5, 0.5), fontsize=5.9)
    assert smallest_type(figure) < SMALLEST
