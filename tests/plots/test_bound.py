"""Converged layers against the bound of the information bottleneck."""

import json

import numpy as np
import pytest

from infoplane.data.szt import exact_information, label_probabilities
from infoplane.errors import InputError
from infoplane.plots.bound import bound, curve_of


def with_data(ds, **data):
    config = json.loads(ds.attrs["config"])
    return ds.assign_attrs(config=json.dumps(config | {"data": data}))


def test_the_bound_of_decided_labels_is_the_smaller_of_the_information_and_the_entropy(result):
    curve = curve_of(result)
    np.testing.assert_allclose(curve.label, np.minimum(curve.input, result.attrs["label_entropy"]))
    assert curve.input[-1] == result.attrs["input_entropy"]
    assert len(curve.input) >= 20


def test_the_bound_of_drawn_labels_is_that_of_their_distribution(result):
    curve = curve_of(with_data(result, name="szt", gamma=30.5, threshold=None, degrees=None))
    assert curve.label[-1] == pytest.approx(exact_information(label_probabilities()), abs=1e-9)


def test_rings_are_the_means_at_the_last_epoch(result, by_id):
    ax = bound(result).axes[0]
    for layer in result["layer"].values:
        (ring,) = by_id(ax, f"mean {layer}")
        expected = result["information"][0].isel(epoch=-1).sel(layer=layer).mean("member")
        np.testing.assert_allclose(ring.get_offsets()[0], expected.values, rtol=1e-12)


def test_the_line_is_the_bound(result, by_id):
    (line,) = by_id(bound(result).axes[0], "bound")
    np.testing.assert_array_equal(line.get_ydata(), curve_of(result).label)


def test_labels_that_no_one_knows_have_no_bound(result):
    unknown = result.assign_attrs(label_information=0.5)
    assert curve_of(unknown) is None
    with pytest.raises(InputError, match="bound needs labels that the input decides"):
        bound(unknown)
