"""`/otlp/v1/traces`: telemetry taken in, as exporters send it (OTLP/HTTP). Raw ASGI: bodies are not JSON alone.

A bearer is asked for: of an agent, a harness, a user, or the admin token, as collectors send it. What the token of an
agent, or of its harness, sends is told apart, so that a stranger cannot spend what an agent may add, nor speak in its
name.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias, assert_never

import orjson

from remit.api.authenticator import Acting, Admin, Caller, HarnessOf, Person
from remit.ports.signer import TokenInvalid
from remit.ports.telemetry import MalformedTelemetry, Receiver, Sent

PATH: Final = "/otlp/v1/traces"
_JSON: Final = b"application/json"
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class TelemetryPages:
    """A raw ASGI application for the one path. `body_bytes_max` bounds what is sent, before it is unpacked."""

    def __init__(self, receiver: Receiver, caller: Callable[[str | None], Caller], body_bytes_max: int) -> None:
        self._receiver = receiver
        self._caller = caller
        self._body_bytes_max = body_bytes_max

    @staticmethod
    def serves(path: str) -> bool:
        """Whether `path` is the one."""
        return path == PATH

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one export in."""
        if scope["method"] != "POST":
            await _refuse(send, 405, "otlp/method", "traces are sent with POST")
            return
        heads: dict[bytes, bytes] = dict(scope["headers"])
        try:
            if sum(name == b"authorization" for name, _ in scope["headers"]) > 1:
                raise MalformedTelemetry("otlp/authorization", "one Authorization header names who sends an export")
            caller = self._caller(_bearer(heads.get(b"authorization", b"")))
            body = await _body(receive, self._body_bytes_max)
            if body is None:
                return
            kind = heads.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
            encoding = heads.get(b"content-encoding", b"").strip().lower().decode("latin-1")
            answered = await self._receiver.receive(Sent(kind, encoding, body, _agent_of(caller)))
        except TokenInvalid as error:
            await _refuse(send, 401, f"token/{error.cause.value}", str(error))
        except MalformedTelemetry as error:
            await _refuse(send, error.status, error.code, str(error))
        else:
            await _send(send, 200, answered, kind.encode("latin-1"))


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
    """The whole body; None where the client left. Raises `MalformedTelemetry` beyond `bytes_max`."""
    data = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        data += message.get("body", b"")
        if len(data) > bytes_max:
            raise MalformedTelemetry("otlp/bytes", f"an export has at most {bytes_max} bytes", status=413)
        if not message.get("more_body", False):
            return bytes(data)


async def _refuse(send: Send, status: int, code: str, why: str) -> None:
    await _send(send, status, orjson.dumps({"code": status, "error": code, "message": why}), _JSON)


async def _send(send: Send, status: int, data: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(data)).encode("ascii"))]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})
