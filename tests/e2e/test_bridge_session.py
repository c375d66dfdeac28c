"""The bridge in the `initialize` era: sessions, streams, cancellation, a service that forgets."""

import threading
from pathlib import Path
from typing import Any

from tests.e2e.bridge_world import (
    OLD,
    Asked,
    Bridge,
    Scripted,
    answering,
    event,
    initialize,
    old_service,
    token_file,
)
from tests.eventually import WITHIN_S


def test_initialize_era_keeps_its_session_and_carries_everything_both_ways(tmp_path: Path) -> None:
    question: dict[str, Any] = {"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {}}
    listening = threading.Event()

    def script(asked: Asked) -> None:
        if old_service(asked):
            return
        match (asked.method, asked.says):
            case ("GET", "") if "last-event-id" not in asked.headers:
                asked.stream(b"retry: 1\n\n", event({"jsonrpc": "2.0", "method": "notifications/a"}, "e-7"))
            case ("GET", ""):
                listening.set()
                asked.stream(event({"jsonrpc": "2.0", "method": "notifications/b"}))
                asked.gone()
            case ("POST", "tools/call"):
                asked.stream(event(question), event({"jsonrpc": "2.0", "id": 5, "result": {}}))
            case _:
                asked.raw(b"", 202)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        assert initialize(bridge)["result"]["protocolVersion"] == OLD
        assert {bridge.heard()["method"], bridge.heard()["method"]} == {"notifications/a", "notifications/b"}
        assert listening.is_set()
        bridge.tell(id=5, method="tools/call", params={"name": "x"})
        assert [bridge.heard(), bridge.heard()["id"]] == [question, 5]
        bridge.tell(id="q", result={"action": "accept"})
        assert service.until("POST").value == {"jsonrpc": "2.0", "id": "q", "result": {"action": "accept"}}
        bridge.tell(method="notifications/roots/list_changed")
        service.until("POST", "notifications/roots/list_changed")
        assert bridge.finish() == (0, "", "")
    first, *later = service.all
    assert "mcp-session-id" not in first.headers
    assert "mcp-protocol-version" not in first.headers
    assert {asked.headers["mcp-session-id"] for asked in later} == {"s-1"}
    assert {asked.headers["mcp-protocol-version"] for asked in later} == {OLD}
    assert all("mcp-method" not in asked.headers for asked in later)
    assert [asked.headers.get("last-event-id") for asked in service.all if asked.method == "GET"] == [None, "e-7"]
    assert service.all[-1].method == "DELETE"


def test_initialize_era_cancels_in_words(tmp_path: Path) -> None:
    done = threading.Event()

    def script(asked: Asked) -> None:
        if old_service(asked):
            return
        match (asked.method, asked.says):
            case ("POST", "tools/call"):
                done.wait(WITHIN_S)
                asked.json({"jsonrpc": "2.0", "id": 5, "error": {"code": -32800, "message": "cancelled"}})
            case ("POST", "notifications/cancelled"):
                asked.raw(b"", 202)
                done.set()
            case ("GET", ""):
                asked.raw(b"", 405)
            case _:
                answering(asked)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        initialize(bridge)
        bridge.tell(id=5, method="tools/call", params={"name": "x"})
        service.until("POST", "tools/call")
        bridge.tell(method="notifications/cancelled", params={"requestId": 5})
        service.until("POST", "notifications/cancelled")
        bridge.tell(id=6, method="ping")
        assert bridge.heard()["id"] == 6
        assert bridge.finish() == (0, "", ""), "who gave up is not answered"


def test_a_stream_that_breaks_is_read_on_from_its_last_event_and_nothing_is_sent_twice(tmp_path: Path) -> None:
    def script(asked: Asked) -> None:
        if old_service(asked):
            return
        match (asked.method, asked.says, asked.headers.get("last-event-id")):
            case ("POST", "tools/call", _) if asked.value["id"] == 1:
                asked.stream(b"id: p-1\nretry: 1\ndata:\n\n", b'data: {"jsonrpc":"2.0","id":1,"res')
            case ("GET", _, "p-1"):
                asked.stream(event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}, "p-2"))
            case ("GET", _, "p-2"):
                asked.stream(event({"jsonrpc": "2.0", "id": 1, "result": {"at": "last"}}, "p-3"))
            case ("POST", "tools/call", _):
                asked.stream(b": no id\n\n")
            case _:
                asked.raw(b"", 405)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        initialize(bridge)
        bridge.tell(id=1, method="tools/call", params={"name": "x"})
        assert bridge.heard()["method"] == "notifications/progress"
        assert bridge.heard()["result"] == {"at": "last"}
        bridge.tell(id=2, method="tools/call", params={"name": "x"})
        error = bridge.heard()["error"]
        assert "without an answer" in error["message"]
        assert "remit logs" in error["data"]["next"]
        assert len(service.saying("tools/call")) == 2


def test_a_session_that_the_service_forgot_is_opened_again(tmp_path: Path) -> None:
    sessions: list[str] = []

    def script(asked: Asked) -> None:
        known = asked.headers.get("mcp-session-id")
        if asked.says == "initialize":
            sessions.append(f"s-{len(sessions)}")
            asked.result({"protocolVersion": OLD}, mcp_session_id=sessions[-1])
        elif known != sessions[-1]:
            asked.json({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "unknown"}}, 404)
        elif asked.method == "GET":
            asked.raw(b"", 405)
        elif "id" in (asked.value if asked.body else {}):
            answering(asked)
        else:
            asked.raw(b"", 202)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        initialize(bridge)
        service.until("GET")
        sessions.append("restarted")
        for number in range(1, 5):
            bridge.tell(id=number, method="tools/list")
        assert sorted(bridge.heard()["id"] for _ in range(4)) == [1, 2, 3, 4]
        assert len(service.saying("initialize")) == 2, "once for all of them"
        assert len(service.saying("notifications/initialized")) == 2
        sessions.append("again")
        bridge.tell(method="notifications/roots/list_changed")
        bridge.tell(id=9, method="ping")
        assert bridge.heard()["id"] == 9
        told = service.saying("notifications/roots/list_changed")
        assert told[-1].headers["mcp-session-id"] == sessions[-1]
        code, out, err = bridge.finish()
        assert (code, out) == (0, "")
        assert "a new one is open" in err


def test_nothing_is_said_in_a_session_that_is_not_open(tmp_path: Path) -> None:
    with Scripted(answering) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.tell(id=1, method="tools/list")
        assert "has not initialized" in bridge.heard()["error"]["message"]
        bridge.tell(method="notifications/initialized")
        bridge.tell(id="x", result={})
        assert bridge.finish() == (0, "", "")
        assert service.all == []
