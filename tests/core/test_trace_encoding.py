"""The encoding: what was written is read back, arguments byte for byte, and nothing else is read."""

from dataclasses import replace
from types import MappingProxyType

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.budget import Charge, Refund
from remit.facts.mark import Mark, MarkOp
from remit.facts.record import Record, RecordKind
from remit.trace.bodies import AdminBody, Body, Event, StoreWrite
from remit.trace.encoding import (
    Unencodable,
    decode_body,
    decode_record,
    encode_body,
    encode_record,
)
from remit.trace.glance import Acted, acted, glance
from remit.trace.members import Undecodable
from tests.core import recording
from tests.core.recording import ENTRIES, INTEGERS, TEXT, action, decision, outcome

RECORDS = st.builds(
    Record,
    chain=TEXT,
    seq=INTEGERS,
    prev=TEXT,
    kind=st.sampled_from(RecordKind),
    at=INTEGERS,
    bundle=TEXT,
    sid=TEXT,
    commitment=TEXT,
)
KINDS = {
    RecordKind.INTENT: action(),
    RecordKind.PROPOSAL: action("escalate"),
    RecordKind.OUTCOME: outcome("r1-1.2"),
    RecordKind.DECISION: decision("r1-1.2", action()),
    RecordKind.ADMIN: AdminBody(Event.BUNDLE, "ana", "sha256:b", {"files": 3}),
}


@given(ENTRIES)
def test_body_is_read_back_as_it_was(entry: tuple[RecordKind, Body]) -> None:
    kind, body = entry
    assert decode_body(kind, encode_body(body)) == body


@given(RECORDS)
def test_record_is_read_back_as_it_was(record: Record) -> None:
    assert decode_record(encode_record(record)) == record


@given(recording.JSON)
def test_body_holds_the_very_bytes_of_the_arguments(value: recording.Json) -> None:
    # Not canonical on purpose: what stands there is what was judged, not what we would write.
    spaced = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    data = encode_body(action(arguments=b"{}"))
    body = replace(action(), arguments=spaced)
    assert spaced in encode_body(body)
    assert decode_body(RecordKind.INTENT, encode_body(body)) == body
    assert decode_body(RecordKind.INTENT, data) == action(arguments=b"{}")


def test_form_of_a_record_is_frozen() -> None:
    record = Record("r1-1", 2, "aa", RecordKind.INTENT, 3, "sha256:b", "s1", "cc")
    assert encode_record(record) == b'["r1-1",2,"aa","intent",3,"sha256:b","s1","cc"]'


def test_form_of_each_body_is_frozen() -> None:
    assert encode_body(action(name="read")) == (
        b'["sha256:read:{\\"path\\":\\"a\\"}","call_tool","files","read","sha256:pin","ana",[["writer","s1"]],"t1",'
        b'"permit",null,[["policy","because","p1",null,null]],[],[],null,null,false,[],[],{},12,{"path":"a"}]'
    )
    stored = encode_body(action(name="read", stored=StoreWrite(("files:a",), ("untrusted",))))
    assert stored.endswith(b',[],[],{},null,[["files:a"],["untrusted"]],12,{"path":"a"}]')
    reached = encode_body(action(name="read", reaches=("address",)))
    assert reached.endswith(b',[],[],{},null,null,[],null,["address"],12,{"path":"a"}]')
    charged = action(name="read", charges=(Charge("few calls 60 fleet:", 0, 1, 3),))
    assert encode_body(charged).endswith(b',{},null,null,[],null,[],[["few calls 60 fleet:",0,1,3]],12,{"path":"a"}]')
    assert decode_body(RecordKind.INTENT, encode_body(charged)) == charged
    for origins in (None, "AAEC"):
        refunded = replace(outcome("r1-1.2"), origins=origins, refunds=(Refund("few calls 60 fleet:", 0, 1),))
        assert encode_body(refunded).endswith(b',[["few calls 60 fleet:",0,1]]]')
        assert decode_body(RecordKind.OUTCOME, encode_body(refunded)) == refunded
    granted = encode_body(action(name="read", grants=("r7f3-1.9",)))
    assert granted.endswith(b',[],[],{},null,null,["r7f3-1.9"],12,{"path":"a"}]')
    indexed = encode_body(replace(outcome("r1-1.2"), origins="AAEC"))
    assert indexed == b'["r1-1.2","ok",["s1"],[],null,"sha256:result",10,1.5,null,"AAEC"]'
    assert encode_body(outcome("r1-1.2")) == (b'["r1-1.2","ok",["s1"],[],null,"sha256:result",10,1.5,null]')
    assert encode_body(decision("r1-1.2", action(name="read", arguments=b"1"))) == (
        b'["r1-1.2","sha256:read:1","bea","approve",["leads"],null,true]'
    )
    assert encode_body(AdminBody(Event.BUNDLE, "ana", "b1", MappingProxyType({"n": 1}))) == (
        b'["bundle","ana","b1",{"n":1}]'
    )


@pytest.mark.parametrize("value", ["\ud800", 2**64, b"bytes", object()])
def test_body_without_an_encoding_is_refused(value: object) -> None:
    with pytest.raises(Unencodable, match="cannot be recorded"):
        encode_body(action(context={"value": value}))
    with pytest.raises(Unencodable):
        encode_body(AdminBody(Event.BUNDLE, "ana", "b1", {"value": value}))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("kind", list(KINDS))
def test_body_with_a_member_more_or_less_is_refused(kind: RecordKind) -> None:
    members = orjson.loads(encode_body(KINDS[kind]))
    for changed in (members[:-1], [*members, None], {"a": 1}, None):
        with pytest.raises(Undecodable):
            decode_body(kind, orjson.dumps(changed))


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("wrong", [True, 1, "text", [["x"]], [1], {}, None], ids=repr)
def test_body_with_a_member_of_another_type_is_refused_or_means_itself(kind: RecordKind, wrong: object) -> None:
    members = orjson.loads(encode_body(KINDS[kind]))
    for place in range(len(members)):
        changed = orjson.dumps([*members[:place], wrong, *members[place + 1 :]])
        try:
            body = decode_body(kind, changed)
        except Undecodable:
            continue
        assert encode_body(body) == changed or body == KINDS[kind]


@pytest.mark.parametrize("data", [b"", b"[", b"\xff", b"{}", b"[1,2]", b"null"])
def test_bytes_that_are_no_record_are_refused(data: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_record(data)


@pytest.mark.parametrize(
    "data",
    [
        b'["r1-1",2,"aa","wish",3,"","s1","cc"]',
        b'["r1-1",true,"aa","intent",3,"","s1","cc"]',
        b'[1,2,"aa","intent",3,"","s1","cc"]',
    ],
)
def test_record_with_a_wrong_member_is_refused(data: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_record(data)


def test_exchange_is_not_known_yet() -> None:
    with pytest.raises(Undecodable, match="exchange"):
        decode_body(RecordKind.EXCHANGE, b"[]")


def test_arguments_that_are_not_where_their_length_says_are_refused() -> None:
    data = encode_body(action(arguments=b"[12]"))
    for wrong in (b",5,", b",3,", b",-1,", b",999,"):
        with pytest.raises(Undecodable):
            decode_body(RecordKind.INTENT, data.replace(b",4,", wrong))


def test_an_action_of_the_first_version_reads_as_one_without_a_trace() -> None:
    body = action(trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    now = encode_body(body)
    assert decode_body(RecordKind.INTENT, now) == body
    then = now.replace(orjson.dumps(body.trace) + b",", b"", 1)
    assert decode_body(RecordKind.INTENT, then) == replace(body, trace=None)
    assert encode_body(replace(body, trace=None)) == then
    assert glance(then).source == glance(now).source
    agents = tuple(agent for agent, _ in body.links)
    assert acted(now) == Acted(body.kind, body.server, body.name, agents, body.trace)
    assert acted(then) == acted(now)._replace(trace=None)
    members = orjson.loads(now)
    for odd in (members[:-1][:20], [*members, 1]):
        with pytest.raises(Undecodable):
            decode_body(RecordKind.INTENT, orjson.dumps(odd))


def test_marks_of_intents_and_outcomes_are_read_back_and_odd_ones_refused() -> None:
    marks = (Mark("m", True, 0, "k", MarkOp.ADD, 5), Mark("m", False, 1, "", MarkOp.LAST, 6, 1, 60, 2, "ada", "uma"))
    told = replace(recording.action(), marks=marks, said="because")
    assert decode_body(RecordKind.INTENT, encode_body(told)) == told
    ended = replace(recording.outcome("r1-1.2"), marks=marks)
    data = encode_body(ended)
    assert decode_body(RecordKind.OUTCOME, data) == ended
    # What was written before marks said for whom their room is.
    assert decode_body(RecordKind.OUTCOME, data.replace(b',""]', b"]")) == ended
    for right, wrong in ((b'"m",true,0', b'"m",3,0'), (b'"add"', b'"odd"'), (b'"m",true,0', b'"m",true')):
        assert right in data
        with pytest.raises(Undecodable):
            decode_body(RecordKind.OUTCOME, data.replace(right, wrong))
