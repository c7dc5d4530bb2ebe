"""Make the table and the figure of the page which-epochs.md: compare each schedule with measuring every epoch.

python docs/which_epochs.py FOLDER   # about half an hour on two cores; existing runs are resumed

The script measures one tanh member by kernel density and by bins, and an ensemble of 50 members by bins, at every
epoch. It then compares each schedule with these values. For the single member it also runs the schedules, to measure
their wall time.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

import infoplane as ip
from infoplane import plots, schedules
from infoplane.plots import style

HEADING = (
    "run",
    "schedule",
    "points",
    "epochs per point",
    "largest step",
    "largest open step",
    "largest unseen",
    "epochs off by more than delta",
    "seconds measuring",
    "seconds in all",
)
DELTA = 0.02
KDE, BINS = {"name": "kde", "variance": 0.001}, {"name": "binning", "edges": "idnns"}
RUNS = {
    "one member, kde": {"members": 1, "estimators": [KDE]},
    "one member, bins": {"members": 1, "estimators": [BINS]},
    "50 members, bins": {"members": 50, "estimators": [BINS]},
}
TIMED = ("one member, kde", "one member, bins")


def schedules_of(last: int, points: int) -> dict[str, tuple[Any, dict[str, Any] | None]]:
    """Return each schedule with its keys; fixed schedules also with the number of points of `delta-exact`."""
    stride = schedules.Every(max(1, last // points))
    grid = min((schedules.Log(n) for n in range(2, 4000)), key=lambda one: abs(len(one.epochs(last)) - points))
    return {
        "every(1)": (schedules.Every(1), None),
        f"delta-exact({DELTA})": (schedules.DeltaExact(DELTA), {"kind": "delta-exact", "delta": DELTA}),
        f"delta-exact({DELTA}, max_skip=16)": (schedules.DeltaExact(DELTA, max_skip=16), None),
        f"delta-exact({DELTA}, quantile=0.9)": (schedules.DeltaExact(DELTA, quantile=0.9), None),
        f"delta-approx({DELTA})": (schedules.DeltaApprox(DELTA), {"kind": "delta-approx", "delta": DELTA}),
        f"delta-approx({DELTA}, fall)": (schedules.DeltaApprox(DELTA, fall=True), None),
        "log(400)": (schedules.Log(), {"kind": "log"}),
        f"log({grid.points})": (grid, None),
        "piecewise": (schedules.Piecewise(), {"kind": "piecewise"}),
        f"every({stride.n})": (stride, None),
    }


def main(folder: Path) -> None:
    """Run the missing schedules, print the table, and write the table and the figure next to this file."""
    here = Path(__file__).parent
    lines = []
    for name, keys in RUNS.items():
        place = folder / name.replace(" ", "-").replace(",", "")
        every = _run(place / "every", keys, {"kind": "every", "n": 1})
        lines += list(_lines(name, every, place, keys))
        if name == "one member, kde":
            plots.save(_picture(every), here / "images" / "which-epochs")
    with (here / "results" / "which-epochs.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADING, *lines])
    for line in [HEADING, ("---",) * len(HEADING), *lines]:
        print("| " + " | ".join(line) + " |")


def _run(folder: Path, keys: dict[str, Any], schedule: dict[str, Any]) -> Any:
    if (folder / "results.nc").exists():
        return ip.load(folder)
    if (folder / "run.json").exists():
        return ip.resume(folder)
    return ip.run("szt", folder, schedule=schedule, measure={"parts": ["all"], "sparse": []}, **keys)


def _curves(ds: Any) -> tuple[np.ndarray, tuple[float, float]]:
    ordered = ds["information"].transpose("estimator", "member", "epoch", "layer", "variable")
    return ordered.values, (ds.attrs["input_entropy"], ds.attrs["label_entropy"])


def _chosen(schedule: Any, curves: np.ndarray, entropies: tuple[float, float]) -> list[int]:
    """Return the epochs that a schedule measures, given the values of every epoch."""
    last = curves.shape[2] - 1
    if hasattr(schedule, "epochs"):
        return schedule.epochs(last).tolist()
    planner = schedule.planner(last, entropies)
    while not planner.done:
        for epoch in planner.wanted():
            planner.tell(epoch, curves[:, :, epoch])
    return list(planner.measured)


def _lines(name: str, every: Any, place: Path, keys: dict[str, Any]) -> Any:
    curves, entropies = _curves(every)
    last = curves.shape[2] - 1
    points = len(_chosen(schedules.DeltaExact(DELTA), curves, entropies))
    for label, (schedule, asked) in schedules_of(last, points).items():
        if "quantile" in label and keys["members"] == 1:
            continue
        chosen = _chosen(schedule, curves, entropies)
        seen = schedules.coverage(curves, chosen, entropies)
        beyond = int((schedules.deviations(curves, chosen, entropies) > DELTA).sum())
        folder = place / "every" if label == "every(1)" else None
        if asked is not None and name in TIMED:
            folder = place / asked["kind"]
            ds = _run(folder, keys, asked)
            assert ds["epoch"].values.tolist() == chosen, f"{name}: {label} measured other epochs than expected"
            assert ds["information"].equals(every["information"].sel(epoch=chosen)), f"{name}: {label} has other values"
        shares = [f"{value:.3f}" for value in (seen.largest_step, seen.largest_open_step, seen.largest_unseen)]
        per_point = f"{curves.shape[2] / seen.points:.1f}"
        yield (name, label, str(seen.points), per_point, *shares, str(beyond), *_seconds(folder))


def _seconds(folder: Path | None) -> tuple[str, str]:
    """Return the measuring time, summed over threads, and the total wall time, from the log of the run."""
    if folder is None:
        return "", ""
    events = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    measuring = sum(event["seconds"].get("measuring", 0) for event in events if "seconds" in event)
    starts = [event["time"] for event in events if event["event"] == "start"]
    ends = [event["time"] for event in events if event["event"] == "done"]
    return f"{measuring:.1f}", f"{ends[-1] - starts[0]:.1f}" if len(starts) == 1 else ""


def _picture(every: Any) -> Any:
    """Draw I(X;T) of one layer at every epoch, and the points that three schedules measure."""
    curves, entropies = _curves(every)
    layer = list(every["layer"].values).index("hidden5")
    line = curves[0, 0, :, layer, 0]
    shown = {
        f"delta-exact, δ = {DELTA}": schedules.DeltaExact(DELTA),
        f"delta-approx, δ = {DELTA}": schedules.DeltaApprox(DELTA),
        "log, 400 points asked for": schedules.Log(),
    }
    figure = style.new_figure(style.DOUBLE, 4.6)
    panels = figure.subplots(len(shown), 1, sharex=True, sharey=True)
    for ax, (title, schedule) in zip(panels, shown.items(), strict=True):
        chosen = _chosen(schedule, curves, entropies)
        style.dress(ax, "epoch" if ax is panels[-1] else "", "I(X;T) of hidden5 [bits]" if ax is panels[1] else "")
        style.epoch_axis(ax, len(line) - 1)
        ax.plot(np.arange(len(line)), line, color=style.FAINT, linewidth=0.5)
        ax.plot(chosen, line[chosen], "o", markersize=1.6, color=style.LAYER_COLOURS[3])
        ax.set_title(f"{title}: {len(chosen)} of {len(line)} epochs", loc="left", fontsize=style.SMALL)
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/which-epochs"))
