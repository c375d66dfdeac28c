"""The JSON-RPC envelope of one POST: parsed once, strictly, into a closed union.

Batches, duplicate keys, non-finite numbers, surrogates and anything beyond the
limits end here, before policy. What is not read here is dropped: the envelope that goes upstream
is built anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.facts import strictjson
from remit.facts.canonical import Json, canonical
from remit.facts.limits import Limits
from remit.facts.text import identifier_problem
from remit.pep.mcp.rpc import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, Ident

METHOD_MAX: Final = 128
IDENT_MAX: Final = 256
NAME_MAX: Final = 256
NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Request:
    """A call that wants an answer under `ident`."""

    ident: Ident
    method: str
    params: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that wants none."""

    method: str
    params: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Response:
    """A client's answer to a request of ours; `result` is None where it is an error."""

    ident: Ident
    result: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True)
class Malformed:
    """What was not one request or notification: a JSON-RPC error, and whom to tell."""

    code: int
    text: str
    ident: Ident | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The parameters of `tools/call`; `arguments` is the RFC 8785 form of `input`."""

    name: str
    input: Mapping[str, Json]
    arguments: bytes


Message: TypeAlias = Request | Notification | Response | Malformed


def read(body: bytes, limits: Limits) -> Message:
    """The one message in `body`."""
    try:
        value = strictjson.parse(body, limits, nodes_max=limits.body_nodes_max)
    except strictjson.JsonRefused as error:
        return Malformed(PARSE_ERROR, str(error))
    if not isinstance(value, Mapping):
        return Malformed(INVALID_REQUEST, "the body must be one JSON-RPC object; no batches")
    method = value.get("method")
    ident = _ident(value.get("id"))
    if value.get("jsonrpc") != "2.0":
        return Malformed(INVALID_REQUEST, 'the member "jsonrpc" must be "2.0"', ident)
    # Many write what they leave out as null.
    if "method" not in value and ident is not None and (value.get("result") is None) != (value.get("error") is None):
        return _response(ident, value)
    if not isinstance(method, str) or not 0 < len(method) <= METHOD_MAX:
        return Malformed(INVALID_REQUEST, "the body must be a request or a notification", ident)
    params = NOTHING if value.get("params") is None else value["params"]
    if not isinstance(params, Mapping):
        return Malformed(INVALID_PARAMS, "params must be an object", ident)
    if "id" not in value:
        return Notification(method, params)
    if ident is None:
        return Malformed(INVALID_REQUEST, "id must be a string or an integer")
    return Request(ident, method, params)


def _response(ident: Ident, value: Mapping[str, Json]) -> Response | Malformed:
    if value.get("error") is not None:
        return Response(ident, None)
    result = value["result"]
    if not isinstance(result, Mapping):
        return Malformed(INVALID_REQUEST, "result must be an object", ident)
    return Response(ident, result)


def tool_call(request: Request) -> ToolCall | Malformed:
    """The tool and the arguments that `request` names."""
    name = request.params.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= NAME_MAX:
        text = f"params.name must be a tool's name of 1 to {NAME_MAX} characters"
        return Malformed(INVALID_PARAMS, text, request.ident)
    problem = identifier_problem(name)
    if problem is not None:
        return Malformed(INVALID_PARAMS, f"params.name is no name: {problem}", request.ident)
    arguments = request.params.get("arguments")
    if arguments is None:
        return ToolCall(name, NOTHING, b"{}")
    if not isinstance(arguments, Mapping):
        return Malformed(INVALID_PARAMS, "params.arguments must be an object", request.ident)
    try:
        return ToolCall(name, arguments, canonical(arguments))
    except ValueError as error:
        return Malformed(INVALID_PARAMS, f"params.arguments: {error}", request.ident)


def _ident(value: Json) -> Ident | None:
    match value:
        case bool():
            return None
        case int():
            return value
        case str() if len(value) <= IDENT_MAX:
            return value
        case _:
            return None
