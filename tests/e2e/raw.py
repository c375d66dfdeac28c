"""MCP over bare sockets: for clients that vanish, dawdle, or only listen."""

import json
import socket
from collections.abc import Mapping

from tests.eventually import WITHIN_S

ACCEPT = "application/json, text/event-stream"


def request(
    port: int,
    token: str,
    method: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    server: str = "counter",
) -> bytes:
    """One HTTP request for `/mcp/{server}`."""
    fields = {
        "host": f"127.0.0.1:{port}",
        "authorization": f"Bearer {token}",
        "accept": ACCEPT,
        **(headers or {}),
    }
    if body:
        fields |= {"content-type": "application/json", "content-length": str(len(body))}
    lines = [f"{method} /mcp/{server} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


def call_bytes(port: int, token: str, ident: str, headers: Mapping[str, str] | None = None) -> bytes:
    """A stateless `tools/call` of `add`."""
    return tool_bytes(port, token, "counter", "add", {"id": ident}, headers)


def tool_bytes(
    port: int,
    token: str,
    server: str,
    tool: str,
    arguments: Mapping[str, object],
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A stateless `tools/call`."""
    meta: dict[str, object] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params: dict[str, object] = {"name": tool, "arguments": arguments, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    given = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool, **(headers or {})}
    return request(port, token, "POST", body, given, server)


def post(port: int, token: str, ident: str) -> socket.socket:
    """Send a call and return the connection, its answer unread."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)
    connection.sendall(call_bytes(port, token, ident))
    return connection


def initialize_bytes(port: int, token: str, **headers: str) -> bytes:
    """The `initialize` of a connection of 2025-11-25."""
    client = {"name": "raw", "version": "1"}
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode()
    return request(port, token, "POST", body, headers)


def session_of(said: bytes) -> str:
    """The id of the connection that an answer opened."""
    for line in said.split(b"\r\n"):
        if line.lower().startswith(b"mcp-session-id:"):
            return line.split(b":", 1)[1].strip().decode("ascii")
    raise AssertionError(said)


def initialized(port: int, token: str) -> str:
    """The id of a new connection of the `initialize` era."""
    return session_of(exchange(port, initialize_bytes(port, token, connection="close")))


def exchange(port: int, data: bytes) -> bytes:
    """Send `data`; all that comes back until the other end closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S) as connection:
        connection.sendall(data)
        return rest(connection)


def rest(connection: socket.socket) -> bytes:
    """What still comes until the other end closes."""
    found = b""
    while part := connection.recv(65536):
        found += part
    return found


def listen(port: int, token: str) -> socket.socket:
    """An open standing stream, its head and first comment read; `AssertionError` with what came instead."""
    ident = initialized(port, token)
    connection = socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S)
    connection.sendall(request(port, token, "GET", headers={"mcp-session-id": ident, "connection": "close"}))
    found = b""
    while b": waiting" not in found:
        part = connection.recv(65536)
        found += part
        if not part:
            connection.close()
            raise AssertionError(found)
    return connection
