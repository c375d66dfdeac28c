"""What was spent of budgets: durable, a fold of the records, added up by verification, carried over by a restore."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.backup import back_up
from remit.adapters.sqlite.schema import VERSION
from remit.app.data.restoration import restore
from remit.facts.breaker import Trip
from remit.facts.budget import Balance, Charge, Refund, refunds_in
from remit.facts.record import RecordKind
from remit.trace.bodies import AdminBody, Event
from tests.contract.ledger_world import Place, append_all
from tests.contract.test_ledger_erase import erasures_of, filled
from tests.core.recording import Step, action, outcome

FEW = "few calls 60 fleet:"
WORDS = "words tokens 60 agent:a\x00\x1ab"


def intent(*charges: Charge) -> Step:
    return Step(RecordKind.INTENT, "s1", action(charges=charges))


def ended(number: int, *refunds: Refund) -> Step:
    return Step(RecordKind.OUTCOME, "s1", replace(outcome(f"r0102-1.{number}"), refunds=refunds))


def admin(event: Event, account: str, **data: int) -> Step:
    return Step(RecordKind.ADMIN, "", AdminBody(event, "admin", account, data))


async def written(place: Place, steps: Sequence[Step]) -> dict[str, Balance]:
    ledger = place.open()
    await append_all(ledger, steps)
    await ledger.close()
    again = place.open()
    try:
        return await again.balances()
    finally:
        await again.close()


@pytest.mark.asyncio
async def test_what_was_spent_survives_a_restart_and_is_a_fold_of_the_records(tmp_path: Path) -> None:
    place = Place(tmp_path)
    steps = [
        intent(Charge(FEW, 0, 1, 3), Charge(WORDS, 0, 50, 99)),
        intent(Charge(FEW, 0, 1, 3)),
        ended(2, Refund(WORDS, 0, 20)),
        ended(3, Refund(FEW, 0, 1)),
        intent(Charge(FEW, 60_000, 2, 3)),
        admin(Event.BUDGET_CARRIED, "old calls 60 fleet:", since_ms=60_000, units=7),
        admin(Event.BUDGET_CARRIED, "none calls 60 fleet:", since_ms=60_000, units=0),
        intent(Charge("gone calls 60 fleet:", 0, 1, 1)),
        admin(Event.BUDGET_RESET, "gone calls 60 fleet:"),
        admin(Event.BREAKER_TRIPPED, "loops agent:a\x00\x1ab", limit=3),
        admin(Event.BREAKER_TRIPPED, "loops agent:b", limit=3),
        admin(Event.BREAKER_CLOSED, "loops agent:b"),
    ]
    assert await written(place, steps) == {
        FEW: Balance(60_000, 2),
        WORDS: Balance(0, 30),
        "old calls 60 fleet:": Balance(60_000, 7),
    }
    again = place.open()
    assert await again.trips() == {"loops agent:a\x00\x1ab": Trip(5, {"limit": 3})}
    await again.close()
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        conn.execute("UPDATE spent SET units = 1 WHERE account = ?", (FEW,))
    assert [one.invariant for one in verify_file(place.file).findings] == ["state"]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ([intent(Charge(FEW, 0, 2, 3)), intent(Charge(FEW, 0, 2, 3))], "4 are spent of 3"),
        ([intent(Charge(FEW, 60_000, 1, 3)), intent(Charge(FEW, 0, 1, 3))], "a window that is over"),
        ([intent(Charge(FEW, 0, -1, 3))], "-1 are spent"),
        ([intent(Charge(FEW, 0, 1, 3)), ended(2, Refund(FEW, 0, 2))], "given back 2"),
        ([intent(Charge(FEW, 0, 1, 3)), ended(2, Refund(WORDS, 0, 1))], "given back 1"),
        ([intent(), ended(2, Refund(FEW, 0, 1))], "given back 1"),
    ],
)
async def test_verification_adds_up_what_was_spent(tmp_path: Path, steps: Sequence[Step], word: str) -> None:
    place = Place(tmp_path)
    await written(place, steps)
    [found] = verify_file(place.file).findings
    assert found.invariant == "budget-never-overspent"
    assert word in found.what


@pytest.mark.asyncio
async def test_a_reset_and_what_is_carried_over_count_in_verification(tmp_path: Path) -> None:
    place = Place(tmp_path)
    begun = [intent(Charge(FEW, 0, 3, 3)), admin(Event.BUDGET_RESET, FEW), intent(Charge(FEW, 0, 3, 3))]
    carried = admin(Event.BUDGET_CARRIED, WORDS, since_ms=0, units=3)
    await written(place, [*begun, carried, intent(Charge(WORDS, 0, 1, 3))])
    [found] = verify_file(place.file).findings
    assert "4 are spent of 3" in found.what


@pytest.mark.asyncio
async def test_what_began_anew_at_a_moment_gets_nothing_back_of_before(tmp_path: Path) -> None:
    place = Place(tmp_path)
    before = [intent(Charge(FEW, 0, 3, 3)), admin(Event.BUDGET_RESET, FEW, since_ms=9)]
    assert await written(place, [*before, intent(Charge(FEW, 9, 2, 3)), ended(2, Refund(FEW, 0, 3))]) == {
        FEW: Balance(9, 2)
    }
    assert verify_file(place.file).findings == ()
    await written(place, [intent(Charge(FEW, 9, 2, 3))])
    [found] = verify_file(place.file).findings
    assert "4 are spent of 3" in found.what


def not_done(number: int, *refunds: Refund, **more: object) -> Step:
    data = {"happened": False, "why": "looked", "refunds": [list(one) for one in refunds], **more}
    return Step(RecordKind.ADMIN, "", AdminBody(Event.INTENT_SETTLED, "admin", f"r0102-1.{number}", data))  # type: ignore[arg-type]


@pytest.mark.asyncio
async def test_what_did_not_happen_as_a_person_says_gives_back_what_it_took(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await written(place, [intent(Charge(FEW, 0, 2, 3), Charge(WORDS, 0, 50, 99)), intent(Charge(FEW, 0, 1, 3))])
    assert await written(place, [not_done(2, Refund(FEW, 0, 2), Refund(WORDS, 0, 50))]) == {
        FEW: Balance(0, 1),
        WORDS: Balance(0, 0),
    }
    report = verify_file(place.file)
    assert (report.findings, report.uncompared) == ((), None)


@pytest.mark.asyncio
async def test_a_person_gives_back_no_more_than_was_taken(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await written(place, [intent(Charge(FEW, 0, 2, 3))])
    await written(place, [not_done(2, Refund(FEW, 0, 3))])
    [found] = verify_file(place.file).findings
    assert (found.invariant, "given back 3" in found.what) == ("budget-never-overspent", True)


@pytest.mark.parametrize("odd", [None, 7, [7], [[FEW, 0]], [[FEW, True, 1]], [[FEW, 0, False]], [[7, 0, 1]]])
def test_what_is_no_refund_gives_nothing_back(odd: object) -> None:
    assert refunds_in({"refunds": odd}) == ()  # type: ignore[dict-item]
    assert refunds_in({}) == ()


def test_an_erased_intent_keeps_what_it_took(tmp_path: Path) -> None:
    async def make() -> None:
        log, _ = await filled(tmp_path)
        [one, *_] = await append_all(log.ledger, [intent(Charge(FEW, 0, 3, 3))])
        await append_all(log.ledger, [Step(RecordKind.OUTCOME, "s1", outcome(str(one.ref)))])
        await erasures_of(log).erase([one.ref], "x", "user:dpo")
        await append_all(log.ledger, [intent(Charge(FEW, 0, 1, 3))])
        await log.close()

    asyncio.run(make())
    [found] = verify_file(Place(tmp_path).file).findings
    assert "4 are spent of 3" in found.what


@pytest.mark.asyncio
async def test_a_file_of_version_5_gets_accounts(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await written(place, [intent()])
    with closing(sqlite3.connect(place.file, isolation_level=None)) as conn:
        conn.execute("DROP TABLE spent")
        conn.execute("DROP TABLE tripped")
        conn.execute("PRAGMA user_version = 5")
    assert await written(place, []) == {}
    with closing(sqlite3.connect(place.file)) as conn:
        assert conn.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert verify_file(place.file).findings == ()


def test_a_restored_backup_has_spent_what_the_ledger_had_that_it_replaces(tmp_path: Path) -> None:
    place = Place(tmp_path)
    asyncio.run(written(place, [intent(Charge(FEW, 0, 1, 5)), intent(Charge(WORDS, 60_000, 1, 5))]))
    backup = tmp_path / "backup.sqlite3"
    back_up(place.file, backup)
    more = [intent(Charge(FEW, 0, 2, 5)), intent(Charge("new calls 60 fleet:", 0, 4, 5))]
    asyncio.run(written(place, more))
    restore(backup, place.file)
    held = asyncio.run(written(place, []))
    assert held == {FEW: Balance(0, 3), WORDS: Balance(60_000, 1), "new calls 60 fleet:": Balance(0, 4)}
    assert verify_file(place.file).findings == ()
