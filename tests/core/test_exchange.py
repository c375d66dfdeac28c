"""What passes in mid-action: recorded, folded, verified."""

from remit.escalate.machine import Approval, State
from remit.facts.record import RecordKind, Ref
from remit.pdp.deltas import ApprovalClaimed, ApprovalMoved, LabelsJoined
from remit.pdp.fold import apply_approval, fold
from remit.policy.verdict import Code, Reason
from remit.trace.bodies import ExchangeBody, Passed
from remit.trace.encoding import decode_body, encode_body


def passed(what: Passed = Passed.QUESTIONS, *, approval: str | None = None) -> ExchangeBody:
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
    for what in Passed:
        body = passed(what, approval="r1-1.1")
        assert decode_body(RecordKind.EXCHANGE, encode_body(body)) == body


def test_labels_join_every_session_of_the_chain_with_the_record() -> None:
    deltas = fold(Ref("r1-1", 3), 9, RecordKind.EXCHANGE, passed())
    labels = frozenset({"untrusted", "untrusted:web"})
    assert deltas == (LabelsJoined("s1", 9, labels), LabelsJoined("s2", 9, labels))


def test_an_approval_of_responses_is_used_up_when_they_pass() -> None:
    claimed, moved = fold(Ref("r1-1", 3), 9, RecordKind.EXCHANGE, passed(Passed.RESPONSES, approval="r1-1.1"))[-2:]
    assert isinstance(claimed, ApprovalClaimed)
    assert isinstance(moved, ApprovalMoved)
    given = Approval("r1-1.1", "sha256:0", "s1", "ada", "uma", "shop", "refund", (), 1, 99, State.APPROVED)
    assert apply_approval(apply_approval(given, claimed), moved).state is State.SUCCEEDED
