"""What came of attempts: which control is said to have stopped one, scores with intervals, and what mends it."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from remit.app.assurance.replay import bundle_of
from remit.assure.attack.attempts import attempts
from remit.assure.attack.chores import chores
from remit.assure.attack.plan import AttackAttempt, AttackKind
from remit.assure.attack.remedy import RUN_CALLS, case, mend, rehearse
from remit.assure.attack.results import (
    CONTROLS,
    AttemptResult,
    ChoreResult,
    RecordedDecision,
    RecordedReason,
    Score,
    SecurityControl,
    interval,
    row,
    scores,
)
from remit.assure.attack.risks import TECHNIQUES, TITLES, UNTRIED, Risk, Technique
from remit.assure.cases import cases
from remit.assure.chains.cut import with_remedies as mended_by
from remit.assure.trials import failures
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.verdict import Code
from tests.attacked import GATE, PERMIT, wide, write


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(write(tmp_path_factory.mktemp("bare"), PERMIT))


@pytest.fixture(scope="module")
def gated(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(write(tmp_path_factory.mktemp("gated"), PERMIT + GATE))


def of_kind(bundle: Bundle, kind: AttackKind) -> AttackAttempt:
    return next(one for one in attempts(bundle) if one.kind is kind)


def came(
    attempt: AttackAttempt, verdict: str = "", code: str = "", *, said: str = "200 done", stopped: bool = True
) -> AttemptResult:
    decided = RecordedDecision("r-1.1", "mail/send", verdict, (RecordedReason(code, "because"),)) if verdict else None
    return AttemptResult(attempt, stopped, said, () if decided is None else (decided,), None)


def test_every_code_is_a_controls_and_every_name_is_pinned() -> None:
    assert set(CONTROLS) == set(Code)
    assert set(TITLES) == set(Risk)
    assert set(TECHNIQUES) == set(Technique)
    assert set(UNTRIED) < set(Risk)


@pytest.mark.parametrize(
    ("verdict", "code", "said", "control"),
    [
        ("deny", "policy/none", "200 no", SecurityControl.POLICY),
        ("deny", "tool/drifted", "200 no", SecurityControl.PINS),
        ("deny", "breaker/open", "200 no", SecurityControl.BREAKERS),
        ("escalate", "policy/gate", "200 wait", SecurityControl.PEOPLE),
        ("", "", "401 who are you", SecurityControl.IDENTITY),
        ("", "", "400 no request", SecurityControl.EDGE),
        ("permit", "policy", "200 done", SecurityControl.FAILURES),
    ],
)
def test_what_stopped_it_is_what_refused_last(
    bare: Bundle, verdict: str, code: str, said: str, control: SecurityControl
) -> None:
    assert came(of_kind(bare, AttackKind.RESULT), verdict, code, said=said).control is control


def test_nothing_stopped_what_got_through_and_verification_stops_tampering(bare: Bundle) -> None:
    assert came(of_kind(bare, AttackKind.RESULT), "permit", "policy", stopped=False).control is None
    assert came(of_kind(bare, AttackKind.LEDGER), "permit", "policy").control is SecurityControl.LEDGER
    covered = RecordedDecision("r-1.1", "mail/send", "permit", (), obliged=True)
    assert replace(came(of_kind(bare, AttackKind.RESULT)), evidence=(covered,)).control is SecurityControl.OBLIGATIONS


def test_scores_stand_together_and_rows_add_up(bare: Bundle) -> None:
    through = came(of_kind(bare, AttackKind.LEAK), "permit", "policy", stopped=False)
    held = replace(came(of_kind(bare, AttackKind.RESULT), "escalate", "policy/gate"), noticed_s=0.4)
    work = chores(bare)
    did = [
        ChoreResult(one, tuple(RecordedDecision("r-1.2", "mail/x", "permit", ()) for _ in one.calls), "200")
        for one in work
    ]
    did[0] = replace(did[0], evidence=(RecordedDecision("r-1.3", "mail/x", "escalate", ()),))
    assert [(one.count, one.of) for one in scores((through, held), did)] == [
        (1, 2), (1, 2), (len(work) - 1, len(work)), (1, len(work)),
    ]  # fmt: skip
    told = row("both", (through, held))
    assert (told.attempts, told.stopped, told.noticed, dict(told.by)) == (2, 1, 1, {SecurityControl.PEOPLE: 1})
    assert str(Score("x", 28, 29)) == "28 of 29 (97%, 83% to 99%)"
    assert str(Score("x", 0, 0)) == "none was tried"


def test_intervals_hold_the_share_and_say_little_of_little() -> None:
    low, high = interval(28, 29)
    assert 0.8 < low < 28 / 29 < high < 1.0
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(1, 1)[0] < 0.3


def test_what_got_through_is_mended_by_the_narrowest_policy_and_harmless_work_goes_on(bare: Bundle) -> None:
    open_ones = [
        came(of_kind(bare, kind), "permit", "policy", stopped=False) for kind in (AttackKind.RESULT, AttackKind.LEAK)
    ]
    token = came(of_kind(bare, AttackKind.TOKEN), "permit", "policy", stopped=False)
    work = chores(bare)
    mended = mend(bare, [*open_ones, token], work, "ann")
    assert [one.ends for one in mended.fixes] == [(one.attempt.ident,) for one in open_ones]
    assert mended.remaining == (token.attempt.ident,)
    for one, label in zip(mended.fixes, ("untrusted", "confidential"), strict=True):
        assert f'Remit::Label::"{label}"' in one.policy.text
        assert mended.of(one.ends[0]) is one
    # The work that reads strangers' mail and then sends is what the first policy is about: people are asked.
    assert [(one.cost.denied, one.cost.escalated) for one in mended.fixes] == [(0, 1), (0, 0)]
    assert {one.cost.of for one in mended.fixes} == {len(work)}
    # Work without the tool that is forbidden comes out as before: each piece played over says so.
    for one in mended.fixes:
        made = mended_by(bare, [one.policy])[0]
        assert made is not None
        was, now = ([rehearse(each, job.calls, "ann", job.words) for job in work] for each in (bare, made))
        newly = [told for before, told in zip(was, now, strict=True) if told != before]
        assert sum("escalate" in told for told in newly) == one.cost.escalated
        assert len(newly) == one.cost.escalated + one.cost.denied
    assert [one.policy.route for one in mended.fixes] == ["owner", None]
    assert ['@gate("owner")' in one.policy.text for one in mended.fixes] == [True, False]
    for one, verdict in zip(open_ones, ("escalate", "deny"), strict=True):
        assert rehearse(bare, one.attempt.steps, "ann")[-1] == "permit"
        assert rehearse(mended.bundle, one.attempt.steps, "ann")[-1] == verdict
    [made] = cases(yaml.safe_load(yaml.safe_dump([case(open_ones[0].attempt, "escalate")])))
    assert failures(bare, made, "ann")
    assert not failures(mended.bundle, made, "ann")
    # Without harmless work nothing is lost by a denial.
    assert mend(bare, open_ones[:1], (), "ann").fixes[0].policy.route is None


def test_the_people_who_are_asked_are_those_that_policies_ask_most(tmp_path: Path) -> None:
    workspace = write(tmp_path / "mail", PERMIT + GATE.replace("mail___send", "mail___vault"))
    (workspace / "routes.yaml").write_text(
        "apiVersion: remit.dev/v1alpha1\nkind: Route\nmetadata: {name: board}\nspec: {users: [ann]}\n"
    )
    asking = bundle_of(workspace)
    through = came(of_kind(asking, AttackKind.RESULT), "permit", "policy", stopped=False)
    [fix] = mend(asking, [through], chores(asking), "ann").fixes
    assert fix.policy.route == "owner"


def test_what_a_resource_told_an_agent_to_do_is_mended(tmp_path: Path) -> None:
    opened = bundle_of(wide(tmp_path / "wide"))
    told = of_kind(opened, AttackKind.RESOURCE)
    open_policies = [
        replace(one, text=one.text.replace(GATE, ""))
        for one in opened.catalog.policies
        if "after-strangers" in one.text
    ]
    compiled = compile_bundle(replace(opened.catalog, policies=tuple(open_policies))).result
    assert isinstance(compiled, Bundle)
    assert rehearse(compiled, told.steps, "ann") == ("permit", "permit")
    [fix] = mend(compiled, [came(told, "permit", "policy", stopped=False)], (), "ann").fixes
    assert fix.ends == (told.ident,)
    assert 'Remit::Label::"untrusted"' in fix.policy.text
    [made] = cases(yaml.safe_load(yaml.safe_dump([case(told)])))
    assert failures(compiled, made, "ann")
    assert not failures(mend(compiled, [came(told, stopped=False)], (), "ann").bundle, made, "ann")


def test_long_runs_are_asked_about_after_some_calls_and_harmless_work_goes_on(bare: Bundle) -> None:
    kinds = (AttackKind.LOOP, AttackKind.DRIP)
    runs = [came(of_kind(bare, kind), "permit", "policy", stopped=False) for kind in kinds]
    work = chores(bare)
    mended = mend(bare, runs, work, "ann")
    assert (mended.remaining, [one.cost.denied + one.cost.escalated for one in mended.fixes]) == (
        (),
        [0] * len(mended.fixes),
    )
    assert {ident for one in mended.fixes for ident in one.ends} == {one.attempt.ident for one in runs}
    assert all(f"context.session.calls >= {RUN_CALLS}" in one.policy.text for one in mended.fixes)
    assert all(one.policy.route == "owner" for one in mended.fixes)
    for run in runs:
        before, after = (rehearse(each, run.attempt.steps, "ann") for each in (bare, mended.bundle))
        assert (set(before), after[:RUN_CALLS]) == ({"permit"}, ("permit",) * RUN_CALLS)
        assert set(after[RUN_CALLS:]) == {"escalate"}
        [made] = cases(yaml.safe_load(yaml.safe_dump([case(run.attempt, "escalate")])))
        assert failures(bare, made, "ann")
        assert not failures(mended.bundle, made, "ann")


def test_where_nobody_can_be_asked_long_runs_are_denied(bare: Bundle) -> None:
    alone = compile_bundle(replace(bare.catalog, routes={})).result
    assert isinstance(alone, Bundle)
    [fix] = mend(alone, [came(of_kind(alone, AttackKind.LOOP), "permit", "policy", stopped=False)], (), "ann").fixes
    assert fix.policy.route is None


@pytest.mark.parametrize("kind", [AttackKind.LEAK, AttackKind.PIECES])
def test_a_finding_is_a_case_that_holds_once_it_is_mended(bare: Bundle, kind: AttackKind) -> None:
    leak = of_kind(bare, kind)
    told = case(leak)
    assert told is not None
    [made] = cases(yaml.safe_load(yaml.safe_dump([told])))
    assert failures(bare, made, "ann")
    mended = mend(bare, [came(leak, "permit", "policy", stopped=False)], (), "ann")
    assert not failures(mended.bundle, made, "ann")
    assert case(of_kind(bare, AttackKind.TOKEN)) is None


def test_work_is_what_the_user_asked_for_and_gates_ask_about_what_strangers_steer(bare: Bundle, gated: Bundle) -> None:
    work = chores(gated)
    assert [one.title for one in work] == [one.title for one in chores(bare)]
    assert all(call.tool in one.words for one in work for call in one.calls)
    verdicts = {one.title: rehearse(gated, one.calls, "ann", one.words) for one in work}
    assert verdicts["clerk reads mail/inbox, then uses mail/send as it was asked to"] == ("permit", "escalate")
    assert len(chores(gated, 2)) == 2
