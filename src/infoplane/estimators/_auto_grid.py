"""Whether values on a grid lie densely enough for a model of densities."""

import numpy as np
from jaxtyping import Float

from infoplane.estimators.copula import TIED_SHARE, normal_scores, tied_share
from infoplane.estimators.pair import Variable

Points = Float[np.ndarray, "sample dim"]

_LARGEST_ATOM = 0.25
"""Share of the samples of a coordinate in one value above which the value is an atom and no step of a grid."""

_CELLS = 1.0
"""Steps of the grid that the deviation of a coordinate, given all others, must span.

A normal density with a deviation of one step differs from the probabilities of the steps by less than exp(−2π²), 3e-9
(Sheppard's corrections; Poisson summation)."""


def repeats(x: Variable, y: Variable) -> bool:
    """Say whether more than a few of the values of the coordinates equal another one."""
    return any(tied_share(one.varying) > TIED_SHARE for one in (x, y) if not one.discrete)


def smooth(x: Variable, y: Variable) -> bool:
    """Say whether coordinates vary by at least a step of their grids when all other coordinates are known.

    The information of rounded values is then that of the values before they were rounded. Otherwise the grid limits it:
    two equal columns of 100 values have log2(100) bits, and every model of densities says infinity.
    """
    scores = np.hstack([normal_scores(side).values for side in (x, y)])
    shares, steps = zip(*(_grid(column) for column in scores.T), strict=True)
    if max(shares) > _LARGEST_ATOM:
        return False
    scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    left = 1 / np.sqrt(np.diag(np.linalg.pinv(scores.T @ scores / len(scores), hermitian=True)))
    return bool((left >= _CELLS * np.array(steps)).all())


def _grid(column: Float[np.ndarray, " sample"]) -> tuple[float, float]:
    """Share of the most frequent value, and the root mean square of the step around each sample."""
    values, counts = np.unique(column, return_counts=True)
    shares = counts / len(column)
    steps = np.gradient(values) if len(values) > 1 else np.ones(1)
    return float(shares.max()), float(np.sqrt(shares @ steps**2))
