"""A copy of the ledger, or a kept bundle, changed in one way or another, and whether that is seen."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, assert_never

from remit.app.attack.ground import AttackFolder
from remit.app.bundles.kept_bundle import file_of
from remit.app.service.child_process import ServiceProcess
from remit.app.settings import BUNDLES, LEDGER
from remit.app.terminal.failure import CommandFailure
from remit.assure.attack.plan import Tampering

VERIFY_S_MAX: Final = 60.0


def found_in_a_changed_copy(
    service: ServiceProcess, ground: AttackFolder, how: Tampering, program: Sequence[str]
) -> tuple[bool, str]:
    """Whether `program` finds nothing wrong with a copy of the ledger though it was changed; what it said.

    A checkpoint that was taken before is kept where whoever changes the copy cannot reach it.
    """
    folder = ground.root / "copy"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    copy, checkpoint = folder / LEDGER, folder / "kept-elsewhere"
    checkpoint.write_text(service.client("admin").get("/ledger/checkpoint")["checkpoint"], "utf-8")
    with (
        closing(sqlite3.connect(f"file:{ground.data / LEDGER}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(copy)) as to,
    ):
        live.backup(to)
    _change(copy, how)
    command = [*program, "ledger", "verify", str(copy), "--against", str(checkpoint), "-o", "json"]
    completed = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_S_MAX, check=False)
    shutil.rmtree(folder, ignore_errors=True)
    if completed.returncode == 0:
        return True, "verification finds nothing"
    findings = json.loads(completed.stdout)["findings"] if completed.stdout.startswith("{") else [completed.stderr]
    return False, f"verification: {findings[0] if findings else 'not clean'}"


def shown_though_edited(service: ServiceProcess, ground: AttackFolder) -> tuple[bool, str]:
    """Whether the service shows what it keeps of its bundle though the policies in it were edited; what it said."""
    admin = service.client("admin")
    digest = str(admin.get("/bundles", limit=1)["items"][0]["bundle"])
    file = ground.data / BUNDLES / file_of("bundle", digest)
    original = file.read_bytes()
    # So that it can be read as before, and says something else.
    file.write_bytes(original.replace(b'"text":"', b'"text":" '))
    try:
        admin.get("/bundles/diff", before=digest, after=digest)
    except CommandFailure as refused:
        return False, f"the service: {refused.what}"
    finally:
        file.write_bytes(original)
    return True, "the service shows it as the bundle that ran"


def _change(copy: Path, how: Tampering) -> None:
    with closing(sqlite3.connect(copy)) as conn, conn:
        segments = [number for (number,) in conn.execute("SELECT first FROM segment ORDER BY first")]
        match how:
            case Tampering.BYTE:
                records = conn.execute("SELECT records FROM segment WHERE first = ?", (segments[-1],)).fetchone()[0]
                middle = len(records) // 2
                altered = records[:middle] + bytes((records[middle] ^ 1,)) + records[middle + 1 :]
                conn.execute("UPDATE segment SET records = ? WHERE first = ?", (altered, segments[-1]))
            case Tampering.GONE:
                _take_out(conn, segments[len(segments) // 2])
            case Tampering.CUT:
                for number in segments[-(len(segments) // 3 or 1) :]:
                    _take_out(conn, number)
            case _:
                assert_never(how)


def _take_out(conn: sqlite3.Connection, number: int) -> None:
    for table in ("segment", "body"):
        conn.execute(f"DELETE FROM {table} WHERE first = ?", (number,))  # noqa: S608 - two names of our own
