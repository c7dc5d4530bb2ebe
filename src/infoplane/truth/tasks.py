"""The forty tasks of "Beyond Normal" (Czyż, Grabowski, Vogt, Beerenwinkel & Marx 2023), by their names."""

import fnmatch
import functools
from collections.abc import Callable

from infoplane.errors import InputError, did_you_mean
from infoplane.truth import transforms as maps
from infoplane.truth.base import Distribution
from infoplane.truth.continuous import AdditiveUniform
from infoplane.truth.normal import Normal
from infoplane.truth.student import StudentT
from infoplane.truth.transforms import Map, Transformed

CORRELATION = 0.75
"""Of the two normals behind all tasks of one coordinate each."""

PAIR = 0.8
"""Correlation of both pairs of the sparse tasks: λ² / (1 + λ²) with their strength λ = 2."""


@functools.cache
def tasks() -> dict[str, Distribution]:
    """Return all tasks by name, in the order of the paper."""
    return {**_one_dimensional(), **_normals(), **_students(), **_transformed()}


def select(pattern: str = "*") -> dict[str, Distribution]:
    """Return the tasks whose name fits one of several patterns with ``*`` and ``?``, separated by commas.

    Raises:
        InputError: for a pattern that no task fits; names the nearest.
    """
    chosen: set[str] = set()
    for single in (part.strip() for part in pattern.split(",")):
        fitting = fnmatch.filter(tasks(), single)
        if not fitting:
            raise InputError(f"no task is called '{single}'{did_you_mean(single, tasks())}")
        chosen.update(fitting)
    return {name: task for name, task in tasks().items() if name in chosen}


def _one_dimensional() -> dict[str, Distribution]:
    """One coordinate each; the Swiss roll has two of X, on a curve."""
    normal = Normal.pairs([CORRELATION], (1, 1))
    student = StudentT.identity((1, 1), 1)
    uniform = _both(normal, maps.normal_cdf)
    name = f"1v1-normal-{CORRELATION}"
    return {
        name: normal,
        f"normal_cdf-{name}": uniform,
        "1v1-additive-0.1": AdditiveUniform(0.1),
        "1v1-additive-0.75": AdditiveUniform(0.75),
        f"1v1-bimodal-{CORRELATION}": Transformed(
            normal, maps.Bimodal(0.3, (0.0, 5.0)), maps.Bimodal(0.5, (-1.0, 3.0))
        ),
        f"wiggly-{name}": Transformed(normal, maps.wiggly_x, maps.wiggly_y),
        f"half_cube-{name}": _both(normal, maps.half_cube),
        "student-identity-1-1-1": student,
        "asinh-student-identity-1-1-1": _both(student, maps.asinh),
        f"swissroll_x-normal_cdf-{name}": Transformed(uniform, maps.swiss_roll, maps.identity),
    }


def _normals() -> dict[str, Distribution]:
    dense = {f"multinormal-dense-{d}-{d}-0.5": Normal.dense(0.5, (d, d)) for d in (2, 3, 5, 25, 50)}
    sparse = {_sparse_name(d): _sparse(d) for d in (2, 3, 5, 25)}
    return {**dense, **sparse}


def _students() -> dict[str, Distribution]:
    kinds = ((2, 1), (2, 2), (3, 2), (3, 3), (5, 2), (5, 3))
    return {f"student-identity-{d}-{d}-{dof}": StudentT.identity((d, d), dof) for d, dof in kinds}


def _transformed() -> dict[str, Distribution]:
    """The sparse normals through four maps, then Student-t with its tails tamed."""
    named: dict[str, Distribution] = {}
    chains: tuple[tuple[str, Callable[[Distribution, int], Distribution]], ...] = (
        ("normal_cdf", lambda base, d: _both(base, maps.normal_cdf)),
        ("half_cube", lambda base, d: _both(base, maps.half_cube)),
        ("spiral", _spiral),
        ("spiral-normal_cdf", lambda base, d: _spiral(_both(base, maps.normal_cdf), d)),
    )
    for prefix, chain in chains:
        named |= {f"{prefix}-{_sparse_name(d)}": chain(_sparse(d), d) for d in (3, 5, 25)}
    for d, dof in ((2, 1), (3, 2), (5, 2)):
        named[f"asinh-student-identity-{d}-{d}-{dof}"] = _both(StudentT.identity((d, d), dof), maps.asinh)
    return named


def _both(base: Distribution, map_: Map) -> Transformed:
    return Transformed(base, map_, map_)


def _sparse(d: int) -> Normal:
    """Two pairs of coordinates that tell of each other among d × d."""
    return Normal.pairs([PAIR, PAIR], (d, d))


def _sparse_name(d: int) -> str:
    return f"multinormal-sparse-{d}-{d}-2-2.0"


def _spiral(base: Distribution, d: int) -> Transformed:
    """Turn the first two coordinates of X, and the second and third of Y."""
    return Transformed(base, maps.Spiral(0, 1, 1 / d), maps.Spiral(1, 2, 1 / d))
