"""Requests of both eras, valid and broken: in their structure, their bytes, their headers, their chunks."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from remit.pep.mcp.asgi import Header

STATELESS: Final = "2026-07-28"
_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
_ABLE: Final = "io.modelcontextprotocol/clientCapabilities"
_NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_METHODS: Final = (
    *(("tools/call",) * 8),
    *(("resources/read", "prompts/get", "completion/complete") * 2),
    "tools/list",
    "resources/list",
    "prompts/list",
    "server/discover",
    "ping",
    "logging/setLevel",
    "resources/subscribe",
    "tasks/get",
    "sampling/createMessage",
    "notifications/cancelled",
    "notifications/progress",
    "nobody/knows",
)
ABLE: Final[tuple[Any, ...]] = (
    {"elicitation": {}, "sampling": {}, "roots": {}},
    {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {"listChanged": True}},
    {"elicitation": {"form": {}, "url": {}}},
    {"sampling": {}},
    {},
)
"""What clients declare that they may be asked."""
PATHS: Final = ("/mcp/new", "/mcp/old", "/mcp")
SIGNED_BY: Final = ("clerk", "clerk", "other", "other", "guest")
"""Tokens of two sessions of one agent, and of an agent that may nothing."""
_ODD: Final[tuple[Any, ...]] = (None, True, 0, -1, 2**53, 1.5, "", "\ud800", "x" * 300, [], {}, [[]], {"a": {}})


@dataclass(frozen=True, slots=True)
class Message:
    """One HTTP request as ASGI sees it. `token` stands in its arguments, `vanish_s` is when the client goes away.

    `able` is what its client declared, where the body does not say it.
    """

    path: str
    headers: list[Header]
    chunks: list[bytes]
    token: bytes
    vanish_s: float | None
    able: Mapping[str, Any] | None = None
    bearer: str = ""
    connection: Connection | None = None

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks)

    @property
    def declared(self) -> Mapping[str, Any]:
        """What its client declared, as far as anybody could read it."""
        if self.able is not None:
            return self.able
        try:
            found = orjson.loads(self.body)["params"]["_meta"][_ABLE]
        except (ValueError, KeyError, TypeError, IndexError):
            return {}
        return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}

    def again(self, state: Any, responses: Any) -> Message:
        """The same request made anew, with `responses` to what was asked."""
        made = orjson.loads(self.body)
        made["params"] |= {"requestState": state, "inputResponses": responses}
        return replace(self, chunks=[orjson.dumps(made)], vanish_s=None)


@dataclass(frozen=True, slots=True)
class Connection:
    """One of the `initialize` era: its id, who opened it where, and what he declared.

    `tokens` stand in what was sent on it, `asked` are the resources that it wants to be told of; `completed` counts
    what its user need not open any more, and `events` are the ids of events on its calls' streams.
    """

    ident: str
    bearer: str
    path: str
    able: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tokens: list[bytes] = field(default_factory=list[bytes])
    asked: set[str] = field(default_factory=set[str])
    completed: Counter[str] = field(default_factory=Counter[str])
    events: list[str] = field(default_factory=list[str])


def able_meta(able: Mapping[str, Any]) -> dict[str, Any]:
    """The `_meta` of a request of 2026-07-28 whose client declares `able`."""
    return {_VERSION: STATELESS, _ABLE: deepcopy(dict(able))}


def make(random: Random, number: int, connection: Connection | None) -> Message:
    """Message `number`; with `connection`, of the `initialize` era."""
    token = f"token{number}token"
    # Conversations come of what a server gets whole.
    is_whole = random.random() < 0.25
    method = "tools/call" if is_whole else random.choice(_METHODS)
    path = random.choice(PATHS) if connection is None else connection.path
    bearer = random.choice(SIGNED_BY) if connection is None else connection.bearer
    if random.random() < 0.05:
        path, bearer = random.choice((*PATHS, "/mcp/none")), random.choice(("clerk", "guest", "nobody"))
    params = _params(method, token, "" if path != "/mcp" else random.choice(("new___", "old___")), random)
    fields: dict[str, str] = {"host": "remit.test", "content-type": "application/json"}
    fields["accept"] = random.choice(("application/json, text/event-stream", "application/json", "*/*"))
    fields["authorization"] = f"Bearer {bearer}"
    if connection is None:
        meta = able_meta(random.choice(ABLE))
        if random.random() < 0.5:
            meta |= {"progressToken": random.choice(("p", 1)), "io.modelcontextprotocol/logLevel": "debug"}
        params["_meta"] = meta
        fields |= {"mcp-protocol-version": STATELESS, "mcp-method": method}
        if method in _NAMED:
            fields["mcp-name"] = str(params.get(_NAMED[method]))
    else:
        fields |= {"mcp-protocol-version": "2025-11-25", "mcp-session-id": connection.ident}
        if random.random() < 0.5:
            params["_meta"] = {"progressToken": number}
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if not method.startswith("notifications/"):
        message["id"] = number
    for _ in range(0 if is_whole else random.choice((0, 0, 0, 0, 1, 1, 2, 3))):
        message = _twist(message, random)
    body = _bytes(message)
    if not is_whole and random.random() < 0.12:
        body = _flip(body, random)
    raw = [(name.encode(), value.encode("utf-8", "replace")) for name, value in fields.items()]
    for _ in range(0 if is_whole else random.choice((0, 0, 0, 0, 0, 0, 1, 2))):
        raw = _other_headers(raw, random)
    vanish_s = random.random() * 0.05 if random.random() < 0.05 else None
    able = None if connection is None else connection.able
    return Message(path, raw, _cut(body, random), token.encode(), vanish_s, able, bearer, connection)


def _params(method: str, token: str, prefix: str, random: Random) -> dict[str, Any]:
    match method:
        case "tools/call":
            name = prefix + random.choice(("do", "undo", "do", "absent"))
            found: dict[str, Any] = {
                "name": name,
                "arguments": {"text": token, "count": random.choice((1, 1, 5, 5_000))},
            }
            if random.random() < 0.1:
                found |= {
                    "inputResponses": {"q": {"action": "accept"}},
                    "requestState": random.choice(("", "AAAA", token)),
                }
            return found
        case "resources/read" | "resources/subscribe":
            known = ("file:///a", "file:///b") if method == "resources/subscribe" else (f"file:///{token}", token)
            uri = random.choice((*known, f"file:///{token}", "../"))
            return {"uri": uri if not prefix else f"remit+{prefix[:3]}:{uri}"}
        case "prompts/get":
            return {"name": prefix + "greet", "arguments": {"who": token}}
        case "completion/complete":
            return {"ref": {"type": "ref/prompt", "name": "greet"}, "argument": {"name": "who", "value": token}}
        case "notifications/cancelled":
            return {"requestId": random.choice((1, "p", None, token))}
        case _:
            return {"level": "debug", "x": token}


def _twist(value: Any, random: Random) -> Any:
    """One member somewhere is removed, doubled, renamed, or becomes something else."""
    here: Any = value
    path: list[tuple[dict[str, Any], str]] = []
    while isinstance(here, dict) and here and random.random() < 0.6:
        inside = cast("dict[str, Any]", here)
        name = random.choice(list(inside))
        path.append((inside, name))
        here = inside[name]
    if not path:
        return value
    inside, name = path[-1]
    match random.randrange(6):
        case 0:
            del inside[name]
        case 1:
            inside[name] = random.choice(_ODD)
        case 2:
            inside[name + random.choice((" ", "\u202e", "\x00", "A"))] = inside.pop(name)
        case 3:
            inside[name] = [inside[name]]
        case 4:
            inside["__proto__"] = inside[name]
        case _:
            inside[name] = {name: inside[name]}
    return value


def _bytes(message: Any) -> bytes:
    try:
        return orjson.dumps(message)
    except TypeError:
        return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\xed\xa0\x80"}}'


def _flip(body: bytes, random: Random) -> bytes:
    at = random.randrange(len(body) or 1)
    match random.randrange(6):
        case 0:
            return body[:at] + bytes([random.randrange(256)]) + body[at + 1 :]
        case 1:
            return body[:at]
        case 2:
            return body + body
        case 3:
            return body[:at] + body[at : at + 20] + body[at:]
        case 4:
            return b"[" + body + b"]"
        case _:
            return b"\xef\xbb\xbf" + body


def _other_headers(raw: list[Header], random: Random) -> list[Header]:
    name, value = random.choice(raw)
    rest = [one for one in raw if one[0] != name]
    match random.randrange(5):
        case 0:
            return rest
        case 1:
            return [*raw, (name, value)]
        case 2:
            return [*rest, (name, random.choice((b"", b"x", value + b"x", b"=?base64?eA==?=", b"\xff\xfe")))]
        case 3:
            return [*rest, (name, b"  " + value + b"\t")]
        case _:
            return [*raw, (b"x-forwarded-for", b"1.2.3.4"), (b"mcp-param-x", b"y"), (b"last-event-id", b"1")]


def _cut(body: bytes, random: Random) -> list[bytes]:
    match random.randrange(4):
        case 0 | 1:
            return [body]
        case 2:
            return [body[at : at + 1] for at in range(min(len(body), 400))] + [body[400:]]
        case _:
            at = random.randrange(len(body) or 1)
            return [body[:at], b"", body[at:]]
