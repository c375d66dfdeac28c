"""One judged action on its way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.facts.action import Action
from remit.facts.obligation import Obligation, on_result, parsed
from remit.facts.session import Session
from remit.pdp.decision import Decision
from remit.policy.verdict import Deny, Reason
from remit.ports.ledger import Pending


@dataclass(frozen=True, slots=True)
class Attempt:
    """One judged action and its record on the way to disk.

    `waits_for` is the approval that an escalated call waits for: the one it opened, or an
    earlier one for the very same action that is still pending. `action` is its hash, `approval` the one
    it runs under, `edited` what runs in place of what the agent asked for, where people approved that, `shaped` where
    obligations changed it. `meta` tells a tool that it may have been asked before. `barred` is what it was stopped by
    when it was judged: its server was not asked what it offers, so that it never runs, whatever is true afterwards.
    `at_ms` is when it was judged, as its record says.
    """

    decision: Decision
    pending: Pending
    at_ms: int
    action: str
    approval: str | None
    sessions: tuple[Session, ...]
    waits_for: str | None = None
    edited: Action | None = None
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    shaped: Action | None = None
    barred: Reason | None = None

    @property
    def owed(self) -> tuple[Obligation, ...]:
        """The obligations on what comes back."""
        verdict = self.decision.verdict
        if isinstance(verdict, Deny) or not verdict.obligations:
            return ()
        return tuple(one for one in map(parsed, verdict.obligations) if on_result(one))

    @property
    def ref(self) -> str:
        """The decision id."""
        return str(self.pending.ref)
