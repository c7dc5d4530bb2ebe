"""Estimators of information: one table, name → class; arrays in, bits out."""

import dataclasses
import functools
import importlib
import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from infoplane._arrays import as_labels, as_samples, is_discrete, to_numpy
from infoplane.errors import InputError, did_you_mean
from infoplane.estimators.base import (
    FLAGS,
    EntropyEstimator,
    Estimate,
    Estimator,
    GivesEntropy,
    LayerEstimator,
    LayerInformation,
    Null,
)
from infoplane.estimators.base import layer_information as measure_one

if TYPE_CHECKING:
    from infoplane.estimators.auto import Auto
    from infoplane.estimators.binning import Binning
    from infoplane.estimators.copula import Copula
    from infoplane.estimators.exact import Exact
    from infoplane.estimators.gaussian import Gaussian
    from infoplane.estimators.kde import Kde
    from infoplane.estimators.kozachenko import Kl
    from infoplane.estimators.lga import Lga
    from infoplane.estimators.lnc import Lnc
    from infoplane.estimators.lnn import Lnn
    from infoplane.estimators.neighbors import Ksg1, Ksg2, MixedKsg, Ross
    from infoplane.estimators.noisy import Noisy
    from infoplane.estimators.plugin import Plugin
    from infoplane.estimators.renyi import Renyi
    from infoplane.estimators.sliced import Sliced
    from infoplane.estimators.uncertainty import extrapolate

__all__ = [
    "FLAGS",
    "Auto",
    "Binning",
    "Copula",
    "Estimate",
    "Estimator",
    "Exact",
    "Gaussian",
    "Kde",
    "Kl",
    "Ksg1",
    "Ksg2",
    "LayerEstimator",
    "LayerInformation",
    "Lga",
    "Lnc",
    "Lnn",
    "MixedKsg",
    "Noisy",
    "Null",
    "Plugin",
    "Renyi",
    "Ross",
    "Sliced",
    "build",
    "build_all",
    "entropy",
    "extrapolate",
    "layer_information",
    "list_estimators",
]


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of the table of estimators.

    Attributes:
        name: the name in configurations and calls.
        path: module and class.
        data: kinds of data it takes.
        meaning: what its number means.
        cost: how time and memory grow with n samples of dimension d.
        reference: where it comes from.
    """

    name: str
    path: str
    data: str
    meaning: str
    cost: str
    reference: str


EstimatorLike = Any
"""A name, a table with ``name`` and parameters, an instance, or (where several go) a list of these. Checked by hand,
since it is what users write."""

TABLE = (
    Entry(
        "binning",
        "infoplane.estimators.binning:Binning",
        "layers: activations with optional labels",
        "plug-in information of the layer quantised into cells: I(X;T) = H(T), I(T;Y) = H(T) - H(T|Y)",
        "time n d + n log n, memory n d",
        "Shwartz-Ziv & Tishby 2017; Saxe et al. 2018; Chelombiev et al. 2019",
    ),
    Entry(
        "exact",
        "infoplane.estimators.exact:Exact",
        "layers: quantised or integer activations, or float rows by equality",
        "information of the layer as it is, by counting equal rows",
        "time n d + n log n, memory n d",
        "Lorenzen, Igel & Nielsen 2022",
    ),
    Entry(
        "kde",
        "infoplane.estimators.kde:Kde",
        "layers: activations with optional labels",
        "bounds on the information of the layer with Gaussian noise; bits is the upper bound",
        "time n² d, less where the noise is small; memory n d",
        "Kolchinsky & Tracey 2017; Saxe et al. 2018",
    ),
    Entry(
        "noisy",
        "infoplane.estimators.noisy:Noisy",
        "layers: activations with optional labels",
        "information of the layer with Gaussian noise by Monte Carlo, with its standard error",
        "time draws n² (d + classes), memory n d",
        "Goldfeld et al. 2019",
    ),
    Entry(
        "renyi",
        "infoplane.estimators.renyi:Renyi",
        "layers: activations with optional labels",
        "matrix-based Rényi entropy of the layer's kernel matrix: a quantity of its own, not Shannon bits",
        "time n batch² + n batch d, memory n d + batch²",
        "Sanchez Giraldo, Rao & Príncipe 2015; Yu et al. 2020; Wickstrøm et al. 2019",
    ),
    Entry(
        "auto",
        "infoplane.estimators.auto:Auto",
        "pairs: continuous, discrete and mixed",
        "information by whatever suits the data: measured in several ways, chosen by rules, with the reason",
        "that of a few of the others: seconds for 10 000 samples; memory n (d + 1000)",
        "those of what it chooses; Tyler 1987; Donsker & Varadhan 1983; Barber & Agakov 2003",
    ),
    Entry(
        "plugin",
        "infoplane.estimators.plugin:Plugin",
        "pairs: discrete",
        "information of two discrete variables by counting, with a correction of each entropy if asked for",
        "time n log n, memory n",
        "Shannon 1948; Miller 1955; Grassberger 2003",
    ),
    Entry(
        "ksg1",
        "infoplane.estimators.neighbors:Ksg1",
        "pairs: continuous",
        "information of two continuous variables from nearest neighbours",
        "time n² d, n log n for two numbers; memory n d",
        "Kraskov, Stögbauer & Grassberger 2004",
    ),
    Entry(
        "ksg2",
        "infoplane.estimators.neighbors:Ksg2",
        "pairs: continuous",
        "as ksg1, from the rectangle around the neighbours",
        "time n² d, n log n for two numbers; memory n d",
        "Kraskov, Stögbauer & Grassberger 2004",
    ),
    Entry(
        "mixed-ksg",
        "infoplane.estimators.neighbors:MixedKsg",
        "pairs: continuous, discrete and mixed; labels of layers",
        "information from nearest neighbours where values may repeat; discrete symbols are atoms",
        "time n² d, n log n for two numbers; memory n d",
        "W. Gao et al. 2017",
    ),
    Entry(
        "ross",
        "infoplane.estimators.neighbors:Ross",
        "pairs: continuous with discrete; labels of layers",
        "information of coordinates and a label from neighbours within the label",
        "time n² d, n log n for one number; memory n d",
        "Ross 2014",
    ),
    Entry(
        "kl",
        "infoplane.estimators.kozachenko:Kl",
        "pairs: continuous and mixed; labels of layers; entropies",
        "differential entropy from nearest neighbours, information as a difference of entropies",
        "time n log n in few dimensions, else n² d; memory n d",
        "Kozachenko & Leonenko 1987; Berrett, Samworth & Yuan 2019",
    ),
    Entry(
        "lnn",
        "infoplane.estimators.lnn:Lnn",
        "pairs: continuous, up to 3 coordinates in all; entropies",
        "differential entropy from a Gaussian fitted around every sample, information as a difference of entropies",
        "time n log n + n m d² (m = 30 neighbours), memory n m d",
        "W. Gao, Oh & Viswanath 2016; Loader 1996",
    ),
    Entry(
        "lnc",
        "infoplane.estimators.lnc:Lnc",
        "pairs: continuous, fewer coordinates than k",
        "as ksg2, corrected where neighbours lie along a line or surface: strong dependence",
        "time n² d, n log n for two numbers; memory n d",
        "S. Gao, Ver Steeg & Galstyan 2015",
    ),
    Entry(
        "lga",
        "infoplane.estimators.lga:Lga",
        "pairs: continuous",
        "information from a normalised Gaussian fitted around every sample",
        "time n² d for neighbours, n d⁶ for the fits; memory n d²",
        "S. Gao, Ver Steeg & Galstyan 2015, arXiv 1508.00536",
    ),
    Entry(
        "gaussian",
        "infoplane.estimators.gaussian:Gaussian",
        "pairs: continuous and mixed; labels of layers; entropies",
        "information of the Gaussian with the same covariance: the linear part",
        "time n d² + d³, memory n d",
        "Cover & Thomas 2006; Misra, Singh & Demchuk 2005; Ledoit & Wolf 2004",
    ),
    Entry(
        "copula",
        "infoplane.estimators.copula:Copula",
        "pairs: continuous and mixed; labels of layers",
        "information after every coordinate has been made Gaussian by its ranks",
        "time n d log n and that of the estimator on the ranks; memory n d",
        "Ma & Sun 2011; Ince et al. 2017",
    ),
    Entry(
        "sliced",
        "infoplane.estimators.sliced:Sliced",
        "pairs: continuous and mixed; labels of layers",
        "mean information of one-dimensional projections: a quantity of its own, below the information",
        "time slices n log n, memory n d",
        "Goldfeld & Greenewald 2021",
    ),
)


def __getattr__(name: str) -> Any:
    if name == "extrapolate":
        return _load("infoplane.estimators.uncertainty:extrapolate")
    for entry in TABLE:
        if entry.path.endswith(f":{name}"):
            return _load(entry.path)
    raise AttributeError(f"module 'infoplane.estimators' has no attribute '{name}'")


def list_estimators() -> list[Entry]:
    """Return the table of estimators, those of installed plug-ins last.

    A plug-in offers an `Entry` under the entry-point group ``infoplane.estimators``.
    """
    return [*TABLE, *_plugins()]


@functools.cache
def _plugins() -> tuple[Entry, ...]:
    points = importlib.metadata.entry_points(group="infoplane.estimators")
    return tuple(point.load() for point in points)


def estimator_class(name: str) -> type[Estimator]:
    """Return the class that a name stands for.

    Raises:
        InputError: for an unknown name; names the nearest.
    """
    for entry in list_estimators():
        if entry.name == name:
            return _load(entry.path)
    raise InputError(f"unknown estimator '{name}'{did_you_mean(name, [e.name for e in list_estimators()])}")


def build(spec: EstimatorLike, **params: Any) -> Estimator:
    """Return an estimator from its name, from ``{"name": …, parameter: …}`` or as it is.

    Raises:
        InputError: for an unknown name or parameter; names the nearest.
    """
    if isinstance(spec, Estimator):
        return type(spec).with_params(spec.params | params) if params else spec
    if not isinstance(spec, str | Mapping):
        raise InputError(f"estimator is {spec!r}; expected a name, a table with 'name', or an instance such as Kde()")
    if isinstance(spec, str):
        return estimator_class(spec).with_params(params)
    if "name" not in spec:
        raise InputError(f"estimator {dict(spec)} has no 'name'")
    return estimator_class(spec["name"]).with_params({k: v for k, v in spec.items() if k != "name"} | params)


def build_all(specs: EstimatorLike, **params: Any) -> dict[str, LayerEstimator]:
    """Return layer estimators by the name they carry in results.

    A tuple as the value of a parameter (several variances of ``kde``) stands for one estimator each. A name
    used twice carries the parameters in which the two differ: ``kde(variance=0.001)``.

    Raises:
        InputError: for an unknown name or parameter, for an estimator that cannot measure a layer, or for
            the same estimator twice.
    """
    if not isinstance(specs, Iterable):
        raise InputError(f"estimator is {specs!r}; expected a name, an instance such as Kde(), or a list of them")
    built = [single for spec in specs for single in _singles(build(spec, **params))]
    if not built:
        raise InputError("the list of estimators is empty; expected at least one name")
    named: dict[str, LayerEstimator] = {}
    for estimator in built:
        if not isinstance(estimator, LayerEstimator):
            raise InputError(
                f"estimator '{estimator.name}' measures pairs of arrays that are both continuous or both discrete, not "
                "layers; for what a layer says of its label use ross, mixed-ksg or kl"
            )
        label = _label(estimator, [other for other in built if other.name == estimator.name])
        if label in named:
            raise InputError(f"estimator '{label}' is asked for twice")
        named[label] = estimator
    return named


def layer_information(
    t: Any,
    y: Any = None,
    estimator: EstimatorLike = "binning",
    **params: Any,
) -> LayerInformation | dict[str, LayerInformation]:
    """Measure what a layer says of its input and of the label: I(X;T) and I(T;Y), in bits.

    X is *which row*: uniform over the rows of ``t``. Every number names its noise model; see the estimator's
    own page for its range, its flags and when it misleads.

    Args:
        t: activations of one layer, shape (sample, dim) or (sample,): floats, one row for each input.
        y: class of each row, shape (sample,): integers, booleans or strings; without it I(T;Y) is None.
        estimator: name of an estimator (`list_estimators`), an instance, a table such as
            ``{"name": "kde", "variance": 0.01}``, or a list of them, measured together at the cost of what
            they do not share.
        params: parameters of the estimator, for example ``bins=30, edges="idnns"``.

    Returns:
        One LayerInformation; for a list, or a parameter with several values, a dictionary by name.

    Raises:
        InputError: for arrays or parameters that cannot be used; names them and the remedy.

    Example:
        >>> import numpy as np, infoplane as ip
        >>> t = np.tanh(np.linspace(-3, 3, 8))[:, None]
        >>> information = ip.layer_information(t, np.arange(8) > 3, bins=30)
        >>> information.input.bits, information.label.bits
        (2.5, 1.0)
    """
    alone = isinstance(estimator, str | Mapping | Estimator)
    named = build_all([estimator] if isinstance(estimator, str | Mapping | Estimator) else estimator, **params)
    measured = measure_one(t, y, list(named.values()))
    return measured[0] if alone and len(measured) == 1 else dict(zip(named, measured, strict=True))


def entropy(x: Any, estimator: EstimatorLike = "exact", **params: Any) -> Estimate:
    """Estimate the entropy of the rows of an array, in bits.

    For estimators that quantise it is the entropy of the cells, H(T); for those that add noise it is the
    differential entropy of the noisy rows, h(T + Z), which may be negative; ``kl``, ``lnn`` and ``gaussian`` give the
    differential entropy of the rows as they are.

    Args:
        x: shape (sample, dim) or (sample,): numbers; with ``exact`` and ``plugin`` also booleans and strings.
        estimator: name of an estimator, or an instance. The default counts equal rows: right for discrete
            data; on continuous data it gives log2 N and the flag ``saturated``.
        params: parameters of the estimator.

    Raises:
        InputError: for arrays or parameters that cannot be used, or an estimator without an entropy.

    Example:
        >>> import infoplane as ip
        >>> ip.entropy(["a", "b", "b", "c"]).bits
        1.5
    """
    built = build(estimator, **params)
    if not isinstance(built, GivesEntropy):
        raise InputError(
            f"estimator '{built.name}' gives no entropy; expected one of binning, exact, plugin, kde, noisy, kl, "
            "lnn, gaussian"
        )
    if not isinstance(built, EntropyEstimator):
        return built.entropy(x)
    array = to_numpy(x, "x")
    if built.name == "exact" and array.ndim and is_discrete(array):
        array = as_labels(array, "x", len(array)).astype(float)
    array = as_samples(array, "x")
    return built.entropy(array)


def _singles(estimator: Estimator) -> list[Estimator]:
    """Return one estimator for each value of a parameter that holds several."""
    several = [key for key, value in estimator.params.items() if isinstance(value, list | tuple)]
    if not several:
        return [estimator]
    key = several[0]
    values = estimator.params[key]
    return [one for value in values for one in _singles(dataclasses.replace(estimator, **{key: value}))]  # pyright: ignore[reportArgumentType]


def _label(estimator: Estimator, same_name: list[Estimator]) -> str:
    """Name an estimator, with the parameters in which those of the same name differ."""
    differing = [
        f"{key}={value}"
        for key, value in estimator.params.items()
        if any(other.params[key] != value for other in same_name)
    ]
    return f"{estimator.name}({', '.join(differing)})" if differing else estimator.name


def _load(path: str) -> type[Estimator]:
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)
