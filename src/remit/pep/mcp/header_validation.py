"""What a request of 2026-07-28 says twice, in its headers and its body, and must say alike.

Specification: Streamable HTTP, "Request Metadata" and "Server Validation".
"""

from collections.abc import Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.facts.header_mirror import NAMED, decoded
from remit.pep.mcp import rpc
from remit.pep.mcp.asgi import Heads
from remit.pep.mcp.envelope import Request
from remit.pep.mcp.refusals import RpcError
from remit.ports.upstream import Era

VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY: Final = "io.modelcontextprotocol/clientCapabilities"


def disagreement(head: Heads, request: Request) -> RpcError | None:
    """What is wrong with the envelope of `request`, or None."""
    meta = request.params.get("_meta")
    if not isinstance(meta, Mapping):
        return RpcError(rpc.INVALID_PARAMS, "params._meta must be an object with the protocol's keys")
    for key in (VERSION_KEY, CAPABILITIES_KEY):
        if key not in meta:
            return RpcError(rpc.INVALID_PARAMS, f"params._meta lacks {key}")
    if not isinstance(meta[CAPABILITIES_KEY], Mapping):
        return RpcError(rpc.INVALID_PARAMS, f"params._meta {CAPABILITIES_KEY} must be an object")
    version = head.text(b"mcp-protocol-version")
    if version is None or version != meta[VERSION_KEY]:
        return _mismatch("mcp-protocol-version", "the protocol version")
    if head.text(b"mcp-method") != request.method:
        return _mismatch("mcp-method", "the method")
    key = NAMED.get(request.method)
    if key is not None and key in request.params:
        header_name = head.text(b"mcp-name")
        name = None if header_name is None else decoded(header_name)
        if name is None or name != request.params[key]:
            return _mismatch("mcp-name", f"params.{key}")
    return served_version(version)


def served_version(requested: str | None) -> RpcError | None:
    """An error unless `requested` is the version of this era."""
    if requested == Era.STATELESS.value:
        return None
    data: Json = {"supported": [Era.STATELESS.value], "requested": requested or ""}
    return RpcError(rpc.UNSUPPORTED_VERSION, "this protocol version is not served", data)


def _mismatch(header: str, problem: str) -> RpcError:
    return RpcError(rpc.HEADER_MISMATCH, f"the {header} header and {problem} in the body differ")
