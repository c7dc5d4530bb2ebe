"""What records show of themselves in a notebook: their numbers, and hostile names as text."""

import html.parser
import sys
import types

import numpy as np
import pytest

import infoplane as ip
from infoplane.data.base import Dataset
from infoplane.estimators.base import Null
from infoplane.runs import notebook

HOSTILE = "<script>alert('x')</script>&\""


class Page(html.parser.HTMLParser):
    """The words and the tags of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


ESTIMATE = ip.Estimate(
    bits=0.50012,
    std_error=0.02,
    interval=(0.46, 0.54),
    lower=0.4,
    upper=0.6,
    null=Null(0.001, 0.01, 0.05),
    n=2000,
    dims=(2, 1),
    flags=frozenset({"ties", "ceiling"}),
    reason=HOSTILE,
    estimator="ksg1",
    params={"k": 3},
)


def test_an_estimate_shows_its_number_how_sure_it_is_and_what_to_distrust():
    words = " | ".join(Page(ESTIMATE._repr_html_()).words)
    assert words == (
        "0.5001 bits | 95 % interval | 0.4600 to 0.5400 bits | standard error | 0.0200 bits | not below | 0.4000 bits"
        " | not above | 0.6000 bits | shuffled | 0.0010 ± 0.0100 bits, p = 0.05 | flags | ceiling, ties | reason | "
        f"{HOSTILE} | measured by | ksg1: k 3 | from | 2000 samples, 2 + 1 coordinates"
    )


def test_an_estimate_leaves_out_what_it_does_not_know():
    assert Page(ip.Estimate(bits=float("nan"), estimator="kde")._repr_html_()).words == [
        "– bits",
        "measured by",
        "kde",
    ]


def test_a_bound_says_that_it_is_one():
    assert Page(ip.Estimate(bits=1.0, kind="lower")._repr_html_()).words == ["1.000 bits (lower)"]


def test_information_of_a_layer_shows_both_numbers():
    t, y = np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([0, 0, 1, 1])
    words = Page(ip.layer_information(t, y, "exact")._repr_html_()).words
    assert words[:2] == ["exact", "I(X;T)"]
    assert words[2].startswith("1.000 bits")
    assert words[3] == "I(T;Y)"
    assert Page(ip.layer_information(t, None, "exact")._repr_html_()).words[-2] == "I(X;T)"


def small(name, split=None):
    inputs = np.array([[0], [0], [1], [2]], np.float32)
    return Dataset(inputs, np.array([0, 0, 1, 1]), split, name)


def test_a_data_set_shows_what_its_table_knows():
    """By hand: rows 0, 0, 1, 2 have 1.5 bits; two labels of equal share, decided by the row, one bit."""
    words = Page(small("toy", np.array(["train", "train", "train", "test"]))._repr_html_()).words
    assert words[0] == "toy"
    assert dict(zip(words[1::2], words[2::2], strict=True)) == {
        "rows": "4, of which 3 are distinct",
        "features": "1",
        "classes": "2: 2, 2 rows",
        "own division": "3 train, 1 test",
        "H(X)": "1.500 bits",
        "H(Y)": "1.000 bits",
        "I(X;Y)": "1.000 bits",
    }


@pytest.mark.parametrize("shown", [ESTIMATE._repr_html_(), small(HOSTILE)._repr_html_()])
def test_hostile_names_are_text(shown):
    page = Page(shown)
    assert HOSTILE in page.words
    assert set(page.tags) == {"table", "caption", "tr", "th", "td"}


def test_a_figure_shows_itself_as_a_picture():
    from infoplane.plots import style

    figure = style.new_figure(2.0, 1.0)
    assert figure._repr_png_().startswith(b"\x89PNG")


# ---- progress


class ZMQInteractiveShell:
    """What IPython calls the shell of a notebook's kernel."""


class Display:
    """What notebooks draw with, keeping what was drawn."""

    def __init__(self):
        self.pages = []
        self.HTML = str

    def display(self, page, display_id):
        self.pages.append(page)
        return types.SimpleNamespace(update=self.pages.append)


@pytest.fixture
def display(monkeypatch):
    """Pretend that this is a notebook's kernel."""
    shown = Display()
    monkeypatch.setitem(
        sys.modules, "IPython", types.SimpleNamespace(get_ipython=ZMQInteractiveShell, version_info=(9, 0))
    )
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    monkeypatch.setattr(notebook, "SECONDS", 0.0)
    return shown


@pytest.mark.slow
def test_a_run_in_a_notebook_draws_one_bar_in_its_place(display, tmp_path):
    ip.run(
        "szt",
        tmp_path / "run",
        members=1,
        estimators=["binning"],
        train={"epochs": 6, "batch_size": 1024},
        model={"hidden": [3]},
        measure={"parts": ["all"]},
    )
    assert "6 of 6 net-epochs" in display.pages[-1]
    assert Page(display.pages[-1]).tags == ["div", "progress"]


def test_who_asks_for_the_progress_gets_it_instead_of_a_bar(display):
    told = []
    assert notebook.shown("run", told.append) == told.append


def test_nothing_is_drawn_outside_a_notebook():
    assert notebook.shown("run", None) is None


def test_names_and_notes_are_text_in_the_bar(display):
    bar = notebook.Bar(HOSTILE)
    bar.show(types.SimpleNamespace(text=HOSTILE))
    bar.show(types.SimpleNamespace(done=1, total=2, unit=HOSTILE))
    page = Page(display.pages[-1])
    assert page.tags == ["div", "progress", "div"]
    assert page.words.count(HOSTILE) == 1
