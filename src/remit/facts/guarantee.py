"""Guarantees: what must hold of the whole, whatever any policy says.

Laws
* A guarantee denies; it permits nothing, and no approval, grant or `observe` lifts it.
* What shows from scopes alone (`Powers`, `Separation`) is looked at before a bundle runs, too.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias, assert_never

from remit.facts.canonical import Json
from remit.facts.label import Labels
from remit.facts.monitor import FOREVER, KEYS_MAX, Cells, MonitorScope, Selector, Window, short, slots_of

AGENTS_MAX: Final = 10_000
"""How many agents what they did is kept of, by each guarantee."""


@dataclass(frozen=True, slots=True)
class NoFlow:
    """Nothing out of a session that holds one of `labels` goes to one of `sinks`, but through a gate.

    `sinks` are values of `facts.tool.Sink`; a gate is one that people lifted, or are asked about.
    """

    labels: Labels
    sinks: frozenset[str]


@dataclass(frozen=True, slots=True)
class Separation:
    """No agent does more than one of these `duties`, of the same value of the argument `by` where it names one.

    `aliases` are names of that argument at single tools. `chain`: whoever delegates did it as well.
    """

    duties: tuple[Selector, ...]
    scope: MonitorScope = MonitorScope.FLEET
    window: Window = FOREVER
    by: str | None = None
    aliases: tuple[tuple[str, str], ...] = ()
    keys: int = KEYS_MAX
    chain: bool = False


@dataclass(frozen=True, slots=True)
class Powers:
    """No agent has all of these `powers`; `chain`: what it has others do for it is its own."""

    powers: tuple[Selector, ...]
    window: Window = FOREVER
    chain: bool = True


@dataclass(frozen=True, slots=True)
class Rate:
    """No more than `at_most` calls of what is `of` these within a `window`, over a `scope`."""

    of: Selector
    at_most: int
    window: Window
    scope: MonitorScope = MonitorScope.FLEET


GuaranteeRule: TypeAlias = NoFlow | Separation | Powers | Rate


@dataclass(frozen=True, slots=True)
class SignOff:
    """`by` let a bundle run whose scopes break `guarantee` as the digest `breach` names it; it is held all the same."""

    breach: str
    guarantee: str
    by: str
    at_ms: int
    why: str


@dataclass(frozen=True, slots=True)
class Guarantee:
    """`rule` holds of the whole, and `owner` (a User) answers for it: he alone signs off a bundle that breaks it."""

    name: str
    owner: str
    rule: GuaranteeRule
    description: str = ""
    ident: str = field(init=False, repr=False, compare=False)
    """What its state is kept under; a guarantee that says another thing begins anew."""

    def __post_init__(self) -> None:
        """Name its state, once for all that asks it."""
        object.__setattr__(self, "ident", f"guarantee/{self.name}~{short(rule_json(self.rule))}")

    @property
    def kind(self) -> str:
        """As the resource spells it."""
        match self.rule:
            case NoFlow():
                return "no_flow"
            case Separation():
                return "separate"
            case Powers():
                return "powers"
            case Rate():
                return "rate"
            case _:
                assert_never(self.rule)

    def cells(self, tool: str = "") -> Cells:
        """Where it keeps what calls of `tool` (SERVER/TOOL) do; of flows it keeps nothing."""
        match self.rule:
            case NoFlow():
                return Cells(self.ident, fleet=True, slots=1, window=FOREVER)
            case Separation() as rule:
                argument = None if rule.by is None else dict(rule.aliases).get(tool, rule.by)
                fleet, slots = rule.scope is MonitorScope.FLEET, slots_of(rule.keys)
                # Whether case tells is the tools' to say: what is one too much is denied, not let through.
                return Cells(self.ident, fleet, slots, rule.window, argument, folds=True)
            case Powers(window=window):
                return Cells(self.ident, fleet=True, slots=slots_of(AGENTS_MAX), window=window)
            case Rate() as rule:
                return Cells(self.ident, rule.scope is MonitorScope.FLEET, 1, rule.window)
            case _:
                assert_never(self.rule)

    def to_json(self) -> dict[str, Json]:
        """As the digest of a bundle has it."""
        return {"owner": self.owner, self.kind: rule_json(self.rule)}


def rule_json(rule: GuaranteeRule) -> dict[str, Json]:
    """`rule` as plain JSON; windows as steps."""
    members: dict[str, Json]
    match rule:
        case NoFlow():
            members = {"labels": sorted(rule.labels), "sinks": sorted(rule.sinks)}
        case Separation():
            members = {"duties": [duty.to_json() for duty in rule.duties], "over": rule.scope.value}
            members |= {"window": [rule.window.step_ms, rule.window.steps], "by": rule.by, "keys": rule.keys}
            members |= {"others": [list(pair) for pair in rule.aliases], "chain": rule.chain}
        case Powers():
            members = {"powers": [power.to_json() for power in rule.powers], "chain": rule.chain}
            members["window"] = [rule.window.step_ms, rule.window.steps]
        case Rate():
            members = {"of": rule.of.to_json(), "at_most": rule.at_most, "over": rule.scope.value}
            members["window"] = [rule.window.step_ms, rule.window.steps]
        case _:
            assert_never(rule)
    return members
