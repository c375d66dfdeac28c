"""Which bundles have been in force, by the records that say so.

Every start and every swap is an `admin` record (`bundle`). Where they stand is noted down in the data folder; a note
that is lost is made again from the ledger, which alone is believed.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from remit.api.in_force import InForce
from remit.api.services import Conflict, Missing
from remit.app.bundles.running_bundle import RunningBundle
from remit.app.bundles.store import Bundles
from remit.app.terminal.output import counted
from remit.control.diff import ResourceChange, compare
from remit.facts.canonical import Json
from remit.facts.record import Ref
from remit.ports.ledger import Entry, Ledger
from remit.trace.bodies import AdminBody, Event
from remit.trace.chain import parts

READ_MAX: Final = 10_000
"""Records that are looked at for one list: a service that starts often repeats itself."""
_PAGE: Final = 1_000
_SHORTEST: Final = 6
_LIST: Final = "remit bundle ls"
_LOG: Final = logging.getLogger(__name__)


def counts_of(running: RunningBundle) -> dict[str, Json]:
    """What the record of a bundle says of its size, and of the Admission that holds while it runs."""
    catalog = running.bundle.catalog
    counts: dict[str, Json] = {
        "policies": len(running.bundle.policies),
        "tools": len(catalog.tools),
        "agents": len(catalog.agents),
    }
    return (
        counts
        if catalog.admission is None
        else counts | {"admission": catalog.admission.name, "cases": [*running.guards]}
    )


def admitted_as(last: AdminBody | None, running: RunningBundle) -> bool:
    """Whether a start with `running` is what its Admission saw, as the record before says.

    It is another bundle, is guarded by a case less, or was not admitted then and nobody has looked since.
    """
    if last is None or last.data.get("admitted") is False:
        return last is None
    if "admission" not in last.data:
        return True
    cases = last.data.get("cases")
    missing = {*map(str, cases if isinstance(cases, list) else ())}.difference(running.guards)
    return last.subject == running.bundle.digest and not missing


class StartChanges(NamedTuple):
    """What a start put in force in place of the bundle `before`; `changes` None where that is not at hand any more."""

    before: str
    changes: tuple[str, ...] | None

    @property
    def record(self) -> dict[str, Json]:
        """As the record of the start has it."""
        members: dict[str, Json] = {"from": self.before}
        return members if self.changes is None else members | {"changes": [*self.changes]}

    def __str__(self) -> str:
        what = "what it changed is not kept" if self.changes is None else counted(len(self.changes), "change")
        return f"the start took the folder, and put in force what was not: {what}; remit bundle diff {self.before[:19]}"


class BundleHistory:
    """Reads `ledger` by what `bundles` noted down."""

    def __init__(self, ledger: Ledger, bundles: Bundles) -> None:
        self._ledger = ledger
        self._bundles = bundles

    def note(self, ref: Ref, *, start: bool = False) -> None:
        """Take note of a record, unless earlier ones are still to be looked for: the first `start` of all has none."""
        if self._bundles.noted() is not None or (start and parts(ref.chain)[1] == 1):
            self._bundles.note(str(ref))

    async def in_force(self, limit: int) -> Sequence[InForce]:
        """The last `limit` bundles, the latest first; starts with the same one count once."""
        bundles: list[InForce] = []
        until_ms: int | None = None
        for entry, body in await self._records():
            if bundles and bundles[-1].digest == body.subject:
                bundles[-1] = _in_force_entry(entry, body, bundles[-1].until_ms, bundles[-1].records + 1)
            elif len(bundles) < limit:
                bundles.append(_in_force_entry(entry, body, until_ms, 1))
            else:
                break
            until_ms = entry.record.at
        return bundles

    async def last(self) -> AdminBody | None:
        """The latest record of a bundle that was noted down; None where none is known without a search."""
        refs = self._bundles.noted()
        entry = await self._entry(refs[-1]) if refs else None
        return None if entry is None else _body(entry)

    async def start_changes(self, running: str) -> StartChanges | None:
        """What a start with `running` changes of what was in force last; None where that is nothing, or not known."""
        last = await self.last()
        if last is None or last.subject == running:
            return None
        try:
            changes = await asyncio.to_thread(self.difference, last.subject, running)
        except Missing:
            return StartChanges(last.subject, None)
        return StartChanges(
            last.subject, tuple(f"{change.op.value} {change.kind.value} {change.name}" for change in changes)
        )

    async def clean(self, running: str) -> None:
        """Remove what is kept of bundles that no record names, since an apply was killed before.

        Nothing goes where a record that was noted down cannot be read. `running` is about to be recorded.
        """
        await asyncio.to_thread(self._bundles.sweep)
        refs = self._bundles.noted() or ()
        last = await self._entry(refs[-1]) if refs else None
        if last is None or not self._bundles.left({running}, since_s := last.record.at / 1e3):
            return
        digests = {running}
        for ref in refs:
            entry = await self._entry(ref)
            body = None if entry is None else _body(entry)
            if body is None:
                return
            digests.add(body.subject)
        leftover = await asyncio.to_thread(self._bundles.left, digests, since_s)
        for path in leftover:
            path.unlink(missing_ok=True)
        if leftover:
            _LOG.info("what an apply that was killed kept is removed", extra={"count": len(leftover)})

    async def digest(self, prefix: str) -> str:
        """The whole digest of the one bundle that `prefix` begins. Raises `Missing`, `Conflict`."""
        plain = prefix.removeprefix("sha256:").lower()
        if len(plain) < _SHORTEST:
            raise Conflict(f"{prefix} is too short to name a bundle", f"give at least six digits: {_LIST}")
        digests = [digest for digest in self._bundles.digests() if digest.startswith(f"sha256:{plain}")]
        if not digests:
            raise Missing(f"no bundle that is kept begins with {plain[:64]}: it was pruned, or never ran here", _LIST)
        if len(digests) > 1:
            raise Conflict(f"{len(digests)} bundles begin with {plain[:64]}", f"give more digits: {_LIST} -o wide")
        return digests[0]

    def difference(self, before: str, after: str) -> Sequence[ResourceChange]:
        """What turns one bundle that ran into another. Raises `Missing`."""
        sides = [self._bundles.described(digest) for digest in (before, after)]
        for digest, side in zip((before, after), sides, strict=True):
            if side is None:
                raise Missing(f"what is kept of the bundle {digest[:19]} is not what was written there, and not shown")
        return compare(*(side for side in sides if side is not None))

    async def _records(self) -> list[tuple[Entry, AdminBody]]:
        """The records, the latest first."""
        refs = self._bundles.noted()
        if refs is None:
            refs = await self._search_refs()
            self._bundles.note_all(refs)
        records: list[tuple[Entry, AdminBody]] = []
        for ref in reversed(refs[-READ_MAX:]):
            entry = await self._entry(ref)
            if entry is not None and (body := _body(entry)) is not None:
                records.append((entry, body))
        return records

    async def _entry(self, ref: str) -> Entry | None:
        try:
            return await self._ledger.entry(Ref.parse(ref))
        except ValueError:
            return None

    async def _search_refs(self) -> list[str]:
        """The records as the whole ledger has them."""
        refs: list[str] = []
        after: Ref | None = None
        while entries := await self._ledger.entries(after=after, limit=_PAGE, sid=None):
            refs += [f"{entry.record.chain}.{entry.record.seq}" for entry in entries if _body(entry) is not None]
            after = Ref(entries[-1].record.chain, entries[-1].record.seq)
        return refs


def _body(entry: Entry) -> AdminBody | None:
    body = entry.body
    return body if isinstance(body, AdminBody) and body.event is Event.BUNDLE else None


def _in_force_entry(entry: Entry, body: AdminBody, until_ms: int | None, records: int) -> InForce:
    return InForce(
        digest=body.subject,
        since_ms=entry.record.at,
        until_ms=until_ms,
        by=body.by,
        record=f"{entry.record.chain}.{entry.record.seq}",
        records=records,
        policies=_count(body, "policies"),
        tools=_count(body, "tools"),
        agents=_count(body, "agents"),
    )


def _count(body: AdminBody, name: str) -> int | None:
    value = body.data.get(name)
    return value if isinstance(value, int) else None
