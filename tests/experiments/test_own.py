"""The plane of a model as it is, in one call."""

import numpy as np
import pytest

import infoplane as ip
from infoplane._numbers import digits


@pytest.fixture
def inputs():
    return np.random.default_rng(0).standard_normal((64, 3))


def network(batch):
    return {"first": np.tanh(batch), "second": np.tanh(batch[:, :1])}


def test_the_numbers_printed_are_those_of_layer_information(inputs, capsys):
    labels = inputs[:, 0] > 0
    made = ip.plane(network, inputs, labels, estimators="kde")
    printed = capsys.readouterr().out
    assert printed == str(made) + "\n"
    for name, t in network(inputs).items():
        known = ip.layer_information(t, labels, "kde")
        assert f"{name:<6}  {digits(known.input.bits):>6}  {digits(known.label.bits)}" in printed
    assert printed.startswith("kde: variance 0.1; 64 inputs, H(X) = 6.000, H(Y) = ")


def test_without_labels_the_table_has_no_label_information(inputs, capsys):
    made = ip.plane(network, inputs)
    assert "–" in capsys.readouterr().out
    assert [ax.get_ylabel() for ax in made.figure.axes] == ["I(X;T) (bits)"]


def test_several_estimators_have_a_table_each(inputs, capsys):
    ip.plane(network, inputs, inputs[:, 0] > 0, estimators=["binning", "kde"])
    blocks = capsys.readouterr().out.split("\n\n")
    assert [block.split(":")[0] for block in blocks] == ["binning", "kde"]


def test_it_is_drawn_and_saved(inputs, tmp_path, capsys):
    made = ip.plane(network, inputs, inputs[:, 0] > 0)
    assert [path.name for path in made.save(tmp_path / "plane")] == ["plane.png", "plane.pdf"]
    assert made._repr_png_().startswith(b"\x89PNG")


def test_layers_that_fit_nothing_are_refused(inputs):
    with pytest.raises(ip.InputError, match="'third' fits no layer"):
        ip.plane(network, inputs, layers="third")
