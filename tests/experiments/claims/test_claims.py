"""Every claim can be confirmed, denied, and left undecided; nothing makes it crash or confirm what is not there."""

import json

import numpy as np
import pytest

import infoplane as ip
from infoplane import results
from infoplane.experiments.claims import CLAIMS, CONFIRMED, DENIED, NOT_DECIDED, clouds, exact, networks, view
from infoplane.experiments.claims.base import answer
from infoplane.plots import FIGURES

FALL = [5.0, 7.0, 6.5, 5.0, 4.0, 3.0]
GROW = [3.0, 3.5, 4.0, 5.0, 6.0, 7.0]
LATE = [3.0, 4.0, 5.0, 6.0, 7.0, 4.0]
LEARN = [0.1, 0.5, 0.8, 0.95, 0.99, 0.99]
FORGET = [0.1, 0.9, 0.9, 0.6, 0.5, 0.4]
SLOW = (2.0, 4.0, 4.0, 4.0, 3.9, 1.0)
QUICK = (2.0, 4.0, 1.2, 1.0, 1.0, 1.0)
WEAK = [5.0, 7.0, 6.9, 6.5, 6.3, 6.0]
EARLY = {"signal_to_noise": (100.0, 0.01)}

BINS = {"estimators": [{"name": "binning", "bins": 10}, {"name": "binning", "bins": 100}]}
NOISE = {"estimators": [{"name": "kde", "variance": 0.001}, {"name": "kde", "variance": 0.1}]}


def beside_tanh(activation, **options):
    """Makes networks with another activation beside tanh networks; the options are theirs."""
    return lambda m: m.many("model.activation", {"tanh": {}, activation: options})


WITH = {
    "fitting": (lambda m: m.one(), lambda m: m.one(i_ty=[0.5, 0.5, 0.5, 0.5, 0.5, 0.5])),
    "fitting-is-short": (lambda m: m.one(), lambda m: m.one(GROW)),
    "compression-tanh-bins": (lambda m: m.one(), lambda m: m.one(GROW, output=GROW)),
    "compression-tanh-kde": (lambda m: m.one(), lambda m: m.one(GROW, output=GROW)),
    "compression-relu-bins": (
        lambda m: m.many("model.activation", tanh={}, relu={}),
        lambda m: m.many("model.activation", tanh={}, relu={"i_xt": GROW, "output": GROW}),
    ),
    "compression-relu-kde": (
        lambda m: m.many("model.activation", tanh={}, relu={}),
        lambda m: m.many("model.activation", tanh={}, relu={"i_xt": GROW, "output": GROW}),
    ),
    "mostly-compression": (lambda m: m.one(), lambda m: m.one(GROW)),
    "below-random-weights": (lambda m: m.one(), lambda m: m.one(GROW)),
    "label-is-kept": (lambda m: m.one(), lambda m: m.one(i_ty=FORGET)),
    "first-layer-stays": (lambda m: m.one(), lambda m: m.one(first=[12.0, 12.0, 11.5, 11.0, 11.0, 11.0])),
    "gradient-transition-tanh": (lambda m: m.one(), lambda m: m.one(signal_to_noise=(100.0, 2.0))),
    "gradient-transition-relu-linear": (
        lambda m: m.many("model.activation", tanh={}, relu={}, linear={}),
        lambda m: m.many(
            "model.activation", tanh={}, relu={"signal_to_noise": (100.0, 2.0)}, linear={"signal_to_noise": (0.5, 0.1)}
        ),
    ),
    "transition-before-compression": (
        lambda m: m.one(LATE, signal_to_noise=(2.0, 0.01)),
        lambda m: m.one([5.0, 7.0, 3.5, 3.2, 3.1, 3.0], signal_to_noise=(100.0, 0.5)),
    ),
    "little-data-loses-label": (
        lambda m: m.many("train.fraction", {0.85: {}, 0.05: {"i_ty": FORGET}}),
        lambda m: m.many("train.fraction", {0.85: {}, 0.05: {"i_ty": np.multiply(LEARN, 0.5)}}),
    ),
    "more-data-more-label": (
        lambda m: m.many("train.fraction", {0.85: {}, 0.05: {"i_ty": FORGET}}),
        lambda m: m.many("train.fraction", {0.85: {"i_ty": FORGET}, 0.05: {}}),
    ),
    "depth-compresses-sooner": (
        lambda m: m.many("model.hidden", {(3,): {"output": SLOW}, (10, 7, 3): {"output": QUICK}}),
        lambda m: m.many("model.hidden", {(3,): {"output": QUICK}, (10, 7, 3): {"output": SLOW}}),
    ),
    "depth-learns-sooner": (
        lambda m: m.many("model.hidden", {(3,): {"accuracy": (0.5, 0.92)}, (10, 7, 3): {"accuracy": (0.5, 1.0)}}),
        lambda m: m.many("model.hidden", {(3,): {"accuracy": (0.5, 1.0)}, (10, 7, 3): {"accuracy": (0.5, 0.8)}}),
    ),
    "true-labels-compress-more": (
        lambda m: m.many("data.shuffle_labels", {False: {}, True: {"i_xt": GROW}}),
        lambda m: m.many("data.shuffle_labels", {False: {"i_xt": GROW}, True: {}}),
    ),
    "compression-held-out": (
        lambda m: m.one(held_out=(FALL, LEARN)),
        lambda m: m.one(held_out=(GROW, LEARN)),
    ),
    "held-out-label": (
        lambda m: m.one(held_out=(FALL, np.multiply(LEARN, 0.9))),
        lambda m: m.one(i_ty=np.multiply(LEARN, 0.8), held_out=(FALL, LEARN)),
    ),
    "near-bound-label": (lambda m: m.one(i_ty=np.full(6, 0.97)), lambda m: m.one(i_ty=np.multiply(LEARN, 0.7))),
    "near-bound-input": (
        lambda m: m.one([5.0, 7.0, 3.0, 1.2, 1.2, 1.2], first=[12, 8, 5, 1.3, 1.3, 1.3]),
        lambda m: m.one(),
    ),
    "layers-in-order-input": (lambda m: m.one(), lambda m: m.one(output=[2.0, 4.0, 3.0, 2.0, 1.5, 8.0])),
    "layers-in-order-label": (lambda m: m.one(), lambda m: m.one(output_label=np.full(6, 0.9))),
    "rows-distinct-at-start": (lambda m: m.one(), lambda m: m.one(rows=0.5)),
    "rows-distinct-at-end": (lambda m: m.one(), lambda m: m.one(rows=0.5)),
    "rows-distinct-at-end-float64": (lambda m: m.rows("float64", 1.0), lambda m: m.rows("float64", 0.9)),
    "rows-distinct-at-end-float16": (lambda m: m.rows("float16", 1.0), lambda m: m.rows("float16", 0.9)),
    "survives-bins": (
        lambda m: m.one(**BINS_CONFIG),
        lambda m: m.one(**BINS_CONFIG, by={"binning(bins=100)": GROW}),
    ),
    "survives-noise": (
        lambda m: m.one(**NOISE_CONFIG),
        lambda m: m.one(**NOISE_CONFIG, by={"kde(variance=0.1)": GROW}),
    ),
    "survives-estimator": (lambda m: m.one(), lambda m: m.one(by={"kde": GROW})),
    "survives-initialisation": (
        lambda m: m.many("model.init", {"fan-in": {}, "fan-out": {}}),
        lambda m: m.many("model.init", {"fan-in": {}, "fan-out": {"i_xt": GROW}}),
    ),
    "survives-split": (
        lambda m: m.many("train.split", shuffled={}, unshuffled={}),
        lambda m: m.many("train.split", shuffled={}, unshuffled={"i_xt": GROW}),
    ),
    "survives-batch-size": (
        lambda m: m.many("train.batch_size", {256: {}, 64: {}}),
        lambda m: m.many("train.batch_size", {256: {}, 64: {"i_xt": GROW}}),
    ),
    "survives-learning-rate": (
        lambda m: m.many("train.learning_rate", {4e-4: {}, 1e-3: {}}),
        lambda m: m.many("train.learning_rate", {4e-4: {}, 1e-3: {"i_xt": GROW}}),
    ),
    "survives-widths": (
        lambda m: m.many("model.hidden", {(10, 3): {}, (20, 6): {}}),
        lambda m: m.many("model.hidden", {(10, 3): {}, (20, 6): {"i_xt": GROW}}),
    ),
    "survives-seed": (
        lambda m: m.many("seed", {0: {}, 1: {}}),
        lambda m: m.many("seed", {0: {}, 1: {"i_xt": GROW}}),
    ),
    "survives-activation": (
        lambda m: m.many("model.activation", tanh={}, relu={}),
        lambda m: m.many("model.activation", tanh={}, relu={"i_xt": GROW}),
    ),
    "survives-optimiser": (
        lambda m: m.many("train.optimizer", adam={}, sgd={}),
        lambda m: m.many("train.optimizer", adam={}, sgd={"i_xt": GROW}),
    ),
    "transition-without-compression": (beside_tanh("relu", i_xt=GROW), beside_tanh("relu")),
    **{
        f"no-compression-{name}": (beside_tanh(name, i_xt=GROW), beside_tanh(name))
        for name in ("relu", "softplus", "linear")
    },
    "tanh-compresses-more": (
        beside_tanh("relu", i_xt=GROW),
        lambda m: m.many("model.activation", tanh={"i_xt": GROW}, relu={}),
    ),
    "softsign-compresses-weakly": (
        beside_tanh("softsign", i_xt=WEAK),
        lambda m: m.many("model.activation", tanh={"i_xt": WEAK}, softsign={}),
    ),
    "compression-is-saturation": (
        lambda m: m.one(saturation=0.3, changes={"estimators": ["binning"]}),
        lambda m: m.one(saturation=-0.3, changes={"estimators": ["binning"]}),
    ),
    "clipping-makes-compression": (lambda m: m.one(by={"kde": GROW}, **CLIPPED), lambda m: m.one(GROW, **CLIPPED)),
    "estimators-agree": (lambda m: m.one(), lambda m: m.one(by={"kde": GROW})),
    "compression-without-generalisation": (
        lambda m: m.many("train.fraction", {0.8: {}, 0.3: {"test_accuracy": (0.5, 0.8)}}),
        lambda m: m.many("train.fraction", {0.8: {}, 0.3: {}}),
    ),
    "generalisation-without-compression": (beside_tanh("relu"), beside_tanh("relu", test_accuracy=(0.5, 0.9))),
    "full-batch-compresses": (
        lambda m: m.many("train.batch_size", {256: {}, 3277: {}}),
        lambda m: m.many("train.batch_size", {256: {}, 3277: {"i_xt": GROW}}),
    ),
    "noise-adds-little": (
        lambda m: m.many("train.batch_size", {256: {}, 3277: {}}),
        lambda m: m.many("train.batch_size", {256: {}, 3277: {"i_xt": GROW}}),
    ),
    "image-tanh-compresses": (lambda m: m.images(), lambda m: m.images(tanh=GROW)),
    "image-relu-stays": (lambda m: m.images(), lambda m: m.images(relu=GROW)),
    "infonet-image-ends": (lambda m: m.infonet(0.3), lambda m: m.infonet(3.0)),
    "image-any-data": (
        lambda m: m.images(("digits", "mnist")),
        lambda m: m.images(("digits", "mnist"), tanh=GROW, relu=FALL),
    ),
    **{
        claim.id: tuple(lambda m, claim=claim, place=place: m.exact(claim.id, place) for place in (0, 1))
        for claim in exact.CLAIMS
    },
    **{
        claim.id: tuple(lambda m, claim=claim, place=place: m.clouds(claim.id, place) for place in (0, 1))
        for claim in clouds.CLAIMS
    },
    **{
        claim.id: tuple(lambda m, claim=claim, place=place: m.networks(claim.id, place) for place in (0, 1))
        for claim in networks.CLAIMS
    },
}
"""For each claim a result that confirms it and one that denies it."""

BINS_CONFIG = {"changes": BINS}
NOISE_CONFIG = {"changes": NOISE}
CLIPPED = {"clipped": True, "changes": {"model.activation": "relu"}}


class Maker:
    """Makes results: of one network, or of several that differ in one key."""

    def __init__(self, network, sweep, known, clouds, images, networks, infonet):
        self._network, self._sweep, self.exact = network, sweep, known
        self.clouds, self.images, self.networks, self.infonet = clouds, images, networks, infonet

    def one(self, i_xt=FALL, i_ty=LEARN, by=None, **options):
        return self._network(i_xt, i_ty, estimators=by, **options)

    def many(self, key, made=None, **named):
        return self._sweep(key, made or named)

    def rows(self, precision, share):
        ds = self._network()
        return results.describe(ds.assign({f"distinct_rows_{precision}": ds["distinct_rows"] * share}))


@pytest.fixture(scope="module")
def made(network, sweep, known_exactly, as_if_random, on_images, side_by_side, by_infonet):
    """Return a function that gives the result that confirms a claim (0) or denies it (1), to be changed at will."""
    maker, known = Maker(network, sweep, known_exactly, as_if_random, on_images, side_by_side, by_infonet), {}

    def result(claim, place):
        if (claim, place) not in known:
            known[claim, place] = WITH[claim][place](maker)
        return known[claim, place].copy(deep=True)

    return result


def verdicts(ds, claim):
    """The verdicts of `ip.claims` on one claim, without those on the others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("infoplane.experiments.claims.CLAIMS", {claim: CLAIMS[claim]})
        found = ip.claims(ds)
    assert {one.claim.id for one in found} == {claim}
    return found


def said(ds, claim):
    return [one.verdict for one in verdicts(ds, claim)]


def test_every_claim_has_results_that_confirm_and_deny_it():
    assert set(WITH) == set(CLAIMS)
    assert len(CLAIMS) >= 15


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_confirmed_where_its_result_says_so(made, claim):
    found = said(made(claim, 0), claim)
    assert CONFIRMED in found
    assert DENIED not in found


@pytest.mark.parametrize(
    "other",
    [{"label_entropy": np.log2(10)}, {"input_entropy": np.log2(60_000)}, {"variance": 0.001}],
    ids=["Fashion-MNIST", "fewer images", "other noise"],
)
def test_infonets_end_points_decide_about_its_images_and_noise_only(made, other):
    ds = made("infonet-image-ends", 0)
    config = json.loads(ds.attrs["config"])
    config["estimators"][0] |= {key: other[key] for key in ("variance",) if key in other}
    ds.attrs |= other | {"config": json.dumps(config)}
    assert said(ds, "infonet-image-ends") == [NOT_DECIDED]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_denied_where_its_result_says_so(made, claim):
    found = said(made(claim, 1), claim)
    assert DENIED in found


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_single_member_has_no_interval_and_decides_nothing(made, claim):
    for place in (0, 1):
        ds = made(claim, place)
        kept = ds.isel(member=[0])
        kept.attrs["config"] = ds.attrs["config"].replace('"members":6', '"members":1')
        found = verdicts(kept, claim)
        assert {one.verdict for one in found} == {NOT_DECIDED}
        assert all(one.reason.partition(": ")[2].startswith("needs") or one.reason.startswith("needs") for one in found)
        assert all(np.isnan(one.interval).all() for one in found)


@pytest.mark.parametrize("claim", CLAIMS)
def test_members_without_numbers_decide_nothing(made, claim):
    for place in (0, 1):
        ds = made(claim, place)
        kept = "distinct_rows" if not claim.startswith("rows-distinct") else ""  # says that an epoch was measured
        for name in [name for name in ds.data_vars if ds[name].dtype.kind == "f" and str(name) != kept]:
            ds[name] = ds[name] * np.nan
        assert set(said(ds, claim)) == {NOT_DECIDED}


@pytest.mark.parametrize("claim", CLAIMS)
def test_dead_and_diverged_members_are_counted_out_and_said(made, claim):
    for place, expected in enumerate((CONFIRMED, DENIED)):
        ds = made(claim, place)
        ds["information"][{"member": 0}] = 1e6  # absurd numbers that must not count
        for name in ("gradient_mean", "accuracy", "distinct_rows"):
            ds[name][{"member": 0}] = 1e6
        ds["member_flags"][{"member": 0}] = results.encode_flags(["dead"])
        ds["member_flags"][{"member": 1}] = results.encode_flags(["diverged"])
        found = verdicts(ds, claim)
        assert expected in [one.verdict for one in found]
        told = [one.reason for one in found if one.verdict == expected]
        assert all("left out of 6 members: 1 dead, 1 diverged" in reason for reason in told)
        assert all(one.members == 4 for one in found if one.verdict == expected)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_result_that_lacks_everything_says_what_each_claim_needs(network, claim):
    ds = network()[["information"]].isel(layer=[-1])
    ds.attrs = {"title": "bare", "input_entropy": 12.0, "n_distinct": 4096}
    for one in verdicts(ds, claim):
        assert one.verdict == NOT_DECIDED
        assert "needs" in one.reason


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_every_claim_says_what_it_is_about_and_has_a_rule(claim):
    assert claim.sentence.endswith(".")
    assert all((claim.source, claim.quantity, claim.needs))
    assert claim.side in ("above", "below")
    assert f"entirely {claim.side} {claim.bound:g}" in claim.rule
    assert "denied if it is entirely" in claim.rule


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=CLAIMS)
def test_every_claim_names_a_figure_that_can_be_drawn(claim):
    assert claim.figure in FIGURES


def test_no_missing_variable_or_attribute_crashes_a_claim(network):
    whole = network(held_out=(FALL, LEARN))
    for name in set(whole.data_vars) - {"information"}:
        assert ip.claims(whole.drop_vars(name)) is not None
    for name in sorted(set(whole.attrs) - {"title"})[::3]:
        lacking = whole.copy()
        lacking.attrs = {key: value for key, value in whole.attrs.items() if key != name}
        assert {one.verdict for one in ip.claims(lacking)} <= {CONFIRMED, DENIED, NOT_DECIDED}


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_too_few_layers_epochs_or_members_crash_no_claim(network, kept):
    whole = network()
    for dim in ("layer", "epoch", "member", "estimator"):
        part = whole.isel({dim: slice(kept)})
        for one in ip.claims(part if dim != "epoch" else part.isel(step=slice(11))):
            assert one.verdict in (CONFIRMED, DENIED, NOT_DECIDED)


def test_a_recording_without_labels_or_configuration_crashes_no_claim():
    rng = np.random.default_rng(0)
    recorder = ip.Recorder(rng.standard_normal((64, 3)), None, "binning")
    for epoch in range(3):
        recorder.step(epoch, {"first": rng.standard_normal((64, 2)), "second": rng.standard_normal((64, 1))})
    found = ip.claims(recorder.results())
    assert {one.claim.id for one in found} == set(CLAIMS)
    assert CONFIRMED not in {one.verdict for one in found}  # a single member


def test_a_run_that_was_not_finished_decides_nothing(network):
    short = network().isel(epoch=slice(0, 4))
    assert {one.verdict for one in ip.claims(short)} == {NOT_DECIDED}
    assert ip.claims(short)[0].reason == "needs the last epoch in the schedule; measured up to epoch 1000 of 8000"
    stopped = short.sel(step=short["step"] <= 1000)
    assert {one.verdict for one in ip.claims(stopped)} == {NOT_DECIDED}
    words = "needs a finished run (infoplane resume DIR); measured up to epoch 1000 of 8000"
    assert ip.claims(stopped)[0].reason == words


def test_clipped_activations_cannot_confirm_compression(network):
    found = verdicts(network(clipped=True), "compression-tanh-bins")
    assert {one.verdict for one in found} == {NOT_DECIDED}
    assert found[1].reason.startswith("needs bins that cover the activations")


def test_a_layer_at_the_cap_says_n_and_not_the_net(network):
    first, *others = verdicts(network(), "compression-tanh-bins")
    assert first.verdict == NOT_DECIDED
    assert "which reflects the number of inputs, not the network" in first.reason
    assert {one.verdict for one in others} == {CONFIRMED}


def test_the_same_estimator_may_have_a_longer_name_in_another_network(network):
    base = network(changes=BINS)
    shuffled = network(GROW, changes={"data.shuffle_labels": True})
    run = view.Run([view.Part({"variant": "base"}, base), view.Part({"variant": "shuffled labels"}, shuffled)])
    assert [one.verdict for one in answer(CLAIMS["true-labels-compress-more"], run)] == [CONFIRMED]
    for claim in CLAIMS.values():
        assert {one.verdict for one in answer(claim, run)} <= {CONFIRMED, DENIED, NOT_DECIDED}


def test_networks_of_another_depth_say_nothing_of_the_widths(sweep):
    (one,) = verdicts(sweep("model.hidden", {(10, 3): {}, (10, 7, 3): {}}), "survives-widths")
    assert one.verdict == NOT_DECIDED
    assert one.reason.startswith("needs two settings")


def test_a_setting_that_clips_is_left_out_and_said(sweep):
    made = {256: {}, 64: {}, 32: {"clipped": True, "i_xt": GROW}}
    by_bins = verdicts(sweep("train.batch_size", made), "survives-batch-size")[0]
    assert by_bins.verdict == CONFIRMED
    assert "without batch_size = 32 (clipped, or at H(X))" in by_bins.case


def test_epochs_that_an_estimator_did_not_measure_are_passed_over(network):
    ds = network()
    ds["information"][{"estimator": 1, "epoch": [2, 3]}] = np.nan
    by_kde = [one for one in verdicts(ds, "compression-tanh-kde") if "hidden2" in one.case]
    assert [one.verdict for one in by_kde] == [CONFIRMED]
    assert by_kde[0].estimate == pytest.approx(4, abs=0.05)


def test_a_member_without_a_number_at_the_end_is_counted_out(network):
    ds = network()
    ds["information"][{"member": 2, "epoch": -1}] = np.nan
    (one,) = [one for one in verdicts(ds, "compression-tanh-bins") if "hidden2" in one.case]
    assert (one.verdict, one.members) == (CONFIRMED, 5)
    assert one.reason.endswith("; 1 members have no value")


def test_full_batch_has_no_gradient_noise_and_decides_nothing(network):
    (one,) = verdicts(network(signal_to_noise=(np.nan, np.nan)), "gradient-transition-tanh")
    assert one.verdict == NOT_DECIDED
    assert one.reason.startswith("needs gradient")


def test_what_is_no_result_is_refused():
    with pytest.raises(ip.InputError, match="ds is of type int; expected a result"):
        ip.claims(3)


def test_branches_are_held_against_the_window_of_the_same_network(made):
    found = verdicts(made("branch-agrees-with-window", 1), "branch-agrees-with-window")
    assert [one.case for one in found][:2] == ["relu, binning, hidden2", "relu, binning, output"]
    assert all(one.estimate == pytest.approx(2) for one in found)


def test_the_share_of_bias_of_what_is_not_lost_decides_nothing(made):
    ds = made("window-loss-is-no-bias", 0)
    ds["single_update"] = ds["information"] + 0.01
    assert set(said(ds, "window-loss-is-no-bias")) == {NOT_DECIDED}


def test_networks_that_have_not_learnt_decide_nothing_of_fitting_and_compression(made):
    for claim in ("quantised-fitting-in-all-layers", "quantised-output-compresses", "noisy-tanh-compresses"):
        ds = made(claim, 0)
        ds["accuracy_at_epoch"] = ds["accuracy_at_epoch"] - 0.35
        found = verdicts(ds, claim)
        assert {one.verdict for one in found} == {NOT_DECIDED}
        assert "needs networks that learn" in found[0].reason


def test_a_layer_that_begins_with_the_whole_label_cannot_fit(made):
    found = {
        one.case: one for one in verdicts(made("quantised-fitting-in-all-layers", 0), "quantised-fitting-in-all-layers")
    }
    first = found["model.activation=tanh, model.bits=8, hidden1"]
    assert first.verdict == NOT_DECIDED
    assert "the layer starts with 0.99" in first.reason


def test_label_is_not_kept_while_noise_compresses_where_nothing_is_compressed(made):
    ds = made("noisy-tanh-compresses", 1)
    found = [one for one in verdicts(ds, "noisy-compression-keeps-label") if "tanh" in one.case]
    assert {one.verdict for one in found} == {NOT_DECIDED}
