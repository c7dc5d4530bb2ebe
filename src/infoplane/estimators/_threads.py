"""How many threads an estimator may use."""

import os


def n_threads() -> int:
    """Return the threads to use: ``INFOPLANE_THREADS`` where it is set, as workers of a run do, else one a core."""
    return int(os.environ.get("INFOPLANE_THREADS") or os.cpu_count() or 1)
