"""One judged action on its way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from remit.facts.action import Action, Own
from remit.facts.canonical import Json
from remit.facts.obligation import Obligation, on_result, parsed
from remit.facts.session import Session
from remit.pdp.decision import Decision
from remit.pep.decision_effects import append_of
from remit.policy.verdict import Deny, Reason
from remit.ports.ledger import Pending
from remit.trace.bodies import ActionBody


@dataclass(frozen=True, slots=True)
class Attempt:
    """One judged action and its record on the way to disk.

    `waits_for` is the approval that an escalated call waits for: the one it opened, or an
    earlier one for the very same action that is still pending. `action` is its hash, `approval` the one
    it runs under, `edited` what runs in place of what the agent asked for, where people approved that, `shaped` where
    obligations changed it. `meta` tells a tool that it may have been asked before. `barred` is what it was stopped by
    when it was judged: its server was not asked what it offers, so that it never runs, whatever is true afterwards.
    `at_ms` is when it was judged, as its record says, `turns` what the past had taken before its record and with it.
    `answers` is what its client answered to its server so far, by round.
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
    turns: tuple[int, int] = (0, 0)
    answers: Mapping[str, Json] = field(default_factory=dict[str, Json])

    @property
    def result_obligations(self) -> tuple[Obligation, ...]:
        """The obligations on what comes back."""
        verdict = self.decision.verdict
        if isinstance(verdict, Deny) or not verdict.obligations:
            return ()
        return tuple(obligation for obligation in map(parsed, verdict.obligations) if on_result(obligation))

    @property
    def own(self) -> Own:
        """What it counts for while it is under way, and its rounds are not held against."""
        body = append_of(self.decision).body
        assert isinstance(body, ActionBody), "what is under way has an intent"  # noqa: S101
        return Own(self.at_ms, body.marks, *self.turns, body.charges, 1, int(body.irreversible))

    @property
    def ref(self) -> str:
        """The decision id."""
        return str(self.pending.ref)
