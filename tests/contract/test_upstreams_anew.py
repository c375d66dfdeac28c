"""A reading of a server's tools that people asked for counts for every connection to it, whoever it serves."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.upstreams.http import HttpUpstream
from remit.facts.tool import Definition
from remit.ports.upstream import Era, UpstreamContext, looking
from tests.upstreams.rig import Rig, http_process, rig
from tests.upstreams.scripted import Say, Scripted, result, upstream_of

PLAIN, ABLE = UpstreamContext(), UpstreamContext(capabilities={"roots": {}})
CLIENTS = [(sid, era, along) for sid in ("a", "b") for era in Era for along in (PLAIN, ABLE)]
ERAS = ("stateless", "initialize", "both")
LONG_S = 3600.0


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with http_process("http_server.py", tmp_path_factory.mktemp("http")) as port:
        yield port


def tool(description: str) -> dict[str, Any]:
    return {"name": "more", "description": description, "inputSchema": {"type": "object"}}


async def descriptions(one: Rig) -> set[str]:
    """What each client is shown of the tool."""
    one.clock.pass_s(0.1)
    return {(await one.upstream.definitions(*client))[-1].description for client in CLIENTS}


@pytest.mark.parametrize(
    ("kind", "shared"),
    [(f"{way}-{eras}", False) for way in ("http", "stdio") for eras in ERAS]
    + [(f"stdio-{eras}", True) for eras in ERAS],
)
@pytest.mark.asyncio
async def test_what_was_read_anew_is_what_every_connection_is_shown_from_then_on(
    kind: str, shared: bool, port: int, tmp_path: Path
) -> None:
    notes = {"tools": [tool("one")]}
    async with rig(kind, port, tmp_path, notes=notes, shared=shared, verify_s=LONG_S) as one:
        one.clock.stop()
        assert await descriptions(one) == {"one"}
        await one.notes(tools=[tool("two")])
        assert await descriptions(one) == {"one"}, "believed for as long as `verify_s` says"
        await one.upstream.definitions("", Era.STATELESS, looking(None), anew=True)
        assert await descriptions(one) == {"two"}
        read = len(await one.messages("tools/list"))
        assert await descriptions(one) == {"two"}
        assert len(await one.messages("tools/list")) == read, "each has read it once, and believes that"


@pytest.mark.asyncio
async def test_a_reading_under_way_when_people_looked_counts_for_no_later_call() -> None:
    """It may have left before what they looked at was there."""
    shown, late, answer = ["one"], asyncio.Event(), asyncio.Event()

    async def listing(_: Scripted, message: Any, say: Say) -> None:
        able, description = _capabilities(message), shown[-1]
        if able and not answer.is_set():
            late.set()
            await answer.wait()
        await say(result(message, {"tools": [tool(description)], "resultType": "complete"}))

    server = Scripted(listing, modern=True)
    async with upstream_of(server, verify_s=LONG_S) as upstream:
        waiting = asyncio.create_task(_read(upstream, {"roots": {}}))
        await late.wait()
        shown.append("two")
        assert (await _read(upstream, {}, anew=True)).description == "two"
        answer.set()
        assert (await waiting).description == "one"
        assert (await _read(upstream, {"roots": {}})).description == "two"


async def _read(upstream: HttpUpstream, capabilities: dict[str, Any], *, anew: bool = False) -> Definition:
    along = UpstreamContext(capabilities=capabilities)
    [definition] = await upstream.definitions("a", Era.STATELESS, along, anew=anew)
    return definition


def _capabilities(message: Any) -> Any:
    return message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
