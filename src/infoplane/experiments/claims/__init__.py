"""Claims of papers, and what results say of them: confirmed, denied or not decided.

Rules stand here before any result: each claim names its quantity and a bound, and the 95 % interval of the quantity
over members decides. `docs/claims.md` explains how.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from infoplane import results
from infoplane.errors import InputError, did_you_mean
from infoplane.experiments.claims import (
    activations,
    bound,
    clouds,
    exact,
    generalisation,
    gradients,
    images,
    networks,
    phases,
    robustness,
    settings,
    view,
)
from infoplane.experiments.claims.base import (
    CONFIRMED,
    DENIED,
    NOT_DECIDED,
    Case,
    Claim,
    LackingError,
    Sample,
    Verdict,
    answer,
)

__all__ = ["CLAIMS", "CONFIRMED", "DENIED", "NOT_DECIDED", "Case", "Claim", "Sample", "Verdict", "claims"]

CLAIMS: dict[str, Claim] = {
    claim.id: claim
    for module in (
        phases,
        gradients,
        settings,
        bound,
        robustness,
        activations,
        generalisation,
        exact,
        clouds,
        images,
        networks,
    )
    for claim in module.CLAIMS
}
"""Every claim by its id."""


def claims(ds: Any, only: Sequence[str] = ()) -> list[Verdict]:
    """Hold every claim against a result.

    Args:
        ds: a result, as `ip.run` and `ip.load` return it.
        only: ids of the claims that are asked for; all where it is empty.

    Returns:
        One verdict for each claim and each case (layer, estimator, network) that the result can answer; one "not
        decided: needs …" for each claim that it cannot.

    Raises:
        InputError: for what is no result, or an unknown claim.
    """
    results.need_result(ds)
    if isinstance(only, str) or not isinstance(only, Iterable):
        example = next(iter(CLAIMS))
        raise InputError(f"only: expected a list of ids of claims, got {only!r}. Pass for example [{example!r}]")
    only = [str(id_) for id_ in only]
    unknown = [id_ for id_ in only if id_ not in CLAIMS]
    if unknown:
        raise InputError(f"only: unknown claim '{unknown[0]}'{did_you_mean(unknown[0], CLAIMS)}")
    asked = [claim for claim in CLAIMS.values() if not only or claim.id in only]
    try:
        run = view.of(ds)
    except LackingError as lacking:
        reason = f"needs {lacking}"
        nothing = (float("nan"), float("nan"))
        return [Verdict(claim, "", nothing[0], nothing, 0, NOT_DECIDED, reason) for claim in asked]
    return [verdict for claim in asked for verdict in answer(claim, run)]
