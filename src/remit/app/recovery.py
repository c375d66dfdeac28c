"""A lost admin token: a new one, written by who may write the data folder while nothing runs on it."""

import asyncio
from pathlib import Path

from remit.adapters.sqlite import open_ledger
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.system import SystemClock, SystemEntropy
from remit.app.settings import ADMIN
from remit.control.authority import admin_token, credential_hash
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft
from remit.trace.bodies import AdminBody, Event


def new_admin_token(ledger: Path) -> str:
    """Replace the admin token of the ledger at `ledger`, on record. Raises `LedgerRefused`."""
    if not ledger.exists():
        raise LedgerRefused(f"there is no ledger at {ledger}", "no service has run on it", "remit up --data DIR")
    return asyncio.run(_replace(ledger))


async def _replace(path: Path) -> str:
    clock, entropy = SystemClock(), SystemEntropy()
    ledger = open_ledger(path, clock, entropy)
    try:
        token = admin_token(entropy.token_bytes(24))
        body = AdminBody(Event.CREDENTIAL, "the data folder's owner", ADMIN, {"hash": credential_hash(token)})
        await ledger.append(Draft(RecordKind.ADMIN, clock.now_ms(), "", "", body)).durable
    finally:
        await ledger.close()
    return token
