"""What recording costs with models people use: a ResNet-18 on 32 × 32 images and a GPT-2 of 124 million parameters.

    python benchmarks/deep_models.py [resnet] [gpt2] [--rows N] [--threads 1]

Weights are random. One measured epoch with binning, at the default layers, is compared with one forward pass over the
same rows in batches of 64, each in a process of its own, after both have run on a few rows. Wall time, time of the
processor and peak memory; on a busy machine only the ratio of processor times with one thread holds.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

import infoplane as ip

ROWS = {"resnet": 1000, "gpt2": 64}
N_TOKENS = 64


def make(kind: str, n: int) -> tuple[torch.nn.Module, torch.Tensor, dict]:
    """Return a model, its inputs and the options of its recording."""
    torch.manual_seed(0)
    if kind == "resnet":
        sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
        from resnet_plane import ResNet18

        return ResNet18().eval(), torch.randn(n, 3, 32, 32), {}
    import transformers

    config = transformers.GPT2Config()
    return transformers.GPT2LMHeadModel(config).eval(), torch.randint(0, 50_000, (n, N_TOKENS)), {"positions": -1}


def forward(model: torch.nn.Module, inputs: torch.Tensor) -> None:
    """One pass over the rows."""
    with torch.no_grad():
        for batch in inputs.split(64):
            model(batch)


def record(model: torch.nn.Module, inputs: torch.Tensor, options: dict) -> int:
    """One measured epoch; returns the number of layers."""
    recorder = ip.Recorder(inputs, torch.arange(len(inputs)) % 10)
    with recorder.attach(model, **options):
        recorder.step(0)
    return recorder.results().sizes["layer"]


def run_alone(kind: str, n: int, how: str) -> dict[str, float]:
    """Times and peak memory of this process."""
    model, inputs, options = make(kind, n)
    forward(model, inputs[:4])
    if how == "recorded":
        record(model, inputs[:4], options)
    wall, processor = time.perf_counter(), time.process_time()
    layers = record(model, inputs, options) if how == "recorded" else forward(model, inputs)
    times = {"wall": time.perf_counter() - wall, "processor": time.process_time() - processor}
    return times | {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "layers": layers or 0}


def processor_name() -> str:
    """Name of the processor."""
    info = Path("/proc/cpuinfo")
    names = [line for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0].partition(": ")[2] if names else platform.processor()


def main() -> None:
    """Print the ratios and the memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", choices=[*ROWS, []], default=[*ROWS])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--alone", choices=("recorded", "forward"), help="print the numbers of this process")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.alone:
        print(json.dumps(run_alone(options.models[0], options.rows, options.alone)))
        return
    print(f"{processor_name()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for kind in options.models:
        n = options.rows or ROWS[kind]
        command = [sys.executable, __file__, kind, "--rows", str(n), "--threads", str(torch.get_num_threads())]
        one, other = (
            json.loads(subprocess.run([*command, "--alone", how], check=True, capture_output=True, text=True).stdout)
            for how in ("forward", "recorded")
        )
        print(f"{kind}: {n} rows, {other['layers']} layers")
        for what in ("wall", "processor"):
            before, after = one[what], other[what]
            print(f"  {what}: forward {before:.1f} s, recorded {after:.1f} s, ratio {after / before:.2f}")
        print(f"  peak memory beyond the model's own: {(other['peak'] - one['peak']) / 2**30:.2f} GiB")


if __name__ == "__main__":
    main()
