"""Estimators of information: one table, name → class; arrays in, bits out."""

import dataclasses
import functools
import importlib
import importlib.metadata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

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
from infoplane.estimators.layers import layer_information as measure_one
from infoplane.estimators.table import TABLE, Entry

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


EstimatorLike = Any
"""A name, a table with ``name`` and parameters, an instance, or (where several go) a list of these. Checked by hand,
since it is what users write."""


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
    if not isinstance(specs, Iterable) or getattr(specs, "ndim", 1) == 0:
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


def entropy(x: Any, estimator: EstimatorLike = None, **params: Any) -> Estimate:
    """Estimate the entropy of the rows of an array, in bits.

    For estimators that quantise it is the entropy of the cells, H(T); for those that add noise it is the
    differential entropy of the noisy rows, h(T + Z), which may be negative; ``kl``, ``lnn`` and ``gaussian`` give the
    differential entropy of the rows as they are.

    Args:
        x: shape (sample, dim) or (sample,): numbers; with ``exact`` and ``plugin`` also booleans and strings.
        estimator: name of an estimator, or an instance. The default depends on the data and is named in ``reason``:
            ``exact``, the entropy of a discrete variable, for integers, booleans and strings, and for floats
            with at least 20 rows for each distinct row; ``kl``, a differential entropy, for floats of which at most
            1 % of the rows equal another. Floats between the two need a choice.
        params: parameters of the estimator.

    Raises:
        InputError: for arrays or parameters that cannot be used, an estimator without an entropy, or floats with many
            repeated rows if no estimator is named.

    Example:
        >>> import numpy as np, infoplane as ip
        >>> ip.entropy(["a", "b", "b", "c"]).bits
        1.5
        >>> normal = ip.entropy(np.random.default_rng(0).standard_normal(10_000))
        >>> print(f"{normal.bits:.2f} bits of {np.log2(2 * np.pi * np.e) / 2:.2f}, by {normal.estimator}")
        2.07 bits of 2.05, by kl
    """
    why = ""
    if estimator is None:
        estimator, why = _entropy_of_kind(x)
    measured = _entropy(x, build(estimator, **params))
    return dataclasses.replace(measured, reason="; ".join(text for text in (why, measured.reason) if text))


_FEW_VALUES, _RARE = 20, 0.01
"""Rows for each distinct row from which floats are symbols; share of repeated rows up to which they are coordinates."""


def _entropy_of_kind(x: Any) -> tuple[str, str]:
    """Return the estimator that suits the kind of data, and why."""
    array = to_numpy(x, "x")
    if array.ndim and is_discrete(array):
        return "exact", "a discrete variable (integers, booleans or strings): equal rows are counted"
    rows = as_samples(array, "x")
    _, counts = np.unique(rows, axis=0, return_counts=True)
    repeated = int(counts[counts > 1].sum())
    if len(counts) * _FEW_VALUES <= len(rows):
        return "exact", f"{len(counts)} distinct rows among {len(rows)}: equal rows are counted"
    if repeated <= _RARE * len(rows):
        return "kl", f"floats of which {repeated} of {len(rows)} rows equal another: a differential entropy"
    raise InputError(
        f"x: expected symbols, or floats that hardly ever repeat, got floats of which {repeated} of {len(rows)} rows "
        f"equal another ({len(counts)} distinct rows). Choose: estimator='exact' counts equal rows, 'kl' gives the "
        "differential entropy of a density, 'kde' and 'noisy' that of the rows with noise added"
    )


def _entropy(x: Any, built: Estimator) -> Estimate:
    """Measure the entropy by an estimator."""
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
