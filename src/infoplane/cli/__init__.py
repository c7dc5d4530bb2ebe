"""The command line: reads what is asked for, shows progress and results, turns errors into exit codes.

Exit codes: 0 done, 1 a run ended with failed parts, on a full disk or found damaged, 2 bad input, 130 or 143
interrupted and resumable. Each module holds some commands and is imported here, in the order in which ``--help`` lists
them.
"""

from infoplane.cli import progress, run, show
from infoplane.cli.app import main

# isort: split
from infoplane.cli import benchmark, claims, data, diff, ensemble, estimate, film, measure, report

__all__ = [
    "benchmark",
    "claims",
    "data",
    "diff",
    "ensemble",
    "estimate",
    "film",
    "main",
    "measure",
    "progress",
    "report",
    "run",
    "show",
]
