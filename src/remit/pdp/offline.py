"""A decision to its end where nobody looks anything up: for what is asked or replayed, never for what runs."""

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from remit.facts.action import Action
from remit.pdp.decision import Reshape, Resolve

ASSUMED: Final = "1.1.1.1"
"""Stands for the address of a host that nobody looked up: a public one."""


class Judged(Protocol):
    """A decision, or a ruling: `first` has to be done before it is one on what will happen."""

    @property
    def first(self) -> Reshape | Resolve | None:
        """What has to be done before."""
        ...


JudgedT = TypeVar("JudgedT", bound=Judged)


def decide_offline(decide: Callable[[Action], JudgedT], action: Action) -> JudgedT:
    """What `decide` says of `action` once obligations have changed what they change."""
    while True:
        judged = decide(action)
        first = judged.first
        if first is None:
            return judged
        action = first.action if isinstance(first, Reshape) else action.resolved(dict.fromkeys(first.hosts, ASSUMED))
