"""Networks as training and measuring see them: how a group's mini-batches, outputs and activations are computed.

Two kinds of programs, for networks of two sizes. Small networks of a group train *together*: each operation is done
for all members at once, features before samples. Large ones train *apart*, member by member within an epoch, with a
sample's features side by side: their matrices fill the processor by themselves, and the arrays of one member fit in
its caches where those of five do not. Measured on two cores for 784-1024-20-20-20-10: 1.3 times the examples a second
of training together.
"""

import abc
import dataclasses
import itertools
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from infoplane.nets import mlp
from infoplane.nets.mlp import ACTIVATIONS, Weights
from infoplane.nets.shapes import Convolutional, Shape


class Network(abc.ABC):
    """What computes the outputs and activations of a group of members.

    Attributes:
        apart: whether members train one after the other, and the samples of a set are scored in parts.
        activation: name of the hidden activation.
    """

    apart: ClassVar[bool]
    activation: str

    @abc.abstractmethod
    def place(self, x: Float[np.ndarray, "feature sample"]) -> Float[np.ndarray, "_ _"]:
        """Return the inputs in the order in which they are kept on the device."""

    @abc.abstractmethod
    def take(self, x: Array, rows: Int[Array, "*member row"]) -> Array:
        """Return some rows of what `place` gave: a batch of each member, or one for all."""

    @abc.abstractmethod
    def logits(self, weights: Weights, x: Array) -> Float[Array, "member label sample"]:
        """Outputs before the softmax of what `take` gave."""

    @abc.abstractmethod
    def layers(self, weights: Weights, x: Array) -> list[Float[Array, "member unit sample"]]:
        """Activations of each measured layer, the softmax outputs last."""


@dataclasses.dataclass(frozen=True)
class Together(Network):
    """Fully connected networks so small that a group's members are computed at once."""

    apart: ClassVar[bool] = False
    activation: str

    def place(self, x: Float[np.ndarray, "feature sample"]) -> Float[np.ndarray, "feature sample"]:
        """Return the inputs with the samples side by side."""
        return np.ascontiguousarray(x)

    def take(self, x: Float[Array, "feature sample"], rows: Int[Array, "*member row"]) -> Array:
        """Return columns: [feature, row], or [member, feature, row]."""
        return x[:, rows] if rows.ndim == 1 else x[:, rows].transpose(1, 0, 2)

    def logits(
        self, weights: Weights, x: Float[Array, "*member feature sample"]
    ) -> Float[Array, "member label sample"]:
        """Outputs before the softmax."""
        return mlp.logits(weights, self.activation, x)

    def layers(self, weights: Weights, x: Float[Array, "feature sample"]) -> list[Float[Array, "member unit sample"]]:
        """Activations of each layer, the softmax outputs last."""
        return mlp.activations(weights, self.activation, x)


class Apart(Network):
    """Networks that fill the processor one at a time; inputs are kept with the features side by side.

    Attributes:
        scored_rows: rows whose outputs or activations are computed at once.
    """

    apart: ClassVar[bool] = True
    scored_rows: ClassVar[int] = 2048

    @abc.abstractmethod
    def forward(self, weights: Weights, x: Float[Array, "sample feature"]) -> list[Float[Array, "sample _"]]:
        """Activations of each measured layer of one member, and the outputs before the softmax in place of the last."""

    def place(self, x: Float[np.ndarray, "feature sample"]) -> Float[np.ndarray, "sample feature"]:
        """Return the inputs with each sample's features side by side; no copy where they lie so."""
        return np.ascontiguousarray(x.T)

    def take(self, x: Float[Array, "sample feature"], rows: Int[Array, "*member row"]) -> Array:
        """Return rows: [row, feature], or [member, row, feature]."""
        return x[rows]

    def logits(
        self, weights: Weights, x: Float[Array, "*member sample feature"]
    ) -> Float[Array, "member label sample"]:
        """Outputs before the softmax."""
        return jnp.stack([self.forward(own, batch)[-1].T for own, batch in _each(weights, x)])

    def layers(self, weights: Weights, x: Float[Array, "sample feature"]) -> list[Float[Array, "member unit sample"]]:
        """Activations of each measured layer, the softmax outputs last."""
        found: list[list[Array]] = []
        for own, batch in _each(weights, x):
            *hidden, output = self.forward(own, batch)
            found.append([t.T for t in (*hidden, jax.nn.softmax(output, axis=-1))])
        return [jnp.stack(of_layer) for of_layer in zip(*found, strict=True)]


def _each(weights: Weights, x: Array) -> list[tuple[Weights, Array]]:
    """Return the weights and the batch of each member."""
    n_members = weights[0][0].shape[0]
    batches = x if x.ndim == 3 else [x] * n_members
    return [([(kernel[m], bias[m]) for kernel, bias in weights], batches[m]) for m in range(n_members)]


@dataclasses.dataclass(frozen=True)
class Wide(Apart):
    """Fully connected networks with wide layers."""

    activation: str

    def forward(self, weights: Weights, x: Float[Array, "sample feature"]) -> list[Float[Array, "sample _"]]:
        """Activations of each hidden layer of one member, then the outputs before the softmax."""
        return dense(weights, self.activation, x)


def dense(weights: Weights, activation: str, x: Float[Array, "sample feature"]) -> list[Float[Array, "sample _"]]:
    """Activations of each hidden layer of one fully connected network, then the outputs before the softmax."""
    layers: list[Array] = []
    for index, (kernel, bias) in enumerate(weights):
        z = x @ kernel.T + bias[:, 0]
        x = z if index == len(weights) - 1 else ACTIVATIONS[activation](z)
        layers.append(x)
    return layers


@dataclasses.dataclass(frozen=True)
class Conv(Apart):
    """Convolutions, each followed by the activation and by pooling, then fully connected layers.

    Convolutions keep height and width (zeros around), pooling takes the largest of each 2 × 2 places.

    Attributes:
        activation: name of the hidden activation.
        shape: what the architecture comes to.
    """

    scored_rows: ClassVar[int] = 256  # patches take nine times the memory of a map and more
    activation: str
    shape: Convolutional

    def forward(self, weights: Weights, x: Float[Array, "sample feature"]) -> list[Float[Array, "sample _"]]:
        """Activations of each measured layer of one member, then the outputs before the softmax."""
        maps, layers = x.reshape(len(x), *self.shape.image, 1), []
        n_deep = len(self.shape.filters)
        for kernel, bias in weights[:n_deep]:
            maps = pooled(ACTIVATIONS[self.activation](convolved(maps, kernel) + bias[:, 0]))
            layers += self._measured(maps)
        return layers + dense(weights[n_deep:], self.activation, _flat(maps))

    def _measured(self, maps: Float[Array, "sample height width channel"]) -> list[Float[Array, "sample _"]]:
        """Return what is measured of feature maps; see `Convolutional`."""
        if self.shape.channels == "mean":
            return [maps.mean(axis=(1, 2))]
        if self.shape.channels == "each":
            return [_flat(maps[..., channel]) for channel in range(maps.shape[3])]
        return [_flat(maps)]


def _flat(maps: Float[Array, "sample *place"]) -> Float[Array, "sample _"]:
    return maps.reshape(len(maps), math.prod(maps.shape[1:]))  # not −1, which no samples leave undecided


def convolved(
    maps: Float[Array, "sample height width channel"], kernel: Float[Array, "filter channel size size"]
) -> Float[Array, "sample height width filter"]:
    """Convolve maps with kernels of odd height and width, zeros around, as a product of patches and kernels.

    A sixth of the time of XLA's own convolution, which inside of loops on a CPU takes another way than outside.
    """
    (_, height, width, _), size = maps.shape, kernel.shape[2]
    around = ((0, 0), (size // 2, size // 2), (size // 2, size // 2), (0, 0))
    wide = jnp.pad(maps, around)
    places = itertools.product(range(size), range(size))
    patches = jnp.concatenate([wide[:, y : y + height, x : x + width] for y, x in places], axis=3)
    return patches @ kernel.transpose(2, 3, 1, 0).reshape(patches.shape[3], -1)


def pooled(maps: Float[Array, "sample height width channel"]) -> Float[Array, "sample half_height half_width channel"]:
    """The largest of each 2 × 2 places; an odd last row or column is left out."""
    n, height, width, channels = maps.shape
    even = maps[:, : height - height % 2, : width - width % 2]
    return even.reshape(n, height // 2, 2, width // 2, 2, channels).max(axis=(2, 4))


def network(shape: Shape, activation: str) -> Network:
    """Return what computes networks of a shape."""
    if isinstance(shape, Convolutional):
        return Conv(activation, shape)
    return Wide(activation) if shape.apart else Together(activation)
