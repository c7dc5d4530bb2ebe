"""The information bottleneck's curve: how much of Y any variable can know that knows so much of X."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from infoplane._arrays import to_numpy
from infoplane.errors import InputError
from infoplane.truth.base import NAT, entropy_of

SUM_TOLERANCE = 1e-6
"""How far from 1 the probabilities may sum, as those of float32 do; they are divided by their sum."""

SAME = 1e-9
"""Inputs whose p(y|x) differ by less than about this in every entry count as one."""

TOLERANCE = 1e-4
"""Largest gap of the Lagrangian I(X;T) − β I(T;Y), in bits, at which a point counts as converged (Blahut 1972)."""

MAX_ITERATIONS = 1000
"""Near a β where clusters part the gap falls as 1/n only; what is left of it is in `BottleneckCurve.error`."""

CHECK_EVERY = 10
"""Iterations between two looks at the gap."""

LARGEST_EXPONENT = 500.0
"""Exponents are cut there: far beyond any gap, and no overflow."""

DECODERS = 513
"""Points of the grid on which the gap of a binary label is proven."""

VANISHED = 1e-12
"""Clusters less probable than this are dropped while β falls."""

AT_LEAST = 21
"""Number of points that a curve has at least."""

Conditional = Float[np.ndarray, "input label"]
Encoder = Float[np.ndarray, "input cluster"]


@dataclasses.dataclass(frozen=True)
class BottleneckCurve:
    """The largest I(T;Y) for each I(X;T), over all T that depend on X alone; in bits, concave, never falling.

    Attributes:
        input: I(X;T), ascending, from 0 to H(X).
        label: I(T;Y), from 0 to I(X;Y).
        error: the true curve lies above `label`, between the points too, by at most this many bits: proven for two
            labels; for more, provided that annealing found the best solution at each slope. 0 for a closed form.
    """

    input: Float[np.ndarray, " point"]
    label: Float[np.ndarray, " point"]
    error: float

    def label_at(self, i_xt: Any) -> Any:
        """Return the bound on I(T;Y) at some I(X;T), between points by straight lines; beyond H(X) that at H(X)."""
        return np.interp(i_xt, self.input, self.label)

    def input_at(self, i_ty: Any) -> Any:
        """Return the least I(X;T) that a T with this I(T;Y) needs; NaN where no T can have as much."""
        rising = slice(0, int(np.argmax(self.label >= self.label[-1])) + 1)
        least = np.interp(i_ty, self.label[rising], self.input[rising])
        return np.where(np.asarray(i_ty) <= self.label[-1] + SAME, least, np.nan)


def ib_curve(p_xy: Any) -> BottleneckCurve:
    """Compute the information bottleneck's curve of a joint distribution.

    Inputs of equal p(y|x) are merged first: a best T need not tell them apart. Where the input decides the label
    the curve is min(I(X;T), H(Y)) (Kolchinsky, Tracey & Van Kuyk 2019); the Lagrangian would find only its
    ends. Otherwise it is a rate–distortion problem, solved by Blahut and Arimoto's iteration for falling β, each
    solution the next one's start, from T = X on. Every point is computed from an encoder p(t|x), hence can be reached;
    so can what lies below their upper hull, which is returned.

    Args:
        p_xy: probabilities of shape (input, label), summing to 1.

    Returns:
        At least 21 points, both ends included: (0, 0) and (H(X), I(X;Y)); one point where there is one input only.

    Cost: with labels that are drawn, time grows with the square of the number of distinct p(y|x): seconds for 500,
    minutes for some thousands.

    Raises:
        InputError: for another shape, negative or non-finite entries, another sum, a single label.

    References:
        Tishby, Pereira & Bialek 1999; Blahut 1972 (the gap); Harremoës & Tishby 2007 (rate–distortion).
    """
    joint = _checked(p_xy)
    h_x = entropy_of(joint.sum(axis=1))
    p_x, p_y_given_x = _merge(joint)
    information = entropy_of(joint.sum(axis=0)) - float(p_x @ _entropies(p_y_given_x))
    knee = entropy_of(p_x)
    if len(p_x) == 1:
        corners, error = np.array([[0.0, 0.0]]), 0.0
    elif (p_y_given_x.max(axis=1) > 1 - SAME).all():
        corners, error = np.array([[0.0, 0.0], [knee, information]]), 0.0
    else:
        corners, error = _annealed(p_x, p_y_given_x, (knee, information))
    i_xt = np.union1d(corners[:, 0], np.linspace(0, knee if len(corners) > 1 else h_x, AT_LEAST))
    i_xt = np.append(i_xt[i_xt < h_x - SAME], h_x)
    i_xt = i_xt[np.diff(i_xt, prepend=-1.0) > SAME * 1e-3]  # a corner may be a grid point too
    return BottleneckCurve(i_xt, np.interp(i_xt, *corners.T), error)


def _checked(p_xy: Any) -> Float[np.ndarray, "input label"]:
    """Return probabilities without empty rows and columns, summing to 1 exactly."""
    joint = to_numpy(p_xy, "p_xy")
    if joint.ndim != 2 or joint.size == 0 or joint.dtype.kind in "US":
        raise InputError(
            f"p_xy has shape {joint.shape} and dtype {joint.dtype}; expected probabilities of shape (input, label)"
        )
    joint = joint.astype(np.float64)
    bad = ~np.isfinite(joint) | (joint < 0)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise InputError(f"p_xy[{row}, {column}] is {joint[row, column]}; expected a probability from 0 to 1")
    if abs(joint.sum() - 1) > SUM_TOLERANCE:
        raise InputError(f"p_xy sums to {joint.sum():.9g}; expected 1; divide it by its sum if these are counts")
    joint = joint[joint.sum(axis=1) > 0][:, joint.sum(axis=0) > 0]
    if joint.shape[1] < 2:
        raise InputError("p_xy has one label only; expected at least two labels with a probability above 0")
    return joint / joint.sum()


def _merge(
    joint: Float[np.ndarray, "input label"],
) -> tuple[Float[np.ndarray, " merged"], Float[np.ndarray, "merged label"]]:
    """Merge the inputs of equal p(y|x); return their probabilities and p(y|x)."""
    conditional = joint / joint.sum(axis=1, keepdims=True)
    _, group = np.unique(np.round(conditional / SAME), axis=0, return_inverse=True)
    merged = np.zeros((group.max() + 1, joint.shape[1]))
    np.add.at(merged, group.ravel(), joint)
    p_x = merged.sum(axis=1)
    return p_x, merged / p_x[:, None]


def _entropies(conditional: Float[np.ndarray, "row label"]) -> Float[np.ndarray, " row"]:
    """Return the entropy of each row in bits."""
    from scipy.special import entr

    return entr(conditional).sum(axis=1) * NAT


def _slopes() -> Float[np.ndarray, " slope"]:
    """Return the slopes 1/β at which the curve is touched, ascending: even steps, and halvings towards 0.

    No slope is above 1, since I(T;Y) ≤ I(X;T).
    """
    even = np.linspace(0, 1, 101)[1:]
    return np.concatenate([even[0] * 0.5 ** np.arange(8, 0, -1), even])


def _annealed(
    p_x: Float[np.ndarray, " input"], p_y_given_x: Conditional, end: tuple[float, float]
) -> tuple[Float[np.ndarray, "corner 2"], float]:
    """Return the corners of the upper hull of what annealing reaches, and how far the true curve may lie above it."""
    encoder = np.eye(len(p_x))
    reached = [[*end, 0.0, 0.0]]  # I(X;T), I(T;Y), slope there, gap
    for slope in _slopes():
        encoder, gap = _converged(p_x, p_y_given_x, encoder, 1 / slope)
        reached.append([*_informations(p_x, p_y_given_x, encoder), slope, gap * slope])
        if reached[-1][0] < SAME:
            break
    points = np.array([*reached, [0.0, 0.0, 1.0, 0.0]])
    return (corners := _upper_hull(points[:, :2])), _error(corners, points)


def _converged(
    p_x: Float[np.ndarray, " input"], p_y_given_x: Conditional, encoder: Encoder, beta: float
) -> tuple[Float[np.ndarray, "input fewer"], float]:
    """Iterate at one β until the Lagrangian is within `TOLERANCE` bits of its minimum; return the gap reached."""
    others, gap = _decoders(p_y_given_x), np.inf
    for iteration in range(1, MAX_ITERATIONS + 1):
        p_t = p_x @ encoder
        if (p_t < VANISHED).any():
            encoder = encoder[:, p_t >= VANISHED]
            encoder /= encoder.sum(axis=1, keepdims=True)
            p_t = p_x @ encoder
        p_y_given_t = (encoder * p_x[:, None]).T @ p_y_given_x / p_t[:, None]
        exponents = beta * _scores(p_y_given_x, p_y_given_t)
        top = exponents.max(axis=1, keepdims=True)
        weights = np.exp(exponents - top)
        z = (weights @ p_t)[:, None]
        encoder = weights / z * p_t
        if iteration % CHECK_EVERY == 0:
            added = np.exp(np.minimum(beta * _scores(p_y_given_x, others) - top, LARGEST_EXPONENT)) / z
            gap = max(_gap(p_x, weights / z), _gap(p_x, added))
            if gap < TOLERANCE:
                break
    return _without_copies(p_x, p_y_given_x, encoder), gap


def _decoders(p_y_given_x: Conditional) -> Float[np.ndarray, "decoder label"]:
    """Return p(y|t) of clusters that might be added: of two labels all on a fine grid, else those of the inputs."""
    if p_y_given_x.shape[1] > 2:
        return p_y_given_x
    p_one = np.linspace(0, 1, DECODERS)
    return np.stack([1 - p_one, p_one], axis=1)


def _scores(
    p_y_given_x: Conditional, decoders: Float[np.ndarray, "decoder label"]
) -> Float[np.ndarray, "input decoder"]:
    """Return Σ_y p(y|x) ln r(y): minus the distortion KL(p(y|x) ‖ r), but for what depends on x alone."""
    return p_y_given_x @ np.log(np.maximum(decoders, 1e-300)).T


def _gap(p_x: Float[np.ndarray, " input"], ratios: Float[np.ndarray, "input decoder"]) -> float:
    """Return log2 max_r c(r), c(r) = Σ_x p(x) e^(−β KL(x ‖ r)) / z(x), in bits: 0 at the best (Blahut 1972)."""
    return float(np.log2((p_x @ ratios).max()))


def _without_copies(
    p_x: Float[np.ndarray, " input"], p_y_given_x: Conditional, encoder: Encoder
) -> Float[np.ndarray, "input fewer"]:
    """Merge clusters of equal p(y|t): nothing is lost, and the next iterations are quicker."""
    joint = (encoder * p_x[:, None]).T @ p_y_given_x
    conditional = joint / joint.sum(axis=1, keepdims=True)
    _, group = np.unique(np.round(conditional / SAME), axis=0, return_inverse=True)
    return encoder @ np.eye(group.max() + 1)[group.ravel()]


def _informations(p_x: Float[np.ndarray, " input"], p_y_given_x: Conditional, encoder: Encoder) -> tuple[float, float]:
    """Return I(X;T) and I(T;Y) of an encoder, in bits."""
    p_t = p_x @ encoder
    p_y_given_t = (encoder * p_x[:, None]).T @ p_y_given_x / p_t[:, None]
    i_xt = entropy_of(p_t) - float(p_x @ _entropies(encoder))
    return max(i_xt, 0.0), max(entropy_of(p_x @ p_y_given_x) - float(p_t @ _entropies(p_y_given_t)), 0.0)


def _upper_hull(points: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, "corner 2"]:
    """Return the corners of the smallest concave curve above some points, from left to right."""
    corners: list[np.ndarray] = []
    for point in points[np.lexsort(points.T[::-1])]:
        while corners and (point[0] - corners[-1][0] < SAME or _bends_up(corners, point)):
            corners.pop()
        corners.append(point)
    top = int(np.argmax([label for _, label in corners]))
    kept = np.array(corners[: top + 1])
    return np.vstack([[0.0, 0.0], kept[1:]]) if kept[0, 0] < SAME else kept


def _bends_up(corners: list[np.ndarray], point: np.ndarray) -> bool:
    """Say whether the last corner lies on or below the line from the one before it to a point."""
    if len(corners) < 2:
        return False
    (x0, y0), (x1, y1), (x2, y2) = corners[-2], corners[-1], point
    return bool((y1 - y0) * (x2 - x0) <= (y2 - y0) * (x1 - x0))


def _error(corners: Float[np.ndarray, "corner 2"], points: Float[np.ndarray, "point 4"]) -> float:
    """Return how far the lowest of all tangents rises above the hull: the true curve lies between the two."""
    i_xt = np.linspace(0, corners[-1, 0], 4 * AT_LEAST * len(points))
    i_x, i_y, slope, gap = points.T
    tangents = (i_y + gap)[:, None] + slope[:, None] * (i_xt - i_x[:, None])
    return float(max(0.0, (tangents.min(axis=0) - np.interp(i_xt, *corners.T)).max()))
