"""The information plane of a model as it is, in one call."""

import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from infoplane._numbers import digits
from infoplane.estimators import EstimatorLike
from infoplane.experiments.summary import left_out, views, without_numbers
from infoplane.record import Recorder
from infoplane.results import decode_flags, reasons_at

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure


@dataclasses.dataclass(frozen=True)
class ModelPlane:
    """Where the layers of a model lie in the information plane; printed it is a table, in a notebook a picture.

    Attributes:
        dataset: the result, with one member and one epoch; see `infoplane.results`.
        figure: the plane by the first estimator; without labels its I(X;T) of each layer.
    """

    dataset: "xr.Dataset"
    figure: "Figure"

    def __str__(self) -> str:
        return table(self.dataset)

    def _repr_png_(self) -> bytes:
        picture = io.BytesIO()
        self.figure.savefig(picture, format="png", dpi=100)
        return picture.getvalue()

    def save(self, stem: str | Path) -> list[Path]:
        """Write the figure as PNG and PDF and return the paths; the folder must exist."""
        from infoplane import plots

        return plots.save(self.figure, stem)


def plane(
    model: Any,
    inputs: Any,
    labels: Any = None,
    *,
    estimators: EstimatorLike = ("binning",),
    layers: Any = None,
    batch_size: Any = 1024,
    exact_batch: bool = False,
    memory: int = 2**30,
    ignore_index: int | None = None,
    rows: Any = None,
    view: Any = None,
    progress: bool = True,
    **options: Any,
) -> ModelPlane:
    """Measure every layer of a model as it is now, print a small table and draw the plane.

    Args:
        model: a PyTorch module, a Keras model, a Flax NNX module, or a function that takes a batch of inputs and
            gives {layer's name: activations}.
        inputs: what it is measured on, shape (sample, …).
        labels: class of each input, shape (sample,); without them there is only I(X;T). See `Recorder`.
        estimators: names, instances or tables; each names its noise model. Numbers are in bits.
        layers: which layers: "all", names, patterns such as ``"encoder.*"``, or types.
        batch_size: number of inputs that the model is given at once; "all" for all of them, as graph networks need.
        exact_batch: never run the model on fewer inputs than ``batch_size``. See `Recorder`.
        memory: bytes of activations, and of the model's forward pass, held at once. See `Recorder`.
        ignore_index: leave out the inputs with this label, such as −100.
        rows: measure on so many of the inputs, drawn at random, always the same ones.
        view: reduce each wide layer before it is measured: "projection" or "pca". See `Recorder`.
        progress: state the plan and the remaining time on stderr, if it takes long and stderr is a terminal.
        options: the framework's own, such as ``channels="mean"``.

    Returns:
        The table's numbers as a data set, and the figure.

    Raises:
        InputError: for arguments that cannot be used.
    """
    from infoplane import plots

    recorder = Recorder(
        inputs, labels, estimators, batch_size=batch_size, exact_batch=exact_batch, memory=memory,
        ignore_index=ignore_index, rows=rows, view=view, progress=progress, name=type(model).__name__,
    )  # fmt: skip
    with recorder.attach(model, layers, **options):
        recorder.step(0)
    ds = recorder.results()
    made = ModelPlane(ds, plots.information(ds) if labels is None else plots.plane(ds))
    print(made)  # the one call that answers at once, as its page says
    return made


def table(ds: "xr.Dataset") -> str:
    """Return the last epoch of a result as text: a line for each layer, mean over members, in bits."""
    last = ds.isel(epoch=-1)
    parts = []
    for estimator in ds["estimator"].values:
        one = last.sel(estimator=estimator)
        bits = one["information"].mean("member")
        rows, empty = [["layer", "I(X;T)", "I(T;Y)", "flags"]], []
        for layer in ds["layer"].values:
            values = bits.sel(layer=layer, variable=["input", "label"]).values
            if np.isnan(values).all():
                empty.append(str(layer))
                continue
            numbers = list(map(digits, values))
            codes = np.unique(one["flags"].sel(layer=layer).values)
            flags = sorted(set().union(*(decode_flags(code) for code in codes)))
            rows.append([str(layer), *numbers, " ".join(flags)])
        reasons = [f"{layer}: {text}" for name, layer, text in reasons_at(ds) if name == str(estimator)]
        parts.append("\n".join([_heading(ds, str(estimator)), *_aligned(rows), *without_numbers(empty), *reasons]))
    return "\n\n".join([*parts, *(["\n".join(lines)] if (lines := [*views(ds), *left_out(ds)]) else [])])


def _heading(ds: "xr.Dataset", estimator: str) -> str:
    from infoplane.plots.content import describe_estimator, n_inputs

    h_y = float(ds.attrs["label_entropy"])
    known = f"H(X) = {digits(ds.attrs['input_entropy'])}" + ("" if np.isnan(h_y) else f", H(Y) = {digits(h_y)}")
    return f"{describe_estimator(ds, estimator)}; {n_inputs(ds)}, {known}, in bits"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for layer, i_x, i_y, flags in rows:
        lines.append(f"{layer:<{widths[0]}}  {i_x:>{widths[1]}}  {i_y:>{widths[2]}}  {flags}".rstrip())
    return lines
