"""The bridge as a process, spoken to line by line, and a service whose every answer a test writes."""

import http.server
import json
import os
import queue
import select
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from proof.child import end
from proof.service import REMIT, environment
from tests.eventually import WITHIN_S

MODERN = "2026-07-28"
OLD = "2025-11-25"
TOKEN = "eyJhbGciOiJFZERTQSJ9.canary-of-the-bridge.c2lnbmF0dXJl"
META: Mapping[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
}


def token_file(folder: Path, text: str = TOKEN) -> Path:
    """A token file as it should be."""
    path = folder / "token"
    path.write_text(text + "\n")
    path.chmod(0o600)
    return path


class Bridge:
    """`remit mcp` with its pipes."""

    def __init__(self, url: str, *flags: str | Path, **variables: str) -> None:
        self.process = subprocess.Popen(
            [REMIT, "mcp", "--url", url, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment() | variables,
        )
        self._rest = b""
        self._err = b""

    def send(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def tell(self, **message: Any) -> None:
        self.send(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def modern(self, ident: int | str, method: str, **params: Any) -> None:
        self.tell(id=ident, method=method, params={**params, "_meta": META})

    def line(self) -> bytes:
        """The next line of stdout; b"" at its end."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + WITHIN_S
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no line came; stderr: {self.process.poll()}"
            chunk = os.read(self.process.stdout.fileno(), 1 << 20)
            if not chunk:
                assert not self._rest, f"an unfinished line: {self._rest[:200]!r}"
                return b""
            self._rest += chunk
        found, _, self._rest = self._rest.partition(b"\n")
        return found

    def heard(self) -> Any:
        """The next message, parsed."""
        return json.loads(self.line())

    def end_input(self) -> None:
        """Close stdin, if it is open."""
        if self.process.stdin is not None:
            self.process.stdin.close()
            self.process.stdin = None

    def finish(self) -> tuple[int, str, str]:
        """Close stdin: exit code, what was left on stdout, stderr."""
        self.end_input()
        out, err = self.process.communicate(timeout=WITHIN_S)
        return self.process.returncode, (self._rest + out).decode(), err.decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process)


@dataclass
class Asked:
    """One HTTP request as the scripted service got it, and the way to answer it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    handler: http.server.BaseHTTPRequestHandler

    @property
    def value(self) -> Any:
        return json.loads(self.body)

    @property
    def says(self) -> str:
        """The method of the message in it."""
        return str(self.value.get("method", "")) if self.body else ""

    def json(self, value: Any, status: int = 200, **headers: str) -> None:
        self.raw(json.dumps(value).encode(), status, **headers)

    def result(self, value: Any, **headers: str) -> None:
        self.json({"jsonrpc": "2.0", "id": self.value["id"], "result": value}, 200, **headers)

    def raw(self, data: bytes, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        self._head(status, {"content-type": kind, "content-length": str(len(data)), **headers})
        self.handler.wfile.write(data)

    def stream(self, *parts: bytes, **headers: str) -> None:
        """Begin an event stream with these chunks; it ends where the handler returns."""
        self._head(200, {"content-type": "text/event-stream", "connection": "close", **headers})
        for part in parts:
            self.more(part)

    def more(self, part: bytes) -> None:
        self.handler.wfile.write(part)
        self.handler.wfile.flush()

    def gone(self) -> bool:
        """Wait until the client has closed its connection."""
        ready, _, _ = select.select([self.handler.connection], [], [], WITHIN_S)
        try:
            return bool(ready) and self.handler.connection.recv(1) == b""
        except ConnectionResetError:
            return True

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()


Script = Callable[[Asked], None]


@dataclass
class Scripted:
    """A service on a free port that does with each request what `script` does."""

    script: Script
    asked: "queue.Queue[Asked]" = field(default_factory=queue.Queue["Asked"])
    all: list[Asked] = field(default_factory=list[Asked])

    def __enter__(self) -> Self:
        world = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _any(self) -> None:
                length = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, self.rfile.read(length), self)
                world.all.append(asked)
                world.asked.put(asked)
                self.close_connection = True
                world.script(asked)

            do_GET = do_POST = do_DELETE = _any  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def until(self, method: str, says: str = "") -> Asked:
        """The next request like that, waited for; others before it are left out."""
        while True:
            found = self.asked.get(timeout=WITHIN_S)
            if found.method == method and found.says == says:
                return found

    def saying(self, says: str) -> Sequence[Asked]:
        """Every request so far that says so."""
        return [asked for asked in self.all if asked.says == says]


def event(value: Any, ident: str | None = None) -> bytes:
    """One server-sent event."""
    head = b"" if ident is None else f"id: {ident}\n".encode()
    return head + b"event: message\ndata: " + json.dumps(value).encode() + b"\n\n"


def old_service(asked: Asked) -> bool:
    """What a service of the `initialize` era says first and last; False for everything between."""
    match (asked.method, asked.says):
        case ("POST", "initialize"):
            asked.result({"protocolVersion": OLD, "capabilities": {}, "serverInfo": {}}, mcp_session_id="s-1")
        case ("POST", "notifications/initialized"):
            asked.raw(b"", 202)
        case ("DELETE", ""):
            asked.raw(b"", 204)
        case _:
            return False
    return True


def initialize(bridge: Bridge) -> Any:
    """Open a session as an old client does; the service's answer."""
    bridge.tell(id=0, method="initialize", params={"protocolVersion": OLD, "capabilities": {}, "clientInfo": {}})
    answer = bridge.heard()
    bridge.tell(method="notifications/initialized")
    return answer


def answering(asked: Asked) -> None:
    """A service that answers whatever is asked."""
    asked.result({"did": asked.says})
