"""Views of wide layers: each layer is reduced to a few coordinates before it is measured."""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float

from infoplane._arrays import to_numpy
from infoplane.errors import InputError, did_you_mean

NAMES = ("projection", "pca")

BLOCK = 2**22
"""Values that are held in double precision at once."""


@dataclasses.dataclass(frozen=True)
class View:
    """A reduction of every layer that has more units than coordinates.

    ``projection``: products with a matrix of independent normal numbers of variance 1 / coordinates, which keeps the
    mean square of a row in expectation; the matrix depends on the number of units alone, so that it is the same at
    every epoch. ``pca``: the first principal components, without a change of scale; they are fitted to the measured
    inputs at every epoch anew, so that coordinates of different epochs are not the same directions.

    The information of a view is at most that of the layer: I(X; f(T)) ≤ I(X;T).

    Attributes:
        name: "projection" or "pca".
        coordinates: number of coordinates.

    Raises:
        InputError: for another name or number.
    """

    name: str
    coordinates: int = 16

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise InputError(f"view: expected 'projection' or 'pca', got {self.name!r}{did_you_mean(self.name, NAMES)}")
        is_whole = isinstance(self.coordinates, int | np.integer) and not isinstance(self.coordinates, bool)
        if not is_whole or self.coordinates < 1:
            raise InputError(f"view: expected at least 1 coordinate, a whole number, got {self.coordinates!r}.")

    def __str__(self) -> str:
        which = (
            "random projections" if self.name == "projection" else "first principal components, fitted at each epoch"
        )
        return f"layers with more than {self.coordinates} units are measured by their {self.coordinates} {which}"

    def of_batch(self, values: Any, layer: str) -> Any:
        """Return the coordinates of a batch of a layer, shape (sample, …), if they are those of single samples."""
        if self.name != "projection":
            return values
        rows = to_numpy(values, f"activations of '{layer}'")
        if rows.ndim < 2 or rows.size == 0 or rows.dtype.kind not in "fiub":
            return values
        rows = rows.reshape(len(rows), -1)
        if rows.shape[1] <= self.coordinates:
            return values
        rows = rows if rows.dtype.name in ("float32", "float64") else rows.astype(np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            return rows @ _directions(rows.shape[1], self.coordinates).astype(rows.dtype)

    def of_layer(self, activations: Float[np.ndarray, "1 dim sample"]) -> Float[np.ndarray, "1 unit sample"]:
        """Return the coordinates of a whole layer."""
        _, n_units, n_samples = activations.shape
        if self.name != "pca" or n_units <= self.coordinates:
            return activations
        if not np.isfinite(activations).all():
            return np.full((1, self.coordinates, n_samples), np.nan, activations.dtype)
        return _components(activations[0], self.coordinates).astype(activations.dtype)[None]


def as_view(view: Any) -> View | None:
    """Return a view by its name or as a table such as ``{"name": "pca", "coordinates": 8}``.

    Raises:
        InputError: for what is neither.
    """
    if view is None or isinstance(view, View):
        return view
    if isinstance(view, str):
        return View(view)
    if isinstance(view, Mapping) and "name" in view and set(view) <= {"name", "coordinates"}:
        return View(**{str(key): value for key, value in view.items()})
    raise InputError(
        f"view: expected 'projection', 'pca' or a table, got {view!r}. Pass for example "
        '{"name": "pca", "coordinates": 16}.'
    )


@lru_cache(maxsize=8)
def _directions(n_units: int, n_coordinates: int) -> Float[np.ndarray, "unit coordinate"]:
    rng = np.random.default_rng([n_units, n_coordinates])
    return rng.standard_normal((n_units, n_coordinates), np.float32) / np.float32(np.sqrt(n_coordinates))


def _components(t: Float[np.ndarray, "dim sample"], n: int) -> Float[np.ndarray, "component sample"]:
    """Return the first principal components of the samples, zero beyond the rank; the largest score is positive."""
    n_units, n_samples = t.shape
    step = max(1, BLOCK // n_samples)
    blocks = [slice(start, start + step) for start in range(0, n_units, step)]
    if n_units > n_samples:
        scores = _from_products(sum(_centered(t[b]).T @ _centered(t[b]) for b in blocks), n)
    else:
        rows = _centered(t)
        directions = np.linalg.eigh(rows @ rows.T)[1][:, ::-1][:, :n]
        scores = directions.T @ rows
    scores = np.concatenate([scores, np.zeros((max(0, n - len(scores)), n_samples))])
    largest = scores[np.arange(n), np.abs(scores).argmax(axis=1)]
    return scores * np.where(largest < 0, -1.0, 1.0)[:, None]


def _from_products(products: Any, n: int) -> Float[np.ndarray, "component sample"]:
    """Return the principal components from the inner products of the centered samples."""
    squares, vectors = np.linalg.eigh(products)
    return (vectors[:, ::-1][:, :n] * np.sqrt(np.maximum(squares[::-1][:n], 0))).T


def _centered(t: Float[np.ndarray, "dim sample"]) -> Float[np.ndarray, "dim sample"]:
    rows = t.astype(np.float64)
    return rows - rows.mean(axis=1, keepdims=True)
