"""One byte of a copy of the ledger changed, and whether verification sees it."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from remit.adapters.sqlite.verifying import verify_file
from remit.app.settings import LEDGER


def found_in_a_changed_copy(data: Path, folder: Path) -> tuple[bool, str]:
    """Whether a copy of the ledger in `data` verifies though a byte of its last record was changed; what was said."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    copy = folder / LEDGER
    with (
        closing(sqlite3.connect(f"file:{data / LEDGER}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(copy)) as to,
    ):
        live.backup(to)
    with closing(sqlite3.connect(copy)) as changed, changed:
        first, records = changed.execute("SELECT first, records FROM segment ORDER BY first DESC LIMIT 1").fetchone()
        middle = len(records) // 2
        altered = records[:middle] + bytes((records[middle] ^ 1,)) + records[middle + 1 :]
        changed.execute("UPDATE segment SET records = ? WHERE first = ?", (altered, first))
    report = verify_file(copy)
    shutil.rmtree(folder, ignore_errors=True)
    told = str(report.findings[0]) if report.findings else "verification finds nothing"
    return report.clean, told
