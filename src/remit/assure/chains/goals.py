"""What must not be reached: by a permitted call, with data of a kind, by several duties or powers of one agent.

Some goals are looked for everywhere; each Guarantee of a workspace is one more. A guarantee is held as agents act,
whatever policies say: what is looked for is whether policies hold it by themselves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, assert_never

from remit.assure.chains.moves import DUTY, HIDDEN, ChainCall
from remit.assure.chains.space import Space
from remit.facts.guarantee import Guarantee, NoFlow, Powers, Rate, Separation
from remit.facts.label import Labels
from remit.facts.monitor import MonitorScope


@dataclass(frozen=True, slots=True)
class Goal:
    """What it is called, what it comes to, and the tag of policies that cut it.

    `labels` are those whose data must not get there: none where no data is meant. `family` is theirs, where a
    permit that names it says that its author means such data. `guarantee` is what forbids it, if one does.
    """

    name: str
    says: str
    owasp: str
    labels: Labels = frozenset()
    family: str | None = None
    guarantee: Guarantee | None = None

    @property
    def families(self) -> Labels:
        """The families of its labels."""
        return frozenset(label.partition(":")[0] for label in self.labels)

    @property
    def unasked(self) -> bool:
        """Whether a call that people are asked about does not reach it."""
        return self.guarantee is not None and isinstance(self.guarantee.rule, NoFlow)


OUTSIDE: Final = Goal(
    "confidential-outside",
    "confidential data reaches a sink outside",
    "ASI02",
    frozenset({"confidential"}),
    "confidential",
)
FINAL: Final = Goal(
    "untrusted-final",
    "what strangers wrote reaches a tool whose effect cannot be undone",
    "ASI01",
    frozenset({"untrusted"}),
    "untrusted",
)
DUTIES: Final = Goal("duties-together", "one line of work does two duties that are to be apart", "ASI03")


@lru_cache(maxsize=1_024)
def goal_of(guarantee: Guarantee) -> Goal:
    """What `guarantee` forbids."""
    name, held = guarantee.name, guarantee.rule
    match held:
        case NoFlow():
            kinds = " or ".join(sorted(held.labels))
            says = f"{kinds} data reaches a sink from which the guarantee {name} keeps it"
            return Goal(f"guarantee/{name}", says, "ASI02", held.labels, guarantee=guarantee)
        case Separation():
            says = f"one agent does several duties that the guarantee {name} keeps apart"
            return Goal(f"guarantee/{name}", says, "ASI03", guarantee=guarantee)
        case Powers():
            says = f"one agent has all powers that the guarantee {name} lets nobody have together"
            return Goal(f"guarantee/{name}", says, "ASI03", guarantee=guarantee)
        case Rate():
            says = f"more is done than the guarantee {name} allows"
            return Goal(f"guarantee/{name}", says, "ASI02", guarantee=guarantee)
        case _:
            assert_never(held)


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The `states` in which a call reaches `goal`; with `parts`, as bits, it is some of what together reaches it."""

    goal: Goal
    states: int
    parts: int = 0


def forbidden(
    space: Space, call: ChainCall, chain: Sequence[str], done: frozenset[tuple[str, str]]
) -> tuple[Forbidden, ...]:
    """In which states `call` by the agents of `chain` reaches a goal; `done` are the duties done so far, by what."""
    found: list[Forbidden] = []
    for goal, reaches in ((OUTSIDE, call.external), (FINAL, call.irreversible)):
        if reaches and (states := carrying(space, goal.labels)):
            found.append(Forbidden(goal, states))
    if any(duty in call.duties and tool != call.tool for duty, tool in done):
        found.append(Forbidden(DUTIES, space.all))
    return (*found, *_guarded(space, call, chain, done))


def _guarded(
    space: Space, call: ChainCall, chain: Sequence[str], done: frozenset[tuple[str, str]]
) -> Iterator[Forbidden]:
    for guard in call.guards:
        goal, held = goal_of(guard.guarantee), guard.guarantee.rule
        match held:
            case NoFlow():
                if states := carrying(space, held.labels):
                    yield Forbidden(goal, states)
            case Separation(scope=MonitorScope.SESSION):
                others = {
                    (f"{guard.guarantee.ident}:{bit}", agent)
                    for bit in range(len(held.duties))
                    if not guard.bits >> bit & 1
                    for agent in doers(held, chain)
                }
                if others & done:
                    yield Forbidden(goal, space.all)
            case Separation() | Powers():
                yield Forbidden(goal, space.all, guard.bits)
            case Rate():
                yield Forbidden(goal, space.all, 1)
            case _:
                assert_never(held)


def doers(held: Separation | Powers, chain: Sequence[str]) -> Sequence[str]:
    """The agents of `chain` who do what it does, as the guarantee counts."""
    return chain if held.chain else chain[-1:]


def after(call: ChainCall, chain: Sequence[str], done: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """The duties done when `chain` has made `call` as well."""
    found = done | {(duty, call.tool) for duty in call.duties}
    for guard in call.guards:
        held = guard.guarantee.rule
        if isinstance(held, Separation) and held.scope is MonitorScope.SESSION:
            bits = [bit for bit in range(len(held.duties)) if guard.bits >> bit & 1]
            found |= {(f"{guard.guarantee.ident}:{bit}", agent) for bit in bits for agent in doers(held, chain)}
    return found


def lasting(done: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those of `done` that outlast a session: the duties of a line of work."""
    return frozenset(one for one in done if one[0].startswith(DUTY))


def carrying(space: Space, labels: Labels) -> int:
    """The states in which data with one of `labels` is at hand, whether its label is or not."""
    states = 0
    for label in labels:
        for one in (label, HIDDEN.get(label, label)):
            if one in space.number:
                states |= space.held[space.number[one]]
    return states
