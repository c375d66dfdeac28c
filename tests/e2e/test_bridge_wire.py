"""The bridge between a client's lines and a service whose every byte the test writes."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.inbound import NAME_BEARING_METHODS

from remit.app.bridge.message import NAMED
from tests.e2e.bridge_world import (
    META,
    MODERN,
    OLD,
    TOKEN,
    Asked,
    Bridge,
    Scripted,
    event,
    initialize,
    old_service,
    token_file,
)


def answering(asked: Asked) -> None:
    """A service that answers whatever is asked."""
    asked.result({"did": asked.says})


ROUTED: list[tuple[str, dict[str, Any], str | None]] = [
    ("tools/call", {"name": "echo", "arguments": {}}, "echo"),
    ("tools/call", {"name": "größe"}, "=?base64?Z3LDtsOfZQ==?="),
    ("tools/call", {"name": " padded"}, "=?base64?IHBhZGRlZA==?="),
    ("tools/call", {"name": "a\r\nx-evil: 1"}, "=?base64?YQ0KeC1ldmlsOiAx?="),
    ("tools/call", {"name": "=?base64?x?="}, "=?base64?PT9iYXNlNjQ/eD89?="),
    ("resources/read", {"uri": "file:///a"}, "file:///a"),
    ("prompts/get", {"name": "p"}, "p"),
    ("tools/list", {}, None),
    ("tools/call", {"name": 7}, None),
]
"""Method, params, and what `Mcp-Name` has to say."""


def test_a_stateless_request_carries_its_routing_headers(tmp_path: Path) -> None:
    with Scripted(answering) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        for method, params, name in ROUTED:
            sent = json.dumps({"jsonrpc": "2.0", "id": "a", "method": method, "params": {**params, "_meta": META}})
            bridge.send(sent.encode() + b"\n")
            assert bridge.heard() == {"jsonrpc": "2.0", "id": "a", "result": {"did": method}}
            asked = service.until("POST", method)
            assert asked.path == "/mcp"
            assert asked.body == sent.encode(), "the bytes travel as they came"
            assert asked.headers["authorization"] == f"Bearer {TOKEN}"
            assert asked.headers["mcp-protocol-version"] == MODERN
            assert asked.headers["mcp-method"] == method
            assert asked.headers.get("mcp-name") == name
            assert "mcp-session-id" not in asked.headers
            assert "x-evil" not in asked.headers


def test_the_members_that_name_are_those_of_the_sdk() -> None:
    assert NAMED == NAME_BEARING_METHODS


def test_one_server_is_named_in_the_path_and_nothing_else_is(tmp_path: Path) -> None:
    token = token_file(tmp_path)
    with Scripted(answering) as service, Bridge(service.url, "--token-file", token, "--server", "git") as bridge:
        bridge.modern(1, "tools/list")
        bridge.heard()
        assert service.until("POST", "tools/list").path == "/mcp/git"
    for wrong in ("../api", "a/b", "", "GIT"):
        with Bridge(service.url, "--token-file", token, "--server", wrong) as bridge:
            code, out, err = bridge.finish()
            assert (code, out) == (2, "")
            assert "next: remit get servers" in err


def test_giving_up_a_stateless_request_closes_its_stream_and_answers_nothing(tmp_path: Path) -> None:
    closed = threading.Event()

    def script(asked: Asked) -> None:
        if asked.says == "tools/call":
            asked.stream(event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}))
            if asked.gone():
                closed.set()
        else:
            answering(asked)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/call", name="slow")
        assert bridge.heard()["method"] == "notifications/message"
        bridge.tell(method="notifications/cancelled", params={"requestId": "1"})
        bridge.modern(2, "tools/list")
        assert bridge.heard()["id"] == 2, "another id gives nothing up"
        assert not closed.is_set()
        bridge.tell(method="notifications/cancelled", params={"requestId": 1})
        assert closed.wait(10)
        assert bridge.finish() == (0, "", "")
        assert not service.saying("notifications/cancelled")


def test_requests_run_beside_each_other(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def script(asked: Asked) -> None:
        together.wait(10)
        answering(asked)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        for number in range(8):
            bridge.modern(number, "tools/call", name="x")
        assert sorted(bridge.heard()["id"] for _ in range(8)) == list(range(8))


def test_events_come_out_whole_however_they_are_cut(tmp_path: Path) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"text": "für dich\u2028\x85"}}
    final = {"jsonrpc": "2.0", "id": 1, "result": {"text": "größe"}}
    pretty = b"".join(b"data: " + line.encode() + b"\r\n" for line in json.dumps(final, indent=1).splitlines())
    whole = b": comment\n\n" + event(note) + b"retry: 5\n\nid: 1\ndata\n\nevent: message\r\n" + pretty + b"\r\n"

    def script(asked: Asked) -> None:
        asked.stream(*(whole[at : at + 1] for at in range(len(whole))))

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/call", name="x")
        assert [bridge.heard(), bridge.heard()] == [note, final]
        assert bridge.finish() == (0, "", "")


def test_an_answer_over_several_lines_becomes_one(tmp_path: Path) -> None:
    def script(asked: Asked) -> None:
        asked.raw(json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"a": "b\nc"}}, indent=2).encode())

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/list")
        assert bridge.heard()["result"] == {"a": "b\nc"}


def test_answers_to_others_and_second_answers_are_not_passed_on(tmp_path: Path) -> None:
    others: list[Any] = [
        {"jsonrpc": "2.0", "id": "1", "result": {}},
        {"jsonrpc": "2.0", "id": True, "result": {}},
        {"jsonrpc": "2.0", "id": 2, "result": {}},
        {"jsonrpc": "2.0", "result": {}},
        [],
    ]

    def script(asked: Asked) -> None:
        if asked.says == "tools/list":
            asked.json(next(alone))
            return
        asked.stream(*map(event, others), event({"jsonrpc": "2.0", "id": 1, "result": {"n": 1}}))
        asked.more(event({"jsonrpc": "2.0", "id": 1, "result": {"n": 2}}))

    alone = iter(others)
    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/call", name="x")
        assert bridge.heard()["result"] == {"n": 1}
        for _ in others:
            bridge.modern(1, "tools/list")
            assert bridge.heard()["error"]["code"] == -32000
        assert bridge.finish() == (0, "", "")


def test_a_redirect_is_never_followed(tmp_path: Path) -> None:
    with Scripted(answering) as other:

        def script(asked: Asked) -> None:
            asked.raw(b"", next(statuses), location=f"{other.url}/mcp")

        statuses = iter((301, 302, 303, 307, 308, 307))
        with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
            for number in (301, 302, 303, 307, 308):
                bridge.modern(1, "tools/call", name="x")
                error = bridge.heard()["error"]
                assert f"HTTP {number}" in error["message"]
                assert "--url" in error["data"]["next"]
            assert "redirects" in initialize(bridge)["error"]["message"]
        assert other.all == []


def test_refusals_of_the_service_arrive_under_the_requests_own_id(tmp_path: Path) -> None:
    def null(asked: Asked) -> None:
        asked.json({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "bad"}}, 400)

    def named(asked: Asked) -> None:
        asked.json({"jsonrpc": "2.0", "id": 2, "error": {"code": -32601, "message": "none"}}, 404)

    def reasoned(asked: Asked) -> None:
        asked.json({"error": "body/too-large", "error_description": "the body exceeds"}, 413)

    def foreign(asked: Asked) -> None:
        asked.raw(b"<html>", 502, "text/html")

    def accepted(asked: Asked) -> None:
        asked.raw(b"", 202)

    def garbage(asked: Asked) -> None:
        asked.raw(b"not json")

    answers = iter([null, named, reasoned, foreign, accepted, garbage])

    def script(asked: Asked) -> None:
        next(answers)(asked)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        errors: list[Any] = []
        for number in range(1, 7):
            bridge.modern(number, "tools/list")
            heard = bridge.heard()
            assert heard["id"] == number
            errors.append(heard["error"])
    assert [error["code"] for error in errors] == [-32700, -32601, -32000, -32000, -32000, -32000]
    assert "body/too-large" in errors[2]["message"]
    assert "the body exceeds" in errors[2]["message"]
    assert "HTTP 502" in errors[3]["message"]
    assert "HTTP 202" in errors[4]["message"]


def test_lines_are_read_however_they_arrive(tmp_path: Path) -> None:
    def line(ident: Any) -> bytes:
        return json.dumps({"jsonrpc": "2.0", "id": ident, "method": "tools/list", "params": {"_meta": META}}).encode()

    with Scripted(answering) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        for part in (line(1)[:20], line(1)[20:], b"\r\n\n  \r\n"):
            bridge.send(part)
        assert bridge.heard()["id"] == 1
        bridge.send(line(2) + b"\n  " + line("größe") + b"  \n")
        assert {bridge.heard()["id"], bridge.heard()["id"]} == {2, "größe"}
        for wrong, code, ident in (
            (b"{", -32700, None),
            (b'["2.0"]', -32700, None),
            (b"\xff\xfe{}", -32700, None),
            (b'{"jsonrpc":"2.0","id":5}', -32600, 5),
            (b'{"jsonrpc":"2.0","id":6,"method":"a\\r\\nb"}', -32600, 6),
            (b'{"jsonrpc":"2.0","id":7.5,"method":"ping"}', -32600, None),
            (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
        ):
            bridge.send(wrong + b"\n")
            heard = bridge.heard()
            assert (heard["error"]["code"], heard["id"]) == (code, ident), wrong
        bridge.send(b" " * (17 << 20) + b"\n")
        assert bridge.heard()["error"]["code"] == -32600
        bridge.send(line(9))
        code, out, _ = bridge.finish()
        assert code == 0
        assert json.loads(out)["id"] == 9, "a last line needs no line break"
    assert len(service.all) == 4


def test_one_id_is_under_way_once(tmp_path: Path) -> None:
    go = threading.Event()

    def script(asked: Asked) -> None:
        go.wait(10)
        answering(asked)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/call", name="x")
        service.until("POST", "tools/call")
        bridge.modern(1, "tools/call", name="x")
        assert "under way" in bridge.heard()["error"]["message"]
        go.set()
        assert bridge.heard()["result"] == {"did": "tools/call"}
        assert len(service.all) == 1


def test_the_end_of_input_lets_calls_finish_and_ends_what_only_stands(tmp_path: Path) -> None:
    closed, go = threading.Event(), threading.Event()

    def script(asked: Asked) -> None:
        if asked.says == "subscriptions/listen":
            asked.stream(event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged"}))
            if asked.gone():
                closed.set()
        else:
            go.wait(10)
            answering(asked)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "subscriptions/listen")
        bridge.heard()
        bridge.modern(2, "tools/call", name="x")
        service.until("POST", "tools/call")
        bridge.end_input()
        go.set()
        assert bridge.heard()["id"] == 2
        assert bridge.finish() == (0, "", "")
        assert closed.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_and_cancels(tmp_path: Path, number: signal.Signals) -> None:
    closed = threading.Event()

    def script(asked: Asked) -> None:
        asked.stream(event({"jsonrpc": "2.0", "method": "notifications/message"}))
        if asked.gone():
            closed.set()

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/call", name="x")
        bridge.heard()
        bridge.process.send_signal(number)
        assert bridge.process.wait(10) == 0
        assert closed.wait(10)


def test_a_client_that_no_longer_listens_ends_it(tmp_path: Path) -> None:
    with Scripted(answering) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/list")
        bridge.heard()
        assert bridge.process.stdout is not None
        bridge.process.stdout.close()
        bridge.modern(2, "tools/list")
        assert bridge.process.wait(10) == 0


def test_a_renewed_token_needs_no_restart_and_none_is_ever_shown(tmp_path: Path) -> None:
    token = token_file(tmp_path)
    with Scripted(answering) as service, Bridge(service.url, "--token-file", token) as bridge:
        said: list[Any] = []

        def ask() -> Any:
            bridge.modern(len(said), "tools/list")
            said.append(bridge.heard())
            return said[-1]

        assert "result" in ask()
        token.write_text("second-" + TOKEN)
        assert "result" in ask()
        token.chmod(0o640)
        assert f"chmod 600 {token}" in ask()["error"]["data"]["next"]
        token.chmod(0o600)
        for wrong in ("", "two tokens", "a\nb: c", "x" * 70_000):
            token.write_text(wrong)
            assert "does not hold one token" in ask()["error"]["message"]
        token.unlink()
        assert "no such file" in ask()["error"]["message"].lower()
        os.mkfifo(token, 0o600)
        assert "no regular file" in ask()["error"]["message"]
        token.unlink()
        token_file(tmp_path, "third-" + TOKEN)
        assert "result" in ask()
        tokens = [asked.headers["authorization"].removeprefix("Bearer ") for asked in service.all]
        assert tokens == [TOKEN, "second-" + TOKEN, "third-" + TOKEN]
        _, out, err = bridge.finish()
        assert "canary" not in json.dumps(said) + out + err


def test_an_unusable_token_file_is_told_at_once_and_mended_while_it_runs(tmp_path: Path) -> None:
    with (
        Scripted(answering) as service,
        Bridge(service.url, "--token-file", tmp_path / "token") as bridge,
    ):
        bridge.modern(1, "tools/list")
        assert "cannot use the token file" in bridge.heard()["error"]["message"]
        token_file(tmp_path)
        bridge.modern(2, "tools/list")
        assert "result" in bridge.heard()
        code, _, err = bridge.finish()
    assert code == 0
    assert err.startswith(f"error: cannot use the token file {tmp_path / 'token'}\n  why: ")
    assert "  next: remit token agent NAME" in err


def test_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    with Bridge("http://127.0.0.1:1") as bridge:
        code, out, err = bridge.finish()
        assert (code, out) == (2, "")
        assert "--token-file" in err
    with Bridge("http://127.0.0.1:1", REMIT_TOKEN="a\r\nb") as bridge:
        assert bridge.finish()[0] == 2
    with (
        Scripted(answering) as service,
        Bridge(service.url, REMIT_TOKEN_FILE=str(token_file(tmp_path))) as bridge,
    ):
        bridge.modern(1, "tools/list")
        bridge.heard()
        assert service.all[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:7070", "http://", "http://u:p@h/"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with Bridge(url, "--token-file", token_file(tmp_path)) as bridge:
        code, out, err = bridge.finish()
        assert (code, out) == (2, "")
        assert "next: " in err
        assert "u:p" not in err


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
                done.wait(10)
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


def test_arguments_that_travel_as_headers_too_are_put_there(tmp_path: Path) -> None:
    """From the lists that pass through; else from one of its own, once the service has refused the call."""
    schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
    pages: dict[str | None, Any] = {
        None: {"tools": [], "nextCursor": "2"},
        "2": {"tools": [{"name": "look", "inputSchema": schema}]},
    }

    def script(asked: Asked) -> None:
        value = asked.value
        if asked.says == "tools/list":
            asked.result(pages[value["params"].get("cursor")])
        elif asked.headers.get("mcp-param-region") is None and value["params"]["arguments"].get("region"):
            error = {"code": -32020, "message": "the mcp-param-region header is missing"}
            asked.json({"jsonrpc": "2.0", "id": value["id"], "error": error}, 400)
        else:
            asked.result({"region": asked.headers.get("mcp-param-region")})

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/call", name="look", arguments={"region": "süd"})
        assert bridge.heard() == {"jsonrpc": "2.0", "id": 1, "result": {"region": "=?base64?c8O8ZA==?="}}
        assert [asked.says for asked in service.all] == ["tools/call", "tools/list", "tools/list", "tools/call"]
        bridge.modern(2, "tools/call", name="look", arguments={"region": "north"})
        assert bridge.heard()["result"] == {"region": "north"}
        bridge.modern(3, "tools/call", name="look", arguments={})
        assert bridge.heard()["result"] == {"region": None}
        assert len(service.all) == 6, "known from then on"
        bridge.modern(4, "tools/call", name="other", arguments={"region": "x"})
        assert bridge.heard()["error"]["code"] == -32020, "what no list explains is told, not tried again"
    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/list", cursor="2")
        bridge.heard()
        bridge.modern(2, "tools/call", name="look", arguments={"region": "north"})
        assert bridge.heard()["result"] == {"region": "north"}
        assert len(service.all) == 2
