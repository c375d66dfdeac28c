"""A halt: before the intent, before the bytes leave, in mid-call, and over what a restart leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from mcp import MCPError

from remit.facts.record import RecordKind
from remit.facts.stop import Over
from remit.pep.answer import Refused, Released
from remit.policy.verdict import Code
from remit.trace.bodies import OutcomeBody, Status
from tests.e2e.api_world import world
from tests.e2e.gateway_world import Shop, gateway, shop_process
from tests.e2e.test_gateway_client import client

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    with shop_process(tmp_path_factory.mktemp("shop")) as made:
        yield made


def why(answer: object) -> str | None:
    return answer.reasons[0].code.value if isinstance(answer, Refused) else None


HALTS = [
    ("agent", "sub"),
    ("user", "req"),
    ("group", "fin"),
    ("server", "hand"),
    ("tool", "hand/echo"),
    ("session", ""),
    ("everything", ""),
]


@pytest.mark.asyncio
async def test_whatever_is_halted_is_denied_until_it_is_resumed(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        minted = await api.mint("agent", "bot", user="req")
        child = (await api.delegate(minted["token"], "sub")).json()["access_token"]
        ann = await api.token("user", "ann")
        assert isinstance(await api.call(child, "echo", {"text": "x"}), Released)
        for kind, name in HALTS:
            asked = {"kind": kind, "name": name if kind != "session" else minted["sid"]}
            halted = await api.told("POST", "/halts", ann, {**asked, "why": "it loops"})
            assert (halted["drill"], halted["cut"]) == (False, [])
            [shown] = (await api.told("GET", "/halts", ann))["items"]
            assert (shown["kind"], shown["name"], shown["by"], shown["why"]) == (
                kind, asked["name"], "user:ann", "it loops",
            )  # fmt: skip
            answer = await api.call(child, "echo", {"text": "x"})
            assert why(answer) == Code.HALTED.value, kind
            assert (await api.told("POST", "/halts/resume", ann, asked))["record"]
            assert (await api.told("POST", "/halts/resume", ann, asked))["record"] is None
            assert isinstance(await api.call(child, "echo", {"text": "x"}), Released), kind


@pytest.mark.asyncio
async def test_a_halt_that_would_stop_nothing_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        for kind, name in (
            ("agent", "bott"), ("user", "x"), ("group", "x"), ("server", "x"), ("tool", "hand/x"), ("tool", "hand"),
            ("session", "0" * 32),
        ):  # fmt: skip
            refused = await api.ask("POST", "/halts", api.admin, {"kind": kind, "name": name, "why": "x"})
            assert refused.status_code == 404, (kind, name)
        for body in ({"kind": "everything", "name": "x", "why": "x"}, {"kind": "agent", "why": "x"}):
            assert (await api.ask("POST", "/halts", api.admin, body)).status_code == 400
        assert (await api.ask("POST", "/halts", api.admin, {"kind": "everything"})).status_code == 400
        assert (await api.told("GET", "/halts"))["items"] == []


@pytest.mark.asyncio
async def test_who_is_halted_does_not_resume_himself(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        ann, dan = await api.token("user", "ann"), await api.token("user", "dan")
        for kind, name in (("user", "ann"), ("group", "sec")):
            await api.told("POST", "/halts", ann, {"kind": kind, "name": name, "why": "to be sure"})
            refused = await api.ask("POST", "/halts/resume", ann, {"kind": kind, "name": name})
            assert refused.status_code == 403
            assert (await api.told("POST", "/halts/resume", dan, {"kind": kind, "name": name}))["record"]


@pytest.mark.asyncio
async def test_a_halt_outlives_a_restart(tmp_path: Path, shop: Shop) -> None:
    async with gateway(tmp_path, shop) as of:
        await of.driver.halt((Over.AGENT, "clerk"), "ann", "it spends")
    async with gateway(tmp_path, shop) as of:
        async with client(of, of.token(), "2026-07-28") as agent:
            with pytest.raises(MCPError, match="it spends"):
                await agent.list_tools()
            assert (await agent.call_tool("echo", {"text": "x"})).is_error
        [stop] = of.driver.stops
        assert (stop.what, stop.by, stop.reason) == ((Over.AGENT, "clerk"), "ann", "it spends")
        assert of.effects() == []


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_a_call_under_way_is_cut_off_at_its_server_and_in_doubt(tmp_path: Path, shop: Shop, mode: str) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), mode) as agent:
        call = asyncio.create_task(agent.call_tool("slow", {"seconds": 30}))
        await of.effects_are("slow began")
        what = (Over.TOOL, "shop/slow")
        _, would = await of.driver.drill(what, "ann")
        assert not call.done()
        _, cut = await of.driver.halt(what, "ann", "too slow")
        assert list(cut) == list(would)
        [ref] = cut
        said = await call
        assert said.is_error
        assert "stop/halted" in str(said.content)
        await of.effects_are("slow began", "slow cancelled")
        [outcome] = [one.body for one in await of.records(RecordKind.OUTCOME)]
        assert isinstance(outcome, OutcomeBody)
        assert (outcome.intent, outcome.status) == (ref, Status.LOST)
        assert not (await agent.call_tool("echo", {"text": "still here"})).is_error


@pytest.mark.asyncio
async def test_what_a_server_answered_stays_here_once_halted(tmp_path: Path, shop: Shop) -> None:
    """The halt comes after the answer, and before it is released."""
    async with gateway(tmp_path, shop) as of:
        authority = of.authority(of.token())
        append = of.ledger.append

        def then_halt(draft: Any) -> Any:
            pending = append(draft)
            if draft.kind is RecordKind.OUTCOME:
                of.ledger.append = append  # pyright: ignore[reportAttributeAccessIssue]
                halts.append(asyncio.ensure_future(of.driver.halt((Over.AGENT, "clerk"), "ann", "leaks")))
            return pending

        halts: list[asyncio.Future[Any]] = []
        async with client(of, of.token(), "2026-07-28") as agent:
            of.ledger.append = then_halt  # pyright: ignore[reportAttributeAccessIssue]
            said = await agent.call_tool("echo", {"text": "hello"})
        assert said.is_error
        assert "leaks" in str(said.content)
        await asyncio.gather(*halts)
        assert of.driver.stopped(authority)
        outcomes = [one.body for one in await of.records(RecordKind.OUTCOME)]
        assert [one.status for one in outcomes if isinstance(one, OutcomeBody)] == [Status.OK]
