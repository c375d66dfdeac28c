"""Who attacks with what: every agent with the tools it is shown, and how its attempts are put together."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from remit.assure.attack.plan import Actor, AttackAttempt, AttackKind, Calls, Goal, Step
from remit.assure.attack.risks import Risk, Technique
from remit.assure.attack.values import arguments, benign
from remit.facts.label import Labels, closed
from remit.facts.tool import Effect, Sink, Tool
from remit.pdp.listing import visible_tools
from remit.policy.bundle import Bundle

CANARY: Final = "canary"
"""What every confidential result holds, followed by its tool's mark."""
READERS_MAX: Final = 3
"""How many sources each act is tried after, for each agent."""


@dataclass(frozen=True, slots=True)
class AttackSurface:
    """An agent with what it is shown: what it reads with, by the labels that brings, and what it acts with."""

    bundle: Bundle
    agent: str
    untrusted: tuple[Tool, ...]
    confidential: tuple[Tool, ...]
    acts: tuple[Tool, ...]
    tools: tuple[Tool, ...]

    def call(self, tool: Tool, mark: str) -> Calls | None:
        """A call with what an attacker wants in it; None where no arguments can be made."""
        given = arguments(self.bundle.tools[tool.server, tool.name], mark)
        return None if given is None else Calls(self.agent, tool.server, tool.name, given)

    def read(self, tool: Tool) -> Calls | None:
        """A harmless call."""
        given = benign(self.bundle.tools[tool.server, tool.name])
        return None if given is None else Calls(self.agent, tool.server, tool.name, given)

    def steered(self, tools: Sequence[Tool]) -> Tool | None:
        """The first of `tools` into which an attacker can put something of his own."""
        return next((tool for tool in tools if self.call(tool, mark_of("steered")) is not None), None)


def seats_of(bundle: Bundle) -> list[AttackSurface]:
    """The seats of all agents, in order of their names."""
    return [_seat(bundle, agent) for agent in sorted(bundle.catalog.agents)]


def attempt(
    actor: Actor,
    kind: AttackKind,
    risk: Risk,
    techniques: tuple[Technique, ...],
    title: str,
    steps: Sequence[Step | None],
    goal: Goal,
    words: str = "",
) -> Iterator[AttackAttempt]:
    """The attempt, where every step of it could be made."""
    known = tuple(step for step in steps if step is not None)
    if len(known) == len(steps):
        ident = f"{risk.value.lower()}-{mark_of(actor.value, title)[1:9]}"
        yield AttackAttempt(ident, actor, kind, risk, techniques, title, known, goal, words)


def mark_of(*told: str) -> str:
    """A short word that stands in nothing else: letters and digits, by what it is for."""
    return "m" + hashlib.sha256("\0".join(told).encode("utf-8")).hexdigest()[:11]


def canary_of(tool: Tool) -> str:
    """What a confidential result of `tool` holds."""
    return CANARY + mark_of(tool.server, tool.name)


def tool_name(tool: Tool) -> str:
    """`SERVER/TOOL`."""
    return f"{tool.server}/{tool.name}"


def _seat(bundle: Bundle, agent: str) -> AttackSurface:
    shown = visible_tools(bundle, (agent,))
    reads = [tool for tool in shown if tool.effect is Effect.READ]
    return AttackSurface(
        bundle,
        agent,
        tuple(tool for tool in reads if brings(tool, "untrusted"))[:READERS_MAX],
        tuple(tool for tool in reads if brings(tool, "confidential"))[:READERS_MAX],
        tuple(tool for tool in shown if acts(tool)),
        shown,
    )


def acts(tool: Tool) -> bool:
    """Whether what `tool` does cannot be undone, or leaves the house."""
    return tool.effect is Effect.IRREVERSIBLE or tool.sink is Sink.EXTERNAL


def brings(tool: Tool, label: str) -> bool:
    """Whether results of `tool` may bring `label`."""
    labels: Labels = closed(tool.brings)
    return label in labels
