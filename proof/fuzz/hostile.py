"""The server behind: it answers in every way that a server can, few of them right. Both eras, over raw sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import orjson

from proof.fuzz.hostile_streams import StandingEvents
from proof.fuzz.laws import NEVER
from remit.facts.canonical import canonical

if TYPE_CHECKING:
    from random import Random

    from proof.fuzz.laws import Laws

STATELESS: Final = "2026-07-28"
SECRET: Final = NEVER.decode()
TOOLS: Final[list[Any]] = [
    {
        "name": name,
        "description": f"{name}s",
        "title": SECRET,
        "_meta": {"x": SECRET},
        "inputSchema": {
            "type": "object",
            "properties": {"text": {"type": "string"}, "count": {"type": "integer"}},
            "required": ["text"],
        },
    }
    for name in ("do", "undo")
]
ASKING_S: Final = 0.5
_EFFECTS: Final = frozenset({"tools/call", "resources/read", "prompts/get", "completion/complete"})


class Hostile:
    """One upstream on a port of its own. `eras`: whether it speaks 2026-07-28, or is opened by `initialize`."""

    def __init__(self, laws: Laws, random: Random, *, stateless: bool) -> None:
        self._laws = laws
        self._random = random
        self._stateless = stateless
        self._marks = 0 if stateless else 1
        self._sessions = 0
        self._standing = StandingEvents(random)
        self._asking: dict[str, tuple[str, asyncio.Event]] = {}
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What a client that is gone is written fails in one way or another.
        with contextlib.suppress(OSError, RuntimeError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._one(reader, writer):
                pass
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        named = fields.get("mcp-session-id", "")
        session = int(named) if named.isdigit() else 0
        if head.startswith("GET") and session and self._random.random() < 0.95:
            await self._standing.stand(session, writer)
            return False
        if not head.startswith("POST"):
            writer.write(b"HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n")
            return True
        message = orjson.loads(body)
        if "id" not in message or "method" not in message:
            self._replied(message.get("id"), body)
            writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            return True
        return await self._answer(message, session, writer)

    async def _answer(self, message: Mapping[str, Any], session: int, writer: asyncio.StreamWriter) -> bool:
        method, ident = message["method"], message["id"]
        plain = self._plain(method)
        if plain is not None:
            self._sessions += method == "initialize"
            head = b"mcp-session-id: %d\r\n" % self._sessions if method == "initialize" else b""
            await _json(writer, {"jsonrpc": "2.0", "id": ident, "result": plain}, head)
            return True
        params: Any = message.get("params") or {}
        if method == "subscriptions/listen" and self._stateless:
            return await self._standing.listen(ident, params, writer)
        if method == "resources/subscribe" and not self._stateless:
            self._standing.uris.append(params.get("uri"))
        if method not in _EFFECTS:
            known = self._list(method)
            found: Any = {"error": {"code": -32601, "message": "no"}} if known is None else {"result": known}
            await _json(writer, {"jsonrpc": "2.0", "id": ident, **found})
            return True
        self._marks += 2
        mark = f"mark{self._marks}mark"
        again = "inputResponses" in params or "requestState" in params
        self._laws.reached(_arguments(method, params), self._marks, again=again)
        if session:
            self._laws.within(session, _arguments(method, params))
        if again:
            asked = str(params.get("requestState")).removeprefix(f"{SECRET}-")
            self._laws.replied(asked, orjson.dumps(params.get("inputResponses")))
        return await self._odd(method, ident, params, mark, writer)

    def _replied(self, ident: Any, body: bytes) -> None:
        mark, answered = self._asking.pop(ident, ("", None)) if isinstance(ident, str) else ("", None)
        if answered is not None:
            self._laws.replied(mark, body)
            answered.set()

    def _plain(self, method: str) -> Any:
        info = {"name": SECRET, "version": SECRET}
        match method:
            case "server/discover" if self._stateless:
                changes = {"listChanged": True}
                capabilities = {"tools": changes, "resources": changes | {"subscribe": True}, "prompts": changes}
                return {
                    "supportedVersions": [STATELESS],
                    "capabilities": capabilities | {"logging": {}},
                    "_meta": {"io.modelcontextprotocol/serverInfo": info},
                }
            case "initialize" if not self._stateless:
                changes = {"listChanged": True}
                capabilities: Any = {"tools": changes, "resources": changes | {"subscribe": True}, "prompts": changes}
                capabilities |= {"logging": {}}
                return {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info}
            case "tools/list":
                return {"tools": TOOLS, "_meta": {"x": SECRET}}
            case "ping":
                return {}
            case _:
                return None

    def _list(self, method: str) -> Any:
        match method:
            case "resources/subscribe" | "resources/unsubscribe" if not self._stateless:
                return {}
            case "resources/list":
                return {"resources": [{"uri": "file:///a", "name": "a", "_meta": {"x": SECRET}}]}
            case "prompts/list":
                return {"prompts": [{"name": "greet", "icons": [{"src": SECRET}]}]}
            case _:
                return None

    async def _odd(self, method: str, ident: Any, params: Any, mark: str, writer: asyncio.StreamWriter) -> bool:
        answer = {"jsonrpc": "2.0", "id": ident, "result": _result(method, mark)}
        events: list[Any] = [answer]
        meta: Any = params.get("_meta") or {}
        token = meta.get("progressToken")
        for _ in range(self._random.choice((0, 0, 0, 1, 3))):
            events.insert(0, self._aside(ident, token, mark))
        match self._random.randrange(18):
            case 0 | 1 | 2 | 3:
                await _json(writer, answer)
            case 4 | 5 | 6:
                await self._stream(writer, events)
            case 7:
                await self._stream(writer, [*events, answer, {**answer, "result": _result(method, SECRET)}])
            case 8:
                await self._stream(writer, [{**answer, "id": 999_999, "result": _result(method, SECRET)}, *events])
            case 9:
                await _json(writer, {"jsonrpc": "2.0", "id": ident, "error": {"code": -32000, "message": f"no {mark}"}})
            case 10:
                await self._raw(writer, self._broken(orjson.dumps(answer)))
            case 11:
                writer.write(b"HTTP/1.1 500 No\r\ncontent-length: %d\r\n\r\n%s" % (len(mark), mark.encode()))
                await writer.drain()
            case 12:
                self._standing.addresses.append(mark)
                self._laws.refuses(_arguments(method, params))
                await _json(writer, {"jsonrpc": "2.0", "id": ident, "error": _address(mark)})
            case 13 | 14 | 15 | 16 if self._stateless:
                asks: Any = {key: self._question(mark) for key in self._random.choice(("q", "q", "qr"))}
                again = {"resultType": "input_required", "inputRequests": asks, "requestState": f"{SECRET}-{mark}"}
                await _json(writer, {**answer, "result": again})
            case 13 | 14 | 15 | 16:
                await self._ask(writer, answer, mark)
            case _:
                writer.close()
                return False
        return True

    def _aside(self, ident: Any, token: Any, mark: str) -> Any:
        return self._random.choice(
            (
                _notice("progress", {"progressToken": token, "progress": 1, "message": mark}),
                _notice("progress", {"progressToken": "another", "progress": 1, "message": SECRET}),
                _notice("message", {"level": "error", "data": mark}),
                _notice("unheard/of", {"x": SECRET}),
                {"jsonrpc": "2.0", "id": 7, **self._question(mark)},
                {"jsonrpc": "2.0", "id": 8, "method": "shell/run", "params": {"x": SECRET}},
                {"jsonrpc": "2.0", "id": ident, "x": SECRET},
            )
        )

    def _question(self, mark: str) -> Any:
        """Something to ask the client: of each kind, well or badly."""
        method = self._random.choice((*_QUESTIONS, "elicitation/create", "elicitation/create"))
        return {"method": method, "params": self._random.choice(_QUESTIONS[method])(mark)}

    async def _ask(self, writer: asyncio.StreamWriter, answer: Any, mark: str) -> None:
        """Ask in mid-call, in the way of `initialize`, and answer once that is answered, or before."""
        count = self._random.choice((1, 1, 2))
        idents = [f"{mark}-{number}" for number in range(count)]
        answered = [asyncio.Event() for _ in idents]
        self._asking |= {ident: (mark, done) for ident, done in zip(idents, answered, strict=True)}
        self._standing.addresses.append(mark)
        events = [{"jsonrpc": "2.0", "id": one, **self._question(mark)} for one in idents]
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for event in (*events, answer):
            if event is answer and self._random.random() < 0.9:
                waits = [asyncio.ensure_future(one.wait()) for one in answered]
                await asyncio.wait(waits, timeout=ASKING_S)
                for wait in waits:
                    wait.cancel()
            part = b"data: " + orjson.dumps(event) + b"\n\n"
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _broken(self, data: bytes) -> bytes:
        at = self._random.randrange(len(data))
        return self._random.choice((data[:at], data[:at] + b"\xff" + data[at:], data[at:], data[::-1], b"[" + data))

    async def _stream(self, writer: asyncio.StreamWriter, events: list[Any]) -> None:
        end = self._random.choice((b"\n\n", b"\r\n\r\n", b"\r\r"))
        line = end[: len(end) // 2]
        data = b"".join(b": x" + end + b"data: " + orjson.dumps(event) + line + b"id: 1" + end for event in events)
        await self._raw(writer, data, b"text/event-stream")

    async def _raw(self, writer: asyncio.StreamWriter, data: bytes, kind: bytes = b"application/json") -> None:
        """`data` in chunks that are cut anywhere; at times at every byte."""
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\ntransfer-encoding: chunked\r\n\r\n")
        step: Callable[[], int] = self._random.choice(
            (lambda: 1, lambda: self._random.randrange(1, 40), lambda: max(1, len(data)))
        )
        at = 0
        while at < len(data):
            size = step()
            part = data[at : at + size]
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
            at += size
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _arguments(method: str, params: Mapping[str, Any]) -> bytes:
    """What the intent of this request holds."""
    given = {name: value for name, value in params.items() if name not in {"_meta", "inputResponses", "requestState"}}
    match method:
        case "tools/call":
            return canonical(given.get("arguments", {}))
        case "prompts/get":
            return canonical(given.get("arguments", {}))
        case _:
            return canonical(given)


def _result(method: str, text: str) -> Any:
    match method:
        case "tools/call":
            return {"content": [{"type": "text", "text": text, "_meta": {"x": SECRET}}], "_meta": {"x": SECRET}}
        case "resources/read":
            return {"contents": [{"uri": "file:///a", "text": text}], "x": SECRET}
        case "prompts/get":
            return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}
        case _:
            return {"completion": {"values": [text]}}


def _form(mark: str) -> Any:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    return {"message": mark, "requestedSchema": schema, "_meta": {"x": SECRET}}


def _url(mark: str) -> Any:
    return {"mode": "url", "message": mark, "url": f"https://{mark}.example/", "elicitationId": mark, "x": SECRET}


def _address(mark: str) -> Any:
    return {"code": -32042, "message": mark, "data": {"elicitations": [_url(mark)], "x": SECRET}}


def _sample(mark: str) -> Any:
    said = {"role": "user", "content": {"type": "text", "text": mark}}
    return {"messages": [said], "maxTokens": 5, "metadata": {"x": SECRET}, "_meta": {"x": SECRET}}


def _deep(mark: str) -> Any:
    deep: Any = mark
    for _ in range(200):
        deep = [deep]
    return {"message": mark, "requestedSchema": deep, "messages": deep}


_QUESTIONS: Final[Mapping[str, tuple[Callable[[str], Any], ...]]] = {
    "elicitation/create": (_form, _form, _form, _url, _url, _deep),
    "sampling/createMessage": (_sample, _sample, _sample, _deep),
    "roots/list": (lambda _: {"_meta": {"x": SECRET}},),
}


def _notice(name: str, params: Any) -> Any:
    return {"jsonrpc": "2.0", "method": f"notifications/{name}", "params": params}


async def _json(writer: asyncio.StreamWriter, value: Any, head: bytes = b"") -> None:
    data = orjson.dumps(value)
    kind = b"content-type: application/json\r\n"
    writer.write(b"HTTP/1.1 200 OK\r\n%s%scontent-length: %d\r\n\r\n" % (head, kind, len(data)) + data)
    await writer.drain()
