"""One judged action on its way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.facts.action import Action
from remit.facts.session import Session
from remit.pdp.decision import Decision
from remit.ports.ledger import Pending


@dataclass(frozen=True, slots=True)
class Attempt:
    """One judged action and its record on the way to disk.

    `waits_for` is the approval that an escalated call waits for: the one it opened, or an
    earlier one for the very same action that is still pending. `action` is its hash, `approval` the one
    it runs under, `edited` what runs in place of what the agent asked for, where people approved that. `meta` tells a
    tool that it may have been asked before.
    """

    decision: Decision
    pending: Pending
    action: str
    approval: str | None
    sessions: tuple[Session, ...]
    waits_for: str | None = None
    edited: Action | None = None
    meta: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def ref(self) -> str:
        """The decision id."""
        return str(self.pending.ref)
