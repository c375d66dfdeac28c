"""The bridge between a client's lines and a service whose every byte the test writes."""

import json
import threading
from pathlib import Path
from typing import Any

from mcp.shared.inbound import NAME_BEARING_METHODS

from remit.facts.header_mirror import NAMED
from tests.e2e.bridge_world import (
    META,
    MODERN,
    TOKEN,
    Asked,
    Bridge,
    Scripted,
    answering,
    event,
    initialize,
    token_file,
)
from tests.eventually import WITHIN_S

ROUTED: list[tuple[str, dict[str, Any], str | None]] = [
    ("tools/call", {"name": "echo", "arguments": {}}, "echo"),
    ("tools/call", {"name": "größe"}, "=?base64?Z3LDtsOfZQ==?="),
    ("tools/call", {"name": " padded"}, "=?base64?IHBhZGRlZA==?="),
    ("tools/call", {"name": "a\r\nx-evil: 1"}, "=?base64?YQ0KeC1ldmlsOiAx?="),
    ("tools/call", {"name": "=?base64?x?="}, "=?base64?PT9iYXNlNjQ/eD89?="),
    ("resources/read", {"uri": "file:///a"}, "file:///a"),
    ("prompts/get", {"name": "p"}, "p"),
    ("tasks/get", {"taskId": "t"}, "t"),
    ("tasks/update", {"taskId": "t", "inputResponses": {}}, "t"),
    ("tasks/cancel", {"taskId": "t"}, "t"),
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


def test_the_members_that_name_are_those_of_the_sdk_and_of_tasks() -> None:
    # The extension says so of its own methods, which the SDK does not serve.
    tasks = {f"tasks/{verb}": "taskId" for verb in ("get", "update", "cancel")}
    assert {**NAME_BEARING_METHODS, **tasks} == NAMED


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
        assert closed.wait(WITHIN_S)
        assert bridge.finish() == (0, "", "")
        assert not service.saying("notifications/cancelled")


def test_requests_run_beside_each_other(tmp_path: Path) -> None:
    together = threading.Barrier(8)

    def script(asked: Asked) -> None:
        together.wait(WITHIN_S)
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
        go.wait(WITHIN_S)
        answering(asked)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/call", name="x")
        service.until("POST", "tools/call")
        bridge.modern(1, "tools/call", name="x")
        assert "under way" in bridge.heard()["error"]["message"]
        go.set()
        assert bridge.heard()["result"] == {"did": "tools/call"}
        assert len(service.all) == 1


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
