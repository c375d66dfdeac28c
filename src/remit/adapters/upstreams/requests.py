"""What Remit asks of a server: a method, its params byte for byte, and the `_meta` that goes along."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from remit import __version__
from remit.facts.canonical import Json
from remit.facts.header_mirror import NAMED
from remit.ports.upstream import NO_CONTEXT, Era, Offer, UpstreamContext

CLIENT_INFO: Final[Mapping[str, Json]] = {"name": "remit", "version": __version__}
ASKS_NOTHING: Final = frozenset({"resources/list", "resources/templates/list", "prompts/list"})
"""Methods in which no server may ask the client something."""
IN_ROUNDS: Final = frozenset({"tools/call", "resources/read", "prompts/get"})
"""Those that a server of 2026-07-28 may answer with questions; a client goes on with no other."""
OLD_VERSIONS: Final = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"
LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""Of logs, from all to least (RFC 5424)."""
QUESTIONS: Final[Mapping[str, str]] = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What a server may ask, and the capability of the client that lets it."""
_FILTER: Final[Mapping[Offer, str]] = {
    Offer.TOOLS: "toolsListChanged",
    Offer.RESOURCES: "resourcesListChanged",
    Offer.TEMPLATES: "resourcesListChanged",
    Offer.PROMPTS: "promptsListChanged",
}


def _stateless_meta(capabilities: Mapping[str, Json]) -> dict[str, Json]:
    return {
        "io.modelcontextprotocol/protocolVersion": Era.STATELESS.value,
        "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
        "io.modelcontextprotocol/clientCapabilities": dict(capabilities),
    }


META: Final = orjson.dumps(_stateless_meta({}))
"""`_meta` of a 2026-07-28 request that nobody waits with."""


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """`head`: the params object without its closing brace. `name`: what routes it, as `Mcp-Name`."""

    method: str
    head: bytes
    name: str | None = None

    def params(self, meta: bytes) -> bytes:
        """The params object with `meta` as its `_meta`, or without one."""
        if not meta:
            return self.head + b"}"
        return b'%s%s"_meta":%s}' % (self.head, b"" if self.head == b"{" else b",", meta)

    def again(self, responses: Mapping[str, Json], state: str | None) -> "UpstreamRequest":
        """The same request after a round: the client's answers, and the server's `requestState` as it came."""
        added: dict[str, Json] = {"inputResponses": responses} if responses else {}
        if state is not None:
            added["requestState"] = state
        comma = b"" if self.head == b"{" else b","
        return UpstreamRequest(self.method, self.head + comma + orjson.dumps(added)[1:-1], self.name)


def call_request(name: str, arguments: bytes) -> UpstreamRequest:
    """`tools/call`: `arguments` byte for byte as they were judged."""
    return UpstreamRequest("tools/call", b'{"name":%s,"arguments":%s' % (orjson.dumps(name), arguments), name)


def ask_request(method: str, params: Mapping[str, Json] | None = None) -> UpstreamRequest:
    """Any other request."""
    members = params or {}
    name = members.get(NAMED[method]) if method in NAMED else None
    return UpstreamRequest(method, orjson.dumps(members)[:-1], name if isinstance(name, str) else None)


def list_request(cursor: str | None) -> UpstreamRequest:
    """`tools/list` at a cursor."""
    return ask_request("tools/list", {} if cursor is None else {"cursor": cursor})


def listen_request(offers: frozenset[Offer], uris: frozenset[str]) -> UpstreamRequest:
    """`subscriptions/listen` for exactly these."""
    filters: dict[str, Json] = {_FILTER[offer]: True for offer in sorted(offers)}
    if uris:
        filters["resourceSubscriptions"] = sorted(uris)
    return ask_request("subscriptions/listen", {"notifications": filters})


def offers_of(honoured: Mapping[str, Json]) -> frozenset[Offer]:
    """The lists that an acknowledged filter names."""
    return frozenset(offer for offer, name in _FILTER.items() if honoured.get(name) is True)


def initialize_request(capabilities: Mapping[str, Json]) -> UpstreamRequest:
    """`initialize` for a client of exactly these capabilities, as far as that era has them."""
    era_capabilities: Mapping[str, Json] = {
        name: capabilities[name] for name in QUESTIONS.values() if name in capabilities
    }
    return ask_request(
        "initialize",
        {"protocolVersion": Era.INITIALIZE.value, "capabilities": era_capabilities, "clientInfo": CLIENT_INFO},
    )


DISCOVER: Final = ask_request("server/discover")
PING: Final = ask_request("ping")


def meta(era: Era, ident: int, context: UpstreamContext) -> bytes:
    """`_meta` of the request `ident`: what the era requires and what goes along; empty for none."""
    if context is NO_CONTEXT:
        return META if era is Era.STATELESS else b""
    members: dict[str, Json] = {}
    if era is Era.STATELESS:
        members = _stateless_meta(context.capabilities)
        if context.log_level in LEVELS:
            members["io.modelcontextprotocol/logLevel"] = context.log_level
    if context.hear is not None:
        members["progressToken"] = ident
    if context.trace is not None:
        members["traceparent"] = context.trace
    members.update(context.meta)
    return orjson.dumps(members) if members else b""
