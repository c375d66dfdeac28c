"""One suite for every way to a tool server: HTTP and stdio, each era, JSON and event streams."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.facts.canonical import canonical
from remit.ports.upstream import Era, Failure, Result, UpstreamContext, UpstreamUnreachable
from tests.upstreams import catalogue
from tests.upstreams.rig import Rig, http_process, rig

KINDS = (
    "http-stateless", "http-initialize", "http-both", "http-stateless+sse", "http-initialize+sse",
    "stdio-stateless", "stdio-initialize",
)  # fmt: skip
ARGUMENTS = canonical({"text": 'ü "quoted"\n', "n": 1, "big": 2**53 - 1, "list": [None, True, 1.5]})

kinds = pytest.mark.parametrize("kind", KINDS)
eras = pytest.mark.parametrize("era", list(Era))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with http_process("http_server.py", tmp_path_factory.mktemp("http")) as found:
        yield found


async def echo(one: Rig, era: Era = Era.STATELESS, sid: str = "a") -> None:
    """The upstream still works."""
    reply = await one.upstream.call(sid, era, "echo", b'{"text":"again"}')
    assert isinstance(reply, Result), reply
    assert reply.value["content"] == [{"type": "text", "text": '{"text": "again"}'}]


@kinds
@eras
@pytest.mark.asyncio
async def test_tools_are_listed_over_pages_and_called_in_either_era(
    kind: str, era: Era, port: int, tmp_path: Path
) -> None:
    async with rig(kind, port, tmp_path) as one:
        found = await one.upstream.definitions("a", era)
        assert [definition.name for definition in found] == list(catalogue.BEHAVIOURS)
        assert found[0].description == "Does echo."
        assert await one.upstream.definitions("a", era) is found
        reply = await one.upstream.call("a", era, "echo", ARGUMENTS)
        assert reply == Result(
            {
                "content": [{"type": "text", "text": json.dumps(json.loads(ARGUMENTS), sort_keys=True)}],
                "isError": False,
                "_meta": {"own": 1},
            },
            is_error=False,
        )
        asked = await one.messages("tools/list")
        assert (
            len({message["id"] for message in asked}) == len(asked) == len(catalogue.BEHAVIOURS) // catalogue.PAGE + 1
        )
        assert one.upstream.health().state == "up"


@kinds
@pytest.mark.asyncio
async def test_arguments_arrive_byte_for_byte(kind: str, port: int, tmp_path: Path) -> None:
    async with rig(kind, port, tmp_path) as one:
        assert isinstance(await one.upstream.call("a", Era.STATELESS, "echo", ARGUMENTS), Result)
        sent = [raw for raw in await one.raws() if "tools/call" in raw]
        assert len(sent) == 1
        assert b'"arguments":' + ARGUMENTS in sent[0].encode()


@pytest.mark.parametrize("way", ["http", "stdio"])
@eras
@pytest.mark.asyncio
async def test_a_server_of_both_eras_is_spoken_to_in_the_clients(way: str, era: Era, port: int, tmp_path: Path) -> None:
    async with rig(f"{way}-both", port, tmp_path) as one:
        await one.upstream.definitions("a", era)
        await echo(one, era)
        modern = ["_meta" in message["params"] for message in await one.messages("tools/call")]
        assert modern == [era is Era.STATELESS]
        assert one.upstream.health().eras == (era,)


@kinds
@pytest.mark.asyncio
async def test_a_tool_says_itself_that_it_failed(kind: str, port: int, tmp_path: Path) -> None:
    async with rig(kind, port, tmp_path) as one:
        reply = await one.upstream.call("a", Era.STATELESS, "fails", b"{}")
        assert isinstance(reply, Result)
        assert reply.is_error


@kinds
@pytest.mark.parametrize(
    ("tool", "cause", "theirs"),
    [
        ("error", "error", "the upstream's own words"),
        ("asks", "garbage", None),
        ("shapeless", "garbage", None),
    ],
)
@pytest.mark.asyncio
async def test_an_answer_that_is_no_result_is_a_failure_that_was_sent(
    kind: str, tool: str, cause: str, theirs: str | None, port: int, tmp_path: Path
) -> None:
    async with rig(kind, port, tmp_path) as one:
        reply = await one.upstream.call("a", Era.STATELESS, tool, b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent, reply.upstream_text) == (cause, True, theirs)
        assert "own words" not in reply.text
        await echo(one)


@kinds
@pytest.mark.asyncio
async def test_a_call_that_hangs_times_out_and_is_cancelled_upstream(kind: str, port: int, tmp_path: Path) -> None:
    # A limit that a child starts within, also on a busy machine.
    async with rig(kind, port, tmp_path, call_s=0.6 if kind.startswith("http") else 2.5) as one:
        await one.upstream.definitions("a", Era.STATELESS)
        reply = await one.upstream.call("a", Era.STATELESS, "hang", b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("timeout", True)
        await assert_cancelled(one)
        await echo(one)


@kinds
@eras
@pytest.mark.asyncio
async def test_cancelling_the_caller_cancels_upstream(kind: str, era: Era, port: int, tmp_path: Path) -> None:
    async with rig(kind, port, tmp_path) as one:
        calling = asyncio.create_task(one.upstream.call("a", era, "hang", b"{}"))
        await one.until_sent("tools/call")
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
        await assert_cancelled(one)
        await echo(one, era)


async def assert_cancelled(one: Rig) -> None:
    """By closing the POST in the stateless era over HTTP, by a notification everywhere else."""
    (call,) = await one.messages("tools/call")
    if one.is_http:
        await one.until("hung_up")
    if not one.is_http or "_meta" not in call["params"]:
        (told,) = await one.until_sent("notifications/cancelled")
        assert told["params"]["requestId"] == call["id"]


@kinds
@pytest.mark.parametrize(
    ("tool", "causes"),
    [
        ("die", {"died", "disconnected"}),
        ("half", {"died", "disconnected"}),
        ("huge", {"too_large"}),
        ("crowded", {"too_large"}),
    ],
)
@pytest.mark.asyncio
async def test_a_server_that_breaks_off_in_mid_call_may_have_acted(
    kind: str, tool: str, causes: set[str], port: int, tmp_path: Path
) -> None:
    async with rig(kind, port, tmp_path) as one:
        reply = await one.upstream.call("a", Era.STATELESS, tool, b"{}")
        assert isinstance(reply, Failure)
        assert reply.cause in causes
        assert reply.sent
        assert one.upstream.health().last_error == reply.text
        await echo(one)


@kinds
@eras
@pytest.mark.asyncio
async def test_a_large_answer_comes_as_far_as_it_may_be_held(kind: str, era: Era, port: int, tmp_path: Path) -> None:
    asked: list[int] = []

    def hold(size: int) -> bool:
        asked.append(size)
        return sum(asked) <= most

    large, along = canonical({"text": "x" * 300_000}), UpstreamContext(hold=hold)
    async with rig(kind, port, tmp_path) as one:
        most = 1_000_000
        assert isinstance(await one.upstream.call("a", era, "echo", b'{"text":"small"}', along), Result)
        assert asked == []
        assert isinstance(await one.upstream.call("a", era, "echo", large, along), Result)
        assert 300_000 <= sum(asked) <= most
        asked.clear()
        most = 200_000
        reply = await one.upstream.call("a", era, "echo", large, along)
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("no_room", True)
        assert "held_bytes_per_agent_max" in reply.text
        assert one.upstream.health().state == "up", "the server is not to blame"
        await echo(one, era)


@kinds
@pytest.mark.asyncio
async def test_what_nobody_asked_for_is_dropped_and_requests_are_refused(kind: str, port: int, tmp_path: Path) -> None:
    async with rig(kind, port, tmp_path) as one:
        reply = await one.upstream.call("a", Era.STATELESS, "chatty", b"{}")
        assert isinstance(reply, Result), reply
        if "initialize" in kind or not one.is_http:
            answers = await one.until_sent("", 2)
            refused, pong = sorted(answers, key=lambda message: "result" in message)
            assert (refused["id"], refused["error"]["code"]) == ("e1", -32601)
            assert pong == {"jsonrpc": "2.0", "id": 1, "result": {}}
        # The log and the question; a ping where it cannot be answered; an answer to another request.
        foreign = 1 if one.is_http else 0
        assert one.upstream.health().strays == 2 + foreign + (one.is_http and "initialize" not in kind)


@kinds
@pytest.mark.asyncio
async def test_tools_that_cannot_be_used_are_dropped_and_the_rest_works(kind: str, port: int, tmp_path: Path) -> None:
    deep: object = {}
    for _ in range(70):
        deep = {"properties": {"x": deep}}
    schema = {"type": "object"}
    odd = [
        {"name": "twice", "inputSchema": schema},
        {"name": "twice", "description": "another", "inputSchema": schema},
        {"name": "deep", "inputSchema": deep},
        {"name": "large", "inputSchema": {"description": "x" * 300_000}},
        {"name": "no-schema"},
        {"name": "text", "inputSchema": "{}"},
        {"name": "un\u200bseen", "inputSchema": schema},
        {"name": "number", "inputSchema": {"maximum": 2**60}},
        {"name": 7, "inputSchema": schema},
        "nothing",
        {"name": "good", "inputSchema": schema},
    ]
    async with rig(kind, port, tmp_path, notes={"tools": odd}) as one:
        found = await one.upstream.definitions("a", Era.STATELESS)
        assert [definition.name for definition in found] == [*catalogue.BEHAVIOURS, "good"]
        dropped = one.upstream.health().dropped
        assert dropped["twice"] == "listed 2 times"
        assert {"deep", "large", "no-schema", "text", "un\u200bseen", "number"} < dropped.keys()
        assert len(dropped) == 9


@kinds
@pytest.mark.asyncio
async def test_definitions_are_no_older_than_verify_s(kind: str, port: int, tmp_path: Path) -> None:
    pages = len(catalogue.BEHAVIOURS) // catalogue.PAGE + 1
    async with rig(kind, port, tmp_path, verify_s=10.0) as one:
        one.clock.stop()
        found = await one.upstream.definitions("a", Era.STATELESS)
        one.clock.pass_s(4.0)
        assert await one.upstream.definitions("a", Era.STATELESS) is found
        assert len(await one.messages("tools/list")) == pages
        one.clock.pass_s(2.0)  # past half: answered at once, refreshed behind
        assert await one.upstream.definitions("a", Era.STATELESS) is found
        await one.until_sent("tools/list", 2 * pages)
        one.clock.pass_s(11.0)
        assert await one.upstream.definitions("a", Era.STATELESS) is found
        assert len(await one.messages("tools/list")) == 3 * pages
        await one.upstream.call("a", Era.STATELESS, "changed", b"{}")
        one.clock.pass_s(0.1)
        await one.upstream.definitions("a", Era.STATELESS)
        assert len(await one.messages("tools/list")) == 4 * pages
        one.clock.pass_s(0.1)
        await one.upstream.definitions("a", Era.STATELESS, anew=True)
        assert len(await one.messages("tools/list")) == 5 * pages
        await one.upstream.definitions("a", Era.STATELESS)
        assert len(await one.messages("tools/list")) == 5 * pages


@kinds
@pytest.mark.asyncio
async def test_verify_s_of_zero_lists_before_every_call_once_for_all_who_wait(
    kind: str, port: int, tmp_path: Path
) -> None:
    pages = len(catalogue.BEHAVIOURS) // catalogue.PAGE + 1
    async with rig(kind, port, tmp_path, verify_s=0.0) as one:
        for _ in range(3):
            await one.upstream.definitions("a", Era.STATELESS)
        assert len(await one.messages("tools/list")) == 3 * pages
        await asyncio.gather(*(one.upstream.definitions("a", Era.STATELESS) for _ in range(20)))
        assert len(await one.messages("tools/list")) <= 5 * pages


@kinds
@pytest.mark.asyncio
async def test_many_calls_at_once_get_each_its_own_answer(kind: str, port: int, tmp_path: Path) -> None:
    async with rig(kind, port, tmp_path) as one:
        arguments = [canonical({"n": n}) for n in range(50)]
        replies = await asyncio.gather(*(one.upstream.call("a", Era.STATELESS, "echo", sent) for sent in arguments))
        for n, reply in enumerate(replies):
            assert isinstance(reply, Result)
            assert reply.value["content"] == [{"type": "text", "text": json.dumps({"n": n})}]


@kinds
@pytest.mark.asyncio
async def test_an_error_of_our_own_is_a_failure_too(kind: str, port: int, tmp_path: Path) -> None:
    async with rig(kind, port, tmp_path) as one:
        reply = await one.upstream.call("a", Era.STATELESS, "\ud800", b"{}")
        assert isinstance(reply, Failure)
        assert reply.cause == "internal"
        await echo(one)


@kinds
@pytest.mark.asyncio
async def test_closed_means_closed(kind: str, port: int, tmp_path: Path) -> None:
    async with rig(kind, port, tmp_path) as one:
        await echo(one)
        await one.upstream.close()
        reply = await one.upstream.call("b", Era.STATELESS, "echo", b"{}")
        assert isinstance(reply, Failure)
        assert (reply.cause, reply.sent) == ("closed", False)
        with pytest.raises(UpstreamUnreachable):
            await one.upstream.definitions("b", Era.STATELESS)
        assert one.upstream.health().state == "closed"
