"""ASGI as this enforcement point uses it: header picking, capped bodies, short answers."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from remit.facts.header_mirror import PREFIX
from remit.pep.mcp import refusals, rpc
from remit.pep.throttle import Busy

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

JSON: Final[Header] = (b"content-type", b"application/json")
STREAM: Final[tuple[Header, ...]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
_READ: Final = frozenset(
    {
        b"host",
        b"origin",
        b"authorization",
        b"accept",
        b"content-type",
        b"content-length",
        b"mcp-protocol-version",
        b"mcp-session-id",
        b"mcp-method",
        b"mcp-name",
        b"last-event-id",
    }
)
_PARAM: Final = PREFIX.encode("ascii")
PIECE_BYTES: Final = 256 * 1024


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


class TooLarge(Exception):
    """The body exceeds its limit, by what it declares or by what arrived."""


@dataclass(frozen=True, slots=True)
class Heads:
    """The headers this enforcement point reads, trimmed; `repeated` names one given twice.

    `params` are those that mirror arguments (`facts.header_mirror`), None for one given twice.
    """

    values: Mapping[bytes, bytes]
    repeated: bytes | None
    params: Mapping[str, str | None] = field(default_factory=dict[str, str | None])

    def text(self, name: bytes) -> str | None:
        """The value of `name` (lower case), or None."""
        value = self.values.get(name)
        return None if value is None else value.decode("latin-1")


def heads(raw: Iterable[Header]) -> Heads:
    """Pick what is read. A repeated header is noted: two readers would see two requests."""
    values: dict[bytes, bytes] = {}
    repeated: bytes | None = None
    params: dict[str, str | None] = {}
    for name, value in raw:
        if name not in _READ:
            if name.startswith(_PARAM):
                key = name.decode("latin-1")
                params[key] = None if key in params else value.strip(b" \t").decode("latin-1")
            continue
        if name not in values:
            values[name] = value.strip()
        elif name == b"accept":
            values[name] += b", " + value
        else:
            repeated = name
    return Heads(values, repeated, params)


async def read_body(receive: Receive, head: Heads, bytes_max: int) -> bytes:
    """The whole request body, never more than `bytes_max` bytes of it in memory.

    Raises `TooLarge`, and `ClientGone` when the client goes away first.
    """
    declared = head.values.get(b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > bytes_max:
        raise TooLarge
    message = await receive()
    if message["type"] != "http.request":
        raise ClientGone
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        if len(first) > bytes_max:
            raise TooLarge
        return first
    parts = [first]
    size = len(first)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > bytes_max:
            raise TooLarge
        parts.append(part)
    return b"".join(parts)


async def answer(send: Send, status: int, body: bytes = b"", *extra: Header) -> None:
    """One complete response; JSON when it has a body."""
    fields: list[Header] = [(b"content-length", b"%d" % len(body)), *extra]
    if body:
        fields.append(JSON)
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await finish(send, body)


async def disconnected(receive: Receive) -> None:
    """Return once the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def finish(send: Send, data: bytes) -> None:
    """End a response with `data`: each piece waits until the client has read most of what is before it.

    Whoever sent it all at once would be done while the client has read nothing, and memory held it uncounted.
    """
    start = 0
    while len(data) - start > PIECE_BYTES:
        piece = data[start : start + PIECE_BYTES]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        start += PIECE_BYTES
    await send({"type": "http.response.body", "body": data[start:] if start else data})


async def too_busy(send: Send, busy: Busy) -> None:
    """Say which limit was met and when to come back: a JSON-RPC error, of no request in particular."""
    wrong = refusals.not_now(busy)
    body = rpc.error(None, wrong.code, wrong.text, wrong.data)
    await answer(send, busy.status, body, (b"retry-after", b"%d" % busy.retry_s))


def accepts(head: Heads) -> tuple[bool, bool]:
    """Whether the client takes `(application/json, text/event-stream)`; no header takes both."""
    header = head.values.get(b"accept")
    if header is None:
        return True, True
    if header == b"application/json, text/event-stream":
        return True, True
    kinds = {part.split(b";")[0].strip().lower() for part in header.split(b",")}
    anything = b"*/*" in kinds
    return (
        anything or b"application/json" in kinds or b"application/*" in kinds,
        anything or b"text/event-stream" in kinds or b"text/*" in kinds,
    )
