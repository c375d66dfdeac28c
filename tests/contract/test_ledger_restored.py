"""What a restored backup takes over from the ledger that it replaces: every state table, or a reason why not."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import pytest

from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.backup import back_up
from remit.adapters.sqlite.tables import STATE
from remit.app.data.carry_over import TABLES
from remit.app.data.restoration import restore
from remit.facts.budget import Charge
from remit.facts.mark import Mark, MarkOp
from remit.facts.record import Ref
from remit.trace.bodies import AdminBody, Event, Status, StoreWrite
from tests.contract.ledger_world import Place, append_all
from tests.contract.test_ledger_erase import SECRET, erasures_of
from tests.contract.test_ledger_erase import filled as written
from tests.core.recording import RecordKind, Step, action, outcome

ACCOUNT: Final = "few calls 60 fleet:"
WORDS: Final = "words tokens 60 fleet:"
NEVER: Final = 10**15
MARK: Final = Mark("exports~1", True, 0, "", MarkOp.ADD, 10, 1, 1_000, 60)

Rows = Mapping[Any, tuple[Any, ...]]
"""Of one table, by key."""


def admin(event: Event, subject: str, **data: Any) -> Step:
    return Step(RecordKind.ADMIN, "", AdminBody(event, "user:ana", subject, data))


def passkey(ident: str, user: str) -> Step:
    return admin(Event.PASSKEY_ADDED, ident, user=user, key="a key", count=1, name="phone")


def intent(sid: str = "s1", **more: Any) -> Step:
    return Step(RecordKind.INTENT, sid, action(links=(("writer", sid),), **more))


def wrote(place: str, *labels: str) -> Step:
    return intent(stored=StoreWrite((place,), labels))


FIRST: Final = [
    passkey("stolen", "ana"),
    passkey("kept", "ana"),
    wrote("notes:a", "untrusted"),
    admin(Event.HALT, "agent:clerk", reason="odd", holds="acting"),
    admin(Event.SESSION_KEYED, "s1", key="0a" * 32),
    admin(Event.SESSION_KEYED, "s2", key="0b" * 32),
    admin(Event.SESSION_KEYED, "server old", key="0c" * 16),
    admin(Event.SERVER_ENTRUSTED, "server old", session="s1", tool="note", origins="YQ=="),
    admin(Event.SESSION_KEYED, "server gone", key="0d" * 16),
]
SINCE: Final = [
    admin(Event.PASSKEY_REMOVED, "stolen", user="ana", confirmed=["kept", 7]),
    passkey("new", "bea"),
    passkey("gone", "cy"),
    admin(Event.PASSKEY_REMOVED, "gone", user="cy"),
    wrote("notes:a", "confidential:pii"),
    wrote("notes:\x00b", "untrusted:web"),
    admin(Event.HALT, "agent:clerk", reason="it loops"),
    admin(Event.HALT, "everything", reason="to be sure", holds="reading"),
    admin(Event.SESSION_KEYED, "s1", key=None),
    admin(Event.TOKEN_REVOKED, "late", expires_ms=NEVER),
    admin(Event.CREDENTIAL, "admin", hash="second"),
    admin(Event.BREAKER_TRIPPED, "errors agent:clerk", text="5 of 5 failed", on="errors", limit=1, records=[]),
    intent("s3", marks=(MARK,)),
    admin(Event.SERVER_ENTRUSTED, "server old", session="s2", tool="note", origins="Yg=="),
    admin(Event.SESSION_KEYED, "server new", key="0e" * 16),
    admin(Event.SERVER_ENTRUSTED, "server new", session="s2", tool="note", origins="Yw=="),
    admin(Event.SESSION_KEYED, "server gone", key=None),
]


@dataclass(frozen=True, slots=True)
class Done:
    """What was restored: the rows of the replaced ledger and of the one in its place, and the refs that matter."""

    file: Path
    before: Mapping[str, Rows]
    after: Mapping[str, Rows]
    erased: Ref
    vain: Ref
    """One that its tool said failed, and of which people said since that nothing was done."""
    doubtful: tuple[Ref, Ref, Ref]
    """Still under way at the backup, then found out about by people; without an answer; never found out about."""


def rows(file: Path) -> Mapping[str, Rows]:
    with closing(sqlite3.connect(file)) as conn:
        return {table: {row[0]: row[1:] for row in conn.execute(f"SELECT * FROM {table}")} for table in STATE}


def number(ref: Ref) -> int:
    return 1 << 40 | ref.seq


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder, backup = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("away") / "backup"

    async def begin() -> tuple[Ref, Ref, Ref, Ref, Ref]:
        log, [erased, *_] = await written(folder)
        taken = intent("s2", charges=(Charge(ACCOUNT, 0, 10, 100),))
        found = [one.ref for one in await append_all(log.ledger, [taken, taken, taken, taken])]
        lost = replace(outcome(str(found[1]), sids=["s2"], status=Status.TIMEOUT), result=None)
        failed = outcome(str(found[3]), sids=["s2"], status=Status.TOOL_ERROR)
        await append_all(log.ledger, [Step(RecordKind.OUTCOME, "s2", one) for one in (lost, failed)])
        await append_all(log.ledger, FIRST)
        await log.close()
        return erased, found[0], found[1], found[2], found[3]

    async def go_on() -> None:
        log, [more, *_] = await written(folder)
        for ref in (*doubtful[:2], vain):
            back = admin(Event.INTENT_SETTLED, str(ref), happened=False, why="looked", refunds=[[ACCOUNT, 0, 10]])
            await append_all(log.ledger, [back])
        spent = intent("s2", charges=(Charge(ACCOUNT, 0, 15, 100), Charge(WORDS, 0, 4, 100)))
        await append_all(log.ledger, [*SINCE, spent])
        await erasures_of(log).erase([erased, more], "asked for by ana", "user:dpo")
        await log.close()

    erased, *refs = asyncio.run(begin())
    doubtful, vain = (refs[0], refs[1], refs[2]), refs[3]
    file = Place(folder).file
    back_up(file, backup)
    asyncio.run(go_on())
    before = rows(file)
    restore(backup, file)
    return Done(file, before, rows(file), erased, vain, doubtful)


def test_every_state_table_is_taken_over_or_there_is_a_reason_why_not() -> None:
    assert TABLES.keys() == set(STATE)
    left = {table for table, why in TABLES.items() if isinstance(why, str) and why.strip()}
    assert TABLES.keys() - left <= STANDS.keys(), "a table that is taken over has to be looked at below"


def _same(done: Done, table: str, *, but: int | None = None) -> None:
    """Each row of the replaced ledger stands, its column `but` (when it was recorded) aside."""

    def told(found: Rows) -> Rows:
        return {key: tuple(one for at, one in enumerate(row) if at != but) for key, row in found.items()}

    assert done.before[table]
    assert told(done.before[table]).items() <= told(done.after[table]).items()


def _sessions(done: Done) -> None:
    assert done.after["session"]
    assert all(row[-1] is not None for row in done.after["session"].values())
    assert {row[0] for row in done.before["session"].values()} <= {row[0] for row in done.after["session"].values()}


def _spent(done: Done) -> None:
    # Three of the four intents of the backup took nothing in the end; they are not given back a second time.
    assert done.before["spent"] == {ACCOUNT: (0, 25), WORDS: (0, 4)}
    assert done.after["spent"] == {ACCOUNT: (0, 40), WORDS: (0, 4)}


def _tripped(done: Done) -> None:
    [(key, (_, detail))] = done.after["tripped"].items()
    assert key in done.before["tripped"]
    assert "5 of 5 failed" in detail


def _keyed(done: Done) -> None:
    assert done.before["keyed"].keys() == done.after["keyed"].keys() == {"s2", "server old", "server new"}


def _entrusted(done: Done) -> None:
    async def read(index: str) -> tuple[bytes, list[object]]:
        ledger = Place(done.file.parent).open()
        found = await ledger.origins(index)
        await ledger.close()
        assert found is not None
        return found.key, [body.data["origins"] for body in found.bodies if isinstance(body, AdminBody)]

    assert asyncio.run(read("server old")) == (b"\x0c" * 16, ["YQ==", "Yg=="])
    assert asyncio.run(read("server new")) == (b"\x0e" * 16, ["Yw=="])


def _unknown(done: Done) -> None:
    """Nobody can say once more what became of a call, and have its budgets given back once more."""
    assert {number(ref) for ref in done.doubtful[:2]}.isdisjoint(done.after["in_doubt"])
    assert not done.after["unanswered"]
    assert number(done.doubtful[2]) in done.after["in_doubt"]
    assert done.after["open_intents"] == {}
    [said] = done.after["outcome"][number(done.vain)]
    assert said >> 40 > 1, "what people said of it since, recorded anew"


def _erased(done: Done) -> None:
    known = {ident for ident in done.before["erased"] if ident >> 40 == 1}
    assert number(done.erased) in known
    assert len(known) == 2, "an intent and its outcome"
    assert done.after["erased"].keys() == known
    assert b"%s 0" % SECRET not in done.file.read_bytes()
    assert b"%s 1" % SECRET in done.file.read_bytes()


STANDS: Final[Mapping[str, Callable[[Done], None]]] = {
    "session": _sessions,
    "stopped": lambda done: _same(done, "stopped", but=1),
    "spent": _spent,
    "past": lambda done: _same(done, "past"),
    "revoked": lambda done: _same(done, "revoked"),
    "credential": lambda done: _same(done, "credential"),
    "passkey": lambda done: _same(done, "passkey"),
    "stored": lambda done: _same(done, "stored"),
    "tripped": _tripped,
    "keyed": _keyed,
    "origin": _entrusted,
    "open_intents": _unknown,
    "in_doubt": _unknown,
    "unanswered": _unknown,
    "erased": _erased,
}
"""What of each table has to stand in the restored ledger."""


@pytest.mark.parametrize("table", STANDS)
def test_what_the_replaced_ledger_said_since_the_backup_stands(done: Done, table: str) -> None:
    STANDS[table](done)


def test_what_was_taken_over_is_on_record_and_restoring_again_takes_over_nothing_more(done: Done) -> None:
    report = verify_file(done.file)
    assert (report.findings, report.uncompared) == ((), None)
    backup = done.file.with_name("again")
    back_up(done.file, backup)
    restore(backup, done.file)
    assert rows(done.file)["passkey"] == done.after["passkey"]
    assert verify_file(done.file).records == report.records + 2, "an epoch, and that it was restored"


def test_a_passkey_that_was_stolen_confirms_nothing_and_who_had_one_is_asked_for_it(done: Done) -> None:
    async def read() -> tuple[Mapping[str, int], set[str]]:
        ledger = Place(done.file.parent).open()
        live, known = await ledger.passkeys(), await ledger.passkeys(removed=True)
        await ledger.close()
        return {one.ident: one.count for one in live}, {one.user for one in known}

    assert asyncio.run(read()) == ({"kept": 7, "new": 1}, {"ana", "bea", "cy"})


def test_nothing_is_taken_over_for_records_that_bear_the_same_id_and_are_others(tmp_path: Path) -> None:
    """A restore that could not read the ledger it replaced gave ids twice."""
    folder, early, later = tmp_path / "data", tmp_path / "early", tmp_path / "later"

    async def write(*steps: Step) -> list[Ref]:
        log, intents = await written(folder)
        await append_all(log.ledger, steps)
        await log.close()
        return intents

    async def erase(ref: Ref) -> None:
        log, _ = await written(folder, 0)
        await erasures_of(log).erase([ref], "asked for", "user:dpo")
        await log.close()

    file = Place(folder).file
    asyncio.run(write())
    back_up(file, early)
    for _ in range(2):
        asyncio.run(write())
    back_up(file, later)
    file.write_bytes(b"no ledger any more")
    assert not restore(early, file).remembered
    again = asyncio.run(write(intent("s2"), intent("s2")))
    assert again[0].chain.endswith("-3"), "of that epoch the later backup has records too"
    asyncio.run(erase(again[0]))
    restore(later, file)
    report = verify_file(file)
    assert (report.findings, report.erased) == ((), 0)
