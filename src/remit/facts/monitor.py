"""Monitors: what happened before, as policies may ask for it in `context.past`.

Laws
* A monitor takes the same work for each event, however many there were: it keeps no list of events.
* A window is counted in steps. What happened within it always counts; what is older by up to one step still may.
* What is under way counts where it could be what is looked for, until its outcome says that it was not.
"""

import hashlib
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from remit.facts.canonical import Json, canonical

MONITOR_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
"""As policies write it behind `context.past.`."""
STEPS: Final = 60
"""Into how many steps a window is parted unless it says otherwise."""
WAYS: Final = 16
"""How many keys one slot holds (`protect.past`)."""
SHARE: Final = 3
"""How many times what it leaves free one agent may fill, with all that is delegated from it: the rest is for others."""
KEYS_MAX: Final = 1_000
"""How many live keys a monitor that counts by an argument is made for unless it says otherwise."""


class EventAggregate(StrEnum):
    """What of the events is asked."""

    ONCE = "once"
    SINCE = "since"
    PREVIOUS = "previous"
    COUNT = "count"
    SUM = "sum"


class MonitorScope(StrEnum):
    """Whose events count: those of one root session and all that was delegated under it, or everybody's."""

    SESSION = "session"
    FLEET = "fleet"


class When(StrEnum):
    """At which point an action is an event.

    `started`: it was let through. `succeeded`, `failed`: its outcome says so. `denied`: it was refused.
    """

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Selector:
    """Which tools are meant: those that fit every field that names something. `SERVER/*` names all of a server's.

    `effects` and `sinks` are the values of `facts.tool.Effect` and `Sink`.
    """

    tools: frozenset[str] = frozenset()
    effects: frozenset[str] = frozenset()
    sinks: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    def picks(self, server: str, name: str, effect: str, sink: str, tags: frozenset[str]) -> bool:
        """Whether the tool `name` of `server` is meant."""
        return (
            (not self.tools or not self.tools.isdisjoint((f"{server}/{name}", f"{server}/*")))
            and (not self.effects or effect in self.effects)
            and (not self.sinks or sink in self.sinks)
            and (not self.tags or not self.tags.isdisjoint(tags))
        )

    def to_json(self) -> dict[str, Json]:
        """As YAML spells it; what is left out is left out."""
        fields = {"tools": self.tools, "effects": self.effects, "sinks": self.sinks, "tags": self.tags}
        return {name: sorted(named) for name, named in fields.items() if named}


@dataclass(frozen=True, slots=True)
class Happening:
    """An event: a call of a tool that is `of` these, by one of `agents` or of `groups` where it names some, and `when`.

    With a `path` (`facts.results.steps`) into the result, one that succeeded is one whose value there is `equals`;
    one that failed is also one whose value there is that, or is not there.
    """

    of: Selector
    when: When = When.STARTED
    agents: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    path: str | None = None
    equals: str | int | bool | None = None

    def to_json(self) -> dict[str, Json]:
        """As YAML spells it."""
        members: dict[str, Json] = {**self.of.to_json(), "when": self.when.value}
        members |= {name: sorted(named) for name, named in (("agents", self.agents), ("groups", self.groups)) if named}
        if self.path is not None:
            members["result"] = {"path": self.path, "equals": self.equals}
        return members


@dataclass(frozen=True, slots=True)
class Window:
    """How far back events count: `steps` of `step_ms` each. No steps: for ever."""

    step_ms: int = 0
    steps: int = 0

    @property
    def ms(self) -> int:
        """Its length."""
        return self.step_ms * self.steps

    def floor(self, now_ms: int) -> int:
        """The number of the oldest step that counts at `now_ms`."""
        return now_ms // self.step_ms - self.steps


FOREVER: Final = Window()


@dataclass(frozen=True, slots=True)
class Cells:
    """Where a monitor or guarantee keeps what it does of the calls of one tool: told once, asked for every call.

    `ident` is what its state is kept under, `fleet` whether it is everybody's or each root session's own. Keys are kept
    in so many `slots`; `argument` is the one that a key is the value of, `default` what it is where it is left out.
    `folds`: values are one that differ in case, or in how a number is written.
    """

    ident: str
    fleet: bool
    slots: int
    window: Window
    argument: str | None = None
    default: Json = None
    folds: bool = False

    @property
    def crowded(self) -> bool:
        """Whether everybody's keys share its room."""
        return self.fleet and self.argument is not None

    def slot(self, key: str) -> int:
        """In which slot the cell of `key` is."""
        return int(key, 16) % self.slots if key else 0


@dataclass(frozen=True, slots=True)
class Monitor:
    """`op` of the `events`, any of which is one, over a `scope`, within a `window`.

    `unless` are events that make `since` forget. `by` is the argument whose value has a monitor of its own, with
    `aliases`, its names at tools where it has another; `keys` how many such values it is made for. `measure` is what
    a sum adds up (`facts.impact.MEASURES`). `awaited`: what is under way does not count until its outcome is there.
    """

    name: str
    op: EventAggregate
    events: tuple[Happening, ...]
    scope: MonitorScope = MonitorScope.SESSION
    window: Window = FOREVER
    unless: tuple[Happening, ...] = ()
    by: str | None = None
    aliases: tuple[tuple[str, str], ...] = ()
    keys: int = KEYS_MAX
    measure: str | None = None
    awaited: bool = False
    description: str = ""

    ident: str = field(init=False, repr=False, compare=False)
    """What its state is kept under: another where the state has another form, the same where only events differ."""

    def __post_init__(self) -> None:
        """Name its state, once for all that asks it."""
        form = [self.op.value, self.scope.value, self.window.step_ms, self.window.steps, self.by, self.keys]
        object.__setattr__(self, "ident", f"{self.name}~{short([*form, self.measure])}")

    def cells(self, tool: str = "") -> Cells:
        """Where it keeps what calls of `tool` (SERVER/TOOL) do."""
        slots = 1 if self.by is None else slots_of(self.keys)
        return Cells(self.ident, self.scope is MonitorScope.FLEET, slots, self.window, self.argument(tool))

    def argument(self, tool: str) -> str | None:
        """The name of the argument that `tool` (SERVER/TOOL) has its key in."""
        return None if self.by is None else dict(self.aliases).get(tool, self.by)

    def to_json(self) -> dict[str, Json]:
        """As the digest of a bundle and `describe` have it."""
        members: dict[str, Json] = {
            "op": self.op.value,
            "of": [event.to_json() for event in self.events],
            "over": self.scope.value,
            "unless": [event.to_json() for event in self.unless],
            "window": [self.window.step_ms, self.window.steps],
            "by": self.by,
            "others": [list(pair) for pair in self.aliases],
            "keys": self.keys,
            "measure": self.measure,
            "awaited": self.awaited,
        }
        return {name: value for name, value in members.items() if value not in (None, [], False)}


def short(of: Json) -> str:
    """A digest that fits into a name."""
    return hashlib.blake2b(canonical(of), digest_size=4).hexdigest()


def slots_of(keys: int) -> int:
    """How many slots keep `keys` so that hardly any fills up: a quarter as many, of `WAYS` each."""
    return max(1, (keys + 3) // 4)
