"""Calls that observing let through, read backwards from a ledger with several epochs and erased bodies."""

from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.sqlite import SqliteLedger, observed
from remit.adapters.sqlite.observed import Page, pages
from remit.facts.canonical import canonical
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft
from remit.trace.bodies import ActionBody, AdminBody, Event
from tests.contract.ledger_world import Place
from tests.core.recording import BUNDLE, action


def call(agent: str, *, overridden: str | None = None, **changes: object) -> ActionBody:
    links = tuple((name, f"s-{name}") for name in agent.split())
    return replace(action(), links=links, verdict="permit", observed=overridden, **changes)  # pyright: ignore[reportArgumentType]


async def record(ledger: SqliteLedger, at: int, body: ActionBody, kind: RecordKind = RecordKind.INTENT) -> str:
    return str((await ledger.append(Draft(kind, at, BUNDLE, body.links[-1][1], body)).durable).ref)


def joined(found: list[Page]) -> tuple[int, list[str]]:
    refs = [f"{one.record.chain}.{one.record.seq}" for page in found for one in page.overridden]
    return sum(page.calls for page in found), refs


@pytest.mark.asyncio
async def test_only_the_agents_calls_are_found_latest_first_over_every_epoch(tmp_path: Path) -> None:
    place = Place(tmp_path)
    posing = canonical({"a": [["clerk", "s-clerk"]], "b": '["clerk","s"]'})
    ledger = place.open()
    first = await record(ledger, 2_000, call("clerk", overridden="deny"))
    await record(ledger, 2_100, call("clerk2", overridden="deny"))
    await record(ledger, 2_200, call("other", overridden="deny", arguments=posing))
    await record(ledger, 2_300, call("clerk"), RecordKind.PROPOSAL)
    await ledger.close()
    ledger = place.open()
    try:
        second = await record(ledger, 3_000, call("clerk helper", overridden="escalate"))
        await record(ledger, 3_100, call("clerk"))
        await ledger.append(Draft(RecordKind.ADMIN, 3_200, BUNDLE, "", AdminBody(Event.BUNDLE, "clerk", "x"))).durable
        third = await record(ledger, 3_300, call("helper clerk", overridden="deny"))
        # Beside a ledger that goes on.
        assert joined(list(pages(place.file, "clerk", 0))) == (4, [third, second, first])
        assert joined(list(pages(place.file, "clerk", 3_050))) == (2, [third])
        assert joined(list(pages(place.file, "helper", 0))) == (2, [third, second])
        assert joined(list(pages(place.file, "nobody", 0))) == (0, [])
        assert sum(page.records for page in pages(place.file, "nobody", 0)) == await ledger.count()
    finally:
        await ledger.close()


@pytest.mark.asyncio
async def test_pages_are_short_whatever_the_ledger_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observed, "SEGMENTS", 3)
    place = Place(tmp_path)
    ledger = place.open()
    try:
        refs = [await record(ledger, 2_000 + number, call("clerk", overridden="deny")) for number in range(20)]
    finally:
        await ledger.close()
    found = list(pages(place.file, "clerk", 0))
    assert len(found) == 7
    assert all(len(page.overridden) <= 3 for page in found)
    assert [page.from_ms for page in found] == sorted((page.from_ms for page in found), reverse=True)
    assert joined(found) == (20, refs[::-1])
