"""What a choice of measured epochs shows of a training of which every epoch was measured."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from infoplane.errors import InputError
from infoplane.schedules.distance import Entropies, Kind, distances
from infoplane.schedules.fixed import Epochs

Curves = Float[np.ndarray, "estimator member epoch layer 2"]
"""Information of every epoch in bits, in the order of a result: I(X;T), then I(T;Y) along the last axis."""


@dataclasses.dataclass(frozen=True)
class Coverage:
    """How well a choice of measured epochs stands for all of them.

    Attributes:
        points: number of measured epochs.
        largest_step: largest distance of two neighbouring measured epochs, adjacent ones included.
        largest_open_step: the same without adjacent ones, between which there was nothing to measure. This is what
            `infoplane.schedules.DeltaExact` keeps at or below δ.
        largest_unseen: largest deviation of an epoch from what is shown; see `deviations`.
    """

    points: int
    largest_step: float
    largest_open_step: float
    largest_unseen: float


def coverage(
    curves: Curves, measured: Sequence[int], entropies: Entropies, *, kind: Kind = "scaled", quantile: float = 1.0
) -> Coverage:
    """Compare measured epochs with all epochs of the same training.

    Args:
        curves: information of epochs 0…E in bits, shape (estimator, member, epoch, layer, 2).
        measured: the measured epochs, ascending, 0 and E included.
        entropies: H(X) and H(Y) in bits.
        kind: "scaled" or "raw" distance; see `infoplane.schedules.distance.distance`.
        quantile: which member speaks for an ensemble.

    Raises:
        InputError: when the measured epochs do not ascend from the first to the last.
    """
    unseen = deviations(curves, measured, entropies, kind=kind, quantile=quantile)
    shown = np.asarray(measured, np.int64)
    points = np.moveaxis(curves, 2, 0)[shown]
    steps = distances(points[:-1], points[1:], entropies, kind=kind, quantile=quantile)
    return Coverage(
        points=len(shown),
        largest_step=float(steps.max(initial=0)),
        largest_open_step=float(steps[np.diff(shown) > 1].max(initial=0)),
        largest_unseen=float(unseen.max()),
    )


def deviations(
    curves: Curves, measured: Sequence[int], entropies: Entropies, *, kind: Kind = "scaled", quantile: float = 1.0
) -> Float[np.ndarray, " epoch"]:
    """How far each epoch was from what is shown of the training; 0 at the measured ones.

    That is the smaller of its distances to the measured epochs before and after it. Where curves rise or fall
    steadily between two measured epochs it is at most their distance; an excursion between them can be larger. It is
    infinite where a value is missing at an epoch but at neither of those two, or the other way round.

    Args:
        curves: information of epochs 0…E in bits, shape (estimator, member, epoch, layer, 2).
        measured: the measured epochs, ascending, 0 and E included.
        entropies: H(X) and H(Y) in bits.
        kind: "scaled" or "raw" distance.
        quantile: which member speaks for an ensemble.

    Raises:
        InputError: when the measured epochs do not ascend from the first to the last.
    """
    shown = np.asarray(measured, np.int64)
    last = curves.shape[2] - 1
    if len(shown) == 0 or shown[0] != 0 or shown[-1] != last or (np.diff(shown) < 1).any():
        raise InputError(f"measured epochs are {_shorten(shown)}; expected ascending ones from 0 to {last}")
    points = np.moveaxis(curves, 2, 0)
    after = np.searchsorted(shown, np.arange(last + 1))
    before = np.maximum(after - 1, 0)
    return np.minimum(
        distances(points, points[shown[before]], entropies, kind=kind, quantile=quantile),
        distances(points, points[shown[after]], entropies, kind=kind, quantile=quantile),
    )


def _shorten(epochs: Epochs) -> str:
    return f"{epochs[:3].tolist()}…{epochs[-3:].tolist()}" if len(epochs) > 6 else str(epochs.tolist())
