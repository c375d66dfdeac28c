"""A halt of what is neither judged nor asked of a server just then: questions, open rounds, notices, streams."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.facts.record import RecordKind
from remit.facts.stop import StopKind, StopScope
from remit.pep.answer import Refused
from remit.pep.mcp import connection_subscriptions, upstream_watches
from remit.pep.mcp.change_notifications import PENDING_MAX
from remit.policy.verdict import Code
from remit.ports.upstream import InputRequired, ListChanged, Log, Offer, Progress, ResourceUpdated, TaskStarted
from remit.trace.bodies import OutcomeBody, Status
from tests.e2e.edge_world import ASKED, edge
from tests.e2e.gateway_world import until
from tests.e2e.test_gateway_listening import SUBSCRIPTION, allow_all, put
from tests.e2e.test_rounds import ABLE, NAMED, SAMPLE, WHO, asking, call, driven
from tests.e2e.test_rounds_left import said
from tests.eventually import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from remit.facts.stop import StopTarget
    from tests.e2e.edge_world import Wire
    from tests.e2e.gateway_parts import Bench

SERVER: StopTarget = (StopKind.SERVER, "shop")
AGENT: StopTarget = (StopKind.AGENT, "clerk")
WANTED = {"promptsListChanged": True, "resourceSubscriptions": ["note://a", "note://b"]}


def why(answer: object) -> str | None:
    return answer.reasons[0].code.value if isinstance(answer, Refused) else None


async def outcomes(b: Bench) -> list[OutcomeBody]:
    return [one.body for one in await b.records(RecordKind.OUTCOME) if isinstance(one.body, OutcomeBody)]


async def ended(b: Bench, count: int) -> list[OutcomeBody]:
    """The outcomes, once there are so many."""

    async def enough() -> list[OutcomeBody] | None:
        found = await outcomes(b)
        return found if len(found) >= count else None

    return await until(enough) or []


async def lost_once(b: Bench) -> None:
    """The one intent has one outcome, in doubt, that says who stopped it; the server was told."""
    await said(b, "dropped held-1")
    [outcome] = await until(lambda: outcomes(b))
    assert (outcome.status, "rogue" in (outcome.error or "")) == (Status.LOST, True)


async def halted_while_recorded(b: Bench, kind: RecordKind, what: StopTarget, client: Any = ABLE) -> object:
    """The answer of a call during which `what` is halted, while a record of `kind` is on its way to disk."""
    b.ledger.waits = {kind}
    under = asyncio.create_task(call(b, client=client))
    await said(b, f"queued {kind.value}")
    halt = asyncio.create_task(b.driver.halts.halt(what, "ann", "rogue"))
    await asyncio.sleep(0)
    b.ledger.open.set()
    answer = await under
    await halt
    return answer


@driven
async def test_an_action_that_waits_for_its_client_is_ended_listed_and_told_why(b: Bench) -> None:
    for what in (SERVER, AGENT, (StopKind.TOOL, "shop/echo")):
        found = await asking(b)
        before = len(await outcomes(b))
        _, would = await b.driver.halts.drill(what, "ann")
        assert not found.completion.done(), "a drill stops nobody"
        _, cut = await b.driver.halts.halt(what, "ann", "rogue")
        assert list(cut) == list(would) == [found.round.partition("/")[0]]
        assert found.completion.done()
        await said(b, "dropped held-1")
        b.trace.remove("dropped held-1")
        outcome = (await ended(b, before + 1))[-1]
        assert (outcome.intent, outcome.status) == (cut[0], Status.LOST)
        # Who stopped it is said to the client that comes back, also once it may act again.
        await b.driver.halts.resume(what, "ann")
        late = await b.driver.resume(b.authority(), ABLE, found.round, NAMED)
        assert why(late) == Code.HALTED.value
        assert why(await b.driver.resume(b.authority(), ABLE, found.round, NAMED)) == Code.ROUND_UNKNOWN.value
        assert len(await outcomes(b)) == before + 1
    assert not [line for line in b.trace if line.startswith("resumed")]


@driven
async def test_what_was_ended_by_a_halt_is_not_ended_again_by_its_client_or_the_service(b: Bench) -> None:
    for forsakes in (True, False):
        found = await asking(b)
        await b.driver.halts.halt(SERVER, "ann", "rogue")
        await b.driver.halts.resume(SERVER, "ann")
        if forsakes:
            b.driver.forsake(b.authority(), found.round)
    await b.driver.close()
    assert [one.status for one in await ended(b, 2)] == [Status.LOST] * 2
    assert b.trace.count("dropped held-1") == 2


@driven
async def test_what_a_server_asks_is_not_put_to_a_client_that_was_halted_meanwhile(b: Bench) -> None:
    b.upstream.reply = InputRequired({"who": WHO}, "held-1")
    assert why(await halted_while_recorded(b, RecordKind.EXCHANGE, SERVER)) == Code.HALTED.value
    await lost_once(b)


@driven
async def test_a_server_that_was_halted_meanwhile_hears_no_answer_of_ours(b: Bench) -> None:
    b.upstream.reply = InputRequired({"think": SAMPLE}, "held-1")
    assert why(await halted_while_recorded(b, RecordKind.PROPOSAL, SERVER)) == Code.HALTED.value
    await lost_once(b)
    assert not [line for line in b.trace if line.startswith("resumed")]


@driven
async def test_a_server_that_wants_time_is_asked_no_more(b: Bench) -> None:
    b.upstream.reply = InputRequired({}, "held-1")
    under = asyncio.create_task(call(b))
    await said(b, "answered")
    await asyncio.sleep(0.01)
    _, cut = await b.driver.halts.halt(SERVER, "ann", "rogue")
    assert len(cut) == 1
    assert why(await under) == Code.HALTED.value
    await lost_once(b)
    assert not [line for line in b.trace if line.startswith("resumed")]


@driven
async def test_a_session_that_ends_while_a_server_wants_time_is_asked_for_no_more(b: Bench) -> None:
    b.upstream.reply = InputRequired({}, "held-1")
    under = asyncio.create_task(call(b))
    await said(b, "answered")
    await asyncio.sleep(0.01)
    await b.driver.sessions.end(b.authority().acting.sid, "ann")
    assert why(await under) == Code.SESSION_ENDED.value
    await said(b, "dropped held-1")
    assert not [line for line in b.trace if line.startswith("resumed")]


@driven
async def test_notices_that_were_heard_before_a_halt_stay_here(b: Bench) -> None:
    told: list[object] = []

    async def tell(notice: object) -> None:
        told.append(notice)

    b.upstream.notices = [Progress(1.0, 2.0, "half"), Log("info", "shop", "secret")]
    client = replace(ABLE, tell=tell)
    answer = await halted_while_recorded(b, RecordKind.EXCHANGE, SERVER, client)
    assert why(answer) == Code.HALTED.value
    assert told == []


@driven
async def test_a_task_that_begins_while_it_is_halted_is_cancelled(b: Bench) -> None:
    b.upstream.reply = TaskStarted(
        {
            "taskId": "t",
            "status": "working",
            "createdAt": "2026-11-01T00:00:00Z",
            "lastUpdatedAt": "2026-11-01T00:00:00Z",
            "ttlMs": 60_000,
        }
    )
    assert why(await halted_while_recorded(b, RecordKind.EXCHANGE, SERVER)) == Code.HALTED.value
    await said(b, 'asked tasks/cancel {"taskId":"t"}')
    [outcome] = await until(lambda: outcomes(b))
    assert outcome.status is Status.LOST


def wired(test: Any) -> Any:
    async def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(upstream_watches, "LOOK_S", 0.02)
        async with edge(tmp_path) as w:
            allow_all(w)
            await test(w)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.asyncio(run)


@wired
async def test_a_question_on_its_stream_is_withdrawn_and_the_call_says_who_stopped_it(w: Wire) -> None:
    w.replies(ASKED)
    sid = await w.initialize()
    async with w.on(sid, "tools/call", {"name": "echo", "arguments": {"text": "a"}}) as stream:
        asked = await stream.message()
        assert asked["method"] == "elicitation/create"
        await w.bench.driver.halts.halt(SERVER, "ann", "rogue")
        withdrawn = await stream.message()
        assert (withdrawn["method"], withdrawn["params"]["requestId"]) == ("notifications/cancelled", asked["id"])
        last = await stream.message()
        assert (last["id"], last["result"]["isError"]) == (1, True)
        text = last["result"]["content"][0]["text"]
        assert ("rogue" in text, "[stop/halted]" in text) == (True, True)
    assert "dropped held" in w.bench.trace


@wired
async def test_a_client_that_comes_back_to_a_halted_round_is_told_why(w: Wire) -> None:
    w.replies(ASKED)
    params: dict[str, Any] = {"name": "echo", "arguments": {"text": "a"}}
    _, first = await w.ask("tools/call", params)
    await w.bench.driver.halts.halt(SERVER, "ann", "rogue")
    back = {"requestState": first["result"]["requestState"], "inputResponses": {"who": {"action": "accept"}}}
    _, last = await w.ask("tools/call", {**params, **back})
    text = last["result"]["content"][0]["text"]
    assert ("rogue" in text, "[stop/halted]" in text) == (True, True)


@wired
async def test_the_stream_of_who_is_halted_ends_and_says_why(w: Wire) -> None:
    async with w.asking("subscriptions/listen", {"notifications": WANTED}) as stream:
        await stream.message()
        await w.bench.driver.halts.halt(AGENT, "ann", "rogue")
        put(w, ResourceUpdated("note://a"))
        last = await stream.message()
        assert (last["id"], last["error"]["code"]) == (1, -32003)
        assert "rogue" in last["error"]["message"]
        assert await stream.event() is ...


@wired
async def test_a_stream_ends_with_what_it_follows_and_the_next_follows_the_rest(w: Wire) -> None:
    for what, holds, left in (
        (SERVER, StopScope.ALL, {}),
        ((StopKind.TOOL, "shop/note://a"), StopScope.READING, {**WANTED, "resourceSubscriptions": ["note://b"]}),
    ):
        watched = len(w.watched)
        async with w.asking("subscriptions/listen", {"notifications": WANTED}) as stream:
            assert (await stream.message())["params"]["notifications"] == WANTED
            await w.bench.driver.halts.halt(what, "ann", "rogue", holds)
            last = await stream.message()
            assert (last["id"], last["result"]["resultType"]) == (1, "complete")
        async with w.asking("subscriptions/listen", {"notifications": WANTED}) as stream:
            assert (await stream.message())["params"]["notifications"] == left
            await asyncio.sleep(5 * upstream_watches.LOOK_S)
            if left:
                await eventually(lambda: len(w.watched) - watched == 2)  # noqa: B023 - awaited here
                put(w, ResourceUpdated("note://a"), ResourceUpdated("note://b"))
                assert (await stream.message())["params"] == {"_meta": {SUBSCRIPTION: 1}, "uri": "note://b"}
        assert len(w.watched) - watched == (2 if left else 1), "a halted server is not even asked"
        await w.bench.driver.halts.resume(what, "ann")


@wired
async def test_a_connection_stands_again_after_what_it_follows_was_stopped(w: Wire) -> None:
    sid = await w.initialize()
    async with w.on(sid, "resources/subscribe", {"uri": "note://a"}) as answer:
        await answer.message()
    for _ in range(2):
        w.watched.clear()
        async with w.send("GET", None, w.known(sid)) as stream:
            await until(lambda: _is_watched(w))
            await w.bench.driver.halts.halt(SERVER, "ann", "rogue")
            while await stream.event() is not ...:
                pass
        await w.bench.driver.halts.resume(SERVER, "ann")
    w.watched.clear()
    async with w.send("GET", None, w.known(sid)) as stream:
        told = [await stream.message() for _ in range(2)]
        assert [one["method"] for one in told] == [
            "notifications/tools/list_changed",
            "notifications/resources/updated",
        ], "what changed meanwhile, nobody can say"
        await until(lambda: _is_watched(w))
        put(w, ResourceUpdated("note://a"))
        assert (await stream.message())["params"]["uri"] == "note://a"


def test_a_connection_that_read_too_slowly_stands_again() -> None:
    heard = connection_subscriptions.ChangeNotifications(lambda _: b"{}")
    heard.put(ListChanged(Offer.TOOLS))
    for number in range(PENDING_MAX):
        heard.put(ResourceUpdated(f"note://{number}"))
    assert heard.done
    assert heard.anew()
    assert (heard.done, heard.anew()) == (False, False)


async def _is_watched(w: Wire) -> bool:
    return any(Offer.TOOLS in offers for offers, _ in w.watched)
