"""Measure the training speed on the 12-bit task, as ratios to plain PyTorch, to Keras and to one device.

    python benchmarks/training.py            # everything, about three minutes
    python benchmarks/training.py members50  # one row

Each row runs in a separate process on the same task: 12-10-7-5-4-3-2, tanh, Adam 4e-4, batch 256, 3277 rows.
A rate is net-epochs per second after compilation. Rows with a missing package are left out.
"""

import importlib.util
import itertools
import os
import subprocess
import sys
import time

import numpy as np

HIDDEN, BATCH, RATE, N_TRAIN = (10, 7, 5, 4, 3), 256, 4e-4, 3277


def infoplane_rate(members: int, epochs: int, n_devices: int, group_width: int = 25) -> float:
    """Return the net-epochs per second of infoplane, with one thread per device."""
    import threading

    import jax

    jax.config.update("jax_num_cpu_devices", n_devices)
    from infoplane.runs.config import parse
    from infoplane.runs.group import GroupRun, make_trainer
    from infoplane.runs.plan import Plan

    plan = Plan(parse({"members": members, "group_width": group_width, "train": {"epochs": epochs}}))
    trainer = make_trainer(plan)
    ready = threading.Barrier(n_devices + 1)

    def work(device: jax.Device, mine: list[int]) -> None:
        runs = [GroupRun(plan, trainer, group, device) for group in mine]
        states = [run.nets.start(run._initial_weights()) for run in runs]
        runs[0].nets.advance(states[0], 0, 1, 10)
        ready.wait()
        for run, state in zip(runs, states, strict=True):
            epoch = 0
            while epoch < epochs:
                state, progress = run.nets.advance(state, epoch, epochs, 10)
                epoch += len(progress.train_loss)
        ready.wait()

    groups = list(range(len(plan.config.groups)))
    shares = zip(jax.devices()[:n_devices], (groups[index::n_devices] for index in range(n_devices)), strict=True)
    for device, mine in shares:
        threading.Thread(target=work, args=(device, mine)).start()
    ready.wait()
    start = time.perf_counter()
    ready.wait()
    return members * epochs / (time.perf_counter() - start)


def torch_rate(epochs: int = 40) -> float:
    """Return the net-epochs per second of a plain PyTorch loop over one network."""
    import torch

    torch.manual_seed(0)
    x, y = (torch.from_numpy(part) for part in _task())
    sizes = (12, *HIDDEN)
    layers = [part for a, b in itertools.pairwise(sizes) for part in (torch.nn.Linear(a, b), torch.nn.Tanh())]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 2))
    optimiser, loss = torch.optim.Adam(model.parameters(), RATE), torch.nn.CrossEntropyLoss()

    def train(n: int) -> None:
        for _ in range(n):
            for rows in torch.randperm(N_TRAIN).split(BATCH):
                optimiser.zero_grad()
                loss(model(x[rows]), y[rows]).backward()
                optimiser.step()

    return _rate(train, epochs)


def keras_rate(epochs: int = 40) -> float:
    """Return the net-epochs per second of Keras ``fit`` on its JAX back end."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    x, y = _task()
    model = keras.Sequential(
        [*(keras.layers.Dense(n, activation="tanh") for n in HIDDEN), keras.layers.Dense(2, activation="softmax")]
    )
    model.compile(keras.optimizers.Adam(RATE), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return _rate(lambda n: model.fit(x, y, batch_size=BATCH, epochs=n, verbose=0), epochs)


def _task() -> tuple[np.ndarray, np.ndarray]:
    from infoplane.data import szt

    dataset = szt()
    return dataset.inputs[:N_TRAIN], dataset.labels[:N_TRAIN]


def _rate(train, epochs: int) -> float:
    train(3)
    start = time.perf_counter()
    train(epochs)
    return epochs / (time.perf_counter() - start)


ROWS = {
    "members50": ("infoplane, 50 members in groups of 25, two devices", lambda: infoplane_rate(50, 1500, 2)),
    "members50-one": ("infoplane, 50 members in groups of 25, one device", lambda: infoplane_rate(50, 1000, 1)),
    "member1": ("infoplane, one member", lambda: infoplane_rate(1, 4000, 1, 1)),
    "torch": ("plain PyTorch loop, one network", torch_rate),
    "keras": ("Keras fit on JAX, one network", keras_rate),
}
NEEDS = {"torch": "torch", "keras": "keras"}


def main() -> None:
    """Run every row in a fresh process and print the ratios."""
    rates: dict[str, float] = {}
    for name, (title, _) in ROWS.items():
        if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
            print(f"{title}: not installed, left out")
            continue
        done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
        rates[name] = float(done.stdout.split()[-1])
        print(f"{title}: {rates[name]:.0f} net-epochs/s", flush=True)
    for over, under, target in (
        ("members50", "torch", 30),
        ("members50", "keras", 30),
        ("members50", "members50-one", 1.6),
        ("member1", "torch", 8),
        ("member1", "keras", 8),
    ):
        if over in rates and under in rates:
            ratio = rates[over] / rates[under]
            print(f"{over} / {under}: {ratio:.2f} (target {target}: {'met' if ratio >= target else 'NOT met'})")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(ROWS[sys.argv[1]][1]())
    else:
        main()
