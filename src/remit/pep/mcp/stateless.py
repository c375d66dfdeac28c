"""MCP of 2026-07-28: every POST stands alone and says twice, in headers and body, what it is.

Both must agree, since what stands before us may route by the headers alone. Errors of the
envelope travel as HTTP 400, an unknown method as 404.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

import orjson

from remit.facts.canonical import Json
from remit.pep.driver import Driver
from remit.pep.mcp import rpc
from remit.pep.mcp.envelope import Malformed, Notification, Request, ToolCall, tool_call
from remit.pep.mcp.exchange import Exchange
from remit.pep.mcp.post import Post, called, tools_of, unknown_method
from remit.pep.mcp.wire import Heads, answer
from remit.ports.upstream import Era

VERSION: Final = Era.STATELESS.value
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"
LIST_TTL_MS: Final = 5_000
_NAMED: Final[Mapping[str, str]] = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
}
_FRESH: Final = b',"ttlMs":%d,"cacheScope":"private"}' % LIST_TTL_MS
_DISCOVERED: Final = rpc.stateless(
    orjson.dumps({"supportedVersions": [VERSION], "capabilities": {"tools": {}}})[:-1] + _FRESH
)


class Stateless:
    """Answers the POSTs of this era through `driver`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def handle(self, post: Post, message: Request | Notification) -> None:
        """Answer one message on `post`."""
        match message:
            case Notification():
                refused = _version(post.head.text(b"mcp-protocol-version"))
                if refused is None:
                    await answer(post.send, 202)
                else:
                    await _refuse(post, refused, None)
            case Request():
                refused = _disagreement(post.head, message)
                if refused is None:
                    await self._dispatch(post, message)
                else:
                    await _refuse(post, refused, message.ident)

    async def _dispatch(self, post: Post, request: Request) -> None:
        match request.method:
            case "tools/call":
                call = tool_call(request)
                if isinstance(call, Malformed):
                    await _refuse(post, (call.code, call.text, None), request.ident)
                    return
                exchange = Exchange(post.send, may_stream=post.may_stream)
                await exchange.run(self._call(post, request, call), post.receive)
            case "tools/list":
                tools = tools_of(self._driver, post)
                value = rpc.stateless(b'{"tools":' + tools + _FRESH)
                await answer(post.send, 200, rpc.result(request.ident, value))
            case "server/discover":
                await answer(post.send, 200, rpc.result(request.ident, _DISCOVERED))
            case method:
                body = rpc.error(request.ident, rpc.METHOD_NOT_FOUND, unknown_method(method))
                await answer(post.send, 404, body)

    async def _call(self, post: Post, request: Request, call: ToolCall) -> bytes:
        value = await called(self._driver, post, Era.STATELESS, call)
        return rpc.result(request.ident, rpc.stateless(value))


_Refusal = tuple[int, str, Json]


async def _refuse(post: Post, refusal: _Refusal, ident: rpc.Ident | None) -> None:
    code, text, data = refusal
    await answer(post.send, 400, rpc.error(ident, code, text, data))


def _disagreement(head: Heads, request: Request) -> _Refusal | None:
    meta = request.params.get("_meta")
    if not isinstance(meta, Mapping):
        return rpc.INVALID_PARAMS, "params._meta must be an object with the protocol's keys", None
    for key in (VERSION_KEY, CAPABILITIES_KEY):
        if key not in meta:
            return rpc.INVALID_PARAMS, f"params._meta lacks {key}", None
    if not isinstance(meta[CAPABILITIES_KEY], Mapping):
        return rpc.INVALID_PARAMS, f"params._meta {CAPABILITIES_KEY} must be an object", None
    version = head.text(b"mcp-protocol-version")
    if version is None or version != meta[VERSION_KEY]:
        return _mismatch("mcp-protocol-version", "the protocol version")
    if head.text(b"mcp-method") != request.method:
        return _mismatch("mcp-method", "the method")
    key = _NAMED.get(request.method)
    if key is not None and key in request.params:
        name = _plain(head.text(b"mcp-name"))
        if name is None or name != request.params[key]:
            return _mismatch("mcp-name", f"params.{key}")
    return _version(version)


def _mismatch(header: str, what: str) -> _Refusal:
    return rpc.HEADER_MISMATCH, f"the {header} header and {what} in the body differ", None


def _version(requested: str | None) -> _Refusal | None:
    if requested == VERSION:
        return None
    data: Json = {"supported": [VERSION], "requested": requested or ""}
    return rpc.UNSUPPORTED_VERSION, "this protocol version is not served", data


def _plain(value: str | None) -> str | None:
    """A header's text; `=?base64?…?=` carries UTF-8 that a header cannot."""
    if value is None or not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    payload = value[9:-2]
    try:
        decoded = base64.b64decode(payload, validate=True)
        if base64.b64encode(decoded).decode("ascii") != payload:
            return None
        return decoded.decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
