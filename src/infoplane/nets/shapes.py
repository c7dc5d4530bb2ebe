"""What an architecture comes to, without computing anything: kernels, layers and their names, numbers of units."""

import dataclasses
import itertools
import math
from collections.abc import Sequence

from infoplane.errors import InputError

WIDE = 128
"""Units of a layer, or features, from which on the members of a group train apart; see `infoplane.nets.network`."""


@dataclasses.dataclass(frozen=True)
class Dense:
    """The shape of a fully connected network.

    Attributes:
        sizes: numbers of units from the input to the output.
    """

    sizes: Sequence[int]

    @property
    def n_features(self) -> int:
        """Number of inputs."""
        return self.sizes[0]

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
    def kernel_of(self) -> list[int]:
        """Number of the kernel that each measured layer has."""
        return list(range(len(self.sizes) - 1))


@dataclasses.dataclass(frozen=True)
class Convolutional:
    """The shape of a network that begins with convolutions, each followed by the activation and by pooling.

    Attributes:
        image: height and width of the inputs, of one channel.
        filters: number of channels that each convolution gives.
        kernel: height and width of its kernels; an odd number.
        hidden: units of the fully connected layers that follow.
        n_classes: number of outputs.
        channels: which numbers of a feature map are measured: "flatten" all, "mean" the mean of each channel over the
            places, "each" makes every channel a layer of its own, as `infoplane.record.Recorder` has it.

    Raises:
        InputError: for images that pooling leaves nothing of, or kernels without a middle.
    """

    image: tuple[int, int]
    filters: Sequence[int]
    kernel: int
    hidden: Sequence[int]
    n_classes: int
    channels: str = "flatten"

    def __post_init__(self) -> None:
        if self.kernel % 2 == 0:
            raise InputError(f"kernel is {self.kernel}; expected an odd number, so that it has a middle")
        if 0 in self.maps[-1]:
            height, width = self.image
            raise InputError(
                f"images are {height} × {width} and filters has {len(self.filters)} entries; halved so often nothing "
                "of them is left; name fewer"
            )

    @property
    def apart(self) -> bool:
        """Convolutions of one member fill the processor."""
        return True

    @property
    def n_features(self) -> int:
        """Number of inputs."""
        return math.prod(self.image)

    @property
    def maps(self) -> list[tuple[int, int]]:
        """Height and width of the feature maps after each pooling."""
        height, width = self.image
        return [(height >> times, width >> times) for times, _ in enumerate(self.filters, start=1)]

    @property
    def kernels(self) -> list[tuple[int, ...]]:
        """Shape of each kernel: (out, in, height, width) of convolutions, (out, in) of the layers that follow."""
        deep = [(n_out, n_in, self.kernel, self.kernel) for n_in, n_out in itertools.pairwise([1, *self.filters])]
        height, width = self.maps[-1]
        return [*deep, *Dense([height * width * self.filters[-1], *self.hidden, self.n_classes]).kernels]

    @property
    def layers(self) -> list[str]:
        """Names of the measured layers: those of convolutions, hidden ones, the output."""
        flat = [f"hidden{n}" for n, _ in enumerate(self.hidden, start=1)]
        return [name for names in self._map_names for name in names] + [*flat, "output"]

    @property
    def _map_names(self) -> list[list[str]]:
        each = self.channels == "each"
        return [
            [f"conv{n}[{channel}]" for channel in range(count)] if each else [f"conv{n}"]
            for n, count in enumerate(self.filters, start=1)
        ]

    @property
    def units(self) -> list[int]:
        """Number of units of each measured layer."""
        found = []
        for names, (height, width), count in zip(self._map_names, self.maps, self.filters, strict=True):
            of_channel = 1 if self.channels == "mean" else height * width
            found += [of_channel * count // len(names)] * len(names)
        return [*found, *self.hidden, self.n_classes]

    @property
    def kernel_of(self) -> list[int]:
        """Number of the kernel that each measured layer has; channels of one convolution share it."""
        deep = [n for n, names in enumerate(self._map_names) for _ in names]
        return deep + [len(self.filters) + n for n in range(len(self.hidden) + 1)]


Shape = Dense | Convolutional


def n_weights(shape: Shape) -> int:
    """Number of weights and biases of one member."""
    return sum(math.prod(kernel) + kernel[0] for kernel in shape.kernels)
