"""Results made up so that the answer to each claim is known."""

import itertools
import json

import numpy as np
import pytest
import xarray as xr

from infoplane import results
from infoplane.experiments.infonet_mnist import INFONET_MNIST, STORED
from infoplane.runs.combine import COMPUTED, combine
from infoplane.runs.config import override, parse
from infoplane.runs.job import Job

EPOCHS = np.array([0, 10, 100, 1000, 4000, 8000])
MEMBERS = 6
CAP = 12.0
H_Y = 1.0

RISE_AND_FALL = [5.0, 7.0, 6.5, 5.0, 4.0, 3.0]
"""A layer's I(X;T) at EPOCHS: fitting to epoch 10, then compression by 4 bits."""

LEARNING = [0.1, 0.5, 0.8, 0.95, 0.99, 0.99]
"""A layer's I(T;Y)."""

BASE = {
    "members": MEMBERS,
    "model": {"hidden": [10, 3]},
    "train": {"epochs": int(EPOCHS[-1])},
    "estimators": ["binning", "kde"],
}


def spread(values, scale=0.01, members=MEMBERS):
    """The same numbers for every member, but for a hundredth of a bit or so."""
    values = np.asarray(values, float)
    jitter = np.random.default_rng(0).standard_normal((members, *values.shape))
    return values + scale * jitter


def layered(hidden, *, last_hidden, output, first):
    """Paths of each layer: the first is at the cap, those between lie between."""
    n = len(hidden)
    return [first] * (n > 1) + [np.add(last_hidden, 1.0)] * max(0, n - 2) + [last_hidden, output]


@pytest.fixture(scope="session")
def network():
    """Return a function that makes the result of one network."""

    def make(
        i_xt=RISE_AND_FALL,
        i_ty=LEARNING,
        *,
        first=(12.0, 12.0, 12.0, 12.0, 12.0, 12.0),
        output=(2.0, 4.0, 3.0, 2.0, 1.5, 1.0),
        output_label=None,
        estimators=None,
        held_out=None,
        signal_to_noise=(100.0, 0.01),
        accuracy=(0.5, 0.95),
        test_accuracy=None,
        saturation=None,
        rows=1.0,
        flags=(),
        clipped=False,
        members=MEMBERS,
        changes=None,
        **config,
    ):
        """Return a result; ``estimators`` gives the last hidden layer's I(X;T) by each, others as ``i_xt``.

        ``saturation`` is how much more of a layer saturates with each bit that it loses.
        """
        configured = parse(override(override(BASE, config), (changes or {}) | {"members": members, "name": "made-up"}))
        hidden = configured.model.hidden
        layers = [*(f"hidden{n}" for n, _ in enumerate(hidden, start=1)), "output"]
        names = list(configured.build_estimators())

        def information(paths, label):
            by_estimator = []
            for name in names:
                path = (estimators or {}).get(name, paths)
                inputs = layered(hidden, last_hidden=path, output=output, first=first)
                least = np.minimum(label, 0.9) if output_label is None else output_label
                labels = layered(hidden, last_hidden=label, output=least, first=np.full(6, H_Y))
                by_estimator.append(np.stack([np.stack(inputs, axis=-1), np.stack(labels, axis=-1)], axis=-1))
            made = np.moveaxis(spread(np.stack(by_estimator), members=members), 0, 1)
            return np.minimum(made, [CAP, H_Y])

        steps = np.arange(EPOCHS[-1] + 1)
        ratio = np.geomspace(*signal_to_noise, len(steps)) if np.isfinite(signal_to_noise).all() else steps * np.nan
        curves = [
            np.interp(np.log1p(steps), np.log1p([0, 2000]), ends) for ends in (accuracy, test_accuracy or accuracy)
        ]
        by_layer = (members, len(steps), len(layers))
        codes = np.zeros((len(names), members, len(EPOCHS), len(layers), 2), np.int32)
        codes[...] = results.encode_flags(["clipped"] * clipped)
        variables = {
            "information": (results.INFORMATION_DIMS, information(i_xt, i_ty)),
            "flags": (results.INFORMATION_DIMS, codes),
            "distinct_rows": (results.LAYER_DIMS, np.full((members, len(EPOCHS), len(layers)), 4096.0 * rows)),
            "accuracy": (results.CURVE_DIMS, np.repeat(np.stack(curves)[:, None], members, axis=1)),
            "gradient_mean": (results.NORM_DIMS, np.broadcast_to(ratio[:, None], by_layer).copy()),
            "gradient_std": (results.NORM_DIMS, np.where(np.isfinite(ratio), 1.0, np.nan)[:, None] * np.ones(by_layer)),
            "member_flags": (("member",), np.array([*flags, *[0] * (members - len(flags))], np.int32)),
        }
        attributes = {
            "title": "made-up", "config": configured.canonical(), "failed": "[]",
            "input_entropy": CAP, "label_entropy": H_Y, "label_information": H_Y, "n_samples": 4096, "n_distinct": 4096,
        }  # fmt: skip
        if saturation is not None:
            share = 0.5 - saturation * variables["information"][1][0, ..., 0] / CAP
            variables["saturated_share"] = (results.LAYER_DIMS, share)
        if held_out is not None:
            variables |= {
                f"{results.HELD_OUT}information": (results.INFORMATION_DIMS, information(*held_out)),
                f"{results.HELD_OUT}flags": (results.INFORMATION_DIMS, codes),
                f"{results.HELD_OUT}distinct_rows": variables["distinct_rows"],
            }
            attributes |= {results.HELD_OUT + key: attributes[key] for key in ("input_entropy", "label_entropy")}
        coords = {
            "estimator": names,
            "member": np.arange(members),
            "epoch": EPOCHS,
            "layer": layers,
            "variable": list(results.VARIABLES),
            "split": list(results.SPLITS),
            "step": steps,
        }
        ds = results.new(coords, variables, attributes)
        return ds.assign_coords(quantity=("estimator", ["Shannon"] * len(names)))

    return make


@pytest.fixture(scope="session")
def sweep(network):
    """Return a function that makes the result of several networks that differ in one key."""

    def make(key, made, **shared):
        """``made`` holds what differs by the value of the key; lists go as tuples."""
        plain = {value: list(value) if isinstance(value, tuple) else value for value in made}
        parts = [network(**shared, **options, changes={key: plain[value]}) for value, options in made.items()]
        job = Job(parse(override(BASE, {"sweep": {key: list(plain.values())}, "name": "made-up"})))
        return combine(parts, job)

    return make


@pytest.fixture(scope="session")
def on_images(network):
    """Return a function that makes the result of tanh and relu networks on sets of images."""

    def make(data=("digits",), tanh=RISE_AND_FALL, relu=12.0):
        """``tanh`` and ``relu`` are I(X;T) of the last hidden layer."""
        paths = {"tanh": tanh, "relu": np.broadcast_to(relu, len(EPOCHS))}
        named = {
            f"{name}, {activation}": ({"data.name": name, "model.activation": activation}, path)
            for name in data
            for activation, path in paths.items()
        }
        parts = [network(path, changes=changes) for changes, path in named.values()]
        variants = [{"label": label} | changes for label, (changes, _) in named.items()]
        first = {"data.name": variants[0].pop("data.name"), "model.activation": variants[0].pop("model.activation")}
        return combine(parts, Job(parse(override(BASE, {"variants": variants, "name": "made-up"} | first))))

    return make


@pytest.fixture(scope="session")
def by_infonet(network):
    """Return a function that makes tanh networks by infonet's settings that end some bits from what it stored."""
    settings = INFONET_MNIST.config
    keys = {key: settings[key] for key in ("data", "model", "train", "estimators")}

    def make(apart):
        ds = network(changes=keys)
        last = settings["train"]["epochs"]
        ds = ds.isel(step=slice(last + 1)).assign_coords(epoch=[0, 1, 10, 50, 100, last])
        ends = np.array(STORED.bits["tanh"])[:, None] + apart
        ds["information"][:, :, -1] = np.minimum(ends, STORED.input_entropy)
        return ds.assign_attrs(input_entropy=STORED.input_entropy, label_entropy=STORED.label_entropy)

    return make


GROWING = [3.0, 3.5, 4.0, 5.0, 6.0, 7.0]
GENERALISING, OVERTRAINING = [1.0, 0.8, 0.5, 0.4, 0.3, 0.25], [1.0, 0.5, 0.5, 0.8, 1.2, 1.5]
"""Errors on new inputs, over the variance of the label."""

STUDENTS = {
    "linear-generalises-without-compression": ({}, {"i_xt": RISE_AND_FALL}),
    "linear-overtrains-without-compression": (
        {"error": OVERTRAINING},
        {"error": OVERTRAINING, "i_xt": RISE_AND_FALL},
    ),
    "linear-overtrains": ({"error": OVERTRAINING}, {"error": GENERALISING}),
    "linear-generalises-best-early": ({"error": OVERTRAINING}, {"error": GENERALISING}),
    "irrelevant-falls": ({}, {"irrelevant": GROWING}),
    "relevant-rises": ({}, {"relevant": GROWING[::-1]}),
    "total-rises-with-irrelevant-inputs": ({}, {"i_xt": RISE_AND_FALL}),
}
UNITS = {
    "one-tanh-unit-falls": ({}, {"tanh": GROWING}),
    "one-tanh-unit-ends-at-one-bit": ({}, {"tanh": GROWING}),
    "one-unbounded-unit-grows": ({}, {"relu": [1.0, 3.0, 4.0, 4.0, 4.0, 4.0]}),
}
"""What is made up for each claim on exact numbers: to confirm it, and to deny it."""


@pytest.fixture(scope="session")
def known_exactly(network):
    """Return a function that makes the result that confirms a claim on exact numbers (0), or denies it (1)."""

    def student(i_xt=GROWING, error=GENERALISING, relevant=GROWING, irrelevant=GROWING[::-1]):
        ds = network(i_xt, first=GROWING, output=GROWING, changes={"estimators": ["exact"]})
        both = ds[["information", "flags"]]
        apart = both.isel(variable=[0, 0]).assign_coords(variable=["relevant", "irrelevant"])
        paths = np.stack([spread(relevant), spread(irrelevant)], axis=-1)
        apart["information"] = apart["information"] * 0 + xr.DataArray(paths, dims=("member", "epoch", "variable"))
        joined = xr.concat([both, apart.transpose(*both["information"].dims)], "variable")
        ds = ds.drop_vars(["information", "flags", "variable"]).merge(joined)
        ds["generalisation_error"] = ("member", "epoch"), spread(error, 0.003)
        return ds

    def unit(tanh=(2.0, 4.0, 4.9, 4.0, 2.0, 1.01), relu=GROWING, linear=GROWING):
        ds = network(relu, first=tanh, output=linear, changes={"estimators": ["exact"]})
        weights = np.geomspace(0.1, 1000, len(EPOCHS))
        return ds.assign_coords(layer=["tanh", "relu", "linear"], weight=("epoch", weights))

    def make(claim, place):
        if claim in UNITS:
            return unit(**UNITS[claim][place])
        return student(**STUDENTS[claim][place])

    return make


CLOUDS = {
    "late-layers-compress-relu": ({}, {"i_xt": GROWING}),
    "late-layers-compress-tanh": ({}, {"i_xt": GROWING}),
    "windows-lose-more-than-updates": ({}, {"lost": -0.5}),
    "window-loss-is-no-bias": ({}, {"bias": 0.9}),
    "branch-agrees-with-window": ({}, {"branch": 2.0}),
}
"""The same for claims on networks whose weights are taken as random."""


@pytest.fixture(scope="session")
def as_if_random(network):
    """Return a function that makes the result that confirms a claim on clouds (0), or denies it (1)."""

    def clouds(i_xt=RISE_AND_FALL, lost=3.0, bias=0.1, branch=0.0):
        """``lost`` to the window beside its last update, ``bias`` as a share of it, ``branch`` above the window."""
        parts, entries, names = [], [], (("relu", "tanh"), ("window", "branch"))
        for activation, source in itertools.product(*names):
            ds = network(i_xt, output=i_xt)
            ds["information"] = ds["information"] + branch * (source == "branch")
            ds["single_update"] = ds["information"] + lost
            ds["limit"] = ds["information"].isel(epoch=-1, drop=True) - bias * lost
            config = results.config_of(ds)
            config["model"]["activation"] = activation
            attributes = {"config": json.dumps(config | {"source": source})}
            entries.append({"labels": {"model.activation": activation, "source": source}, "attributes": attributes})
            parts.append(ds)
        both = [xr.concat(parts[at : at + 2], "source", data_vars="all", combine_attrs="override") for at in (0, 2)]
        made = xr.concat(both, "model.activation", data_vars="all", combine_attrs="override")
        made = made.assign_coords({"model.activation": list(names[0]), "source": list(names[1])})
        return made.assign_attrs(sweep=json.dumps(entries), kind=COMPUTED)

    return lambda claim, place: clouds(**CLOUDS[claim][place])


FORGETTING = [0.1, 0.9, 0.9, 0.6, 0.5, 0.4]
LEVELS = {
    "quantised-fitting-in-all-layers": ({}, {"i_ty": [0.5] * 6}),
    "quantised-output-compresses": ({}, {"output": GROWING}),
    "quantised-tanh-hidden-compresses": ({}, {"tanh": GROWING}),
    "quantised-relu-hidden-stays": ({}, {"relu": RISE_AND_FALL}),
    "quantised-8-bits-as-accurate": ({}, {"worse": 0.1}),
    "quantised-bins-differ": ({}, {"missed": 0.0}),
}
NOISE = {
    "noisy-tanh-compresses": ({}, {"tanh": GROWING}),
    "noisy-relu-compresses": ({}, {"relu": GROWING}),
    "noisy-compression-keeps-label": ({}, {"i_ty": FORGETTING}),
    "noisy-more-noise-less-information": ({}, {"lost": -1.0}),
}
"""The same for claims on quantised and on noisy networks."""


@pytest.fixture(scope="session")
def side_by_side(network):
    """Return a function that makes the result that confirms a claim on quantised or noisy networks (0), or denies it.

    Networks stand side by side by activation and a second key, as the experiments put them.
    """

    def joined(dim, labels, make):
        parts, entries = [], []
        for activation, label in itertools.product(("tanh", "relu"), labels):
            ds, accuracy = make(activation, label)
            known = accuracy + spread(np.zeros((2, len(EPOCHS))), 1e-3)
            ds["accuracy_at_epoch"] = ("member", "split", "epoch"), known
            config = results.config_of(ds)
            config["model"] |= {"activation": activation, dim.removeprefix("model."): label}
            own = {"labels": {"model.activation": activation, dim: label}}
            entries.append(own | {"attributes": {"config": json.dumps(config)}})
            parts.append(ds)
        pairs = [xr.concat(parts[at : at + 2], dim, data_vars="all", combine_attrs="override") for at in (0, 2)]
        made = xr.concat(pairs, "model.activation", data_vars="all", combine_attrs="override")
        made = made.assign_coords({"model.activation": ["tanh", "relu"], dim: list(labels)})
        return made.assign_attrs(sweep=json.dumps(entries), kind=COMPUTED)

    def levels(tanh=RISE_AND_FALL, relu=GROWING, i_ty=LEARNING, output=RISE_AND_FALL, worse=0.0, missed=1.0):
        def make(activation, bits):
            path = tanh if activation == "tanh" else relu
            by = {"exact": path, "binning": np.subtract(path, missed)}
            ds = network(path, i_ty, output=output, estimators=by, changes={"estimators": ["exact", "binning"]})
            return ds, 0.95 - worse * (bits == "8")

        return joined("model.bits", ("8", "float"), make)

    def noise(tanh=RISE_AND_FALL, relu=RISE_AND_FALL, i_ty=LEARNING, lost=1.0):
        def make(activation, beta):
            path = np.subtract(tanh if activation == "tanh" else relu, lost * (beta == 0.1))
            return network(path, i_ty, first=path, output=path, changes={"estimators": ["noisy"]}), 0.95

        return joined("model.beta", (0.01, 0.1), make)

    return lambda claim, place: levels(**LEVELS[claim][place]) if claim in LEVELS else noise(**NOISE[claim][place])
