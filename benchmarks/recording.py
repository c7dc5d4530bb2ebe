"""Compare recording with training: time of a measured epoch over time of a training epoch, and peak memory.

    python benchmarks/recording.py

A 784-1024-20-20-20-10 network of PyTorch, SGD with batches of 128 on 60 000 synthetic rows; its 9 modules (Linear and
ReLU) are recorded on 10 000 inputs with binning. Both times are measured in one process, alternating; peak memory is
measured in separate processes with and without a recorder.
"""

import argparse
import itertools
import resource
import subprocess
import sys
import time

import numpy as np
import torch
from torch import nn

from infoplane.record import Recorder

WIDTHS = (784, 1024, 20, 20, 20, 10)
N_TRAINING, N_MEASURED, BATCH = 60_000, 10_000, 128


def make_model() -> nn.Sequential:
    """Return a fully connected network without an activation after the last layer."""
    torch.manual_seed(0)
    pairs = itertools.pairwise(WIDTHS)
    return nn.Sequential(*[module for pair in pairs for module in (nn.Linear(*pair), nn.ReLU())][:-1])


def make_data() -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows of ten classes, noisy copies of the class means, as float32."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (N_TRAINING,), generator=generator)
    inputs = torch.randn(N_TRAINING, WIDTHS[0], generator=generator)
    means = 0.2 * torch.randn(10, WIDTHS[0], generator=generator)
    for start in range(0, N_TRAINING, BATCH):  # in blocks, to keep the peak memory low
        inputs[start : start + BATCH] += means[labels[start : start + BATCH]]
    return inputs, labels


def train_one_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, x: torch.Tensor, y: torch.Tensor) -> None:
    """Train one pass over the rows in random order."""
    for rows in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
        optimizer.step()


def fit(epochs: int, record: bool) -> tuple[list[float], list[float], int]:
    """Train and record; return the seconds of each training epoch and measurement, and the peak memory in bytes."""
    model, (x, y) = make_model(), make_data()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    training: list[float] = []
    recording: list[float] = []
    recorder = Recorder(x[:N_MEASURED], y[:N_MEASURED], "binning", "every") if record else None
    for epoch in range(epochs):
        start = time.perf_counter()
        train_one_epoch(model, optimizer, x, y)
        training.append(time.perf_counter() - start)
        if recorder is not None:
            start = time.perf_counter()
            with recorder.attach(model):
                recorder.step(epoch)
            recording.append(time.perf_counter() - start)
    return training, recording, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_memory(record: bool) -> int:
    """Return the peak memory in bytes of a process that trains for two epochs."""
    command = [sys.executable, __file__, "--peak", "recorded" if record else "alone"]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print the ratio and the memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--peak", choices=("recorded", "alone"), help="print only the peak memory of this process")
    options = parser.parse_args()
    if options.peak:
        print(fit(2, options.peak == "recorded")[2])
        return
    # first, while this process is small: on Linux a new process inherits the peak of its parent
    extra = (peak_memory(True) - peak_memory(False)) / 1e6
    training, recording, _ = fit(options.epochs, record=True)
    ratios = np.divide(recording, training)
    print(f"training epoch {np.median(training):.2f} s, recording {np.median(recording):.2f} s")
    best = min(recording) / min(training)
    print(f"recording / training: median {np.median(ratios):.2f}, of the best times {best:.2f} (below 1)")
    print(f"extra peak memory: {extra:.0f} MB (below 500)")


if __name__ == "__main__":
    main()
