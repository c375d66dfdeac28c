"""What changes, and what is followed no more, through a real service in all four pairs of eras.

The servers' tools are compared with their pins once an hour, unless they say that something changed.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import AsyncMock

import pytest
from mcp import MCPError, UrlElicitationRequiredError
from mcp.shared.subscriptions import PromptsListChanged, ResourcesListChanged, ResourceUpdated, ToolsListChanged
from mcp_types import (
    ElicitCompleteNotification,
    ElicitResult,
    EmptyResult,
    SubscribeRequest,
    SubscribeRequestParams,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)

from tests.e2e.pairs import NAMES, OLD, Pairs, in_all_pairs, pairs, text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from mcp import Client

NOTE: Final = "note://today"
SISTER: Final = "note://sister"
TOOLS: Final = "notifications/tools/list_changed"
PROMPTS: Final = "notifications/prompts/list_changed"
RESOURCES: Final = "notifications/resources/list_changed"
UPDATED: Final = "notifications/resources/updated"
VERIFY_S: Final = 3600.0


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pairs]:
    with pairs(tmp_path_factory.mktemp("changes"), VERIFY_S) as made:
        yield made


class Heard:
    """The messages that one client of the handshake era hears on its standing stream, by method."""

    def __init__(self) -> None:
        self.methods: list[str] = []
        self.completed: list[str] = []

    async def __call__(self, message: Any) -> None:
        if hasattr(message, "method"):
            self.methods.append(message.method)
        if isinstance(message, ElicitCompleteNotification):
            self.completed.append(message.params.elicitation_id)


@asynccontextmanager
async def reshaping(client: Client) -> AsyncGenerator[None]:
    """Whatever becomes of the test, clay is clay again, and its change was heard of."""
    try:
        yield
    finally:
        await client.call_tool("reshape", {"shape": ""})


async def changed(client: Client, era: str, heard: Heard, shape: str, method: str) -> None:
    """Have the server's lists change, until the client hears of it as `method`."""
    if era == OLD:
        heard.methods.clear()
        # Where the stream for it is opened after the answer, a change in between is not heard of.
        while method not in heard.methods:
            assert text(await client.call_tool("reshape", {"shape": shape})) == "reshaped"
        return
    wanted: Any = {"tools_list_changed": True} if method == TOOLS else {"resources_list_changed": True}
    async with client.listen(**wanted) as listening:
        assert text(await client.call_tool("reshape", {"shape": shape})) == "reshaped"
        assert await anext(listening) == (ToolsListChanged() if method == TOOLS else ResourcesListChanged())


@in_all_pairs
async def test_who_listens_hears_that_tools_changed_and_pins_are_compared_anew(
    both: Pairs, era: str, upstream: str
) -> None:
    heard = Heard()
    async with both.client(era, upstream, message_handler=heard) as client, reshaping(client):
        capability = client.server_capabilities.tools
        assert capability is not None
        assert capability.list_changed
        assert "clay" in {tool.name for tool in (await client.list_tools()).tools}
        while text(await client.call_tool("clay", {})) != "soft":
            await changed(client, era, heard, "", TOOLS)
        # What was heard may be of the change before: of each change the pins are compared in the end.
        while "tool/drifted" not in text(await client.call_tool("clay", {})):
            await changed(client, era, heard, "a vase", TOOLS)
        while text(await client.call_tool("clay", {})) != "soft":
            await changed(client, era, heard, "", TOOLS)


@in_all_pairs
async def test_who_listens_hears_that_resources_changed(both: Pairs, era: str, upstream: str) -> None:
    heard = Heard()
    async with both.client(era, upstream, message_handler=heard) as client, reshaping(client):
        capability = client.server_capabilities.resources
        assert capability is not None
        assert capability.list_changed
        assert SISTER not in [one.uri for one in (await client.list_resources()).resources]
        await changed(client, era, heard, "a bowl", RESOURCES)
        assert SISTER in [one.uri for one in (await client.list_resources()).resources]


@in_all_pairs
async def test_who_no_longer_follows_a_resource_hears_no_more_of_it(both: Pairs, era: str, upstream: str) -> None:
    """By `resources/unsubscribe`, and in the stateless era by the end of the stream."""
    heard = Heard()
    async with both.client(era, upstream, message_handler=heard) as client:
        await client.list_prompts()
        await client.list_resources()
        if era == OLD:
            await ask(client, SubscribeRequest(params=SubscribeRequestParams(uri=NOTE)))
            while UPDATED not in heard.methods:
                await client.call_tool("write", {"text": "followed"})
            await expect_followed(client, upstream, NOTE)
            await ask(client, UnsubscribeRequest(params=UnsubscribeRequestParams(uri=NOTE)))
            await expect_followed(client, upstream, "")
            # All messages of a connection come on one stream: what was told before is heard before this.
            await changed(client, era, heard, "", RESOURCES)
            heard.methods.clear()
            while PROMPTS not in heard.methods:
                await client.call_tool("write", {"text": "not followed"})
            assert UPDATED not in heard.methods
        else:
            async with client.listen(resource_subscriptions=[NOTE]) as listening:
                await client.call_tool("write", {"text": "followed"})
                assert await anext(listening) == ResourceUpdated(uri=NOTE)
                await expect_followed(client, upstream, NOTE)
            await expect_followed(client, upstream, "")
            async with client.listen(prompts_list_changed=True) as listening:
                await client.call_tool("write", {"text": "not followed"})
                assert await anext(listening) == PromptsListChanged()


@in_all_pairs
async def test_a_question_by_address_that_is_answered_elsewhere_is_told_to_nobody(
    both: Pairs, era: str, upstream: str
) -> None:
    """The SDK's server sends the notification in the handshake era; in the stateless era there is none."""
    heard = Heard()
    async with both.client(era, upstream, message_handler=heard) as client:
        await client.list_prompts()
        assert text(await client.call_tool("complete_elsewhere", {})) == "said"
        if era == OLD:
            while PROMPTS not in heard.methods:
                await client.call_tool("complete_elsewhere", {})
                await client.call_tool("write", {"text": "after it"})
        else:
            async with client.listen(prompts_list_changed=True) as listening:
                await client.call_tool("complete_elsewhere", {})
                await client.call_tool("write", {"text": "after it"})
                assert await anext(listening) == PromptsListChanged()
        assert "notifications/elicitation/complete" not in heard.methods
    if upstream == OLD:
        direct = Heard()
        async with both.direct(upstream, message_handler=direct) as client:
            while "notifications/elicitation/complete" not in direct.methods:
                await client.call_tool("complete_elsewhere", {})


@pytest.mark.asyncio
async def test_who_was_told_to_open_an_address_hears_once_that_it_is_done_with(both: Pairs) -> None:
    """Under `/mcp` an id begins with its server; who was not told of it, or opens nothing, hears nothing."""
    asked = AsyncMock(return_value=ElicitResult(action="accept"))
    opens: dict[str, Any] = {"elicitation_callback": asked}
    hears = {name: Heard() for name in ("told", "all", "other", "deaf")}

    async def until_heard(client: Client, heard: Heard) -> None:
        """What was told of before comes on the same stream before this."""
        heard.methods.clear()
        while PROMPTS not in heard.methods:
            await client.call_tool("write", {"text": "after it"})

    async with (
        both.client(OLD, OLD, message_handler=hears["told"], **opens) as told,
        both.client(OLD, OLD, message_handler=hears["other"], **opens) as other,
        both.client(OLD, OLD, message_handler=hears["deaf"]) as deaf,
    ):
        for client, name in ((told, "told"), (other, "other"), (deaf, "deaf")):
            await client.list_prompts()
            await until_heard(client, hears[name])
        with pytest.raises(MCPError, match="Login required"):
            await told.call_tool("unlock", {"times": 2})
        assert (await deaf.call_tool("unlock", {"times": 2})).is_error
        for client in (told, deaf):
            for ident in ("e-1", "e-9", "e-1", ""):
                await client.call_tool("complete_elsewhere", {"of": ident})
        for client, name in ((told, "told"), (other, "other"), (deaf, "deaf")):
            await until_heard(client, hears[name])
        assert {name: heard.completed for name, heard in hears.items()} == {
            "told": ["e-1"],
            "all": [],
            "other": [],
            "deaf": [],
        }
        assert text(await told.call_tool("visit", {})) == "accept"
        await told.call_tool("complete_elsewhere", {})
        await until_heard(told, hears["told"])
        assert hears["told"].completed == ["e-1", "an-elicitation"]
    server = NAMES[OLD]
    async with both.at("/mcp", OLD, message_handler=hears["all"], **opens) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool(f"{server}___unlock", {})
        [address] = UrlElicitationRequiredError.from_error(caught.value.error).elicitations
        assert address.elicitation_id == f"{server}:e-0"
        while not hears["all"].completed:
            await client.call_tool(f"{server}___complete_elsewhere", {"of": "e-0"})
        assert hears["all"].completed == [f"{server}:e-0"]


async def ask(client: Client, request: Any) -> None:
    """Send a request of the handshake era that has an empty result."""
    await client.session.send_request(request, EmptyResult)


async def expect_followed(client: Client, upstream: str, uris: str) -> None:
    """Wait until the server of the handshake era was asked to tell of `uris`, and of nothing else."""
    while upstream == OLD and text(await client.call_tool("followed", {})) != uris:
        pass
