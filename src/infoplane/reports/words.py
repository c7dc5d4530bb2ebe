"""What a report says in words: what was run, what each layer did, what the claims say, what to distrust."""

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane import results
from infoplane.estimators.flags import explain
from infoplane.plots import content
from infoplane.reports.panels import Panel

if TYPE_CHECKING:
    import xarray as xr


@dataclasses.dataclass(frozen=True)
class Doubt:
    """Something that is to be distrusted.

    Attributes:
        title: what it is.
        where: which values carry it.
        text: what it means and what to do, in plain words.
    """

    title: str
    where: str
    text: str


# ---- what is missing


def unfinished(ds: "xr.Dataset") -> list[str]:
    """Return a sentence for each thing that an unfinished run lacks; none for a finished run."""
    word, epochs = content.epoch_word(ds), ds["epoch"].values
    if not len(epochs):
        return ["Nothing was measured."]
    trained = int(ds["step"].values[-1]) if "step" in ds else int(epochs[-1])
    planned = max(int(results.config_of(ds).get("train", {}).get("epochs", 0)) if word == "epoch" else 0, trained)
    lines = [f"Measured up to {word} {epochs[-1]} of {planned}."] if epochs[-1] < planned else []
    failed = len(json.loads(str(ds.attrs.get("failed", "[]"))))
    lines += [f"{failed} task{'s' if failed != 1 else ''} failed."] if failed else []
    members = ds["information"].sel(variable="input").notnull().any(["estimator", "layer"]).any("epoch")
    missing = int((~members).sum())
    lines += [f"{missing} of {ds.sizes['member']} members have no values."] if missing else []
    return lines


# ---- what was run


def was_run(ds: "xr.Dataset") -> list[str]:
    """Say in sentences what was trained, on what, and how it was measured."""
    config = results.config_of(ds)
    told = [_networks(ds, config), _training(config), _measuring(ds)]
    return [sentence for sentence in told if sentence]


def _networks(ds: "xr.Dataset", config: dict[str, Any]) -> str:
    n_members, layers = ds.sizes["member"], [str(name) for name in ds["layer"].values]
    model = config.get("model", {})
    if not model:
        noun = "network" if n_members == 1 else "networks"
        return f"{_experiment(ds)}{n_members} {noun}, layers {_listed(layers)}."
    hidden = "-".join(map(str, model.get("hidden", [])))
    shape = " ".join(str(word) for word in (hidden, model.get("activation")) if word)
    kind = f"of hidden layers {shape}" if shape else "without hidden layers"
    return f"{_experiment(ds)}{n_members} {'network' if n_members == 1 else 'networks'} {kind}."


def _experiment(ds: "xr.Dataset") -> str:
    """Say what a packaged experiment shows."""
    from infoplane.experiments import EXPERIMENTS

    experiment = EXPERIMENTS.get(str(ds.attrs.get("title", "")))
    return f"{experiment.title[0].upper()}{experiment.title[1:]}. " if experiment else ""


def _training(config: dict[str, Any]) -> str:
    train, data = config.get("train", {}), config.get("data", {})
    if "epochs" not in train:
        return ""
    words = [f"Trained for {train['epochs']} epochs"]
    words += [f"by {train['optimizer']}"] if "optimizer" in train else []
    words += [f"at rate {train['learning_rate']:g}"] if "learning_rate" in train else []
    words += [f"in mini-batches of {train['batch_size']}"] if train.get("batch_size") else []
    if data.get("name"):
        share = f"{train['fraction']:.0%} of " if "fraction" in train else ""
        shuffled = ", its labels shuffled" if data.get("shuffle_labels") else ""
        words += [f"on {share}the data set {data['name']}{shuffled}"]
    return " ".join(words) + "."


def _measuring(ds: "xr.Dataset") -> str:
    word, epochs = content.epoch_word(ds), ds["epoch"].values
    inputs = f" on {content.n_inputs(ds)}" if "n_samples" in ds.attrs else ""
    when = f"at {len(epochs)} {word}s from {epochs[0]} to {epochs[-1]}" if len(epochs) > 1 else f"at {word} {epochs[0]}"
    noise = [content.describe_estimator(ds, str(name)) for name in ds["estimator"].values]
    return f"Measured{inputs} {when} by {'; '.join(noise)}."


def _listed(names: Sequence[str], most: int = 12) -> str:
    """Return names in a row; of many the first ones and how many there are."""
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"


# ---- what it says


def stories(panel: Panel) -> list[tuple[str, str]]:
    """Return each layer and what it did, by the first estimator that has numbers."""
    from infoplane.experiments.summary import summarise

    if not panel.ds.sizes["epoch"] or not np.isfinite(float(panel.ds.attrs.get("input_entropy", np.nan))):
        return []
    names = [name for name in map(str, panel.ds["estimator"].values) if _measured(panel.ds, name)]
    if not names:
        return []
    return [(one.layer, one.sentence) for one in summarise(content.measured(panel.ds, names[0]), names[0])]


def _measured(ds: "xr.Dataset", estimator: str) -> bool:
    return bool(ds["information"].sel(estimator=estimator, variable="input").notnull().any())


# ---- what to distrust


def doubts(panel: Panel) -> list[Doubt]:
    """Return what is to be distrusted: flags with what they mean, members, unfinished and failed parts."""
    ds = panel.ds
    found = [Doubt(flag, where, explain(flag)) for flag, where in _flagged(ds)]
    found += [Doubt("reason", f"{estimator}: {layer}", text) for estimator, layer, text in results.reasons_at(ds)]
    found += [Doubt(flag, where, explain(flag)) for flag, where in _flagged_members(ds)]
    found += [Doubt("note", "", f"{remark[0].upper()}{remark[1:]}.") for remark in _remarks(ds)]
    if ds.sizes["member"] == 1:
        text = "There is one network: nothing says how far another one would differ, and no claim is decided."
        found.append(Doubt("one network", "", text))
    found += [Doubt("failed", _place(one), str(one.get("reason", ""))) for one in failures(ds)]
    return found


def failures(ds: "xr.Dataset") -> list[dict[str, Any]]:
    """Return what failed for good in a run."""
    return [one for one in json.loads(str(ds.attrs.get("failed", "[]"))) if isinstance(one, dict)]


def _place(failure: dict[str, Any]) -> str:
    return ", ".join(f"{key} {failure[key]}" for key in ("layer", "members", "epoch", "tries") if key in failure)


def _flagged(ds: "xr.Dataset") -> list[tuple[str, str]]:
    """Return each flag of any value, and which estimators and layers carry it, with their share of the values."""
    if "flags" not in ds or not ds["flags"].size:
        return []
    known = ds["information"].notnull()
    told = []
    for flag in sorted(results.decode_flags(int(np.bitwise_or.reduce(ds["flags"].values, axis=None)))):
        carries = ds["flags"].astype(int) & results.encode_flags([flag]) > 0
        shares = (carries & known).sum(["member", "epoch"]) / known.sum(["member", "epoch"]).clip(min=1)
        largest = shares.max("variable").transpose("estimator", "layer")
        told.append((flag, "; ".join(_carriers(estimator) for estimator in largest if bool((estimator > 0).any()))))
    return told


def _carriers(shares: "xr.DataArray") -> str:
    """Return an estimator and the layers that carry a flag, with the share of their values."""
    layers = [_share(str(one["layer"].item()), float(one)) for one in shares if one > 0]
    return f"{shares['estimator'].item()}: {_listed(layers)}"


def _share(layer: str, share: float) -> str:
    """Return a layer and how many of its values carry a flag."""
    return f"{layer} {share:.0%}" if share >= 0.01 else f"{layer} < 1%"


def _flagged_members(ds: "xr.Dataset") -> list[tuple[str, str]]:
    codes = ds["member_flags"].values if "member_flags" in ds else []
    flags = [flag for code in codes for flag in results.decode_flags(code)]
    return [(flag, f"{flags.count(flag)} of {ds.sizes['member']} members") for flag in sorted(set(flags))]


def _remarks(ds: "xr.Dataset") -> list[str]:
    """Return the summary's remarks, without those that flags say already."""
    from infoplane.experiments.summary import remarks

    if "member_flags" not in ds or "flags" not in ds:
        return []
    said = ("dead or", "diverged;", "clipped:", "reason at the end")
    return [remark for remark in remarks(ds) if not any(word in remark for word in said)]


# ---- how to cite


def sources(found: Sequence["xr.Dataset"]) -> list[str]:
    """Return what to cite: this program, the papers of the experiments, those of the estimators."""
    import importlib.metadata

    from infoplane.estimators import list_estimators
    from infoplane.experiments import EXPERIMENTS

    version = importlib.metadata.version("infoplane")
    cited = [f"The infoplane authors. infoplane: the information inside a neural network, version {version}. Software."]
    names = {str(name).partition("(")[0] for ds in found for name in ds["estimator"].values}
    for ds in found:
        experiment = EXPERIMENTS.get(str(ds.attrs.get("title", "")))
        cited += [f"The experiment {experiment.name}: {experiment.source}."] if experiment else []
    cited += [f"The estimator {one.name}: {one.reference}." for one in list_estimators() if one.name in names]
    return list(dict.fromkeys(cited))
