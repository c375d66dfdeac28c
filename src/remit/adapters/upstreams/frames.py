"""JSON-RPC 2.0 as MCP uses it: the envelopes Remit sends, and one reading of the bytes it gets.

Whatever an upstream answers becomes a `ResultFrame` or an `ErrorFrame`.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import orjson

from remit.adapters.upstreams.failures import garbage
from remit.facts.canonical import Json
from remit.facts.capability import of_stateless_clients
from remit.facts.limits import INTEGER_MAX
from remit.facts.strictjson import nodes_most, outside_strings
from remit.ports.upstream import Failure, Question

UPSTREAM_TEXT_CHARS_MAX: Final = 4096
NODES_MAX: Final = 500_000
"""Values in one message: to read very many, most of them empty, takes many seconds, in which nobody is answered."""
METHOD_NOT_FOUND: Final = -32601
MISSING_CAPABILITY: Final = -32021
URL_ELICITATION_REQUIRED: Final = -32042
"""Of 2025-11-25 alone: the user has to open an address before the call can be made."""
ADDRESSES_MAX: Final = 8
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_ENCODED: Final = re.compile(r"=\?base64\?.*\?=")
_DIGITS: Final = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_LONG: Final = b"0" * 19
"""From as many digits on an integer may have more than 64 bits, of which orjson makes a float."""

Ident: TypeAlias = int | str
Message: TypeAlias = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class ResultFrame:
    """The result object of the request that was asked. `raw` is the whole message as it came.

    `session` is the `mcp-session-id` that came with it over HTTP.
    """

    raw: bytes
    result: Message
    session: str | None = None


@dataclass(frozen=True, slots=True)
class ErrorFrame:
    """Why there is none. `status`: of HTTP, 0 if none; `code`: of a JSON-RPC error."""

    failure: Failure
    status: int = 0
    code: int | None = None


Outcome: TypeAlias = ResultFrame | ErrorFrame


def request(ident: int, method: str, params: bytes) -> bytes:
    """One request; `params` is a JSON object."""
    return b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}' % (ident, method.encode("ascii"), params)


def notification(method: str, params: Mapping[str, Json]) -> bytes:
    """One notification."""
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})


def cancellation(ident: int) -> bytes:
    """`notifications/cancelled` of the request `ident`."""
    return notification("notifications/cancelled", {"requestId": ident, "reason": "cancelled"})


def response(ident: Ident, result: Json) -> bytes:
    """Our answer to a request of the server's."""
    return orjson.dumps({"jsonrpc": "2.0", "id": ident, "result": result})


def refusal(ident: Ident, code: int, text: str) -> bytes:
    """Our refusal of a request of the server's."""
    return orjson.dumps({"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": text}})


def ident_of(message: Message) -> Ident | None:
    """The id of a request of the server's; None for a notification, which wants no answer."""
    ident = message.get("id")
    if isinstance(ident, int) and not -INTEGER_MAX <= ident <= INTEGER_MAX:
        return None
    return ident if isinstance(ident, int | str) and not isinstance(ident, bool) else None


def header_value(text: str) -> str:
    """`text` as a header value: `=?base64?…?=` unless it is printable ASCII without outer blanks."""
    if _HEADER_SAFE.fullmatch(text) and not _ENCODED.fullmatch(text):
        return text
    return f"=?base64?{base64.b64encode(text.encode('utf-8')).decode('ascii')}?="


def parse(raw: bytes | bytearray) -> Message | None:
    """The JSON object in `raw`, integers of any length as they are; None where there is none."""
    try:
        value: object = orjson.loads(raw)
        if _LONG in raw.translate(_DIGITS) and _LONG in outside_strings(bytes(raw)).translate(_DIGITS):
            value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return cast("Message", value) if isinstance(value, dict) else None


def is_overfull(raw: bytes | bytearray) -> bool:
    """Whether `raw` holds more than `NODES_MAX` values; told from its bytes, before anything is made of them."""
    if len(raw) <= NODES_MAX:
        return False
    # Each value has at most a name and a text of its own, which are four quotes.
    quotes = raw.count(b'"') - raw.count(rb"\"")
    return quotes > 4 * NODES_MAX or nodes_most(bytes(raw)) > NODES_MAX


def is_answer(message: Message) -> bool:
    """Whether this is a response, to us or to nobody, and no request or notification."""
    return "method" not in message and ("result" in message or "error" in message)


def answers(message: Message, ident: int) -> bool:
    """Whether it answers the request `ident`: `true` and `1.0` are not 1."""
    answered = message.get("id")
    return type(answered) is int and answered == ident


def members(value: Json) -> Message:
    """`value` if it is an object, else an empty one: what a server sent in place of `params` or `_meta`."""
    return value if isinstance(value, Mapping) else {}


def read(server: str, raw: bytes, message: Message, status: int = 0, session: str | None = None) -> Outcome:
    """The outcome a response stands for, its id already compared; many servers say `"error": null` beside a result."""
    if message.get("error") is None and type(result := message.get("result")) is dict:
        return ResultFrame(raw, cast("Message", result), session)
    error = message.get("error")
    if not isinstance(error, Mapping):
        return ErrorFrame(garbage(server, "a response without result or error"), status)
    code = error.get("code")
    number = code if type(code) is int else None
    text = error.get("message")
    failure = Failure(
        cause="error",
        text=f"server {server!r} answered with JSON-RPC error {number if number is not None else 'without a code'}",
        sent=True,
        upstream_text=text[:UPSTREAM_TEXT_CHARS_MAX] if isinstance(text, str) else None,
        code=number,
        needs=_needs(error) if number == MISSING_CAPABILITY else {},
        addresses=tuple(_addresses(error)) if number == URL_ELICITATION_REQUIRED else (),
    )
    return ErrorFrame(failure, status, number)


def _addresses(error: Message) -> Iterator[Question]:
    """What the user has to open and why, in the server's words."""
    elicitations = members(error.get("data")).get("elicitations")
    for elicitation in elicitations[:ADDRESSES_MAX] if isinstance(elicitations, list) else ():
        if isinstance(members(elicitation).get("url"), str):
            yield Question("elicitation/create", {**members(elicitation), "mode": "url"})


def _needs(error: Message) -> Mapping[str, Json]:
    return of_stateless_clients(members(error.get("data")).get("requiredCapabilities"))
