"""A bundle that breaks a guarantee by its scopes is refused, unless the owner signed off exactly that."""

from dataclasses import replace

import pytest

from remit.api.services import Invalid
from remit.app.bundles.guarantees import check_guarantees, owners
from remit.facts.guarantee import Guarantee, Powers, SignOff
from remit.facts.monitor import Selector
from remit.facts.record import RecordKind, Ref
from remit.pdp.fold import fold
from remit.pdp.guarantees import breach_digest, breaches
from remit.pdp.past_deltas import SignedOff
from remit.trace.bodies import AdminBody, Event
from tests.core.deciding import bundle
from tests.core.watching import watched

POWERS = Guarantee("apart", "uma", Powers((Selector(frozenset({"web/fetch"})), Selector(frozenset({"web/pay"})))))
WIDE = bundle(watched(guarantees=(POWERS,)))
ONE_TOOL = '@id("l") permit (principal, action == Remit::Action::"web___pay", resource);'
ONE_AGENT = '@id("l") permit (principal == Remit::Agent::"ada", action, resource);'
NARROW = bundle(watched(guarantees=(POWERS,), permit=ONE_TOOL))
BROKEN = breach_digest(POWERS, breaches(WIDE))


def signed(by: str, breach: str = BROKEN) -> dict[str, SignOff]:
    return {breach: SignOff(breach, "apart", by, 1, "known")}


def test_what_scopes_show_is_refused_with_what_to_sign_off() -> None:
    with pytest.raises(Invalid) as refused:
        check_guarantees(WIDE, None, {})
    [problem] = refused.value.problems
    assert problem.startswith("guarantee apart: ada may call web/fetch, web/pay, which apart keeps apart and 2 more")
    assert problem.endswith(f"uma may sign off: {BROKEN}")
    assert "remit guarantees sign-off" in refused.value.next


def test_what_scopes_do_not_show_may_run() -> None:
    check_guarantees(NARROW, WIDE.catalog, {})
    check_guarantees(bundle(watched()), None, {})


def test_the_owner_signs_off_exactly_this() -> None:
    check_guarantees(WIDE, None, signed("uma"))
    check_guarantees(WIDE, NARROW.catalog, signed("uma"))
    for given in (signed("max"), signed("uma", "sha256:0")):
        with pytest.raises(Invalid):
            check_guarantees(WIDE, None, given)


def test_nobody_becomes_the_owner_by_what_he_signs_off() -> None:
    stolen = replace(POWERS, owner="max")
    new = bundle(watched(guarantees=(stolen,)))
    breach = breach_digest(stolen, breaches(new))
    check_guarantees(new, None, signed("max", breach))
    with pytest.raises(Invalid):
        check_guarantees(new, WIDE.catalog, signed("max", breach))
    check_guarantees(new, WIDE.catalog, signed("uma", breach))
    assert owners(stolen, None) == {"max"}


def test_one_agent_is_told_alone() -> None:
    one = bundle(watched(guarantees=(POWERS,), permit=ONE_AGENT))
    with pytest.raises(Invalid) as refused:
        check_guarantees(one, None, {})
    assert "more" not in refused.value.problems[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"breach": "b", "why": "w"}, (SignedOff(SignOff("b", "apart", "uma", 7, "w")),)),
        ({"breach": "b"}, (SignedOff(SignOff("b", "apart", "uma", 7, "")),)),
        ({"why": "w"}, ()),
    ],
)
def test_a_sign_off_is_a_fold_of_its_record(data: dict[str, str], said: tuple[SignedOff, ...]) -> None:
    body = AdminBody(Event.GUARANTEE_SIGNED, "uma", "apart", dict(data))
    assert fold(Ref("r", 1), 7, RecordKind.ADMIN, body) == said
