"""Erasing bodies on record: what is kept of them is durable before anything goes.

Laws
* The record of an erasure, made for a person, comes first; then the bytes go. What a crash leaves undone in between is
  done at the next start (`finish`): the record says it, so it is so.
* No frame is made of a body that is not what its record commits to: what stays after an erasure is what was signed.
* What is still under way, or waits for people, is not erased; an erasure of which one body may not go erases none.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from remit.escalate.machine import OPEN
from remit.facts.canonical import Json
from remit.facts.record import Receipt, RecordKind, Ref
from remit.pdp.fold import fold
from remit.ports.ledger import Entry, Ledger
from remit.ports.transparency import Bodies, Erasure, NotErasable
from remit.trace.bodies import ActionBody, AdminBody, Body, Event, OutcomeBody
from remit.trace.encoding import encode_body
from remit.trace.erasure import frame

EACH_MAX: Final = 500
"""How many bodies one record erases."""


class Erasures:
    """`ports.transparency.Erasing` over a ledger whose bodies `bodies` removes; `record` puts on it."""

    def __init__(self, ledger: Ledger, bodies: Bodies, record: Callable[[AdminBody], Awaitable[Receipt]]) -> None:
        self._ledger = ledger
        self._bodies = bodies
        self._record = record

    async def erase(self, refs: Sequence[Ref], why: str, by: str) -> Erasure:
        """See `ports.transparency.Erasing`."""
        frames: dict[Ref, Json] = {}
        for ref in refs:
            for entry in await self._with_outcome(ref):
                head = Ref(entry.record.chain, entry.record.seq)
                frames[head] = {"id": str(head), "kept": encode_body(await self._frame(head, entry)).decode()}
        unlike = await asyncio.to_thread(self._bodies.unlike, list(frames))
        if unlike is not None:
            problem = f"{unlike} says something else than its record commits to, and its frame would be kept as true"
            raise NotErasable(f"{problem}: remit ledger verify")
        records: list[Ref] = []
        cleared = True
        every = list(frames)
        for start in range(0, len(every), EACH_MAX):
            batch = every[start : start + EACH_MAX]
            data: dict[str, Json] = {"why": why, "bodies": [frames[ref] for ref in batch]}
            receipt = await self._record(AdminBody(Event.LEDGER_ERASED, by, str(batch[0]), data))
            records.append(receipt.ref)
            cleared = await asyncio.to_thread(self._bodies.erase, batch) and cleared
        return Erasure(tuple(records), tuple(every), cleared)

    async def finish(self) -> int:
        """Remove what is erased on record and still there; how many bodies that were."""
        return await asyncio.to_thread(self._bodies.finish)

    async def _with_outcome(self, ref: Ref) -> list[Entry]:
        entry = await self._ledger.entry(ref)
        if entry is None:
            raise KeyError(str(ref))
        if entry.record.kind is not RecordKind.INTENT:
            return [entry]
        outcome = await self._ledger.outcome_of(ref)
        if outcome is None and ref not in {item.ref for item in await self._ledger.in_doubt()}:
            raise NotErasable(f"{ref} has no outcome yet: what is under way is not erased")
        # What a person said of it in place of an outcome is never erased.
        return [entry, outcome] if outcome is not None and isinstance(outcome.body, OutcomeBody) else [entry]

    async def _frame(self, ref: Ref, entry: Entry) -> Body:
        body = entry.body
        if body is None:
            raise NotErasable(f"{ref} was erased already")
        stripped = frame(body)
        if stripped is None or ref.seq == 1:
            raise NotErasable(f"{ref} is a record of kind {entry.record.kind.value} whose body is never erased")
        if isinstance(body, ActionBody) and body.verdict == "escalate":
            approval = await self._ledger.approval(str(ref))
            if approval is not None and approval.state in OPEN:
                raise NotErasable(f"{ref} waits for people: it is not erased before they decided")
        before, after = (fold(ref, entry.record.at, entry.record.kind, version) for version in (body, stripped))
        if [type(version) for version in before] != [type(version) for version in after]:
            raise NotErasable(f"the state hangs on what {ref} says")
        return stripped
