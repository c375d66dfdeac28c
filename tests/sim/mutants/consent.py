"""What people let pass, switched off one check at a time."""

from __future__ import annotations

from typing import Any, Final

from remit.escalate import voting
from remit.escalate.grants import Grant
from remit.escalate.machine import Approval
from remit.facts.catalog import Route
from remit.pdp import decide, grant_scope
from remit.policy.verdict import Deny, Permit
from tests.sim.mutants.planting import Mutant, Planted, nothing, of_trade
from tests.sim.trades import GATED


def _stale_yes() -> Planted:
    return voting, "_fresh", nothing


def _as_asked_all_the_same() -> Planted:
    def approved(one: Approval) -> str:
        return one.requested

    return Approval, "approved", property(approved)


def _ordinary_yes() -> Planted:
    def strong(_route: Route) -> bool:
        return False

    return Route, "strong", property(strong)


def _spent_but_for(why: str) -> Planted:
    real = Grant.spent

    def spent(grant: Grant, now_ms: int) -> str | None:
        found = real(grant, now_ms)
        return None if found is not None and found.startswith(why) else found

    return Grant, "spent", spent


def _grants_last() -> Planted:
    return _spent_but_for("expired")


def _grants_wear_not_out() -> Planted:
    return _spent_but_for("used up")


def _grants_stay() -> Planted:
    return _spent_but_for("revoked by")


def _grants_of_anything_seen() -> Planted:
    def seen(*_: Any) -> bool:
        return True

    return grant_scope, "_was_seen", seen


def _grants_permit() -> Planted:
    real = decide.judge_chain

    def judge_chain(snapshot: Any, action: Any, question: Any) -> Any:
        found = real(snapshot, action, question)
        return (Permit(), (), None) if snapshot.grants and isinstance(found[0], Deny) else found

    return decide, "judge_chain", judge_chain


_gated: Final = of_trade(GATED)
BINDS: Final = "approval-binds-exact-action"
CONSENT: Final = (
    Mutant(BINDS, "a yes counts for what was put in the place of what was shown", _stale_yes, _gated),
    Mutant(BINDS, "what was asked for runs though people let something else run", _as_asked_all_the_same, _gated),
    Mutant(BINDS, "an ordinary yes counts where a route wants more", _ordinary_yes, _gated),
    Mutant(BINDS, "a grant lasts beyond its end", _grants_last, _gated),
    Mutant(BINDS, "a grant is used more often than was granted", _grants_wear_not_out, _gated),
    Mutant(BINDS, "a grant that was taken back still lifts its gates", _grants_stay, _gated),
    Mutant(BINDS, "a grant covers what nobody saw", _grants_of_anything_seen, _gated),
    Mutant("no-permit-without-policy", "whoever was granted something is permitted everything", _grants_permit, _gated),
)
