"""Distinct rows and ranks against epoch."""

import numpy as np
import pytest

from infoplane.errors import InputError
from infoplane.plots import ranks, rows


def test_lines_are_means_of_the_distinct_rows_and_the_dashed_line_is_all_inputs(result, by_id):
    (ax,) = rows(result).axes
    for layer in result["layer"].values:
        (line,) = by_id(ax, f"mean {layer}")
        np.testing.assert_allclose(line.get_ydata(), result["distinct_rows"].sel(layer=layer).mean("member"))
    (everything,) = by_id(ax, "all")
    assert set(everything.get_ydata()) == {result.attrs["n_distinct"]}


def test_each_precision_has_a_panel(result):
    ds = result.assign(distinct_rows_float16=result["distinct_rows"] / 2, distinct_rows_float64=result["distinct_rows"])
    assert [ax.get_title() for ax in rows(ds).axes] == ["float16", "float32", "float64"]
    assert [ax.get_title() for ax in rows(result).axes] == ["float32"]


def test_ranks_are_drawn_in_the_precisions_that_there_are(result):
    assert [ax.get_title() for ax in ranks(result).axes] == ["float32"]
    both = result.assign(rank_float64=result["rank"])
    assert [ax.get_title() for ax in ranks(both).axes] == ["float32", "float64"]


def test_a_result_without_them_is_refused_with_the_remedy(result):
    with pytest.raises(InputError, match=r"holds no rank of the activations; run it with measure.precisions = true"):
        ranks(result.drop_vars("rank"))
