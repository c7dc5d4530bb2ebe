"""Verdicts as tables: for the terminal, as CSV and JSON, and as the page of reproductions."""

import csv
import dataclasses
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane._numbers import digits
from infoplane.experiments.claims.base import CONFIRMED, DENIED, NOT_DECIDED, Verdict

if TYPE_CHECKING:
    import xarray as xr

COLUMNS = ("claim", "case", "estimate", "95 % interval", "verdict", "reason")
FIELDS: Sequence[str] = (
    "run", "id", "case", "estimate", "low", "high", "units", "members", "verdict", "reason", "sentence", "source",
    "quantity", "rule", "figure", "command",
)  # fmt: skip
BESIDE: Mapping[str, Sequence[str]] = {
    "plane": ("variants", "information"),
    "information": ("variants", "plane"),
    "snapshots": ("variants", "plane"),
    "training": ("variants",),
}
"""What shows the same where an experiment does not draw a claim's own figure."""


@dataclasses.dataclass(frozen=True)
class Answered:
    """A result with the verdicts on it.

    Attributes:
        name: what the result is called.
        command: the command that makes it.
        verdicts: what it says.
        figures: names of the pictures that lie beside it.
        purpose: ids of the claims that its experiment is there to decide; empty for all.
        place: where the page of reproductions finds the pictures; empty where it only names them.
    """

    name: str
    command: str
    verdicts: Sequence[Verdict]
    figures: Sequence[str] = ()
    purpose: Sequence[str] = ()
    place: str = ""

    @property
    def chosen(self) -> list[Verdict]:
        """The verdicts that concern the result.

        Those on the claims of its experiment that it has numbers for. For a result of no experiment, those with an
        interval, which needs two members.
        """
        return [one for one in self.asked if (one.claim.id in self.purpose if self.purpose else one.members > 1)]

    @property
    def needing(self) -> list[Verdict]:
        """The claims of its experiment for which it lacks something."""
        return [one for one in self.lacking if one.claim.id in self.purpose]

    @property
    def n_others(self) -> int:
        """Number of the claims that do not concern the result."""
        shown = {one.claim.id for one in (*self.chosen, *self.needing)}
        return len({one.claim.id for one in self.verdicts} - shown)

    @property
    def asked(self) -> list[Verdict]:
        """The verdicts on what the result holds numbers for."""
        return [one for one in self.verdicts if one.case or one.members]

    @property
    def lacking(self) -> list[Verdict]:
        """The claims for which it lacks something."""
        return [one for one in self.verdicts if not (one.case or one.members)]


def row(verdict: Verdict) -> list[str]:
    """Return a verdict's entries under `COLUMNS`."""
    low, high = verdict.interval
    between = "" if math.isnan(low) else f"{digits(low)} to {digits(high)}"
    estimate = "" if math.isnan(verdict.estimate) else digits(verdict.estimate)
    units = f" {verdict.claim.units}" if estimate and verdict.claim.units else ""
    return [verdict.claim.id, verdict.case, estimate + units, between, verdict.verdict, verdict.reason]


def records(answered: Sequence[Answered]) -> list[dict[str, Any]]:
    """Return every verdict as a flat record; what there is no number for is None."""
    return [_record(one, verdict) for one in answered for verdict in one.verdicts]


def _record(one: Answered, verdict: Verdict) -> dict[str, Any]:
    claim, (low, high) = verdict.claim, verdict.interval
    values = (
        one.name, claim.id, verdict.case, _number(verdict.estimate), _number(low), _number(high), claim.units,
        verdict.members, verdict.verdict, verdict.reason, claim.sentence, claim.source, claim.quantity, claim.rule,
        picture(one, verdict), one.command,
    )  # fmt: skip
    return dict(zip(FIELDS, values, strict=True))


def _number(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def to_json(answered: Sequence[Answered]) -> str:
    """Return the records as JSON."""
    return json.dumps(records(answered), indent=1, ensure_ascii=False, allow_nan=False)


def to_csv(answered: Sequence[Answered]) -> str:
    """Return the records as comma-separated text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records(answered))
    return text.getvalue()


def to_markdown(answered: Sequence[Answered]) -> str:
    """Return the page of reproductions: for each result one row a claim, with its numbers, figure and command."""
    parts = [
        "# Reproductions",
        "`infoplane claims --markdown DIR…` generated this page from the results of runs. [claims.md](claims.md) "
        "explains the verdicts. Intervals are 95 % intervals over networks. Each section lists the claims that its "
        "experiment can decide; `infoplane claims --all DIR` also lists the other claims.",
        *(_section(one) for one in answered),
        _left(answered),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(one: Answered) -> str:
    lines = [f"## {one.name}", "", f"`{one.command}`: {counted(one.chosen)}.", ""]
    lines += ["| claim | source | verdict | about, estimate and interval | figure | command |", "|" + "---|" * 6]
    return "\n".join([*lines, *(_line(one, verdicts) for verdicts in by_claim(one.chosen))])


def by_claim(verdicts: Sequence[Verdict]) -> list[list[Verdict]]:
    """Return the verdicts claim by claim."""
    ids = dict.fromkeys(verdict.claim.id for verdict in verdicts)
    return [[one for one in verdicts if one.claim.id == id_] for id_ in ids]


def brief(verdicts: Sequence[Verdict]) -> str:
    """Return one line on a claim: the reason of its only verdict, or how often each was given."""
    claim, only = verdicts[0].claim, verdicts[0]
    said = f"{only.verdict}, {only.reason}" if len(verdicts) == 1 else counted(verdicts)
    return f"{claim.id}: {claim.sentence} {said[0].upper()}{said[1:]}."


def counted(verdicts: Sequence[Verdict]) -> str:
    """Return how often each verdict was given, of those that were."""
    given = [verdict.verdict for verdict in verdicts]
    return ", ".join(f"{given.count(said)} {said}" for said in (CONFIRMED, DENIED, NOT_DECIDED) if said in given)


def _line(one: Answered, verdicts: Sequence[Verdict]) -> str:
    """Return the row of one claim; what it is about stands line by line in one cell."""
    claim = verdicts[0].claim
    pictures = dict.fromkeys(picture(one, verdict) for verdict in verdicts)
    cells = [
        f"**{claim.id}** {claim.sentence}",
        claim.source,
        verdicts[0].verdict if len(verdicts) == 1 else counted(verdicts),
        "<br>".join(_told(verdict) for verdict in verdicts),
        "<br>".join(_link(one, name) for name in pictures),
        f"`{one.command}`",
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _link(one: Answered, name: str) -> str:
    """Return a picture's name, as a link where it can be seen."""
    seen = bool(one.place) and name in one.figures
    return f"[{name}]({one.place}/{name.replace(' ', '%20')})" if seen else name


def _told(verdict: Verdict) -> str:
    """Return a case with its number and interval, its verdict, and why where there is none."""
    _, case, estimate, between, said, reason = row(verdict)
    number = f"{estimate} ({between})" if between else estimate
    return f"{': '.join(filter(None, [case, number]))}: {f'{said}, {reason}' if said == NOT_DECIDED else said}"


def _left(answered: Sequence[Answered]) -> str:
    """Name the claims that no result could answer."""
    asked = {verdict.claim.id for one in answered for verdict in one.asked}
    left = {verdict.claim.id: verdict for one in answered for verdict in one.lacking if verdict.claim.id not in asked}
    if not left:
        return ""
    lines = [f"- **{id_}** {verdict.claim.sentence} Not decided: {verdict.reason}." for id_, verdict in left.items()]
    return "\n".join(["## Claims that none of these runs decides", "", *lines])


def picture(one: Answered, verdict: Verdict) -> str:
    """Return the name of the picture that shows a verdict; the figure's own name where none was drawn."""
    setting, held_out = re.sub(r"[^A-Za-z0-9._=,+-]+", "_", verdict.case.partition(", ")[0]), "held-out" in verdict.case

    def distance(name: str) -> tuple[bool, bool, int]:
        return ("held-out" in name) != held_out, f"-{setting}." not in name, len(name)

    for figure in (verdict.figure, *BESIDE.get(verdict.figure, ())):
        drawn = [name for name in one.figures if name.partition(".")[0].partition("-")[0] == figure]
        if drawn:
            return min(drawn, key=distance)
    return verdict.figure


def purpose(ds: "xr.Dataset") -> Sequence[str]:
    """Return the ids of the claims that a result's experiment is there to decide; none for other results."""
    from infoplane.experiments import EXPERIMENTS

    experiment = EXPERIMENTS.get(str(ds.attrs.get("title", "")))
    return experiment.claims if experiment else ()


def pictures(folder: Path) -> list[str]:
    """Return the names of the pictures in a run's folder."""
    return sorted(path.name for path in (folder / "figures").glob("*.png"))
