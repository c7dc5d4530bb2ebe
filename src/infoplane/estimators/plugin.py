"""Information between two discrete variables, by counting."""

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float, Int, Integer

from infoplane.errors import InputError
from infoplane.estimators.base import Estimate, saturation_reason
from infoplane.estimators.discrete import (
    cell_information,
    check_correction,
    entropy_of_counts,
    information_of_counts,
)
from infoplane.estimators.pair import (
    Order,
    PairEstimator,
    PairValue,
    Variable,
    as_symbols,
    as_variable,
    nothing_to_tell,
)
from infoplane.estimators.sorting import count_cells


@dataclasses.dataclass(frozen=True)
class Plugin(PairEstimator):
    """Information between discrete variables from counted pairs: I = H(X) + H(Y) − H(X,Y).

    Args:
        correction: bias correction of each entropy, see `infoplane.estimators.discrete`. Without one the value is
            too high by about (|X|−1)(|Y|−1)/2N nats.

    Range:
        0 ≤ I ≤ min(H(X), H(Y)) without a correction.

    Flags:
        ``saturated``: within 0.1 bit of log2 N: every sample is a symbol of its own, the number says N.
        ``constant``: a variable has one value, 0 bits.

    When it misleads:
        With many symbols seen once or twice, for independent variables too.

    References:
        Shannon 1948; Miller 1955 and others for the corrections.

    Example:
        >>> import infoplane as ip
        >>> ip.mutual_information([0, 0, 1, 1], ["a", "a", "b", "b"], "plugin").bits
        1.0
    """

    correction: str = "none"
    name: ClassVar[str] = "plugin"
    kinds: ClassVar[tuple[str, ...]] = ("discrete",)

    def __post_init__(self) -> None:
        check_correction(self.correction)

    def between(self, x: Variable, y: Variable) -> PairValue:
        """Return I(X;Y) in bits; see the class."""
        told = nothing_to_tell(x, y)
        if told is not None:
            return told
        others = _symbols(y)
        measured = cell_information(_symbols(x)[None], others, int(others.max()) + 1, self.correction)
        assert measured.label is not None
        return _judged(float(measured.label[0]), x.n)

    def between_shuffled(self, x: Variable, y: Variable, orders: Sequence[Order]) -> list[float]:
        """Return I(X;Y) in bits with the rows of y in each of several orders: only the pairs are counted again."""
        if nothing_to_tell(x, y) is not None:
            return [0.0] * len(orders)
        of_x, of_y = _symbols(x), _symbols(y)
        times = int(of_y.max()) + 1
        alphabet = (int(of_x.max()) + 1) * times
        width = next(dtype for dtype in (np.uint16, np.uint32, np.uint64) if alphabet - 1 <= np.iinfo(dtype).max)
        first, second = (of_x * times).astype(width), of_y.astype(width)
        alone = sum(float(self._entropies(codes[None])[0]) for codes in (of_x, of_y))
        pairs = np.stack([first + second.take(order) for order in orders])
        return [alone - float(bits) for bits in self._entropies(pairs, alphabet)]

    def _entropies(
        self, codes: Integer[np.ndarray, "row sample"], alphabet: int | None = None
    ) -> Float[np.ndarray, " row"]:
        """Entropy of each row of codes in bits."""
        return information_of_counts(count_cells(codes, None, 0), self.correction, alphabet).input

    def entropy(self, x: Any) -> Estimate:
        """Return the entropy of the rows of x, which are symbols, in bits.

        Raises:
            InputError: for floats.
        """
        variable = as_symbols(as_variable(x, "x"), "x")
        if not variable.discrete:
            raise InputError(
                "x holds floats; expected symbols for 'plugin'. Use 'exact' to count equal rows, or 'kl' for the "
                "differential entropy"
            )
        start = time.perf_counter()
        counts = np.bincount(variable.values[:, 0])
        value = _judged(entropy_of_counts(counts, self.correction), variable.n)
        return Estimate(
            bits=value.bits, flags=value.flags, reason=value.reason, n=variable.n, dims=(variable.dims,),
            estimator=self.name, params=self.params, seconds=time.perf_counter() - start,
        )  # fmt: skip


def _symbols(variable: Variable) -> Int[np.ndarray, " sample"]:
    """Number the symbols that are there: codes of a part of the samples may have gaps."""
    return np.unique(variable.values[:, 0], return_inverse=True)[1].reshape(-1).astype(np.int64)


def _judged(bits: float, n: int) -> PairValue:
    """Return a value with the flag ``saturated`` where it is as large as log2 N."""
    reason = saturation_reason(bits, math.log2(n), about="the number of samples, not the data")
    return PairValue(bits, frozenset({"saturated"} if reason else ()), reason)
