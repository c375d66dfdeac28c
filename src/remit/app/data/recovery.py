"""What is lost and made anew, by who may write the data folder while nothing runs on it: the admin token, a key."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from remit.adapters.sqlite import open_ledger
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.system import SystemEntropy
from remit.adapters.veil_key import FILE
from remit.app.data.folder import clock_of
from remit.app.data.veil_key import SUBJECT
from remit.app.settings import ADMIN, KEYS
from remit.control.authority import admin_token, credential_hash
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft
from remit.trace.bodies import AdminBody, Event


def new_admin_token(ledger: Path) -> str:
    """Replace the admin token of the ledger at `ledger`, on record. Raises `LedgerRefused`."""
    token = admin_token(SystemEntropy().token_bytes(24))
    _record(ledger, ADMIN, credential_hash(token))
    return token


def forget_veil_key(ledger: Path) -> None:
    """Have the next start of a service on `ledger` make a new key of declared secrets. Raises `LedgerRefused`."""
    _record(ledger, SUBJECT, None)
    (ledger.parent / KEYS / FILE).unlink(missing_ok=True)


def _record(ledger: Path, ident: str, hashed: str | None) -> None:
    if not ledger.exists():
        following = "name the data folder of the service: --data DIR"
        raise LedgerRefused(f"there is no ledger at {ledger}", "no service has run on it", following)
    record(ledger, AdminBody(Event.CREDENTIAL, "the data folder's owner", ident, {"hash": hashed}))


def record(ledger: Path, *bodies: AdminBody) -> None:
    """Put `bodies` on the ledger at `ledger`, made where there is none. Raises `LedgerRefused`."""
    asyncio.run(_append(ledger, bodies))


async def _append(path: Path, bodies: Sequence[AdminBody]) -> None:
    clock, entropy = clock_of(path), SystemEntropy()
    ledger = open_ledger(path, clock, entropy)
    try:
        for body in bodies:
            await ledger.append(Draft(RecordKind.ADMIN, clock.now_ms(), "", "", body)).durable
    finally:
        await ledger.close()
