"""Orders of the labels of a layer, and the rows on which costly estimators compare them: the same for every layer."""

from functools import lru_cache

import numpy as np
from jaxtyping import Int

SHUFFLES = 8
"""Shuffles of the labels. Their scatter is known with 7 degrees of freedom, which Student's t takes into account."""

_SHUFFLE = 0x5EED
"""Names the stream of random numbers from which shuffles are drawn."""


@lru_cache(maxsize=4)
def shuffled_orders(n: int) -> Int[np.ndarray, "order sample"]:
    """Return the rows in their own order and in `SHUFFLES` random ones, the same for every layer of n samples."""
    streams = [np.random.Philox(key=np.array([_SHUFFLE, index], np.uint64)) for index in range(SHUFFLES)]
    orders = np.stack([np.arange(n), *(np.random.Generator(stream).permutation(n) for stream in streams)])
    orders.setflags(write=False)
    return orders


def some_rows(n: int, rows: int) -> Int[np.ndarray, " row"]:
    """Return a fixed random subset of n rows, ascending; all rows if n is not larger than the subset."""
    if rows >= n:
        return np.arange(n)
    stream = np.random.Philox(key=np.array([_SHUFFLE, SHUFFLES], np.uint64))
    return np.sort(np.random.Generator(stream).choice(n, rows, replace=False, shuffle=False))
