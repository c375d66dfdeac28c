"""Obligations on an action that policy permits, or would once people agree: met, to be met first, or not to be met.

Laws
* What is not known, cannot be met here, or is not met by the second change, denies.
* What they change is judged again, as the action that it then is: it is asked about, hashed, recorded and forwarded.
"""

from typing import Final, assert_never

from remit.facts.action import Action, ActionKind
from remit.facts.obligation import NoObligationError, Obligation, on_result, parsed
from remit.pdp.decision import Reshape, Resolve
from remit.pdp.effects import Ruling
from remit.policy.verdict import Code, Deny, Reason
from remit.protect.argument_obligations import Shaped, Unchanged, Unmet, Unresolved, settle

CHANGES_MAX: Final = 2
ADDRESSES_MAX: Final = 32
_ANSWERED: Final = frozenset({ActionKind.CALL_TOOL, ActionKind.READ_RESOURCE, ActionKind.GET_PROMPT})
"""The kinds of action whose answer passes the funnel."""


def obliged(action: Action, judged: Ruling) -> Ruling:
    """`judged` as its obligations leave it."""
    if isinstance(judged.verdict, Deny) or not judged.verdict.obligations:
        return judged
    owed: list[Obligation] = []
    for said in judged.verdict.obligations:
        try:
            owed.append(parsed(said))
        except NoObligationError as error:
            return _denied(judged, Code.UNKNOWN_OBLIGATION, f"it is permitted only with {said}, which is none: {error}")
    if action.kind not in _ANSWERED and any(map(on_result, owed)):
        said = judged.verdict.obligations[[*map(on_result, owed)].index(True)]
        return _unmet(judged, f"it is permitted only with {said}, and no server's answer comes back from it")
    shaping, known = action.shaping, () if judged.reached is None else judged.reached.arguments
    found = settle(owed, action.input, known, {} if shaping is None else shaping.addresses)
    match found:
        case Unchanged():
            return judged
        case Unmet(why):
            return _unmet(judged, why)
        case Shaped() | Unresolved() if action.within is not None:
            return _unmet(judged, "its arguments have left already, and policy would have them otherwise by now")
        case Shaped(given):
            if shaping is not None and shaping.changes >= CHANGES_MAX:
                return _unmet(judged, "policy has changed its arguments twice and would change them again")
            return judged._replace(first=Reshape(action.shaped(given)))
        case Unresolved(hosts):
            if len(hosts) + (0 if shaping is None else len(shaping.addresses)) > ADDRESSES_MAX:
                return _unmet(judged, f"it leads to more than {ADDRESSES_MAX} hosts")
            return judged._replace(first=Resolve(hosts))
        case _:
            assert_never(found)


def _unmet(judged: Ruling, why: str) -> Ruling:
    return _denied(judged, Code.UNMET_OBLIGATION, why)


def _denied(judged: Ruling, code: Code, why: str) -> Ruling:
    return Ruling(Deny(), (Reason(code, why),), judged.facts, judged.reached, judged.observed)
