"""The tools that the hand-written servers share, and answers to what is the same on every wire.

A tool's name is its behaviour. `echo` answers with the arguments it got; `fails` says so itself;
`error` is a JSON-RPC error; `asks` wants input; `shapeless` answers with no content; the rest
misbehave on the wire in ways that each server spells out.
"""

import json
from typing import Any

BEHAVIOURS = (
    "echo", "fails", "error", "asks", "shapeless", "hang", "die", "half", "huge", "garbage", "wrong_id", "chatty",
    "slow", "changed", "forget", "redirect", "html", "gzip", "polling", "burst", "größe", "stubborn", "status",
    "crowded", "foreign",
)  # fmt: skip
MODERN = "2026-07-28"
OLD = "2025-11-25"
PAGE = 10


def tools(extra: list[Any]) -> list[Any]:
    """Every behaviour as a tool, then whatever a test wants listed besides."""
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return [{"name": name, "description": f"Does {name}.", "inputSchema": schema} for name in BEHAVIOURS] + extra


def foreign(ident: Any) -> bytes:
    """An answer whose text is Latin-1, which no reader of UTF-8 can read."""
    said = {"jsonrpc": "2.0", "id": ident, "result": {"content": [{"type": "text", "text": "caf\u00e9"}]}}
    return json.dumps(said, ensure_ascii=False).encode("latin-1")


def crowded(ident: Any) -> str:
    """A small answer of very many values, which is slow to read."""
    lists = ",".join(["[[[[]]]]"] * 200_000)
    return f'{{"jsonrpc":"2.0","id":{json.dumps(ident)},"result":{{"content":[],"structuredContent":[{lists}]}}}}'


def page(listed: list[Any], cursor: str | None) -> dict[str, Any]:
    """One page of `listed`."""
    start = int(cursor) if cursor else 0
    found: dict[str, Any] = {"tools": listed[start : start + PAGE]}
    if start + PAGE < len(listed):
        found["nextCursor"] = str(start + PAGE)
    return found


def answer(message: Any, eras: str, listed: list[Any]) -> dict[str, Any] | None:
    """The reply to what is no misbehaviour, as a JSON-RPC object; None for a notification.

    `eras` is `stateless`, `initialize` or `both`.
    """
    method, params = message.get("method"), message.get("params", {})
    if "id" not in message or method is None:
        return None
    modern = "io.modelcontextprotocol/protocolVersion" in params.get("_meta", {})
    if method == "initialize" and eras != "stateless":
        info = {"name": "hand", "version": "1"}
        return _result(message, {"protocolVersion": OLD, "capabilities": {"tools": {}}, "serverInfo": info})
    if method == "server/discover" and eras != "initialize":
        return _result(
            message, {"supportedVersions": [MODERN], "capabilities": {"tools": {}}, "resultType": "complete"}
        )
    if (eras == "stateless" and not modern) or (eras == "initialize" and modern):
        return _error(message, -32602, "not in this era")
    if method == "tools/list":
        return _result(message, page(listed, params.get("cursor")) | ({"resultType": "complete"} if modern else {}))
    if method != "tools/call":
        return _error(message, -32601, "no such method")
    return _called(message, params, modern=modern)


def _called(message: Any, params: Any, *, modern: bool) -> dict[str, Any]:
    name = params.get("name")
    era = {"resultType": "complete", "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "hand"}, "own": 1}}
    extra: dict[str, Any] = era if modern else {"_meta": {"own": 1}}
    if name == "error":
        return _error(message, -32050, "the upstream's own words")
    if name == "asks":
        return _result(message, {"resultType": "input_required", "inputRequests": {}})
    if name == "shapeless":
        return _result(message, {"content": "words"})
    text = json.dumps(params.get("arguments"), sort_keys=True)
    return _result(message, {"content": [{"type": "text", "text": text}], "isError": name == "fails", **extra})


def _result(message: Any, result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _error(message: Any, code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": text}}
