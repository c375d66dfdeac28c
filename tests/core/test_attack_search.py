"""The search: what got furthest is tried in other ways, each of which the tool takes, and none twice."""

from dataclasses import replace

import pytest

from remit.app.assurance.replay import bundle_of
from remit.assure.attack.attempts import attempts
from remit.assure.attack.plan import Arrives, AttackAttempt, AttackKind, Calls
from remit.assure.attack.results import AttemptResult, RecordedDecision, RecordedReason
from remit.assure.attack.search import (
    FURTHEST_MAX,
    TWISTS,
    AttemptStage,
    furthest,
    next_attempts,
    reach,
    with_arguments,
)
from remit.assure.attack.wordings import WORDINGS, wording
from remit.policy.bundle import Bundle
from tests.attacked import GATE, PERMIT, write


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(write(tmp_path_factory.mktemp("mail"), PERMIT + GATE))


def came(attempt: AttackAttempt, verdict: str, *, stopped: bool = True) -> AttemptResult:
    evidence = (RecordedDecision("r-1.1", "mail/send", verdict, (RecordedReason("policy", "why"),)),) if verdict else ()
    return AttemptResult(attempt, stopped, "200 said", evidence, None)


def hijack(bundle: Bundle) -> AttackAttempt:
    return next(one for one in attempts(bundle) if one.kind is AttackKind.RESULT)


def test_how_far_one_got_is_how_its_last_call_was_decided(mail: Bundle) -> None:
    one = hijack(mail)
    assert [reach(came(one, verdict)) for verdict in ("", "deny", "escalate", "permit")] == list(AttemptStage)[:4]
    assert reach(came(one, "permit", stopped=False)) is AttemptStage.ARRIVED


def test_what_got_furthest_goes_first_and_what_got_through_or_is_no_matter_of_arguments_not_at_all(
    mail: Bundle,
) -> None:
    one = hijack(mail)
    tried = [
        came(replace(one, ident=str(number)), verdict)
        for number, verdict in enumerate(("deny", "escalate") * FURTHEST_MAX)
    ]
    kept = furthest([*tried, came(one, "permit", stopped=False)])
    assert [reach(found) for found in kept] == [AttemptStage.ASKED] * FURTHEST_MAX
    assert furthest([came(made, "deny") for made in attempts(mail) if made.kind is AttackKind.TOKEN]) == []


def test_each_way_is_tried_once_and_its_tool_takes_it(mail: Bundle) -> None:
    one = hijack(mail)
    first = next_attempts(mail, [came(one, "escalate")], 100)
    assert len(WORDINGS) < len(first) <= len(TWISTS) + len(WORDINGS)
    again = next_attempts(mail, [came(one, "escalate"), *(came(made, "deny") for made in first)], 100)
    assert not {made.ident for made in first} & {made.ident for made in again}
    assert any(len(made.twists) == 2 for made in again)
    for made in (*first, *again):
        last = made.steps[-1]
        assert isinstance(last, Calls)
        assert isinstance(made.goal, Arrives)
        validator = mail.tools[last.server, last.tool].validator
        assert validator is not None
        assert validator.problem(last.arguments) is None
        assert made.goal.mark in str(last.arguments)
        assert made.steps[:-1] == one.steps[:-1]
    assert len(next_attempts(mail, [came(one, "escalate")], 2)) == 2


def test_what_steers_an_agent_is_told_in_other_words_too(mail: Bundle) -> None:
    one = hijack(mail)
    first = next_attempts(mail, [came(one, "escalate")], 100)
    worded = [made for made in first if set(made.twists) & set(WORDINGS)]
    assert [made.twists[-1] for made in worded] == list(WORDINGS)
    assert all(made.steps == one.steps for made in worded), "what is called is the same"
    said = {wording(made.twists).format(order='{"to": "x"}') for made in (one, *worded)}
    assert len(said) == len(WORDINGS) + 1
    assert all('{"to": "x"}' in text for text in said)
    again = next_attempts(mail, [came(one, "deny"), *(came(made, "escalate") for made in worded)], 100)
    assert {len(set(made.twists) & set(WORDINGS)) for made in again} == {1}, "one takes the place of another"
    few = next_attempts(mail, [came(one, "escalate")], 4)
    assert 0 < sum(bool(set(made.twists) & set(WORDINGS)) for made in few) < len(few)
    leak = next(made for made in attempts(mail) if made.kind is AttackKind.LEAK)
    assert not any(set(made.twists) & set(WORDINGS) for made in next_attempts(mail, [came(leak, "deny")], 100))


def test_what_is_proposed_has_to_be_what_the_tool_takes_and_hold_the_mark(mail: Bundle) -> None:
    one = hijack(mail)
    assert isinstance(one.goal, Arrives)
    mark = one.goal.mark
    assert with_arguments(mail, one, {"to": mark}) is None, "text is required"
    assert with_arguments(mail, one, {"to": "ann", "text": "hello"}) is None, "nothing would show that it arrived"
    made = with_arguments(mail, one, {"to": f"{mark}@ours.example", "text": "hello"})
    assert made is not None
    assert made.title.endswith("as a model proposed")
    assert made.ident != one.ident
