"""How many threads an estimator may use."""

import os

from infoplane.errors import ConfigError


def n_threads() -> int:
    """Return the threads to use: ``INFOPLANE_THREADS`` where it is set, as workers of a run do, else one a core.

    Cores that this process may not use do not count, as on a shared node of a cluster.

    Raises:
        ConfigError: where ``INFOPLANE_THREADS`` is no number of threads.
    """
    said = os.environ.get("INFOPLANE_THREADS")
    if not said:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not said.isdecimal() or int(said) < 1:
        raise ConfigError(f"INFOPLANE_THREADS is '{said}'; expected a number of threads, at least 1")
    return int(said)
