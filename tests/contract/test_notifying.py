"""What channels hear of approvals, from a real ledger and a real outbox, turn by turn."""

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
from remit.ports.notifier import Undelivered
from remit.ports.tail import Page
from remit.trace.bodies import Choice, DecisionBody
from remit.work.outbox import Notifying
from tests.contract.ledger_world import Place, append_all
from tests.core.recording import Step, action

KNOWN: Final = Catalog(
    agents={}, users={}, groups=frozenset(), servers={}, tools={}, policies=(),
    routes={"owner": Route("owner", users=frozenset({"ana"}), channels=("desk",))},
    channels={"desk": Channel("desk", "http://127.0.0.1:9/", Secret(FromEnv("X")))},
)  # fmt: skip
ASKED: Final = replace(action("escalate"), gates=(Gate("final", "owner", "sha256:t"),), expires_ms=10**14)


class Nowhere:
    """A receiver that is down: what is kept stays to be seen."""

    async def say(self, channel: Channel, notice: Notice, now_ms: int) -> None:
        raise Undelivered(f"{channel.name} is down at {now_ms}: {notice.ident}")


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
        told = [kept.notice.ident for kept in await outbox.due(10**15, 1_000)]
        assert sorted(told) == sorted(f"msg_{ident.replace('.', '_')}-denied-desk" for ident in idents)
    assert await outbox.seen() == {}, "nothing is kept in mind of what is over"
    await outbox.close()
    await ledger.close()
