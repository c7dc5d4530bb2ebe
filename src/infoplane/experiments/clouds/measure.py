"""The information of clouds, and the controls that say what the numbers are worth."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from infoplane import results
from infoplane.estimators import layer_information
from infoplane.estimators.as_if_random import AgainstSamples, against_samples, as_if_random
from infoplane.estimators.base import Estimate, LayerInformation

Clouds = Float[np.ndarray, "sample input unit"]

CONTROLS = ("identical samples", "far clouds", "one common cloud")
"""Clouds of which I(X;T) is known: that of one sample, log2 N, and 0 bits."""

EQUAL = 8
"""How often the last sample is repeated."""

APART = 200.0
"""How far the far clouds are from each other, in their standard deviations."""

SEED = 0
"""From which query rows, far clouds and orders are drawn: the same for all members, which differ in their clouds."""


class Numbers(NamedTuple):
    """A layer by every estimator: bits, standard errors and flags of I(X;T) and I(T;Y)."""

    bits: Float[np.ndarray, "estimator variable"]
    std_error: Float[np.ndarray, "estimator variable"]
    flags: Int[np.ndarray, "estimator variable"]


def measure(t: Clouds, y: Int[np.ndarray, " input"], specs: Sequence[Any], queries: int | None) -> Numbers:
    """Measure the clouds of a layer by every estimator; ``queries`` rows enter the means."""
    found = [as_if_random(t, y, spec, queries=queries, seed=SEED) for spec in specs]
    return Numbers(
        np.array([[one.bits for one in _both(each)] for each in found]),
        np.array([[_error(one) for one in _both(each)] for each in found]),
        np.array([[results.encode_flags(one.flags) for one in _both(each)] for each in found], np.int32),
    )


def deterministic(t: Clouds, y: Int[np.ndarray, " input"], spec: Any) -> Float[np.ndarray, " variable"]:
    """Measure the last sample alone, by the same bins or noise; what knows neither says which rows are distinct."""
    return np.array([one.bits for one in _both(_of_one(t[-1], y, spec))])


def _of_one(t: Float[np.ndarray, "input unit"], y: Int[np.ndarray, " input"], spec: Any) -> LayerInformation:
    table = {"name": spec} if isinstance(spec, str) else dict(spec)
    table.pop("correction", None)  # equal samples leave no chance in the counts
    found = layer_information(t, y, table if table["name"] in ("binning", "kde") else "exact")
    assert isinstance(found, LayerInformation)
    return found


def against(
    t: Clouds, y: Int[np.ndarray, " input"], spec: Any, queries: int | None
) -> dict[str, Float[np.ndarray, "..."]]:
    """Follow an estimate against the number of samples, ``by_samples`` (size, variable), to its ``limit``."""
    found: AgainstSamples = against_samples(t, y, spec, queries=queries, seed=SEED)
    assert found.label is not None
    limit = _both(found.limit)
    return {
        "by_samples": np.stack([found.input, found.label], axis=-1),
        "limit": np.array([one.bits for one in limit]),
        "limit_std_error": np.array([_error(one) for one in limit]),
    }


def controls(
    t: Clouds, y: Int[np.ndarray, " input"], spec: Any, queries: int | None
) -> dict[str, Float[np.ndarray, " control"]]:
    """Measure I(X;T) of `CONTROLS` made from a layer: with standard errors, and what is expected.

    Equal samples are few, and means are taken over all their rows: their value is no matter of chance.
    """
    equal = as_if_random(np.repeat(t[-1:], EQUAL, axis=0), y, spec).input
    drawn = [
        as_if_random(one, y, spec, queries=queries, seed=SEED).input for one in (far_clouds(*t.shape), common_cloud(t))
    ]
    found = [equal, *drawn]
    return {
        "control_bits": np.array([one.bits for one in found]),
        "control_std_error": np.array([_error(one) for one in found]),
        "control_expected": np.array([_of_one(t[-1], y, spec).input.bits, np.log2(t.shape[1]), 0.0]),
    }


def far_clouds(n_samples: int, n_inputs: int, n_units: int) -> Clouds:
    """Return narrow normal clouds around the points of a grid, an input each: they do not overlap."""
    base = int(np.ceil(n_inputs ** (1 / n_units) - 1e-9))
    digits = np.arange(n_inputs)[:, None] // base ** np.arange(n_units, dtype=float) % base
    noise = np.random.default_rng(SEED).standard_normal((n_samples, n_inputs, n_units))
    return (APART * digits + noise).astype(np.float32)


def common_cloud(t: Clouds) -> Clouds:
    """Return clouds that all inputs share: in each sample the inputs change places at random."""
    rng = np.random.default_rng(SEED)
    return np.stack([one[rng.permutation(t.shape[1])] for one in t])


def _both(information: LayerInformation) -> tuple[Estimate, Estimate]:
    assert information.label is not None
    return information.input, information.label


def _error(estimate: Estimate) -> float:
    return np.nan if estimate.std_error is None else estimate.std_error
