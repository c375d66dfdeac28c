"""What channels hear of approvals, from a real ledger and a real outbox, turn by turn."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.escalate.notice import Notice
from remit.facts.catalog import Catalog, Channel, Route
from remit.facts.credential import FromEnv, Secret
from remit.facts.record import RecordKind
from remit.policy.verdict import Gate
from remit.ports.ledger import Draft
from remit.ports.notifier import DeliveryFailed
from remit.ports.tail import Page
from remit.trace.bodies import AdminBody, Choice, DecisionBody, Event
from remit.work.outbox import AT_ONCE, LATE_MS, RESTART_MS, TRIES_MS, Notifying
from tests.contract.ledger_world import Place, append_all
from tests.core.recording import Step, action, outcome

KNOWN: Final = Catalog(
    agents={}, users={}, groups=frozenset(), servers={}, tools={}, policies=(),
    routes={"owner": Route("owner", users=frozenset({"ana"}), channels=("desk",))},
    channels={"desk": Channel("desk", "http://127.0.0.1:9/", Secret(FromEnv("X")))},
)  # fmt: skip
ASKED: Final = replace(action("escalate"), gates=(Gate("final", "owner", "sha256:t"),), expires_ms=10**14)
BOTH: Final = replace(
    KNOWN,
    channels={name: replace(KNOWN.channels["desk"], name=name) for name in ("desk", "night")},
    routes={"owner": replace(KNOWN.routes["owner"], channels=("desk", "night"))},
)


class Nowhere:
    """A receiver that is down: what is kept stays to be seen."""

    async def say(self, channel: Channel, notice: Notice, now_ms: int) -> None:
        raise DeliveryFailed(f"{channel.name} is down at {now_ms}: {notice.ident}")


class Nothing:
    """A ledger that nobody follows."""

    async def after(self, mark: str) -> Page:
        return Page((), mark, more=False)


@pytest.mark.asyncio
async def test_what_opens_and_ends_within_a_turn_is_told_once_as_over(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger, outbox = place.open(), SqliteOutbox(tmp_path / "outbox.db")

    def service() -> Notifying:
        return Notifying(ledger, outbox, Nowhere(), lambda: KNOWN, place.clock, "http://x/a/", Nothing())

    first = service()
    await first.turn()
    idents: list[str] = []
    for _ in range(40):
        [asked] = await append_all(ledger, [Step(RecordKind.PROPOSAL, "s1", ASKED)])
        idents.append(str(asked.ref))
        no = DecisionBody(idents[-1], ASKED.action, "ana", Choice.DENY, (), None)
        await append_all(ledger, [Step(RecordKind.DECISION, "s1", no)])
    for one in (first, first, service()):
        await one.turn()
        told = [kept.notice.ident for kept in await outbox.due(10**15, 1_000, TRIES_MS)]
        assert sorted(told) == sorted(f"msg_{ident.replace('.', '_')}-denied-desk" for ident in idents)
    assert await outbox.states() == {}, "nothing is kept in mind of what is over"
    await outbox.close()
    await ledger.close()


@pytest.mark.asyncio
async def test_what_was_over_before_a_crash_is_told_however_long_the_service_was_down(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger, outbox = place.open(), SqliteOutbox(tmp_path / "outbox.db")

    async def over() -> str:
        asked = Draft(RecordKind.PROPOSAL, place.clock.now_ms(), "sha256:b", "s1", ASKED)
        ident = str((await ledger.append(asked).durable).ref)
        no = DecisionBody(ident, ASKED.action, "ana", Choice.DENY, (), None)
        await append_all(ledger, [Step(RecordKind.DECISION, "s1", no)])
        return f"msg_{ident.replace('.', '_')}-denied-desk"

    long_ago = await over()
    place.clock.at += 10 * RESTART_MS
    before = await over()
    place.clock.at += 100 * RESTART_MS
    after = Notifying(ledger, outbox, Nowhere(), lambda: KNOWN, place.clock, "http://x/a/", Nothing())
    since = await over()
    for _ in range(2):
        await after.turn()
        told = [kept.notice.ident for kept in await outbox.due(10**15, 1_000, TRIES_MS)]
        assert sorted(told) == sorted([before, since])
        assert long_ago not in told, "ten minutes before the last one is far enough: it was told then"
    place.clock.at -= 10 * RESTART_MS
    back = await over()
    await after.turn()
    told = [kept.notice.ident for kept in await outbox.due(10**15, 1_000, TRIES_MS)]
    assert sorted(told) == sorted([before, since, back]), "though the clock was set back"
    await outbox.close()
    await ledger.close()


@pytest.mark.asyncio
async def test_what_opened_and_was_begun_within_a_turn_is_told_once_it_is_over_however_long_it_takes(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path)
    ledger, outbox = place.open(), SqliteOutbox(tmp_path / "outbox.db")
    notifying = Notifying(ledger, outbox, Nowhere(), lambda: KNOWN, place.clock, "http://x/a/", Nothing())
    await notifying.turn()
    [asked] = await append_all(ledger, [Step(RecordKind.PROPOSAL, "s1", ASKED)])
    ident = str(asked.ref)
    yes = DecisionBody(ident, ASKED.action, "ana", Choice.APPROVE, ("owner",), None, completes=True)
    begun = replace(action(), approval=ident)
    _, intent = await append_all(ledger, [Step(RecordKind.DECISION, "s1", yes), Step(RecordKind.INTENT, "s1", begun)])
    started = AdminBody(Event.APPROVAL_STARTED, "remit", ident)
    await append_all(ledger, [Step(RecordKind.ADMIN, "s1", started)])
    for _ in range(3):
        await notifying.turn()
        place.clock.at += LATE_MS
    assert not await outbox.due(10**15, 1_000, TRIES_MS), "what is being done is told once it is over"
    done = outcome(str(intent.ref), approval=ident)
    await append_all(ledger, [Step(RecordKind.OUTCOME, "s1", done)])
    await notifying.turn()
    [told] = await outbox.due(10**15, 1_000, TRIES_MS)
    assert told.notice.ident == f"msg_{ident.replace('.', '_')}-succeeded-desk"
    assert await outbox.states() == {}
    await outbox.close()
    await ledger.close()


class Partly:
    """Receivers of which `desk` fails as nobody thought of, and `night` hears what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def say(self, channel: Channel, notice: Notice, now_ms: int) -> None:
        if channel.name == "desk":
            raise UnicodeError("label empty or too long")
        self.heard.append(notice.ident)


@pytest.mark.asyncio
async def test_a_channel_that_nothing_can_be_told_ends_no_turn_and_waits_as_any_other(tmp_path: Path) -> None:
    place, partly = Place(tmp_path), Partly()
    ledger, outbox = place.open(), SqliteOutbox(tmp_path / "outbox.db")
    notifying = Notifying(ledger, outbox, partly, lambda: BOTH, place.clock, "http://x/a/", Nothing())
    await append_all(ledger, [Step(RecordKind.PROPOSAL, "s1", ASKED) for _ in range(AT_ONCE + 1)])
    for _ in range(2):
        await notifying.turn()
    assert len(partly.heard) == len(set(partly.heard)) == AT_ONCE + 1
    standing = await outbox.channels()
    assert standing["desk"].why == "telling it failed in Remit (UnicodeError)"
    assert standing["desk"].waiting == AT_ONCE + 1
    assert not [kept for kept in await outbox.due(place.clock.now_ms(), 100, TRIES_MS) if kept.attempts > 1], (
        "each in its time"
    )
    await outbox.close()
    await ledger.close()


class Hanging(Partly):
    """Receivers of which `desk` never answers, and `night` hears what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def say(self, channel: Channel, notice: Notice, now_ms: int) -> None:
        if channel.name == "desk":
            self.asked += 1
            await asyncio.Event().wait()
        await super().say(channel, notice, now_ms)


@pytest.mark.asyncio
async def test_a_channel_that_hangs_holds_up_no_turn_and_no_other_channel(tmp_path: Path) -> None:
    place, hanging = Place(tmp_path), Hanging()
    ledger, outbox = place.open(), SqliteOutbox(tmp_path / "outbox.db")
    notifying = Notifying(ledger, outbox, hanging, lambda: BOTH, place.clock, "http://x/a/", Nothing())
    told = 3 * AT_ONCE
    await append_all(ledger, [Step(RecordKind.PROPOSAL, "s1", ASKED) for _ in range(told - 1)])
    for _ in range(2):
        await asyncio.wait_for(notifying.turn(), 60)
    await append_all(ledger, [Step(RecordKind.PROPOSAL, "s1", ASKED)])
    await asyncio.wait_for(notifying.turn(), 60)
    assert len(hanging.heard) == len(set(hanging.heard)) == told, "what opened meanwhile, too"
    assert hanging.asked == AT_ONCE, "nothing is told twice while it is being told"
    await notifying.close()
    standing = await outbox.channels()
    assert (standing["desk"].waiting, standing["night"].waiting) == (told, 0)
    await outbox.close()
    await ledger.close()


@pytest.mark.asyncio
async def test_where_what_was_told_cannot_be_kept_the_turn_fails(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()

    class Full(SqliteOutbox):
        async def delivered(self, ident: str) -> None:
            raise OSError(f"no space left for {ident}")

    outbox = Full(tmp_path / "outbox.db")
    notifying = Notifying(ledger, outbox, Partly(), lambda: BOTH, place.clock, "http://x/a/", Nothing())
    await append_all(ledger, [Step(RecordKind.PROPOSAL, "s1", ASKED)])
    with pytest.raises(OSError, match="no space left"):
        await notifying.turn()
    await notifying.close()
    await outbox.close()
    await ledger.close()
