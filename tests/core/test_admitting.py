"""What was found, held against the terms of an Admission: what fails, what is not finished, and what is told of it."""

from dataclasses import replace

from remit.app.admission.judgement import breaches_of, of_attack, of_cases, of_chains, of_guarantees, of_replay
from remit.app.admission.results import FINDINGS_MAX, CheckResult, CheckState, refusing
from remit.app.assurance.policy_tests import JudgedCase, LocatedCase
from remit.assure.cases import Case
from remit.assure.chains.chain_search import chains
from remit.assure.chains.search import SearchLimits
from remit.assure.changes import VerdictChanges
from remit.assure.history import LACKING
from remit.facts.admission import AdmissionTerms, Check
from remit.facts.durations import DAY_MS
from remit.facts.guarantee import SignOff
from remit.pdp.guarantees import breach_digest
from tests.core.chained import kind
from tests.core.deciding import schema
from tests.core.test_chains import ALL, MAIL, SEALED, made
from tests.core.test_chains_guarantees import INSIDE, NOTE, PAY
from tests.core.test_chains_guarantees import made as guarded

TERMS = AdmissionTerms("uma")
CASE = LocatedCase(Case("c", None, None, ()), "a.cases.yaml", 3)


def changed(*pairs: tuple[str, str], days: float = 1.0) -> VerdictChanges:
    found = VerdictChanges()
    for number, (was, now) in enumerate(pairs):
        at_ms = round(days * DAY_MS) if number == len(pairs) - 1 else 0
        told = {"verdict": now, "policies": ["p"]}
        found.take({"verdict": was}, told, agent="ada", tool="one/x", at_ms=at_ms)
    return found


def test_cases_have_to_hold_and_to_be_tried() -> None:
    assert of_cases([JudgedCase(CASE, ())], 0).state is CheckState.PASSED
    failed = of_cases([JudgedCase(CASE, ("c: it is permit",))], 0)
    assert (failed.state, failed.findings) == (CheckState.FAILED, ("a.cases.yaml:3: c: it is permit",))
    assert of_cases([], 1).state is CheckState.UNFINISHED
    gone = of_cases([JudgedCase(CASE, ())], 0, [JudgedCase(CASE, ("c: it is permit",))])
    assert (gone.state, gone.findings) == (CheckState.FAILED, ("a.cases.yaml:3, which is gone: c: it is permit",))
    assert gone.figures == {"cases": 2, "failed": 1, "not_tried": 0, "gone": 1}


def test_chains_that_are_known_do_not_refuse() -> None:
    result = chains(made(ALL, tools=(PAY, MAIL)))
    came = of_chains(result, (), None)
    assert came.state is CheckState.FAILED
    head, *steps = came.findings[0].split("\n")
    assert head == "confidential data reaches a sink outside by two/mail"
    assert [step.partition(" {")[0] for step in steps] == ["1. ada calls one/pay_list", "2. ada calls two/mail"]
    known = {("confidential-outside", "two/mail")}
    assert of_chains(result, known, None).state is CheckState.PASSED
    assert of_chains(result, known, "after a while").state is CheckState.UNFINISHED
    assert of_chains(chains(made(ALL, SEALED, tools=(PAY, MAIL)), SearchLimits(states_max=1)), (), None).refuses


def test_what_a_search_did_not_look_at_refuses() -> None:
    odd = kind("two/odd", arguments=schema(("x",), x={"type": "string", "minLength": 3, "maxLength": 2}))
    bundle = guarded(INSIDE, ALL, SEALED, using=(NOTE, odd))
    result = chains(bundle)
    unseen = "not looked at: two/odd: no arguments were found that its schema takes"
    assert result.unattended == ()
    for came in (of_chains(result, (), None), of_guarantees(bundle, result, None, {})):
        assert (came.state, came.findings) == (CheckState.UNFINISHED, (unseen,))
    assert of_guarantees(made(ALL), result, None, {}).state is CheckState.PASSED


def test_a_policy_that_errs_refuses() -> None:
    wrong = '@id("wrong") forbid (principal, action == Remit::Action::"two___mail", resource)'
    wrong += " when { context.session.calls + 9223372036854775807 + 1 > 0 };"
    came = of_chains(chains(made(ALL, wrong, tools=(MAIL,))), (), None)
    (finding,) = came.findings
    assert finding.startswith("policy wrong cannot be evaluated for two___mail: ")
    assert "overflow" in finding
    assert came.next == "remit chains", "there is nothing to cut"


def test_guarantees_are_kept_or_signed_off_by_who_runs_as_their_owner() -> None:
    bundle = guarded(INSIDE, ALL, SEALED, using=(PAY, MAIL, NOTE))
    result = chains(bundle)
    came = of_guarantees(bundle, result, None, {})
    assert came.state is CheckState.FAILED
    guarantee = bundle.catalog.guarantees["held"]
    breaches = [breach for one in result.unattended for breach in breaches_of(one)]
    assert [breach.tools for breach in breaches] == [("one/pay_list", "two/note")]
    digest = breach_digest(guarantee, tuple(breaches))
    head, *steps = came.findings[0].split("\n")
    assert head.endswith(f"uma may sign off: {digest}")
    assert [step[:2] for step in steps] == ["1.", "2."]
    signed = {digest: SignOff(digest, "held", "uma", 0, "why")}
    assert of_guarantees(bundle, result, None, signed).state is CheckState.PASSED
    # Of one that runs, its owner there.
    running = replace(bundle.catalog, guarantees={"held": replace(guarantee, owner="eve")})
    assert of_guarantees(bundle, result, running, signed).state is CheckState.FAILED
    stopped = chains(bundle, SearchLimits(stop=lambda: True))
    assert of_guarantees(bundle, stopped, None, {}).state is CheckState.UNFINISHED
    assert of_guarantees(made(ALL), stopped, None, {}).state is CheckState.PASSED


def test_what_is_newly_permitted_and_newly_denied() -> None:
    came = of_replay(changed(("deny", "permit"), ("permit", "permit")), TERMS, None)
    assert came.state is CheckState.FAILED
    assert came.findings == (
        "1 past actions newly permitted, at most 0 may be",
        "1 newly permitted: ada one/x, was deny, by p",
    )
    allowed = replace(TERMS, newly_permitted_max=1, newly_denied_max=1)
    assert of_replay(changed(("deny", "permit"), ("permit", "deny")), allowed, None).state is CheckState.PASSED
    newly = changed(("permit", "deny"))
    newly.unjudged["erased"] = 2
    denied = of_replay(newly, TERMS, None)
    assert denied.findings[0] == "1 past actions newly denied, at most 0 may be"
    assert denied.figures["not_judged"] == {"erased": 2}
    assert of_replay(VerdictChanges(), TERMS, "after 3 actions").state is CheckState.UNFINISHED


def test_what_changed_before_is_told_and_refuses_nothing() -> None:
    came = of_replay(changed(("permit", "permit")), TERMS, None, 3)
    assert (came.state, came.figures["changed_before"]) == (CheckState.PASSED, 3)


def test_what_the_ledger_does_not_hold_refuses_beyond_a_term() -> None:
    found = changed(("permit", "permit"))
    why = next(iter(LACKING))
    found.unjudged[why] += 2
    came = of_replay(found, TERMS, None)
    assert came.state is CheckState.UNFINISHED
    assert came.findings[0] == f"2 past actions could not be judged: {why}"
    assert of_replay(found, replace(TERMS, not_judged_max=2), None).state is CheckState.PASSED


def test_asks_may_grow_by_a_share_and_a_few_may_always() -> None:
    pairs = [("escalate", "escalate")] * 4 + [("permit", "escalate")] * 2
    assert of_replay(changed(*pairs), TERMS, None).state is CheckState.PASSED
    doubled = of_replay(changed(*pairs, ("permit", "escalate")), TERMS, None)
    assert doubled.state is CheckState.FAILED
    assert doubled.findings[0] == "7.0 asks a day where there were 4.0, at most 6.0 may be"
    # One a day of what nobody was asked about before.
    assert of_replay(changed(("permit", "escalate")), TERMS, None).state is CheckState.PASSED
    few = replace(TERMS, asks_a_day_free=0)
    assert of_replay(changed(("permit", "escalate")), few, None).state is CheckState.FAILED
    assert of_replay(changed(*[("permit", "escalate")] * 8, days=8), TERMS, None).state is CheckState.PASSED


def test_attempts_that_may_succeed_are_named() -> None:
    opened = {"asi01-a": "ada is hijacked"}
    assert of_attack({}, 5, 0, TERMS).state is CheckState.PASSED
    failed = of_attack(opened, 5, 0, TERMS)
    assert (failed.state, failed.findings) == (CheckState.FAILED, ("asi01-a: ada is hijacked",))
    assert of_attack(opened, 5, 0, replace(TERMS, accepts=frozenset(opened))).state is CheckState.PASSED
    assert of_attack({}, 5, 2, TERMS).state is CheckState.UNFINISHED


def test_what_came_is_told_and_read_again_and_is_bounded() -> None:
    came = CheckResult(Check.CASES, CheckState.FAILED, {"cases": 1}, ("x",), "remit policy test")
    assert CheckResult.of_json(came.to_json()) == came
    many = replace(came, findings=tuple(map(str, range(FINDINGS_MAX + 5))))
    told = many.to_json()["findings"]
    assert isinstance(told, list)
    assert told[-1] == "and 5 more"
    assert refusing(
        (
            came,
            CheckResult(Check.ATTACK, CheckState.LEFT_OUT),
            CheckResult(Check.CHAINS, CheckState.UNFINISHED),
        )
    ) == (
        Check.CASES,
        Check.CHAINS,
    )
