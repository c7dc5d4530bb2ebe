"""The first import of JAX, without a trace in NumPy's global random state."""

import sys

import numpy as np


def import_jax() -> None:
    """Import JAX and give back NumPy's global random state.

    One module of JAX draws five numbers from this state when it is imported (``jax/_src/clusters/k8s_cluster.py``),
    which would change the next mini-batches of a training that uses it.
    """
    if "jax" not in sys.modules:
        state = np.random.get_state()
        try:
            import jax  # noqa: F401
        finally:
            np.random.set_state(state)
