"""What an agent did before: which tools it used, and towards targets of which kinds.

A fold of the intents on the ledger. That an agent used a tool is remembered always; of which kind its targets were,
from when a policy first asks, since that has to be found out for each action.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from remit.facts.action import ActionKind

USED_MAX: Final = 100_000
"""How much is remembered. Beyond that everything else stays new, which is the stricter answer."""

_RECENT_MAX: Final = 20_000
_NOTHING: Final["list[Use]"] = []

Use: TypeAlias = tuple[str, ...]
"""Agent, kind of action, server, name; and behind them the kind of a target."""

_BY_SERVER: Final = frozenset({ActionKind.READ_RESOURCE.value})
"""Kinds of action whose names have no end: their server stands for them."""


class Novelty(NamedTuple):
    """Whether an agent never used this tool, or never towards a target of this kind.

    `kinds` are those of the targets.
    """

    tool: bool
    target: bool
    kinds: tuple[str, ...] = ()

    def recorded(self) -> dict[str, bool]:
        """As a record's context keeps it."""
        return {"tool": self.tool, "target": self.target}


def use_of(agent: str, kind: str, server: str, name: str) -> Use:
    """What is remembered of one action of `agent`."""
    return (agent, kind, server, "" if kind in _BY_SERVER else name)


@dataclass(slots=True)
class UsageHistory:
    """All that is remembered."""

    uses: set[Use] = field(default_factory=set[Use])
    _recent: set[tuple[object, ...]] = field(default_factory=set[tuple[object, ...]], repr=False)

    def intent(
        self, links: tuple[tuple[str, str], ...], kind: str, server: str, name: str, reaches: tuple[str, ...]
    ) -> list[Use]:
        """`take` for every intent that there is: next to nothing where the like of it was taken of late.

        Who acts has used it: the last of `links`, and not those whose authority he has.
        """
        key = (links, kind, server, name)
        if key in self._recent and not reaches:
            return _NOTHING
        if len(self._recent) >= _RECENT_MAX:
            self._recent.clear()
        self._recent.add(key)
        return self.take([agent for agent, _ in links[-1:]], kind, server, name, reaches)

    def take(self, agents: Iterable[str], kind: str, server: str, name: str, reaches: tuple[str, ...]) -> list[Use]:
        """Remember an intent; what was new in it."""
        uses, new = self.uses, list[Use]()
        for agent in agents:
            use = use_of(agent, kind, server, name)
            if use not in uses:
                new.append(use)
            if reaches:
                new.extend(more for reach in reaches if (more := (*use, reach)) not in uses)
        if not new:
            return new
        remembered = new[: max(0, USED_MAX - len(uses))]
        uses.update(remembered)
        return remembered

    def novelty(self, agent: str, kind: str, server: str, name: str, kinds: Iterable[str]) -> Novelty:
        """What would be new in an action of `agent` towards targets of these `kinds`."""
        use, sorted_kinds = use_of(agent, kind, server, name), tuple(sorted(kinds))
        tool = use not in self.uses
        return Novelty(tool, tool or any((*use, reach) not in self.uses for reach in sorted_kinds), sorted_kinds)
