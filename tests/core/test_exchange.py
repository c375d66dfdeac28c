"""What passes in mid-action: recorded, folded, verified."""

from dataclasses import replace

import pytest

from remit.escalate.machine import Approval, ApprovalState
from remit.facts.action import Action, ActionKind, Within, bound_hash
from remit.facts.agent import Authority, Link
from remit.facts.canonical import digest
from remit.facts.record import RecordKind, Ref
from remit.pdp.apply import apply_approval
from remit.pdp.deltas import ApprovalClaimed, ApprovalMoved, LabelsJoined, OriginsAdded
from remit.pdp.fold import fold
from remit.policy.verdict import Code, Reason
from remit.trace.bodies import ExchangeBody, MidCall, StoreWrite
from remit.trace.encoding import decode_body, encode_body
from remit.trace.members import Undecodable
from remit.trace.rounds import responses_hash
from remit.trace.verify import verify
from tests.core.recording import Step, action, decision, outcome, stored


def passed(what: MidCall = MidCall.QUESTIONS, *, approval: str | None = None) -> ExchangeBody:
    return ExchangeBody(
        intent="r1-1.2",
        number=1,
        passed=what,
        sids=("s1", "s2"),
        labels=("untrusted", "untrusted:web"),
        content="sha256:00",
        content_bytes=2,
        approval=approval,
        reasons=(Reason(Code.POLICY, "may be", "p", "a.cedar:1", "ada"),),
    )


def test_an_exchange_read_back_is_what_was_written() -> None:
    for what in MidCall:
        body = passed(what, approval="r1-1.1")
        assert decode_body(RecordKind.EXCHANGE, encode_body(body)) == body


def test_labels_join_every_session_of_the_chain_with_the_record() -> None:
    deltas = fold(Ref("r1-1", 3), 9, RecordKind.EXCHANGE, passed())
    labels = frozenset({"untrusted", "untrusted:web"})
    assert deltas == (LabelsJoined("s1", 9, labels), LabelsJoined("s2", 9, labels))


def test_an_approval_of_responses_is_used_up_when_they_pass() -> None:
    found = fold(Ref("r1-1", 3), 9, RecordKind.EXCHANGE, passed(MidCall.RESPONSES, approval="r1-1.1"))[-3:]
    claimed, started, moved = found
    assert isinstance(claimed, ApprovalClaimed)
    assert isinstance(started, ApprovalMoved)
    assert isinstance(moved, ApprovalMoved)
    given = Approval("r1-1.1", "sha256:0", "s1", "ada", "uma", "shop", "refund", (), 1, 99, ApprovalState.APPROVED)
    under_way = apply_approval(apply_approval(given, claimed), started)
    assert (under_way.state, apply_approval(under_way, moved).state) == (
        ApprovalState.EXECUTING,
        ApprovalState.SUCCEEDED,
    )


@pytest.mark.parametrize("intent", [b"", b"[]", b'{"kind":"call_tool"}'])
def test_what_tells_of_no_action_binds_no_responses(intent: bytes) -> None:
    assert responses_hash(intent, passed(MidCall.RESPONSES)) is None


QUESTIONS = b'{"who":{"method":"elicitation/create","params":{}}}'
RESPONSES = b'{"who":{"action":"accept","content":{"name":"ann"}}}'


def round_of(number: int, responses: bytes) -> str:
    """The hash of the action that `recording.action` tells of, going on with `responses`."""
    authority = Authority((Link("writer", "s1"),), "ana", "t1", 9_000)
    within = Within("r1-1.2", None, number, responses, QUESTIONS, bare=False)
    asked = Action(ActionKind.CALL_TOOL, "files", "write_file", b'{"path":"a"}', {"path": "a"}, authority, within)
    return asked.hash("sha256:pin")


def found_of(exchange: ExchangeBody, asked: str) -> list[str]:
    """What verification finds where `exchange` passes by an approval that was asked for as `asked`."""
    proposal = replace(action("escalate"), action=asked)
    steps = [
        Step(RecordKind.INTENT, "s1", action()),
        Step(RecordKind.PROPOSAL, "s1", proposal),
        Step(RecordKind.DECISION, "", decision("r1-1.3", proposal)),
        Step(RecordKind.EXCHANGE, "s1", exchange),
        Step(RecordKind.OUTCOME, "s1", outcome("r1-1.2")),
    ]
    return [str(finding) for finding in verify(stored("r1-1", steps)).findings]


OLDER = ExchangeBody("r1-1.2", 1, MidCall.RESPONSES, ("s1",), (), digest(RESPONSES), len(RESPONSES), "r1-1.3")
PASSED = replace(OLDER, questions=digest(QUESTIONS))


def test_responses_pass_by_an_approval_of_exactly_them() -> None:
    assert found_of(PASSED, round_of(1, RESPONSES)) == []


def test_what_was_recorded_before_questions_were_bound_still_verifies() -> None:
    older = action()
    tool = (older.server, older.name, older.pin)
    responses = digest(RESPONSES).removeprefix("sha256:")
    asked = bound_hash(older.kind, tool, older.user, older.links, older.arguments, (1, responses))
    assert found_of(OLDER, asked) == []


@pytest.mark.parametrize(
    ("exchange", "asked"),
    [
        (PASSED, action().action),
        (PASSED, round_of(2, RESPONSES)),
        (PASSED, round_of(1, b"{}")),
        (PASSED, ""),
        (OLDER, round_of(1, RESPONSES)),
        (replace(PASSED, questions=digest(b'{"who":"another question"}')), round_of(1, RESPONSES)),
        (replace(PASSED, passed=MidCall.QUESTIONS), round_of(1, RESPONSES)),
        (replace(PASSED, content=None), round_of(1, RESPONSES)),
        (replace(PASSED, number=2**60), round_of(1, RESPONSES)),
    ],
)
def test_an_approval_of_anything_else_lets_no_responses_pass(exchange: ExchangeBody, asked: str) -> None:
    [found] = found_of(exchange, asked)
    assert found == "r1-1.5: approval-binds-exact-action: r1-1.3 was not approved for it"


INTENT = Step(RecordKind.INTENT, "s1", action(source=("untrusted:web",), links=(("writer", "s1"), ("sub", "s2"))))


def said(**changes: object) -> list[str]:
    """What verification says of one exchange within an intent in two sessions."""
    body = replace(passed(), **{"intent": "r1-1.2", **changes})
    return [str(one) for one in verify(stored("r1-1", [INTENT, Step(RecordKind.EXCHANGE, "s2", body)])).findings]


def test_verification_wants_an_intent_its_labels_its_sessions_and_its_own_approval() -> None:
    assert said() == []
    assert said(passed=MidCall.RESPONSES, labels=()) == [], "what the client says brings none"
    assert "no intent under way" in said(intent="r1-1.9")[0]
    for changes in ({"labels": ("untrusted",)}, {"labels": ()}, {"sids": ("s1",)}):
        (found,) = said(**changes)
        assert "label-before-data" in found
    (found,) = said(passed=MidCall.RESPONSES, approval="r1-1.1")
    assert "r1-1.1 was not approved for it" in found


def test_responses_without_an_approval_change_no_state() -> None:
    assert fold(Ref("r1-1", 3), 9, RecordKind.EXCHANGE, replace(passed(MidCall.RESPONSES), labels=())) == ()


def test_what_a_server_says_and_what_responses_store_are_read_back() -> None:
    kept = StoreWrite(("files:a",), ("untrusted",))
    for body in (
        passed(),
        replace(passed(), stored=kept),
        replace(passed(), origins="AAEC"),
        replace(passed(), stored=kept, origins="AAEC"),
        replace(passed(), questions="sha256:00"),
        replace(passed(), stored=kept, questions="sha256:00"),
    ):
        assert decode_body(RecordKind.EXCHANGE, encode_body(body)) == body
    bare = replace(passed(), origins="AAEC", sids=())
    added = [one for one in fold(Ref("r1-1", 4), 7, RecordKind.EXCHANGE, bare) if isinstance(one, OriginsAdded)]
    assert added == []
    told = replace(passed(), origins="AAEC")
    assert fold(Ref("r1-1", 4), 7, RecordKind.EXCHANGE, told)[-1] == OriginsAdded(Ref("r1-1", 4), told.sids[0])
    with pytest.raises(Undecodable):
        decode_body(RecordKind.EXCHANGE, encode_body(passed())[:-1] + b",null]")
