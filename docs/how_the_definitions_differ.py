"""Make the figures of the page how-the-definitions-differ.md: one tanh and one ReLU network, six definitions.

python docs/how_the_definitions_differ.py FOLDER   # a few minutes on two cores
"""

import sys
from pathlib import Path

import infoplane as ip
from infoplane import plots
from infoplane.estimators import Binning, Exact, Kde, Noisy

DEFINITIONS = {
    "bins on [−1, 1]": Binning(edges="idnns"),
    "bins 0.07 wide": Binning(edges="width", width=0.07),
    "adaptive bins": Binning(edges="adaptive"),
    "exact rows": Exact(),
    "noise 0.001, upper bound": Kde(variance=1e-3),
    "noise 0.1, sampled": Noisy(variance=0.1),
}


def main(folder: Path) -> None:
    """Train both networks, measure them by all definitions, and draw the six planes of each network in one figure."""
    for activation in ("tanh", "relu"):
        ds = ip.run(
            "szt",
            folder / f"definitions-{activation}",
            members=1,
            model={"activation": activation},
            schedule={"kind": "log", "points": 100},
            estimators=list(DEFINITIONS.values()),
        )
        plots.save(plots.planes(ds, titles=list(DEFINITIONS)), folder / f"definitions-{activation}")
        print(f"\n{activation}: I(X;T) in bits at the start, at its peak, at the end")
        inputs = ds["information"].isel(member=0).sel(variable="input").transpose("estimator", "layer", "epoch")
        for title, layers in zip(DEFINITIONS, inputs.values, strict=True):
            print(f"| {title} | " + " | ".join(f"{t[0]:.2f} {t.max():.2f} {t[-1]:.2f}" for t in layers) + " |")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
