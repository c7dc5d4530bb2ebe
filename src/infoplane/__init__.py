"""Measure the information inside a neural network, layer by layer, while it trains.

    >>> import infoplane as ip
    >>> ds = ip.run("szt", quick=True)  # doctest: +SKIP
    >>> ip.plot_plane(ds)  # doctest: +SKIP

All information is in bits. Names are loaded when they are first used, so that importing the package is quick.
"""

import importlib
from typing import TYPE_CHECKING, Any

from infoplane import _import_jax as _import_jax  # follows forks of this process from here on
from infoplane.errors import ConfigError, InfoplaneError, InputError, StoreError

if TYPE_CHECKING:
    from infoplane import data as datasets
    from infoplane.estimators import Estimate, LayerInformation, entropy, layer_information, list_estimators
    from infoplane.estimators.as_if_random import as_if_random
    from infoplane.estimators.flags import explain
    from infoplane.estimators.gaussian_encoder import gaussian_encoder
    from infoplane.estimators.mutual import mutual_information
    from infoplane.experiments import resume, run
    from infoplane.experiments.claims import claims
    from infoplane.experiments.overview import show
    from infoplane.experiments.own import plane
    from infoplane.plots import animate
    from infoplane.plots import plane as plot_plane
    from infoplane.record import Recorder, load
    from infoplane.record.checkpoints import measure_checkpoints
    from infoplane.record.ensemble import ensemble
    from infoplane.reports import report
    from infoplane.truth.bottleneck import ib_curve

__all__ = [
    "ConfigError",
    "Estimate",
    "InfoplaneError",
    "InputError",
    "LayerInformation",
    "Recorder",
    "StoreError",
    "animate",
    "as_if_random",
    "claims",
    "datasets",
    "ensemble",
    "entropy",
    "explain",
    "gaussian_encoder",
    "ib_curve",
    "layer_information",
    "list_estimators",
    "load",
    "measure_checkpoints",
    "mutual_information",
    "plane",
    "plot_plane",
    "report",
    "resume",
    "run",
    "show",
]

_HOME = {  # where each public name lives; "module:name" where it has another name there
    "Estimate": "infoplane.estimators",
    "LayerInformation": "infoplane.estimators",
    "Recorder": "infoplane.record",
    "animate": "infoplane.plots",
    "as_if_random": "infoplane.estimators.as_if_random",
    "claims": "infoplane.experiments.claims",
    "ensemble": "infoplane.record.ensemble",
    "entropy": "infoplane.estimators",
    "explain": "infoplane.estimators.flags",
    "gaussian_encoder": "infoplane.estimators.gaussian_encoder",
    "ib_curve": "infoplane.truth.bottleneck",
    "layer_information": "infoplane.estimators",
    "list_estimators": "infoplane.estimators",
    "load": "infoplane.record",
    "mutual_information": "infoplane.estimators.mutual",
    "measure_checkpoints": "infoplane.record.checkpoints",
    "plane": "infoplane.experiments.own",
    "plot_plane": "infoplane.plots:plane",
    "report": "infoplane.reports",
    "resume": "infoplane.experiments",
    "run": "infoplane.experiments",
    "show": "infoplane.experiments.overview",
}


def __getattr__(name: str) -> Any:
    if name == "datasets":
        return importlib.import_module("infoplane.data")
    if name in _HOME:
        module, _, inner = _HOME[name].partition(":")
        return getattr(importlib.import_module(module), inner or name)
    raise AttributeError(f"module 'infoplane' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
