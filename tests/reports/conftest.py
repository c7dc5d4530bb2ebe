"""Small results to report on, made without training, and a reader of the pages."""

import base64
import json
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

from infoplane import results

CONFIG = {
    "name": "toy",
    "data": {"name": "szt", "shuffle_labels": False},
    "estimators": [{"name": "binning", "bins": 30, "edges": "idnns"}],
    "model": {"hidden": [4, 3], "activation": "tanh"},
    "train": {"epochs": 40, "optimizer": "adam", "learning_rate": 0.001, "batch_size": 64, "fraction": 0.8},
}


def _make(members=4, epochs=(0, 1, 2, 5, 10, 40), layers=("hidden1", "hidden2", "output"), title="toy", **changes):
    """A result of made-up numbers; ``flags`` is a code for all values, ``estimators`` their specifications."""
    specs = changes.pop("specs", CONFIG["estimators"])
    names = [spec["name"] for spec in specs]
    shape = (len(names), members, len(epochs), len(layers), 2)
    information = np.random.default_rng(0).uniform(0, [[8.0, 1.0]], shape)
    information = -np.sort(-information, axis=3)  # no layer has more than the one before it
    codes = np.full(shape, changes.pop("flags", 0), np.int32)
    steps = np.arange(epochs[-1] + 1)
    coords = {
        "estimator": names, "member": np.arange(members), "epoch": np.array(epochs), "layer": list(layers),
        "variable": list(results.VARIABLES), "split": list(results.SPLITS), "step": steps,
    }  # fmt: skip
    variables = {
        "information": (results.INFORMATION_DIMS, information),
        "flags": (results.INFORMATION_DIMS, codes),
        "loss": (results.CURVE_DIMS, np.ones((2, members, len(steps)))),
        "member_flags": (("member",), np.zeros(members, np.int32)),
    }
    attributes = {
        "title": title, "input_entropy": 8.0, "label_entropy": 1.0, "label_information": 1.0, "n_samples": 256,
        "config": json.dumps(CONFIG | {"estimators": specs} | changes), "failed": "[]",
    }  # fmt: skip
    return results.new(coords, variables, attributes)


@pytest.fixture(scope="session")
def make_result():
    """Return a function that makes a result."""
    return _make


class Page(HTMLParser):
    """What a page holds: its tags with attributes, its visible text, the content of its scripts by id."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words, self.scripts, self._inside = [], [], [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag in ("script", "style"):
            self._inside = dict(attrs).get("id", tag)

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._inside = None

    def handle_data(self, data):
        if self._inside:
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data
        else:
            self.words.append(data)

    @property
    def text(self):
        """Visible text, white space as single spaces."""
        return " ".join(" ".join(self.words).split())

    @property
    def about(self):
        """The JSON that the page's script reads."""
        return json.loads(self.scripts["about"])

    def unpack(self, reference):
        """Open a packed array, as the page's script does."""
        start, count, kind = reference
        size = np.dtype(kind).itemsize
        whole = np.frombuffer(zlib.decompress(base64.b64decode(self.scripts["packed"])), np.uint8)
        planes = whole[start : start + count * size].reshape(size, count)
        return np.ascontiguousarray(planes.T).view(f"<{kind}").ravel()


@pytest.fixture(scope="session")
def read_page():
    """Return a function that reads a page from its path."""
    return lambda path: Page(path.read_text("utf-8"))
