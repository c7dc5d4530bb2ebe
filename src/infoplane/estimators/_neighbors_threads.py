"""Threads of the searches for neighbours, and of the matrix products within them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from jaxtyping import Int

from infoplane.estimators._threads import n_threads

_PAIRS = 1 << 20
"""Pairs of samples looked at together."""

_WORTH_THREADS = 50_000
"""Samples along a line from which threads pay: with fewer, steps take microseconds, and threads wait for each other."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def on_all_cores(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return what ``work`` gives for each item, done in as many threads as are to be used."""
    with ThreadPoolExecutor(max(1, min(len(items), n_threads()))) as threads:
        return list(threads.map(work, items))


def along_lines(work: Callable[[Item], Result], items: Sequence[Item], *, n: int) -> list[Result]:
    """Return what ``work`` gives for each item, where it goes through n samples along lines in many short steps."""
    return on_all_cores(work, items) if n >= _WORTH_THREADS else [work(item) for item in items]


def in_blocks(n: int, width: int, work: Callable[[Int[np.ndarray, " row"]], None]) -> None:
    """Do n rows of so many pairs each, in blocks, on all cores."""
    size = max(1, _PAIRS // width)
    on_all_cores(work, [np.arange(start, min(start + size, n)) for start in range(0, n, size)])


_limited = threading.Lock()


@contextmanager
def one_blas_thread(*, needed: bool) -> Iterator[None]:
    """Let matrix products, where there are any, use one thread while several of ours run.

    The products of each of our threads would else bring threads of their own, which stand in each other's way. The
    limit holds for the process. Only the first to enter sets it, and the same thread takes it off: OpenBLAS takes
    numbers of threads from the main thread only, so elsewhere the limit has no effect.
    """
    if not needed or not _limited.acquire(blocking=False):
        yield
        return
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        _limited.release()
