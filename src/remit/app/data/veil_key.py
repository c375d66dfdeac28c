"""What veils declared secrets in this process: the ledger's own key, and no other.

The ledger holds a hash of the key, recorded before the first secret is veiled. A key that is missing, or another,
refuses whatever bundle declares secrets: with a new one, what people approved would not be what is asked for.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from remit.adapters.private import KeyringUnusable
from remit.adapters.veil_key import VeilKey
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.veil import Veil
from remit.trace.bodies import Event

SUBJECT: Final = "the key of declared secrets"
"""What the ledger calls it, among the credentials of which it keeps hashes."""

Record: TypeAlias = Callable[[Event, str, str, dict[str, Json]], Awaitable[object]]


class Veiling:
    """`known` is the hash in the ledger, None where it has none."""

    def __init__(self, key: VeilKey, known: str | None) -> None:
        self._key = key
        self._known = known
        self._veil: Veil | None = None

    def __call__(self) -> Veil | None:
        """What veils; None as long as no bundle declared a secret."""
        return self._veil

    async def prepare(self, catalog: Catalog, record: Record) -> None:
        """Be able to veil what `catalog` declares. Raises `KeyringUnusable`, `LedgerUnwritable`."""
        if self._veil is not None or not any(tool.secrets for tool in catalog.tools.values()):
            return
        key = await asyncio.to_thread(self._key.read)
        if key is None:
            if self._known is not None:
                raise KeyringUnusable(f"{self._key.path} is missing: {_MEND}")
            key = await asyncio.to_thread(self._key.make)
        digest = "sha256:" + hashlib.sha256(key).hexdigest()
        if self._known is None:
            await record(Event.CREDENTIAL, "the service", SUBJECT, {"hash": digest})
            self._known = digest
        elif digest != self._known:
            raise KeyringUnusable(f"{self._key.path} is another key than the ledger's: {_MEND}")
        self._veil = Veil(key)


_MEND: Final = (
    "put it back from your copy of the data folder's keys; if it is lost for good, stop the service and run: "
    "remit ledger forget-key"
)
