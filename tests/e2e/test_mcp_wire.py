"""Headers, `_meta` and error rules of both eras, byte by byte at a real service, before a server of each era."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.pairs import NAMES, NEW, OLD, Pairs, pairs
from tests.e2e.speaking import Said, ask

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

NOTE = "note://today"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
UPSTREAMS = pytest.mark.parametrize("upstream", [OLD, NEW])
ACCEPT = "application/json, text/event-stream"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pairs]:
    with pairs(tmp_path_factory.mktemp("wire")) as made:
        yield made


def stateless(
    both: Pairs,
    upstream: str,
    method: str,
    params: Mapping[str, Any] | None = None,
    *,
    capabilities: Mapping[str, Any] | None = None,
    meta: Mapping[str, Any] | None = None,
    **headers: str,
) -> Said:
    """One request of the stateless era, its envelope as it has to be; `headers` add to it."""
    own = {
        "io.modelcontextprotocol/protocolVersion": NEW,
        "io.modelcontextprotocol/clientCapabilities": capabilities or {},
    }
    body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**(params or {}), "_meta": {**own, **(meta or {})}}}
    named = {"mcp_name": str((params or {})[NAMED[method]])} if method in NAMED else {}
    return ask(
        both.service, "POST", f"/mcp/{NAMES[upstream]}", both.token, json.dumps(body).encode(),
        accept=ACCEPT, mcp_protocol_version=NEW, mcp_method=method, **(named | headers),
    )  # fmt: skip


def refused(said: Said) -> tuple[int, int]:
    """The status and the code of an error."""
    return said.status, said.value["error"]["code"]


class Connection:
    """One connection of the handshake era."""

    def __init__(self, both: Pairs, upstream: str) -> None:
        self._both = both
        self._upstream = upstream
        self.session = ""
        info = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        said = self.send("initialize", info)
        self.session = said.headers["mcp-session-id"]
        assert self.send("notifications/initialized", ident=None).status == 202

    def send(self, method: str, params: Mapping[str, Any] | None = None, ident: Any = 7) -> Said:
        body = {"jsonrpc": "2.0", "method": method, "params": params or {}} | ({} if ident is None else {"id": ident})
        return self.ask("POST", json.dumps(body).encode())

    def ask(self, verb: str, body: bytes | None = None, **headers: str) -> Said:
        own = {"mcp_session_id": self.session, "mcp_protocol_version": OLD} if self.session else {}
        path = f"/mcp/{NAMES[self._upstream]}"
        return ask(self._both.service, verb, path, self._both.token, body, accept=ACCEPT, **own, **headers)


@UPSTREAMS
def test_mirrored_arguments_say_what_the_body_says(both: Pairs, upstream: str) -> None:
    call = {"name": "where", "arguments": {"region": "Zürich", "near": "Bern"}}
    encoded = f"=?base64?{base64.b64encode('Zürich'.encode()).decode()}?="
    said = stateless(both, upstream, "tools/call", call, mcp_param_region=encoded)
    assert said.value["result"]["content"][0]["text"] == "Zürich Bern"
    assert refused(stateless(both, upstream, "tools/call", call)) == (400, -32020)
    for wrong in ("Bern", "=?base64?!?=", base64.b64encode("Zürich".encode()).decode()):
        assert refused(stateless(both, upstream, "tools/call", call, mcp_param_region=wrong)) == (400, -32020)
    plain = {"name": "where", "arguments": {"region": "Bern"}}
    said = stateless(both, upstream, "tools/call", plain, mcp_param_region="Bern", mcp_param_other="ignored")
    assert said.value["result"]["content"][0]["text"] == "Bern"
    # The handshake era has no such headers: they are made for an upstream that wants them.
    said = Connection(both, upstream).send("tools/call", call)
    assert said.value["result"]["content"][0]["text"] == "Zürich Bern"


@UPSTREAMS
def test_event_streams_are_not_buffered_on_the_way(both: Pairs, upstream: str) -> None:
    call = {"name": "count", "arguments": {"steps": 2}}
    said = stateless(both, upstream, "tools/call", call, meta={"progressToken": "p"})
    assert said.headers["content-type"].startswith("text/event-stream")
    assert said.headers["x-accel-buffering"] == "no"
    events = [json.loads(line[5:]) for line in said.body.splitlines() if line.startswith(b"data:")]
    assert [event.get("method") for event in events] == ["notifications/progress"] * 2 + [None]
    assert {event["params"]["progressToken"] for event in events[:-1]} == {"p"}


@UPSTREAMS
def test_results_say_that_they_are_whole_and_how_long_they_hold(both: Pairs, upstream: str) -> None:
    for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list", "resources/read"):
        said = stateless(both, upstream, method, {"uri": NOTE} if method == "resources/read" else None)
        result = said.value["result"]
        assert (result["resultType"], result["cacheScope"]) == ("complete", "private"), method
        assert 0 <= result["ttlMs"] <= 60_000, method
    said = stateless(both, upstream, "tools/call", {"name": "echo", "arguments": {"text": "x"}})
    assert said.value["result"]["resultType"] == "complete"
    assert "ttlMs" not in said.value["result"]


@UPSTREAMS
def test_a_cursor_that_is_not_ours_is_refused(both: Pairs, upstream: str) -> None:
    for method in ("tools/list", "resources/list", "resources/templates/list", "prompts/list"):
        assert refused(stateless(both, upstream, method, {"cursor": "of-somebody-else"})) == (400, -32602), method


@UPSTREAMS
def test_rounds_take_what_was_asked_for_and_their_own_state(both: Pairs, upstream: str) -> None:
    def paint(name: str = "paint", **more: Any) -> Said:
        call: dict[str, Any] = {"name": name, "arguments": {}, **more}
        return stateless(both, upstream, "tools/call", call, capabilities={"elicitation": {"form": {}}})

    def red(question: str) -> dict[str, Any]:
        return {question: {"action": "accept", "content": {"colour": "red"}}}

    first = paint().value["result"]
    assert first["resultType"] == "input_required"
    [question] = first["inputRequests"]
    assert first["inputRequests"][question]["params"]["message"] == "Which colour?"
    state = first["requestState"]
    turned = ("A" if state[40] != "A" else "B").join((state[:40], state[41:]))
    assert refused(paint(requestState=turned, inputResponses=red(question))) == (400, -32602)
    assert refused(paint(name="look", requestState=state, inputResponses=red(question))) == (400, -32602)
    again = paint(requestState=state, inputResponses={"nobody-asked": {"action": "cancel"}}).value["result"]
    assert again["resultType"] == "input_required", "what is missing is asked for again"
    assert again["inputRequests"] == first["inputRequests"]
    state = again["requestState"]
    answers = red(question) | {"nobody-asked": {"action": "cancel"}}
    done = paint(requestState=state, inputResponses=answers).value["result"]
    assert (done["resultType"], done["content"][0]["text"]) == ("complete", "painted red")
    spent = paint(requestState=state, inputResponses=answers).value["result"]
    assert spent["isError"]
    assert "painted" not in spent["content"][0]["text"]


@UPSTREAMS
def test_a_stream_is_taken_up_on_its_own_connection_alone(both: Pairs, upstream: str) -> None:
    mine, other = Connection(both, upstream), Connection(both, upstream)
    call = {"name": "count", "arguments": {"steps": 3}, "_meta": {"progressToken": "mine"}}
    said = mine.send("tools/call", call)
    assert said.headers["content-type"].startswith("text/event-stream")
    first = next(line[3:].strip() for line in said.body.splitlines() if line.startswith(b"id:"))
    resumed = mine.ask("GET", last_event_id=first.decode())
    assert resumed.value["result"]["content"][0]["text"] == "counted"
    foreign = other.ask("GET", last_event_id=first.decode())
    assert foreign.status in {400, 404}
    assert b"counted" not in foreign.body
    # The other era knows neither: both are as if absent.
    said = stateless(both, upstream, "tools/list", mcp_session_id="strange", last_event_id=first.decode())
    assert said.status == 200
    assert "mcp-session-id" not in said.headers


@UPSTREAMS
@pytest.mark.parametrize("method", ["tasks/get", "tasks/update", "tasks/cancel", "tasks/list", "tasks/result"])
def test_tasks_are_refused_to_who_did_not_say_that_it_takes_them(both: Pairs, upstream: str, method: str) -> None:
    said = stateless(both, upstream, method, {"taskId": "t"}, mcp_name="t")
    has_them = method not in {"tasks/list", "tasks/result"}
    assert refused(said) == ((400, -32021) if has_them else (404, -32601))
    assert refused(Connection(both, upstream).send(method, {"taskId": "t"}))[1] == -32601


@UPSTREAMS
def test_notifications_that_nobody_acts_on_are_taken_and_dropped(both: Pairs, upstream: str) -> None:
    mine = Connection(both, upstream)
    for method in ("notifications/roots/list_changed", "notifications/tasks/status", "notifications/progress"):
        said = mine.send(method, {"progressToken": 1, "progress": 1, "taskId": "t", "status": "working"}, ident=None)
        assert (said.status, said.body) == (202, b"")
    assert mine.send("ping").value["result"] == {}
