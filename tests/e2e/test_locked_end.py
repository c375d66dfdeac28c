"""A ledger that another program has locked holds up the end of a service a little, and nothing acknowledged is lost."""

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.raw import post
from tests.e2e.test_drain import slow
from tests.eventually import awaited

pytestmark = pytest.mark.timeout(300)


def test_what_cannot_be_written_at_the_end_is_told_of_and_the_rest_is_there(tmp_path: Path) -> None:
    with slow(tmp_path, 60.0, "--limit", "drain_s_max=1") as counting:
        service = counting.service
        kept = service.mint("agent", "clerk")["jti"]
        connection = post(service.port, service.agent("clerk"), "long")
        awaited(lambda: "long" in counting.effects)
        with connection, closing(sqlite3.connect(service.data / "ledger.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert service.process is not None
            began_s = time.monotonic()
            service.process.send_signal(signal.SIGTERM)
            assert service.process.wait(60) == 1, service.log
            assert time.monotonic() - began_s < 15, "the drain of a second, and what others take on a busy machine"
        service.says("remit drained and ended; 1 call in doubt: start it again, then remit ledger in-doubt\n")
        service.says(" of what was under way could not be written\n  why:  another program has the ledger")
        service.start()
        assert kept in [one["jti"] for one in service.told("token", "ls")]
        [doubtful] = service.told("ledger", "in-doubt")
        assert doubtful["outcome"] == "none"
        assert service.remit("ledger", "verify").returncode == 0
