"""What networks on images do: whether hidden layers compress, and whether one set of images says what another says."""

from collections.abc import Mapping, Sequence

import numpy as np

from infoplane.experiments.claims import view
from infoplane.experiments.claims.base import Case, Claim, LackingError
from infoplane.experiments.claims.phases import obstacle
from infoplane.experiments.claims.view import NOTICEABLE, Part, Run
from infoplane.experiments.infonet_mnist import INFONET_MNIST, STORED

PAPER = "Saxe et al. 2018"
KINDS = ("binning", "kde")
IMAGES = ("digits", "mnist", "fashion-mnist", "notmnist", "emnist-digits", "idx")
"""Names of data sets that are images."""

LEARNT = 0.7
"""Accuracy on the images trained on, below which networks are at the beginning of their training."""

NARROW, NEAR = (2, 3, 4), 1.0
"""Places of infonet's layers of 20 units, and bits that one network may be from the mean of others."""


def _on_images(run: Run, activation: str) -> list[Part]:
    """Return the networks with an activation that learnt the labels of images.

    Raises:
        LackingError: where there are none.
    """
    found = [part for part in run.parts if not part.shuffled and part.keys.get("data.name") in IMAGES]
    if not found:
        raise LackingError("networks on images (infoplane run images, or saxe-mnist --data FOLDER)")
    found = [part for part in found if part.activation == activation]
    if not found:
        raise LackingError(f"networks on images with {activation}")
    return found


def _unlearnt(part: Part) -> str:
    """Say where networks have learnt too little to show anything of the end of training."""
    known = part.quantity("accuracy").sel(split="train").isel(step=-1).values
    mean = float(np.nanmean(known)) if np.isfinite(known).any() else np.nan
    if mean >= LEARNT:
        return ""
    return f"needs networks that have learnt: accuracy on the images trained on is {mean:.2f} at the end (train.epochs)"


def _estimators(part: Part, kinds: Sequence[str] = KINDS) -> list[str]:
    """Return the first estimator of each kind.

    Raises:
        LackingError: where there is none.
    """
    found = [name for kind in kinds for name in part.estimators(kind)[:1]]
    if not found:
        raise LackingError(f"the estimator {' or '.join(kinds)}")
    return found


def _named(part: Part, estimator: str) -> str:
    return part.named(*([] if part.labels else [str(part.keys["data.name"]), part.activation]), estimator)


def _tanh_losses(run: Run) -> list[Case]:
    """Return what the last hidden layer of tanh networks loses, on each set of images by each estimator."""
    return [
        Case(
            f"{_named(part, by)}, {part.last_hidden}",
            (part.sample(view.compression(part.bits(part.last_hidden, by))),),
            _unlearnt(part) or obstacle(part, by, part.last_hidden),
        )
        for part in _on_images(run, "tanh")
        for by in _estimators(part)
    ]


def _relu_distances(run: Run) -> list[Case]:
    """Return how far below H(X) the hidden layers of rectified networks are at the end, each layer a setting."""
    return [
        Case(
            f"{_named(part, by)}, hidden layers",
            tuple(
                part.sample(part.attribute("input_entropy") - part.bits(layer, by)[:, -1], layer)
                for layer in part.hidden
            ),
            _unlearnt(part),
        )
        for part in _on_images(run, "relu")
        for by in _estimators(part, ("kde",))
    ]


def _any_data(run: Run) -> list[Case]:
    """Return how much more tanh than rectified networks lose in their last hidden layer, each data set a setting.

    Raises:
        LackingError: where the networks are on fewer than two data sets.
    """
    tanh, relu = ({_data(part): part for part in _on_images(run, name)} for name in ("tanh", "relu"))
    both = [data for data in tanh if data in relu]
    if len(both) < 2:
        raise LackingError("tanh and relu networks on two image datasets (infoplane run images --data A --data B)")
    cases = []
    for by in _estimators(tanh[both[0]]):
        samples = tuple(
            tanh[data].sample(_lost(tanh[data], by), data[0], _lost(relu[data], by))
            for data in both
            if by in tanh[data].estimators() and by in relu[data].estimators()
        )
        told = next(filter(None, (_unlearnt(of[data]) for of in (tanh, relu) for data in both)), "")
        cases.append(Case(f"tanh against relu, {by}, last hidden layer", samples, told))
    return cases


def _data(part: Part) -> tuple[str, str]:
    return str(part.keys.get("data.name")), str(part.keys.get("data.path"))


def _lost(part: Part, estimator: str) -> view.Values:
    return view.compression(part.bits(part.last_hidden, estimator))


def _from_stored(run: Run) -> list[Case]:
    """Return how far narrow layers of tanh networks end from what infonet stored, by its settings.

    Raises:
        LackingError: where there are no such networks, or they are measured on other inputs.
    """
    settings = INFONET_MNIST.config
    wanted = {f"{group}.{key}": value for group in ("model", "train") for key, value in settings[group].items()}
    found = [part for part in _on_images(run, "tanh") if _agrees(part.keys, wanted)]
    measured = [(part, by) for part in found if (by := STORED.measured_by(part.ds))]
    if not measured:
        raise LackingError(
            "tanh networks by infonet's settings on all 70 000 images of MNIST with noise of variance 0.05 "
            "(infoplane run infonet-mnist)"
        )
    cases = []
    for part, by in measured:
        ends = np.stack([part.bits(layer, by)[:, -1] for layer in part.layers], axis=1)
        apart = abs(ends - np.array(STORED.bits["tanh"]))
        samples = tuple(part.sample(apart[:, place], part.layers[place]) for place in NARROW)
        cases.append(Case(f"{_named(part, by)}, layers of 20 units", samples))
    return cases


def _agrees(keys: Mapping[str, object], wanted: Mapping[str, object]) -> bool:
    return all(keys.get(key) == value for key, value in wanted.items())


CLAIMS = (
    Claim(
        id="image-tanh-compresses",
        sentence="Hidden layers of tanh networks compress on images too.",
        source=f"{PAPER}, appendix",
        quantity="I(X;T) of the last hidden layer at the epoch of the largest mean, minus at the end",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs="tanh networks on images",
        figure="compression",
        measure=_tanh_losses,
    ),
    Claim(
        id="image-relu-stays",
        sentence="Hidden layers of ReLU networks keep all information on images: they stay at H(X).",
        source=f"{PAPER}, appendix",
        quantity="H(X) minus I(X;T) of a hidden layer at the end, with Gaussian noise; each layer is a setting",
        units="bits",
        side="below",
        bound=NOTICEABLE,
        needs="relu networks on images measured by kde",
        figure="information",
        measure=_relu_distances,
    ),
    Claim(
        id="image-any-data",
        sentence="Tanh networks compress more than ReLU networks on every image dataset.",
        source=f"{PAPER}, appendix, who show MNIST",
        quantity="compression of the last hidden layer of tanh networks minus that of relu networks; each image "
        "dataset is a setting",
        units="bits",
        side="above",
        bound=NOTICEABLE,
        needs="tanh and relu networks on two image datasets",
        figure="compression",
        measure=_any_data,
    ),
    Claim(
        id="infonet-image-ends",
        sentence="With infonet's settings the three layers of 20 tanh units end on MNIST at its stored values: 8.61, "
        "6.09 and 4.35 bits.",
        source="the program infonet (2019), stored results of one network",
        quantity="distance of I(X;T) at the end from the stored value, with Gaussian noise of variance 0.05; each "
        "layer is a setting",
        units="bits",
        side="below",
        bound=NEAR,
        needs="tanh networks with infonet's settings on all images of MNIST",
        figure="ends",
        measure=_from_stored,
    ),
)
