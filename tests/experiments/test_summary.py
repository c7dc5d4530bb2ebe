"""The sentence and the numbers of each layer, on results made up so that they are known."""

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane._numbers import digits
from infoplane.estimators.base import FLAGS
from infoplane.experiments import summary

EPOCHS = [0, 10, 100, 1000]


def result(paths, *, cap=12.0, steps=1000, member_flags=None, flags=None, labels=0.5):
    """A result with I(X;T) given as {layer: [member][epoch]}; I(T;Y) the same everywhere."""
    information = np.stack([np.asarray(path, float) for path in paths.values()], axis=-1)
    n_members, n_epochs, _ = information.shape
    both = np.stack([information, np.full_like(information, labels)], axis=-1)[None]
    coords = {
        "estimator": ["binning"],
        "member": np.arange(n_members),
        "epoch": np.array(EPOCHS[:n_epochs]),
        "layer": list(paths),
        "variable": list(results.VARIABLES),
        "split": list(results.SPLITS),
        "step": np.arange(steps + 1),
    }
    codes = np.zeros(both.shape, np.int32)
    for layer, flag in (flags or {}).items():
        codes[:, :, :, list(paths).index(layer)] = results.encode_flags([flag])
    variables = {
        "information": (results.INFORMATION_DIMS, both),
        "flags": (results.INFORMATION_DIMS, codes),
        "member_flags": (("member",), np.array(member_flags or [0] * n_members, np.int32)),
    }
    return results.new(coords, variables, {"input_entropy": cap})


def only(path, **options):
    (layer,) = summary.summarise(result({"hidden1": path}, **options))
    return layer


def test_a_layer_at_the_cap_reflects_the_number_of_inputs():
    assert (
        only([[11.95, 12.0, 12.0, 11.95]]).sentence
        == "saturated at 11.9 of 12.0 bits: reflects the number of inputs, not the network"
    )


def test_a_layer_that_ever_falls_below_the_cap_has_a_story():
    assert "saturated" not in only([[12.0, 12.0, 12.0, 11.85]]).sentence


def test_a_rise_and_a_loss_are_told_with_the_interval_over_members():
    layer = only([[5.0, 7.0, 6.0, 3.0], [5.0, 8.0, 6.0, 3.0], [5.0, 9.0, 6.0, 3.0]])
    # losses 4, 5, 6: mean 5, sd 1, and t(0.975; 2) = 4.3027, so 4.3027 / sqrt 3 = 2.4841
    assert layer.compression == pytest.approx(5, abs=1e-12)
    assert layer.half_width == pytest.approx(4.302652729911275 / np.sqrt(3), rel=1e-9)
    assert layer.peak_epoch == 10
    assert layer.sentence == "rises to 8.0 by epoch 10, then loses 5.0 ± 2.5 bits"


def test_a_loss_from_the_start_is_no_rise():
    assert only([[8.0, 7.0, 6.0, 3.0]] * 2).sentence == "starts at 8.0, then loses 5.0 ± 0.0 bits"


def test_a_rise_that_stays_is_told():
    assert only([[5.0, 6.0, 7.0, 7.0]]).sentence == "rises to 7.0 by epoch 100 and stays there (ends at 7.0)"


def test_a_flat_layer_stays_where_it_starts():
    layer = only([[5.0, 5.04, 5.0, 5.0]])
    assert layer.sentence == "starts at 5.0 and stays there (ends at 5.0)"


def test_a_layer_that_rises_to_the_end_says_so():
    assert only([[5.0, 6.0, 7.0, 8.0]]).sentence.endswith(", the end")


def test_a_rise_that_is_printed_is_told():
    """A start of 11.65, a peak of 11.75 and an end of 11.65 are a rise and a loss of 0.1, not of 0.0."""
    assert only([[5.65, 5.75, 5.7, 5.65]] * 2).sentence == "rises to 5.8 by epoch 10, then loses 0.1 ± 0.0 bits"


def test_a_layer_without_a_number_at_the_end_says_so():
    assert only([[5.0, 6.0, np.nan, np.nan]]).sentence == "no number at the end: activations are not finite"


def test_one_member_has_no_interval():
    layer = only([[5.0, 8.0, 6.0, 3.0]])
    assert np.isnan(layer.half_width)
    assert layer.sentence == "rises to 8.0 by epoch 10, then loses 5.0 bits"


def test_a_loss_smaller_than_its_interval_is_not_claimed():
    layer = only([[5.0, 8.0, 8.0, 4.0], [5.0, 8.0, 8.0, 8.0]])  # losses 4 and 0: 2 ± 25
    assert layer.compression == 2
    assert layer.sentence.endswith(
        "; the end is 2.0 ± 25.4 bits lower (the members disagree: the 95 % interval includes 0)"
    )


def test_a_member_without_a_number_is_left_out_of_the_means():
    layer = only([[5.0, 8.0, 6.0, 3.0], [np.nan] * 4, [5.0, 8.0, 6.0, np.nan]])
    assert (layer.input_start, layer.input_peak, layer.input_end) == (5, 8, 3)
    assert (layer.compression, np.isnan(layer.half_width)) == (5, True)


def test_a_layer_without_any_number_is_summarised_as_nan():
    layer = only([[np.nan] * 4] * 2)
    assert np.isnan([layer.input_start, layer.input_peak, layer.input_end, layer.compression]).all()
    assert all(cell == "–" for cell in summary.row(layer)[1:3])


def test_the_table_has_a_heading_for_every_entry_and_four_digits():
    row = summary.row(only([[5.0, 8.0, 6.0, 3.0]] * 2, labels=1 / 3))
    assert len(row) == len(summary.columns())
    assert row == [
        "hidden1",
        "5.000",
        "8.000",
        "10",
        "3.000",
        "0.3333",
        "0.3333",
        "0.3333",
        "5.000",
        "0",
    ]


def test_the_table_as_text_has_a_line_for_each_estimator_and_layer():
    lines = summary.to_csv(result({"hidden1": [[1.0, 2.0]], "output": [[1.0, 2.0]]})).splitlines()
    assert lines[0].split(",") == ["estimator", *summary.columns()]
    assert [line.split(",")[:2] for line in lines[1:]] == [["binning", "hidden1"], ["binning", "output"]]


@pytest.mark.parametrize(("values", "expected"), [([], (np.nan, np.nan)), ([2.0], (2.0, np.nan)), ([3.0, 3.0], (3, 0))])
def test_the_interval_of_few_values(values, expected):
    np.testing.assert_array_equal(results.mean_interval(np.array(values)), expected)


def test_the_interval_by_hand():
    # 1, 2, 3, 4: mean 2.5, sd sqrt(5/3), t(0.975; 3) = 3.182446
    mean, half = results.mean_interval(np.array([1.0, 2.0, 3.0, 4.0]))
    assert mean == 2.5
    assert half == pytest.approx(3.182446305284263 * np.sqrt(5 / 3) / 2, rel=1e-9)


DECREASING = {"hidden1": [[8.0, 8.0, 8.0, 8.0]] * 3, "output": [[2.0, 2.0, 2.0, 2.0]] * 3}


def test_a_sound_result_has_no_remarks():
    assert summary.remarks(result(DECREASING)) == []


def test_dead_and_diverged_members_are_counted():
    dead, diverged = (1 << FLAGS.index(name) for name in ("dead", "diverged"))
    lines = summary.remarks(result(DECREASING, member_flags=[dead, dead | diverged, 0]))
    assert lines == [
        "2 of 3 members dead or never learnt; they are in the means",
        "1 of 3 members diverged; they are in the means up to the epoch where their numbers end",
    ]


def test_a_run_that_stopped_early_is_called_incomplete():
    assert summary.remarks(result(DECREASING, steps=8000)) == ["incomplete: measured up to epoch 1000 of 8000"]


def test_clipped_layers_are_named():
    assert summary.remarks(result(DECREASING, flags={"output": "clipped"})) == [
        "clipped: values outside the bins in output; the picture shows the clipping too"
    ]


def test_inputs_that_repeat_are_counted():
    ds = result(DECREASING)
    ds.attrs |= {"n_samples": 10_000, "n_distinct": 9804, "input_entropy": 13.17584}
    assert summary.remarks(ds) == ["196 of 10000 inputs repeat another one; H(X) = 13.18 bits counts the 9804 distinct"]
    ds.attrs["n_distinct"] = 10_000
    assert summary.remarks(ds) == []


def test_a_deeper_layer_with_more_information_is_remarked():
    ds = result({"hidden1": [[5.0, 5.0], [5.0, 5.0]], "output": [[5.0, 6.0], [5.0, 8.0]]})
    assert summary.largest_violation(ds) == 2.0  # mean over members at the second epoch: 7 − 5
    assert any("a deeper layer has up to 2.0 bits more" in line for line in summary.remarks(ds))


def test_layers_in_order_have_no_violation():
    assert summary.largest_violation(result(DECREASING)) == 0


def test_the_sentence_of_a_clipped_layer_names_the_share_and_claims_no_loss():
    """A layer that is only multiplied by 2, 4, 8 leaves the bins from −1 to 1."""
    inputs = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    recorder = ip.Recorder(inputs)
    for epoch in range(5):
        recorder.step(epoch, {"rescaled": inputs * 2**epoch}, force=True)
    ds = recorder.results()
    (layer,) = summary.summarise(ds)
    share = 100 * (np.abs(inputs * 16) > 1).mean()
    assert layer.compression > 1
    assert layer.sentence.endswith(
        f" bits lower, which clipping alone can cause; up to {digits(round(share, 2))} % of values lie outside the bins"
    )
    assert "loses" not in layer.sentence
    assert layer.sentence in str(ip.show(ds))


def test_a_clipped_layer_of_a_run_without_reasons_has_no_share():
    layer = only([[8.0, 7.0, 6.0, 3.0]] * 2, flags={"hidden1": "clipped"})
    assert layer.sentence == (
        "starts at 8.0; the end is 5.0 ± 0.0 bits lower, which clipping alone can cause; values lie outside the bins"
    )
