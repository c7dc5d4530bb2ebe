"""Threads of the searches, and the limit on those of matrix products."""

import threading

from threadpoolctl import threadpool_info

from infoplane.estimators._neighbors_threads import along_lines, in_blocks, on_all_cores, one_blas_thread


def blas_threads():
    """Threads of each BLAS library that is loaded."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_results_come_in_the_order_of_the_items():
    assert on_all_cores(lambda item: item**2, range(7)) == [0, 1, 4, 9, 16, 25, 36]


def test_short_steps_are_done_in_the_calling_thread():
    assert set(along_lines(lambda _: threading.get_ident(), range(3), n=10_000)) == {threading.get_ident()}
    assert threading.get_ident() not in along_lines(lambda _: threading.get_ident(), range(3), n=1_000_000)


def test_blocks_hold_each_row_once(monkeypatch):
    monkeypatch.setattr("infoplane.estimators._neighbors_threads._PAIRS", 30)
    seen = []
    in_blocks(11, 10, lambda rows: seen.append(rows.tolist()))
    assert sorted(seen) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10]]


def test_matrix_products_use_one_thread_inside_and_what_they_had_after():
    before = blas_threads()
    with one_blas_thread(needed=True):
        assert set(blas_threads()) == {1}
    assert blas_threads() == before


def test_a_thread_that_leaves_first_or_last_changes_nothing_for_the_one_that_set_the_limit():
    before = blas_threads()
    entered, leave = threading.Event(), threading.Event()

    def stay():
        with one_blas_thread(needed=True):
            entered.set()
            leave.wait()

    other = threading.Thread(target=stay)
    with one_blas_thread(needed=True):
        other.start()
        entered.wait()
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    leave.set()
    other.join()
    assert blas_threads() == before


def test_no_limit_where_there_are_no_products():
    before = blas_threads()
    with one_blas_thread(needed=False):
        assert blas_threads() == before


def test_a_failure_inside_takes_the_limit_off():
    before = blas_threads()
    try:
        with one_blas_thread(needed=True):
            raise ValueError
    except ValueError:
        assert blas_threads() == before
