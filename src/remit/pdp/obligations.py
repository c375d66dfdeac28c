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
from remit.protect.argument_obligations import Shaped, Unchanged, Unmet, Unresolved, apply_to_arguments

CHANGES_MAX: Final = 2
ADDRESSES_MAX: Final = 32
_ANSWERED: Final = frozenset({ActionKind.CALL_TOOL, ActionKind.READ_RESOURCE, ActionKind.GET_PROMPT})
"""The kinds of action whose answer passes the funnel."""


def with_obligations(action: Action, ruling: Ruling) -> Ruling:
    """`ruling` as its obligations leave it."""
    if isinstance(ruling.verdict, Deny) or not ruling.verdict.obligations:
        return ruling
    obligations: list[Obligation] = []
    for text in ruling.verdict.obligations:
        try:
            obligations.append(parsed(text))
        except NoObligationError as error:
            return _denied(ruling, Code.UNKNOWN_OBLIGATION, f"it is permitted only with {text}, which is none: {error}")
    if action.kind not in _ANSWERED and any(map(on_result, obligations)):
        text = ruling.verdict.obligations[[*map(on_result, obligations)].index(True)]
        return _unmet(ruling, f"it is permitted only with {text}, and no server's answer comes back from it")
    shaping, names = action.shaping, () if ruling.destination is None else ruling.destination.arguments
    settlement = apply_to_arguments(obligations, action.input, names, {} if shaping is None else shaping.addresses)
    match settlement:
        case Unchanged():
            return ruling
        case Unmet(why):
            return _unmet(ruling, why)
        case Shaped() | Unresolved() if action.within is not None:
            return _unmet(ruling, "its arguments have left already, and policy would have them otherwise by now")
        case Shaped(arguments):
            if shaping is not None and shaping.changes >= CHANGES_MAX:
                return _unmet(ruling, "policy has changed its arguments twice and would change them again")
            return ruling._replace(first=Reshape(action.shaped(arguments)))
        case Unresolved(hosts):
            if len(hosts) + (0 if shaping is None else len(shaping.addresses)) > ADDRESSES_MAX:
                return _unmet(ruling, f"it leads to more than {ADDRESSES_MAX} hosts")
            return ruling._replace(first=Resolve(hosts))
        case _:
            assert_never(settlement)


def _unmet(ruling: Ruling, why: str) -> Ruling:
    return _denied(ruling, Code.UNMET_OBLIGATION, why)


def _denied(ruling: Ruling, code: Code, why: str) -> Ruling:
    return Ruling(Deny(), (Reason(code, why),), ruling.facts, ruling.destination, ruling.observed)
