"""The first import of JAX, without a trace in NumPy's global random state."""

import contextlib
import sys
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Give back NumPy's global random state if the block imports JAX for the first time."""
    if "jax" in sys.modules:
        yield
        return
    state = np.random.get_state()
    try:
        yield
    finally:
        np.random.set_state(state)


def import_jax() -> None:
    """Import JAX and give back NumPy's global random state.

    One module of JAX draws five numbers from this state when it is imported (``jax/_src/clusters/k8s_cluster.py``),
    which would change the next mini-batches of a training that uses it.
    """
    with random_state_kept():
        import jax  # noqa: F401
