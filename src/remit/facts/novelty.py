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

_LATELY_MAX: Final = 20_000
_NOTHING: Final["list[Did]"] = []

Did: TypeAlias = tuple[str, ...]
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


def did(agent: str, kind: str, server: str, name: str) -> Did:
    """What is remembered of one action of `agent`."""
    return (agent, kind, server, "" if kind in _BY_SERVER else name)


@dataclass(slots=True)
class UsageHistory:
    """All that is remembered."""

    known: set[Did] = field(default_factory=set[Did])
    _lately: set[tuple[object, ...]] = field(default_factory=set[tuple[object, ...]], repr=False)

    def intent(
        self, links: tuple[tuple[str, str], ...], kind: str, server: str, name: str, reaches: tuple[str, ...]
    ) -> list[Did]:
        """`take` for every intent that there is: next to nothing where the like of it was taken of late.

        Who acts has used it: the last of `links`, and not those whose authority he has.
        """
        key = (links, kind, server, name)
        if key in self._lately and not reaches:
            return _NOTHING
        if len(self._lately) >= _LATELY_MAX:
            self._lately.clear()
        self._lately.add(key)
        return self.take([agent for agent, _ in links[-1:]], kind, server, name, reaches)

    def take(self, agents: Iterable[str], kind: str, server: str, name: str, reaches: tuple[str, ...]) -> list[Did]:
        """Remember an intent; what was new in it."""
        known, new = self.known, list[Did]()
        for agent in agents:
            one = did(agent, kind, server, name)
            if one not in known:
                new.append(one)
            if reaches:
                new.extend(more for reach in reaches if (more := (*one, reach)) not in known)
        if not new:
            return new
        kept = new[: max(0, USED_MAX - len(known))]
        known.update(kept)
        return kept

    def novelty(self, agent: str, kind: str, server: str, name: str, kinds: Iterable[str]) -> Novelty:
        """What would be new in an action of `agent` towards targets of these `kinds`."""
        one, reached = did(agent, kind, server, name), tuple(sorted(kinds))
        tool = one not in self.known
        return Novelty(tool, tool or any((*one, reach) not in self.known for reach in reached), reached)
