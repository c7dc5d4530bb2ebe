"""Which of an activation's numbers are the units of its layer: all, means over places, or single channels."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from infoplane.errors import InputError


@dataclasses.dataclass(frozen=True)
class Units:
    """Turns the activations of images and sequences into units; arrays of any framework.

    Attributes:
        channels: of (sample, …, channel): "flatten" takes every number as a unit, "mean" the mean of each channel
            over the places, "pool" its means over the two halves of each axis (four numbers for an image), "each" makes
            every channel a layer of its own, ``[0]``, ``[1]``, … behind the name.
        positions: of sequences (sample, position, feature): "flatten" takes every number as a unit, "mean" the mean
            over the positions, a whole number that position alone, −1 being the last. None: arrays of three axes
            are treated as ``channels`` says.

    Raises:
        InputError: for another value.
    """

    channels: Any = "flatten"
    positions: Any = None

    def __post_init__(self) -> None:
        if self.channels not in ("flatten", "mean", "pool", "each"):
            raise InputError(f"channels is {self.channels!r}; expected 'flatten', 'mean', 'pool' or 'each'")
        if self.positions not in (None, "flatten", "mean") and not _is_whole(self.positions):
            raise InputError(
                f"positions is {self.positions!r}; expected 'flatten', 'mean' or the place of one position"
            )

    def of(self, array: Any, channels_first: bool = False) -> Mapping[str, Any]:
        """Return {suffix of the layer's name: array of shape (sample, …)}.

        Args:
            array: activations, shape (sample, …, channel).
            channels_first: whether the channel's axis is the second instead of the last.

        Raises:
            InputError: when there is no such position.
        """
        axis = 1 if channels_first else array.ndim - 1
        places = tuple(other for other in range(1, array.ndim) if other != axis)
        if array.ndim == 3 and _is_whole(self.positions):
            return {"": self._at_position(array, places[0])}
        how = self.positions if array.ndim == 3 and self.positions is not None else self.channels
        if array.ndim < 3 or how == "flatten":
            return {"": array}
        if how == "mean":
            return {"": _precise(array).mean(axis=places)}
        if how == "pool":
            return {"": _halved(_precise(array), places)}
        return {f"[{number}]": _at(array, axis, number) for number in range(array.shape[axis])}

    def __str__(self) -> str:
        """Describe the reduction of activations; empty without one."""
        words = [_CHANNELS.get(self.channels, ""), _POSITIONS.get(self.positions, "")]
        if _is_whole(self.positions):
            words[1] = f"sequences are measured at position {self.positions}"
        return "; ".join(filter(None, words))

    def _at_position(self, array: Any, axis: int) -> Any:
        n_positions = array.shape[axis]
        if not -n_positions <= self.positions < n_positions:
            raise InputError(f"positions is {self.positions}; the sequences have {n_positions} positions")
        return _at(array, axis, self.positions)


_CHANNELS = {
    "mean": "each channel is averaged over its map",
    "pool": "each channel is averaged over the two halves of each axis of its map",
    "each": "each channel is a layer of its own",
}
_POSITIONS = {"mean": "sequences are averaged over their positions"}


def _halved(array: Any, places: tuple[int, ...]) -> Any:
    """Return the means over the two halves of each of these axes; the middle one of an odd number is in both."""
    for axis in places:
        length = array.shape[axis]
        if length > 1:
            halves = (slice(0, (length + 1) // 2), slice(length // 2, length))
            array = _stacked([_at_slice(array, axis, half).mean(axis=axis) for half in halves], axis)
    return array


def _stacked(parts: list[Any], axis: int) -> Any:
    root = type(parts[0]).__module__.partition(".")[0]
    if root == "torch":
        import torch

        return torch.stack(parts, axis)
    if root in ("jax", "jaxlib"):
        import jax

        return jax.numpy.stack(parts, axis)
    return np.stack(parts, axis)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _precise(array: Any) -> Any:
    """Return half precision as float32, so that a mean is not rounded to it."""
    if str(array.dtype).endswith("float16"):
        return array.float() if hasattr(array, "float") else array.astype("float32")
    return array


def _at_slice(array: Any, axis: int, part: slice) -> Any:
    return array[(slice(None),) * axis + (part,)]


def _at(array: Any, axis: int, number: int) -> Any:
    return array[(slice(None),) * axis + (number,)]
