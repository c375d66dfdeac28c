"""What holds for every test: Hypothesis profiles, and nothing left out silently.

At the end a section "not run" lists each test that was skipped or expected to fail, with the reason, and how many
were deselected.
With `REMIT_ALL=1`, as in CI, one of these fails the run: there every system tool is present.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Protocol, cast

import pytest
from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

from tests.limits import ALARM, run

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence


class Worker(Protocol):
    """What is asked of a worker of `pytest -n` (pytest-xdist's `WorkerController`)."""

    config: pytest.Config


DATABASE = DirectoryBasedExampleDatabase("build/hypothesis")
DESELECTED = pytest.StashKey[int]()
"""How many tests each worker of `pytest -n` left out: they all select from the same ones."""
# No deadline: a loaded machine is no failure, and times are the business of bench/.
settings.register_profile("remit", deadline=None, print_blob=True, database=DATABASE)
settings.register_profile("soak", settings.get_profile("remit"), max_examples=5_000)
settings.load_profile("remit")
asyncio.Runner.run = run
# A shell that starts the tests in the background has them ignore SIGINT, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_timeout_set_timer(item: pytest.Item) -> Generator[None, object, object]:
    """Have the alarm of pytest-timeout cancel the task that a test runs in a loop, if it does (`tests.limits`)."""
    answer = yield
    ALARM.arm()
    return answer


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Count what a worker of `pytest -n` leaves out; without workers, the terminal's reporter counts."""
    output = cast("dict[str, int] | None", getattr(items[0].config, "workeroutput", None)) if items else None
    if output is not None:
        output["deselected"] = output.get("deselected", 0) + len(items)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Worker) -> None:
    """Take over what a worker counted; one that crashed said nothing."""
    said: dict[str, int] = getattr(node, "workeroutput", {})
    node.config.stash[DESELECTED] = max(node.config.stash.get(DESELECTED, 0), said.get("deselected", 0))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With `REMIT_ALL=1`, fail a run that left something out."""
    if must_run_all() and any(not_run(session.config)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was not run, and why."""
    lines = sorted(not_run(config))
    if not lines:
        return
    terminalreporter.section("not run", red=must_run_all(), yellow=not must_run_all())
    for line in lines:
        terminalreporter.line(line)
    if must_run_all():
        terminalreporter.line(f"REMIT_ALL=1: {len(lines)} not run is a failure", red=True)


def must_run_all() -> bool:
    """Whether a test that does not run is a failure."""
    return os.environ.get("REMIT_ALL", "") not in {"", "0"}


def not_run(config: pytest.Config) -> Iterator[str]:
    """Yield `test: reason` for each test or file skipped or expected to fail, and the number of those deselected."""
    reporter = cast("pytest.TerminalReporter | None", config.pluginmanager.get_plugin("terminalreporter"))
    if reporter is None:
        return
    stats = cast("dict[str, list[object]]", reporter.stats)
    for report in stats.get("skipped", []):
        if isinstance(report, pytest.TestReport | pytest.CollectReport):
            yield f"{report.nodeid}: skipped: {skip_reason(report)}"
    for report in stats.get("xfailed", []):
        if isinstance(report, pytest.TestReport):
            yield f"{report.nodeid}: expected to fail: {getattr(report, 'wasxfail', '')}"
    if deselected := len(stats.get("deselected", [])) or config.stash.get(DESELECTED, 0):
        yield f"{deselected} tests: deselected on the command line"


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the reason that was given to skip, without pytest's prefix."""
    match report.longrepr:
        case (_, _, str(reason)):
            return reason.removeprefix("Skipped: ")
        case other:
            return str(other)
