"""Measure a report: its size, the time to write it, and the time from opening to the first drawn plane.

    python benchmarks/report.py

The result has 50 networks, 300 measured epochs, 7 layers and 2 estimators. Its values are random walks, which compress
no better than measured values. Needs ``pip install -e '.[browser]'`` and Chromium. For comparison, the script also
opens a page that contains only Plotly, compressed in the same way, and seven dots. The time begins with the request
for the page and ends when the first plane and its curves are drawn.
"""

import argparse
import base64
import json
import os
import shutil
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import xarray as xr
from playwright.sync_api import Browser, sync_playwright
from plotly.offline import get_plotlyjs

import infoplane as ip
from infoplane import results

N_MEMBERS, N_EPOCHS, N_LAYERS = 50, 300, 7
ESTIMATORS = [{"name": "binning", "bins": 30}, {"name": "kde", "variance": 0.001}]
MOST_BYTES, MOST_SECONDS = 8_000_000, 2.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
PATIENCE = 120_000  # ms

ALONE = """<!doctype html><meta charset="utf-8"><div id="plane" style="height: 27rem"></div>
<script type="text/plain" id="plotly">{plotly}</script>
<script>(async () => {{
  const coded = atob(document.getElementById("plotly").textContent);
  const bytes = new Uint8Array(coded.length);
  for (let n = 0; n < coded.length; n++) bytes[n] = coded.charCodeAt(n);
  const opened = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = document.createElement("script");
  script.textContent = await new Response(opened).text();
  document.head.append(script);
  await Plotly.newPlot("plane", [{{ x: [1, 2, 3, 4, 5, 6, 7], y: [1, 2, 3, 4, 5, 6, 7], mode: "markers" }}]);
  performance.mark("drawn");
  document.documentElement.dataset.drawn = "yes";
}})();</script>"""


def make_result() -> xr.Dataset:
    """Return a result of random walks in the plane; a third of the values have flags."""
    generator = np.random.default_rng(0)
    names = [spec["name"] for spec in ESTIMATORS]
    shape = (len(names), N_MEMBERS, N_EPOCHS, N_LAYERS, 2)
    steps = 0.02 * np.cumsum(generator.normal(size=shape), axis=2)
    information = np.clip(np.linspace(11, 1, N_LAYERS)[:, None] * [1, 0.08] + steps * [1, 0.08], 0, [12, 1])
    epochs = np.unique(np.round(np.geomspace(1, 8000, 1000)).astype(int))
    epochs = np.concatenate([[0], epochs[np.linspace(0, len(epochs) - 1, N_EPOCHS - 1).astype(int)]])
    coords = {
        "estimator": names, "member": np.arange(N_MEMBERS), "epoch": epochs,
        "layer": [f"hidden{n}" for n in range(1, N_LAYERS)] + ["output"], "variable": list(results.VARIABLES),
    }  # fmt: skip
    flags = results.encode_flags(["saturated"]) * (generator.random(shape) < 1 / 3)
    variables = {
        "information": (results.INFORMATION_DIMS, information),
        "flags": (results.INFORMATION_DIMS, flags.astype(np.int32)),
        "member_flags": (("member",), np.zeros(N_MEMBERS, np.int32)),
    }
    config = {"name": "walks", "data": {"name": "szt"}, "estimators": ESTIMATORS}
    attributes = {
        "title": "walks", "input_entropy": 12.0, "label_entropy": 1.0, "label_information": 1.0, "n_samples": 4096,
        "config": json.dumps(config), "failed": "[]",
    }  # fmt: skip
    return results.new(coords, variables, attributes)


def write_alone(path: Path) -> Path:
    """Write a page that contains only Plotly."""
    plotly = base64.b64encode(zlib.compress(get_plotlyjs().encode(), 6)).decode()
    path.write_text(ALONE.format(plotly=plotly))
    return path


def seconds_to_open(browser: Browser, path: Path) -> tuple[float, float]:
    """Return the seconds until the document was read, and until its plane was drawn."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        page = context.new_page()
        page.goto(path.as_uri(), timeout=PATIENCE)
        page.wait_for_selector("html[data-drawn]", state="attached", timeout=PATIENCE)
        code = """[performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
            performance.getEntriesByName("drawn")[0].startTime]"""
        read, drawn = page.evaluate(code)
    finally:
        context.close()
    return read / 1000, drawn / 1000


def main() -> None:
    """Write the page, open it several times, and print its size and times with their bounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="number of times that each page is opened (default: 5)")
    rounds = parser.parse_args().rounds
    ds = make_result()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        alone = write_alone(Path(folder) / "alone.html")
        begun = time.perf_counter()
        page = ip.report(ds, Path(folder) / "report.html")
        written = time.perf_counter() - begun
        size = page.stat().st_size
        print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        print(f"written in {written:.1f} s; {size / 1e6:.2f} MB, at most {MOST_BYTES / 1e6:.0f} MB", flush=True)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split(), timeout=PATIENCE)
        times = np.array([[seconds_to_open(browser, one) for one in (page, alone)] for _ in range(rounds)])
        browser.close()
    (read, drawn), (_, base) = times.min(axis=0)
    print(
        f"read {read:.2f} s, drawn {drawn:.2f} s (median {np.median(times[:, 0, 1]):.2f} s), at most {MOST_SECONDS} s"
    )
    ratios = times[:, 0, 1] / times[:, 1, 1]
    print(
        f"Plotly alone {base:.2f} s; ratio {drawn / base:.2f} of the best, {np.median(ratios):.2f} median of the rounds"
    )


if __name__ == "__main__":
    main()
