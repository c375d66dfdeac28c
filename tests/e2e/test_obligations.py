"""Obligations through the gateway: what is changed is judged again, recorded and run; what is covered never leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remit.adapters.resolver import HostResolver
from remit.api.briefs import caps, magnitudes
from remit.api.services import PolicyText
from remit.assure.history import HistoryReplay
from remit.facts.agent import Mode
from remit.facts.finding import Find
from remit.facts.record import RecordKind
from remit.facts.tool import Definition
from remit.pep.answer import Awaiting, AwaitingInput, Client, Refused, Released
from remit.pep.notices import WITHHELD
from remit.ports.upstream import Era, Failure, InputRequired, Log, Offer, Progress, Question, Result
from remit.trace.bodies import ActionBody, AdminBody, Choice, Event, ExchangeBody, OutcomeBody
from tests.e2e.dns_world import names
from tests.e2e.gateway_parts import DEFINITIONS, bench
from tests.e2e.gateway_world import CLOCK, Shop, compiled, gateway, shop_process
from tests.e2e.test_gateway_client import client, text

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from remit.facts.canonical import Json
    from remit.pep.answer import Answer
    from remit.ports.upstream import Notice
    from tests.e2e.gateway_parts import Bench

CARD = "4111 1111 1111 1111"
MAY = '@id("may{at}") @obligation("{owed}") permit (principal, action in Remit::Action::"server:shop", resource);'


def permits(*owed: str) -> str:
    return "\n".join(MAY.format(at=at, owed=one) for at, one in enumerate(owed))


def said(one: str) -> Result:
    return Result({"content": [{"type": "text", "text": one}]}, is_error=False)


def repolicy(b: Bench, policies: str) -> None:
    [source] = b.bundle.catalog.policies
    b.bundle = compiled(replace(b.bundle.catalog, policies=(replace(source, text=policies),)))


def told(answer: Answer) -> str:
    assert isinstance(answer, Released), answer
    return answer.result.decode()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    with shop_process(tmp_path_factory.mktemp("shop")) as made:
        yield made


@pytest.mark.asyncio
async def test_a_name_that_changes_its_address_is_reached_where_it_was_checked(tmp_path: Path, shop: Shop) -> None:
    async with (
        gateway(tmp_path, shop) as of,
        client(of, of.token(), "2026-07-28") as agent,
        names(
            rebind_example=[["93.184.216.34"], ["127.0.0.1"]],
            inside_example=[["10.0.0.7"]],
            both_example=[["93.184.216.34", "127.0.0.1"]],
        ) as (server, asking),
    ):
        of.driver.resolves_by(HostResolver(asking))
        of.repolicy(
            '@id("p") @obligation("urls:text:rebind.example,inside.example,both.example") permit'
            ' (principal, action == Remit::Action::"shop___echo", resource);'
        )
        first = await agent.call_tool("echo", {"text": "http://rebind.example/x"})
        assert "http://93.184.216.34/x" in first.content[0].model_dump_json()
        assert "rebind" not in first.content[0].model_dump_json()
        assert server.asked == ["rebind.example"], "looked up once"
        [intent] = [entry.body for entry in await of.records(RecordKind.INTENT)]
        assert isinstance(intent, ActionBody)
        assert intent.arguments == b'{"text":"http://93.184.216.34/x"}'
        obliged = intent.context["obliged"]
        assert isinstance(obliged, dict)
        assert obliged["addresses"] == {"rebind.example": "93.184.216.34"}
        for refused in (
            "http://rebind.example/x", "http://inside.example/", "https://inside.example/", "http://both.example/",
            "http://nowhere.example/", "http://127.0.0.1/", "http://93.184.216.34/x", "http://rebind.example@127.0.0.1/",
        ):  # fmt: skip
            answer = await agent.call_tool("echo", {"text": refused})
            assert answer.is_error, refused
        secure = await agent.call_tool("echo", {"text": "https://rebind.example/x"})
        assert secure.is_error, "it leads inside by now"
        assert len(await of.records(RecordKind.INTENT)) == 1


@pytest.mark.asyncio
async def test_people_are_asked_about_what_runs_and_it_runs_as_they_saw_it(tmp_path: Path) -> None:
    gate = (
        '@id("g") @gate("finance") forbid (principal, action == Remit::Action::"shop___pay", resource)'
        " when { context.input.amount > 5 };"
    )
    async with bench(tmp_path) as b:
        pay = 'action == Remit::Action::"shop___pay"'
        repolicy(b, f'@id("p") @obligation("cap:amount:50") permit (principal, {pay}, resource);\n{gate}')
        b.hold_s(0.05)
        waiting = await b.call(amount=500, to="eve")
        assert isinstance(waiting, Awaiting)
        [asked] = [entry.body for entry in await b.records(RecordKind.PROPOSAL)]
        assert isinstance(asked, ActionBody)
        assert asked.arguments == b'{"amount":50,"to":"eve"}'
        assert magnitudes(asked)["obligations"].startswith("cap:amount:50; "), "people see that it was cut"
        texts = {name: PolicyText("p.cedar", 1, one.statement.text) for name, one in b.bundle.policies.items()}
        cut = {"capped amount": "asked 500, would run with 50, by policy p"}
        assert caps(asked, texts.get) == cut
        assert caps(asked, lambda _: None) == {"capped amount": "asked 500, would run with 50"}
        assert caps(replace(asked, context={}), texts.get) == {}
        unset: Mapping[str, Json] = {"obliged": {"numbers": {"amount": None}}}
        assert caps(replace(asked, context=unset), texts.get)["capped amount"].startswith("asked nothing, would run")
        await b.driver.approvals.cast_vote(waiting.ref, b.bundle.catalog.users["bob"], Choice.APPROVE, None)
        answer = await b.call(amount=900, to="eve")
        assert 'Policy changed the arguments of this call. It ran with exactly these: {\\"amount\\":50' in told(answer)
        assert 'called pay {"amount":50,"to":"eve"}' in b.trace
        again = await b.call(amount=50, to="eve")
        assert isinstance(again, Awaiting), "used up by what it was given for"


@pytest.mark.asyncio
async def test_obligations_of_all_links_are_carried_out(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        echo = 'action == Remit::Action::"shop___echo"'
        repolicy(
            b,
            f'@id("a") @obligation("redact:pii") permit (principal == Remit::Agent::"clerk", {echo}, resource);\n'
            f'@id("b") @obligation("redact:email") permit (principal == Remit::Agent::"helper", {echo}, resource);',
        )
        b.upstream.reply = said(f"card {CARD}, mail uma@example.org")
        alone = told(await b.call("echo", b.authority("clerk"), text="x"))
        assert CARD not in alone
        assert "uma@example.org" in alone
        chained = told(await b.call("echo", b.authority("clerk", "helper"), text="x"))
        assert CARD not in chained
        assert "uma@example.org" not in chained


@pytest.mark.asyncio
@pytest.mark.parametrize("owed", ["redact:pii", "cap:amount:5"])
async def test_what_is_covered_in_the_end_is_not_told_in_the_midst(tmp_path: Path, owed: str) -> None:
    notices: list[Notice] = []

    async def tell(notice: Notice) -> None:
        notices.append(notice)

    async with bench(tmp_path) as b:
        repolicy(
            b, f'@id("p") @obligation("{owed}") permit (principal, action == Remit::Action::"shop___pay", resource);'
        )
        b.upstream.notices = [
            Progress(7, 9, f"card {CARD}"),
            Log("info", "x", CARD),
            Log("info", "x", CARD),
            Progress(8),
        ]
        b.upstream.reply = said("done")
        given: Mapping[str, Json] = {"amount": 1, "to": "eve"}
        asks = Client(Era.STATELESS, tell=tell)
        answer = await b.driver.call_tool(b.authority(), asks, "shop", "pay", given, b'{"amount":1,"to":"eve"}')
        assert told(answer)
        if owed == "redact:pii":
            assert notices == [Progress(1, None, WITHHELD), Log("info", None, WITHHELD), Progress(2, None, WITHHELD)]
        else:
            assert len(notices) == 4
            assert CARD in str(notices[0])


@pytest.mark.asyncio
async def test_questions_and_errors_of_a_server_are_covered(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        repolicy(b, permits("redact:pii"))
        message: Json = {"mode": "form", "message": f"is {CARD} yours?", "requestedSchema": {"type": "object"}}
        b.upstream.reply = InputRequired({"k": Question("elicitation/create", message)}, "held")
        asks = Client(Era.STATELESS, capabilities={"elicitation": {}})
        answer = await b.driver.call_tool(b.authority(), asks, "shop", "echo", {"text": "x"}, b'{"text":"x"}')
        assert isinstance(answer, AwaitingInput)
        assert answer.questions["k"].params["message"] == "is [redacted pii] yours?"
        b.driver.forsake(b.authority(), answer.round)
        b.upstream.reply = Failure("error", "it failed", sent=True, upstream_text=f"no {CARD}", code=-1)
        assert "no [redacted pii]" in told(await b.call("echo", text="x"))


@pytest.mark.asyncio
async def test_structured_content_keeps_to_the_output_schema_or_is_withheld(tmp_path: Path) -> None:
    schema: Mapping[str, Json] = {
        "type": "object", "properties": {"card": {"type": ["string", "null"], "pattern": "^[0-9 ]*$"}},
    }  # fmt: skip
    strict: Mapping[str, Json] = {
        **schema,
        "properties": {"card": {"type": "string", "pattern": "^[0-9 ]*$"}},
        "required": ["card"],
    }
    for output, after in ((schema, '"structuredContent":{"card":null}'), (strict, "may have taken effect")):
        async with bench(tmp_path / str(len(str(output)))) as b:
            echo = next(one for one in DEFINITIONS if one.name == "echo")
            made = Definition(echo.name, echo.description, echo.input_schema, output, {})
            tools = dict(b.bundle.catalog.tools)
            tools["shop", "echo"] = replace(tools["shop", "echo"], definition=made, pin=made.pin())
            b.bundle = compiled(replace(b.bundle.catalog, tools=tools))
            b.upstream.live = tuple(made if one.name == "echo" else one for one in DEFINITIONS)
            repolicy(b, permits("redact:pii"))
            content: Mapping[str, Json] = {"content": [], "structuredContent": {"card": CARD}}
            b.upstream.reply = Result(content, is_error=False)
            shown = told(await b.call("echo", text="x"))
            assert after in shown
            assert CARD not in shown
            [outcome] = [entry.body for entry in await b.records(RecordKind.OUTCOME)]
            assert isinstance(outcome, OutcomeBody)
            assert outcome.status.value == "ok", "what it did is done"


@pytest.mark.asyncio
async def test_an_apply_between_two_judgements_changes_nothing_unseen(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        repolicy(b, permits("cap:amount:5").replace('"server:shop"', '"effect:irreversible"'))
        answer = await b.call(amount=500, to="eve")
        assert told(answer)
        assert 'called pay {"amount":5,"to":"eve"}' in b.trace
        repolicy(b, permits("cap:to:5").replace('"server:shop"', '"effect:irreversible"'))
        refused = await b.call(amount=500, to="eve")
        assert isinstance(refused, Refused)
        assert refused.reasons[0].code.value == "obligation/unmet"


@pytest.mark.asyncio
async def test_what_is_found_labels_the_session_and_is_reported_once(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        servers = {"shop": replace(b.bundle.catalog.servers["shop"], detects=frozenset({Find.HIDDEN, Find.PII}))}
        b.bundle = compiled(replace(b.bundle.catalog, servers=servers))
        b.upstream.reply = said(f"a\u202eb {CARD}")
        for _ in range(2):
            assert told(await b.call("echo", text="x"))
        for entry in await b.records(RecordKind.OUTCOME):
            assert isinstance(entry.body, OutcomeBody)
            assert {"untrusted:hidden", "confidential:pii"} <= set(entry.body.labels)
        found = [entry.body for entry in await b.records(RecordKind.ADMIN)]
        [report] = [body for body in found if isinstance(body, AdminBody) and body.event is Event.DETECTED]
        assert (report.subject, report.data["found"]) == ("shop/echo", {"hidden": {"bidirectional control": 1}})
        assert report.data["at"] == {"hidden": ["$.content[0].text"]}
        assert "kind" not in report.data
        [source] = b.bundle.catalog.policies
        reads = '@id("reads") permit (principal, action == Remit::Action::"read_resource", resource);'
        b.bundle = compiled(replace(b.bundle.catalog, policies=(replace(source, text=f"{source.text}\n{reads}"),)))
        b.upstream.other = Result({"contents": [{"uri": "note://mine", "text": "a\u202eb"}]}, is_error=False)
        read = await b.driver.read_resource(b.authority(), Client(Era.STATELESS), "shop", "note://mine")
        assert isinstance(read, Released), read
        last = [entry.body for entry in await b.records(RecordKind.ADMIN)][-1]
        assert isinstance(last, AdminBody)
        assert (last.event, last.data["kind"]) == (Event.DETECTED, "read_resource")


@pytest.mark.asyncio
async def test_what_is_found_in_what_is_sent_is_reported_once_and_labels_no_session(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        servers = {"shop": replace(b.bundle.catalog.servers["shop"], detects_sent=frozenset({Find.SECRET, Find.PII}))}
        b.bundle = compiled(replace(b.bundle.catalog, servers=servers))
        for _ in range(2):
            assert told(await b.call("echo", text=f"the password is q7Rz9LmWx2Vb, paid by {CARD}"))
        intents = [entry.body for entry in await b.records(RecordKind.INTENT)]
        assert all(isinstance(one, ActionBody) and set(one.context["sends"]) == {"pii", "secret"} for one in intents)  # type: ignore[arg-type]
        for entry in await b.records(RecordKind.OUTCOME):
            assert isinstance(entry.body, OutcomeBody)
            assert not any(label.startswith("confidential") for label in entry.body.labels)
        found = [entry.body for entry in await b.records(RecordKind.ADMIN)]
        [report] = [body for body in found if isinstance(body, AdminBody) and body.event is Event.DETECTED]
        assert (report.data["found"], report.data["sent"]) == ({"secret": {"value called a secret": 1}}, True)


@pytest.mark.asyncio
async def test_a_notice_is_told_after_the_label_of_what_is_found_in_it(tmp_path: Path) -> None:
    notices: list[Notice] = []

    async def tell(notice: Notice) -> None:
        notices.append(notice)

    async with bench(tmp_path) as b:
        servers = {"shop": replace(b.bundle.catalog.servers["shop"], detects=frozenset({Find.PII}))}
        b.bundle = compiled(replace(b.bundle.catalog, servers=servers))
        b.upstream.notices = [Progress(1, 2, "nothing"), Log("info", "x", {"of": CARD})]
        b.upstream.reply = said("done")
        asks = Client(Era.STATELESS, tell=tell)
        answer = await b.driver.call_tool(b.authority(), asks, "shop", "echo", {"text": "x"}, b'{"text":"x"}')
        assert told(answer)
        assert len(notices) == 2
        labels = [
            entry.body.labels for entry in await b.records(RecordKind.EXCHANGE) if isinstance(entry.body, ExchangeBody)
        ]
        assert "confidential:pii" in labels[-1]


@pytest.mark.asyncio
async def test_a_call_by_the_real_client_is_told_what_ran(tmp_path: Path, shop: Shop) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), "legacy") as agent:
        of.repolicy(permits("truncate:text:3").replace('"server:shop"', '"effect:read"'))
        answer = await agent.call_tool("echo", {"text": "abcdef"})
        assert [block.model_dump()["text"] for block in answer.content] == [
            "abc",
            'Policy changed the arguments of this call. It ran with exactly these: {"text":"abc"}',
        ]
        assert answer.structured_content == {"result": "abc"}
        of.repolicy(permits("truncate:4"))
        assert text(await agent.call_tool("echo", {"text": "abcdef"})) == "abcd"


@pytest.mark.asyncio
async def test_what_was_changed_is_judged_alike_when_the_ledger_is_read_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as b, names(page_example=[["93.184.216.34"]]) as (_, asking):
        b.driver.resolves_by(HostResolver(asking))
        echo = 'action == Remit::Action::"shop___echo"'
        repolicy(b, f'@id("p") @obligation("urls:text:page.example") permit (principal, {echo}, resource);')
        assert told(await b.call("echo", text="http://page.example/x"))
        [intent] = await b.records(RecordKind.INTENT)
        assert isinstance(intent.body, ActionBody)
        found = HistoryReplay(b.bundle).take("r1-1.1", CLOCK.now_ms(), b.bundle.digest, intent.body)
        assert found is not None
        assert found.same
        bare = replace(intent.body, context={})
        other = HistoryReplay(b.bundle).take("r1-1.1", CLOCK.now_ms(), b.bundle.digest, bare)
        assert other is not None
        assert not other.same, "an address that nobody looked up is on no list"


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", Mode)
async def test_lists_owe_what_a_permit_in_whose_scope_they_are_does(tmp_path: Path, mode: Mode) -> None:
    async with bench(tmp_path) as b:
        agents = {name: replace(agent, mode=mode) for name, agent in b.bundle.catalog.agents.items()}
        b.bundle = compiled(replace(b.bundle.catalog, agents=agents))
        reads = 'permit (principal, action == Remit::Action::"read_resource", resource)'
        repolicy(
            b,
            f'@id("free") {reads} when {{ context.input.uri like "note://*" }};\n'
            f'@id("pii") @obligation("redact:pii") {reads} when {{ context.input.uri like "card://*" }};\n'
            f'@id("short") @obligation("truncate:uri:5") {reads} when {{ context.input.uri like "x://*" }};',
        )
        shown = {"uri": "note://a", "name": "a", "description": f"of {CARD}"}
        b.upstream.other = Result({"resources": [shown]}, is_error=False)
        listed = told(await b.driver.list_offers(b.authority(), Client(Era.STATELESS), "shop", Offer.RESOURCES))
        assert "of [redacted pii]" in listed
        b.upstream.says = f"use {CARD} for all"
        found = await b.driver.introduce(b.authority(), Client(Era.STATELESS), "shop")
        assert found.instructions == "use [redacted pii] for all"
        outcomes = [one.body for one in await b.records(RecordKind.OUTCOME)]
        assert outcomes
        assert not [one for one in outcomes if isinstance(one, OutcomeBody) and "pii" in str(one.labels)]
