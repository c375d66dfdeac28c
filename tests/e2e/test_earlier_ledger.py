"""A service goes on with the ledger of an earlier version: what was stopped stays stopped, and its owner is told."""

import sqlite3
from contextlib import closing
from pathlib import Path

from proof.counting import Counting
from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.schema import VERSION
from tests.e2e.test_lost_ledger import said

STOPS_OF_VERSION_5 = (
    "DROP TABLE stopped",
    "CREATE TABLE stopped (what TEXT PRIMARY KEY, by TEXT NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL) STRICT",
    "PRAGMA user_version = 5",
)


def test_what_was_stopped_in_an_earlier_version_stays_stopped(tmp_path: Path) -> None:
    with Counting(tmp_path) as counting:
        service = counting.service
        token = service.agent("clerk")
        assert "added" in said(counting, token, "before")
        service.told("halt", "agent", "clerk", "--why", "odd")
        service.stop()
        ledger = service.data / "ledger.sqlite3"
        with closing(sqlite3.connect(ledger, isolation_level=None)) as conn:
            for statement in STOPS_OF_VERSION_5:
                conn.execute(statement)
        service.start()
        service.says(f"it is copied to {ledger}.v5.bak")
        assert "added" not in said(counting, token, "after")
        assert counting.effects == ["before"]
        service.stop()
        service.start()
        assert service.log.count("of an earlier version") == 1
        service.stop()
        assert verify_file(ledger).clean
        with closing(sqlite3.connect(f"{ledger}.v5.bak")) as conn:
            assert conn.execute("PRAGMA user_version").fetchone() == (5,)
        with closing(sqlite3.connect(ledger)) as conn:
            assert conn.execute("PRAGMA user_version").fetchone() == (VERSION,)
