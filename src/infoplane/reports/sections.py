"""The sections of a report that are words and tables."""

import base64
import importlib.metadata
import io
import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from infoplane import results
from infoplane.reports import words
from infoplane.reports.elements import Child, Element, element, name, table
from infoplane.reports.panels import Panel
from infoplane.reports.source import Source

if TYPE_CHECKING:
    from infoplane.experiments.claims import Verdict

CLASSES = {"confirmed": "confirmed", "denied": "denied", "not decided": "open"}
"""How each verdict is coloured; its word stands there too."""

MOST_STORIES = 2
"""Panels whose layers are told at once; those of the others unfold."""


LONG = 300
"""Characters of a note from which on it unfolds."""


def _section(title: str, *children: Child) -> Element:
    id_ = title.lower().replace(" ", "-")
    heading = element("h2", title, id=f"{id_}-heading")
    return element("section", heading, *children, id=id_, aria_labelledby=f"{id_}-heading")


def _heading(sources: Sequence[Source], source: Source) -> list[Element]:
    """Return a result's name above what is said of it, where there are several."""
    return [element("h3", name(source.name))] if len(sources) > 1 else []


# ---- summary


def summary(sources: Sequence[Source], panels: Sequence[Panel], without: Sequence[str]) -> Element:
    """Say of each result what was run, what layers did, what the claims say and what to distrust."""
    parts: list[Child] = []
    for place, source in enumerate(sources):
        own = [panel for panel in panels if panel.source == place]
        level = "h4" if len(sources) > 1 else "h3"
        parts += _heading(sources, source)
        parts += _unfinished(source)
        parts += [element(level, "What was run"), element("p", " ".join(words.was_run(source.ds)))]
        if len(own) > 1:
            parts.append(element("p", f"{len(own)} planes: {'; '.join(panel.title for panel in own)}."))
        parts += _layers(own, level)
        parts += _said(source, level)
        parts += _distrusted(own, [title for title in without if title in {panel.title for panel in own}], level)
    return _section("Summary", *parts)


def _unfinished(source: Source) -> list[Element]:
    """Return the warning that a run is not finished, if it is not."""
    lines = words.unfinished(source.ds)
    if not lines:
        return []
    text = " ".join([*lines, "Values, claims and figures describe this part only."])
    if source.folder is not None:
        text += f" 'infoplane resume {shlex.quote(str(source.folder))}' continues a run."
    title = element("strong", "This run is not finished. ")
    return [element("p", title, text, class_="doubt unfinished", role="note")]


def _layers(panels: Sequence[Panel], level: str) -> list[Child]:
    told = [(panel, lines) for panel in panels if (lines := words.stories(panel))]
    if not told:
        return []
    made: list[Child] = [element(level, "What the layers did, in I(X;T), bits, means over networks")]
    for panel, lines in told:
        pairs = [one for layer, text in lines for one in (element("dt", name(layer)), element("dd", text))]
        story = element("dl", *pairs, class_="layers")
        if len(told) > MOST_STORIES:
            made.append(element("details", element("summary", name(panel.title)), story))
        else:
            made += [element("p", name(panel.title), class_="note"), story] if len(told) > 1 else [story]
    return made


def _said(source: Source, level: str) -> list[Child]:
    """Say how the claims came out, with a sentence for each that was decided or asked."""
    from infoplane.experiments.claims import table as claim_table

    chosen = _answered(source).chosen
    if not chosen:
        return [
            element(level, "What the claims say"),
            element(
                "p",
                "No claim can be decided from this result. `infoplane claims DIR --all` lists what each claim needs.",
            ),
        ]
    lines = [
        element("li", _verdict(_overall(verdicts)), " ", verdicts[0].claim.sentence)
        for verdicts in claim_table.by_claim(chosen)
    ]
    counts = claim_table.counted(chosen)
    return [
        element(level, "What the claims say"),
        element("p", f"{counts}. The rules were written before the results; each case stands under Claims."),
        element("ul", *lines),
    ]


def _overall(verdicts: "Sequence[Verdict]") -> str:
    """Return the verdict of a claim's cases where they agree."""
    said = {one.verdict for one in verdicts}
    if len(said) == 1:
        return said.pop()
    return ", ".join(f"{sum(one.verdict == word for one in verdicts)} {word}" for word in CLASSES if word in said)


def _verdict(said: str) -> Element:
    return element("span", said, class_=CLASSES.get(said, "open"))


def _distrusted(panels: Sequence[Panel], without: Sequence[str], level: str) -> list[Child]:
    """Return what is to be distrusted, each thing once, with the panels and layers that it is true of."""
    found: dict[tuple[str, str], list[str]] = {}
    for panel in panels:
        for doubt in words.doubts(panel):
            place = ": ".join(filter(None, [panel.title if len(panels) > 1 else "", doubt.where]))
            found.setdefault((doubt.title, doubt.text), []).append(place)
    for title in without:
        text = "Single networks are left out, or the page would be larger than 8 MB; means and intervals are of all."
        found.setdefault(("left out of this page", text), []).append(title)
    heading = element(level, "What to distrust")
    if not found:
        return [heading, element("p", "No value carries a flag, and nothing failed.")]
    return [heading, *(_doubt(title, text, where) for (title, text), where in found.items())]


def _doubt(title: str, text: str, where: Sequence[str]) -> Element:
    told = "; ".join(place for place in where if place)
    note = element("p", told, class_="note", dir="auto", tabindex="0")
    if len(told) > LONG:
        note = element(
            "details", element("summary", f"where, in {len(where)} planes" if len(where) > 1 else "where"), note
        )
    return element("div", element("strong", title), element("p", text), *([note] if told else []), class_="doubt")


# ---- figures, claims


def figures(sources: Sequence[Source]) -> Element | None:
    """Show the figures of experiments that have no plane to move about in."""
    shown = [(source, one, text) for source in sources for one, text in _drawn(source)]
    if not shown:
        return None
    parts = [
        element(
            "figure",
            element("img", src=f"data:image/png;base64,{text}", alt=f"The figure {one} of {source.name}"),
            element("figcaption", name(source.name), f": {one}"),
        )
        for source, one, text in shown
    ]
    return _section("Figures", *parts)


def _drawn(source: Source) -> list[tuple[str, str]]:
    """Return the figures of a result's experiment that take it whole, as PNG in base64."""
    from infoplane import plots
    from infoplane.experiments import EXPERIMENTS
    from infoplane.runs.combine import is_sweep

    experiment = EXPERIMENTS.get(str(source.ds.attrs.get("title", "")))
    if experiment is None:
        return []
    names = plots.suited(source.ds, experiment.figures)
    if is_sweep(source.ds):
        names = [one for one in names if one in plots.OF_SWEEPS]
    drawn, options = [], experiment.options(source.ds)
    for one in names:
        content = io.BytesIO()
        plots.FIGURES[one](source.ds, **options.get(one, {})).savefig(content, format="png", **plots.FORMATS["png"])
        drawn.append((one, base64.b64encode(content.getvalue()).decode("ascii")))
    return drawn


def _answered(source: Source) -> Any:
    from infoplane.experiments.claims import again
    from infoplane.experiments.claims import claims as judge
    from infoplane.experiments.claims import table as claim_table

    purpose = claim_table.purpose(source.ds)
    return claim_table.Answered(source.name, again.command(source.ds), judge(source.ds, only=purpose), purpose=purpose)


def claims(sources: Sequence[Source]) -> Element | None:
    """Show every verdict with its number, interval and reason."""
    from infoplane.experiments.claims import table as claim_table

    parts: list[Child] = []
    for source in sources:
        rows = [row for verdicts in claim_table.by_claim(_answered(source).chosen) for row in _claim_rows(verdicts)]
        if rows:
            heading = ("claim", "about", "estimate", "95 % interval", "verdict", "why")
            caption = f"{source.name}: claims of papers, held against rules that were written before the results"
            parts += [*_heading(sources, source), table(heading, rows, caption=caption, class_="claims")]
    return _section("Claims", *parts) if parts else None


def _claim_rows(verdicts: "Sequence[Verdict]") -> list[list[Child]]:
    """Return a row for each case of a claim; the claim itself stands once, beside all of them."""
    from infoplane.experiments.claims import table as claim_table

    claim, rows = verdicts[0].claim, []
    for place, verdict in enumerate(verdicts):
        _, case, estimate, between, said, reason = claim_table.row(verdict)
        source = element("span", claim.source, class_="note")
        whole = element("td", claim.sentence, " ", source, class_="claim", rowspan=str(len(verdicts)))
        numbers = [element("td", text, class_="number") for text in (estimate, between)]
        about = element("td", case, class_="case")
        rows.append(
            [*([whole] if place == 0 else []), about, *numbers, _verdict(said), element("td", reason, class_="why")]
        )
    return rows


# ---- configuration, command, citation


def configuration(sources: Sequence[Source]) -> Element:
    """Show every key of the configuration, and the versions of what computed."""
    from infoplane.runs.axes import flatten

    parts: list[Child] = []
    for source in sources:
        keys = dict(flatten(results.config_of(source.ds)))
        rows = [[name(key), _value(value)] for key, value in keys.items() if value not in (None, [], "")]
        versions = json.loads(str(source.ds.attrs.get("versions", "{}")))
        rows += [[name(f"version of {key}"), _value(value)] for key, value in versions.items()]
        parts += _heading(sources, source)
        shown = table(("key", "value"), rows, caption=f"{source.name}: every key that is set", class_="keys")
        parts.append(element("details", element("summary", f"{len(rows)} keys"), shown))
    return _section("Configuration", *parts)


def _value(value: Any) -> Element:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return element("bdi", text)


def reproduce(sources: Sequence[Source]) -> Element:
    """Give the commands that make the results and this page again."""
    from infoplane.experiments.claims import again

    parts: list[Child] = []
    for source in sources:
        parts += [
            *_heading(sources, source),
            element("pre", element("code", again.command(source.ds)), tabindex="0"),
        ]
    folders = [shlex.quote(str(source.folder)) for source in sources if source.folder is not None]
    if len(folders) == len(sources):
        parts.append(element("p", "This page, from the folders of the runs:"))
        parts.append(element("pre", element("code", f"infoplane report {' '.join(folders)}"), tabindex="0"))
    text = "On the same type of machine the same command gives the same bits; on another one the last digits differ."
    return _section("To reproduce", element("p", text), *parts)


def cite(sources: Sequence[Source]) -> Element:
    """Say what to cite."""
    return _section("To cite", element("ul", *(element("li", text) for text in words.sources([s.ds for s in sources]))))


def footer() -> Element:
    """Say what made the page."""
    version = importlib.metadata.version("infoplane")
    return element(
        "p", f"Made by infoplane {version}. All information is in bits. This page asks nothing of any network."
    )
