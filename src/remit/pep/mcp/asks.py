"""What a governed request asks for: read from its parameters, named as the driver names it.

Of the parameters only what is read here goes on; the rest is dropped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from remit.facts.canonical import Json, canonical
from remit.facts.text import identifier_problem
from remit.pep.mcp.envelope import NAME_MAX, NOTHING, Malformed, Request, tool_call
from remit.pep.mcp.namespace import Namespace
from remit.pep.mcp.rpc import INVALID_PARAMS
from remit.pep.resource_names import own_uri
from remit.ports.upstream import Offer

Resolve: TypeAlias = Callable[[str], tuple[str, str]]
"""`(server, tool)` of a tool's exposed name."""

URI_MAX: Final = 4_096
VALUE_MAX: Final = 4_096


@dataclass(frozen=True, slots=True)
class CallTool:
    """`tools/call`; `arguments` is the RFC 8785 form of `input`."""

    server: str
    tool: str
    input: Mapping[str, Json]
    arguments: bytes


@dataclass(frozen=True, slots=True)
class ReadResource:
    """`resources/read`; `shown` is the URI as the client wrote it."""

    server: str
    uri: str
    shown: str


@dataclass(frozen=True, slots=True)
class GetPrompt:
    """`prompts/get`; `arguments` is the RFC 8785 form of `input`."""

    server: str
    name: str
    input: Mapping[str, Json]
    arguments: bytes


@dataclass(frozen=True, slots=True)
class Complete:
    """`completion/complete`; `params` are `ref`, `argument` and, where given, `context`."""

    server: str
    params: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ListOffers:
    """`resources/list` and its like; of all servers when `server` is None."""

    server: str | None
    offer: Offer


Ask: TypeAlias = CallTool | ReadResource | GetPrompt | Complete | ListOffers
_LISTS: Final[Mapping[str, Offer]] = {
    "tools/list": Offer.TOOLS,
    "resources/list": Offer.RESOURCES,
    "resources/templates/list": Offer.TEMPLATES,
    "prompts/list": Offer.PROMPTS,
}


class _Odd(Exception):
    """A parameter is not what it should be; the text is ours."""


class Asks:
    """Reads requests under one naming: that of `/mcp` where a request's `server` is None."""

    def __init__(self, resolve: Resolve, namespace: Namespace) -> None:
        self._resolve = resolve
        self._namespace = namespace

    def read(self, request: Request, server: str | None) -> Ask | Malformed:
        """What `request` on the path of `server` asks for; its method is one that asks for something."""
        if request.method == "tools/call":
            call = tool_call(request)
            if isinstance(call, Malformed):
                return call
            of, tool = (server, call.name) if server is not None else self._resolve(call.name)
            return CallTool(of, tool, call.input, call.arguments)
        try:
            return self._other(request.method, request.params, server)
        except _Odd as error:
            return Malformed(INVALID_PARAMS, str(error), request.ident)

    def uri(self, uri: Json, server: str | None) -> ReadResource | str:
        """The resource that `uri` names, or what is wrong with it."""
        try:
            return self._resource(uri, server)
        except _Odd as error:
            return str(error)

    def _other(self, method: str, params: Mapping[str, Json], server: str | None) -> Ask:
        match method:
            case "resources/read":
                return self._resource(params.get("uri"), server)
            case "prompts/get":
                of, name = self._prompt(params.get("name"), server)
                arguments = _object(params.get("arguments"), "params.arguments")
                if not all(isinstance(value, str) for value in arguments.values()):
                    raise _Odd("params.arguments must be an object of texts")
                return GetPrompt(of, name, arguments, _canonical(arguments))
            case "completion/complete":
                return self._completion(params, server)
            case _:
                if params.get("cursor") is not None:
                    raise _Odd("params.cursor is none that this service gave: lists come whole")
                return ListOffers(server, _LISTS[method])

    def _resource(self, address: Json, server: str | None) -> ReadResource:
        uri = _text(address, "uri", URI_MAX)
        if server is not None:
            return ReadResource(server, uri, uri)
        of, own = own_uri(uri)
        if not of:
            raise _Odd("params.uri names no server: under /mcp a resource is remit+SERVER:URI, as listed")
        return ReadResource(of, own, uri)

    def _prompt(self, exposed: Json, server: str | None) -> tuple[str, str]:
        name = _text(exposed, "name", NAME_MAX)
        problem = identifier_problem(name)
        if problem is not None:
            raise _Odd(f"params.name is no name: {problem}")
        return (server, name) if server is not None else self._namespace.prompt(name)

    def _completion(self, params: Mapping[str, Json], server: str | None) -> Complete:
        ref = _object(params.get("ref"), "params.ref")
        match ref.get("type"):
            case "ref/prompt":
                of, name = self._prompt(ref.get("name"), server)
                own: Mapping[str, Json] = {"type": "ref/prompt", "name": name}
            case "ref/resource":
                resource = self._resource(ref.get("uri"), server)
                of, own = resource.server, {"type": "ref/resource", "uri": resource.uri}
            case _:
                raise _Odd("params.ref.type must be ref/prompt or ref/resource")
        argument = _object(params.get("argument"), "params.argument")
        value = argument.get("value")
        if not isinstance(value, str) or len(value) > VALUE_MAX:
            raise _Odd(f"params.argument.value must be a text of at most {VALUE_MAX} characters")
        members: dict[str, Json] = {
            "ref": own,
            "argument": {"name": _text(argument.get("name"), "argument.name", NAME_MAX), "value": value},
        }
        context = _object(params.get("context"), "params.context")
        context_arguments = _object(context.get("arguments"), "params.context.arguments")
        if context_arguments:
            if not all(isinstance(value, str) for value in context_arguments.values()):
                raise _Odd("params.context.arguments must be an object of texts")
            members["context"] = {"arguments": context_arguments}
        return Complete(of, members)


def _object(value: Json, where: str) -> Mapping[str, Json]:
    if value is None:
        return NOTHING
    if not isinstance(value, Mapping):
        raise _Odd(f"{where} must be an object")
    return value


def _text(value: Json, where: str, chars_max: int) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= chars_max:
        raise _Odd(f"params.{where} must be a text of 1 to {chars_max} characters")
    return value


def _canonical(value: Mapping[str, Json]) -> bytes:
    try:
        return canonical(dict(value))
    except ValueError as error:
        raise _Odd(f"params.arguments: {error}") from None
