"""The whole fault campaign, with its full numbers: python tests/faults/campaign.py --markdown

Runs the tests of this folder and those elsewhere that are a fault's test, prints a line for each fault (what was
done, tries, outcome), writes them as a table and ends with the exit code of the tests. With ``--markdown`` it also
replaces the table of docs/reliability.md. Takes half an hour on two idle cores. Names of test files after the command
run a part of it; the lines of the other tests stay in the table.
"""

import argparse
import csv
import json
import os
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TABLE = ROOT / "docs" / "results" / "reliability.csv"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: written by tests/faults/campaign.py -->\n", "<!-- end of the table -->\n"
HEADING = ("fault", "tries", "outcome", "seconds", "test")

ELSEWHERE = {
    "tests/test_cli.py": {
        "test_ctrl_c_ends_in_time_with_130_and_says_how_to_go_on": "Ctrl-C while training",
        "test_preemption_ends_with_143_and_can_be_resumed": "SIGTERM while training",
        "test_a_second_ctrl_c_ends_within_a_second": "a second Ctrl-C",
        "test_a_resumed_run_equals_one_that_was_never_stopped": "resume after Ctrl-C",
    },
    "tests/runs/test_provenance.py": {
        "": "resume with another configuration, package version or data; --force-new",
    },
    "tests/runs/test_workers.py": {
        "test_workers_are_stopped_in_time_by_a_signal": "signals to a run of workers",
        "test_a_worker_that_dies_loses_nothing": "a worker that dies inside a task, once and twice",
        "test_an_address": "an address that nobody listens at, or that is none",
    },
    "tests/runs/test_store.py": {"test_links_out_of_the_folder_are_refused": "links out of a run's folder"},
    "tests/runs/test_clusters.py": {
        "test_every_open_port": "a second user of the machine",
        "test_a_dask_client_without": "a Dask client of a second user, at the scheduler of a run with --workers",
        "test_a_cluster_with_tls": "a cluster with TLS, with and without credentials",
        "test_a_worker_of_other_versions_that_joins_late": "a worker of other versions",
    },
}
"""Tests of faults that stand elsewhere, by the beginning of their name, and the fault."""


class Tally:
    """Collects what tests tell of their fault, one line a fault."""

    def __init__(self):
        self.lines, self.skipped = {}, []

    def pytest_collection_modifyitems(self, items):
        """Keep of tests with a small and a full number the full one, of other files those of faults."""
        full = {item.nodeid.partition("[")[0] for item in items if _tries(item) and item.get_closest_marker("slow")}
        small = [item for item in items if _tries(item) and not item.get_closest_marker("slow")]
        small = [item for item in small if item.nodeid.partition("[")[0] in full]
        items[:] = [item for item in items if item not in small and _is_of_a_fault(item.nodeid)]

    def pytest_runtest_logreport(self, report):
        """Take up the end of a test."""
        if report.skipped:
            self.skipped.append(f"{report.nodeid}: {report.longrepr[2] if report.longrepr else ''}")
        if (report.when != "call" and report.passed) or report.skipped:
            return
        told = [json.loads(value) for name, value in report.user_properties if name == "fault"]
        if report.failed:
            text = report.longreprtext.strip().splitlines()[-1] if report.longreprtext else ""
            told = [{"fault": f"FAILED: {report.nodeid}", "tries": 1, "outcome": text}]
        elif not told and (fault := _fault_of(report.nodeid)):
            told = [{"fault": fault, "tries": 1, "outcome": "passed"}]
        for one in told:
            line = self.lines.setdefault((one["fault"], one["outcome"]), one | {"tries": 0, "seconds": 0.0})
            line["tries"] += one["tries"]
            line["seconds"] += report.duration
            line["test"] = report.nodeid.partition("[")[0]


def _tries(item):
    return hasattr(item, "callspec") and "tries" in item.callspec.params


def _fault_of(nodeid):
    file, _, name = nodeid.partition("::")
    return next((fault for begin, fault in ELSEWHERE.get(file, {}).items() if name.startswith(begin)), None)


def _is_of_a_fault(nodeid):
    return nodeid.startswith("tests/faults/") or _fault_of(nodeid) is not None


def read(path):
    """The lines of a table."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def merged(before, now):
    """The lines of now, and those before of tests that did not run now."""
    ran = {line["test"] for line in now}
    return [*now, *(line for line in before if line["test"] not in ran)]


def write_page(page, lines):
    """Replace the table of a page of the documentation."""
    head, _, rest = page.read_text().partition(BEGIN)
    rows = [f"| {line['fault']} | {line['tries']} | {line['outcome']} |\n" for line in lines]
    table = ["| fault | tries | result |\n", "|---|---|---|\n", *rows]
    page.write_text(head + BEGIN + "".join(table) + END + rest.partition(END)[2])


def write(path, lines):
    """Write the table."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, HEADING, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


def main():
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--markdown", action="store_true", help="also replace the table of docs/reliability.md")
    parser.add_argument("tests", nargs="*", default=["tests/faults", *ELSEWHERE])
    asked = parser.parse_args()
    os.chdir(ROOT)
    tally, start = Tally(), time.monotonic()
    code = pytest.main([f"--rootdir={ROOT}", "-q", "-m", "slow or not slow", *asked.tests], plugins=[tally])
    lines = [line | {"seconds": round(line["seconds"], 1)} for line in tally.lines.values()]
    for line in lines:
        print(f"{line['fault']} | {line['tries']} | {line['outcome']}")
    for line in tally.skipped:
        print(f"SKIPPED: {line}")
    print(f"{time.monotonic() - start:.0f} s in all")
    lines = merged(read(asked.out), lines)
    write(asked.out, lines)
    if asked.markdown:
        write_page(PAGE, lines)
    return code


if __name__ == "__main__":
    sys.exit(main())
