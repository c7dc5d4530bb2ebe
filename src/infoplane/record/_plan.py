"""How a model is run on its inputs: in which batches, in how many passes, where the activations are kept."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from infoplane.errors import InputError
from infoplane.record._held import folder_with_space
from infoplane.record._progress import MODEL, PATIENCE, Progress, duration, fewer_rows, shorter_layers
from infoplane.record.sets import MeasuredSet

SHARE = 4
"""The part of ``memory`` that one batch may take, as 1 / SHARE, if batch and activations do not fit together."""

TRIAL = 32
"""Inputs on which the time of the model is taken before its pass."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How the model is run.

    Attributes:
        batch_size: inputs that the model is given at once.
        is_exact: whether the model runs on this number of inputs only.
        groups: the layers of each pass over the inputs.
        n_bytes: bytes of all activations.
        folder: folder of the temporary file for the activations; None if they are held in memory.
    """

    batch_size: int
    is_exact: bool
    groups: Sequence[Sequence[str]]
    n_bytes: int
    folder: Path | None

    def batches(self, measured: MeasuredSet) -> Iterator[tuple[slice, Any]]:
        """Yield the batches of one pass."""
        return measured.exact_batches(self.batch_size) if self.is_exact else measured.batches(self.batch_size)

    def in_words(self, n_samples: int, seconds: float) -> str:
        """Return the plan in a sentence, and what to do if it takes too long."""
        names = [name for group in self.groups for name in group]
        passes = f"{len(self.groups)} pass{'es' if len(self.groups) > 1 else ''}"
        kept = f" Activations ({self.n_bytes / 2**30:.2g} GiB) are kept in a temporary file in {self.folder}."
        short = f"layers={shorter_layers(names)} or " if len(names) > 2 else ""
        return (
            f"{len(names)} layer{'s' if len(names) > 1 else ''}, {passes} over {n_samples} inputs in batches of "
            f"{min(self.batch_size, n_samples)}, about {duration(seconds)}.{kept if self.folder else ''} Use "
            f"{short}rows={fewer_rows(n_samples)} to shorten it."
        )


def plan_passes(
    sizes: Mapping[str, int], measured: MeasuredSet, memory: int, *, per_sample: float, exact_size: int
) -> Plan:
    """Choose the batch size and where the activations are kept, so that both fit into memory.

    If the activations of all layers and one batch fit together, nothing is changed. Otherwise a batch takes at most a
    quarter of the memory, and the activations go to a temporary file if they do not fit into the rest; each layer is
    then read back alone. Only without space for the file the layers are measured in several passes.

    Args:
        sizes: bytes of the activations of each layer, for all inputs.
        measured: the inputs.
        memory: bytes.
        per_sample: bytes of one input in a batch: of the model's forward pass and of the recorded activations.
        exact_size: the only batch size that the model runs on; 0 for any.

    Raises:
        InputError: for a single layer that is larger than memory.
    """
    for name, size in sizes.items():
        if size > memory:
            _refuse_large(name, size, memory, measured.n_samples)
    total, per_sample = sum(sizes.values()), max(per_sample, 1.0)
    size = exact_size or measured.batch_size
    if total + min(size, measured.n_samples) * per_sample > memory and not exact_size:
        size = max(2, min(size, int(memory / SHARE / per_sample)))
    fits = total + min(size, measured.n_samples) * per_sample <= memory
    folder = None if fits else folder_with_space(total)
    groups = [list(sizes)] if folder is not None else _groups(sizes, memory)
    return Plan(size, bool(exact_size), groups, total, folder)


def state_plan(plan: Plan, measured: MeasuredSet, evaluate: Any, progress: Progress, per_sample: float) -> None:
    """State how long the measurement will take, if it takes long and a terminal shows it.

    Args:
        plan: how the model is run.
        measured: the inputs.
        evaluate: runs the model; its ``trial`` does so without any effect on later runs.
        progress: where it is stated.
        per_sample: seconds of one input in a small batch, which is an upper estimate.
    """
    import time

    progress.assume(MODEL, per_sample)
    if not progress.shown or progress.remaining < PATIENCE:
        return
    trial = getattr(evaluate, "trial", None)
    if trial is not None and not plan.is_exact and plan.batch_size > TRIAL:
        _, batch = next(measured.batches(TRIAL))
        start = time.monotonic()
        trial(batch)
        progress.assume(MODEL, (time.monotonic() - start) / min(TRIAL, measured.n_samples))
    progress.plan(plan.in_words(measured.n_samples, progress.remaining))
    progress.draw("running the model")


def _refuse_large(name: str, size: int, memory: int, n_samples: int) -> None:
    raise InputError(
        f"layer '{name}' needs {size / 2**30:.2g} GiB for its activations, above memory={memory} bytes; measure on "
        f'fewer inputs (rows={max(2, int(n_samples * memory / size))}), reduce it (channels="mean" or "pool" for '
        'models with channels, view="projection"), leave it out with layers=…, or raise memory'
    )


def _groups(sizes: Mapping[str, int], memory: int) -> list[list[str]]:
    """Cut the layers, in order, into groups whose activations fit into memory."""
    groups: list[list[str]] = []
    held = 0
    for name, size in sizes.items():
        if not groups or held + size > memory:
            groups.append([])
            held = 0
        groups[-1].append(name)
        held += size
    return groups
