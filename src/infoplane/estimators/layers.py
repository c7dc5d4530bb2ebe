"""Measure a batch of layers by several estimators and flag the label values."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from infoplane._arrays import as_labels, as_samples
from infoplane.estimators._label_judge import judge_labels
from infoplane.estimators.base import (
    Estimate,
    Estimator,
    LayerEstimator,
    LayerInformation,
    Layers,
    LayerValues,
    SharedPass,
    Values,
)


def measure_layers(
    layers: Layers, estimators: Sequence[LayerEstimator], *, compared: Sequence[LayerEstimator] | None = None
) -> list[LayerValues]:
    """Measure one batch by several estimators, sharing all that they have in common.

    Args:
        layers: the batch.
        estimators: what measures it.
        compared: those whose label values are compared with shuffled labels, for the flag ``uninformative``; all by
            default.
    """
    _announce(layers, estimators)
    wanted = estimators if compared is None else compared
    return [judge_labels(layers, one, one.measure(layers), shuffles=one in wanted) for one in estimators]


def _announce(layers: Layers, estimators: Sequence[LayerEstimator]) -> None:
    for estimator in estimators:
        if isinstance(estimator, SharedPass):
            estimator.announce(layers)


def layer_information(t: Any, y: Any, estimators: Sequence[LayerEstimator]) -> list[LayerInformation]:
    """Measure one activation matrix t (sample, dim) with labels y (sample,) or None."""
    samples = as_samples(t, "t")
    labels = None if y is None else as_labels(y, "y", len(samples))
    layers = Layers(np.ascontiguousarray(samples.T)[None], labels)
    _announce(layers, estimators)
    results = []
    for estimator in estimators:
        start = time.perf_counter()
        values = judge_labels(layers, estimator, estimator.measure(layers))
        seconds = time.perf_counter() - start
        dims = (samples.shape[1],)
        results.append(
            LayerInformation(
                input=_single(values.input, estimator, layers, dims, seconds),
                label=None if values.label is None else _single(values.label, estimator, layers, (*dims, 1), seconds),
            )
        )
    return results


def _single(values: Values, estimator: Estimator, layers: Layers, dims: tuple[int, ...], seconds: float) -> Estimate:
    """Turn the only entry of a batch into an Estimate."""

    def first(array: np.ndarray | None) -> float | None:
        return None if array is None else float(array[0])

    return Estimate(
        bits=float(values.bits[0]),
        std_error=first(values.std_error),
        lower=first(values.lower),
        upper=first(values.upper),
        kind=values.kind,
        n=layers.n_samples,
        dims=dims,
        flags=values.flags[0],
        reason=values.reasons[0],
        estimator=estimator.name,
        params=estimator.params,
        seconds=seconds,
    )
