"""What an architecture comes to, without computing anything: kernels, layers and their names, numbers of units."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

WIDE = 128
"""Units of a layer, or features, from which on the members of a group train apart; see `infoplane.nets.network`."""


@dataclasses.dataclass(frozen=True)
class Shape:
    """The shape of a fully connected network.

    Attributes:
        sizes: numbers of units from the input to the output.
    """

    sizes: Sequence[int]

    @property
    def apart(self) -> bool:
        """Whether the members of a group train one after the other."""
        return max(self.sizes) >= WIDE

    @property
    def kernels(self) -> list[tuple[int, ...]]:
        """Shape of each layer's kernel, (out, in)."""
        return [(n_out, n_in) for n_in, n_out in itertools.pairwise(self.sizes)]

    @property
    def layers(self) -> list[str]:
        """Names of the measured layers: hidden ones in order, then the output."""
        return [*(f"hidden{n}" for n in range(1, len(self.sizes) - 1)), "output"]

    @property
    def units(self) -> list[int]:
        """Number of units of each measured layer."""
        return list(self.sizes[1:])

    @property
    def n_weights(self) -> int:
        """Number of weights and biases of one member."""
        return sum(math.prod(kernel) + kernel[0] for kernel in self.kernels)
