"""The real MCP client over stdio, the bridge as clients start it, a real service, a real tool server."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp_types import TextContent

from proof.counting import Counting
from proof.service import REMIT, free_port
from tests.e2e.bridge_world import Bridge, initialize, token_file
from tests.eventually import awaited

MODES = ("auto", "legacy", "2026-07-28")


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("bridge"), hold_s=0.1) as running:
        yield running


@contextlib.asynccontextmanager
async def client(url: str, token: Path, mode: str, *flags: str) -> AsyncGenerator[Client]:
    """The client as a desktop application would run it."""
    arguments = ["mcp", "--token-file", str(token), "--url", url, *flags]
    async with Client(StdioServerParameters(command=str(REMIT), args=arguments), mode=mode) as made:  # pyright: ignore[reportArgumentType]
        yield made


def text(result: Any) -> str:
    return "".join(part.text for part in result.content if isinstance(part, TextContent))


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("server", [None, "counter"])
async def test_every_client_sees_and_is_told_what_it_is_directly(
    counting: Counting, tmp_path: Path, mode: str, server: str | None
) -> None:
    prefix, flags = ("counter___", ()) if server is None else ("", ("--server", server))
    token = token_file(tmp_path, counting.service.agent("clerk", "ana"))
    async with client(counting.service.url, token, mode, *flags) as agent:
        assert [tool.name for tool in (await agent.list_tools()).tools] == [prefix + "add", prefix + "peek"]
        ident = f"{mode}-{server}"
        added = await agent.call_tool(prefix + "add", {"id": ident, "amount": 2})
        assert (added.is_error, text(added)) == (False, "added 2")
        assert ident in counting.effects
        waits = await agent.call_tool(prefix + "add", {"id": "too much", "amount": 11})
        assert waits.is_error
        assert "an amount above 10 needs an owner" in text(waits)
        wrong = await agent.call_tool(prefix + "add", {"id": 5})
        assert wrong.is_error
        assert "Remit did not allow this call." in text(wrong)
    assert "too much" not in counting.effects


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", MODES)
async def test_big_messages_pass_and_what_is_too_big_is_refused_by_the_service(
    counting: Counting, tmp_path: Path, mode: str
) -> None:
    token = token_file(tmp_path, counting.service.agent("clerk", "ana"))
    async with client(counting.service.url, token, mode, "--server", "counter") as agent:
        assert not (await agent.call_tool("add", {"id": "x" * 900_000})).is_error
        with pytest.raises(MCPError, match="body_bytes_max"):
            await agent.call_tool("add", {"id": "x" * 5_000_000})
        many = await asyncio.gather(*(agent.call_tool("peek", {}) for _ in range(40)))
        assert not any(result.is_error for result in many)


def test_a_token_that_expired_is_named_and_the_next_one_taken(counting: Counting, tmp_path: Path) -> None:
    service = counting.service
    token = token_file(tmp_path, service.told("token", "agent", "clerk", "--ttl", "1s")["token"])
    with Bridge(service.url, "--token-file", token) as bridge:
        while True:
            bridge.modern(1, "tools/list")
            answer = bridge.heard()
            # One that ends between the door and the judgement is told so there.
            if "error" in answer and "[token/ended]" not in answer["error"]["message"]:
                break
        assert "does not accept the token" in answer["error"]["message"]
        assert "expired" in answer["error"]["message"]
        assert "remit token agent" in answer["error"]["data"]["next"]
        token_file(tmp_path, service.agent("clerk"))
        bridge.modern(2, "tools/list")
        assert "result" in bridge.heard()
    for foreign in (service.admin, service.user("ana")):
        token_file(tmp_path, foreign)
        with Bridge(service.url, "--token-file", token) as bridge:
            bridge.modern(1, "tools/list")
            said = bridge.heard()["error"]
            assert "does not accept the token" in said["message"]
            assert foreign not in json.dumps(said) + "".join(bridge.finish()[1:])


@pytest.mark.parametrize("era", ["stateless", "initialize"])
def test_a_service_that_is_not_there_or_dies_in_mid_call_is_told_and_comes_back(tmp_path: Path, era: str) -> None:
    """Sent means sent: the call that was under way is not repeated; the next one finds the new service."""

    def ask(ident: int, tool: str, **arguments: Any) -> None:
        if era == "stateless":
            bridge.modern(ident, "tools/call", name=tool, arguments=arguments)
        else:
            bridge.tell(id=ident, method="tools/call", params={"name": tool, "arguments": arguments})

    with Counting(tmp_path / "world", delay_s=30.0) as counting:
        service = counting.service
        token = token_file(tmp_path, service.agent("clerk", "ana"))
        with Bridge(service.url, "--token-file", token, "--server", "counter") as bridge:
            if era == "initialize":
                initialize(bridge)
            ask(1, "add", id="under-way")
            awaited(lambda: counting.effects or bridge.process.poll() is not None)
            assert bridge.process.poll() is None
            service.kill()
            error = bridge.heard()
            assert error["id"] == 1
            assert "whether the request took effect is on the service's record" in error["error"]["message"]
            ask(2, "peek")
            error = bridge.heard()["error"]
            assert f"no answer from {service.url}: connection refused" in error["message"]
            assert "remit up" in error["data"]["next"]
            service.start()
            ask(3, "peek")
            assert bridge.heard()["result"]["structuredContent"] == {"result": 1}
            code, out, _ = bridge.finish()
            assert (code, out) == (0, "")
        assert counting.effects == ["under-way"]


def test_a_service_that_was_never_there(tmp_path: Path) -> None:
    with Bridge(f"http://127.0.0.1:{free_port()}", "--token-file", token_file(tmp_path)) as bridge:
        assert "connection refused" in initialize(bridge)["error"]["message"]
        bridge.modern(1, "server/discover")
        assert "remit up --workspace DIR" in bridge.heard()["error"]["data"]["next"]
        assert bridge.finish()[0] == 0
