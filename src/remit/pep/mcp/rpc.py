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
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022
REQUEST_CANCELLED: Final = -32800
BUSY: Final = -32000
"""A limit was met (of the range that JSON-RPC leaves to servers)."""

Ident: TypeAlias = str | int

SERVER_INFO: Final[Mapping[str, Json]] = {"name": "remit", "version": __version__}
STATELESS_HEAD: Final = (
    b'{"resultType":"complete","_meta":{"io.modelcontextprotocol/serverInfo":' + orjson.dumps(SERVER_INFO) + b"},"
)


def result(ident: Ident, value: bytes) -> bytes:
    """The response to `ident` holding `value`, a JSON object."""
    return b'{"jsonrpc":"2.0","id":' + orjson.dumps(ident) + b',"result":' + value + b"}"


def error(ident: Ident | None, code: int, message: str, data: Json = None) -> bytes:
    """The error response to `ident`; `message` is one sentence of ours."""
    body: dict[str, Json] = {"code": code, "message": message}
    if data is not None:
        body["data"] = data
    return orjson.dumps({"jsonrpc": "2.0", "id": ident, "error": body})


def stateless(value: bytes) -> bytes:
    """`value`, a JSON object with at least one member, as a 2026-07-28 result."""
    return STATELESS_HEAD + value[1:]


def event(body: bytes) -> bytes:
    """`body`, which holds no raw line break, as one server-sent event."""
    return b"event: message\ndata: " + body + b"\n\n"
