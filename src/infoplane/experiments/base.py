"""What every experiment is: a configuration, its variants, its pictures."""

import dataclasses
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
        bits: I(X;T) of each layer at the end, by the name of the variant.
    """

    whose: str
    input_entropy: float
    bits: Mapping[str, Sequence[float]]

    def beside(self, ds: "xr.Dataset") -> bool:
        """Say whether a result has the same variants, layers and number of inputs."""
        from infoplane.runs.combine import split

        parts = {"  ".join(map(str, labels.values())): part for labels, part in split(ds)}
        return all(
            label in parts
            and parts[label].sizes["layer"] == len(bits)
            and abs(float(parts[label].attrs["input_entropy"]) - self.input_entropy) < 0.01
            for label, bits in self.bits.items()
        )


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
        if self.stored is None or not self.stored.beside(ds):
            return {}
        return {"ends": {"stored": self.stored.bits, "whose": self.stored.whose}}

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
    """Draw figures of a result into a folder, each as PNG and PDF, tell their checksums, return their paths.

    ``options`` are further arguments of single figures, by the figure's name.
    """
    from infoplane import plots

    paths: list[Path] = []
    for name in names:
        figure = plots.FIGURES[name](ds, **(options or {}).get(name, {}))
        paths += plots.save(figure, folder / f"{name}{suffix}", record)
    return paths
