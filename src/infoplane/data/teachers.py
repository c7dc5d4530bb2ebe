"""Linear teachers: labels that are a noisy linear function of normal inputs, some of which may not matter."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float

from infoplane.errors import InputError


@dataclasses.dataclass(frozen=True, eq=False)
class Teacher:
    """y = v·x + η with x ~ N(0, I) and η ~ N(0, s²); everything about it is known exactly.

    Attributes:
        weights: v, shape (dim,); 0 for inputs that do not matter.
        label_noise: s².
    """

    weights: Float[np.ndarray, " dim"]
    label_noise: float

    @classmethod
    def drawn(
        cls, n_inputs: int, *, relevant: int | None = None, signal_to_noise: float, rng: np.random.Generator
    ) -> "Teacher":
        """Draw a direction, evenly over all, with ‖v‖ = 1, so that v·x has variance 1.

        Args:
            n_inputs: number of inputs.
            relevant: how many of them matter, the first ones; all where it is None.
            signal_to_noise: variance of v·x over that of η.
            rng: where the direction comes from.

        Raises:
            InputError: for more relevant inputs than there are, or a ratio that is not above 0.
        """
        relevant = n_inputs if relevant is None else relevant
        if not 1 <= relevant <= n_inputs:
            raise InputError(f"relevant is {relevant}; expected 1 to {n_inputs}, the number of inputs")
        if not 0 < signal_to_noise < np.inf:
            raise InputError(f"signal_to_noise is {signal_to_noise}; expected a finite number above 0")
        weights = np.zeros(n_inputs)
        weights[:relevant] = rng.standard_normal(relevant)
        return cls(weights / np.linalg.norm(weights), 1 / signal_to_noise)

    @property
    def covariance(self) -> Float[np.ndarray, "dim dim"]:
        """Σ of the inputs."""
        return np.eye(len(self.weights))

    @property
    def relevant(self) -> Bool[np.ndarray, " dim"]:
        """Which inputs matter."""
        return self.weights != 0

    @property
    def label_variance(self) -> float:
        """Var y."""
        return float(self.weights @ self.weights) + self.label_noise

    @property
    def label_information(self) -> float:
        """I(X;Y) = ½ log2(1 + ‖v‖²/s²) in bits."""
        return float(np.log2(self.label_variance / self.label_noise)) / 2

    def sample(
        self, n: int, rng: np.random.Generator
    ) -> tuple[Float[np.ndarray, "sample dim"], Float[np.ndarray, "sample 1"]]:
        """Draw n inputs with their labels."""
        inputs = rng.standard_normal((n, len(self.weights)))
        noise = np.sqrt(self.label_noise) * rng.standard_normal((n, 1))
        return inputs, inputs @ self.weights[:, None] + noise

    def generalisation_error(self, student: Float[np.ndarray, " dim"]) -> float:
        """Mean squared error of ŷ = u·x on new inputs, (‖u − v‖² + s²) / Var y; 1 is that of ŷ = 0."""
        missed = student - self.weights
        return (float(missed @ missed) + self.label_noise) / self.label_variance
