"""Gaussian kernels between some rows of a layer and all of them, summed over the rows of each class."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from infoplane.estimators._label_orders import some_rows
from infoplane.estimators._neighbors_threads import one_blas_thread
from infoplane.estimators._pairs_rows import PIECE, Rows

ENTRIES = 1 << 21
"""Entries of the kernel that are held at a time: 16 MiB."""

DENSE = 32
"""Classes up to which a product of matrices is the fastest sum."""

DIRECT = 1e10
"""Factor of the squared distance from which differences are taken coordinate by coordinate: the expanded square of
points in the unit ball has an error of 1e-16."""


def query_blocks(n: int, rows: int) -> Iterator[Int[np.ndarray, " query"]]:
    """Iterate over a subset of n rows in blocks."""
    queries = some_rows(n, rows)
    step = max(1, ENTRIES // n)
    with one_blas_thread(needed=True):  # idle BLAS threads keep spinning and slow down the next pass
        for start in range(0, len(queries), step):
            yield queries[start : start + step]


def products(
    points: Rows, vectors: Float[np.ndarray, "query dim"], squares: Float[np.ndarray, " query"] | None, factor: float
) -> Float[np.ndarray, "query sample"]:
    """Return ``factor`` × ‖v − t‖² for every row t of points in the unit ball; without ``squares`` × v·t."""
    from scipy.spatial.distance import cdist

    parts = []
    for start in range(0, points.shape[0], PIECE):
        some = points[start : start + PIECE]
        if squares is None:
            parts.append(vectors @ some.T)
        elif factor > DIRECT:
            parts.append(cdist(vectors, some, "sqeuclidean"))
        else:
            parts.append(np.maximum(squares[:, None] + np.einsum("sd,sd->s", some, some) - 2 * vectors @ some.T, 0))
    return factor * np.concatenate(parts, axis=1)


def squared_distances(
    points: Rows, queries: Int[np.ndarray, " query"], factor: float
) -> Float[np.ndarray, "query sample"]:
    """Return ``factor`` × squared distance of some rows to all rows; exactly 0 to itself."""
    own = points[queries]
    scaled = products(points, own, np.einsum("sd,sd->s", own, own), factor)
    scaled[np.arange(len(queries)), queries] = 0
    return scaled


def class_sums(
    kernel: Float[np.ndarray, "query sample"], labels: Int[np.ndarray, "order sample"], n_classes: int
) -> Float[np.ndarray, "order query label"]:
    """Sum each row of the kernel over the samples of each class, for several arrays of labels in one product."""
    from scipy.sparse import csr_array

    n_orders, n = labels.shape
    columns = (labels + n_classes * np.arange(n_orders)[:, None]).ravel()
    if n_classes <= DENSE:
        members = np.zeros((n, n_orders * n_classes), kernel.dtype)
        members[np.tile(np.arange(n), n_orders), columns] = 1
        sums = kernel @ members
    else:
        ones = np.ones(columns.size, kernel.dtype)
        rows = np.tile(np.arange(n), n_orders)
        sums = kernel @ csr_array((ones, (rows, columns)), shape=(n, n_orders * n_classes))
    return sums.reshape(len(kernel), n_orders, n_classes).transpose(1, 0, 2)
