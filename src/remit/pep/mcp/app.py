"""The ASGI application of the MCP enforcement point: `/mcp` and `/mcp/{server}`.

Laws, in order: the Host and Origin headers are checked even on loopback (a page in a browser is
no agent); the bearer is verified before a byte of the body is read; the body is read once, under
its limit, and parsed once; then the era answers. Nothing here logs a header or a body.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import quote

import orjson

from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.facts.limits import DEFAULT, Limits
from remit.pep.driver import Driver
from remit.pep.mcp import refusals, rpc
from remit.pep.mcp.asgi import (
    ClientGone,
    Heads,
    Receive,
    Scope,
    Send,
    TooLarge,
    accepts,
    answer,
    heads,
    read_body,
    too_busy,
)
from remit.pep.mcp.dispatcher import Dispatcher
from remit.pep.mcp.envelope import Malformed, Notification, Request, Response, read
from remit.pep.mcp.handshake import VERSIONS, Handshake
from remit.pep.mcp.header_validation import VERSION_KEY
from remit.pep.mcp.post import Post
from remit.pep.mcp.request_state import RequestStates
from remit.pep.mcp.stateless import Stateless
from remit.pep.mcp.tasks import TaskMethods
from remit.pep.request_context import context_of
from remit.pep.throttle import Busy, Throttle
from remit.policy.verdict import Code
from remit.ports.signer import TokenInvalid
from remit.ports.system import Clock, Entropy

PATH: Final = "/mcp"
METADATA: Final = "/.well-known/oauth-protected-resource"

Authenticate: TypeAlias = Callable[[str | None], Authority]
"""The authority that a bearer token carries; raises `TokenInvalid`, also for None."""


@dataclass(frozen=True, slots=True)
class McpEndpoint:
    """Where the enforcement point stands.

    `resource`: its public address, `http://127.0.0.1:7070`, the audience of its tokens. `hosts`
    and `origins`: values of the Host and Origin headers that are answered, lower case.
    `authorization_servers`: issuers that its metadata names (RFC 9728).
    """

    resource: str
    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()
    limits: Limits = DEFAULT
    authorization_servers: tuple[str, ...] = ()


class McpApp:
    """A raw ASGI application; mount it for every path that `serves` says it answers."""

    def __init__(
        self,
        driver: Driver,
        authenticate: Authenticate,
        edge: McpEndpoint,
        clock: Clock,
        entropy: Entropy,
        throttle: Throttle | None = None,
    ) -> None:
        self._driver = driver
        self._authenticate = authenticate
        self._edge = edge
        self._throttle = throttle or Throttle(edge.limits, clock)
        dispatcher = Dispatcher(driver, self._throttle)
        self._stateless = Stateless(
            dispatcher, RequestStates(clock, entropy), TaskMethods(driver, entropy), self._throttle
        )
        self._handshake = Handshake(dispatcher, self._throttle, clock, entropy)

    @staticmethod
    def serves(path: str) -> bool:
        """Whether `path` belongs to this application."""
        return path.startswith((PATH, METADATA)) and (
            path in {PATH, METADATA} or path.startswith((f"{PATH}/", f"{METADATA}/"))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        head = heads(scope["headers"])
        path: str = scope["path"]
        refused = self._stranger(head)
        if refused is not None:
            await _refuse(send, *refused)
        elif not path.isascii() or not path.isprintable():
            # No name of ours has such a character, and no header takes it.
            await _refuse(send, 404, "path/unknown", "there is nothing at this path")
        elif path.startswith(METADATA):
            await self._metadata(scope, path, send)
        else:
            await self._endpoint(scope, head, receive, send)

    def _stranger(self, head: Heads) -> tuple[int, str, str] | None:
        if head.repeated is not None:
            name = head.repeated.decode("latin-1")
            return 400, "header/repeated", f"the {name} header appears more than once"
        host = head.text(b"host")
        if host is None or host.lower() not in self._edge.hosts:
            return 421, "host/unknown", "this service does not answer to that Host"
        origin = head.text(b"origin")
        if origin is not None and origin.lower() not in self._edge.origins:
            return 403, "origin/unknown", "this service does not answer to that Origin"
        return None

    async def _endpoint(self, scope: Scope, head: Heads, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        try:
            authority = self._authenticate(_bearer(head))
        except TokenInvalid as error:
            await self._challenge(path, head, send, str(error))
            return
        server = path[len(PATH) + 1 :] or None
        if server is not None and not self._driver.knows(server):
            text = "no server of that name in the running bundle: remit get servers"
            await _refuse(send, 404, Code.UNKNOWN_SERVER.value, text)
            return
        takes_json, takes_stream = accepts(head)
        account = context_of(scope)
        account.agent = authority.acting.agent
        try:
            with self._throttle.request(authority.acting.agent) as request:
                post = Post(authority, server, head, receive, send, takes_stream, account, request.hold)
                await self._answer(scope["method"], post, takes_json=takes_json)
        except Busy as busy:
            await too_busy(send, busy)

    async def _answer(self, method: str, post: Post, *, takes_json: bool) -> None:
        match method:
            case "POST" if not takes_json:
                text = "the answer is application/json or text/event-stream: accept both"
                await _refuse(post.send, 406, "header/accept", text)
            case "POST":
                await self._post(post)
            case "GET" if _handshake_era(post.head):
                await self._handshake.listen(post)
            case "DELETE" if _handshake_era(post.head):
                await self._handshake.delete(post)
            case _:
                await answer(post.send, 405, b"", (b"allow", b"POST"))

    async def _post(self, post: Post) -> None:
        content = post.head.values.get(b"content-type", b"")
        if content.split(b";")[0].strip().lower() != b"application/json":
            await _refuse(post.send, 415, "header/content-type", "send application/json")
            return
        limits = self._edge.limits
        try:
            body = await read_body(post.receive, post.head, limits.body_bytes_max)
        except TooLarge:
            text = f"the body exceeds {limits.body_bytes_max} bytes (body_bytes_max)"
            await _refuse(post.send, 413, "body/too-large", text)
            return
        except ClientGone:
            return
        self._throttle.weigh(post.authority.acting.agent, body)
        message = read(body, limits)
        match message:
            case Malformed(code, text, ident):
                await answer(post.send, 400, rpc.error(ident, code, text))
            case Request() | Notification() | Response():
                if not isinstance(message, Response):
                    post.account.within(message.params.get("_meta"))
                if _stateless(post.head, message):
                    await self._stateless.handle(post, message)
                else:
                    await self._handshake.handle(post, message)

    async def _challenge(self, path: str, head: Heads, send: Send, why: str) -> None:
        fields = [f'resource_metadata="{self._edge.resource}{METADATA}{quote(path)}"']
        if b"authorization" in head.values:
            # What the token is wrong about is our own sentence; quotes would end the parameter.
            fields.append('error="invalid_token"')
            fields.append(f'error_description="{_quotable(why)}"')
        value = "Bearer " + ", ".join(fields)
        following = "ask for a token: remit token agent NAME"
        body = refusals.http(f"not authenticated: {why}; {following}", "invalid_token", why, following)
        await answer(send, 401, body, (b"www-authenticate", value.encode("latin-1")))

    async def _metadata(self, scope: Scope, path: str, send: Send) -> None:
        """RFC 9728: what a client needs to know to come back with a token."""
        if scope["method"] != "GET":
            await answer(send, 405, b"", (b"allow", b"GET"))
            return
        suffix = path[len(METADATA) :]
        if suffix and not (suffix == PATH or suffix.startswith(f"{PATH}/")):
            await _refuse(send, 404, "path/unknown", "no protected resource there")
            return
        value: dict[str, Json] = {
            "resource": self._edge.resource + suffix,
            "resource_name": "Remit",
            "bearer_methods_supported": ["header"],
        }
        if self._edge.authorization_servers:
            value["authorization_servers"] = list(self._edge.authorization_servers)
        await answer(send, 200, orjson.dumps(value))


def _bearer(head: Heads) -> str | None:
    header = head.text(b"authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _handshake_era(head: Heads) -> bool:
    version = head.text(b"mcp-protocol-version")
    return version is None or version in VERSIONS


def _stateless(head: Heads, message: Request | Notification | Response) -> bool:
    """Which era a POST is of: the header says it; without one, the body may."""
    version = head.text(b"mcp-protocol-version")
    if version is not None:
        return version not in VERSIONS
    if b"mcp-session-id" in head.values or isinstance(message, Response) or message.method == "initialize":
        return False
    meta = message.params.get("_meta")
    return isinstance(meta, Mapping) and VERSION_KEY in meta


def _quotable(text: str) -> str:
    return "".join(c for c in text if c.isascii() and c.isprintable() and c not in '"\\')[:200]


async def _refuse(send: Send, status: int, code: str, text: str) -> None:
    await answer(send, status, refusals.http(f"{code}: {text}", code, text))
