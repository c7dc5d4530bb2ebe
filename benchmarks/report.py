"""What a report costs: its size, the time to write it, and the time a browser takes from asking to the first plane drawn.

    python benchmarks/report.py

A made-up result of 50 networks, 300 measured epochs, 7 layers and 2 estimators, with flags: numbers with full
mantissas, which compress worse than measured ones do. Needs ``pip install '.[browser]'`` and Chromium. The page with
Plotly alone holds the same compressed Plotly and draws the same first panel from 7 points; both are opened in turns.
"""

import argparse
import base64
import json
import os
import shutil
import statistics
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import plotly.offline
from playwright.sync_api import Browser, sync_playwright

import infoplane as ip
from infoplane import results

N_MEMBERS, N_EPOCHS, N_LAYERS = 50, 300, 7
ESTIMATORS = [{"name": "binning", "bins": 30, "edges": "idnns"}, {"name": "kde", "noise": {"kind": "fixed", "value": 0.1}}]
MOST_BYTES, MOST_SECONDS = 8_000_000, 2.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

ALONE = """<!doctype html><meta charset="utf-8"><div id="plane" style="height: 27rem"></div>
<script type="text/plain" id="plotly">{plotly}</script>
<script>(async () => {{
  const bytes = Uint8Array.from(atob(document.getElementById("plotly").textContent), (letter) => letter.charCodeAt(0));
  const opened = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const script = document.createElement("script");
  script.textContent = await new Response(opened).text();
  document.head.append(script);
  await Plotly.newPlot("plane", [{{ x: [1, 2, 3, 4, 5, 6, 7], y: [1, 2, 3, 4, 5, 6, 7], mode: "markers" }}]);
  performance.mark("drawn");
  document.documentElement.dataset.drawn = "yes";
}})();</script>"""


def make_result() -> "ip.results.xr.Dataset":
    raise NotImplementedError
