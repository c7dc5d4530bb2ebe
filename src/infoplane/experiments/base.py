"""What every experiment is: a configuration, its variants, its pictures."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infoplane import files

if TYPE_CHECKING:
    import xarray as xr

    from infoplane.runs.computed import Computation

Draw = Callable[["xr.Dataset"], Any]
"""Draws one figure of a result and returns it (a matplotlib Figure)."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """End points that another code stored of the same networks on the same inputs.

    Attributes:
        whose: who stored them.
        input_entropy: H(X) in bits of the inputs that it measured: beside others its numbers mean nothing.
        label_entropy: H(Y) in bits of their labels, which tells sets of as many images apart.
        estimator: what it measured with, as configurations write it.
        bits: I(X;T) of each layer at the end, by the name of the variant.
    """

    whose: str
    input_entropy: float
    label_entropy: float
    estimator: Mapping[str, Any]
    bits: Mapping[str, Sequence[float]]

    def measured_by(self, ds: "xr.Dataset") -> str | None:
        """Return the estimator of a result that measured the same of the same inputs; None where there is none."""
        from infoplane.errors import InputError
        from infoplane.estimators import build, build_all
        from infoplane.results import config_of

        own = (float(ds.attrs.get(f"{name}_entropy", math.nan)) for name in ("input", "label"))
        if not all(abs(a - b) < 5e-4 for a, b in zip(own, (self.input_entropy, self.label_entropy), strict=True)):
            return None
        try:
            built = build_all(config_of(ds).get("estimators", []))
        except InputError:  # a plug-in that is not installed here
            return None
        return next((name for name, one in built.items() if one == build(self.estimator)), None)

    def beside(self, ds: "xr.Dataset") -> dict[str, Any]:
        """Return what the figure ``ends`` takes; nothing for a result of other variants, layers or inputs."""
        from infoplane.runs.combine import split

        parts = {"  ".join(map(str, labels.values())): part for labels, part in split(ds)}
        if any(label not in parts or parts[label].sizes["layer"] != len(bits) for label, bits in self.bits.items()):
            return {}
        names = {self.measured_by(parts[label]) for label in self.bits}
        measured = {label: bits for label, bits in self.bits.items() if parts[label].sizes["epoch"]}
        if None in names or len(names) > 1 or not measured:
            return {}
        return {"stored": measured, "whose": self.whose, "by": names.pop()}


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A packaged experiment.

    Attributes:
        name: its name on the command line.
        title: one line on what it shows.
        source: paper and figures that it reproduces.
        config: the full configuration, as nested keys.
        quick: what ``--quick`` changes.
        paper: what ``--as paper`` changes, where a paper's text and its public code differ.
        paper_note: what is known of the difference.
        figures: names of the figure functions in `infoplane.plots` that it draws.
        claims: ids of the claims that it is there to decide, in `infoplane.experiments.claims`.
        stored: what another code found, which the figure ``ends`` shows beside.
        computation: what is computed, for an experiment whose numbers come from a formula; of those that train
            networks None.
    """

    name: str
    title: str
    source: str
    config: Mapping[str, Any]
    quick: Mapping[str, Any]
    paper: Mapping[str, Any]
    paper_note: str
    figures: Sequence[str] = ("plane", "snapshots", "information", "training")
    claims: Sequence[str] = ()
    stored: Stored | None = None
    computation: "Callable[[], Computation] | None" = None

    @property
    def needs_data(self) -> bool:
        """Whether it runs on files that the user has to name."""
        from infoplane.data import reads_files

        name = self.config.get("data", {}).get("name")
        return name is not None and reads_files(name)

    def options(self, ds: "xr.Dataset") -> dict[str, dict[str, Any]]:
        """Return further arguments of its figures, by their name."""
        beside = self.stored.beside(ds) if self.stored else {}
        return {"ends": beside} if beside else {}

    def tree(self, *, quick: bool = False, as_paper: bool = False) -> dict[str, Any]:
        """Return the configuration's keys with the variants that are asked for."""
        from infoplane.runs.config import override

        tree = override({}, self.config)
        if as_paper:
            tree = override(tree, self.paper)
        if quick:
            tree = override(tree, self.quick)
        return override(tree, {"name": self.name})


def draw_figures(
    ds: "xr.Dataset",
    names: Sequence[str],
    folder: Path,
    record: files.Record,
    suffix: str = "",
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Path]:
    """Draw figures of a result into a folder within a run's, each as PNG and PDF, and return their paths.

    ``options`` are further arguments of single figures, by the figure's name.
    """
    from infoplane import plots

    paths: list[Path] = []
    for name in names:
        figure = plots.FIGURES[name](ds, **(options or {}).get(name, {}))
        paths += plots.save(figure, folder / f"{name}{suffix}", record, inside=folder.parent)
    return paths
