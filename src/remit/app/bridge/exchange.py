"""One request of the client's, from its POST to its answer.

Laws: what a stream carries beside the answer is passed on as it comes; the first answer ends it.
A stream of the `initialize` era that breaks is read on from its last event id (MCP 2025-11-25,
transports). A request is sent once: whatever fails after that is told, never tried again.
"""

import http.client
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

import orjson

from remit.adapters.upstreams.sse import Decoder
from remit.app.bridge.message import Ask, Ident, Object, is_answer, on_one_line, parse_object
from remit.app.bridge.wire import ANSWER_BYTES_MAX, UNKNOWN, Call, CallEnded, ServiceEndpoint
from remit.app.terminal.failure import CommandFailure, Exit
from remit.facts.text import escaped

SESSION: Final = "mcp-session-id"
RETRY_MS: Final = 1_000
RETRY_MS_MAX: Final = 10_000
RESUMES_MAX: Final = 8
UNREACHED_MAX: Final = 2
_STREAM: Final = "text/event-stream"
_SHOWN_MAX: Final = 500


class SessionGone(Exception):
    """The service does not know the session (any more), and did nothing."""


@dataclass(frozen=True, slots=True)
class BridgeResponse:
    """The JSON-RPC response to a request, on one line, and the session that it opened."""

    raw: bytes
    value: Object
    session: str | None = None


class BridgeExchange:
    """The request `ask` under way. `hear` gets every other message, on one line."""

    def __init__(self, place: ServiceEndpoint, ask: Ask, hear: Callable[[bytes], None]) -> None:
        self.ask = ask
        self.given_up = threading.Event()
        """The client waits no longer: no answer is passed on."""
        self._place = place
        self._hear = hear
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._call: Call | None = None

    def run(self, headers: Mapping[str, str]) -> BridgeResponse:
        """The answer to it, sent with `headers`. Raises `CommandFailure`, `SessionGone` and `wire.Ended`."""
        call = self._next_call()
        try:
            if self.given_up.is_set():
                raise CallEnded
            all_headers = {**headers, "accept": f"application/json, {_STREAM}", "content-type": "application/json"}
            response = call.send("POST", all_headers, self.ask.raw)
            if response.status != 200 or _kind(response) != _STREAM:
                return self._single(response, call.body(response), gone=SESSION in headers)
            decoder = Decoder(ANSWER_BYTES_MAX)
            answer = self._read_stream(call, response, decoder)
        finally:
            call.close()
        return answer or self._resume(headers, decoder)

    def end(self) -> None:
        """Close the connection it is on, from any thread: `run` raises `wire.Ended`."""
        with self._lock:
            self._ended.set()
            if self._call is not None:
                self._call.end()

    def _next_call(self) -> Call:
        call = Call(self._place)
        with self._lock:
            self._call = call
            if self._ended.is_set():
                call.end()
        return call

    def _read_stream(self, call: Call, response: http.client.HTTPResponse, decoder: Decoder) -> BridgeResponse | None:
        opened = response.getheader(SESSION)
        for event in call.events(response, decoder):
            value = parse_object(event.data)
            if value is None:
                continue
            if is_answer(value, self.ask.ident):
                return BridgeResponse(on_one_line(event.data), value, opened)
            if "method" in value:
                self._hear(on_one_line(event.data))
        return None

    def _resume(self, headers: Mapping[str, str], decoder: Decoder) -> BridgeResponse:
        """Read on by GET where the stream ended early, as often as its event ids allow."""
        unreached = 0
        for _ in range(RESUMES_MAX if self.ask.version is None else 0):
            if not decoder.ident or unreached > UNREACHED_MAX:
                break
            self._ended.wait(min(RETRY_MS if decoder.retry_ms is None else decoder.retry_ms, RETRY_MS_MAX) / 1000)
            decoder = resumed_decoder(decoder)
            call = self._next_call()
            try:
                response = call.send("GET", {**headers, "accept": _STREAM, "last-event-id": decoder.ident})
                if response.status != 200 or _kind(response) != _STREAM:
                    break
                answer = self._read_stream(call, response, decoder)
            except CommandFailure:
                # What becomes of the request is not known: that, and not this, is what there is to tell.
                unreached += 1
                continue
            finally:
                call.close()
            if answer is not None:
                return answer
        raise CommandFailure(
            "the service ended the stream without an answer",
            why=UNKNOWN,
            next="remit logs, once it answers: remit doctor",
            exit=Exit.UNREACHABLE,
        )

    def _single(self, response: http.client.HTTPResponse, body: bytes, *, gone: bool) -> BridgeResponse:
        value = parse_object(body) or {}
        if response.status == 404 and gone and self.ask.version is None:
            raise SessionGone
        if response.status == 200 and is_answer(value, self.ask.ident):
            return BridgeResponse(on_one_line(body), value, response.getheader(SESSION))
        # What the service says of the token is told in the relay's own words: the file it reads is renewed.
        named = response.status != 401 and isinstance(value.get("error"), Mapping)
        if named and value.get("id") in {None, self.ask.ident}:
            answer = {**value, "id": self.ask.ident}
            return BridgeResponse(orjson.dumps(answer), answer)
        raise refusal_of(response.status, value)


def resumed_decoder(decoder: Decoder) -> Decoder:
    """A decoder for the stream that goes on where the one of `decoder` broke off."""
    following = Decoder(ANSWER_BYTES_MAX)
    following.ident, following.retry_ms = decoder.ident, decoder.retry_ms
    return following


def refusal_of(status: int, body: Object) -> CommandFailure:
    """What an HTTP answer that answers no request says, in what, why and next."""
    data = _inner(_inner(body, "error"), "data")
    if data:
        body = {**data, "error": data.get("reason")}

    def member(*names: str) -> str:
        texts = (body.get(name) for name in names)
        return next((escaped(text, chars_max=_SHOWN_MAX) for text in texts if isinstance(text, str)), "")

    why, following = member("error_description", "why"), member("next")
    if 300 <= status < 400:
        return CommandFailure(
            f"the address redirects (HTTP {status}), which is never followed",
            next="name the final address with --url",
            exit=Exit.UNREACHABLE,
        )
    if status == 401:
        return CommandFailure(
            "the service does not accept the token",
            why=why,
            next=following or "remit token agent NAME",
            exit=Exit.FORBIDDEN,
        )
    code = member("error", "title")
    what = f"the service refused the request (HTTP {status}{f', {code}' if code else ''})"
    return CommandFailure(what, why=why, next=following or "remit doctor", exit=Exit.NEGATIVE)


def _inner(body: Object, name: str) -> Object:
    value = body.get(name)
    return cast("Object", value) if isinstance(value, Mapping) else {}


def failure(ident: Ident | None, code: int, problem: CommandFailure) -> bytes:
    """`problem` as the JSON-RPC error that answers `ident`."""
    parts = (problem.what, f": {problem.why}" if problem.why else "", f". Next: {problem.next}" if problem.next else "")
    text = escaped("".join(parts))
    data = {"what": problem.what, "why": problem.why, "next": problem.next}
    return orjson.dumps({"jsonrpc": "2.0", "id": ident, "error": {"code": code, "message": text, "data": data}})


def _kind(response: http.client.HTTPResponse) -> str:
    return (response.getheader("content-type") or "").partition(";")[0].strip().lower()
