"""JSON-RPC 2.0 as bytes: error codes of both eras, and responses written by concatenation."""

from collections.abc import Mapping
from typing import Final, TypeAlias

import orjson

from remit import __version__
from remit.facts.canonical import Json

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022
REQUEST_CANCELLED: Final = -32800
BUSY: Final = -32000
"""A limit was met (of the range that JSON-RPC leaves to servers)."""
REFUSED: Final = -32003
"""Remit did not allow it; tool calls are told so in a tool result."""
PENDING: Final = -32004
"""People decide it."""
STATUS: Final[Mapping[int, int]] = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    METHOD_NOT_FOUND: 404,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}
"""The HTTP status of an error of 2026-07-28; of the others 200."""

Ident: TypeAlias = str | int

SERVER_INFO: Final[Mapping[str, Json]] = {"name": "remit", "version": __version__}
SERVER_INFO_KEY: Final = "io.modelcontextprotocol/serverInfo"


def _head(meta: Mapping[str, Json]) -> bytes:
    return b'{"resultType":"complete","_meta":' + orjson.dumps({SERVER_INFO_KEY: SERVER_INFO, **meta}) + b","


STATELESS_HEAD: Final = _head({})


def result(ident: Ident, value: bytes) -> bytes:
    """The response to `ident` holding `value`, a JSON object."""
    return b'{"jsonrpc":"2.0","id":' + orjson.dumps(ident) + b',"result":' + value + b"}"


def error(ident: Ident | None, code: int, message: str, data: Json = None) -> bytes:
    """The error response to `ident`; `message` is one sentence of ours."""
    body: dict[str, Json] = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return orjson.dumps({"jsonrpc": "2.0", "id": ident, "error": body})


def stateless(value: bytes, tail: bytes = b"}", meta: Mapping[str, Json] | None = None) -> bytes:
    """`value`, a JSON object with at least one member, as a 2026-07-28 result; `tail` closes it."""
    return (STATELESS_HEAD if meta is None else _head(meta)) + value[1:-1] + tail


def with_meta(value: bytes, meta: Mapping[str, Json]) -> bytes:
    """`value`, a JSON object with at least one member, as a result of an earlier era that has a `_meta`."""
    return value[:-1] + b',"_meta":' + orjson.dumps(meta) + b"}"


def event(body: bytes) -> bytes:
    """`body`, which holds no raw line break, as one server-sent event."""
    return b"event: message\ndata: " + body + b"\n\n"
