"""Distributions whose mutual information is known exactly: oracles of tests, of the docs and of the benchmark.

    >>> from infoplane.truth import Normal
    >>> x, y = Normal.from_information(bits=2.0, dims=(5, 5)).sample(1000, seed=0)
    >>> x.shape, y.shape
    ((1000, 5), (1000, 5))

Each distribution has its ``information`` in bits, ``sample(n, seed)`` and, where the information is monotone in a
parameter, ``from_information(bits)``. Its docstring derives the value.
"""

from infoplane.truth.base import Distribution
from infoplane.truth.channels import BinaryErasure, BinarySymmetric, DiscreteChannel, Symmetric
from infoplane.truth.clouds import GaussianClouds
from infoplane.truth.continuous import AdditiveUniform, GammaExponential, Product
from infoplane.truth.marginals import (
    ExponentialMarginal,
    LaplaceMarginal,
    Marginal,
    NormalMarginal,
    StudentMarginal,
    UniformMarginal,
)
from infoplane.truth.mixed import NormalOrSwitch, SharedIntervals, ZeroInflatedPoisson
from infoplane.truth.noisy import LabelledMixture, TanhChannel, TwoPoints
from infoplane.truth.normal import Normal
from infoplane.truth.student import StudentT
from infoplane.truth.tasks import select, tasks
from infoplane.truth.transforms import Transformed

__all__ = [
    "AdditiveUniform",
    "BinaryErasure",
    "BinarySymmetric",
    "DiscreteChannel",
    "Distribution",
    "ExponentialMarginal",
    "GammaExponential",
    "GaussianClouds",
    "LabelledMixture",
    "LaplaceMarginal",
    "Marginal",
    "Normal",
    "NormalMarginal",
    "NormalOrSwitch",
    "Product",
    "SharedIntervals",
    "StudentMarginal",
    "StudentT",
    "Symmetric",
    "TanhChannel",
    "Transformed",
    "TwoPoints",
    "UniformMarginal",
    "ZeroInflatedPoisson",
    "select",
    "tasks",
]
