"""MCP of 2024-11-05 to 2025-11-25: connections opened by `initialize`, answers as event streams.

A disconnect is no cancellation in this era: the call goes on, its outcome is recorded, and a client that
comes back with `Last-Event-ID` gets the rest of its stream; `notifications/cancelled` ends a call.
JSON-RPC errors travel as HTTP 200.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import orjson

from remit.facts.canonical import Json
from remit.facts.capability import asked_of_clients
from remit.pep.answer import Awaiting, AwaitingInput, Client, Underway
from remit.pep.mcp import rpc
from remit.pep.mcp.asgi import STREAM, answer, finish
from remit.pep.mcp.asks import Ask, ListOffers, ReadResource
from remit.pep.mcp.client_requests import MARGIN_S, ResponseFate
from remit.pep.mcp.clients import Wishes, client_of, level_of, reason_of
from remit.pep.mcp.connection_subscriptions import ConnectionSubscriptions, TooManyResources
from remit.pep.mcp.connections import Connection, Connections, Crowded
from remit.pep.mcp.dispatcher import Dispatcher, Incomplete, ProtocolAnswer, denied, protocol_answer
from remit.pep.mcp.envelope import NOTHING, Malformed, Notification, Request, Response
from remit.pep.mcp.event_stream import Ends, Replayed, stand
from remit.pep.mcp.notices import LEVELS, token_of
from remit.pep.mcp.pending_response import COMMENT, PendingResponse, ReplyBody, Resumable
from remit.pep.mcp.post import Post
from remit.pep.mcp.refusals import RpcError, not_now
from remit.pep.mcp.replay import Replays, Stream
from remit.pep.mcp.upstream_watches import URIS_MAX, Listener
from remit.pep.questions import may_be_asked
from remit.pep.throttle import Busy, Throttle
from remit.ports.system import Clock, Entropy
from remit.ports.upstream import Era

VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""The first is that of clients over pipes (`remit mcp`) that know no later one and take none."""
PRIMED: Final = frozenset({"2025-11-25"})
"""Versions whose clients take an event without data, which opens a stream that can be come back for."""
SESSION: Final = b"mcp-session-id"
LEVEL: Final = "info"
"""The logs of a client that never said which it wants; the specification leaves it to the server."""
_PAUSE_S: Final = 0.25
_NO_CONNECTION: Final = "unknown or ended mcp-session-id: initialize again"


class Handshake:
    """Answers this era's requests."""

    def __init__(self, dispatcher: Dispatcher, throttle: Throttle, clock: Clock, entropy: Entropy) -> None:
        self._dispatcher = dispatcher
        self._throttle = throttle
        self._clock = clock
        self._replays = Replays(entropy)
        watches = dispatcher.watches

        def hears(server: str | None) -> ConnectionSubscriptions:
            return ConnectionSubscriptions(watches, exposed=server is None)

        self._connections = Connections(clock, entropy, hears, self._replays.forget)

    async def handle(self, post: Post, message: Request | Notification | Response) -> None:
        """Answer one POSTed message."""
        if isinstance(message, Request) and message.method == "initialize":
            await self._initialize(post, message)
            return
        connection = await self._connection(post)
        if connection is None:
            return
        match message:
            case Notification(method, params):
                if method == "notifications/cancelled":
                    ident = params.get("requestId")
                    if isinstance(ident, str | int):
                        connection.cancel(ident)
                await answer(post.send, 202)
            case Response(ident, result):
                if connection.questions.answer(ident, result) is ResponseFate.UNASKED:
                    await _refuse(post, 400, "nothing was asked under that id")
                else:
                    await answer(post.send, 202)
            case Request():
                await self._dispatch(post, connection, message)

    async def listen(self, post: Post) -> None:
        """Answer a GET: with the rest of a stream that broke off, or with the standing one. Raises `Busy`."""
        connection = await self._connection(post)
        if connection is None:
            return
        if not post.may_stream:
            await _refuse(post, 406, "this stream is text/event-stream only")
            return
        last = post.head.text(b"last-event-id")
        if last is not None:
            await self._resume(post, connection, last)
            return
        if connection.streaming:
            await _refuse(post, 409, "this session has a standing stream already")
            return
        with self._throttle.stream(post.authority.acting.agent) as closing:
            connection.streaming = True
            try:
                await self._stand(post, connection, closing)
            finally:
                connection.streaming = False

    async def delete(self, post: Post) -> None:
        """End a connection."""
        connection = await self._connection(post)
        if connection is not None:
            self._connections.close(connection)
            await answer(post.send, 204)

    async def _initialize(self, post: Post, request: Request) -> None:
        wanted = request.params.get("protocolVersion")
        if not isinstance(wanted, str):
            text = "params.protocolVersion must be a string"
            await answer(post.send, 200, rpc.error(request.ident, rpc.INVALID_PARAMS, text))
            return
        version = wanted if wanted in VERSIONS else VERSIONS[-1]
        capabilities_declared = request.params.get("capabilities")
        capabilities = asked_of_clients(capabilities_declared)
        try:
            connection = self._connections.open(post.authority, post.server, version, capabilities)
        except Crowded:
            await _refuse(post, 503, "too many open connections: end one and try again")
            return
        connection.level = LEVEL
        extra = (SESSION, connection.ident.encode("ascii"))
        exchange = PendingResponse(post.send, extra, may_stream=post.may_stream, prefer_stream=True)
        await exchange.run(self._introduce(post, connection, request), None)

    async def _introduce(self, post: Post, connection: Connection, request: Request) -> ReplyBody:
        introduction = await self._dispatcher.introduced(post, self._client(post, connection, request, None))
        value: dict[str, Json] = {
            "protocolVersion": connection.version,
            "capabilities": introduction.capabilities,
            "serverInfo": rpc.SERVER_INFO,
        }
        if introduction.instructions is not None:
            value["instructions"] = introduction.instructions
        return ReplyBody(rpc.result(request.ident, orjson.dumps(value)))

    async def _dispatch(self, post: Post, connection: Connection, request: Request) -> None:
        why = denied(request.method, Era.INITIALIZE)
        if why is not None:
            await _say(post, rpc.error(request.ident, rpc.METHOD_NOT_FOUND, why))
            return
        if request.ident in connection.running:
            await _say(post, rpc.error(request.ident, rpc.INVALID_REQUEST, "a request with this id is in flight"))
            return
        match request.method:
            case "ping":
                await _say(post, rpc.result(request.ident, b"{}"))
            case "logging/setLevel":
                await _say(post, _set_level(connection, request))
            case "resources/unsubscribe":
                await _say(post, self._unsubscribe(post, connection, request))
            case _:
                opens = partial(self._replays.open, connection.ident, post.authority.acting.agent)
                resumable = Resumable(opens, self._replays.close, connection.version in PRIMED)
                exchange = PendingResponse(
                    post.send, may_stream=post.may_stream, prefer_stream=True, resumable=resumable
                )
                await exchange.run(self._running(post, connection, request, exchange), None)

    async def _running(
        self, post: Post, connection: Connection, request: Request, exchange: PendingResponse
    ) -> ReplyBody:
        task = asyncio.current_task()
        assert task is not None, "a request is answered inside a task"  # noqa: S101
        ident = request.ident
        connection.running[ident] = task
        try:
            if request.method == "resources/subscribe":
                result = await self._subscribe(post, connection, request)
            else:
                result = await self._govern(post, connection, request, exchange)
        except asyncio.CancelledError:
            if ident not in connection.cancelled:
                raise
            task.uncancel()
            result = RpcError(rpc.REQUEST_CANCELLED, "the request was cancelled")
        finally:
            connection.running.pop(ident, None)
            connection.cancelled.discard(ident)
        if isinstance(result, RpcError):
            return ReplyBody(rpc.error(ident, result.code, result.text, result.data))
        return ReplyBody(rpc.result(ident, result))

    async def _govern(
        self, post: Post, connection: Connection, request: Request, exchange: PendingResponse
    ) -> bytes | RpcError:
        ask = self._dispatcher.asks.read(request, post.server)
        if isinstance(ask, Malformed):
            return RpcError(ask.code, ask.text)
        client = self._client(post, connection, request, exchange if post.may_stream else None)
        answer = await self._dispatcher.put(post, client, ask)
        if isinstance(answer, Awaiting):
            answer = protocol_answer(ask, answer, Era.INITIALIZE)
        while isinstance(answer, AwaitingInput):
            answer = await self._ask_client(post, connection, ask, client, exchange, answer)
        assert not isinstance(answer, Underway), "no client of this era takes tasks"  # noqa: S101
        if isinstance(answer, RpcError) and answer.addresses:
            exposed = partial(connection.subscriptions.elicitations.exposed_question, ask.server or "")
            return replace(answer, data={"elicitations": [exposed(question).params for question in answer.addresses]})
        if isinstance(ask, ListOffers) and not isinstance(answer, RpcError):
            connection.subscriptions.read(ask.offer)
        return rpc.with_meta(answer.result, answer.meta) if isinstance(answer, Incomplete) else answer

    async def _ask_client(
        self,
        post: Post,
        connection: Connection,
        ask: Ask,
        client: Client,
        exchange: PendingResponse,
        asking: AwaitingInput,
    ) -> ProtocolAnswer | AwaitingInput | Underway:
        """What the driver says once the client has answered the questions of `client_requests`."""
        driver = self._dispatcher.driver
        may = {
            key: connection.subscriptions.elicitations.exposed_question(ask.server or "", question)
            for key, question in asking.questions.items()
            if may_be_asked(connection.capabilities, question)
        }
        wait_s = (asking.expires_ms - self._clock.now_ms()) / 1000 - MARGIN_S
        responses: Mapping[str, Json] = {}
        try:
            if exchange.may_stream:
                abandonment = exchange.abandoned(post.receive)
                responses = await connection.questions.ask(may, exchange.say, wait_s, asking.completion, abandonment)
            answer = await driver.resume(post.authority, client, asking.round, responses)
            while isinstance(answer, Awaiting):
                # No client of this era could come back for a round that stays open while people decide.
                if self._clock.now_ms() >= asking.expires_ms:
                    driver.forsake(post.authority, asking.round)
                else:
                    await asyncio.sleep(_PAUSE_S)
                answer = await driver.resume(post.authority, client, asking.round, NOTHING)
        except asyncio.CancelledError:
            driver.forsake(post.authority, asking.round)
            raise
        return answer if isinstance(answer, AwaitingInput | Underway) else protocol_answer(ask, answer, Era.INITIALIZE)

    async def _subscribe(self, post: Post, connection: Connection, request: Request) -> bytes | RpcError:
        resource = self._dispatcher.asks.uri(request.params.get("uri"), post.server)
        if not isinstance(resource, ReadResource):
            return RpcError(rpc.INVALID_PARAMS, resource)
        listener = self._listener(post, connection)
        try:
            may = await connection.subscriptions.subscribe(listener, resource.server, resource.uri)
        except TooManyResources:
            return RpcError(rpc.INVALID_PARAMS, f"more than {URIS_MAX} resources are followed on no one connection")
        except Busy as busy:
            return not_now(busy)
        if not may:
            return RpcError(rpc.REFUSED, "Remit did not allow this subscription: the resource may not be read")
        return b"{}"

    def _unsubscribe(self, post: Post, connection: Connection, request: Request) -> bytes:
        resource = self._dispatcher.asks.uri(request.params.get("uri"), post.server)
        if not isinstance(resource, ReadResource):
            return rpc.error(request.ident, rpc.INVALID_PARAMS, resource)
        connection.subscriptions.unsubscribe(resource.server, resource.uri)
        return rpc.result(request.ident, b"{}")

    async def _stand(self, post: Post, connection: Connection, closing: asyncio.Event) -> None:
        subscriptions = connection.subscriptions
        try:
            subscriptions.stand(self._listener(post, connection))
            await stand(post, subscriptions.changes, self._ends(post, connection, closing))
        finally:
            subscriptions.rest()

    def _listener(self, post: Post, connection: Connection) -> Listener:
        client = Client(Era.INITIALIZE, connection.capabilities, trace=post.account.traceparent)
        return Listener(post.authority, client, post.server)

    async def _resume(self, post: Post, connection: Connection, last: str) -> None:
        replayed = self._replays.find(connection.ident, last)
        if replayed is None or replayed[0].after(replayed[1]) is None:
            await _refuse(post, 400, "the Last-Event-ID is of no stream that this session can take up again")
            return
        stream, number = replayed
        with self._throttle.stream(post.authority.acting.agent) as closing:
            source = Replayed(stream, number)
            opening = _opening(connection, stream, number)
            try:
                await stand(post, source, self._ends(post, connection, closing), opening=opening)
            finally:
                stream.leave(source)

    def _ends(self, post: Post, connection: Connection, closing: asyncio.Event) -> Ends:
        return Ends(closing, connection.closed, partial(self._dispatcher.driver.authorization.stopped, post.authority))

    def _client(self, post: Post, connection: Connection, request: Request, exchange: PendingResponse | None) -> Client:
        meta = request.params.get("_meta")
        members = meta if isinstance(meta, Mapping) else NOTHING
        return client_of(
            Era.INITIALIZE,
            connection.capabilities,
            Wishes(token_of(members), connection.level, reason_of(members)),
            None if exchange is None else exchange.say,
            post,
        )

    async def _connection(self, post: Post) -> Connection | None:
        """The connection that `post` names; answers it and returns None when there is none."""
        version = post.head.text(b"mcp-protocol-version")
        if version is not None and version not in VERSIONS:
            text = f"unsupported mcp-protocol-version; served: {', '.join(VERSIONS)}"
            await _refuse(post, 400, text)
            return None
        ident = post.head.text(SESSION)
        if ident is None:
            await _refuse(post, 400, "the mcp-session-id header is missing: initialize first")
            return None
        connection = self._connections.find(ident, post.authority, post.server)
        if connection is None:
            await _refuse(post, 404, _NO_CONNECTION)
        return connection


def _opening(connection: Connection, stream: Stream, number: int) -> bytes:
    return stream.opening(number) if connection.version in PRIMED else COMMENT


def _set_level(connection: Connection, request: Request) -> bytes:
    level = level_of(request.params.get("level"))
    if level is None:
        return rpc.error(request.ident, rpc.INVALID_PARAMS, f"params.level must be one of {', '.join(LEVELS)}")
    connection.level = level
    return rpc.result(request.ident, b"{}")


async def _say(post: Post, body: bytes) -> None:
    if post.may_stream:
        await post.send({"type": "http.response.start", "status": 200, "headers": [*STREAM]})
        await finish(post.send, rpc.event(body))
    else:
        await answer(post.send, 200, body)


async def _refuse(post: Post, status: int, text: str) -> None:
    await answer(post.send, status, rpc.error(None, rpc.INVALID_REQUEST, text))
