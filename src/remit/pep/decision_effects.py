"""What of a decision enforcement goes on with."""

from remit.pdp.decision import Append, Decision, Forward, Hold
from remit.policy.destination import Destination


def reached_of(decision: Decision) -> Destination:
    """What a permitted action reaches."""
    for effect in decision.effects:
        if isinstance(effect, Forward):
            return effect.destination
    raise AssertionError("a permitted action says what it reaches")


def append_of(decision: Decision) -> Append:
    """The record that a decision leaves."""
    for effect in decision.effects:
        if isinstance(effect, Append):
            return effect
    raise AssertionError("every decision leaves a record")


def hold_s_of(decision: Decision) -> float:
    """How long the caller is kept waiting while people decide, in seconds."""
    return max((effect.hold_s for effect in decision.effects if isinstance(effect, Hold)), default=0.0)
