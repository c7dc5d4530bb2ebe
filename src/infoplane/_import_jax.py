"""The import of JAX: without a trace in NumPy's global random state, and not in a fork of a process that used it."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any

from infoplane.errors import InfoplaneError

_process = {"forked": False}
"""Whether this process is a fork of one in which JAX had started."""


def _after_fork() -> None:
    bridge = sys.modules.get("jax._src.xla_bridge")
    if bridge is not None and getattr(bridge, "_backends", True):  # its public function takes a lock, which may be held
        _process["forked"] = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def check_process() -> None:
    """Refuse a fork of a process that had used JAX: without its threads the first computation would wait forever.

    Raises:
        InfoplaneError: names the remedy.
    """
    if _process["forked"]:
        raise InfoplaneError(
            "process: expected one in which JAX can start, got a fork of a process that had used JAX. "
            "Start it with multiprocessing.get_context('spawn')."
        )


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Give back NumPy's global random state if the block imports JAX for the first time."""
    if "jax" in sys.modules:
        yield
        return
    import numpy as np

    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def import_jax() -> None:
    """Import JAX and give back NumPy's global random state.

    One module of JAX draws five numbers from this state when it is imported (``jax/_src/clusters/k8s_cluster.py``),
    which would change the next mini-batches of a training that uses it.

    Raises:
        InfoplaneError: see `check_process`.
    """
    check_process()
    with random_state_kept():
        import jax  # noqa: F401


def precision(double: bool) -> Any:
    """Return the context in which JAX keeps float64, or turns it into float32; each thread needs its own."""
    import_jax()
    import jax

    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(double)
    from jax.experimental import enable_x64  # pyright: ignore[reportAttributeAccessIssue]

    return enable_x64(double)
