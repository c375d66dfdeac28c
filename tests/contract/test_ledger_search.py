"""Records looked for in a ledger, as `remit logs` has them looked for."""

from pathlib import Path

import pytest_asyncio

from remit.adapters.sqlite.search import OLDER_MAX, search_records
from remit.facts.record import RecordKind
from remit.ports.record_search import RecordSearch
from remit.trace.bodies import AdminBody, Event
from tests.contract.ledger_world import Place, draft
from tests.core.recording import action

AT, COUNT = 10_000, 600


@pytest_asyncio.fixture
async def ledger(tmp_path: Path) -> Path:
    """Every tenth record is a denial of clerk's, `AT` and its number ms after the epoch; others name him elsewhere."""
    place = Place(tmp_path)
    opened = place.open()
    denied = action("deny", links=(("scout", "s1"), ("clerk", "s2")), server="counter")
    permitted = action(links=(("scout", "s1"),), server="clerk", user="clerk")
    told = AdminBody(Event.TOKEN_REVOKED, "clerk", "deny", {"server": "counter"})
    pending = [
        opened.append(
            draft(denied, RecordKind.PROPOSAL, at=AT + number)
            if number % 10 == 0
            else draft(told, RecordKind.ADMIN, "", AT + number)
            if number % 10 == 1
            else draft(permitted, RecordKind.PROPOSAL, at=AT + number)
        )
        for number in range(COUNT)
    ]
    for one in pending:
        await one.durable
    await opened.close()
    return place.file


def numbers(path: Path, limit: int = 1_000, looked_max: int = 100_000, **search: str | int) -> tuple[list[int], int]:
    """The numbers of the records that are found, and up to which none was looked at."""
    found = search_records(path, RecordSearch(**search), limit, looked_max)  # pyright: ignore[reportArgumentType]
    unsearched = AT if found.unsearched_ms is None else found.unsearched_ms
    return [entry.record.at - AT for entry in found.entries], unsearched - AT


def test_the_last_of_which_all_holds_are_found_oldest_first(ledger: Path) -> None:
    tenths = list(range(0, COUNT, 10))
    assert numbers(ledger, agent="clerk") == (tenths, 0)
    assert numbers(ledger, agent="scout", server="counter", verdict="deny") == (tenths, 0)
    assert numbers(ledger, 3, verdict="deny") == ([570, 580, 590], 0)
    assert numbers(ledger, agent="clerk", verdict="permit") == ([], 0)
    assert len(numbers(ledger, server="clerk")[0]) == COUNT * 8 // 10
    assert numbers(ledger, agent="stranger") == ([], 0)


def test_times_bound_what_is_found_and_how_far_back_it_is_looked(ledger: Path) -> None:
    assert numbers(ledger, since_ms=AT + 597) == ([597, 598, 599], 0)
    assert numbers(ledger, verdict="deny", since_ms=AT + 25, until_ms=AT + 50) == ([30, 40], 0)
    looked = OLDER_MAX + COUNT - 500
    assert numbers(ledger, agent="clerk", since_ms=AT + 500, looked_max=looked)[1] == 0, "no further back than that"


def test_where_there_is_more_than_is_looked_through_it_is_told_and_can_be_gone_on_from(ledger: Path) -> None:
    assert numbers(ledger, verdict="deny", looked_max=100) == (list(range(500, COUNT, 10)), 500)
    assert numbers(ledger, verdict="deny", looked_max=100, until_ms=AT + 500) == (list(range(400, 500, 10)), 400)
