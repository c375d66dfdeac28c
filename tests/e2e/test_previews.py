"""What a call would do, shown to the people who are asked: a dry run that needs leave like any other action."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.adapters.sqlite import verify_file
from remit.escalate.foreseen import Foreseen
from remit.escalate.machine import ApprovalState
from remit.facts.catalog import PolicySource
from remit.facts.finding import Find
from remit.facts.origin import Role
from remit.facts.preview import Preview
from remit.facts.record import RecordKind
from remit.facts.stop import StopKind
from remit.facts.tool import Argument, Definition, Effect, Sink, Tool
from remit.pep import previews
from remit.pep.answer import Awaiting, Released
from remit.ports.upstream import Failure, InputRequired, Question, Reply, Result, TaskStarted
from remit.trace.bodies import ActionBody, AdminBody, Choice, Event, Status
from tests.e2e.gateway_parts import DEFINITIONS, Bench, bench, definition
from tests.e2e.gateway_world import POLICIES, compiled, until
from tests.e2e.notes_world import TOOLS, Noting
from tests.e2e.speaking import told
from tests.e2e.test_gateway_driver import asked, driven, outcomes
from tests.e2e.test_handoff import BOB, CAT
from tests.e2e.test_obligations import CARD
from tests.e2e.test_page import Visitor
from tests.eventually import WITHIN_S, awaited

if TYPE_CHECKING:
    from pathlib import Path

PLAN = definition("plan", amount="integer", to="string")
WIRE = Definition(
    "wire",
    "",
    {
        "type": "object",
        "properties": {"amount": {"type": "integer"}, "to": {"type": "string"}, "dry": {"type": "boolean"}},
        "required": ["amount", "to"],
    },
    None,
    {},
)
WIRES = """
@id("big-wires")
@gate("finance")
@reason("more than 100 needs finance")
forbid (principal, action == Remit::Action::"shop___wire", resource)
when { context.input.amount > 100 && !(context.input has dry && context.input.dry) };
"""
PLANS_GATED = """
@id("plans")
@gate("finance")
@reason("plans need finance")
forbid (principal, action == Remit::Action::"shop___plan", resource);
"""
PLANS_FORBIDDEN = PLANS_GATED.replace('@gate("finance")\n', "").replace("plans need finance", "no plans here")
NEW = '@id("new") @gate("finance") forbid (principal, action == Remit::Action::"shop___wire", resource) when {COND};'
PLANNED = 'called plan {"amount":500,"to":"eve"}'
WIRED = 'called wire {"amount":500,"dry":true,"to":"eve"}'
PAID: dict[str, Any] = {"amount": 500, "to": "eve"}


def offering(b: Bench, policies: str = "", source: frozenset[str] = frozenset(), **route: Any) -> None:
    """`pay` is previewed by `plan`, `wire` by an argument."""
    catalog = b.bundle.catalog
    tools = dict(catalog.tools)
    tools["shop", "pay"] = replace(tools["shop", "pay"], preview=Preview(tool="plan"))
    tools["shop", "plan"] = Tool("shop", PLAN, PLAN.pin(), Effect.READ, Sink.NONE, source, catalogued=True)
    wire = Tool("shop", WIRE, WIRE.pin(), Effect.IRREVERSIBLE, Sink.INTERNAL, frozenset(), catalogued=True)
    roles = {"dry": Argument(role=Role.CONTENT)}
    tools["shop", "wire"] = replace(wire, preview=Preview(argument="dry"), arguments=roles)
    finance = replace(catalog.routes["finance"], **{"hold_s": 0.01, "edits": True, **route})
    texts = (PolicySource("shop.cedar", POLICIES + WIRES + policies),)
    people = {**catalog.users, "cat": CAT}
    b.bundle = compiled(replace(catalog, tools=tools, policies=texts, routes={"finance": finance}, users=people))
    b.upstream.live = (*DEFINITIONS, PLAN, WIRE)


async def foreseen(b: Bench, ident: str) -> Foreseen:
    """What the dry run of the approval `ident` came to."""

    async def over() -> Foreseen | None:
        approval = await b.ledger.approval(ident)
        found = None if approval is None else b.driver.approvals.foreseen(approval)
        return None if found is None or "not answered yet" in found.why else found

    found = await until(over)
    assert found is not None
    return found


async def pays(b: Bench, tool: str = "pay", **given: Any) -> str:
    """The approval that a call waits for."""
    answer = await b.call(tool, **(given or PAID))
    assert isinstance(answer, Awaiting), answer
    return answer.ref


def called(b: Bench) -> list[str]:
    return [line for line in b.trace if line.startswith("called")]


@driven
async def test_a_dry_run_is_an_action_of_its_own_and_tells_people_alone(b: Bench) -> None:
    offering(b)
    ident = await pays(b)
    assert await foreseen(b, ident) == Foreseen("shop/plan", "done")
    assert called(b) == [PLANNED]
    [intent] = await b.records(RecordKind.INTENT)
    [outcome] = await outcomes(b)
    [said] = [one.body for one in await b.records(RecordKind.ADMIN) if isinstance(one.body, AdminBody)
              and one.body.event is Event.APPROVAL_PREVIEWED]  # fmt: skip
    assert isinstance(intent.body, ActionBody)
    assert (intent.body.name, intent.body.links[0][0]) == ("plan", "clerk")
    assert outcome.intent == f"{intent.record.chain}.{intent.record.seq}"
    assert (outcome.status, outcome.origins) == (Status.OK, None)
    assert (said.subject, said.data) == (ident, {"intent": outcome.intent})
    # Asked again while it waits, it is made no second time; approved, the call itself runs, once.
    assert await pays(b) == ident
    await b.driver.approvals.cast_vote(ident, BOB, Choice.APPROVE, None)
    assert isinstance(await b.call("pay", **PAID), Released)
    assert called(b) == [PLANNED, 'called pay {"amount":500,"to":"eve"}']


@driven
async def test_a_tool_without_one_has_none(b: Bench) -> None:
    ident = await pays(b)
    approval = await b.ledger.approval(ident)
    assert approval is not None
    assert b.driver.approvals.foreseen(approval) is None
    assert called(b) == []


@pytest.mark.parametrize("policies", [PLANS_GATED, PLANS_FORBIDDEN], ids=["gated", "forbidden"])
@pytest.mark.asyncio
async def test_one_that_policy_does_not_permit_outright_is_not_made(tmp_path: Path, policies: str) -> None:
    async with bench(tmp_path) as b:
        offering(b, policies)
        ident = await pays(b)
        found = await foreseen(b, ident)
        assert "policy does not let it be made unasked" in found.why
        assert not found.text
        assert called(b) == []
        assert [one.ident for one in await b.ledger.approvals(open_only=True, limit=10)] == [ident], "nobody is asked"
        assert await b.records(RecordKind.INTENT) == []


@driven
async def test_one_uses_up_no_approval_that_was_given_for_the_same_call(b: Bench) -> None:
    offering(b, PLANS_GATED)
    given = await pays(b, "plan")
    await b.driver.approvals.cast_vote(given, BOB, Choice.APPROVE, None)
    found = await foreseen(b, await pays(b))
    assert "unasked" in found.why
    approval = await b.ledger.approval(given)
    assert approval is not None
    assert approval.state is ApprovalState.APPROVED
    assert isinstance(await b.call("plan", **PAID), Released), "the agent itself may still use it"


@driven
async def test_one_by_an_argument_of_the_tool_itself(b: Bench) -> None:
    offering(b)
    assert (await foreseen(b, await pays(b, "wire"))).text == "done"
    assert called(b) == [WIRED]
    # Where the tool, asked to run dry, is what people are asked about, there is none.
    offering(b, '@id("wires") @gate("finance") forbid (principal, action == Remit::Action::"shop___wire", resource);')
    assert "unasked" in (await foreseen(b, await pays(b, "wire", amount=600, to="eve"))).why
    assert called(b) == [WIRED]


@driven
async def test_one_by_an_argument_makes_nothing_less_new(b: Bench) -> None:
    dry = "context.input has dry && context.input.dry"
    offering(b, NEW.replace("COND", f" context.novelty.tool && !({dry}) "))
    ident = await pays(b, "wire")
    assert "new to this agent" in (await foreseen(b, ident)).why
    assert called(b) == []
    await b.driver.approvals.cast_vote(ident, BOB, Choice.APPROVE, None)
    assert isinstance(await b.call("wire", **PAID), Released)
    assert await foreseen(b, await pays(b, "wire", amount=600, to="eve")) == Foreseen("shop/wire", "done")


@driven
async def test_a_slow_one_holds_up_nobody_and_is_given_up(b: Bench) -> None:
    offering(b)
    b.upstream.answers.clear()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(previews, "PREVIEW_S", 0.05)
        ident = await asyncio.wait_for(pays(b), WITHIN_S)
        assert (await foreseen(b, ident)).why == "it took longer than 0.05 s"
    [outcome] = await outcomes(b)
    assert outcome.status is Status.TIMEOUT
    assert "cancelled upstream" in b.trace
    approval = await b.ledger.approval(ident)
    assert approval is not None
    assert approval.state is ApprovalState.PENDING


WHO = Question("elicitation/create", {"message": "who?", "requestedSchema": {"type": "object", "properties": {}}})
ODD: list[tuple[Reply | Exception, str, str]] = [
    (Result({"content": [{"type": "text", "text": "no"}]}, is_error=True), "no", "says that its dry run failed"),
    (Result({"content": "no list"}, is_error=False), "the tool's result is withheld", "says that its dry run failed"),
    (Failure("error", "it answered with an error", sent=True, upstream_text="EVIL", code=-1), "", "with an error"),
    (Failure("error", "ours", sent=True, upstream_text="EVIL", code=-1, needs={"sampling": {}}), "", "ours"),
    (Failure("lost", "the connection broke", sent=True), "", "the connection broke"),
    (Failure("refused", "nobody listens", sent=False), "", "nobody listens"),
    (InputRequired({"who": WHO}, "held"), "", "asked something back"),
    (TaskStarted({"taskId": "t1"}), "", "went on as a task"),
    (RuntimeError("boom"), "", "the call failed in Remit (RuntimeError)"),
]


@pytest.mark.parametrize("kind", ["plan", "wire"])
@pytest.mark.asyncio
async def test_whatever_it_answers_no_verdict_changes_and_the_tool_does_not_act(tmp_path: Path, kind: str) -> None:
    async with bench(tmp_path) as b:
        offering(b)
        tool = {"plan": "pay", "wire": "wire"}[kind]
        for number, (reply, text, why) in enumerate(ODD):
            b.upstream.reply = reply
            amount = 500 + number
            ident = await pays(b, tool, amount=amount, to="eve")
            found = await foreseen(b, ident)
            assert found.text.startswith(text), reply
            assert bool(found.text) is bool(text), reply
            assert why in found.why, reply
            assert "EVIL" not in found.why
            assert await pays(b, tool, amount=amount, to="eve") == ident, "the verdict is what it was"
        assert len(called(b)) == len(ODD)
        assert all(line.startswith(f"called {kind} ") for line in called(b))
        assert all('"dry":true' in line for line in called(b) if kind == "wire")
        assert "dropped held" in b.trace
        ended = await outcomes(b)
        assert len(ended) == len(ODD)
        session = await b.ledger.session(b.authority().acting.sid)
        assert session is not None
        assert not session.labels
    assert verify_file(tmp_path / "ledger.sqlite3").findings == ()


@driven
async def test_one_whose_answer_would_mark_the_session_is_not_made(b: Bench) -> None:
    tools = {**b.bundle.catalog.tools}
    tools["shop", "slow"] = replace(tools["shop", "slow"], source=frozenset({"confidential"}))
    b.bundle = compiled(replace(b.bundle.catalog, tools=tools))
    offering(b, source=frozenset({"confidential"}))
    first = await foreseen(b, await pays(b))
    assert first.why == "its answer would bring labels that the session does not hold: confidential"
    assert called(b) == []
    assert isinstance(await b.call("slow", seconds=0), Released)
    found = await foreseen(b, await pays(b, amount=600, to="eve"))
    assert found == Foreseen("shop/plan", "done", ("confidential",))


@driven
async def test_an_edit_makes_it_void_and_has_it_made_anew_while_the_caller_is_there(b: Bench) -> None:
    offering(b, count=2, hold_s=30.0)
    call = asyncio.create_task(b.call("pay", **PAID))
    ident = await asked(b)
    assert (await foreseen(b, ident)).text == "done"
    await b.driver.approvals.approve_edited(ident, BOB, {"amount": 400, "to": "eve"}, None)

    async def anew() -> bool:
        return len(called(b)) == 2

    await until(anew)
    assert called(b)[1] == 'called plan {"amount":400,"to":"eve"}'
    assert (await foreseen(b, ident)).text == "done"
    call.cancel()
    await asyncio.wait([call])


@driven
async def test_an_edit_whose_caller_is_gone_is_shown_without_one(b: Bench) -> None:
    offering(b, count=2)
    ident = await pays(b)
    assert (await foreseen(b, ident)).text == "done"
    await b.driver.approvals.approve_edited(ident, BOB, {"amount": 400, "to": "eve"}, None)
    found = await foreseen(b, ident)
    assert not found.text, "what was shown of other arguments is void"
    assert "its caller has to be there" in found.why
    b.driver._engine.approval_matcher._edits.clear()  # pyright: ignore[reportPrivateUsage]
    assert await pays(b) == ident
    assert (await foreseen(b, ident)).text == "done"
    assert called(b) == [PLANNED, 'called plan {"amount":400,"to":"eve"}']


@pytest.mark.asyncio
async def test_after_a_restart_it_is_made_once_its_caller_is_back(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        offering(b)
        ident, root = await pays(b), b.root
        await foreseen(b, ident)
    async with bench(tmp_path) as b:
        b.root = root
        offering(b)
        assert "its caller has to be there" in (await foreseen(b, ident)).why
        assert await pays(b) == ident
        assert (await foreseen(b, ident)).text == "done"


@driven
async def test_who_may_act_no_more_has_none_made(b: Bench) -> None:
    offering(b)
    b.upstream.answers.clear()
    ident = await pays(b)

    async def sent() -> bool:
        return bool(called(b))

    await until(sent)
    _, cut = await b.driver.halts.halt((StopKind.AGENT, "clerk"), "ann", "odd")
    assert len(cut) == 1
    assert (await foreseen(b, ident)).why.startswith("agent clerk was stopped by ann: odd")
    [outcome] = await outcomes(b)
    assert outcome.status is Status.LOST


@driven
async def test_a_server_that_is_away_is_told_as_such(b: Bench) -> None:
    offering(b)
    b.upstream.reachable = False
    approval = await b.ledger.approval(await held_open(b))
    assert approval is not None
    assert "away" in (await foreseen(b, approval.ident)).why


async def held_open(b: Bench) -> str:
    """An approval whose server went away between its own look and that of the dry run."""
    real = b.upstream.definitions
    looked = 0

    async def once(*given: Any, **more: Any) -> Any:
        nonlocal looked
        looked += 1
        b.upstream.reachable = looked == 1
        return await real(*given, **more)

    b.upstream.definitions = once  # pyright: ignore[reportAttributeAccessIssue]
    return await pays(b)


@driven
async def test_a_service_that_ends_waits_for_none(b: Bench) -> None:
    offering(b)
    b.upstream.answers.clear()
    await pays(b)

    async def sent() -> bool:
        return bool(called(b))

    await until(sent)
    await asyncio.wait_for(b.driver.close(), WITHIN_S)
    assert "cancelled upstream" in b.trace
    [outcome] = await until(lambda: outcomes(b))
    assert outcome.status is Status.LOST


@driven
async def test_no_more_than_a_few_are_made_at_once_and_kept(b: Bench) -> None:
    offering(b)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(previews, "OF_ONE_AT_ONCE", 0)
        ident = await pays(b)
        assert "its caller has to be there" in (await foreseen(b, ident)).why
        patched.setattr(previews, "OF_ONE_AT_ONCE", 1)
        assert await pays(b) == ident
        assert (await foreseen(b, ident)).text == "done"
        patched.setattr(previews, "KEPT_MAX", 1)
        other = await pays(b, amount=600, to="eve")
        assert (await foreseen(b, other)).text == "done"
        assert not (await foreseen(b, ident)).text, "the oldest is forgotten"


@driven
async def test_slow_ones_of_one_agent_are_not_in_the_way_of_anothers(b: Bench) -> None:
    offering(b)
    b.upstream.answers.clear()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(previews, "AT_ONCE", 6)
        slow = [await pays(b, amount=500 + number, to="eve") for number in range(6)]

        async def sent(count: int) -> bool:
            return len(called(b)) == count

        await until(lambda: sent(previews.OF_ONE_AT_ONCE))
        assert "has to be there" in (await foreseen(b, slow[-1])).why, "he has had his share"
        patched.setattr(previews, "AT_ONCE", previews.OF_ONE_AT_ONCE)
        b.root = "another"
        other = await b.call("pay", of=b.authority("helper"), amount=900, to="eve")
        assert isinstance(other, Awaiting), other
        await until(lambda: sent(previews.OF_ONE_AT_ONCE + 1))
        b.upstream.answers.set()
        assert (await foreseen(b, other.ref)).text == "done"


@driven
async def test_what_detectors_find_in_it_is_told_with_it(b: Bench) -> None:
    offering(b)
    servers = {"shop": replace(b.bundle.catalog.servers["shop"], detects=frozenset({Find.PII}))}
    b.bundle = compiled(replace(b.bundle.catalog, servers=servers))
    b.upstream.reply = Result({"content": [{"type": "text", "text": f"paid by {CARD}"}]}, is_error=False)
    found = await foreseen(b, await pays(b))
    session = await b.ledger.session(b.authority().acting.sid)
    assert session is not None
    assert "confidential:pii" in session.labels
    assert set(found.labels) == session.labels


SAVES = """\
@id("saves")
@gate("owner")
@reason("a note is overwritten")
forbid (principal, action == Remit::Action::"notes___save", resource);
"""
PREVIEWED = TOOLS.replace(
    "store: {key: path, access: write}}",
    "store: {key: path, access: write}, preview: {tool: compare}}",
) + (
    "---\napiVersion: remit.dev/v1alpha1\nkind: Tool\nmetadata: {name: notes/compare}\n"
    "spec: {effect: read, sink: none, source: []}\n"
)
SAM = "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: sam}\n"


@pytest.fixture(scope="module")
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noting]:
    with Noting(tmp_path_factory.mktemp("previews"), "") as made:
        made.service.write({"sam.yaml": SAM, "tools.yaml": PREVIEWED})
        known = made.service.workspace / "resources.yaml"
        known.write_text(known.read_text("utf-8").replace("[ana]", "[sam]"), "utf-8")
        made.service.apply()
        made.service.write({"gate.cedar": SAVES})
        made.service.apply()
        yield made


def test_people_read_what_a_real_server_says_before_they_decide(noting: Noting) -> None:
    service = noting.service
    token, sam = service.agent("clerk", "ana"), service.user("sam")
    given = {"path": "plans/today", "text": "rest\n<b>all</b> \u202eday"}
    assert told(service, token, "notes", "save", {"path": "plans/today", "text": "work\nwork"})[0]
    first = service.approvals()[0]["id"]
    assert service.remit("approvals", "approve", first, token=sam).returncode == 0
    assert not told(service, token, "notes", "save", {"path": "plans/today", "text": "work\nwork"})[0]
    assert told(service, token, "notes", "save", given)[0]
    ident = service.approvals()[0]["id"]
    # The server is asked beside, and has its time.
    brief = awaited(lambda: found if (found := service.approval(ident)["brief"])["preview"]["lines"] else None)
    assert list(brief)[:4] == ["what", "shows", "preview", "stops"]
    assert brief["preview"] == {
        "by": "notes/compare",
        "lines": ["- work", "- work", "+ rest", "+ <b>all</b> \u202eday"],
        "labels": [],
        "why": "",
    }
    card = service.remit("approvals", "show", ident).stdout
    assert "+ <b>all</b> \\u{202e}day" in card
    assert "by a dry run of notes/compare" in card
    visitor = Visitor(service.port)
    assert visitor.sign_in(sam).status == 303
    page = visitor.ask("GET", f"/a/{ident}").text
    assert '<pre>\n<bdi class="given">- work\n- work\n+ rest\n+ &lt;b&gt;all&lt;/b&gt; \\u{202e}day</bdi></pre>' in page
    kept = map(json.loads, service.remit("logs", "--limit", "100", "-o", "json").stdout.splitlines())
    [named] = [one["id"] for one in kept if one["kind"] == "admin"
               and (one["body"]["event"], one["body"]["subject"]) == ("approval.previewed", ident)]  # fmt: skip
    service.stop()
    service.start()
    why = service.remit("why", named).stdout
    assert "the ledger has their digest, not their text" in why
    assert "permit clerk for ana: call_tool notes/compare" in why
    intent = service.told("why", named)["said"]["intent"]
    assert service.told("why", intent)["outcome"]["result"].startswith("sha256:")
    gone = service.approval(ident)["brief"]["preview"]
    assert (gone["lines"], "the ledger has the digest alone" in gone["why"]) == ([], True)
    assert service.remit("approvals", "approve", ident, token=sam).returncode == 0
    assert not told(service, token, "notes", "save", given)[0]
    assert told(service, token, "notes", "load", {"path": "plans/today"}) == (False, given["text"])
    assert service.remit("ledger", "verify").returncode == 0
