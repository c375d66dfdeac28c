"""The envelope of a POST: every body becomes one message or one refusal, and nothing slips through."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.canonical import canonical
from remit.facts.limits import DEFAULT
from remit.pep.mcp.envelope import Malformed, Notification, Request, Response, ToolCall, read, tool_call

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from(["jsonrpc", "id", "method", "params", "result"])


@given(st.binary(max_size=300))
def test_any_bytes_become_one_message_or_a_refusal(body: bytes) -> None:
    assert isinstance(read(body, DEFAULT), Request | Notification | Response | Malformed)


@given(st.dictionaries(MEMBERS, JSON | st.just("2.0") | st.just("tools/call")))
def test_any_object_is_read_as_what_it_says_or_refused(value: dict[str, object]) -> None:
    message = read(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), DEFAULT)
    match message:
        case Request(ident, method, params):
            assert value["jsonrpc"] == "2.0"
            assert (value["id"], value["method"]) == (ident, method)
            assert ({} if value.get("params") is None else value["params"]) == params
            assert type(ident) in {str, int}
        case Notification(method, params):
            assert "id" not in value
            assert value["method"] == method
        case Response():
            assert "method" not in value
            assert "result" in value
        case Malformed(code, text, ident):
            assert code in {-32700, -32600, -32602}
            assert text
            assert ident is None or ident == value["id"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"id": 1, "method": "ping", "params": None}, Request(1, "ping", {})),
        ({"method": "notifications/initialized", "params": None}, Notification("notifications/initialized", {})),
        ({"id": 1, "result": {"a": 1}, "error": None}, Response(1, {"a": 1})),
        ({"id": 1, "result": None, "error": {"code": -1, "message": "no"}}, Response(1, None)),
        ({"id": 1, "result": {}, "error": {"code": -1, "message": "no"}}, None),
        ({"id": 1, "result": None, "error": None}, None),
        ({"id": None, "method": "ping"}, None),
    ],
)
def test_null_is_as_if_absent(said: dict[str, object], meant: object) -> None:
    """Many clients write what they leave out so; an id is none that may be left out so."""
    found = read(json.dumps({"jsonrpc": "2.0", **said}).encode(), DEFAULT)
    assert found == meant if meant is not None else isinstance(found, Malformed)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_arguments_are_carried_in_their_canonical_form(arguments: dict[str, object]) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "pay", "arguments": arguments}}
    message = read(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"), DEFAULT)
    if isinstance(message, Malformed):
        return
    assert isinstance(message, Request)
    call = tool_call(message)
    assert isinstance(call, ToolCall)
    assert call.input == arguments
    assert call.arguments == canonical(call.input)
    assert json.loads(call.arguments) == arguments


@pytest.mark.parametrize(
    ("params", "accepted"),
    [
        ({"name": "pay"}, True),
        ({"name": "pay", "arguments": None}, True),
        ({"name": "pay", "arguments": {}, "task": {}, "other": 1}, True),
        ({}, False),
        ({"name": 1}, False),
        ({"name": ""}, False),
        ({"name": "x" * 257}, False),
        ({"name": "pay\u202eyap"}, False),
        ({"name": "pay", "arguments": "{}"}, False),
        ({"name": "pay", "arguments": [1]}, False),
    ],
)
def test_a_tool_call_names_a_tool_and_an_object(params: dict[str, object], accepted: bool) -> None:
    found = tool_call(Request(7, "tools/call", params))  # pyright: ignore[reportArgumentType]
    assert isinstance(found, ToolCall) == accepted
    if isinstance(found, Malformed):
        assert (found.code, found.ident) == (-32602, 7)


def test_long_ids_and_methods_are_refused() -> None:
    for odd in ({"id": "x" * 257}, {"method": "x" * 129}, {"method": ""}):
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping", **odd}
        assert isinstance(read(json.dumps(body).encode(), DEFAULT), Malformed)


def test_a_message_of_more_values_than_one_may_have_is_refused_before_it_is_read() -> None:
    def asked(values: int) -> bytes:
        params = {"name": "bulk", "arguments": {"values": ["a, b"] * values}}
        return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()

    most = DEFAULT.body_nodes_max - 8  # of which the message, its members and the list itself are eight
    assert isinstance(read(asked(most), DEFAULT), Request)
    found = read(asked(most + 1), DEFAULT)
    assert isinstance(found, Malformed)
    assert (found.code, found.text) == (-32700, "json/nodes: 10001 values, more than 10000")
    # What ends amid a text has not been read at all where it is that which is told of it.
    assert read(asked(most + 1)[:-9], DEFAULT) == found
