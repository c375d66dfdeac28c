"""A clock that was set back while the service was away prolongs nothing, and is told of."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.child import end
from proof.counting import Counting, call
from remit.adapters.sqlite.latest import latest_ms
from remit.adapters.system import SteadyClock
from remit.facts.durations import HOUR_MS
from tests.e2e.test_drain import started
from tests.e2e.test_lost_ledger import said
from tests.eventually import awaited
from tests.set_clock import Clock

pytestmark = pytest.mark.timeout(300)
SET_BACK = (
    "import sys, time\n"
    "true_ns = time.time_ns\n"
    "time.time_ns = lambda: true_ns() - int(sys.argv[1]) * 1_000_000\n"
    "from remit.app.cli import run\n"
    "sys.exit(run(sys.argv[2:]))\n"
)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with Counting(tmp_path, hold_s=0.1) as running:
        yield running


def test_time_goes_on_from_the_latest_record(counting: Counting) -> None:
    service = counting.service
    early = service.mint("agent", "clerk")
    waiting = asyncio.run(call(service, early["token"], "add", {"id": "big", "amount": 100}))
    assert "Approval is pending" in str(waiting)
    assert "ok    clock: " in service.remit("doctor").stdout
    service.kill()
    with started(service, sys.executable, "-c", SET_BACK, str(6 * HOUR_MS)) as process:
        awaited(service.ready)
        service.says("warning: the system's clock is 5 h 59 min behind the latest record of the ledger")
        doctor = service.remit("doctor")
        assert doctor.returncode == 1
        assert "FAIL  clock: the system's clock is 5 h 59 min behind" in doctor.stdout
        assert "added" in said(counting, early["token"], "after"), "what is valid stays so"
        late = service.mint("agent", "clerk")
        assert late["expires"] >= early["expires"], "it was given out later"
        moments = [json.loads(line)["at"] for line in service.remit("logs", "-o", "json").stdout.splitlines()]
        assert moments == sorted(moments)
        end(process)
    service.start()
    assert "ok    clock: " in service.remit("doctor").stdout


def test_it_goes_on_and_never_back() -> None:
    system = Clock(1_000.0)
    clock = SteadyClock(1_500_000, system)
    assert (clock.now_ms(), clock.ahead_ms(), clock.monotonic_s()) == (1_500_000, 500_000, 1_000.0)
    system.s += 100
    assert (clock.now_ms(), clock.ahead_ms()) == (1_600_000, 500_000), "at its pace"
    set_right = SteadyClock(0, system)
    assert (set_right.now_ms(), set_right.ahead_ms()) == (1_100_000, 0)


def test_a_ledger_that_cannot_be_read_tells_no_time(tmp_path: Path) -> None:
    file = tmp_path / "ledger.sqlite3"
    assert latest_ms(file) == 0
    file.write_bytes(b"SQLite format 3\0, or not")
    assert latest_ms(file) == 0
