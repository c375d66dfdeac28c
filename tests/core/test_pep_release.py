"""The funnel: what an upstream wrote leaves in known members only, or not at all."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.tool import Definition, Effect, Sink, Tool
from remit.pep.answer import Awaiting, Refused, Released, listed
from remit.pep.mcp import rpc
from remit.pep.mcp.asks import CallTool
from remit.pep.mcp.dispatcher import protocol_answer
from remit.pep.mcp.refusals import result_of
from remit.pep.message_filter import show_contents, show_ended, show_list
from remit.pep.release import PARTS_MAX, UNKNOWN, clean, in_words_of, seal, too_long, too_many, withheld
from remit.policy.verdict import Code, Gate, Reason
from remit.ports.upstream import Era, Failure, Offer, Result
from remit.trace.bodies import Status

CALL = CallTool("shop", "pay", {}, b"{}")
KEYS = st.sampled_from(
    ["type", "text", "data", "mimeType", "uri", "name", "resource", "blob", "_meta", "annotations", "icons", "extra"]
)
KINDS = st.sampled_from(["text", "image", "audio", "resource", "resource_link", "hologram"])
BLOCK = st.dictionaries(KEYS, st.text(max_size=5) | st.dictionaries(KEYS, st.text(max_size=3)) | KINDS)
VALUE = st.dictionaries(
    st.sampled_from(["content", "structuredContent", "isError", "_meta", "resultType", "requestState", "x"]),
    st.lists(BLOCK, max_size=3) | st.text(max_size=3) | st.none(),
)


def members(value: object) -> set[str]:
    found: set[str] = set()
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            found |= item.keys()  # pyright: ignore[reportUnknownArgumentType,reportUnknownMemberType]
            stack.extend(item.values())  # pyright: ignore[reportUnknownArgumentType,reportUnknownMemberType]
        elif isinstance(item, list):
            stack.extend(item)  # pyright: ignore[reportUnknownArgumentType]
    return found


@given(VALUE, st.booleans())
def test_only_known_members_leave(value: dict[str, Any], is_error: bool) -> None:
    shown = clean(Result(value, is_error))
    assert shown.value.keys() <= {"content", "structuredContent", "isError"}
    data = seal(shown.value)
    assert data is not None
    result = json.loads(data)
    assert isinstance(result["content"], list)
    assert not members(result["content"]) & {"_meta", "icons", "extra", "x"}
    if shown.error is not None:
        assert result["isError"] is True
        assert shown.status is Status.LOST
    else:
        assert ("isError" in result) == is_error
        assert len(result["content"]) == len(value["content"])


def test_each_kind_of_block_keeps_its_own_members() -> None:
    blocks: list[Any] = [
        {"type": "text", "text": "hi", "_meta": {"x": 1}, "annotations": {"audience": ["user"], "x": 1}},
        {"type": "image", "data": "AA==", "mimeType": "image/png", "text": "aside"},
        {"type": "resource", "resource": {"uri": "a:b", "text": "t", "_meta": {}, "evil": 1}, "_meta": {}},
        {"type": "resource_link", "uri": "a:b", "name": "n", "icons": [{"src": "http://x"}]},
    ]
    shown = clean(Result({"content": blocks, "structuredContent": {"a": 1}, "_meta": {"y": 2}}, is_error=False))
    assert shown.status is Status.OK
    assert shown.value == {
        "content": [
            {"type": "text", "annotations": {"audience": ["user"]}, "text": "hi"},
            {"type": "image", "data": "AA==", "mimeType": "image/png"},
            {"type": "resource", "resource": {"uri": "a:b", "text": "t"}},
            {"type": "resource_link", "uri": "a:b", "name": "n"},
        ],
        "structuredContent": {"a": 1},
    }


def test_what_counts_bytes_or_weighs_has_a_number_that_every_reader_has() -> None:
    link: dict[str, Any] = {"type": "resource_link", "uri": "a:b", "name": "n"}
    for size, kept in ((7, {"size": 7}), (2**53, {}), (True, {}), (0.5, {})):
        shown = clean(Result({"content": [{**link, "size": size}]}, is_error=False))
        assert shown.value == {"content": [{**link, **kept}]}
    heavy = Result({"content": [{**link, "annotations": {"priority": 2**64}}]}, is_error=False)
    assert clean(heavy).status is Status.LOST


def test_null_is_as_if_absent() -> None:
    """Many servers write what they leave out so, and clients take it."""
    blocks: list[Any] = [
        {"type": "text", "text": "hi", "annotations": None},
        {"type": "text", "text": "hi", "annotations": {"audience": None, "priority": 1}},
        {"type": "resource_link", "uri": "a:b", "name": "n", "title": None, "mimeType": None, "size": None},
        {"type": "resource", "resource": {"uri": "a:b", "text": "t", "mimeType": None}},
    ]
    assert clean(Result({"content": blocks}, is_error=False)).value == {
        "content": [
            {"type": "text", "text": "hi"},
            {"type": "text", "text": "hi", "annotations": {"priority": 1}},
            {"type": "resource_link", "uri": "a:b", "name": "n"},
            {"type": "resource", "resource": {"uri": "a:b", "text": "t"}},
        ]
    }
    content: Any = {"uri": "a:b", "text": "t", "mimeType": None}
    assert show_contents(Result({"contents": [content]}, is_error=False)).value == {
        "contents": [{"uri": "a:b", "text": "t"}]
    }
    prompt: Any = {"name": "p", "description": None, "arguments": None}
    shown = show_list(Offer.PROMPTS, Result({"prompts": [prompt]}, is_error=False))
    assert shown.value == {"prompts": [{"name": "p"}]}
    resource: Any = {"uri": "a:b", "name": "n", "title": None, "annotations": None}
    shown = show_list(Offer.RESOURCES, Result({"resources": [resource]}, is_error=False))
    assert shown.value == {"resources": [{"uri": "a:b", "name": "n"}]}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"content": [], "structuredContent": {"a": 1}}, {"content": [], "structuredContent": {"a": 1}}),
        ({"content": []}, {"content": []}),
        ({"content": [], "structuredContent": [1]}, {"content": [{"type": "text", "text": "[1]"}]}),
        ({"content": ["there"], "structuredContent": None}, {"content": ["there"]}),
        ({"content": [], "structuredContent": ["\ud800"]}, {"content": []}),
    ],
)
def test_structured_content_of_2025_is_an_object(value: dict[str, Any], told: dict[str, Any]) -> None:
    reply = Result(value, is_error=False)
    assert in_words_of(Era.INITIALIZE, reply) == Result(told, is_error=False)
    assert in_words_of(Era.STATELESS, reply) is reply
    failure = Failure("timeout", "late", sent=True)
    assert in_words_of(Era.INITIALIZE, failure) is failure


@pytest.mark.parametrize("kind", ["array", ["object", "null"], None])
def test_an_output_schema_of_2025_is_of_objects(kind: Any) -> None:
    odd, usual = (Definition("t", "", {}, {"type": one}, {}) for one in (kind, "object"))
    for one, era, there in ((odd, Era.INITIALIZE, False), (odd, Era.STATELESS, True), (usual, Era.INITIALIZE, True)):
        tool = Tool("shop", one, one.pin(), Effect.READ, Sink.NONE, frozenset[str](), catalogued=True)
        assert ("outputSchema" in listed(tool, era, exposed=False)) == there


@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (Failure("timeout", "late", sent=True), Status.TIMEOUT),
        (Failure("timeout", "late", sent=False), Status.NOT_SENT),
        (Failure("disconnected", "gone", sent=True), Status.LOST),
        (Failure("garbage", "odd", sent=True), Status.LOST),
        (Failure("too_large", "big", sent=True), Status.LOST),
        (Failure("never heard of", "odd", sent=True), Status.LOST),
        (Failure("error", "no", sent=True, upstream_text="x" * 9_000), Status.UPSTREAM_ERROR),
        (Failure("error", "malformed", sent=True), Status.UPSTREAM_ERROR),
        (Failure("refused", "HTTP 504", sent=True, upstream_text="<html>"), Status.UPSTREAM_ERROR),
        (Failure("redirected", "HTTP 303", sent=True, upstream_text="/done"), Status.UPSTREAM_ERROR),
    ],
)
def test_a_failure_is_an_error_in_our_words(failure: Failure, status: Status) -> None:
    shown = clean(failure)
    assert (shown.status, shown.error) == (status, failure.text)
    data = seal(shown.value)
    assert data is not None
    assert len(data) < 3_000
    # Only a server's own words say no; where there are none, its call may have taken effect.
    unknown = "" if failure.text == "no" or not failure.sent else f"\n{UNKNOWN}"
    assert json.loads(data)["content"][0]["text"] == failure.text + unknown
    ended = show_ended(failure).failed
    assert ended is not None
    assert ended[1] == failure.text + unknown


def test_what_is_withheld_of_a_call_says_that_it_may_have_taken_effect() -> None:
    whole = clean(Result({"content": []}, is_error=False))
    for shown in (
        clean(Result({"content": "none"}, is_error=False)),
        show_ended(Result({"content": "none"}, is_error=False)),
        withheld("it is odd"),
        too_long(whole, 9, 8, call=True),
        too_many(whole, call=True),
    ):
        [part] = cast("Any", shown.value)["content"]
        assert part["text"] == f"{shown.error}\n{UNKNOWN}"
    assert too_many(whole, call=False).failed == (rpc.INTERNAL_ERROR, too_many(whole, call=False).error)


def test_a_result_of_too_many_parts_is_withheld_unread() -> None:
    block = {"type": "text", "text": "x"}
    assert clean(Result({"content": [block] * PARTS_MAX}, is_error=False)).status is Status.OK
    shown = clean(Result({"content": [block] * (PARTS_MAX + 1)}, is_error=False))
    assert (shown.status, shown.error) == (
        Status.LOST,
        "the tool's result is withheld: it has more than 10,000 content blocks",
    )
    contents = [{"uri": "a:b", "text": "x"}] * (PARTS_MAX + 1)
    assert show_contents(Result({"contents": contents}, is_error=False)).status is Status.LOST


def test_what_has_no_json_form_is_not_sealed() -> None:
    assert seal({"x": "\ud800"}) is None
    assert seal({"x": 2**70}) == b'{"x":1180591620717411303424}'
    assert seal(withheld("it is odd").value) is not None


def test_the_words_of_a_refusal_name_policy_reason_and_what_next() -> None:
    reasons = (
        Reason(Code.POLICY, "not to strangers", "no-strangers", "a.cedar:3"),
        Reason(Code.TOOL_DRIFTED, "it changed"),
    )
    told = json.loads(result_of(Refused(reasons, "r1-1.7")))
    assert told["isError"] is True
    assert told["content"][0]["text"].splitlines() == [
        "Remit did not allow this call.",
        "Reason: not to strangers [forbidden by policy no-strangers, a.cedar:3]",
        "Reason: it changed [tool/drifted]",
        "Decision r1-1.7. The people you act for see why with: remit why r1-1.7",
    ]
    assert "remit why" not in result_of(Refused(reasons, None)).decode()


def test_what_was_sent_before_it_was_stopped_is_not_said_to_be_not_allowed() -> None:
    stop = Reason(Code.HALTED, "server shop was stopped by ann")
    first, *_ = json.loads(result_of(Refused((stop,), "r1-1.7", sent=True)))["content"][0]["text"].splitlines()
    assert first == (
        "Remit stopped this call after it was sent: it may have taken effect. "
        "Do not repeat it before somebody has looked."
    )


def test_a_refusal_says_what_speaks_against_the_call_and_nothing_else() -> None:
    permit = Reason(Code.POLICY, "clerks may use the bank", "clerks-bank", "a.cedar:1")
    forbid = Reason(Code.POLICY, "no secrets", "no-secrets", "a.cedar:5")
    gate = Reason(Code.GATE, "a fourth waits for an owner", "fourth", "a.cedar:9")
    granted = Reason(Code.GATE, "lifted by the grant r1-1.2 of ann")
    guarantee = Reason(Code.GUARANTEE, "the guarantee duties: another of the duties", where="guarantee/duties")
    no = Reason(Code.APPROVAL_REFUSED, "refused by ann")
    late = Reason(Code.GATE, "people were asked and nobody decided in time")
    often = Reason(Code.APPROVAL_TOO_OFTEN, "clerk asked too often")
    odd = Reason(Code.ROUND_REFUSED, "its answers were not permitted")
    for reasons, shown in (
        ((guarantee, permit), (guarantee,)),
        ((guarantee, gate, permit, granted), (guarantee,)),
        ((no, gate, permit), (no,)),
        ((late, gate, permit), (late,)),
        ((gate, permit, often), (gate, often)),
        ((forbid, gate), (forbid,)),
        ((odd, forbid, gate), (odd, forbid)),
        ((gate,), (gate,)),
        ((), ()),
    ):
        text = json.loads(result_of(Refused(reasons, None)))["content"][0]["text"]
        told = [line.removeprefix("Reason: ").rpartition(" [")[0] for line in text.splitlines()[1:]]
        assert told == [reason.text for reason in shown]


def test_the_words_of_a_pending_approval_name_the_route() -> None:
    gates = (Gate("big", "finance", "h"), Gate("odd", "legal", "h"))
    reasons = (Reason(Code.GATE, "over 100", "big", "a.cedar:9"), Reason(Code.POLICY, "may shop", "may", "a.cedar:1"))
    text = json.loads(result_of(Awaiting("r1-1.8", gates, reasons)))["content"][0]["text"]
    assert "route finance, legal" in text
    assert "over 100 [held by gate big, a.cedar:9]" in text
    assert "may shop" not in text
    assert text.endswith("remit approvals show r1-1.8")


def test_released_bytes_are_embedded_as_they_are() -> None:
    data = b'{"content":[]}'
    assert protocol_answer(CALL, Released(data), Era.STATELESS) is data
    whole = json.loads(rpc.result("a\n", rpc.stateless(data)))
    assert whole["id"] == "a\n"
    assert whole["result"]["resultType"] == "complete"
    assert whole["result"]["content"] == []
    assert rpc.event(b"{}") == b"event: message\ndata: {}\n\n"
    assert json.loads(rpc.error(None, -32600, "no", {"a": 1})) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32600, "message": "no", "data": {"a": 1}},
    }
