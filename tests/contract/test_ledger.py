"""The contract of `ports.ledger.Ledger`, run against the SQLite adapter."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from remit.adapters.sqlite import SqliteLedger, verify_file
from remit.adapters.sqlite.reads import UNSETTLED
from remit.escalate.machine import ApprovalState
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.ports.ledger import Draft, Ledger, LedgerUnwritable
from remit.trace.bodies import AdminBody, Choice, Event, Status
from remit.trace.encoding import Unencodable
from tests.contract.ledger_world import REPLICA, Place, append_all, draft
from tests.core.recording import BUNDLE, Step, action, decision, outcome
from tests.eventually import WITHIN_S

INTENT, PROPOSAL, OUTCOME, DECISION, ADMIN = (
    RecordKind.INTENT,
    RecordKind.PROPOSAL,
    RecordKind.OUTCOME,
    RecordKind.DECISION,
    RecordKind.ADMIN,
)
CHAIN = f"{REPLICA}-1"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest_asyncio.fixture
async def ledger(place: Place) -> AsyncIterator[SqliteLedger]:
    opened = place.open()
    yield opened
    await opened.close()


def ref(seq: int) -> Ref:
    return Ref(CHAIN, seq)


@pytest.mark.asyncio
async def test_place_is_known_at_once_and_in_order_of_calls(ledger: Ledger) -> None:
    pending = [ledger.append(draft(action())) for _ in range(5)]
    assert [item.ref for item in pending] == [ref(seq) for seq in range(2, 7)]
    receipts = await asyncio.gather(*(item.durable for item in pending))
    assert [receipt.ref for receipt in receipts] == [item.ref for item in pending]
    entries = await ledger.entries(after=ref(1), limit=10, sid=None)
    assert [entry.hash for entry in entries] == [receipt.hash for receipt in receipts]
    assert [entry.record.prev for entry in entries[1:]] == [receipt.hash for receipt in receipts[:-1]]


@pytest.mark.asyncio
async def test_record_is_read_back_as_it_was_appended(ledger: Ledger) -> None:
    body = action(arguments=b'{"b": 1e0 }')
    receipt = await ledger.append(Draft(INTENT, 7, BUNDLE, "s1", body)).durable
    entry = await ledger.entry(receipt.ref)
    assert entry is not None
    record = entry.record
    assert (record.chain, record.seq, record.kind) == (CHAIN, 2, INTENT)
    assert (record.at, record.bundle, record.sid) == (7, BUNDLE, "s1")
    assert (entry.body, entry.hash) == (body, receipt.hash)


@pytest.mark.asyncio
async def test_what_is_not_there_is_none(ledger: Ledger) -> None:
    assert await ledger.entry(ref(2)) is None
    assert await ledger.entry(Ref("r9-9", 1)) is None
    assert await ledger.outcome_of(ref(2)) is None
    assert await ledger.outcome_of(Ref("r9-9", 1)) is None
    assert await ledger.session("s1") is None
    assert await ledger.approval(str(ref(2))) is None
    assert await ledger.approval("r9-9.1") is None
    assert await ledger.approval("no id") is None
    assert await ledger.entries(after=Ref("r9-9", 1), limit=5, sid=None) == ()


@pytest.mark.asyncio
async def test_outcome_belongs_to_its_intent(ledger: Ledger) -> None:
    await append_all(
        ledger_of(ledger),
        [
            Step(INTENT, "s1", action()),
            Step(INTENT, "s1", action()),
            Step(OUTCOME, "s1", outcome(str(ref(3)))),
            Step(OUTCOME, "s1", outcome(str(ref(3)), status=Status.LOST)),
        ],
    )
    assert await ledger.outcome_of(ref(2)) is None
    found = await ledger.outcome_of(ref(3))
    assert found is not None
    assert found.record.seq == 4, "the first outcome counts"


def ledger_of(ledger: Ledger) -> SqliteLedger:
    assert isinstance(ledger, SqliteLedger)
    return ledger


@pytest.mark.asyncio
async def test_sessions_are_counted_and_labelled(ledger: Ledger) -> None:
    links = [("lead", "s1"), ("writer", "s2")]
    await append_all(
        ledger_of(ledger),
        [
            Step(INTENT, "s2", action(links=links, irreversible=True)),
            Step(OUTCOME, "s2", outcome(str(ref(2)), sids=["s1", "s2"], labels=["untrusted:web"])),
            Step(INTENT, "s1", action(links=links[:1])),
            Step(PROPOSAL, "s3", action("deny", links=[("writer", "s3")])),
            Step(ADMIN, "", AdminBody(Event.SESSION_ENDED, "ana", "s3")),
        ],
    )
    labels = frozenset({"untrusted", "untrusted:web"})
    one = Session("s1", "lead", "ana", 5, labels, 2, 1)
    two = Session("s2", "writer", "ana", 5, labels, 1, 1)
    three = Session("s3", "writer", "ana", 5, ended_ms=5)
    assert await ledger.session("s1") == one
    assert await ledger.session("s2") == two
    assert await ledger.sessions(10) == [three, two, one]
    assert await ledger.sessions(1) == [three]


@pytest.mark.asyncio
async def test_approval_is_opened_voted_claimed_and_ended(ledger: Ledger) -> None:
    asked = action("escalate")
    own = ledger_of(ledger)
    await append_all(own, [Step(PROPOSAL, "s1", asked), Step(PROPOSAL, "s1", asked)])
    first = str(ref(2))
    [newest, oldest] = await ledger.approvals(open_only=True, limit=10)
    assert (newest.ident, oldest.ident, oldest.requested) == (str(ref(3)), first, asked.action)
    await append_all(own, [Step(DECISION, "", decision(first, asked, completes=False))])
    found = await ledger.approval(first)
    assert found is not None
    assert (found.state, found.gates, [vote.by for vote in found.votes]) == (
        ApprovalState.PENDING,
        asked.gates,
        ["bea"],
    )
    await append_all(
        own,
        [
            Step(DECISION, "", decision(first, asked)),
            Step(INTENT, "s1", action(approval=first)),
            Step(DECISION, "", decision(str(ref(3)), asked, Choice.DENY)),
        ],
    )
    assert await ledger.approvals(open_only=True, limit=10) == []
    assert [item.state for item in await ledger.approvals(open_only=False, limit=10)] == [
        ApprovalState.DENIED,
        ApprovalState.CLAIMED,
    ]
    await append_all(own, [Step(OUTCOME, "s1", outcome(str(ref(6)), approval=first))])
    found = await ledger.approval(first)
    assert found is not None
    assert (found.state, found.claimed_by) == (ApprovalState.SUCCEEDED, str(ref(6)))


@pytest.mark.asyncio
async def test_revocations_and_credentials(ledger: Ledger) -> None:
    bodies = [
        AdminBody(Event.TOKEN_REVOKED, "ana", "t1", {"expires_ms": 9}),
        AdminBody(Event.TOKEN_REVOKED, "ana", "t2", {"expires_ms": 2**80}),
        AdminBody(Event.CREDENTIAL, "remit", "admin", {"hash": "h1"}),
        AdminBody(Event.CREDENTIAL, "remit", "gone", {"hash": "h2"}),
        AdminBody(Event.CREDENTIAL, "remit", "gone", {"hash": None}),
    ]
    with pytest.raises(Unencodable):
        ledger.append(draft(bodies[1], ADMIN, ""))
    del bodies[1]
    await append_all(ledger_of(ledger), [Step(ADMIN, "", body) for body in bodies])
    assert await ledger.revoked_tokens() == {"t1": 9}
    assert await ledger.credentials() == {"admin": "h1"}


@pytest.mark.asyncio
async def test_entries_are_paged_in_order_and_by_session(ledger: Ledger) -> None:
    steps = [Step(INTENT, f"s{number % 3}", action(links=[("writer", f"s{number % 3}")])) for number in range(300)]
    await append_all(ledger_of(ledger), steps)
    assert await ledger.count() == 301
    seen: list[int] = []
    after: Ref | None = None
    while page := await ledger.entries(after=after, limit=77, sid=None):
        seen += [entry.record.seq for entry in page]
        after = Ref(CHAIN, seen[-1])
    assert seen == list(range(1, 302))
    mine = await ledger.entries(after=ref(50), limit=20, sid="s1")
    assert [entry.record.seq for entry in mine] == list(range(51, 111, 3))
    assert {entry.record.sid for entry in mine} == {"s1"}
    assert await ledger.entries(after=None, limit=9, sid="nobody") == []
    assert [entry.record.seq for entry in await ledger.latest(3)] == [299, 300, 301]
    assert len(await ledger.latest(1_000)) == 301
    assert [entry.record.seq for entry in await ledger.latest(20, "s1")] == [
        entry.record.seq for entry in await ledger.entries(after=None, limit=1_000, sid="s1")
    ][-20:]
    assert await ledger.latest(9, "nobody") == []
    assert [entry.record.seq for entry in await ledger.latest(3, before=ref(150))] == [147, 148, 149]
    assert [entry.record.seq for entry in await ledger.latest(3, "s1", ref(51))] == [42, 45, 48]
    assert await ledger.latest(3, before=ref(1)) == []
    assert await ledger.latest(3, before=Ref("r9999-1", 5)) == []


@pytest.mark.asyncio
async def test_intents_without_an_outcome_are_in_doubt_after_a_restart(place: Place) -> None:
    ledger = place.open()
    links = [("lead", "s1"), ("writer", "s2")]
    asked = action("escalate", links=links)
    await append_all(
        ledger,
        [
            Step(INTENT, "s2", action(links=links, source=["untrusted:web"])),
            Step(INTENT, "s2", action(links=links, source=["confidential"])),
            Step(OUTCOME, "s2", outcome(str(ref(2)), sids=["s1", "s2"], labels=["untrusted:web"])),
            Step(PROPOSAL, "s2", asked),
            Step(DECISION, "", decision(str(ref(5)), asked)),
            Step(INTENT, "s2", action(links=links, approval=str(ref(5)))),
        ],
    )
    assert await ledger.in_doubt() == []
    await ledger.close()
    for _ in range(2):
        ledger = place.open()
        assert [(item.ref, item.sid, item.at) for item in await ledger.in_doubt()] == [
            (ref(3), "s2", 5),
            (ref(7), "s2", 5),
        ]
        for sid in ("s1", "s2"):
            session = await ledger.session(sid)
            assert session is not None
            assert session.labels == {"untrusted", "untrusted:web", "confidential"}
        approval = await ledger.approval(str(ref(5)))
        assert approval is not None
        assert approval.state is ApprovalState.UNKNOWN
        await ledger.close()
    ledger = place.open()
    end = outcome(str(ref(3)), sids=["s1", "s2"], status=Status.LOST, result=None)
    await append_all(ledger, [Step(OUTCOME, "s2", end)])
    assert [item.ref for item in await ledger.in_doubt()] == [ref(7)]
    assert [(item.ref, item.status) for item in await ledger.unsettled_intents(after=None, limit=9)] == [
        (ref(3), Status.LOST),
        (ref(7), None),
    ]
    session = await ledger.session("s2")
    assert session is not None
    assert "confidential" in session.labels, "labels only grow"
    await ledger.close()


@pytest.mark.asyncio
async def test_what_no_answer_ended_is_listed_page_by_page_until_somebody_settles_it(place: Place) -> None:
    ledger = place.open()
    ends = [Status.OK, Status.LOST, Status.TOOL_ERROR, Status.TIMEOUT, Status.UPSTREAM_ERROR, Status.NOT_SENT]
    await append_all(ledger, [Step(INTENT, "s1", action())] * (len(ends) + 1))
    told = [outcome(str(ref(number)), status=end, result=None) for number, end in enumerate(ends, 2)]
    await append_all(ledger, [Step(OUTCOME, "s1", one) for one in told])
    unanswered = [(ref(3), "lost"), (ref(5), "timeout"), (ref(6), "upstream_error")]

    async def listed(limit: int = 9, after: Ref | None = None) -> list[tuple[Ref, str | None]]:
        found = await ledger.unsettled_intents(after=after, limit=limit)
        assert {(item.sid, item.at) for item in found} <= {("s1", 5)}
        return [(item.ref, item.status) for item in found]

    assert await listed() == unanswered, "what is still under way is not in doubt"
    await ledger.close()
    assert ledger.in_doubt_count == 4, "what was under way will be"
    ledger = place.open()
    assert await listed() == [*unanswered, (ref(8), None)]
    assert await listed(2) == unanswered[:2]
    assert await listed(2, ref(5)) == [unanswered[2], (ref(8), None)]
    assert await listed(after=Ref("r9999-1", 5)) == []
    for number in (5, 8):
        said = AdminBody(Event.INTENT_SETTLED, "user:ana", str(ref(number)), {"happened": True, "why": "seen"})
        await append_all(ledger, [Step(ADMIN, "", said)])
    assert await listed() == [unanswered[0], unanswered[2]]
    await ledger.close()
    assert ledger.in_doubt_count == 2
    assert verify_file(place.file).clean


def test_to_list_what_is_in_doubt_reads_neither_records_nor_other_outcomes(place: Place) -> None:
    asyncio.run(place.open().close())
    conn = sqlite3.connect(place.file)
    plan = [row[3] for row in conn.execute(f"EXPLAIN QUERY PLAN {UNSETTLED}", (0, 9))]
    conn.close()
    assert "SEARCH unanswered USING INTEGER PRIMARY KEY (rowid>?)" in plan
    assert [step for step in plan if "SCAN" in step or "TEMP" in step] == []


@pytest.mark.asyncio
async def test_each_start_is_an_epoch_that_names_the_end_of_the_last(place: Place) -> None:
    first = place.open()
    [receipt] = await append_all(first, [Step(INTENT, "s1", action())])
    await first.close()
    second = place.open()
    assert second.chain == f"{REPLICA}-2"
    [begin] = await second.latest(1)
    assert isinstance(begin.body, AdminBody)
    assert begin.body.data["heads"] == [{"chain": CHAIN, "seq": 2, "hash": receipt.hash}]
    [again] = await append_all(second, [Step(INTENT, "s1", action())])
    assert again.ref == Ref(f"{REPLICA}-2", 2)
    entries = await second.entries(after=ref(1), limit=10, sid="s1")
    assert [entry.record.chain for entry in entries] == [CHAIN, f"{REPLICA}-2"]
    assert await second.count() == 4
    await second.close()


@pytest.mark.asyncio
async def test_cancelled_waiter_harms_neither_its_record_nor_the_others(ledger: Ledger) -> None:
    pending = [ledger.append(draft(action())) for _ in range(50)]

    async def wait(number: int) -> None:
        await pending[number].durable

    tasks = [asyncio.create_task(wait(number)) for number in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::7]:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    cancelled = [number for number, end in enumerate(ended) if isinstance(end, asyncio.CancelledError)]
    assert cancelled == list(range(0, 50, 7))
    assert [end for end in ended if end is not None and not isinstance(end, asyncio.CancelledError)] == []
    assert len(await ledger.latest(100)) == 51


@pytest.mark.asyncio
async def test_body_that_cannot_be_recorded_takes_no_place(ledger: Ledger) -> None:
    with pytest.raises(Unencodable):
        ledger.append(draft(action(context={"x": "\ud800"})))
    with pytest.raises(Unencodable):
        ledger.append(draft(action(), sid="s\ud800"))
    receipt = await ledger.append(draft(action())).durable
    assert receipt.ref == ref(2)


@pytest.mark.asyncio
async def test_closing_makes_the_queue_durable_and_refuses_more(place: Place) -> None:
    ledger = place.open()
    pending = [ledger.append(draft(action())) for _ in range(200)]
    await asyncio.gather(ledger.close(), ledger.close())
    assert all([(await item.durable).ref for item in pending])
    with pytest.raises(LedgerUnwritable, match="closed"):
        ledger.append(draft(action()))
    again = place.open()
    assert await again.count() == 202
    await again.close()


@pytest.mark.asyncio
async def test_every_receipt_is_given_whenever_the_ledger_is_closed(tmp_path: Path) -> None:
    for number in range(12):
        ledger = Place(tmp_path / str(number)).open()
        pending = [ledger.append(draft(action())) for _ in range(130)]
        for item in pending[:: 1 + number * 11]:
            await item.durable
        last = ledger.append(draft(action()))
        await asyncio.sleep(number / 4_000)
        await ledger.close()
        receipts = await asyncio.wait_for(asyncio.gather(*(item.durable for item in [*pending, last])), WITHIN_S)
        assert len(receipts) == 131


@pytest.mark.asyncio
async def test_sessions_that_hold_other_labels_than_these_are_found(ledger: Ledger) -> None:
    for sid, labels in (("s1", ["untrusted:web"]), ("s2", ["untrusted"]), ("s3", ["confidential"])):
        intent = action(links=[("writer", sid)])
        ref = str(ledger.append(draft(intent, sid=sid)).ref)
        end = outcome(ref, sids=[sid], labels=labels)
        await ledger.append(draft(end, RecordKind.OUTCOME, sid)).durable
    await ledger.append(draft(AdminBody(Event.SESSION_ENDED, "ana", "s3"), RecordKind.ADMIN, "s3")).durable
    named = frozenset({"untrusted"})
    assert [one.sid for one in await ledger.sessions_beyond(named, 0)] == ["s1"]
    assert await ledger.sessions_beyond(named | {"untrusted:web"}, 0) == []
    assert await ledger.sessions_beyond(named, 1_000) == []
