"""More waits than anybody reads: what is shown of it first, by the API that the page and the command ask."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from remit.escalate.machine import Approval, ApprovalState, Vote
from tests.e2e.api_world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
CROWD = 1_500
HOURS_MS = 3_600_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("urgent")) as made:
        yield made


async def pressing(api: World, user: str, limit: int) -> dict[str, Any]:
    return await api.told("GET", f"/approvals?open=true&limit={limit}", await api.token("user", user))


async def test_what_ends_first_is_first_though_more_opened_later_than_one_answer_holds(
    api: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = await api.token("agent", "bot", user="req")
    first = await api.escalated(bot, text="first")
    last = await api.escalated(bot, text="last")
    ledger = api.services.ledger
    [later, sooner] = await ledger.approvals(open_only=True, limit=2)
    crowd = [replace(later, expires_ms=later.expires_ms + HOURS_MS + at) for at in range(CROWD)]

    async def crowded(*, open_only: bool, limit: int) -> Sequence[Approval]:
        assert open_only
        return [*crowd, sooner][:limit]

    monkeypatch.setattr(ledger, "approvals", crowded)
    shown = await pressing(api, "ann", 5)
    assert ([one["id"] for one in shown["items"]], shown["more"]) == ([first, *[last] * 4], CROWD - 4)
    assert [one["expires"] for one in shown["items"]] == sorted(one["expires"] for one in shown["items"])


async def test_what_one_has_said_yes_to_and_what_is_for_others_comes_after_what_one_decides(
    api: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot = await api.token("agent", "bot", user="ben")
    idents = [await api.escalated(bot, text=f"turn {at}") for at in range(3)]
    ledger = api.services.ledger
    found = {one.ident: one for one in await ledger.approvals(open_only=True, limit=100)}
    said, others, his = (found[ident] for ident in idents)
    given = replace(his, ident=idents[0], state=ApprovalState.APPROVED, expires_ms=his.opened_ms)
    said = replace(said, votes=(Vote("ann", said.opened_ms, ("sec",)),))
    others = replace(others, user="ann", gates=tuple(replace(gate, route="fin") for gate in others.gates))

    async def three(*, open_only: bool, limit: int) -> Sequence[Approval]:
        assert (open_only, limit > 4) == (True, True)
        return [replace(his, expires_ms=his.expires_ms + HOURS_MS), said, others, given]

    monkeypatch.setattr(ledger, "approvals", three)
    shown = [(one["id"], one["state"]) for one in (await pressing(api, "ann", 4))["items"]]
    assert shown == [
        (idents[2], "pending"), (idents[0], "approved"), (idents[0], "pending"), (idents[1], "pending"),
    ]  # fmt: skip


async def test_what_nobody_can_use_any_more_keeps_nothing_off_the_list(api: World) -> None:
    gone = await api.mint("agent", "other", user="req")
    for at in range(3):
        await api.escalated(gone["token"], text=f"gone {at}")
    waits = await api.escalated(await api.token("agent", "sub", user="req"), text="waits")
    await api.told("POST", "/tokens/revoke", body={"token": gone["jti"]})
    items = (await pressing(api, "ann", 100))["items"]
    live = [one["id"] for one in items if one["void"] is None]
    assert [one["id"] for one in items][: len(live)] == live
    assert waits in [one["id"] for one in (await pressing(api, "ann", len(live)))["items"]]
