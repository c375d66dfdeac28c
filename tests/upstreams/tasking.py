"""A server of 2026-07-28 that answers with tasks, written by hand: `tasking.py PORT_FILE`, or `tasking.py PORT`.

`tasking.py -` serves stdio, where no headers repeat what the body says. Its tools are those that the conformance
suite's `tasks-*` scenarios ask for. Specification: the extension `io.modelcontextprotocol/tasks`. It takes no part
of Remit, so that nothing is right twice by the same mistake.
"""

import asyncio
import json
import secrets
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

Json = Any
EXTENSION = "io.modelcontextprotocol/tasks"
VERSION = "2026-07-28"
META = "io.modelcontextprotocol/"
TTL_MS = 60_000
NAMED = {"tools/call": "name", "tasks/get": "taskId", "tasks/update": "taskId", "tasks/cancel": "taskId"}
FORM: Json = {"type": "object", "properties": {"confirm": {"type": "boolean"}}}


class Wrong(Exception):
    """A JSON-RPC error: code, message, data, HTTP status."""

    def __init__(self, code: int, message: str, data: Json = None, status: int = 400) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message} | ({} if data is None else {"data": data})
        self.status = status


NEEDS_TASKS = Wrong(-32021, "tasks needed", {"requiredCapabilities": {"extensions": {EXTENSION: {}}}})


@dataclass
class Task:
    """One task: what it waits for by key, what was answered, what it came to."""

    ident: str
    created: str
    status: str = "working"
    ends: dict[str, Json] = field(default_factory=dict[str, Json])
    waits: dict[str, Json] = field(default_factory=dict[str, Json])
    answers: dict[str, Json] = field(default_factory=dict[str, Json])
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    work: asyncio.Task[None] | None = None

    def shown(self) -> Json:
        return {
            "taskId": self.ident,
            "status": self.status,
            "statusMessage": f"it is {self.status}",
            "createdAt": self.created,
            "lastUpdatedAt": now(),
            "ttlMs": TTL_MS,
            "pollIntervalMs": 100,
            "_meta": {"strange": "theirs"},
        }

    def detailed(self) -> Json:
        waits = {"inputRequests": self.waits} if self.status == "input_required" else {}
        return {"resultType": "complete", **self.shown(), **self.ends, **waits}

    async def ask(self, questions: Json) -> Json:
        """Wait for the client."""
        self.waits, self.status = dict(questions), "input_required"
        while self.waits:
            self.answered.clear()
            await self.answered.wait()
        self.status = "working"
        return self.answers


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def said(text: str, *, is_error: bool = False) -> Json:
    return {"content": [{"type": "text", "text": text}], **({"isError": True} if is_error else {})}


def form(message: str) -> Json:
    params = {"mode": "form", "message": message, "requestedSchema": FORM}
    return {"method": "elicitation/create", "params": params}


async def slow_compute(_task: Task | None, given: Json) -> Json:
    await asyncio.sleep(float(given["seconds"]))
    return said(f"computed {given.get('label', '')}")


async def failing_job(_task: Task | None, _given: Json) -> Json:
    await asyncio.sleep(0.2)
    return said("the job failed", is_error=True)


async def protocol_error_job(_task: Task | None, _given: Json) -> Json:
    await asyncio.sleep(0.05)
    raise Wrong(-32603, "the job crashed")


async def confirm_delete(task: Task | None, given: Json) -> Json:
    assert task is not None
    answers = await task.ask({"sure": form(f"delete {given['filename']}?")})
    return said(f"deleted {given['filename']}: {answers['sure']['action']}")


async def multi_input(task: Task | None, _given: Json) -> Json:
    assert task is not None
    answers = await task.ask({"one": form("one?"), "two": form("two?")})
    return said(json.dumps(answers, sort_keys=True))


async def think_first(task: Task | None, _given: Json) -> Json:
    assert task is not None
    think: Json = {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 5}}
    answers = await task.ask({"thought": think})
    return said(json.dumps(answers))


async def greet_asked(_task: Task | None, given: Json) -> Json:
    return said(f"Hello, {given['user_name']}!")


NEEDED = {
    "failing_job": failing_job,
    "protocol_error_job": protocol_error_job,
    "confirm_delete": confirm_delete,
    "multi_input": multi_input,
    "think_first": think_first,
    "test_tool_with_task": greet_asked,
}
"""Tools that cannot do without a task."""
WORK = NEEDED | {"slow_compute": slow_compute}
ARGUMENTS: Mapping[str, Json] = {
    "greet": {"name": {"type": "string"}},
    "slow_compute": {"seconds": {"type": "number"}, "label": {"type": "string"}},
    "confirm_delete": {"filename": {"type": "string"}},
}


class Tasking:
    """The tasks, and the answers by method."""

    def __init__(self) -> None:
        self.tasks: dict[str, Task] = {}

    async def post(self, request: web.Request) -> web.Response:
        message: Json = await request.json()
        ident = message.get("id")
        try:
            result = await self.answer(request.headers, message)
        except Wrong as wrong:
            body = {"jsonrpc": "2.0", "id": ident, "error": wrong.error}
            return web.json_response(body, status=wrong.status)
        if ident is None:
            return web.Response(status=202)
        return web.json_response({"jsonrpc": "2.0", "id": ident, "result": result})

    async def line(self, message: Json) -> Json:
        """The answer to one line of stdin, None to what wants none."""
        ident = message.get("id")
        try:
            result = await self.answer(None, message)
        except Wrong as wrong:
            return {"jsonrpc": "2.0", "id": ident, "error": wrong.error}
        return None if ident is None else {"jsonrpc": "2.0", "id": ident, "result": result}

    async def answer(self, headers: Mapping[str, str] | None, message: Json) -> Json:
        method, params = message.get("method"), message.get("params", {})
        meta = params.get("_meta", {})
        if headers is not None:
            agrees(headers, method, params)
        capabilities: Json = meta.get(f"{META}clientCapabilities")
        if meta.get(f"{META}protocolVersion") != VERSION or capabilities is None:
            raise Wrong(-32602, "_meta")
        declared = EXTENSION in capabilities.get("extensions", {})
        match method:
            case "server/discover":
                told: Json = {"tools": {}, "extensions": {EXTENSION: {}}}
                hints = {"ttlMs": 0, "cacheScope": "private"}
                return {"resultType": "complete", "supportedVersions": [VERSION], "capabilities": told, **hints}
            case "tools/list":
                return {"resultType": "complete", "tools": TOOLS, "ttlMs": 0, "cacheScope": "private"}
            case "tools/call":
                return await self.call(params, declared=declared)
            case "tasks/get" | "tasks/update" | "tasks/cancel":
                if not declared:
                    raise NEEDS_TASKS
                return self.about(method, params)
            case _:
                raise Wrong(-32601, "no such method", status=404)

    async def call(self, params: Json, *, declared: bool) -> Json:
        name, given = params["name"], params.get("arguments", {})
        if name == "greet":
            return {"resultType": "complete", **said(f"Hello, {given['name']}!")}
        if name not in WORK:
            raise Wrong(-32602, "no such tool")
        if not declared:
            if name in NEEDED:
                raise NEEDS_TASKS
            return {"resultType": "complete", **await WORK[name](None, given)}
        if name == "test_tool_with_task":
            answer: Json = params.get("inputResponses", {}).get("who")
            if answer is None:
                return {"resultType": "input_required", "inputRequests": {"who": form("who?")}, "requestState": "s"}
            given = {"user_name": answer.get("content", {}).get("name", "?")}
        task = Task(secrets.token_hex(16), now())
        self.tasks[task.ident] = task
        task.work = asyncio.create_task(work(task, name, given))
        return {"resultType": "task", **task.shown()}

    def about(self, method: str, params: Json) -> Json:
        task = self.tasks.get(params.get("taskId"))
        if task is None:
            raise Wrong(-32602, "no such task")
        if method == "tasks/get":
            return task.detailed()
        if method == "tasks/update":
            for key, answer in params["inputResponses"].items():
                if task.waits.pop(key, None) is not None:
                    task.answers[key] = answer
            task.answered.set()
        elif task.status in {"working", "input_required"} and task.work is not None:
            task.work.cancel()
            task.status = "cancelled"
        return {"resultType": "complete"}


def agrees(headers: Mapping[str, str], method: str, params: Json) -> None:
    if headers.get("mcp-protocol-version") != VERSION:
        raise Wrong(-32022, "version", {"supported": [VERSION], "requested": ""})
    if headers.get("mcp-method") != method:
        raise Wrong(-32020, "method")
    if method in NAMED and headers.get("mcp-name") != params.get(NAMED[method]):
        raise Wrong(-32020, "name")


async def work(task: Task, name: str, given: Json) -> None:
    try:
        task.ends, status = {"result": await WORK[name](task, given)}, "completed"
    except Wrong as wrong:
        task.ends, status = {"error": wrong.error}, "failed"
    task.status = status


TOOLS: Json = [
    {
        "name": name,
        "description": f"{name} of the tasking server",
        "inputSchema": {"type": "object", "properties": ARGUMENTS.get(name, {})},
    }
    for name in ("greet", *WORK)
]


async def over_pipes() -> None:
    tasking = Tasking()
    while line := await asyncio.to_thread(sys.stdin.buffer.readline):
        answer = await tasking.line(json.loads(line))
        if answer is not None:
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


def main(where: str) -> None:
    if where == "-":
        asyncio.run(over_pipes())
        return
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", int(where) if where.isdigit() else 0))
    listening.listen()
    if not where.isdigit():
        new = Path(where).with_suffix(".new")
        new.write_text(str(listening.getsockname()[1]))
        new.rename(where)
    app = web.Application()
    app.router.add_post("/mcp", Tasking().post)
    web.run_app(app, sock=listening, print=None, handle_signals=False)


if __name__ == "__main__":
    main(sys.argv[1])
