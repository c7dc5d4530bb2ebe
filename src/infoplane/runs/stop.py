"""Requests to stop: the first SIGINT or SIGTERM asks, a second one ends the process."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any


class Stop(threading.Event):
    """Set when the run is to stop; remembers which signal asked for it."""

    signal_number: int | None = None
    grace: float | None = None
    """Seconds after which what this thread computes at the moment is dropped; None where nothing may be."""


class Dropped(BaseException):
    """What is computed is given up, since the run is to stop."""


@contextlib.contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Turn the first SIGINT or SIGTERM into a request to stop; a second one ends the process at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def ask(number: int, _: Any) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.signal_number = number
        stop.set()
        if stop.grace is not None:
            signal.setitimer(signal.ITIMER_REAL, stop.grace)

    for number in kept:
        signal.signal(number, ask)
    try:
        yield stop
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def droppable(stop: Stop, grace: float) -> Iterator[None]:
    """End the block, without an error, so many seconds after a request to stop; its work is then lost.

    Where there are no such timers, or not in the main thread, the block is always run to its end.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def drop(*_: Any) -> None:
        raise Dropped

    kept = signal.signal(signal.SIGALRM, drop)
    stop.grace = grace
    try:
        with contextlib.suppress(Dropped):
            try:
                yield
            finally:
                stop.grace = None
                if stop.is_set():
                    signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, kept)
