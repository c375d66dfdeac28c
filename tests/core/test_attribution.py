"""What spans tell, in the spellings that are out there, and whose they are."""

from dataclasses import replace

import pytest

from remit.discover import attribution
from remit.discover.attribution import WAIT_MS, AttributedSpan, Attribution, believed
from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Trait, Verb
from remit.discover.spans import Span, SpanTarget, report_of
from remit.discover.telemetry import ObservedCall, Telemetry, source_of

NOW = 1_700_000_000_000


def span(ident: str, parent: str = "", name: str = "work", service: str = "svc", **attributes: str) -> Span:
    said = {key.replace("__", "."): value for key, value in attributes.items()}
    return Span("t1", ident, parent, name, NOW - 10, NOW, service, "scope", said)


def otlp(kind: Kind, name: str) -> Subject:
    return Subject(kind, name, "otlp")


MODEL = ((Verb.USES, Subject(Kind.MODEL, "m1")),)


def tool(name: str) -> tuple[tuple[Verb, Subject], ...]:
    return ((Verb.USES, otlp(Kind.TOOL, name)),)


@pytest.mark.parametrize(
    ("attributes", "does", "agent", "objects"),
    [
        # OpenTelemetry, current
        ({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}, SpanTarget.AGENT, "a", ()),
        (
            {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a", "gen_ai.request.model": "m1"},
            SpanTarget.AGENT,
            "a",
            MODEL,
        ),
        ({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m1"}, SpanTarget.MODEL, None, MODEL),
        ({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}, SpanTarget.TOOL, None, tool("t")),
        (
            {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "mcp.method.name": "tools/call"},
            SpanTarget.TOOL,
            None,
            tool("t"),
        ),
        (
            {"mcp.method.name": "tools/call", "gen_ai.tool.name": "t", "mcp.server.name": "s"},
            SpanTarget.TOOL,
            None,
            tool("s/t"),
        ),
        (
            {"mcp.method.name": "prompts/get", "gen_ai.prompt.name": "p"},
            SpanTarget.PROMPT,
            None,
            ((Verb.USES, otlp(Kind.PROMPT, "p")),),
        ),
        (
            {"mcp.method.name": "resources/read", "mcp.resource.uri": "file:///x"},
            SpanTarget.DATA,
            None,
            ((Verb.READS, otlp(Kind.DATA, "file:///x")),),
        ),
        ({"gen_ai.data_source.id": "kb"}, SpanTarget.DATA, None, ((Verb.READS, otlp(Kind.DATA, "kb")),)),
        (
            {"db.system.name": "postgresql", "db.namespace": "crm"},
            SpanTarget.DATA,
            None,
            ((Verb.READS, otlp(Kind.DATA, "postgresql:crm")),),
        ),
        # OpenTelemetry, older
        (
            {"gen_ai.system": "openai", "llm.request.type": "chat", "llm.request.model": "m1"},
            SpanTarget.MODEL,
            None,
            MODEL,
        ),
        ({"gen_ai.agent.id": "a7", "gen_ai.request.model": "m1"}, SpanTarget.MODEL, "a7", MODEL),
        ({"mcp.method": "tools/call", "mcp.request.params.name": "t"}, SpanTarget.TOOL, None, tool("t")),
        # OpenInference
        ({"openinference.span.kind": "AGENT", "agent.name": "a"}, SpanTarget.AGENT, "a", ()),
        ({"openinference.span.kind": "LLM", "llm.model_name": "m1"}, SpanTarget.MODEL, None, MODEL),
        ({"openinference.span.kind": "TOOL", "tool.name": "t"}, SpanTarget.TOOL, None, tool("t")),
        ({"openinference.span.kind": "TOOL"}, SpanTarget.TOOL, None, tool("work")),
        ({"openinference.span.kind": "LLM", "llm.model_name": "m1", "tool.name": "t"}, SpanTarget.MODEL, None, MODEL),
        ({"llm.prompt_template.name": "p"}, SpanTarget.PROMPT, None, ((Verb.USES, otlp(Kind.PROMPT, "p")),)),
        # Traceloop
        ({"traceloop.span.kind": "agent", "traceloop.entity.name": "a"}, SpanTarget.AGENT, "a", ()),
        ({"traceloop.span.kind": "tool", "traceloop.entity.name": "t"}, SpanTarget.TOOL, None, tool("t")),
    ],
)
def test_the_spellings_that_are_out_there(
    attributes: dict[str, str], does: SpanTarget, agent: str | None, objects: tuple[tuple[Verb, Subject], ...]
) -> None:
    found = report_of(Span("t", "s", "", "work", 0, 0, "svc", "scope", attributes))
    assert found is not None
    assert (found.target, found.agent, found.objects) == (does, agent, objects)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"http.method": "GET"},
        {"mcp.method.name": "tools/list"},
        {"mcp.method.name": "tools/call"},
        {"traceloop.span.kind": "agent"},
        {"openinference.span.kind": "CHAIN"},
    ],
)
def test_what_says_nothing_of_agents_gives_nothing(attributes: dict[str, str]) -> None:
    assert report_of(Span("t", "s", "", "work", 0, 0, "svc", "scope", attributes)) is None


AGENT = {"gen_ai__operation__name": "invoke_agent"}
TOOL = {"gen_ai__operation__name": "execute_tool", "gen_ai__tool__name": "t"}


def agents(found: list[AttributedSpan]) -> list[tuple[str, str, SourceConfidence]]:
    return [(one.span.span, one.agent.name, one.confidence) for one in found]


def test_a_span_is_that_of_the_nearest_agent_above_though_it_comes_earlier() -> None:
    known = Attribution()
    assert list(known.take([span("tool", "turn", **TOOL)], NOW)) == []
    assert list(known.due(NOW + 1)) == []
    rest = [
        span("turn", "inner"),
        span("inner", "outer", **AGENT, gen_ai__agent__name="inner"),
        span("outer", **AGENT, gen_ai__agent__name="outer"),
    ]
    found = list(known.take(rest, NOW))
    assert agents(found) == [
        ("tool", "inner", SourceConfidence.REPORTED),
        ("inner", "inner", SourceConfidence.REPORTED),
        ("outer", "outer", SourceConfidence.REPORTED),
    ]
    assert found[1].delegator == otlp(Kind.AGENT, "outer")
    assert found[2].delegator is None
    assert list(known.due(NOW + WAIT_MS)) == []


def test_a_span_that_names_its_agent_waits_for_nobody() -> None:
    found = list(Attribution().take([span("tool", "gone", **TOOL, gen_ai__agent__name="a")], NOW, "bearer"))
    assert agents(found) == [("tool", "a", SourceConfidence.REPORTED)]
    assert found[0].bearer == "bearer"


def test_where_nobody_is_above_the_service_stands_in() -> None:
    known = Attribution()
    list(known.take([span("tool", "gone", **TOOL)], NOW))
    assert agents(list(known.due(NOW + WAIT_MS))) == [("tool", "svc", SourceConfidence.GUESSED)]
    assert agents(list(known.take([span("root", **TOOL)], NOW))) == [("root", "svc", SourceConfidence.GUESSED)]
    list(known.take([span("a", **AGENT, gen_ai__agent__name="a")], NOW))
    assert agents(list(known.take([span("root2", **TOOL)], NOW))) == [("root2", "a", SourceConfidence.GUESSED)]
    for name in "bc":
        list(known.take([span(name, **AGENT, gen_ai__agent__name=name)], NOW))
    assert agents(list(known.take([span("root3", **TOOL)], NOW))) == [("root3", "svc", SourceConfidence.GUESSED)]


def test_spans_in_a_circle_and_endless_chains_end() -> None:
    circle = [span("a", "b", **TOOL), span("b", "a")]
    assert agents(list(Attribution().take(circle, NOW))) == [("a", "svc", SourceConfidence.GUESSED)]


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribution, "SPANS_MAX", 10)
    monkeypatch.setattr(attribution, "SERVICES_MAX", 2)
    known = Attribution()
    given = 0
    for number in range(50):
        one = Span(f"t{number}", "s", "gone", "w", NOW, NOW, f"svc{number}", "", {"gen_ai.tool.name": "t"})
        two = Span(f"t{number}", "u", "", "w", NOW, NOW, f"svc{number}", "", {"gen_ai.agent.name": f"a{number}"})
        given += len(list(known.take([one, one, two], NOW)))
    left = list(known.due(NOW + WAIT_MS))
    assert given + len(left) == 150
    assert len(left) <= 20


def test_a_span_that_is_told_again_and_again_waits_no_more_often_than_spans_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attribution, "SPANS_MAX", 10)
    known = Attribution()
    again = span("s", "gone", **TOOL)
    given = sum(len(list(known.take([again] * 8, NOW))) for _ in range(50))
    left = list(known.due(NOW + WAIT_MS))
    assert given + len(left) == 400
    assert len(left) <= 10
    assert len(list(known.take([again] * 8, NOW))) == 0, "and it waits as before"


def test_a_clock_that_is_off_is_not_believed() -> None:
    assert believed(NOW - 5, NOW - 1, NOW) == (NOW - 5, NOW - 1)
    assert believed(NOW + 3, NOW + 9, NOW) == (NOW, NOW), "a little ahead is now"
    for start, end in ((0, 0), (NOW, NOW + 10**9), (NOW, NOW - 5), (-(10**18), NOW), (2**63, 2**63)):
        assert believed(start, end, NOW) == (NOW, NOW)


def test_spans_become_one_sighting_for_each_subject_and_the_calls_to_reconcile() -> None:
    schema = {"gen_ai__tool__description": "reads\x1b", "tool__parameters": "sha256:0"}
    known = Attribution()
    spans = [
        span("model", "agent", gen_ai__operation__name="chat", gen_ai__request__model="m1"),
        replace(span("tool", "agent", **TOOL, **schema), end_ms=NOW - 1),
        span("tool2", "agent", **TOOL),
        span("agent", "boss", **AGENT, gen_ai__agent__name="a"),
        span("later", "boss", **AGENT, gen_ai__agent__name="a"),
        span("boss", **AGENT, gen_ai__agent__name="b"),
    ]
    telemetry = Telemetry(NOW)
    telemetry.add(known.take(spans, NOW))
    found: dict[str, list[Sighting]] = {}
    for one in telemetry.sightings():
        found.setdefault(one.subject.name, []).append(one)
    a, t = otlp(Kind.AGENT, "a"), otlp(Kind.TOOL, "t")
    model = Edge(Verb.USES, Subject(Kind.MODEL, "m1"))
    assert [one.edges for one in found["a"]] == [(model,), (Edge(Verb.USES, t),), ()]
    by = "the span above names the agent"
    assert [one.evidence for one in found["a"]] == [
        f"{by}; model by gen_ai.request.model, span model of trace t1",
        f"{by}; tool by gen_ai.tool.name, span tool2 of trace t1",
        "span attribute gen_ai.agent.name",
    ]
    assert sum(one.count for one in found["a"]) == 5
    assert [one.edges for one in found["b"]] == [(Edge(Verb.DELEGATES, a),), ()]
    assert found["t"][0].traits == (Trait("description", "reads\\u{1b}"), Trait("schema", "sha256:0"))
    assert telemetry.calls == [
        ObservedCall("t1", "model", "scope", a, Subject(Kind.MODEL, "m1"), NOW - 10, NOW),
        ObservedCall("t1", "tool", "scope", a, t, NOW - 10, NOW - 1),
        ObservedCall("t1", "tool2", "scope", a, t, NOW - 10, NOW),
    ]


def test_a_token_tells_whose_telemetry_it_is() -> None:
    telemetry = Telemetry(NOW)
    mine = [span("a", **AGENT, gen_ai__agent__name="bot"), span("b", **AGENT, gen_ai__agent__name="helper")]
    telemetry.add(Attribution().take(mine, NOW, "bot"))
    found: list[Sighting] = list(telemetry.sightings())
    bot, helper = otlp(Kind.AGENT, "bot"), otlp(Kind.AGENT, "helper")
    edges = {(one.subject, edge) for one in found for edge in one.edges}
    assert edges == {
        (bot, Edge(Verb.SAME, Subject(Kind.AGENT, "bot"))),
        (Subject(Kind.AGENT, "bot"), Edge(Verb.DELEGATES, helper)),
    }
    assert {one.source for one in found} == {"otlp:bot"} == {source_of("bot")}


def test_an_agent_that_names_its_model_uses_it_and_made_no_call() -> None:
    telemetry = Telemetry(NOW)
    named = span("a", **AGENT, gen_ai__agent__name="p", gen_ai__request__model="m1")
    telemetry.add(Attribution().take([named], NOW))
    [found] = [one for one in telemetry.sightings() if one.subject.name == "p"]
    assert found.edges == (Edge(Verb.USES, Subject(Kind.MODEL, "m1")),)
    assert telemetry.calls == []
