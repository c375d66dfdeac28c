"""Calls that observing let through, read backwards from a ledger with several epochs and erased bodies."""

from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.sqlite import SqliteLedger, observations
from remit.adapters.sqlite.observations import LedgerPage, pages
from remit.api.services import PolicyText
from remit.app.service import adoption
from remit.facts.canonical import canonical
from remit.facts.record import RecordKind
from remit.policy.verdict import Code, Reason
from remit.ports.ledger import Draft
from remit.trace.bodies import ActionBody, AdminBody, Event
from tests.contract.ledger_world import Place
from tests.core.recording import BUNDLE, action


def call(agent: str, *, overridden: str | None = None, **changes: object) -> ActionBody:
    links = tuple((name, f"s-{name}") for name in agent.split())
    return replace(action(), links=links, verdict="permit", observed=overridden, **changes)  # pyright: ignore[reportArgumentType]


async def record(ledger: SqliteLedger, at: int, body: ActionBody, kind: RecordKind = RecordKind.INTENT) -> str:
    return str((await ledger.append(Draft(kind, at, BUNDLE, body.links[-1][1], body)).durable).ref)


def lost(bundle: str, ident: str) -> None:
    """No policy's text is at hand."""


def joined(found: list[LedgerPage]) -> tuple[int, list[str]]:
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
    monkeypatch.setattr(observations, "SEGMENTS", 3)
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


@pytest.mark.asyncio
@pytest.mark.parametrize(("bound", "count"), [("RECORDS_MAX", 5), ("CALLS_MAX", 5), ("OVERRIDDEN_MAX", 5)])
async def test_a_report_that_stops_early_says_since_when_it_speaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, count: int
) -> None:
    monkeypatch.setattr(observations, "SEGMENTS", 2)
    place = Place(tmp_path)
    ledger = place.open()
    try:
        for number in range(10):
            body = call("clerk", overridden="deny", reasons=(Reason(Code.NO_POLICY, "no", agent="clerk"),))
            await record(ledger, 2_000 + number, body)
    finally:
        await ledger.close()
    whole = adoption.adoption(place.file, "clerk", 1_500, lost)
    assert (whole.complete, whole.calls, whole.denied, whole.since_ms) == (True, 10, 10, 1_500)
    monkeypatch.setattr(adoption, bound, count)
    part = adoption.adoption(place.file, "clerk", 1_500, lost)
    assert (part.complete, part.calls, part.denied, part.since_ms) == (False, 6, 6, 2_004)
    assert adoption.adoption(place.file, "clerk", 2_005, lost).complete


@pytest.mark.asyncio
async def test_of_a_chain_only_a_policy_that_forbids_speaks_against_an_agent(tmp_path: Path) -> None:
    """The reasons of a permit stand beside those that another agent's observing overrode."""
    texts = {
        "may": '// forbid nothing\n@id("may")\n@reason("forbid \\" ; permit")\npermit (principal, action, resource);',
        "not": '@id("not") // permit\nforbid (principal, action, resource) unless { context has permit };',
    }

    def policy(bundle: str, ident: str) -> PolicyText | None:
        assert bundle == BUNDLE
        return PolicyText("a.cedar", 1, texts[ident]) if ident in texts else None

    place = Place(tmp_path)
    ledger = place.open()
    try:
        for ident in ("may", "not", "lost"):
            said = (Reason(Code.POLICY, ident, ident, agent="clerk"), Reason(Code.NO_POLICY, "no", agent="helper"))
            await record(ledger, 2_000, call("clerk helper", overridden="deny", reasons=said))
    finally:
        await ledger.close()
    found = adoption.adoption(place.file, "clerk", 0, policy)
    assert {row.policy for row in found.rows} == {"not", "lost"}
    assert (found.calls, found.denied) == (3, 2)
    assert adoption.adoption(place.file, "helper", 0, policy).denied == 3
