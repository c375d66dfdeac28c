"""The gateway under the real MCP client, in both eras, on both paths, before a real server."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from remit.facts.record import RecordKind
from remit.trace.bodies import ActionBody, Choice, OutcomeBody, Status
from tests.e2e.gateway_world import Shop, World, compiled, gateway, shop_process, until
from tests.eventually import WITHIN_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from mcp_types import CallToolResult

ERAS = ("2026-07-28", "legacy")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    with shop_process(tmp_path_factory.mktemp("shop")) as made:
        yield made


@contextlib.asynccontextmanager
async def client(of: World, token: str, mode: str, path: str = "/mcp/shop") -> AsyncGenerator[Client]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=WITHIN_S, trust_env=False) as http,
        Client(streamable_http_client(of.url + path, http_client=http), mode=mode) as made,  # pyright: ignore[reportArgumentType]
    ):
        yield made


def text(result: CallToolResult) -> str:
    [block] = result.content
    assert isinstance(block, TextContent)
    return block.text


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", [*ERAS, "auto"])
async def test_what_is_refused_by_status_is_told_to_who_connects(tmp_path: Path, shop: Shop, mode: str) -> None:
    async with gateway(tmp_path, shop) as of:
        revoked = of.token()
        of.authenticator.revoke(of.authority(revoked).token)
        for token, path, why in (
            (revoked, "/mcp", "not authenticated: .*revoked.*remit token agent"),
            ("nonsense", "/mcp", "not authenticated: "),
            (of.token(), "/mcp/shp", "server/unknown: no server of that name"),
        ):
            with pytest.RaisesGroup(pytest.RaisesExc(MCPError, match=why), flatten_subgroups=True):
                async with client(of, token, mode, path) as agent:
                    await agent.list_tools()


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/shop"])
async def test_an_ended_session_is_shown_no_tools(tmp_path: Path, shop: Shop, mode: str, path: str) -> None:
    async with gateway(tmp_path, shop) as of:
        token = of.token()
        async with client(of, token, mode, path) as agent:
            assert (await agent.list_tools()).tools
        await of.driver.sessions.end(of.authority(token).acting.sid, "ann")
        async with client(of, token, mode, path) as agent:
            with pytest.raises(MCPError, match="a person ended this session"):
                await agent.list_tools()


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/shop"])
async def test_permitted_denied_and_labelled(tmp_path: Path, shop: Shop, mode: str, path: str) -> None:
    prefix = "shop___" if path == "/mcp" else ""
    async with gateway(tmp_path, shop) as of, client(of, of.token(), mode, path) as agent:
        listed = (await agent.list_tools()).tools
        assert [tool.name for tool in listed] == [prefix + name for name in ("echo", "pay", "slow", "broken")]
        paid = await agent.call_tool(prefix + "pay", {"amount": 5, "to": "eve"})
        assert not paid.is_error
        assert paid.structured_content == {"paid": 5}
        denied = await agent.call_tool(prefix + "pay", {"amount": 5, "to": "stranger"})
        assert denied.is_error
        ref = text(denied).partition("remit why ")[2]
        assert "nothing is paid to strangers [forbidden by policy no-strangers, shop.cedar:5]" in text(denied)
        assert not (await agent.call_tool(prefix + "echo", {"text": "hello"})).is_error
        tainted = await agent.call_tool(prefix + "pay", {"amount": 5, "to": "eve"})
        assert "[forbidden by policy tainted, shop.cedar:16]" in text(tainted)
        assert of.effects() == ["pay 5 eve"]
        first = (await of.records(RecordKind.PROPOSAL))[0].record
        assert f"{first.chain}.{first.seq}" == ref
        assert len(await of.records(RecordKind.INTENT)) == len(await of.records(RecordKind.OUTCOME)) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ERAS)
async def test_an_escalated_call_waits_for_a_person_and_runs_once(tmp_path: Path, shop: Shop, mode: str) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), mode) as agent:
        pending = await agent.call_tool("pay", {"amount": 500, "to": "eve"})
        ident = text(pending).partition("remit approvals show ")[2]
        assert "Approval is pending" in text(pending)
        users = of.bundle.catalog.users
        await of.driver.approvals.cast_vote(ident, users["bob"], Choice.APPROVE, None)
        other = await agent.call_tool("pay", {"amount": 501, "to": "eve"})
        assert "Approval is pending" in text(other)
        paid = await agent.call_tool("pay", {"amount": 500, "to": "eve"})
        assert paid.structured_content == {"paid": 500}
        again = await agent.call_tool("pay", {"amount": 500, "to": "eve"})
        assert "Approval is pending" in text(again)
        assert of.effects() == ["pay 500 eve"]


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ERAS)
async def test_a_held_call_goes_on_when_a_person_approves(tmp_path: Path, shop: Shop, mode: str) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), mode) as agent:
        patient = replace(of.bundle.catalog.routes["finance"], hold_s=30.0)
        of.bundle = compiled(replace(of.bundle.catalog, routes={"finance": patient}))
        call = asyncio.create_task(agent.call_tool("pay", {"amount": 160, "to": "eve"}))
        found = await until(lambda: of.ledger.approvals(open_only=True, limit=10))
        await of.driver.approvals.cast_vote(found[0].ident, of.bundle.catalog.users["bob"], Choice.APPROVE, None)
        assert (await call).structured_content == {"paid": 160}
        [outcome] = await of.records(RecordKind.OUTCOME)
        assert isinstance(outcome.body, OutcomeBody)
        assert outcome.body.approval == found[0].ident


@pytest.mark.asyncio
async def test_a_client_that_leaves_cancels_upstream_and_the_outcome_is_recorded(tmp_path: Path, shop: Shop) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), "2026-07-28") as agent:
        call = asyncio.create_task(agent.call_tool("slow", {"seconds": 30}))
        await of.effects_are("slow began")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        outcomes = await until(lambda: of.records(RecordKind.OUTCOME))
        assert isinstance(outcomes[0].body, OutcomeBody)
        assert outcomes[0].body.status is Status.LOST
        await of.effects_are("slow began", "slow cancelled")


@pytest.mark.asyncio
async def test_drift_is_denied_and_what_was_accepted_stays_listed(tmp_path: Path, shop: Shop) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), "2026-07-28") as agent:
        tools = of.bundle.catalog.tools
        drifted = dict(tools)
        old = drifted["shop", "echo"]
        definition = replace(old.definition, description="Say it once more.")
        drifted["shop", "echo"] = replace(old, definition=definition, pin=definition.pin())
        of.bundle = compiled(replace(of.bundle.catalog, tools=drifted))
        denied = await agent.call_tool("echo", {"text": "x"})
        assert "[tool/drifted]" in text(denied)
        assert not (await agent.call_tool("pay", {"amount": 1, "to": "eve"})).is_error


@pytest.mark.asyncio
async def test_a_delegated_token_has_no_more_than_every_link(tmp_path: Path, shop: Shop) -> None:
    async with gateway(tmp_path, shop) as of:
        root = of.token()
        async with client(of, of.delegated(root, "helper"), "2026-07-28") as agent:
            assert not (await agent.call_tool("echo", {"text": "x"})).is_error
        async with client(of, of.delegated(root, "guest"), "2026-07-28") as agent:
            assert (await agent.list_tools()).tools == []
            assert "no policy permits guest" in text(await agent.call_tool("echo", {"text": "x"}))
        async with client(of, root, "2026-07-28") as agent:
            # What the helper read flowed back up into the session it works for.
            assert "[forbidden by policy tainted" in text(await agent.call_tool("pay", {"amount": 1, "to": "eve"}))


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ERAS)
async def test_a_dead_upstream_is_named_and_recorded(tmp_path: Path, mode: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        life = contextlib.ExitStack()
        shop = life.enter_context(shop_process(tmp_path / "shop"))
        of = await stack.enter_async_context(gateway(tmp_path, shop))
        agent = await stack.enter_async_context(client(of, of.token(), mode))
        assert not (await agent.call_tool("pay", {"amount": 1, "to": "eve"})).is_error
        life.close()
        denied = await agent.call_tool("pay", {"amount": 2, "to": "eve"})
        assert denied.is_error
        assert "[tool/unverified]" in text(denied)
        assert "'shop'" in text(denied)
        [proposal] = await of.records(RecordKind.PROPOSAL)
        assert isinstance(proposal.body, ActionBody)
        assert proposal.body.verdict == "deny"
