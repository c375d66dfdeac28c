"""How it is told that the ledger takes no records: to whoever appends, and in the log at the moment it happens."""

import logging
import sqlite3
from typing import Final

from remit.facts.moment import instant
from remit.ports.ledger import LedgerUnwritable

_LOG: Final = logging.getLogger(__name__)
LOCKED: Final = (
    "another program has the ledger locked: no action is begun until it lets go "
    "(next: end the program that has its file open; fuser, or lsof, names it)"
)
LATE: Final = "the ledger is late: what this hangs on is not on disk yet (next: remit doctor)"


def is_locked(error: BaseException) -> bool:
    """Whether `error` says that another connection has SQLite's lock."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def unwritable(failure: BaseException, since_ms: int | None = None) -> LedgerUnwritable:
    """What an append raises once `failure` happened, at `since_ms` where that is known."""
    since = "" if since_ms is None else f", since {instant(since_ms)}"
    error = LedgerUnwritable(
        f"the ledger cannot be written: {failure or type(failure).__name__}{since}; "
        "every action is denied until the cause is gone and the service started again "
        "(next: remit doctor)"
    )
    error.__cause__ = failure
    return error


def tell_of(failure: BaseException) -> None:
    """Say it in the log, once: everything is denied from here on."""
    cause = getattr(failure, "sqlite_errorname", "")
    _LOG.error(
        "the ledger takes no records from now on; every action is denied; next: remit doctor",
        extra={"error": type(failure).__name__, "code": cause},
    )
