"""What another workspace would change: verdicts beside verdicts, counted by agent and tool."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from remit.facts.canonical import Json
from remit.facts.durations import DAY_MS

NEWLY: Final[Mapping[str, str]] = {
    "deny": "newly denied",
    "escalate": "newly asked",
    "permit": "newly permitted",
}
"""How a change is called, by the verdict that it leads to."""


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """`count` actions of one kind whose verdict went from `before` to `after`, and the policies that now speak."""

    before: str
    after: str
    agent: str
    tool: str
    policies: tuple[str, ...]
    count: int


@dataclass(slots=True)
class VerdictChanges:
    """Verdicts taken in pair by pair. `days` is how long the actions were spread over, at least one.

    `unjudged` counts actions that were not judged, by why.
    """

    actions: int = 0
    asked_was: int = 0
    asked_now: int = 0
    unjudged: Counter[str] = field(default_factory=Counter[str])
    _from_ms: int | None = None
    _to_ms: int = 0
    _found: Counter[tuple[str, str, str, str, tuple[str, ...]]] = field(
        default_factory=Counter[tuple[str, str, str, str, tuple[str, ...]]]
    )

    def take(self, was: Mapping[str, Json], now: Mapping[str, Json], *, agent: str, tool: str, at_ms: int) -> bool:
        """Take in one action judged twice; whether its verdict changed."""
        before, after = str(was["verdict"]), str(now["verdict"])
        self.actions += 1
        self.asked_was += before == "escalate"
        self.asked_now += after == "escalate"
        self._from_ms = at_ms if self._from_ms is None else min(self._from_ms, at_ms)
        self._to_ms = max(self._to_ms, at_ms)
        if before == after:
            return False
        said = now["policies"]
        policies = tuple(str(one) for one in said) if isinstance(said, list | tuple) else ()
        self._found[before, after, agent, tool, policies] += 1
        return True

    @property
    def days(self) -> float:
        """From the first action to the last."""
        return 1.0 if self._from_ms is None else max(1.0, (self._to_ms - self._from_ms) / DAY_MS)

    def rows(self) -> Iterator[VerdictChange]:
        """The changes, the strictest new verdict first, then the most frequent."""
        order = list(NEWLY)
        for (was, now, agent, tool, policies), count in sorted(
            self._found.items(), key=lambda item: (order.index(item[0][1]), -item[1], item[0])
        ):
            yield VerdictChange(was, now, agent, tool, policies, count)

    def total(self, verdict: str) -> int:
        """How many actions newly have `verdict`."""
        return sum(count for key, count in self._found.items() if key[1] == verdict)
