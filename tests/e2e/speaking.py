"""Plain HTTP to a real service: one tool call of the stateless era, and what the API tells the admin."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from proof.service import Service

VERSION: Final = "2026-07-28"
META: Final[Mapping[str, Any]] = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True)
class Said:
    """One answer over HTTP."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def value(self) -> Any:
        """The body as JSON; the last event's data where it is a stream."""
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            events = [line[5:] for line in self.body.splitlines() if line.startswith(b"data:")]
            return json.loads(events[-1])
        return json.loads(self.body)


def ask(
    service: Service, verb: str, path: str, token: str | None = None, body: bytes | None = None, **headers: str
) -> Said:
    """One request, its answer read whole. In header names `_` stands for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    head = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        head["authorization"] = f"Bearer {token}"
    if body is not None:
        head.setdefault("content-type", "application/json")
    try:
        connection.request(verb, path, body, head)
        answer = connection.getresponse()
        return Said(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def post(service: Service, token: str | None, server: str, body: bytes, tool: str, **headers: str) -> Said:
    """`body` as a `tools/call` of `tool` at `/mcp/SERVER`, whatever it holds."""
    return ask(
        service, "POST", f"/mcp/{server}", token, body,
        accept="application/json, text/event-stream", mcp_protocol_version=VERSION,
        mcp_method="tools/call", mcp_name=tool, **headers,
    )  # fmt: skip


def envelope(tool: str, arguments: Any, meta: Mapping[str, Any] = META) -> bytes:
    """The body of a `tools/call`."""
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()


def told(service: Service, token: str, server: str, tool: str, arguments: Any = None) -> tuple[bool, str]:
    """Whether one call failed, and the text of its result."""
    said = post(service, token, server, envelope(tool, arguments or {}), tool)
    assert said.status == 200, said
    result = said.value["result"]
    return bool(result.get("isError")), "".join(part["text"] for part in result["content"])


def entries(service: Service, sid: str) -> list[dict[str, Any]]:
    """The records of one session, in order."""
    return list(api(service, "GET", f"/ledger/entries?sid={sid}&limit=1000")["items"])


def api(service: Service, verb: str, path: str, token: str | None = None, body: Any = None) -> Any:
    """The JSON answer of the control API, as the admin unless `token` is given."""
    return service.api(verb, path, body, token)
