"""Measure wide networks: 784-1024-20-20-20-10 on 28 × 28 images, gradient descent with batches of 128.

    python benchmarks/images.py                    # training rates as ratios, about two minutes
    python benchmarks/images.py member FOLDER      # one saxe-mnist member on MNIST: 100 epochs, 20 measured
    python benchmarks/images.py memory [ROWS]      # peak memory of one member on ROWS synthetic images (240 000)

Rates are examples per second of one network, after compilation, on synthetic images (the time does not depend on the
content). PyTorch (the faster of one thread per core and a single thread) and infoplane alternate in separate processes,
so that other load affects both.
"""

import itertools
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN, BATCH, RATE, N_TRAIN, N_CLASSES = (1024, 20, 20, 20), 128, 1e-3, 12_800, 10
ROUNDS = 5


def images() -> tuple[np.ndarray, np.ndarray]:
    """Return synthetic images with labels."""
    rng = np.random.default_rng(0)
    return rng.random((N_TRAIN, 784), np.float32), rng.integers(0, N_CLASSES, N_TRAIN)


class Torch:
    """A plain PyTorch loop over one network; under load, a single thread may be faster than one per core."""

    def __init__(self, threads: int = 0) -> None:
        import torch

        torch.manual_seed(0)
        torch.set_num_threads(threads or torch.get_num_threads())
        self.torch, (x, y) = torch, images()
        self.x, self.y = torch.from_numpy(x), torch.from_numpy(y)
        sizes = (784, *HIDDEN)
        layers = [part for a, b in itertools.pairwise(sizes) for part in (torch.nn.Linear(a, b), torch.nn.Tanh())]
        self.model = torch.nn.Sequential(*layers, torch.nn.Linear(HIDDEN[-1], N_CLASSES))
        self.optimiser = torch.optim.SGD(self.model.parameters(), RATE)
        self.loss = torch.nn.CrossEntropyLoss()

    def epoch(self) -> int:
        """Train an epoch and return the number of examples."""
        for rows in self.torch.randperm(N_TRAIN).split(BATCH):
            self.optimiser.zero_grad()
            self.loss(self.model(self.x[rows]), self.y[rows]).backward()
            self.optimiser.step()
        return N_TRAIN


class Infoplane:
    """A group of networks, trained as in a run."""

    def __init__(self, members: int) -> None:
        import jax

        from infoplane.nets.mlp import draw_weights
        from infoplane.nets.network import network
        from infoplane.nets.shapes import Dense
        from infoplane.nets.train import Group, Trainer, make_optimiser

        (x, y), shape = images(), Dense([784, *HIDDEN, N_CLASSES])
        optimiser = make_optimiser("sgd", RATE, flat=False)
        made: dict[str, Any] = {
            "network": network(shape, "tanh"),
            "optimiser": optimiser,
            "batch_size": BATCH,
            "seed": 0,
        }
        trainer = Trainer(x.T, y, np.arange(N_TRAIN), np.zeros(0, np.int64), **made)
        self.group = Group(trainer, range(members), jax.devices()[0])
        self.state = self.group.start(draw_weights(shape.kernels, "keras", "keras", 0, range(members)))
        self.at = 0

    def epoch(self) -> int:
        """Train an epoch of every member and return the number of examples."""
        self.state, progress = self.group.advance(self.state, self.at, self.at + 1, 10)
        self.at += 1
        return N_TRAIN * progress.train_loss.size


KINDS = {"torch": Torch, "torch1": lambda: Torch(1), "member1": lambda: Infoplane(1), "member5": lambda: Infoplane(5)}


def serve(kind: str) -> None:
    """Train an epoch for each input line, and print the examples per second."""
    nets = KINDS[kind]()
    nets.epoch()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        print(nets.epoch() / (time.perf_counter() - start), flush=True)


def compare() -> None:
    """Alternate the programs and print the medians of the ratios of all rounds."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    started = {kind: subprocess.Popen([sys.executable, __file__, kind], **pipes) for kind in KINDS}
    talk = {kind: (child.stdin, child.stdout) for kind, child in started.items()}
    for _, answers in talk.values():
        assert answers is not None
        answers.readline()
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for _ in range(ROUNDS):
        for kind, (ask, answers) in talk.items():
            assert ask is not None
            assert answers is not None
            ask.write("epoch\n")
            rates[kind].append(float(answers.readline()))
    for child in started.values():
        child.communicate("")
    for kind, found in rates.items():
        print(f"{kind}: {np.median(found):.0f} examples/s (best {max(found):.0f})")
    for over, under, target in (("member1", "torch", 1.5), ("member5", "torch", 1.5), ("member5", "member1", 1.0)):
        least = np.maximum(rates["torch"], rates["torch1"]) if under == "torch" else rates[under]
        ratios = np.divide(rates[over], least)
        met = "met" if np.median(ratios) >= target else "NOT met"
        told = f"{min(ratios):.2f} to {max(ratios):.2f}; target {target}: {met}"
        print(f"{over} / {under}: {np.median(ratios):.2f} ({told})")


def member(folder: str) -> None:
    """Time one saxe-mnist member: 100 epochs, 20 of them measured by both estimators on 10 000 test images."""
    import infoplane as ip

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        ds = ip.run(
            "saxe-mnist",
            place + "/run",
            members=1,
            variants=[],
            data={"path": folder},
            train={"epochs": 100},
            schedule={"kind": "list", "epochs": list(range(5, 96, 5))},
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds = time.perf_counter() - start
    print(f"{ds.sizes['epoch']} epochs measured in {seconds:.0f} s (target 480), {peak:.2f} GiB at the peak")


def memory(rows: int) -> None:
    """Train one member for an epoch, measure it by bins on all synthetic images, and print the peak memory.

    Up to 70 000 images are also measured with Gaussian noise; the pairs of 240 000 images would take an hour.
    """
    import infoplane as ip

    rng, start = np.random.default_rng(0), time.perf_counter()
    classes = rng.integers(0, N_CLASSES, rows).astype(np.uint8)
    means = rng.integers(0, 128, (N_CLASSES, 28, 28), np.uint8)
    with tempfile.TemporaryDirectory() as place:
        with (Path(place) / "train-images-idx3-ubyte").open("wb") as file:
            file.write(struct.pack(">HBB3I", 0, 8, 3, rows, 28, 28))
            for of in np.array_split(classes, max(rows // 5000, 1)):
                file.write((means[of] + rng.integers(0, 128, (len(of), 28, 28), np.uint8)).tobytes())
        labels = struct.pack(">HBBI", 0, 8, 1, rows) + classes.tobytes()
        (Path(place) / "train-labels-idx1-ubyte").write_bytes(labels)
        bins = {"name": "binning", "edges": "width", "width": 0.5}
        ds = ip.run(
            "images",
            place + "/run",
            members=1,
            variants=[],
            data={"name": "idx", "path": place},
            train={"epochs": 1},
            schedule={"kind": "list", "epochs": [1]},
            measure={"rows": None, "parts": ["all"]},
            estimators=[bins, {"name": "kde", "variance": 0.1}] if rows <= 70_000 else [bins],
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    seconds, by = time.perf_counter() - start, " and ".join(map(str, ds["estimator"].values))
    print(f"{ds.attrs['n_samples']} rows by {by}: {peak:.2f} GiB at the peak (target 3), {seconds:.0f} s")


if __name__ == "__main__":
    if sys.argv[1:2] == ["member"]:
        member(sys.argv[2])
    elif sys.argv[1:2] == ["memory"]:
        memory(int(sys.argv[2]) if len(sys.argv) > 2 else 240_000)
    elif len(sys.argv) > 1:
        serve(sys.argv[1])
    else:
        compare()
