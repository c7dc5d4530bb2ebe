"""The command line with tasks of one measurement each and no figures, and on request a fault of its own.

Run as a program; environment variables say what is to happen:
``FAULT_NOTES``: a file that takes a JSON line for the end of the imports and for each task that begins.
``FAULT_KILL``: ``n place share``: die inside the n-th write: with ``share`` of its bytes there (``torn``), all
of them but no name (``unnamed``), just after it got its name (``named``), or, from that write on, in the
system's own write beyond ``share`` bytes of a file (``limit``).
``FAULT_POISON``: number of a group whose tasks kill whoever computes them.
"""

import itertools
import json
import os
import resource
import signal
import stat
import sys
import time
from pathlib import Path

from infoplane import cli
from infoplane.runs import pools, task, worker


def note(**about):
    """Append a line to the notes."""
    with Path(os.environ["FAULT_NOTES"]).open("a") as file:
        file.write(json.dumps(about) + "\n")


def note_tasks():
    """Note when the imports are done and when each task begins."""
    imported, compute = time.monotonic(), worker.compute
    note(imported=True)

    def noted(one, *rest):
        note(group=one.number, first=one.first, seconds=time.monotonic() - imported)
        return compute(one, *rest)

    worker.compute = noted


def die():
    """End as the power does."""
    os.kill(os.getpid(), signal.SIGKILL)


def tear(handle, share):
    """Leave a share of a file's bytes; of a log, whose earlier lines are on disk, of its last line."""
    path = Path(f"/proc/self/fd/{handle}").readlink()
    content = path.read_bytes()
    kept = content.rfind(b"\n", 0, len(content) - 1) + 1 if path.name == "log.jsonl" else 0
    os.truncate(path, kept + int(share * (len(content) - kept)))


def kill_inside(nth, place, share):
    """Arrange for the death inside the n-th write."""
    count, fsync, replace, armed = itertools.count(1), os.fsync, os.replace, []

    def flush(handle):
        if stat.S_ISREG(os.fstat(handle).st_mode) and next(count) == nth:
            if place == "limit":
                sys.dont_write_bytecode = True
                signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
                resource.setrlimit(resource.RLIMIT_FSIZE, (int(share), int(share)))
            elif place == "named":
                armed.append(True)
            else:
                if place == "torn":
                    tear(handle, share)
                die()
        fsync(handle)

    def rename(*paths, **folders):
        replace(*paths, **folders)
        if armed:
            die()

    os.fsync, os.replace = flush, rename


def poison(group):
    """Let the tasks of one group kill their worker."""
    submit = pools.Pool.submit

    def deadly(_):  # sent by value: workers know nothing of this file
        import os

        os.kill(os.getpid(), 9)

    def spoilt(pool, one, *rest):
        return pool._executor.submit(deadly, one) if one.number == group else submit(pool, one, *rest)

    pools.Pool.submit = spoilt


if __name__ == "__main__":
    import infoplane.experiments

    infoplane.experiments.draw_figures = lambda *_: []
    task.FLUSH_SECONDS = -1.0
    if "FAULT_NOTES" in os.environ:
        note_tasks()
    if "FAULT_KILL" in os.environ:
        nth, place, share = os.environ["FAULT_KILL"].split()
        kill_inside(int(nth), place, float(share))
    if "FAULT_POISON" in os.environ:
        poison(int(os.environ["FAULT_POISON"]))
    cli.main()
