"""What a command says of an error of the machine that it runs on: a full disk is no fault of Remit's."""

import sqlite3
from typing import Final

from remit.app.terminal.failure import CommandFailure
from remit.facts.environment import environment_of
from remit.ports.ledger import LedgerUnwritable

_SQLITE: Final = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM,
})  # fmt: skip
_DATA: Final = "free space on the disk of the data folder, see that Remit's user may write there, then again"


def failure_of(error: Exception) -> CommandFailure | None:
    """How a command fails that ended by `error`; None where that may be a fault of ours."""
    match error:
        case OSError():
            trouble = environment_of(error)
            return (
                None
                if trouble is None
                else CommandFailure(f"{trouble.place} cannot be used", why=trouble.why, next=trouble.next)
            )
        case LedgerUnwritable():
            why = str(error.__cause__ or error)
            return CommandFailure("the ledger cannot be written", why=why, next=_DATA)
        case sqlite3.Error() if getattr(error, "sqlite_errorcode", 0) & 0xFF in _SQLITE:
            return CommandFailure("a file of the data folder cannot be used", why=f"SQLite: {error}", next=_DATA)
        case _:
            return None
