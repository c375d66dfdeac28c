"""JSON-RPC 2.0 as MCP uses it: the bytes Remit sends, and one reading of the bytes it gets.

Arguments are embedded as they are. Whatever an upstream answers becomes an `Answer` or a `Refusal`;
nothing it wrote reaches a text of ours.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import orjson

from remit import __version__
from remit.facts.canonical import Json
from remit.ports.upstream import Era, Failure, Reply, Result, UpstreamUnreachable

UPSTREAM_TEXT_CHARS_MAX: Final = 4096
METHOD_NOT_FOUND: Final = -32601
CLIENT_INFO: Final[Mapping[str, Json]] = {"name": "remit", "version": __version__}
OLD_VERSIONS: Final = frozenset({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"})
META: Final = orjson.dumps(
    {
        "io.modelcontextprotocol/protocolVersion": Era.STATELESS.value,
        "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
)
"""`_meta` of every 2026-07-28 request; the client's own capabilities follow in part 2."""

_ERA_MEMBERS: Final = ("resultType", "ttlMs", "cacheScope")
_SERVER_INFO: Final = "io.modelcontextprotocol/serverInfo"
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_ENCODED: Final = re.compile(r"=\?base64\?.*\?=")

Message: TypeAlias = Mapping[str, Json]
Hear: TypeAlias = Callable[[Message], None]
"""Takes what a server says unasked: its requests and notifications."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The result object of the request that was asked. `raw` is the whole message as it came.

    `session` is the `mcp-session-id` that came with it over HTTP.
    """

    raw: bytes
    result: Message
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is none. `status`: of HTTP, 0 if none; `code`: of a JSON-RPC error."""

    failure: Failure
    status: int = 0
    code: int | None = None


class Unusable(UpstreamUnreachable):
    """`UpstreamUnreachable` that carries the failure it came from; its text is ours."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


def request(ident: int, method: str, params: bytes) -> bytes:
    """One request; `params` is a JSON object."""
    return b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}' % (ident, method.encode("ascii"), params)


def notification(method: str, params: Mapping[str, Json]) -> bytes:
    """One notification."""
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})


def call_params(name: str, arguments: bytes, era: Era) -> bytes:
    """Params of `tools/call`: `arguments` byte for byte as they were judged."""
    head = b'{"name":%s,"arguments":%s' % (orjson.dumps(name), arguments)
    return head + (b',"_meta":%s}' % META if era is Era.STATELESS else b"}")


def list_params(cursor: str | None, era: Era) -> bytes:
    """Params of `tools/list`."""
    members: list[bytes] = []
    if cursor is not None:
        members.append(b'"cursor":' + orjson.dumps(cursor))
    if era is Era.STATELESS:
        members.append(b'"_meta":' + META)
    return b"{%s}" % b",".join(members)


def discover_params() -> bytes:
    """Params of `server/discover`."""
    return b'{"_meta":%s}' % META


def initialize_params() -> bytes:
    """Params of `initialize`, with no capability until part 2 can forward one."""
    return orjson.dumps(
        {
            "protocolVersion": Era.INITIALIZE.value,
            "capabilities": {},
            "clientInfo": CLIENT_INFO,
        }
    )


def header_value(text: str) -> str:
    """`text` as a header value: `=?base64?…?=` unless it is printable ASCII without outer blanks."""
    if _HEADER_SAFE.fullmatch(text) and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8')).decode('ascii')}?="


def reply_to_server(message: Message) -> bytes | None:
    """What a server's own request gets: `ping` its empty result, all else method-not-found.

    None for a notification, which wants no answer.
    """
    ident = message.get("id")
    if not isinstance(ident, int | str) or isinstance(ident, bool):
        return None
    if message.get("method") == "ping":
        return orjson.dumps({"jsonrpc": "2.0", "id": ident, "result": {}})
    error: Json = {"code": METHOD_NOT_FOUND, "message": "remit does not forward requests of servers"}
    return orjson.dumps({"jsonrpc": "2.0", "id": ident, "error": error})


def parse(raw: bytes | bytearray) -> Message | None:
    """The JSON object in `raw`, or None where there is none."""
    try:
        found: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return cast("Message", found) if isinstance(found, dict) else None


def is_answer(message: Message) -> bool:
    """Whether this is a response, to us or to nobody, and no request or notification."""
    return "method" not in message and ("result" in message or "error" in message)


def answers(message: Message, ident: int) -> bool:
    """Whether it answers the request `ident`: `true` and `1.0` are not 1."""
    found = message.get("id")
    return type(found) is int and found == ident


def read(server: str, raw: bytes, message: Message, status: int = 0, session: str | None = None) -> Answer | Refusal:
    """The outcome a response stands for, its id already compared."""
    result = message.get("result")
    if "error" not in message and isinstance(result, Mapping):
        return Answer(raw, result, session)
    error = message.get("error")
    if not isinstance(error, Mapping):
        return Refusal(garbage(server, "a response without result or error"), status)
    code = error.get("code")
    number = code if type(code) is int else None
    text = error.get("message")
    failure = Failure(
        cause="error",
        text=f"server {server!r} answered with JSON-RPC error {number if number is not None else 'without a code'}",
        sent=True,
        upstream_text=text[:UPSTREAM_TEXT_CHARS_MAX] if isinstance(text, str) else None,
    )
    return Refusal(failure, status, number)


def tool_reply(server: str, outcome: Answer | Refusal) -> Reply:
    """A `tools/call` result freed of what belongs to one era only, its shape checked."""
    if isinstance(outcome, Refusal):
        return outcome.failure
    result = outcome.result
    if result.get("resultType", "complete") != "complete":
        text = f"server {server!r} asks for input in mid-call, which Remit does not forward yet"
        return Failure(cause="input_required", text=text, sent=True)
    content, is_error = result.get("content"), result.get("isError", False)
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        return garbage(server, "a tool result whose `content` is no list of objects")
    if not isinstance(is_error, bool):
        return garbage(server, "a tool result whose `isError` is no boolean")
    value = {key: item for key, item in result.items() if key not in _ERA_MEMBERS}
    meta = value.pop("_meta", None)
    if isinstance(meta, Mapping) and (kept := {key: item for key, item in meta.items() if key != _SERVER_INFO}):
        value["_meta"] = kept
    return Result(value, is_error)


def garbage(server: str, what: str) -> Failure:
    """The server said something that is not MCP."""
    text = f"server {server!r} sent {what}; see: remit describe server {server}"
    return Failure(cause="garbage", text=text, sent=True)


def timed_out(server: str, seconds: float, *, sent: bool) -> Failure:
    """It took longer than its limit."""
    text = f"server {server!r} did not answer within {seconds:g} s (call_s in its Server resource)"
    return Failure(cause="timeout", text=text, sent=sent)


def too_large(server: str, bytes_max: int) -> Failure:
    """One message above the limit."""
    return Failure(cause="too_large", text=f"server {server!r} sent a message above {bytes_max} bytes", sent=True)


def internal(server: str, problem: Exception, *, sent: bool) -> Failure:
    """An error of our own."""
    text = f"Remit failed in calling server {server!r} ({type(problem).__name__}); see: remit logs"
    return Failure(cause="internal", text=text, sent=sent)


def closed(server: str) -> Failure:
    """Remit is shutting down."""
    return Failure(cause="closed", text=f"Remit is closing its connection to server {server!r}", sent=False)
