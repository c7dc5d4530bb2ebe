"""Neighbours of a pair with one variable in many orders: the quickest way for each kind of pair."""

from collections.abc import Iterator, Sequence

import numpy as np

from infoplane.estimators._neighbors_labels import find_beside_labels, list_length_of_labels
from infoplane.estimators._neighbors_permuted import find_permuted, list_length
from infoplane.estimators._neighbors_search import Spaces, find, prefers_tree
from infoplane.estimators._neighbors_space import Labels, Space
from infoplane.estimators._neighbors_sweep import Found, Task
from infoplane.estimators.pair import Order

_WORTH_LISTS = 8
"""Orders from which lists of near samples pay."""

_TOGETHER = 10
"""Orders done in one sweep; bounds the memory of their results."""


def find_shuffled(spaces: Spaces, orders: Sequence[Order], task: Task) -> Iterator[Found]:
    """Find the neighbours with the second space in each of several orders.

    The results are those of `find`, but for the order of the samples where the first space is discrete.
    """
    x, y = spaces
    if isinstance(x, Labels) and isinstance(y, Space):
        # To move the rows of y is to move those of x the other way.
        for found in find_shuffled((y, x), [np.argsort(order) for order in orders], task):
            yield found._replace(radii=found.radii[::-1], counts=found.counts[::-1])
        return
    many = len(orders) >= _WORTH_LISTS
    if isinstance(x, Space) and isinstance(y, Labels) and (x.dims == 1 or (many and list_length_of_labels(y, task.k))):
        yield from find_beside_labels(x, y, orders, task)
    elif isinstance(x, Space) and isinstance(y, Space) and prefers_tree(spaces, task) and x.dims == y.dims == 1:
        yield from find_permuted(x, y, orders, task, 0)
    elif isinstance(x, Space) and isinstance(y, Space) and many and (length := list_length(x.n, task.k)):
        yield from find_permuted(x, y, orders, task, length)
    else:
        for start in range(0, len(orders), _TOGETHER):
            some = orders[start : start + _TOGETHER]
            yield from find([(x, y.take(order)) for order in some], task)


def moved(spaces: Spaces, order: Order) -> Spaces:
    """Return the pair with the second variable in another order, its samples as `find_shuffled` gives them."""
    x, y = spaces
    if isinstance(x, Labels) and isinstance(y, Space):
        return x.take(np.argsort(order)), y
    return x, y.take(order)
