"""Lists under `/mcp` while one of the servers hangs: what the others have, at once, and what is missing."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from mcp.shared.subscriptions import ResourcesListChanged

from tests.e2e.pairs import NEW, OLD, pairs, whole

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from mcp import Client


class Gate:
    """A way to a server that takes connections and lets nothing through before it is opened."""

    def __init__(self, target: int) -> None:
        self.opened = asyncio.Event()
        self.port = 0
        self._target = target

    @contextlib.asynccontextmanager
    async def standing(self) -> AsyncGenerator[Gate]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            await self.opened.wait()
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            with contextlib.closing(back):
                ways = [asyncio.ensure_future(_pass(reader, back)), asyncio.ensure_future(_pass(there, writer))]
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                for way in ways:
                    way.cancel()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


class Heard:
    """What a client of the handshake era hears on its standing stream."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()

    async def __call__(self, message: Any) -> None:
        if getattr(message, "method", "") == "notifications/resources/list_changed":
            self.changed.set()


async def notes(client: Client) -> tuple[list[str], Any]:
    """The addresses of listed notes, and what the list says that is missing."""
    found = await client.list_resources()
    return sorted(one.uri for one in found.resources if "note:" in one.uri), (found.meta or {}).get("remit.dev/missing")


@pytest.mark.asyncio
@pytest.mark.parametrize("era", [OLD, NEW])
async def test_a_server_that_hangs_is_missing_and_said_to_be_until_it_is_there(era: str, tmp_path: Path) -> None:
    folder = tmp_path / "late"
    folder.mkdir()
    heard = Heard()
    with contextlib.ExitStack() as stack:
        gate = Gate(stack.enter_context(whole(NEW, folder)))
        async with gate.standing():
            both = stack.enter_context(pairs(tmp_path, more={"late": gate.port}))
            async with both.at("/mcp", era, message_handler=heard) as client:
                found = await notes(client)
                there = ["remit+new:note://today", "remit+old:note://today"]
                assert found == (there, {"late": "it did not answer within 3 s"})
                templates = await client.list_resource_templates()
                assert {one.uri_template.split(":")[0] for one in templates.resource_templates} == {
                    "remit+new",
                    "remit+old",
                }
                gate.opened.set()
                if era == OLD:
                    await heard.changed.wait()
                else:
                    async with client.listen(resources_list_changed=True) as listening:
                        assert await anext(listening) == ResourcesListChanged()
                assert await notes(client) == (["remit+late:note://today", *there], None)
