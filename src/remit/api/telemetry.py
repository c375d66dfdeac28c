"""`/otlp/v1/traces`: telemetry taken in, as exporters send it (OTLP/HTTP). Raw ASGI: bodies are not JSON alone.

A bearer is asked for: of an agent, a harness, a user, or the admin token, as collectors send it. What the token of an
agent, or of its harness, sends is told apart, so that a stranger cannot spend what an agent may add, nor speak in its
name; and it counts with what they ask for elsewhere, before a byte of it is read. A refusal is a `google.rpc.Status`,
in protobuf to whom sends that, else in JSON (OTLP 1.x, section "OTLP/HTTP Response").
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeAlias, assert_never

import orjson

from remit.api.access import caller_name
from remit.api.authenticator import Acting, Admin, Caller, HarnessOf, Person
from remit.ports.signer import TokenInvalid
from remit.ports.telemetry import Receiver, TelemetryExport, TelemetryGate, TelemetryRefused

PATH: Final = "/otlp/v1/traces"
_JSON: Final = "application/json"
_PROTOBUF: Final = "application/x-protobuf"
_MESSAGE: Final = b"\x12"
"""The key of field 2 of `google.rpc.Status`, its message."""
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class TelemetryPages:
    """A raw ASGI application for the one path. `body_bytes_max` bounds what is sent, before it is unpacked."""

    def __init__(
        self, receiver: Receiver, caller: Callable[[str | None], Caller], gate: TelemetryGate, body_bytes_max: int
    ) -> None:
        self._receiver = receiver
        self._caller = caller
        self._gate = gate
        self._body_bytes_max = body_bytes_max

    @staticmethod
    def serves(path: str) -> bool:
        """Whether `path` is the one."""
        return path == PATH

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one export in."""
        heads: dict[bytes, bytes] = dict(scope["headers"])
        kind = heads.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
        try:
            if scope["method"] != "POST":
                raise TelemetryRefused("otlp/method", "traces are sent with POST", status=405)
            if sum(name == b"authorization" for name, _ in scope["headers"]) > 1:
                raise TelemetryRefused("otlp/authorization", "one Authorization header names who sends an export")
            caller = self._caller(_bearer(heads.get(b"authorization", b"")))
            with self._count(caller) as weigh:
                body = await _body(receive, self._body_bytes_max)
                if body is None:
                    return
                weigh(body)
                encoding = heads.get(b"content-encoding", b"").strip().lower().decode("latin-1")
                answered = await self._receiver.receive(TelemetryExport(kind, encoding, body, _agent_of(caller)))
        except TokenInvalid as error:
            await _refuse(send, kind, TelemetryRefused(f"token/{error.cause.value}", str(error), status=401))
        except TelemetryRefused as error:
            await _refuse(send, kind, error)
        else:
            await _send(send, 200, answered, kind)

    def _count(self, caller: Caller) -> AbstractContextManager[Callable[[bytes], None]]:
        """Counts a request as the control API does: an agent's with its calls, a harness's apart, people's not."""
        match caller:
            case Acting(authority=authority):
                return self._gate.request(authority.acting.agent)
            case HarnessOf():
                return self._gate.request(caller_name(caller))
            case Admin() | Person():
                return nullcontext(lambda _: None)
            case _:
                assert_never(caller)


def _agent_of(caller: Caller) -> str | None:
    """The agent whose telemetry it is; None of people, whose collectors send that of many."""
    match caller:
        case Acting(authority=authority):
            return authority.acting.agent
        case HarnessOf(agent=agent):
            return agent
        case Admin() | Person():
            return None
        case _:
            assert_never(caller)


def _bearer(header: bytes) -> str | None:
    scheme, _, token = header.decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


async def _body(receive: Receive, bytes_max: int) -> bytes | None:
    """The whole body; None where the client left. Raises `TelemetryRefused` beyond `bytes_max`."""
    data = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        data += message.get("body", b"")
        if len(data) > bytes_max:
            raise TelemetryRefused("otlp/bytes", f"an export has at most {bytes_max} bytes", status=413)
        if not message.get("more_body", False):
            return bytes(data)


def status_of(error: TelemetryRefused) -> bytes:
    """`error` as a `google.rpc.Status` in protobuf, whose one message it is."""
    text = f"{error.code}: {error}".encode()
    return _MESSAGE + bytes(_varint(len(text))) + text


async def _refuse(send: Send, kind: str, error: TelemetryRefused) -> None:
    if kind == _PROTOBUF:
        data = status_of(error)
    else:
        kind, data = _JSON, orjson.dumps({"code": error.status, "error": error.code, "message": str(error)})
    await _send(send, error.status, data, kind, error.retry_s)


async def _send(send: Send, status: int, data: bytes, kind: str, retry_s: int | None = None) -> None:
    headers = [(b"content-type", kind.encode("latin-1")), (b"content-length", b"%d" % len(data))]
    if retry_s is not None:
        headers.append((b"retry-after", b"%d" % retry_s))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


def _varint(value: int) -> Iterator[int]:
    while value > 127:
        yield value & 127 | 128
        value >>= 7
    yield value
