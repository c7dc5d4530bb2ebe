"""What a recording is of: the data that must stay the same, and the attributes of its result."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infoplane import results
from infoplane.record._views import View
from infoplane.record.sets import SETS, MeasuredSet

Specs = Sequence[Mapping[str, Any]]
"""Names and parameters of estimators."""


def about(name: str, specs: Specs, sets: Mapping[str, MeasuredSet], view: View | None) -> dict[str, Any]:
    """Return what must be the same for a recording to go on, as it is read back from a file."""
    prints = {key: set_.fingerprint for key, set_ in sets.items()}
    content: dict[str, Any] = {
        "name": name,
        "estimators": specs,
        "inputs": prints[SETS[0]],
        "held_out": prints.get(SETS[1]),
    }
    content["view"] = None if view is None else str(view)
    return json.loads(json.dumps(content))


def attributes(name: str, specs: Specs, schedule: str, sets: Mapping[str, MeasuredSet]) -> dict[str, Any]:
    """Return the attributes of a recording's result."""
    config = {"name": name, "estimators": specs, "schedule": schedule}
    found: dict[str, Any] = {"config": json.dumps(config), "title": name, "units": "bits"}
    for key, set_ in sets.items():
        prefix = "" if key == SETS[0] else results.HELD_OUT
        known = {
            "input_entropy": set_.input_entropy,
            "label_entropy": set_.label_entropy,
            "label_information": set_.label_information,
            "n_samples": set_.n_samples,
            "n_distinct": set_.n_distinct,
        } | ({"n_given": set_.n_given} if set_.n_given > set_.n_samples else {})
        found |= {prefix + which: value for which, value in known.items()}
        if set_.targets:
            found[f"{prefix}targets"] = set_.targets
    return found
