"""What observing an agent has let through: its calls counted by the policy that would have stopped them.

Laws: a call counts once among the denied, the asked or, where it only asks what there is, the hidden; and once under
each policy and budget that stopped it. A call is never left out for want of knowledge: a policy whose text is lost
counts as one that forbids.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from remit.policy.verdict import Code, Reason

EXAMPLES_MAX: Final = 3
Forbids: TypeAlias = Callable[[str], bool]
"""Whether the policy with this id forbids, in the bundle that judged the call."""


@dataclass(frozen=True, slots=True)
class Observed:
    """One call that went through although policy said otherwise of some agent of its chain.

    `ref` is its decision id, `at` in milliseconds since the epoch, `agents` the chain, `reasons`
    those on record, and `verdict` what was overridden, `deny` or `escalate`. `lists` says that it asks what there is
    of `tool`: held to policy, its agent is shown nothing.
    """

    ref: str
    at: int
    tool: str
    agents: tuple[str, ...]
    reasons: tuple[Reason, ...]
    verdict: str
    lists: bool = False


@dataclass(slots=True)
class AdoptionCount:
    """The calls, or the lists, that one policy spoke against, or a budget; `policy` is None where none permits.

    `denied`, `escalated` and `hidden` say what would have become of them; `examples` are decision ids, the
    latest first, whose `reason` it is.
    """

    policy: str | None
    reason: str
    where: str | None
    last_ms: int
    denied: int = 0
    escalated: int = 0
    hidden: int = 0
    examples: list[str] = field(default_factory=list[str])
    tools: set[str] = field(default_factory=set[str])


class AdoptionTally:
    """The counts for one agent. Give it calls latest first."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._rows: dict[tuple[str | None, str, bool], AdoptionCount] = {}
        self.denied = 0
        self.escalated = 0
        self.hidden = 0

    def add(self, call: Observed, forbids: Forbids) -> None:
        """Count `call`, unless it was another agent of its chain that policy would have stopped."""
        would, reasons = stopped_by(self._agent, call, forbids)
        if not reasons:
            return
        hidden, asked = call.lists, would == "escalate"
        denied = not hidden and not asked
        self.denied += denied
        self.escalated += asked
        self.hidden += hidden
        for reason in reasons:
            # A budget says each time how much is spent by then.
            key = (reason.policy, "" if _of_budget(reason) else reason.text, call.lists)
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = AdoptionCount(reason.policy, reason.text, reason.where, call.at)
            row.denied += denied
            row.escalated += asked
            row.hidden += hidden
            row.tools.add(call.tool)
            if len(row.examples) < EXAMPLES_MAX:
                row.examples.append(call.ref)

    def rows(self) -> Iterable[AdoptionCount]:
        """The policies, those that spoke against most first."""
        return sorted(
            self._rows.values(),
            key=lambda row: (-row.denied - row.escalated, -row.hidden, row.policy or "", row.reason),
        )


def stopped_by(agent: str, call: Observed, forbids: Forbids) -> tuple[str, tuple[Reason, ...]]:
    """What policy said of `agent` alone, `deny` or `escalate`, and the reasons for it; none where it permitted.

    Reads `policy.evaluate` backwards: no permit; else gates, beside the permits behind them; else
    policies of which all forbid, or all permit. `pdp.spending` adds what has people asked about every agent of
    the chain; a denial of policy's comes before that.
    """
    own = tuple(reason for reason in call.reasons if reason.agent == agent)
    unpermitted = tuple(reason for reason in own if reason.code is Code.NO_POLICY)
    if unpermitted:
        return "deny", unpermitted
    gates = tuple(reason for reason in own if reason.code is Code.GATE)
    budgets = tuple(reason for reason in call.reasons if _of_budget(reason))
    if not gates and call.verdict == "deny":
        denials = (reason for reason in own if reason.code is Code.POLICY and reason.policy is not None)
        # Alone in its chain, it is the one that was overridden, and what is said is what forbade.
        alone = set(call.agents) == {agent}
        forbidding = tuple(reason for reason in denials if alone or forbids(reason.policy or ""))
        if forbidding:
            return "deny", forbidding
    return "escalate", (*gates, *budgets)


def _of_budget(reason: Reason) -> bool:
    """Whether it is a budget that has people asked: it speaks of no agent of the chain."""
    return reason.code is Code.GATE and reason.agent is None
