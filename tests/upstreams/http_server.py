"""Hand-written HTTP servers in one process, at `/stateless`, `/initialize`, `/both` and the same `+sse`.

`http_server.py PORT_FILE` writes its port there. `GET /log` returns and forgets what was asked;
`PUT /notes` sets tools to list besides, or how a listing misbehaves. `+sse` answers by event streams.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import catalogue
from aiohttp import web

SESSION = "Mcp-Session-Id"
HUGE_BYTES = 50 * 1024 * 1024
log: list[Any] = []
notes: dict[str, Any] = {}
sessions: set[str] = set()
numbers = itertools.count()


async def post(request: web.Request) -> web.StreamResponse:
    eras, _, form = request.match_info["eras"].partition("+")
    eras = notes.get("eras", eras)
    raw = await request.read()
    message: Any = json.loads(raw)
    received = {name.lower(): value for name, value in request.headers.items()}
    assert request.transport is not None
    peer = request.transport.get_extra_info("peername")[1]
    log.append({"eras": eras, "raw": raw.decode(), "headers": received, "peer": peer})
    method = message.get("method")
    refused = refusal(eras, message, request)
    if refused is not None:
        return refused
    if "id" not in message or method is None:
        return web.Response(status=202)
    if method == "tools/list" and notes.pop("drop_once", False):
        return await die(message, request)
    if method == "tools/list" and notes.get("cursor"):
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": {"tools": [], "nextCursor": "7"}})
    name: Any = message["params"].get("name") if method == "tools/call" else None
    odd = await MISBEHAVIOUR[name](message, request) if name in MISBEHAVIOUR else None
    if odd is not None:
        return odd
    reply: Any = catalogue.answer(message, eras, catalogue.tools(notes.get("tools", [])))
    headers: dict[str, str] = {}
    if method == "initialize" and "result" in reply:
        headers[SESSION] = f"s{next(numbers)}"
        sessions.add(headers[SESSION])
    if form == "sse" or name in {"chatty", "changed"}:
        return await stream(request, message, reply, headers)
    return web.json_response(reply, status=400 if "error" in reply and is_modern(message) else 200, headers=headers)


def refusal(eras: str, message: Any, request: web.Request) -> web.Response | None:
    if notes.get("status"):
        return web.Response(status=notes["status"], text="busy")
    if eras == "initialize" and is_modern(message):
        # As the SDK's old servers answer a discover probe.
        error: Any = {
            "jsonrpc": "2.0",
            "id": "server-error",
            "error": {"code": -32600, "message": "Missing session"},
        }
        return web.json_response(error, status=400, headers={SESSION: "stillborn"})
    in_session = not is_modern(message) and message.get("method") != "initialize" and eras != "stateless"
    if in_session and request.headers.get(SESSION) not in sessions:
        return web.json_response({"jsonrpc": "2.0", "id": None, "error": {"code": -32600}}, status=404)
    return None


def is_modern(message: Any) -> bool:
    return "_meta" in message.get("params", {})


async def burst(_: Any, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    event = b'data: {"jsonrpc":"2.0","id":1,"method":"ping"}\n\n'
    for _number in range(200):
        await response.write(event * 100)
    return response


async def stream(request: web.Request, message: Any, reply: Any, headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **headers})
    await response.prepare(request)
    name: Any = message.get("params", {}).get("name")
    before: list[Any] = []
    if name == "chatty":
        before = [
            {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hey"}},
            {"jsonrpc": "2.0", "id": 1, "method": "ping"},
            {"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": {}},
            {"jsonrpc": "2.0", "id": message["id"] + 7, "result": {"content": []}},
        ]
    elif name == "changed":
        before = [{"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}]
    await response.write(b": hello\n\nid: 1\ndata:\n\n")
    for one in before:
        await response.write(f"event: message\r\ndata: {json.dumps(one)}\r\n\r\n".encode())
    await response.write(f"event: message\ndata: {json.dumps(reply)}\n\n".encode())
    return response


async def hang(message: Any, _: web.Request) -> web.StreamResponse | None:
    try:
        await asyncio.sleep(1000)
    except asyncio.CancelledError:
        log.append({"hung_up": message["id"]})
        raise


async def slow(_message: Any, _: web.Request) -> web.StreamResponse | None:
    await asyncio.sleep(0.3)


async def die(_: Any, request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half(_: Any, request: web.Request) -> web.StreamResponse:
    transport = request.transport
    assert isinstance(transport, asyncio.Transport)
    transport.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{"jsonrpc":')
    transport.close()
    return web.Response()


async def garbage(_message: Any, _: web.Request) -> web.StreamResponse:
    return web.Response(body=b"{nonsense", content_type="application/json")


async def foreign(message: Any, _: web.Request) -> web.StreamResponse:
    return web.Response(body=catalogue.foreign(message["id"]), content_type="application/json")


async def wrong_id(message: Any, _: web.Request) -> web.StreamResponse:
    reply = catalogue.answer(message, "both", []) or {}
    return web.json_response(reply | {"id": str(message["id"])})


async def forget(_message: Any, _: web.Request) -> web.StreamResponse | None:
    sessions.clear()


async def redirect(_message: Any, _: web.Request) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": "/both"})


async def html(_message: Any, _: web.Request) -> web.StreamResponse:
    return web.Response(text="<p>{}</p>", content_type="text/html")


async def gzip(message: Any, _: web.Request) -> web.StreamResponse:
    response = web.json_response(catalogue.answer(message, "both", []))
    response.enable_compression(web.ContentCoding.gzip)
    return response


async def polling(message: Any, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(f"retry: 10\nid: call-{message['id']}\ndata:\n\n".encode())
    return response


async def status(_message: Any, _: web.Request) -> web.StreamResponse:
    return web.Response(status=503, text="try later")


async def huge(_: Any, request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    block = b" " * (1024 * 1024)
    for sent in range(HUGE_BYTES // len(block)):
        log.append({"huge_mib": sent})
        await response.write(block)
    return response


async def crowded(message: Any, request: web.Request) -> web.StreamResponse:
    said = catalogue.crowded(message["id"])
    if "mcp-session-id" in request.headers:
        return web.Response(text=f"data: {said}\n\n", content_type="text/event-stream")
    return web.Response(text=said, content_type="application/json")


MISBEHAVIOUR: dict[str, Callable[[Any, web.Request], Awaitable[web.StreamResponse | None]]] = {
    "burst": burst,
    "hang": hang,
    "slow": slow,
    "die": die,
    "half": half,
    "huge": huge,
    "crowded": crowded,
    "garbage": garbage,
    "foreign": foreign,
    "wrong_id": wrong_id,
    "forget": forget,
    "redirect": redirect,
    "html": html,
    "gzip": gzip,
    "polling": polling,
    "status": status,
}
"""What comes before the answer, or instead of it."""


async def get(request: web.Request) -> web.StreamResponse:
    """Resume a `polling` call, in the second try only."""
    last = request.headers["Last-Event-ID"]
    log.append({"resumed": last})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    if last.startswith("call-"):
        await response.write(f"id: again-{last[5:]}\ndata:\n\n".encode())
    else:
        result = {"content": [{"type": "text", "text": "resumed"}]}
        message = {"jsonrpc": "2.0", "id": int(last[6:]), "result": result}
        await response.write(f"id: end\ndata: {json.dumps(message)}\n\n".encode())
    return response


async def delete(request: web.Request) -> web.Response:
    log.append({"deleted": request.headers.get(SESSION)})
    return web.Response(status=200)


async def read_log(_: web.Request) -> web.Response:
    found = list(log)
    log.clear()
    return web.json_response(found)


async def set_notes(request: web.Request) -> web.Response:
    notes.clear()
    notes.update(await request.json())
    return web.Response()


async def serve(port_file: Path) -> None:
    app = web.Application()
    app.router.add_get("/log", read_log)
    app.router.add_put("/notes", set_notes)
    app.router.add_post("/{eras}", post)
    app.router.add_get("/{eras}", get)
    app.router.add_delete("/{eras}", delete)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port: int = runner.addresses[0][1]
    port_file.with_suffix(".new").write_text(str(port))
    port_file.with_suffix(".new").rename(port_file)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
