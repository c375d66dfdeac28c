"""What each reason does to an action is told: by the policy's own text, and by its code where there is none."""

from collections.abc import Callable

import pytest

from remit.api.services import PolicyText
from remit.api.views import reason_view
from remit.policy.role import PolicyRole, role_in
from remit.policy.verdict import Code, Reason, word
from tests.core.deciding import action, bundle, decided

ANYBODY = "permit (principal, action, resource);"
BARRED = 'forbid (principal, action == Remit::Action::"shop___refund", resource);'
TEXTS: dict[str, tuple[str, PolicyRole | None]] = {
    "may": (f'@id("may") {ANYBODY}', PolicyRole.PERMITS),
    "never": (f'// permit (principal)\n@id("never") {BARRED}', PolicyRole.FORBIDS),
    "gate": (f'@id("gate") @gate("owner") {BARRED}', PolicyRole.ASKS),
    "torn": ('@id("torn") permit (principal', None),
}


@pytest.mark.parametrize("ident", list(TEXTS))
def test_a_policy_permits_forbids_or_has_people_asked(ident: str) -> None:
    text, does = TEXTS[ident]
    assert role_in(text) is does
    if does is not None:
        assert bundle(text).policies[ident].role is does


def kept(*idents: str) -> Callable[[str], PolicyText | None]:
    return {ident: PolicyText("a.cedar", 1, TEXTS[ident][0]) for ident in idents}.get


@pytest.mark.parametrize(
    ("idents", "verdict", "told"),
    [
        (("may",), "permit", {"may": "permits"}),
        (("may", "gate"), "escalate", {"gate": "asks", "may": "permits"}),
        (("may", "gate", "never"), "deny", {"never": "forbids", "gate": "asks"}),
    ],
)
def test_each_reason_says_what_it_does(idents: tuple[str, ...], verdict: str, told: dict[str, str]) -> None:
    decision = decided(bundle(*(TEXTS[ident][0] for ident in idents)), action())
    assert word(decision.verdict) == verdict
    views = [reason_view(reason, verdict, kept(*idents)) for reason in decision.reasons]
    assert {view.policy: view.does for view in views} == told
    gone = {reason.policy: reason_view(reason, verdict, kept()).does for reason in decision.reasons}
    unsaid = {"never": None, "gate": None} if verdict == "deny" else told
    assert gone == unsaid, "of a bundle that is no longer at hand nothing is guessed"


def test_what_is_no_policys_doing_denies_or_is_peoples_lift() -> None:
    assert reason_view(Reason(Code.NO_POLICY, "none"), "deny", kept()).does == "denies"
    assert reason_view(Reason(Code.BUDGET_SPENT, "spent", "budget:day"), "deny", kept()).does == "denies"
    assert reason_view(Reason(Code.GATE, "much", "budget:day"), "escalate", kept()).does == "asks"
    assert reason_view(Reason(Code.GATE, "approved by people as r1-1.2"), "permit", kept()).does == "lifts"
