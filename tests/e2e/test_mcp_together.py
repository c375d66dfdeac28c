"""Under `/mcp`, where all servers are one: the SDK's client reads what it was told of, by the names it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mcp_types import EmbeddedResource, ResourceLink, TextResourceContents

from tests.e2e.bridge_world import Bridge
from tests.e2e.pairs import NAMES, NEW, OLD, PAIRS, Pairs, pairs

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pairs]:
    folder: Path = tmp_path_factory.mktemp("together")
    with pairs(folder) as found:
        yield found


@pytest.mark.asyncio
@pytest.mark.parametrize(("era", "upstream"), PAIRS)
async def test_what_a_tool_points_at_is_read_back_by_the_name_it_was_told_by(
    both: Pairs, era: str, upstream: str
) -> None:
    server = NAMES[upstream]
    async with both.at("/mcp", era) as client:
        link, brought = (await client.call_tool(f"{server}___pointers", {})).content
        assert isinstance(link, ResourceLink)
        assert link.uri == f"remit+{server}:note://today"
        assert isinstance(brought, EmbeddedResource)
        assert brought.resource.uri == f"remit+{server}:person://alba"
        for uri in (link.uri, brought.resource.uri):
            [content] = (await client.read_resource(uri)).contents
            assert isinstance(content, TextResourceContents)
            assert content.uri == uri
        listed = {str(one.uri) for one in (await client.list_resources()).resources}
        assert link.uri in listed


def test_a_client_over_pipes_that_knows_no_later_version_is_served_in_its_own(both: Pairs, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(both.token)
    token.chmod(0o600)
    with Bridge(both.service.url, "--token-file", token) as bridge:
        oldest: dict[str, Any] = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "c"}}
        bridge.tell(id=0, method="initialize", params=oldest)
        assert bridge.heard()["result"]["protocolVersion"] == "2024-11-05"
        bridge.tell(method="notifications/initialized")
        bridge.tell(id=1, method="tools/call", params={"name": "old___echo", "arguments": {"text": "hi"}})
        assert bridge.heard()["result"]["content"] == [{"type": "text", "text": "hi"}]


@pytest.mark.asyncio
@pytest.mark.parametrize("era", [OLD, NEW])
async def test_on_the_path_of_one_server_all_has_its_own_name(both: Pairs, era: str) -> None:
    async with both.client(era, NEW) as client:
        link, brought = (await client.call_tool("pointers", {})).content
        assert isinstance(link, ResourceLink)
        assert isinstance(brought, EmbeddedResource)
        assert (link.uri, brought.resource.uri) == ("note://today", "person://alba")
