"""Chains and their verification: a clean ledger has no findings, and each broken law has its own.

INVARIANT(chain-links), INVARIANT(bundle-in-every-record), INVARIANT(intent-before-effect), INVARIANT(label-before-data)
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from remit.facts.budget import Charge, Refund
from remit.facts.canonical import Json
from remit.facts.record import RecordKind, Ref
from remit.trace.bodies import UNANSWERED, AdminBody, Choice, DecisionBody, Event, Status
from remit.trace.chain import SALT_BYTES, chain_name, commitment, genesis, parts, record_hash
from remit.trace.encoding import decode_record, encode_body, encode_record
from remit.trace.links import LedgerFinding, LedgerRow, check_links
from remit.trace.report import Report
from remit.trace.verify import FINDINGS_MAX, Verifier, verify
from tests.core.recording import BUNDLE, SALT, Step, action, decision, outcome, stored

CHAIN = "r7f3-1"
INTENT = RecordKind.INTENT
PROPOSAL = RecordKind.PROPOSAL
OUTCOME = RecordKind.OUTCOME
DECISION = RecordKind.DECISION
ADMIN = RecordKind.ADMIN
WEB = ("untrusted:web",)


def findings(steps: Sequence[Step]) -> list[str]:
    return [str(finding) for finding in verify(stored(CHAIN, steps)).findings]


def intent_and_outcome() -> list[Step]:
    return [
        Step(INTENT, "s1", action(source=WEB)),
        Step(OUTCOME, "s1", outcome(f"{CHAIN}.2", labels=WEB)),
    ]


def approved() -> list[Step]:
    asked = action("escalate")
    return [
        Step(PROPOSAL, "s1", asked),
        Step(DECISION, "", decision(f"{CHAIN}.2", asked)),
        Step(INTENT, "s1", action(approval=f"{CHAIN}.2")),
        Step(OUTCOME, "s1", outcome(f"{CHAIN}.4", approval=f"{CHAIN}.2")),
    ]


def head_of(rows: Sequence[LedgerRow]) -> dict[str, str | int]:
    last = rows[-1]
    return {"chain": last.ref.chain, "seq": last.ref.seq, "hash": last.hash.hex()}


def test_commitment_and_hash_are_sha256_over_the_stored_bytes() -> None:
    assert commitment(SALT, b"body") == hashlib.sha256(SALT + b"body").hexdigest()
    assert record_hash(b"record") == hashlib.sha256(b"record").digest()
    assert len(SALT) == SALT_BYTES
    assert genesis("r1-1") != genesis("r1-2")


def test_chain_names() -> None:
    assert chain_name("r7f3", 12) == "r7f3-12"
    assert parts("r7f3-12") == ("r7f3", 12)
    for wrong in ("r7f3", "R-1", "r-0", "r-1-2", ""):
        with pytest.raises(ValueError, match="not a chain"):
            parts(wrong)
    with pytest.raises(ValueError, match="not a chain"):
        chain_name("r7f3", 0)


def test_clean_ledger_has_no_findings_and_is_counted() -> None:
    rows = stored(CHAIN, [*intent_and_outcome(), Step(INTENT, "s1", action())])
    report = verify(rows)
    assert report == Report(
        records=4,
        chains=1,
        erased=0,
        intents=2,
        outcomes=1,
        open=(Ref(CHAIN, 4),),
        in_doubt=(),
        heads=(report.heads[0],),
        findings=(),
    )
    assert report.clean
    assert report.heads[0].ref == Ref(CHAIN, 4)
    assert report.heads[0].hash == rows[-1].hash.hex()


def test_approved_call_is_clean() -> None:
    assert findings(approved()) == []


def test_open_intent_of_an_earlier_epoch_is_in_doubt() -> None:
    first = stored(CHAIN, [Step(INTENT, "s1", action())])
    second = stored("r7f3-2", [Step(INTENT, "s1", action())], heads=[head_of(first)])
    report = verify([*first, *second])
    assert report.clean
    assert report.in_doubt == (Ref(CHAIN, 2),)
    assert report.open == (Ref("r7f3-2", 2),)


def settled(ident: str) -> Step:
    return Step(ADMIN, "", AdminBody(Event.INTENT_SETTLED, "user:ana", ident, {"happened": True, "why": "seen"}))


def test_a_person_settles_what_is_in_doubt_and_nothing_else() -> None:
    first = stored(CHAIN, [Step(INTENT, "s1", action())])
    heads = [head_of(first)]
    report = verify([*first, *stored("r7f3-2", [settled(f"{CHAIN}.2")], heads=heads)])
    assert (report.clean, report.in_doubt) == (True, ())
    for wrong in (
        [Step(INTENT, "s1", action()), settled("r7f3-2.2")],
        [settled(f"{CHAIN}.9")],
        [settled(f"{CHAIN}.2"), settled(f"{CHAIN}.2")],
    ):
        report = verify([*first, *stored("r7f3-2", wrong, heads=heads)])
        [finding] = report.findings
        assert "was not in doubt" in str(finding)
    back = settled(f"{CHAIN}.2")
    assert isinstance(back.body, AdminBody)
    much = replace(back, body=replace(back.body, data={"happened": False, "refunds": [["few", 0, 9]]}))
    [finding] = verify([*first, *stored("r7f3-2", [much], heads=heads)]).findings
    assert (finding.invariant, "did not take" in str(finding)) == ("budget-never-overspent", True)
    other = stored("r8-2", [settled(f"{CHAIN}.2")])
    assert any("was not in doubt" in str(one) for one in verify([*first, *other]).findings)


def test_what_no_answer_of_its_tool_ended_is_settled_once_and_gives_back_what_is_left() -> None:
    taken = (Charge("few tokens 60 fleet:", 0, 9, 20),)
    ended = replace(outcome(f"{CHAIN}.2", result=None), refunds=(Refund("few tokens 60 fleet:", 0, 4),))

    def told(status: Status, *further: Step) -> list[str]:
        sent = [Step(INTENT, "s1", action(charges=taken)), Step(OUTCOME, "s1", replace(ended, status=status))]
        return findings([*sent, *further])

    def back(units: int) -> Step:
        step = settled(f"{CHAIN}.2")
        assert isinstance(step.body, AdminBody)
        data: dict[str, Json] = {"happened": False, "refunds": [["few tokens 60 fleet:", 0, units]]}
        return replace(step, body=replace(step.body, data=data))

    spent = UNANSWERED | {Status.TOOL_ERROR}
    for status in spent:
        assert told(status, back(5)) == []
        [finding] = told(status, back(6))
        assert "is given back 6 that its intent did not take" in finding
        [finding] = told(status, back(5), back(5))
        assert "was not in doubt" in finding
    for status in set(Status) - spent:
        [finding] = told(status, back(5))
        assert "was not in doubt" in finding
    ended = replace(ended, refunds=(Refund("few tokens 60 fleet:", 0, 9),))
    [finding] = told(Status.TOOL_ERROR, back(0))
    assert "was not in doubt" in finding, "no budget holds anything of it"


def erased(row: LedgerRow) -> LedgerRow:
    return replace(row, salt=None, body=None)


def test_body_that_is_gone_is_counted_and_found_while_no_record_says_that_it_was_erased() -> None:
    rows = stored(CHAIN, [Step(PROPOSAL, "s1", action("deny"))])
    report = verify([rows[0], erased(rows[1])])
    assert report.erased == 1
    assert [str(item) for item in report.findings] == [
        f"{CHAIN}.2: chain-links: its body is gone, and no record says that it was erased"
    ]


def test_salt_that_is_gone_is_found() -> None:
    rows = stored(CHAIN, [])
    assert "its body commits to" in str(verify([replace(rows[0], salt=None)]).findings[0])


def test_erased_epoch_hides_neither_a_cut_tail_nor_a_missing_epoch() -> None:
    first = stored(CHAIN, [Step(PROPOSAL, "s1", action("deny"))])
    second = stored("r7f3-2", [], heads=[head_of(first)])
    hidden = erased(second[0])
    begins = "r7f3-2.1: chain-links: the first record of its chain does not begin an epoch"
    assert [str(item) for item in verify([*first[:-1], hidden]).findings] == [begins]
    assert [str(item) for item in verify([hidden]).findings] == [
        "r7f3-2.1: chain-links: it begins epoch 2 of r7f3, expected here is epoch 1",
        begins,
    ]


def test_epoch_after_an_unreadable_one_still_names_its_end() -> None:
    first = stored(CHAIN, [])
    second = stored("r7f3-2", [], heads=[head_of(first)])
    third = stored("r7f3-3", [], heads=[head_of(second)])
    found = verify([*first, erased(second[0]), *third]).findings
    assert [str(item.ref) for item in found] == ["r7f3-2.1"]


def test_epochs_of_each_replica_are_counted_by_themselves() -> None:
    assert verify([*stored(CHAIN, []), *stored("r8a1-1", [])]).clean
    assert "expected here is epoch 1" in str(verify([*stored(CHAIN, []), *stored("r8a1-2", [])]).findings[0])


def resealed(row: LedgerRow, **changes: object) -> LedgerRow:
    """`row` with members of its record changed by someone who knows how to hash."""
    data = encode_record(replace(decode_record(row.record), **changes))  # pyright: ignore[reportArgumentType]
    return replace(row, record=data, hash=record_hash(data))


def rebodied(row: LedgerRow) -> LedgerRow:
    return replace(row, body=encode_body(action("permit", name="delete_all")))


CHANGES: list[tuple[Callable[[LedgerRow], LedgerRow], str]] = [
    (lambda row: replace(row, record=row.record.replace(b'"s1"', b'"s2"')), "its bytes hash to"),
    (lambda row: replace(row, hash=bytes(32)), "its bytes hash to"),
    (lambda row: resealed(row, seq=7), "its bytes say that it is r7f3-1.7"),
    (lambda row: resealed(row, chain="r7f3-2"), "its bytes say that it is r7f3-2.2"),
    (lambda row: resealed(row, prev="0" * 64), "its prev is 0000"),
    (lambda row: resealed(row, commitment="0" * 64), "its body commits to"),
    (rebodied, "its body commits to"),
    (lambda row: replace(row, salt=bytes(SALT_BYTES)), "its body commits to"),
    (lambda row: replace(row, record=b"[]", hash=record_hash(b"[]")), "it cannot be read"),
    (lambda row: resealed(row, bundle=""), "bundle-in-every-record: it names no bundle"),
]


@pytest.mark.parametrize(("change", "what"), CHANGES, ids=[str(number) for number in range(len(CHANGES))])
def test_changed_record_is_found_where_it_stands(change: Callable[[LedgerRow], LedgerRow], what: str) -> None:
    rows = stored(CHAIN, [*intent_and_outcome(), Step(INTENT, "s1", action())])
    rows[1] = change(rows[1])
    found = [str(finding) for finding in verify(rows).findings]
    assert any(text.startswith(f"{CHAIN}.2: ") and what in text for text in found), found


def test_resealed_record_breaks_the_next_link() -> None:
    rows = stored(CHAIN, intent_and_outcome())
    rows[1] = resealed(rows[1], at=5)
    found = [str(finding) for finding in verify(rows).findings]
    assert len(found) == 1
    assert found[0].startswith(f"{CHAIN}.3: chain-links: its prev is ")


def test_body_that_is_no_body_of_its_kind_is_found() -> None:
    rows = stored(CHAIN, [Step(OUTCOME, "s1", action())])
    assert "its body cannot be read" in str(verify(rows).findings[0])


def test_missing_record_is_found() -> None:
    rows = stored(CHAIN, [Step(PROPOSAL, "s1", action("deny"))] * 3)
    del rows[2]
    found = [str(finding) for finding in verify(rows).findings]
    assert found[0] == f"{CHAIN}.4: chain-links: expected here is seq 3"
    assert "its prev is" in found[1]


def test_missing_epoch_is_found() -> None:
    rows = stored(CHAIN, [Step(PROPOSAL, "s1", action("deny"))])
    found = [str(finding) for finding in verify(rows[1:]).findings]
    assert f"{CHAIN}.2: chain-links: expected here is seq 1" in found


def test_chain_without_an_epoch_record_is_found() -> None:
    rows = stored(CHAIN, [])
    body = encode_body(AdminBody(Event.BUNDLE, "ana", "b1"))
    rows[0] = resealed(replace(rows[0], body=body), commitment=commitment(SALT, body))
    assert "does not begin an epoch" in str(verify(rows).findings[0])


def test_epoch_of_another_chain_is_found() -> None:
    rows = stored("r7f3-2", [])
    moved = [resealed(replace(rows[0], ref=Ref("r7f3-3", 1)), chain="r7f3-3", prev=genesis("r7f3-3"))]
    assert any("it begins another epoch: 'r7f3-2'" in str(item) for item in verify(moved).findings)


def test_epoch_that_names_another_end_is_found() -> None:
    first = stored(CHAIN, [Step(PROPOSAL, "s1", action("deny"))])
    truncated = first[:-1]
    second = stored("r7f3-2", [], heads=[head_of(first)])
    assert verify([*first, *second]).clean
    found = str(verify([*truncated, *second]).findings[0])
    assert "does not name the end of the epoch before" in found
    assert "which is r7f3-1.1" in found
    lone = stored("r7f3-2", [], heads=[head_of(first)])
    assert "which is none" in str(verify(lone).findings[1])


def test_epochs_out_of_order_are_found() -> None:
    first = stored("r7f3-2", [])
    second = stored(CHAIN, [], heads=[head_of(first)])
    assert any(
        "it begins epoch 1 of r7f3, expected here is epoch 3" in str(item)
        for item in verify([*first, *second]).findings
    )


def test_chain_that_goes_on_after_another_is_found() -> None:
    one = stored(CHAIN, [Step(PROPOSAL, "s1", action("deny"))])
    other = stored("r8a1-1", [])
    found = verify([one[0], *other, one[1]]).findings
    assert any("goes on after another one began" in str(item) for item in found)


def edited(arguments: str) -> DecisionBody:
    """Bea's yes to other arguments of what was asked in the second record."""
    said = decision(f"{CHAIN}.2", action("escalate"))
    runs = action(arguments=arguments.encode()).action
    return replace(said, edit=f"{CHAIN}.3", approved=runs, nonce="0a")


def test_what_a_person_edited_runs_as_edited_and_glass_lifts_alone() -> None:
    steps = [
        Step(PROPOSAL, "s1", action("escalate")),
        Step(PROPOSAL, "s1", action("escalate", arguments=b"{}", approval=f"{CHAIN}.2")),
        Step(DECISION, "", edited("{}")),
        Step(INTENT, "s1", action(approval=f"{CHAIN}.2", arguments=b"{}")),
        Step(ADMIN, "", AdminBody(Event.APPROVAL_STARTED, "remit", f"{CHAIN}.2")),
        Step(OUTCOME, "s1", outcome(f"{CHAIN}.5", approval=f"{CHAIN}.2")),
        Step(PROPOSAL, "s1", action("escalate")),
        Step(DECISION, "", decision(f"{CHAIN}.8", action("escalate"), Choice.BREAK_GLASS)),
        Step(INTENT, "s1", action(approval=f"{CHAIN}.8")),
        Step(DECISION, "", decision(f"{CHAIN}.8", action("escalate"), Choice.REVIEW)),
    ]
    assert findings(steps) == []


@pytest.mark.parametrize("nonce", ["0a", None])
def test_after_a_crash_only_a_tool_that_is_told_by_a_key_runs_again_by_the_same_approval(nonce: str | None) -> None:
    claim = replace(action(approval=f"{CHAIN}.2"), nonce=nonce)
    first = stored(CHAIN, [*approved()[:2], Step(INTENT, "s1", claim)])
    ended = outcome("r7f3-2.2", approval=f"{CHAIN}.2")
    again = stored("r7f3-2", [Step(INTENT, "s1", claim), Step(OUTCOME, "s1", ended)], heads=[head_of(first)])
    found = [str(one) for one in verify([*first, *again]).findings]
    assert bool(found) == (nonce is None), found


BROKEN: list[tuple[str, list[Step], str]] = [
    ("no intent", [Step(OUTCOME, "s1", outcome(f"{CHAIN}.9"))], "intent-before-effect"),
    (
        "second outcome",
        [*intent_and_outcome(), Step(OUTCOME, "s1", outcome(f"{CHAIN}.2", labels=WEB))],
        "intent-before-effect",
    ),
    (
        "label missing",
        [Step(INTENT, "s1", action(source=WEB)), Step(OUTCOME, "s1", outcome(f"{CHAIN}.2"))],
        "label-before-data: the result was released without: untrusted, untrusted:web",
    ),
    (
        "session missing",
        [
            Step(INTENT, "s2", action(source=WEB, links=[("lead", "s1"), ("writer", "s2")])),
            Step(OUTCOME, "s2", outcome(f"{CHAIN}.2", labels=WEB, sids=["s2"])),
        ],
        "label-before-data: its labels miss a session",
    ),
    ("denied intent", [Step(INTENT, "s1", action("deny"))], "no-permit-without-policy"),
    ("unasked claim", [Step(INTENT, "s1", action(approval=f"{CHAIN}.9"))], "approval-binds-exact-action"),
    (
        "unasked decision",
        [Step(DECISION, "", decision(f"{CHAIN}.9", action()))],
        "approval-binds-exact-action",
    ),
    (
        "other action decided",
        [Step(PROPOSAL, "s1", action("escalate")), Step(DECISION, "", decision(f"{CHAIN}.2", action(name="x")))],
        f"{CHAIN}.2 asked for another action",
    ),
    (
        "other action claimed",
        [*approved()[:2], Step(INTENT, "s1", action(approval=f"{CHAIN}.2", arguments=b"{}"))],
        f"{CHAIN}.2 asked for another action",
    ),
    (
        "claimed before the yes",
        [Step(PROPOSAL, "s1", action("escalate")), Step(INTENT, "s1", action(approval=f"{CHAIN}.2"))],
        f"{CHAIN}.2 was not approved yet",
    ),
    (
        "claimed after a yes that was not enough",
        [
            Step(PROPOSAL, "s1", action("escalate")),
            Step(DECISION, "", decision(f"{CHAIN}.2", action("escalate"), completes=False)),
            Step(INTENT, "s1", action(approval=f"{CHAIN}.2")),
        ],
        f"{CHAIN}.2 was not approved yet",
    ),
    (
        "claimed after the no",
        [
            Step(PROPOSAL, "s1", action("escalate")),
            Step(DECISION, "", decision(f"{CHAIN}.2", action("escalate"), Choice.DENY)),
            Step(INTENT, "s1", action(approval=f"{CHAIN}.2")),
        ],
        f"{CHAIN}.2 asked for nothing, or had ended",
    ),
    (
        "claimed after it expired",
        [
            *approved()[:2],
            Step(ADMIN, "", AdminBody(Event.APPROVAL_EXPIRED, "remit", f"{CHAIN}.2")),
            Step(INTENT, "s1", action(approval=f"{CHAIN}.2")),
        ],
        f"{CHAIN}.2 asked for nothing, or had ended",
    ),
    (
        "claimed after it was cancelled",
        [
            *approved()[:2],
            Step(ADMIN, "", AdminBody(Event.APPROVAL_CANCELLED, "remit", f"{CHAIN}.2")),
            Step(INTENT, "s1", action(approval=f"{CHAIN}.2")),
        ],
        f"{CHAIN}.2 asked for nothing, or had ended",
    ),
    (
        "claimed as it was asked for, and not as a person edited it",
        [
            Step(PROPOSAL, "s1", action("escalate")),
            Step(DECISION, "", edited("{}")),
            Step(INTENT, "s1", action(approval=f"{CHAIN}.2")),
        ],
        f"{CHAIN}.2 asked for another action",
    ),
    (
        "handed on and not approved",
        [
            Step(PROPOSAL, "s1", action("escalate")),
            Step(DECISION, "", decision(f"{CHAIN}.2", action("escalate"), Choice.DELEGATE)),
            Step(INTENT, "s1", action(approval=f"{CHAIN}.2")),
        ],
        f"{CHAIN}.2 was not approved yet",
    ),
    (
        "claimed twice",
        [*approved(), Step(INTENT, "s1", action(approval=f"{CHAIN}.2"))],
        f"{CHAIN}.2 asked for nothing, or had ended",
    ),
    (
        "outcome of another approval",
        [*approved()[:3], Step(OUTCOME, "s1", outcome(f"{CHAIN}.4"))],
        "its intent claimed another approval",
    ),
]


@pytest.mark.parametrize(("steps", "what"), [item[1:] for item in BROKEN], ids=[item[0] for item in BROKEN])
def test_each_broken_law_is_found_at_its_last_record(steps: list[Step], what: str) -> None:
    found = findings(steps)
    assert len(found) == 1, found
    assert what in found[0]
    assert found[0].startswith(f"{CHAIN}.{len(steps) + 1}: ")


def test_outcome_without_a_result_needs_no_labels() -> None:
    steps = [
        Step(INTENT, "s1", action(source=WEB)),
        Step(OUTCOME, "s1", outcome(f"{CHAIN}.2", status=Status.TIMEOUT, result=None)),
    ]
    assert findings(steps) == []


def test_second_call_that_waits_for_the_same_approval_asks_nobody() -> None:
    asked = action("escalate")
    steps = [
        Step(PROPOSAL, "s1", asked),
        Step(PROPOSAL, "s1", replace(asked, approval=f"{CHAIN}.2")),
        Step(DECISION, "", decision(f"{CHAIN}.3", asked)),
    ]
    assert findings(steps) == [f"{CHAIN}.4: approval-binds-exact-action: {CHAIN}.3 asked for nothing, or had ended"]


def test_window_of_a_chain_is_checked_by_its_links() -> None:
    rows = stored(CHAIN, [Step(PROPOSAL, "s1", action("deny"))] * 5)
    assert check_links(rows[3:]) == []
    rows[4] = resealed(rows[4], sid="s9")
    assert [str(item.ref) for item in check_links(rows[3:])] == [f"{CHAIN}.6"]


def test_report_holds_so_many_findings_and_counts_the_rest() -> None:
    verifier = Verifier()
    for number in range(FINDINGS_MAX + 3):
        verifier.note(LedgerFinding(None, "chain-links", str(number)))
    report = verifier.report()
    assert (len(report.findings), report.more_findings, report.clean) == (FINDINGS_MAX, 3, False)
    assert str(report.findings[0]) == "file: chain-links: 0"


def test_bundle_is_not_asked_of_admin_records() -> None:
    assert findings([Step(ADMIN, "", AdminBody(Event.BUNDLE, "ana", BUNDLE))]) == []


def test_a_budget_that_was_overspent_or_given_back_too_much_is_found() -> None:
    taken = (Charge("few fleet", 0, 4, 3),)
    [over] = findings([Step(INTENT, "s1", replace(action(), charges=taken))])
    assert "budget-never-overspent" in over
    within = (Charge("few fleet", 0, 2, 3),)
    ended = replace(outcome(f"{CHAIN}.2"), refunds=(Refund("few fleet", 0, 3),))
    [much] = findings([Step(INTENT, "s1", replace(action(), charges=within)), Step(OUTCOME, "s1", ended)])
    assert "budget-never-overspent" in much
