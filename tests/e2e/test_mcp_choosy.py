"""Servers that show a tool to some clients alone, or to clients of each era in another form."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mcp_types import ElicitResult

from tests.e2e.pairs import NEW, OLD, Pairs, pairs, texts

if TYPE_CHECKING:
    from collections.abc import Generator

CHOOSY = Path(__file__).parents[1] / "upstreams" / "choosy.py"
PROJECTING = CHOOSY.with_name("projecting.py")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pairs]:
    with pairs(tmp_path_factory.mktemp("choosy")) as found:
        for name, command in (
            ("choosy", f"{CHOOSY}"),
            ("modern", f"{CHOOSY}, '2026'"),
            ("projecting", f"{PROJECTING}"),
        ):
            spec = f"spec: {{command: [{sys.executable}, {command}], verify_s: 1}}"
            server = f"apiVersion: remit.dev/v1alpha1\nkind: Server\nmetadata: {{name: {name}}}\n{spec}\n"
            found.service.write({f"{name}.yaml": server})
        found.service.apply()
        found.service.accept("choosy", "modern", "projecting")
        yield found


async def answer(_: Any, params: Any) -> ElicitResult:
    raise AssertionError(f"nobody asks: {params}")


@pytest.mark.asyncio
@pytest.mark.parametrize("server", ["choosy", "modern"])
@pytest.mark.parametrize("era", [OLD, NEW])
async def test_a_tool_that_is_shown_to_able_clients_alone_can_be_accepted_and_called(
    both: Pairs, era: str, server: str
) -> None:
    async with both.at(f"/mcp/{server}", era, elicitation_callback=answer) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"plain", "asking"}
        found = await client.call_tool("asking", {})
        assert (found.is_error, found.content, found.structured_content) == (False, [], {"called": "asking"})
    async with both.at(f"/mcp/{server}", era) as client:
        found = await client.call_tool("asking", {})
        assert "tool/missing" in texts(found)
        assert not (await client.call_tool("plain", {})).is_error, "what everybody is shown is the same to all"


@pytest.mark.asyncio
async def test_a_server_that_shows_an_array_as_a_member_in_2025_has_not_drifted(both: Pairs) -> None:
    for era, structured in ((NEW, [1, 2]), (OLD, {"result": [1, 2]}), (NEW, [1, 2])):
        async with both.at("/mcp/projecting", era) as client:
            [tool] = (await client.list_tools()).tools
            assert (tool.output_schema is None) == (era == OLD)
            found = await client.call_tool("count", {})
            assert (found.is_error, texts(found), found.structured_content) == (False, "[1,2]", structured)


@pytest.mark.asyncio
async def test_a_list_has_of_a_tool_what_was_accepted_and_no_more(both: Pairs) -> None:
    async with both.at("/mcp/projecting", NEW) as client:
        [tool] = (await client.list_tools()).tools
        assert (tool.title, tool.meta, tool.description) == (None, None, None)
        assert tool.annotations is not None
        assert tool.annotations.title == "Counts"
