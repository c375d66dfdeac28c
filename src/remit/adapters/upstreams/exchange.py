"""One POST of streamable HTTP and the answer to it, as JSON or as an event stream, bounded.

Redirects are never followed, nothing is decompressed, cookies are not kept, and a body is refused
at the first byte above its limit.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDict
from yarl import URL

from remit.adapters.upstreams.address_guard import PrivateAddressError, guarded
from remit.adapters.upstreams.answer_room import AnswerRoom, NoRoomError
from remit.adapters.upstreams.failures import Unusable, garbage, no_room, too_large
from remit.adapters.upstreams.flood import Flood
from remit.adapters.upstreams.frames import (
    UPSTREAM_TEXT_CHARS_MAX,
    ErrorFrame,
    Message,
    Outcome,
    ResultFrame,
    answers,
    is_answer,
    is_overfull,
    parse,
    read,
)
from remit.adapters.upstreams.messages import Hearing
from remit.adapters.upstreams.presentation import SecretMask, credential_middleware
from remit.adapters.upstreams.pulse import Pulse
from remit.adapters.upstreams.sse import Decoder, EventTooLargeError
from remit.facts.limits import Limits
from remit.ports.credentials import Credential
from remit.ports.upstream import Failure

BASE_HEADERS: Final[Mapping[str, str]] = {
    "Accept": "application/json, text/event-stream",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
    "User-Agent": "remit",
}
SESSION_HEADER: Final = "mcp-session-id"
VERSION_HEADER: Final = "mcp-protocol-version"
STANDING_BYTES_MAX: Final = 512 * 1024
"""Of one event on a stream that stands for changes and questions: many do, and what they hold is counted for nobody."""
KEEPALIVE_S: Final = 4.0
"""Below the 5 s after which common servers drop an idle connection: a POST on one that is just
being dropped is lost, and whether it arrived is unknown."""
CONNECTIONS_MAX: Final = 1024
"""To one host and port: above what may be watched, so that calls always find one."""
ENDING_S: Final = 1.0
ENDINGS_MAX: Final = 64
UNASKED_MAX: Final = 10_000
BARREN_MAX: Final = 8
"""Resumed streams in a row that brought nothing, after which a call counts as lost."""
RETRY_MS: Final = 1000
RETRY_MS_MIN: Final = 10
RETRY_MS_MAX: Final = 10_000
_FORBIDDEN: Final = frozenset({401, 403})


def open_http_session(resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """The connection pool that every HTTP upstream of the process shares. Close it last.

    Call it on the running loop. `resolver` finds addresses of names, the system's own without one.
    """
    return aiohttp.ClientSession(
        connector=guarded(per_host_max=CONNECTIONS_MAX, keepalive_s=KEEPALIVE_S, inner=resolver),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=10.0, sock_read=None),
        auto_decompress=False,
        trust_env=False,
        read_bufsize=256 * 1024,
    )


class TooLargeError(Exception):
    """A body above `result_bytes_max`."""


class HttpExchange:
    """POSTs to one server's address. Timeouts are the caller's: it cancels."""

    def __init__(
        self,
        server: str,
        url: str,
        session: aiohttp.ClientSession,
        limits: Limits,
        pulse: Pulse,
        credential: Credential | None = None,
    ) -> None:
        self.server = server
        self._pulse = pulse
        self._url = URL(url)
        self._hiding = SecretMask()
        self._presenting = credential_middleware(self._url, credential, self._hiding)
        self._display_url = self._url.with_user(None).with_query(None)  # credentials may stand in either
        self._session = session
        self._bytes_max = limits.result_bytes_max
        self.strays = 0
        self._endings: set[asyncio.Task[None]] = set()

    async def ask(
        self, ident: int, body: bytes, headers: Mapping[str, str], hearing: Hearing, *, resume: bool = False
    ) -> Outcome:
        """POST the request `ident` and return what answers it; `hearing` gets what else comes.

        `resume` reads on by GET where an event stream with ids ends early (the `initialize` era).
        Never raises but on cancellation, which closes the stream.
        """
        waits = self._pulse.begins(hearing.open.get(ident))
        try:
            outcome = await self._post(ident, body, headers, hearing, resume=resume)
            if isinstance(outcome, ResultFrame) or outcome.status:
                self._pulse.heard()
            return outcome
        finally:
            self._pulse.ends(waits)

    async def _post(
        self, ident: int, body: bytes, headers: Mapping[str, str], hearing: Hearing, *, resume: bool
    ) -> Outcome:
        sent, holding = False, AnswerRoom(hearing.open.get(ident))
        try:
            response = await self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False, middlewares=self._presenting
            )
            sent = True  # whatever fails from here on, also in resuming, the request left
            if response.status != 200 or response.content_type != "text/event-stream":
                try:
                    return await self._single(ident, response, holding)
                finally:
                    response.release()
            outcome = await self._stream(ident, response, hearing, holding)
            if isinstance(outcome, Decoder):
                return await self._resume(ident, outcome, headers, hearing, holding) if resume else self._stream_ended()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as problem:
            return ErrorFrame(self._connection_failure("cannot be reached", problem, sent=sent))
        except Unusable as unusable:
            return ErrorFrame(unusable.failure)
        except (TooLargeError, EventTooLargeError):
            return ErrorFrame(too_large(self.server, self._bytes_max))
        except NoRoomError:
            return ErrorFrame(no_room(self.server))
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as problem:
            return ErrorFrame(self._connection_failure("broke off", problem, sent=True))
        return outcome

    async def close(self) -> None:
        """Give up on what is still being read to its end."""
        for ending in self._endings:
            ending.cancel()
        await asyncio.gather(*self._endings, return_exceptions=True)

    async def tell(self, method: str, body: bytes | None, headers: Mapping[str, str]) -> int:
        """Send what wants no answer; the HTTP status, 0 if it did not arrive."""
        try:
            async with self._session.request(
                method, self._url, data=body, headers=headers, allow_redirects=False, middlewares=self._presenting
            ) as response:
                return response.status
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError, Unusable):
            return 0

    async def _single(self, ident: int, response: aiohttp.ClientResponse, holding: AnswerRoom) -> Outcome:
        status = response.status
        if 300 <= status < 400:
            return ErrorFrame(self._redirect_failure(response), status)
        raw = self._hiding.hide(await self._body(response, holding))
        if is_overfull(raw):
            raise TooLargeError
        holding.whole(raw)
        encoding = response.headers.get("Content-Encoding", "identity")
        message = parse(raw) if response.content_type == "application/json" and encoding == "identity" else None
        if status != 200:
            return self._refusal(status, raw, message)
        if message is None:
            return ErrorFrame(garbage(self.server, "an answer that is neither JSON nor an event stream"), status)
        if is_answer(message) and (answers(message, ident) or (message.get("id") is None and "error" in message)):
            return read(self.server, raw, message, status, response.headers.get(SESSION_HEADER))
        self.strays += 1
        return ErrorFrame(garbage(self.server, "an answer to another request"), status)

    async def _body(self, response: aiohttp.ClientResponse, holding: AnswerRoom) -> bytes:
        announced = response.content_length
        if announced is not None:
            if announced > self._bytes_max:
                raise TooLargeError
            holding.grown(announced)
            return await response.read()
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.content.iter_any():
            size += len(chunk)
            if size > self._bytes_max:
                raise TooLargeError
            holding.grown(size)
            chunks.append(chunk)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def _stream(
        self,
        ident: int | None,
        response: aiohttp.ClientResponse,
        hearing: Hearing,
        holding: AnswerRoom,
        last: Decoder | None = None,
    ) -> Outcome | Decoder:
        """The answer in an event stream, or the decoder's state where it ended without one."""
        answered, flood = False, Flood(UNASKED_MAX)
        ear = None if ident is None else hearing.open.get(ident)
        stands = ident is None or (ear is not None and ear.watch is not None)
        decoder = Decoder(min(self._bytes_max, STANDING_BYTES_MAX) if stands else self._bytes_max)
        if last is not None:
            decoder.ident, decoder.retry_ms = last.ident, last.retry_ms
        session = response.headers.get(SESSION_HEADER)
        try:
            async for chunk in response.content.iter_any():
                for event in decoder.feed(chunk):
                    data = self._hiding.hide(event.data)
                    if is_overfull(data):
                        raise EventTooLargeError
                    holding.whole(data)
                    message = parse(data) if data else None
                    if message is not None and is_answer(message) and ident is not None and answers(message, ident):
                        answered = True
                        return read(self.server, data, message, 200, session)
                    if flood.more():
                        return ErrorFrame(garbage(self.server, "a flood of messages beside the answer"), 200)
                    if message is not None and "method" in message:
                        self._pulse.heard()
                        self.strays += not hearing.hear(message, ident)
                    elif event.data:
                        self.strays += 1
                holding.grown(decoder.held_bytes)
        except aiohttp.ClientPayloadError:
            if not decoder.ident:
                raise
        finally:
            if answered and len(self._endings) < ENDINGS_MAX:
                ending = asyncio.create_task(_read_to_end(response))
                self._endings.add(ending)
                ending.add_done_callback(self._endings.discard)
                ending.add_done_callback(lambda _: response.close())
            else:
                response.close()
        return decoder

    async def _resume(
        self, ident: int, last: Decoder, headers: Mapping[str, str], hearing: Hearing, holding: AnswerRoom
    ) -> Outcome:
        """Read on after an early end, as the event ids allow (MCP 2025-11-25, transports)."""
        barren = 0
        while last.ident and barren < BARREN_MAX:
            wait_ms = RETRY_MS if last.retry_ms is None else last.retry_ms
            await asyncio.sleep(max(RETRY_MS_MIN, min(wait_ms, RETRY_MS_MAX)) / 1000)
            outcome = await self._read_on(ident, last, headers, hearing, holding)
            if not isinstance(outcome, Decoder):
                return outcome
            barren = 0 if outcome.events else barren + 1
            last = outcome
        return self._stream_ended()

    async def listen(
        self, headers: Mapping[str, str], last: Decoder, hearing: Hearing, began: Callable[[], None]
    ) -> ErrorFrame | Decoder:
        """GET the session's standing stream from `last` on; the decoder where it ended. `began` is told when it does.

        Never raises but on cancellation, which closes the stream.
        """
        try:
            outcome = await self._read_on(None, last, headers, hearing, AnswerRoom(None), began)
        except Unusable as unusable:
            return ErrorFrame(unusable.failure)
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError, EventTooLargeError) as problem:
            return ErrorFrame(self._connection_failure("broke off", problem, sent=True))
        return outcome if isinstance(outcome, Decoder | ErrorFrame) else self._stream_ended()

    async def _read_on(
        self,
        ident: int | None,
        last: Decoder,
        headers: Mapping[str, str],
        hearing: Hearing,
        holding: AnswerRoom,
        began: Callable[[], None] = lambda: None,
    ) -> Outcome | Decoder:
        again = CIMultiDict(headers)
        again["Accept"] = "text/event-stream"
        if last.ident:
            again["Last-Event-ID"] = last.ident
        response = await self._session.get(
            self._url, headers=again, allow_redirects=False, middlewares=self._presenting
        )
        if response.status != 200 or response.content_type != "text/event-stream":
            response.close()
            return self._stream_ended(response.status)
        began()
        return await self._stream(ident, response, hearing, holding, last)

    def _stream_ended(self, status: int = 200) -> ErrorFrame:
        text = f"server {self.server!r} ended its stream without an answer"
        return ErrorFrame(Failure(cause="disconnected", text=text, sent=True), status)

    def _connection_failure(self, how: str, problem: Exception, *, sent: bool) -> Failure:
        if isinstance(problem, aiohttp.ClientConnectorError) and isinstance(problem.os_error, PrivateAddressError):
            text = (
                f"server {self.server!r} at {self._display_url} is not connected to: {problem.os_error}, which is not "
                "public; if that is meant, put `private: true` into its Server resource, then: remit apply"
            )
            return Failure(cause="private_address", text=text, sent=False)
        cause = "disconnected" if sent else "unreachable"
        detail = problem.strerror or type(problem).__name__ if isinstance(problem, OSError) else type(problem).__name__
        mend = "start what answers there, or correct `url` of its Server resource"
        text = f"server {self.server!r} at {self._display_url} {how} ({detail}); {mend}"
        return Failure(cause=cause, text=text, sent=sent)

    def _redirect_failure(self, response: aiohttp.ClientResponse) -> Failure:
        text = (
            f"server {self.server!r} redirects (HTTP {response.status}), which Remit never follows: "
            "put the final address into `url` of its Server resource, then: remit apply"
        )
        location = response.headers.get("Location", "").encode("utf-8", "backslashreplace")
        target = self._hiding.hide(location).decode("utf-8")[:UPSTREAM_TEXT_CHARS_MAX]
        return Failure(cause="redirected", text=text, sent=True, upstream_text=target or None)

    def _refusal(self, status: int, raw: bytes, message: Message | None) -> Outcome:
        if message is not None and isinstance(message.get("error"), Mapping):
            return read(self.server, raw, message, status)
        cause = "unauthorized" if status in _FORBIDDEN else "refused"
        theirs = raw[:UPSTREAM_TEXT_CHARS_MAX].decode("utf-8", "replace")
        text = f"server {self.server!r} answered with HTTP {status}"
        if status == 401:
            text += "; say in its Server resource what to show it (headers, oauth), then: remit apply"
        return ErrorFrame(Failure(cause=cause, text=text, sent=True, upstream_text=theirs or None), status)


async def _read_to_end(response: aiohttp.ClientResponse) -> None:
    """See an answered stream end, so that its connection can serve the next call."""
    with suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(ENDING_S):
            while await response.content.readany():
                pass
