"""Mini-batches: fresh permutations of the rows trained on, drawn on the host for blocks of epochs."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

PERMUTED_INDICES = 2**20
"""Upper size of a block of epochs whose mini-batches are drawn together, in indices for each member."""

MAX_BLOCK = 50


def block_length(n_train: int) -> int:
    """Number of epochs whose mini-batches are drawn together; a function of the data's size alone."""
    return max(1, min(MAX_BLOCK, PERMUTED_INDICES // n_train))


def epoch_batches(
    seed: int, members: Sequence[int], block: int, train_rows: Int[np.ndarray, " row"], batch_size: int
) -> Int[np.ndarray, "epoch member place"]:
    """Rows of each mini-batch in order, for every epoch of one block and every member.

    Each epoch is a fresh permutation: 64-bit words whose upper bits are random and whose lower bits are the
    row are sorted. The last, partial mini-batch is filled up with a row that the training masks out.
    """
    n_epochs, n_rows = block_length(len(train_rows)), len(train_rows)
    bits = max(1, int(n_rows - 1).bit_length())
    filled = -(-n_rows // batch_size) * batch_size
    batches = np.full((n_epochs, len(members), filled), train_rows[0], np.int32)
    for index, member in enumerate(members):
        words = np.random.Philox(key=[seed, member], counter=[0, 0, 0, block]).random_raw(n_epochs * n_rows)
        words = words.reshape(n_epochs, n_rows)
        words <<= np.uint64(bits)
        words |= np.arange(n_rows, dtype=np.uint64)
        words.sort(axis=1)
        words &= np.uint64(2**bits - 1)
        batches[:, index, :n_rows] = train_rows[words.astype(np.int64)]
    return batches
