"""A proof line made of tests: `python -m proof.tests NODE...` passes when all of them run and pass.

Order is fixed and Hypothesis takes the seed of the run (`REMIT_SEED`). A skip, an expected failure, and finding no
test at all are misses: nothing was shown. With `--long`, Hypothesis runs the profile `soak`.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Sequence


class Count:
    """A pytest plugin that counts how tests ended; set-up and tear-down count when they fail."""

    def __init__(self) -> None:
        self.passed = 0
        self.other: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one phase of one test."""
        if report.passed and not hasattr(report, "wasxfail"):
            self.passed += report.when == "call"
        else:
            self.other.append(f"{report.nodeid} {report.outcome}")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Count a file that failed or was skipped at collection."""
        if not report.passed:
            self.other.append(f"{report.nodeid} {report.outcome} at collection")


def main(arguments: Sequence[str]) -> int:
    """Run the tests named, pytest's own report on stderr; print the verdict, its goal being that of the line."""
    nodes = [argument for argument in arguments if not argument.startswith("-")]
    options = ["-q", "-p", "no:randomly", f"--hypothesis-seed={os.environ.get('REMIT_SEED', '0')}"]
    if "--long" in arguments:
        options.append("--hypothesis-profile=soak")
    count = Count()
    stdout, sys.stdout = sys.stdout, sys.stderr
    try:
        code = pytest.main([*options, *nodes], plugins=[count])
    finally:
        sys.stdout = stdout
    figure = f"{count.passed} passed" + (f", not: {', '.join(count.other[:3])}" if count.other else "")
    passed = code == pytest.ExitCode.OK and count.passed > 0 and not count.other
    return say(figure, "", passed=passed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
