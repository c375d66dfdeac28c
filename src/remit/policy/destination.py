"""What an action reaches: a tool, a resource, a prompt, a model, another agent, as policy and ledger name it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from remit.facts.feed import NO_FEEDS, Feeds, feeds_of, readable
from remit.facts.finding import Find
from remit.facts.guarantee import Guarantee
from remit.facts.label import Labels, closed
from remit.facts.monitor import Monitor
from remit.facts.text import escaped
from remit.facts.tool import Effect, Sink, Tool
from remit.policy.arguments import Validator
from remit.policy.convert import Converter, converter
from remit.policy.form import Uid
from remit.policy.input_types import RecordType
from remit.policy.past import MonitorQuery, query_of
from remit.policy.slice import Slice
from remit.policy.uids import action_uid, server_uid

SHOWN_MAX: Final = 120
"""How much of a name that somebody else chose is said to people."""


@dataclass(frozen=True, slots=True)
class ToolForm:
    """A tool as the bundle runs it: its typed input, its validator, its argument names and those of members below.

    `quarantined` says why it is not run (`tool/untypable`), or is None.
    """

    tool: Tool
    record: RecordType
    validator: Validator | None
    arguments: tuple[str, ...] = ()
    quarantined: str | None = None
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Destination:
    """The far end of an action.

    `doing` says it to people. `within` are the entities that `resource` is in. `source` are the labels
    that what comes back brings, `brings` they and all that they imply, in order. `record` types the input for
    policy, `converter` converts what the slice reads of it, `validator` checks it; None where there is none. A
    `tool` is what a call of one reaches, `arguments` the names that its schema knows, `members` those that
    it knows below them. `feeds` are the monitors and guarantees that calling it concerns, `past` the monitors that
    policies on it may ask, `queries` those of them that one of the slice does. `finds` are what detectors look for in
    what the action sends, which goes outside where it is `external`.
    """

    doing: str
    action: Uid
    resource: Uid
    slice: Slice
    source: Labels
    brings: tuple[str, ...]
    within: frozenset[Uid] = frozenset()
    record: RecordType | None = None
    converter: Converter | None = None
    validator: Validator | None = None
    tool: Tool | None = None
    arguments: tuple[str, ...] = ()
    members: frozenset[str] = frozenset()
    feeds: Feeds = NO_FEEDS
    past: tuple[Monitor, ...] = ()
    queries: tuple[MonitorQuery, ...] = ()
    finds: frozenset[Find] = frozenset()
    external: bool = False

    @property
    def pin(self) -> str:
        """The pin of the tool, or nothing."""
        return "" if self.tool is None else self.tool.pin

    @property
    def irreversible(self) -> bool:
        """Whether it cannot be undone, as far as the catalog says."""
        return self.tool is not None and self.tool.effect is Effect.IRREVERSIBLE


def tool_destination(
    form: ToolForm,
    part: Slice,
    monitors: Collection[Monitor],
    guarantees: Collection[Guarantee],
    finds: frozenset[Find],
) -> Destination:
    """What a call of the tool of `form` reaches, whose slice is `part`, where there are `monitors` and `guarantees`.

    `finds` is what is looked for in what is sent to its server.
    """
    tool = form.tool
    past = readable(monitors, tool)
    return Destination(
        doing=f"call {escaped(f'{tool.server}/{tool.name}', chars_max=SHOWN_MAX)}",
        action=action_uid(tool.exposed),
        resource=server_uid(tool.server),
        slice=part,
        source=tool.worst,
        brings=tuple(sorted(closed(tool.worst))),
        record=form.record,
        converter=converter(form.record, part.reads),
        validator=form.validator,
        tool=tool,
        arguments=form.arguments,
        members=form.members,
        feeds=feeds_of(tool, monitors, guarantees),
        past=past,
        queries=asked_by(part, past, tool),
        finds=finds,
        external=tool.sink is Sink.EXTERNAL,
    )


def asked_by(part: Slice, past: Iterable[Monitor], tool: Tool | None = None) -> tuple[MonitorQuery, ...]:
    """Those of `past` that a policy of `part` asks, of calls of `tool`, or of what else is done."""
    return tuple(query_of(one, tool) for one in past if part.asks(one.name)) if part.past else ()
