"""The first record of a session is found without reading the others."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from remit.adapters.sqlite import SqliteLedger, first_record, reads
from remit.adapters.sqlite.first_record import first_of
from remit.facts.record import Ref
from remit.ports.ledger import Draft
from remit.trace.bodies import AdminBody, Event
from tests.contract.ledger_world import Place
from tests.core.recording import BUNDLE, RecordKind, action

LONG: Final = 1_500
EACH: Final = 25


def opened(sid: str, at: int) -> Draft:
    body = AdminBody(Event.SESSION_OPENED, "harness:clerk", sid, {"agent": "clerk", "user": None})
    return Draft(RecordKind.ADMIN, at, "", sid, body)


def acts(sid: str, at: int, *above: tuple[str, str]) -> Draft:
    return Draft(RecordKind.INTENT, at, BUNDLE, sid, action(links=(*above, ("clerk", sid))))


async def append(ledger: SqliteLedger, *drafts: Draft) -> list[Ref]:
    """In batches of a few."""
    found: list[Ref] = []
    for start in range(0, len(drafts), EACH):
        pending = [ledger.append(one) for one in drafts[start : start + EACH]]
        found += [(await one.durable).ref for one in pending]
    return found


async def first(ledger: SqliteLedger, sid: str) -> Ref | None:
    found = await ledger.first(sid)
    walked = await ledger.entries(after=None, limit=1, sid=sid)
    assert (found is None) is (not walked)
    assert found is None or found == walked[0]
    return None if found is None else Ref(found.record.chain, found.record.seq)


@pytest.mark.asyncio
async def test_it_is_the_first_whenever_it_began_and_whatever_clocks_did(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    made = await append(ledger, *(opened(f"s{number}", 1_000 + number // 3) for number in range(200)))
    await append(ledger, *(acts(f"s{number}", 2_000) for number in range(200)))
    assert [await first(ledger, f"s{number}") for number in range(200)] == made
    [child] = await append(ledger, acts("child", 3_000, ("boss", "above")))
    [back] = await append(ledger, opened("set back", 500))
    [above] = await append(ledger, acts("above", 4_000))
    assert await first(ledger, "child") == child
    assert await first(ledger, "set back") == back
    assert await first(ledger, "above") == above, "it was touched before it acted itself"
    assert await first(ledger, "nobody") is None
    await ledger.close()
    place.clock.at = 5_000
    ledger = place.open()
    [late] = await append(ledger, opened("late", 5_001))
    [early] = await append(ledger, opened("of before all", 1))
    assert await first(ledger, "late") == late
    assert await first(ledger, "of before all") == early
    assert await first(ledger, "s0") == made[0]
    await ledger.close()


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What each batch that is read begins with."""
    read: list[int] = []
    for module in (first_record, reads):
        real: Callable[..., Any] = module.unpack

        def unpack(first: int, *rest: Any, real: Callable[..., Any] = real) -> Any:
            read.append(first)
            return real(first, *rest)

        monkeypatch.setattr(module, "unpack", unpack)
    return read


@pytest.mark.parametrize("before", [0, 60])
def test_of_a_long_session_a_few_batches_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    place = Place(tmp_path)

    async def write() -> Ref:
        ledger = place.open()
        await append(ledger, *(acts("other", 1_001) for _ in range(before)))
        [found] = await append(ledger, opened("s1", 2_000))
        await append(ledger, *(acts("s1", 2_001 + number) for number in range(LONG)))
        await ledger.close()
        return found

    made = asyncio.run(write())
    conn = sqlite3.connect(place.file)
    [batches] = conn.execute("SELECT count(*) FROM segment").fetchone()
    read = counted(monkeypatch)
    found = first_of(conn, "s1")
    conn.close()
    assert found is not None
    assert found.id & 0xFFFFFFFF == made.seq
    assert len(read) <= 2 * batches.bit_length() < batches
