"""The table of passkeys: read, and changed by what records say of them."""

import sqlite3
from collections.abc import Sequence
from typing import Final, assert_never

from remit.adapters.sqlite.rows import Row, passkey_row
from remit.facts.passkey import Passkey, ended, used
from remit.pdp.deltas import PasskeyAdded, PasskeyDelta, PasskeyRemoved, PasskeyUsed

_ROWS: Final = "SELECT ident, user, key, count, name, at FROM passkey"


def passkeys(conn: sqlite3.Connection, *, removed: bool = False) -> Sequence[Passkey]:
    """What people confirm a yes with, the oldest first; with `removed` what they did, too."""
    all_passkeys = [Passkey(*row) for row in conn.execute(f"{_ROWS} ORDER BY at, ident").fetchall()]
    return all_passkeys if removed else [passkey for passkey in all_passkeys if passkey.key]


class Changing:
    """Passkeys as records change them, until what changed is in the file."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._conn = conn
        self._now: dict[str, Passkey | None] = {}

    def change(self, delta: PasskeyDelta) -> tuple[str, Row]:
        """The passkey that `delta` is about, and its row from then on."""
        match delta:
            case PasskeyAdded(passkey):
                ident, after = passkey.ident, passkey
            case PasskeyRemoved(ident):
                before = self._of(ident)
                after = None if before is None else ended(before)
            case PasskeyUsed(ident, count):
                before = self._of(ident)
                after = None if before is None else used(before, count)
            case _:
                assert_never(delta)
        self._now[ident] = after
        return ident, passkey_row(ident, after)

    def clear(self) -> None:
        """All of it is in the file."""
        self._now.clear()

    def _of(self, ident: str) -> Passkey | None:
        if ident in self._now:
            return self._now[ident]
        row = self._conn.execute(f"{_ROWS} WHERE ident = ?", (ident,)).fetchone()
        return None if row is None else Passkey(*row)
