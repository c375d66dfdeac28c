"""Streams of the 2025 eras: questions on a call's own stream, coming back for it, and what is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from remit.facts.record import RecordKind
from remit.pep.mcp import client_requests, pending_response, replay
from remit.pep.mcp.pending_response import ReplyBody, Resumable
from remit.ports.upstream import InputRequired, Log, Progress, Question
from tests.e2e.edge_world import ASKED, DONE, FORM, YES, Wire, edge, text
from tests.e2e.gateway_world import ENTROPY, until

if TYPE_CHECKING:
    from pathlib import Path

ECHO = {"name": "echo", "arguments": {"text": "hi"}}


def wired(test: Any) -> Any:
    async def run(tmp_path: Path) -> None:
        async with edge(tmp_path) as w:
            await test(w)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.asyncio(run)


def answer(ident: Any, result: Any = YES) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": ident, "result": result}


@wired
async def test_a_question_goes_on_the_calls_own_stream_and_its_answer_counts_once(w: Wire) -> None:
    w.replies(ASKED, DONE)
    sid, other = await w.initialize(), await w.initialize()
    async with w.on(sid, "tools/call", ECHO, 7) as call:
        question = await call.message()
        assert question["method"] == "elicitation/create"
        assert question["params"] == FORM
        ident = question["id"]
        for unasked in (f"{ident}0", "remit-0", "remit-²", "1", 1, 7):
            assert await w.post(sid, answer(unasked)) == 400
        assert await w.post(other, answer(ident)) == 400, "it was not asked on that connection"
        assert await w.post(sid, answer(ident)) == 202
        assert await w.post(sid, answer(ident, {"action": "decline"})) == 202, "the second one is late"
        said = await call.message()
        assert (said["id"], text(said["result"])) == (7, "done")
    resumed = [line for line in w.bench.trace if line.startswith("resumed")]
    assert resumed == ['resumed held {"who":{"action":"accept"}}']
    assert await w.post(sid, answer(ident)) == 202, "late, and ignored"


@wired
async def test_an_error_for_an_answer_declines(w: Wire) -> None:
    w.replies(InputRequired({"a": ASKED.questions["who"], "b": ASKED.questions["who"]}, "held"), DONE)
    sid = await w.initialize()
    async with w.on(sid, "tools/call", ECHO) as call:
        first, second = await call.message(), await call.message()
        error = {"jsonrpc": "2.0", "id": first["id"], "error": {"code": -1, "message": "no"}}
        assert await w.post(sid, error) == 202
        assert await w.post(sid, answer(second["id"], [1])) == 400, "a result is an object"
        assert await w.post(sid, answer(second["id"])) == 202
        assert text((await call.message())["result"]) == "done"
    assert 'resumed held {"a":null,"b":{"action":"accept"}}' in w.bench.trace


@wired
async def test_a_question_waits_so_long_and_no_longer(w: Wire) -> None:
    w.replies(ASKED, DONE)
    sid = await w.initialize()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("remit.pep.mcp.handshake.MARGIN_S", 299.9)
        async with w.on(sid, "tools/call", ECHO) as call:
            question = await call.message()
            assert text((await call.message())["result"]) == "done"
    assert 'resumed held {"who":null}' in w.bench.trace
    assert await w.post(sid, answer(question["id"])) == 202, "too late is ignored"


async def declined(w: Wire) -> bool:
    """Whether the server was told that nobody answers, and the call went on."""
    is_told = 'resumed held {"who":null}' in w.bench.trace
    return is_told and len(await w.bench.records(RecordKind.OUTCOME)) == 1


@wired
async def test_a_question_waits_for_nobody_who_is_gone(w: Wire) -> None:
    w.replies(ASKED, DONE)
    sid = await w.initialize()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "AWAY_S", 0.05)
        async with w.on(sid, "tools/call", ECHO) as call:
            question = await call.message()
            seen = call.last
        await until(lambda: declined(w))
    assert seen is not None
    assert await w.post(sid, answer(question["id"])) == 202, "too late is ignored"
    async with w.send("GET", None, w.known(sid, last_event_id=seen)) as back:
        assert text((await back.message())["result"]) == "done", "what became of the call is still there"


@wired
async def test_a_question_waits_for_who_comes_back_until_he_is_gone_too(w: Wire) -> None:
    w.replies(ASKED, DONE)
    sid = await w.initialize()
    async with w.on(sid, "tools/call", ECHO) as call:
        await call.message()
        seen = call.last
    assert seen is not None
    with pytest.MonkeyPatch.context() as patch:
        async with w.send("GET", None, w.known(sid, last_event_id=seen)) as back:
            assert await back.event() is None
            patch.setattr(replay, "AWAY_S", 0.05)
            await asyncio.sleep(0.2)
            assert not await declined(w)
        await until(lambda: declined(w))


@wired
async def test_a_cancelled_call_drops_its_question(w: Wire) -> None:
    w.replies(ASKED)
    sid = await w.initialize()
    async with w.on(sid, "tools/call", ECHO, 5) as call:
        question = await call.message()
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
        assert await w.post(sid, cancelled) == 202
        assert (await call.message())["error"]["code"] == -32800
    assert await w.post(sid, answer(question["id"])) == 202
    assert await w.post(sid, cancelled) == 202, "cancelling what has ended changes nothing"

    async def dropped() -> bool:
        return "dropped held" in w.bench.trace

    await until(dropped)
    assert len(await until(lambda: w.bench.records(RecordKind.OUTCOME))) == 1


@wired
async def test_a_client_that_takes_no_stream_is_asked_nothing(w: Wire) -> None:
    w.replies(ASKED, DONE)
    sid = await w.initialize()
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ECHO}
    async with w.send("POST", body, {**w.known(sid), "accept": "application/json"}) as call:
        assert text((await call.response.json())["result"]) == "done"
    assert 'resumed held {"who":null}' in w.bench.trace


@wired
async def test_questions_beyond_the_limit_are_declined(w: Wire) -> None:
    many = {f"q{number}": Question("elicitation/create", FORM) for number in range(3)}
    w.replies(InputRequired(many, "held"), DONE)
    sid = await w.initialize()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client_requests, "PENDING_MAX", 2)
        async with w.on(sid, "tools/call", ECHO) as call:
            for _ in range(2):
                assert await w.post(sid, answer((await call.message())["id"])) == 202
            assert text((await call.message())["result"]) == "done"
    assert 'resumed held {"q0":{"action":"accept"},"q1":{"action":"accept"},"q2":null}' in w.bench.trace


@wired
async def test_a_stream_that_broke_off_is_come_back_for(w: Wire) -> None:
    w.replies(ASKED, DONE)
    sid, other = await w.initialize(), await w.initialize()
    async with w.on(sid, "tools/call", ECHO, 3) as call:
        assert await call.event() is None, "an event without data gives the id to come back with"
        primed = call.last
        question = await call.message()
        seen = call.last
    assert primed is not None
    assert seen is not None
    for foreign in (seen + "0", "0" * 24 + ".1", "nonsense", f"{seen.partition('.')[0]}.-1", ""):
        async with w.send("GET", None, w.known(sid, last_event_id=foreign)) as refused:
            assert refused.response.status == 400, foreign
    async with w.send("GET", None, w.known(other, last_event_id=seen)) as refused:
        assert refused.response.status == 400, "another connection's"
    async with w.send("GET", None, w.known(sid, last_event_id=primed)) as again:
        assert await again.message() == question, "what was sent since is sent again"
        assert await w.post(sid, answer(question["id"])) == 202
        said = await again.message()
        assert (said["id"], text(said["result"])) == (3, "done")
        assert await again.event() is ..., "the stream ends with its answer"
        ended = again.last
    assert ended is not None
    async with w.send("GET", None, w.known(sid, last_event_id=seen)) as again:
        assert (await again.message())["id"] == 3, "an answer that was lost on its way"
    async with w.send("DELETE", None, w.known(sid)):
        pass
    async with w.send("GET", None, w.known(sid, last_event_id=seen)) as refused:
        assert refused.response.status == 404


@wired
async def test_older_clients_get_no_event_without_data(w: Wire) -> None:
    for version in ("2025-03-26", "2025-06-18"):
        w.replies(ASKED, DONE)
        sid = await w.initialize(version)
        async with w.on(sid, "tools/call", ECHO) as call:
            question = await call.event()
            assert question["method"] == "elicitation/create"
            seen = call.last
        assert seen is not None
        async with w.send("GET", None, w.known(sid, last_event_id=seen)) as again:
            assert await w.post(sid, answer(question["id"])) == 202
            assert text((await again.event())["result"]) == "done"


@pytest.mark.parametrize(("limit", "most"), [("EVENTS_MAX", 3), ("STREAM_BYTES_MAX", 500), ("LIVE_BYTES_MAX", 500)])
@pytest.mark.asyncio
async def test_what_is_kept_for_who_comes_back_is_bounded(tmp_path: Path, limit: str, most: int) -> None:
    async with edge(tmp_path) as w:
        await _kept_is_bounded(w, limit, most)


async def _kept_is_bounded(w: Wire, limit: str, most: int) -> None:
    sid = await w.initialize()
    w.bench.upstream.notices = [Progress(float(step)) for step in range(6)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, limit, most)
        async with w.on(sid, "tools/call", {**ECHO, "_meta": {"progressToken": "p"}}) as call:
            first = await call.message()
            assert first["params"] == {"progressToken": "p", "progress": 0.0}
            seen = call.last
            while "method" in (await call.message()):
                pass
            late = call.last
    assert seen is not None
    assert late is not None
    async with w.send("GET", None, w.known(sid, last_event_id=seen)) as refused:
        assert refused.response.status == 400, "what fell out is refused, not skipped"
    async with w.send("GET", None, w.known(sid, last_event_id=late)) as again:
        assert await again.event() is None
        assert await again.event() is ...


@pytest.mark.asyncio
async def test_calls_that_go_on_keep_no_more_together_than_there_is_room_for() -> None:
    """A server that logs as fast as it can to as many calls as one agent may have open."""
    kept = replay.Replays(ENTROPY)
    streams = [kept.open("connection", f"agent{number % 5}") for number in range(300)]
    alone, share = streams[::5], replay.LIVE_BYTES_MAX // replay.AGENT_SHARE

    def chatter(some: list[replay.Stream]) -> int:
        for stream in some:
            for _ in range(40):
                stream.add(b"x" * 60_000)
        return sum(stream.size for stream in some)

    assert share < chatter(alone) < share + len(alone) * 61_000, "of one agent"
    beside = kept.open("another", "agent1")
    chatter([beside])
    assert beside.size > replay.STREAM_BYTES_MAX / 2, "which leaves others their room"
    most = replay.LIVE_BYTES_MAX + len(streams) * 61_000
    assert replay.LIVE_BYTES_MAX < chatter(streams) < most, "of all"
    assert max(stream.size for stream in streams) <= replay.STREAM_BYTES_MAX
    for stream in streams:
        kept.close(stream)
    late = kept.open("connection", "agent0")
    for _ in range(3):
        late.add(b"x" * 60_000)
    assert late.after(0) is not None, "what has ended leaves its room to others"


@pytest.mark.parametrize("prefers", [True, False])
@pytest.mark.asyncio
async def test_an_answer_begins_though_its_client_did_not_read_when_its_stream_was_to(
    monkeypatch: pytest.MonkeyPatch, *, prefers: bool
) -> None:
    """One that sends its next request before it has read the last answer holds the first bytes of this one up."""
    monkeypatch.setattr(pending_response, "ATTEND_S", 0.0)
    sent: list[str] = []
    reads = asyncio.Event()
    kept = replay.Replays(ENTROPY)

    async def send(message: Any) -> None:
        await reads.wait()
        sent.append(message["type"])

    async def work() -> ReplyBody:
        await asyncio.sleep(0.1)
        return ReplyBody(b"{}")

    resumable = Resumable(lambda: kept.open("connection", "clerk"), kept.close, primed=True)
    answering = pending_response.PendingResponse(send, may_stream=True, prefer_stream=prefers, resumable=resumable)
    running = asyncio.create_task(answering.run(work(), None))
    await asyncio.sleep(0.2)
    reads.set()
    await running
    assert sent[0] == "http.response.start"
    assert sent.count("http.response.start") == 1
    assert not kept._live, "nor is anything left of the stream"  # pyright: ignore[reportPrivateUsage]


@pytest.mark.asyncio
async def test_what_is_kept_of_a_connection_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "KEPT_STREAMS_MAX", 3)
    monkeypatch.setattr(replay, "AGENT_SHARE", 1)
    kept = replay.Replays(ENTROPY)
    streams = [kept.open(owner, "clerk") for owner in ("one", "two", "one", "two", "one")]
    for stream in streams:
        stream.add(b"{}")
        kept.close(stream)

    def found() -> list[bool]:
        return [kept.find(stream.owner, f"{stream.ident}.1") is not None for stream in streams]

    assert found() == [False, False, True, True, True], "the oldest go first"
    kept.forget("one")
    assert found() == [False, False, False, True, False]
    kept.forget("one")
    kept.forget("two")
    assert not any(found())


@pytest.mark.asyncio
async def test_what_one_agent_leaves_behind_pushes_nothing_of_another_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "KEPT_BYTES_MAX", 4_000)
    monkeypatch.setattr(replay, "KEPT_STREAMS_MAX", 12)
    kept = replay.Replays(ENTROPY)

    def left(agent: str, size: int) -> replay.Stream:
        stream = kept.open(f"{agent}'s", agent)
        stream.add(b"x" * size)
        kept.close(stream)
        return stream

    def is_kept(stream: replay.Stream) -> bool:
        return kept.find(stream.owner, f"{stream.ident}.1") is not None

    first = left("ada", 10)
    many = [left("bob", 10) for _ in range(20)]
    assert [is_kept(one) for one in (first, *many)] == [True] + [False] * 17 + [True] * 3
    large = left("bob", 3_000)
    assert [is_kept(one) for one in (first, *many, large)] == [True] + [False] * 20 + [True], "its last in any case"
    [*others] = [left(f"c{number}", 200) for number in range(5)]
    assert not is_kept(large), "unless all is too much: then of who has the most"
    assert all(map(is_kept, (first, *others)))
    [*more] = [left(f"d{number}", 1) for number in range(12)]
    assert sum(map(is_kept, (first, *others, *more))) == 12


@wired
async def test_progress_and_logs_arrive_in_order_under_the_clients_own_token(w: Wire) -> None:
    w.bench.upstream.notices = [
        Progress(1.0, 2.0, "half"),
        Log("debug", "deep", "too quiet"),
        Log("error", None, {"a": 1}),
        Progress(2.0),
    ]
    sid = await w.initialize()
    async with w.on(sid, "logging/setLevel", {"level": "warning"}) as level:
        assert (await level.message())["result"] == {}
    async with w.on(sid, "logging/setLevel", {"level": "loud"}) as level:
        assert (await level.message())["error"]["code"] == -32602
    async with w.on(sid, "tools/call", {**ECHO, "_meta": {"progressToken": 9}}) as call:
        heard = [await call.message() for _ in range(4)]
    assert [one.get("params") for one in heard[:3]] == [
        {"progressToken": 9, "progress": 1.0, "total": 2.0, "message": "half"},
        {"level": "error", "data": {"a": 1}},
        {"progressToken": 9, "progress": 2.0},
    ]
    assert text(heard[3]["result"]) == "done"
    async with w.on(sid, "tools/call", ECHO) as call:
        assert (await call.message())["params"]["level"] == "error", "without a token there is no progress"


@wired
async def test_notices_are_for_who_asked_for_them_in_the_stateless_era(w: Wire) -> None:
    w.bench.upstream.notices = [Progress(1.0), Log("info", "l", "hello")]
    level = {"io.modelcontextprotocol/logLevel": "info"}
    for meta, methods in (
        ({}, []),
        ({"progressToken": "t"}, ["notifications/progress"]),
        (level, ["notifications/message"]),
        ({"progressToken": True, "io.modelcontextprotocol/logLevel": "loud"}, []),
    ):
        async with w.asking("tools/call", ECHO, meta=meta) as call:
            if not methods:
                assert call.response.content_type == "application/json"
                continue
            heard = [await call.message() for _ in range(2)]
            assert [one.get("method") for one in heard[:1]] == methods
            assert text(heard[1]["result"]) == "done"


@wired
async def test_ids_in_flight_are_not_used_twice(w: Wire) -> None:
    w.bench.upstream.answers.clear()
    sid = await w.initialize()
    async with w.on(sid, "tools/call", ECHO, 4) as call, w.on(sid, "ping", ident=4) as twin:
        assert (await twin.message())["error"]["code"] == -32600
        w.bench.upstream.answers.set()
        assert text((await call.message())["result"]) == "done"


@wired
async def test_a_client_that_vanishes_is_no_cancellation(w: Wire) -> None:
    w.bench.upstream.answers.clear()
    sid = await w.initialize()
    async with w.on(sid, "tools/call", ECHO, 4) as call:
        assert await call.event() is None
        seen = call.last
    await asyncio.sleep(0)
    w.bench.upstream.answers.set()
    assert seen is not None
    async with w.send("GET", None, w.known(sid, last_event_id=seen)) as again:
        assert text((await again.message())["result"]) == "done"
    assert "cancelled upstream" not in w.bench.trace
