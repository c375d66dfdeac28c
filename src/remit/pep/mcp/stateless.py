"""MCP of 2026-07-28: every POST stands alone and says twice, in headers and body, what it is.

Both must agree, since what stands before us may route by the headers alone. Errors of the envelope travel
as HTTP 400, an unknown method as 404. What a server asks back travels as an answer (`input_required`), and
the client's responses as a request made anew with the `requestState` of that answer.
"""

from collections.abc import Mapping
from typing import Final

import orjson

from remit.facts.canonical import Json
from remit.facts.capability import of_stateless_clients
from remit.pep.answer import Awaiting, AwaitingInput, Client, Underway
from remit.pep.mcp import refusals, rpc, tasks
from remit.pep.mcp.asgi import answer
from remit.pep.mcp.asks import Ask, CallTool, Complete, GetPrompt, ListOffers, ReadResource
from remit.pep.mcp.clients import Wishes, client_of, level_of, reason_of
from remit.pep.mcp.dispatcher import Dispatcher, Incomplete, ProtocolAnswer, denied, protocol_answer
from remit.pep.mcp.envelope import NOTHING, Malformed, Notification, Request, Response
from remit.pep.mcp.header_validation import CAPABILITIES_KEY, disagreement, served_version
from remit.pep.mcp.notices import token_of
from remit.pep.mcp.pending_response import PendingResponse, ReplyBody
from remit.pep.mcp.post import Post
from remit.pep.mcp.refusals import RpcError
from remit.pep.mcp.request_state import NO_ROUND, RequestStates, Round, StateRefused, request_key
from remit.pep.mcp.subscriptions_listen import subscribe
from remit.pep.mcp.tasks import TaskMethods
from remit.pep.questions import may_be_asked
from remit.pep.throttle import Throttle
from remit.ports.upstream import Era, Question

VERSION: Final = Era.STATELESS.value
LOG_LEVEL_KEY: Final = "io.modelcontextprotocol/logLevel"
LIST_TTL_MS: Final = 5_000
_FRESH: Final = b',"ttlMs":%d,"cacheScope":"private"}' % LIST_TTL_MS
_STALE: Final = b',"ttlMs":0,"cacheScope":"private"}'
"""What was read may be read again only by asking: whether it may is decided each time. Nor is half a list kept."""
_ROUNDS: Final = CallTool | ReadResource | GetPrompt
_NOTHING_ASKED: Final[Mapping[str, Json]] = {"type": "object", "properties": {}}


class Stateless:
    """Answers the POSTs of this era."""

    def __init__(self, dispatcher: Dispatcher, rounds: RequestStates, tasks: TaskMethods, throttle: Throttle) -> None:
        self._dispatcher = dispatcher
        self._rounds = rounds
        self._tasks = tasks
        self._throttle = throttle

    async def handle(self, post: Post, message: Request | Notification | Response) -> None:
        """Answer one message on `post`."""
        match message:
            case Notification():
                wrong = served_version(post.head.text(b"mcp-protocol-version"))
                if wrong is None:
                    await answer(post.send, 202)
                else:
                    await _refuse(post, wrong, None)
            case Response():
                text = "responses are not posted in this era: send inputResponses with the request made anew"
                await _refuse(post, RpcError(rpc.INVALID_REQUEST, text), None)
            case Request():
                wrong = disagreement(post.head, message)
                if wrong is None:
                    await self._dispatch(post, message)
                else:
                    await _refuse(post, wrong, message.ident)

    async def _dispatch(self, post: Post, request: Request) -> None:
        why = denied(request.method, Era.STATELESS)
        if why is not None:
            await _refuse(post, RpcError(rpc.METHOD_NOT_FOUND, why), request.ident)
            return
        exchange = PendingResponse(post.send, may_stream=post.may_stream)
        match request.method:
            case "server/discover":
                await exchange.run(self._discover(post, request), post.receive)
            case "subscriptions/listen":
                client = self._client(post, request, None)
                wrong = await subscribe(self._dispatcher, self._tasks, self._throttle, post, request, client)
                if wrong is not None:
                    await _refuse(post, wrong, request.ident)
            case method if method in tasks.METHODS:
                client = self._client(post, request, None)
                await exchange.run(self._tasks.reply(post, request, client), post.receive)
            case _:
                ask = self._dispatcher.asks.read(request, post.server)
                if isinstance(ask, Malformed):
                    await _refuse(post, RpcError(ask.code, ask.text), request.ident)
                    return
                wrong = self._dispatcher.mirrors_agree(post.authority, ask, post.head.params)
                if wrong is not None:
                    await _refuse(post, RpcError(rpc.HEADER_MISMATCH, wrong), request.ident)
                    return
                await exchange.run(self._govern(post, request, ask, exchange), post.receive)

    async def _discover(self, post: Post, request: Request) -> ReplyBody:
        introduction = await self._dispatcher.introduced(post, self._client(post, request, None))
        value: dict[str, Json] = {"supportedVersions": [VERSION], "capabilities": introduction.capabilities}
        if introduction.instructions is not None:
            value["instructions"] = introduction.instructions
        return ReplyBody(rpc.result(request.ident, rpc.stateless(orjson.dumps(value), _FRESH)))

    async def _govern(self, post: Post, request: Request, ask: Ask, exchange: PendingResponse) -> ReplyBody:
        client = self._client(post, request, exchange if post.may_stream else None)
        resumption = self._round_of(post, request, ask)
        if isinstance(resumption, RpcError):
            return _reply(request, ask, resumption)
        round_, responses = resumption
        waited = round_ is not None and round_.ident == NO_ROUND
        if round_ is None or waited:
            responses = NOTHING if waited else responses
            first = await self._dispatcher.put(post, client, ask)
            if isinstance(first, Underway):
                return self._tasks.begun(post, request, first)
            if isinstance(first, Awaiting):
                return self._pending(post, request, ask, client, first, waited=waited)
            if not isinstance(first, AwaitingInput):
                return _reply(request, ask, first)
            round_ = Round(first.round, first.action, first.approval, _key(request, ask), first.expires_ms)
            if not responses.keys() & first.questions.keys():
                return self._ask_back(post, request, round_, client, first)
            # The client answered before it was asked, as a server without memory would have it.
        answer = await self._dispatcher.driver.resume(post.authority, client, round_.ident, responses)
        if isinstance(answer, Awaiting):
            # The round stays open while people decide: the client comes back for it.
            return _input_required(request, {}, self._rounds.seal(round_, post.authority))
        if isinstance(answer, AwaitingInput):
            round_ = Round(answer.round, answer.action, answer.approval, round_.request, answer.expires_ms)
            return self._ask_back(post, request, round_, client, answer)
        if isinstance(answer, Underway):
            return self._tasks.begun(post, request, answer)
        return _reply(request, ask, protocol_answer(ask, answer, Era.STATELESS))

    def _pending(
        self, post: Post, request: Request, ask: Ask, client: Client, awaiting: Awaiting, *, waited: bool
    ) -> ReplyBody:
        """People decide: a client that can show something shows it once, and comes back for what they said.

        Whatever it answers counts for nothing: the action is decided anew, and runs only if people lifted its gates.
        """
        question = Question(
            "elicitation/create", {"message": refusals.waiting(awaiting), "requestedSchema": _NOTHING_ASKED}
        )
        if not may_be_asked(client.capabilities, question):
            return _reply(request, ask, protocol_answer(ask, awaiting, Era.STATELESS))
        round_ = self._rounds.waiting(awaiting.ref, _key(request, ask))
        remit_request: dict[str, Json] = {"remit": {"method": question.method, "params": question.params}}
        return _input_required(request, {} if waited else remit_request, self._rounds.seal(round_, post.authority))

    def _ask_back(
        self, post: Post, request: Request, round_: Round, client: Client, asking: AwaitingInput
    ) -> ReplyBody:
        questions = {
            key: {"method": question.method, "params": question.params}
            for key, question in asking.questions.items()
            if may_be_asked(client.capabilities, question)
        }
        return _input_required(request, questions, self._rounds.seal(round_, post.authority))

    def _round_of(self, post: Post, request: Request, ask: Ask) -> tuple[Round | None, Mapping[str, Json]] | RpcError:
        """The round that `request` goes on with, if it does, and the responses that it brings."""
        state = request.params.get("requestState")
        responses = request.params.get("inputResponses", NOTHING)
        if not isinstance(responses, Mapping) or not all(
            isinstance(response, Mapping) for response in responses.values()
        ):
            return RpcError(rpc.INVALID_PARAMS, "params.inputResponses must be an object of results by question")
        if state is None or not isinstance(ask, _ROUNDS):
            return None, responses
        if not isinstance(state, str):
            return RpcError(rpc.INVALID_PARAMS, "params.requestState must be a text")
        try:
            return self._rounds.open(state, post.authority, _key(request, ask)), responses
        except StateRefused as error:
            return RpcError(rpc.INVALID_PARAMS, str(error))

    def _client(self, post: Post, request: Request, exchange: PendingResponse | None) -> Client:
        # Both were found to be objects where headers and body were compared.
        meta = request.params["_meta"]
        assert isinstance(meta, Mapping), "an envelope without _meta is refused"  # noqa: S101
        wishes = Wishes(token_of(meta), level_of(meta.get(LOG_LEVEL_KEY)), reason_of(meta))
        return client_of(
            Era.STATELESS,
            of_stateless_clients(meta[CAPABILITIES_KEY]),
            wishes,
            None if exchange is None else exchange.say,
            post,
        )


def _reply(request: Request, ask: Ask, reply: ProtocolAnswer) -> ReplyBody:
    match reply:
        case RpcError(code, text, data):
            return ReplyBody(rpc.error(request.ident, code, text, data), rpc.STATUS.get(code, 200))
        case Incomplete(result):
            return ReplyBody(rpc.result(request.ident, rpc.stateless(result, _STALE, reply.meta)))
        case _:
            return ReplyBody(rpc.result(request.ident, rpc.stateless(reply, _tail(ask))))


def _input_required(request: Request, questions: Mapping[str, Json], state: str) -> ReplyBody:
    members: dict[str, Json] = {"resultType": "input_required", "_meta": {rpc.SERVER_INFO_KEY: rpc.SERVER_INFO}}
    if questions:
        members["inputRequests"] = questions
    members["requestState"] = state
    return ReplyBody(rpc.result(request.ident, orjson.dumps(members)))


def _key(request: Request, ask: Ask) -> str:
    match ask:
        case CallTool(server, name, _, arguments) | GetPrompt(server, name, _, arguments):
            return request_key(request.method, server.encode(), name.encode(), arguments)
        case ReadResource(server, uri):
            return request_key(request.method, server.encode(), uri.encode())
        case _:
            return request_key(request.method)


def _tail(ask: Ask) -> bytes:
    match ask:
        case ListOffers():
            return _FRESH
        case ReadResource():
            return _STALE
        case CallTool() | GetPrompt() | Complete():
            return b"}"


async def _refuse(post: Post, wrong: RpcError, ident: rpc.Ident | None) -> None:
    await answer(post.send, rpc.STATUS.get(wrong.code, 200), rpc.error(ident, wrong.code, wrong.text, wrong.data))
