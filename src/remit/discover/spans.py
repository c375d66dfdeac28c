"""What a span of telemetry tells: which agent did what with which model, tool, prompt or data.

Laws
* Spans are hearsay: a program says of itself what it did. They add to what is known and never make anything governed.
* Nothing of a span is kept but names: no prompt, argument or result.
* Several spellings are read, the current first: OpenTelemetry's semantic conventions for generative AI and for MCP,
  those that they replaced, OpenInference's and Traceloop's. One that says nothing of agents gives nothing.
* Total: whatever the attributes hold, there is an answer.

Sources: https://opentelemetry.io/docs/specs/semconv/gen-ai/ (`gen_ai.*`, `mcp.*`),
https://arize-ai.github.io/openinference/spec/semantic_conventions.html (`openinference.span.kind`, `llm.*`, `tool.*`),
https://github.com/traceloop/openllmetry (`traceloop.*`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.discover.sighting import Kind, Subject, Verb, subject

SPACE: Final = "otlp"


@dataclass(frozen=True, slots=True)
class Span:
    """One span as exported: ids in lower-case hex (`parent` empty for a root), times in ms since the epoch.

    `attributes` hold texts alone, those of `READ` that were there. `service` is the resource's `service.name`, `scope`
    the name of the instrumentation.
    """

    trace: str
    span: str
    parent: str
    name: str
    start_ms: int
    end_ms: int
    service: str
    scope: str
    attributes: Mapping[str, str]


class SpanTarget(StrEnum):
    """What a span is about."""

    AGENT = "agent"
    MODEL = "model"
    TOOL = "tool"
    PROMPT = "prompt"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class SpanReport:
    """What one span tells: `agent` (None where it names none) did it (`target`) with `objects`.

    `server` is where a tool, prompt or resource came from, if the span says so. `key` is the attribute that named the
    agent, or else the object: the evidence.
    """

    target: SpanTarget
    agent: str | None
    objects: tuple[tuple[Verb, Subject], ...]
    server: str | None
    key: str


AGENT_NAMES: Final = (
    "gen_ai.agent.name",
    "agent.name",
    "gen_ai.agent.id",
    "graph.node.id",
)
_MODELS: Final = (
    "gen_ai.request.model",
    "gen_ai.response.model",
    "llm.model_name",
    "llm.request.model",
    "llm.response.model",
    "embedding.model_name",
    "reranker.model_name",
)
_TOOLS: Final = ("gen_ai.tool.name", "mcp.tool.name", "tool.name", "mcp.request.params.name")
_PROMPTS: Final = ("gen_ai.prompt.name", "mcp.prompt.name", "llm.prompt_template.name", "traceloop.prompt.key")
_RESOURCES: Final = ("mcp.resource.uri", "mcp.request.params.uri")
_DATA: Final = ("gen_ai.data_source.id", "db.namespace", "db.name", "db.collection.name")
_OPERATIONS: Final = ("gen_ai.operation.name", "llm.request.type")
_SERVERS: Final = ("mcp.server.name", "mcp.server", "server.name")
_METHODS: Final = ("mcp.method.name", "mcp.method", "rpc.method")
_KIND: Final = "openinference.span.kind"
_TRACELOOP: Final = ("traceloop.span.kind", "traceloop.entity.name")
_WORKFLOW: Final = ("traceloop.workflow.name", "gen_ai.workflow.name")
_SYSTEM: Final = ("db.system", "db.system.name")

TRAITS: Final = (
    ("description", "gen_ai.tool.description"),
    ("description", "tool.description"),
    ("schema", "gen_ai.tool.parameters"),
    ("schema", "tool.parameters"),
)
"""Of a tool, what is kept of it beside its name, and the attributes that say it. Readers give schemas by digest."""
DIGESTED: Final = frozenset({"gen_ai.tool.parameters", "tool.parameters"})

ATTRIBUTES_READ: Final = frozenset(
    {
        *AGENT_NAMES,
        *_MODELS,
        *_TOOLS,
        *_PROMPTS,
        *_RESOURCES,
        *_DATA,
        *_OPERATIONS,
        *_SERVERS,
        *_METHODS,
        _KIND,
        *_TRACELOOP,
        *_WORKFLOW,
        *_SYSTEM,
        *(at for _, at in TRAITS),
        "gen_ai.tool.call.id",
        "gen_ai.system",
        "gen_ai.provider.name",
        "llm.system",
        "llm.provider",
    }
)
"""The attributes that are looked at; a reader passes over all others."""

_AGENT_WORK: Final = frozenset({"invoke_agent", "create_agent", "invoke_workflow", "plan"})
_MODEL_WORK: Final = frozenset({"chat", "completion", "text_completion", "generate_content", "embeddings", "rerank"})


def first(attributes: Mapping[str, str], keys: Iterable[str]) -> tuple[str, str] | None:
    """The first of `keys` that says something, and what."""
    for key in keys:
        value = attributes.get(key)
        if value:
            return key, value
    return None


def report_of(span: Span) -> SpanReport | None:
    """What `span` tells; None where it says nothing of agents, or of what they use."""
    attributes = span.attributes
    agent = _agent(attributes)
    method = first(attributes, _METHODS)
    if method is not None:
        report = _mcp(method[1], attributes)
        if report is not None:
            return SpanReport(report[0], None if agent is None else agent[1], report[1], report[2], method[0])
    report = _tool(span) or _model(attributes) or _prompt(attributes) or _data(attributes)
    if report is not None:
        target, objects, key = report
        server = first(attributes, _SERVERS)
        return SpanReport(
            target, None if agent is None else agent[1], objects, None if server is None else server[1], key
        )
    return None if agent is None else SpanReport(SpanTarget.AGENT, agent[1], (), None, agent[0])


_Use = tuple[SpanTarget, tuple[tuple[Verb, Subject], ...], str]


def _agent(attributes: Mapping[str, str]) -> tuple[str, str] | None:
    agent = first(attributes, AGENT_NAMES[:2])
    if agent is not None:
        return agent
    if attributes.get("traceloop.span.kind") == "agent" and (name := attributes.get("traceloop.entity.name")):
        return "traceloop.entity.name", name
    return first(attributes, AGENT_NAMES[2:])


def _mcp(
    method: str, attributes: Mapping[str, str]
) -> tuple[SpanTarget, tuple[tuple[Verb, Subject], ...], str | None] | None:
    server = first(attributes, _SERVERS)
    server_name = None if server is None else server[1]
    match method:
        case "tools/call":
            target, verb, kind, keys = SpanTarget.TOOL, Verb.USES, Kind.TOOL, _TOOLS
        case "prompts/get":
            target, verb, kind, keys = SpanTarget.PROMPT, Verb.USES, Kind.PROMPT, (*_PROMPTS, "mcp.request.params.name")
        case "resources/read" | "resources/subscribe":
            target, verb, kind, keys = SpanTarget.DATA, Verb.READS, Kind.DATA, _RESOURCES
        case _:
            return None
    target_name = first(attributes, keys)
    return None if target_name is None else (target, ((verb, _own(kind, target_name[1], server_name)),), server_name)


def _tool(span: Span) -> _Use | None:
    attributes = span.attributes
    tool = first(attributes, _TOOLS)
    kind = attributes.get(_KIND)
    if tool is None and kind == "TOOL":
        tool = ("span name", span.name)
    if tool is None and attributes.get("traceloop.span.kind") == "tool":
        tool = first(attributes, ("traceloop.entity.name",))
    operation = attributes.get("gen_ai.operation.name")
    executed = operation == "execute_tool" or kind == "TOOL" or attributes.get("traceloop.span.kind") == "tool"
    if tool is None or not (executed or (operation is None and kind is None)):
        return None
    server = first(attributes, _SERVERS)
    return SpanTarget.TOOL, ((Verb.USES, _own(Kind.TOOL, tool[1], None if server is None else server[1])),), tool[0]


def _model(attributes: Mapping[str, str]) -> _Use | None:
    model = first(attributes, _MODELS)
    if model is None:
        return None
    operation = first(attributes, _OPERATIONS)
    if operation is not None and operation[1] not in _MODEL_WORK and operation[1] in _AGENT_WORK:
        return SpanTarget.AGENT, ((Verb.USES, subject(Kind.MODEL, model[1])),), model[0]
    return SpanTarget.MODEL, ((Verb.USES, subject(Kind.MODEL, model[1])),), model[0]


def _prompt(attributes: Mapping[str, str]) -> _Use | None:
    prompt = first(attributes, _PROMPTS)
    return (
        None
        if prompt is None
        else (SpanTarget.PROMPT, ((Verb.USES, subject(Kind.PROMPT, prompt[1], SPACE)),), prompt[0])
    )


def _data(attributes: Mapping[str, str]) -> _Use | None:
    source = first(attributes, _DATA)
    if source is None:
        return None
    system = first(attributes, _SYSTEM)
    name = source[1] if system is None else f"{system[1]}:{source[1]}"
    return SpanTarget.DATA, ((Verb.READS, subject(Kind.DATA, name, SPACE)),), source[0]


def _own(kind: Kind, name: str, server: str | None) -> Subject:
    return subject(kind, name if server is None else f"{server}/{name}", SPACE)
