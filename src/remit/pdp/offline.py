"""A decision to its end where nobody looks anything up: for what is asked or replayed, never for what runs."""

from collections.abc import Callable
from typing import Final

from remit.facts.action import Action
from remit.pdp.decision import Decision, Reshape, Resolve

ASSUMED: Final = "1.1.1.1"
"""Stands for the address of a host that nobody looked up: a public one."""


def decide_offline(decide: Callable[[Action], Decision], action: Action) -> Decision:
    """What `decide` says of `action` once obligations have changed what they change."""
    while True:
        decision = decide(action)
        match decision.effects:
            case (Reshape(shaped),):
                action = shaped
            case (Resolve(hosts),):
                action = action.resolved(dict.fromkeys(hosts, ASSUMED))
            case _:
                return decision
