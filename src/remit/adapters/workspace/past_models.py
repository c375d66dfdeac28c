"""The shapes of monitors and guarantees."""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, StrictBool, StrictInt, StrictStr

from remit.adapters.workspace.base_shape import Name, Names, Shape, Text


class SelectorShape(Shape):
    """Which tools are meant: those that fit every field that names something."""

    tools: Names = Field(default=[], description="SERVER/TOOL, or SERVER/* for all of a server's.")
    effects: list[Literal["read", "write", "irreversible"]] = Field(default=[], description="What they do.")
    sinks: list[Literal["none", "internal", "external"]] = Field(default=[], description="Where arguments go.")
    tags: Names = Field(default=[], description="Words of the catalog's own.")


class ResultShape(Shape):
    """What a result says."""

    path: Name = Field(description="$.name, $.name[0].part and the like, in the structured result or its JSON text.")
    equals: StrictBool | StrictInt | StrictStr = Field(description="The value there.")


class HappeningShape(SelectorShape):
    """An event: a call of one of these tools, at one point of its way."""

    when: Literal["started", "succeeded", "failed", "denied"] = Field(
        default="started", description="started: it was let through."
    )
    agents: Names = Field(default=[], description="Of these agents alone.")
    groups: Names = Field(default=[], description="Of agents in these groups alone.")
    result: ResultShape | None = Field(default=None, description="What the result says, of succeeded and failed.")


Happenings: TypeAlias = Annotated[list[HappeningShape], Field(min_length=1, max_length=32)]
Selectors: TypeAlias = Annotated[list[SelectorShape], Field(min_length=2, max_length=16)]
_WITHIN: Final = Field(default=None, description="How far back events count, in seconds. Left out: for ever.")
_STEP: Final = Field(default=None, description="What a window is counted in, in seconds. Left out: within_s / 60.")
_OTHERS: Final = "Its name at tools where it has another, by SERVER/TOOL."
_KEYS: Final = Field(default=1_000, description="How many of its values count at once, at least about.")


class MonitorShape(Shape):
    """What happened before, as policies read it in context.past.NAME."""

    op: Literal["once", "since", "previous", "count", "sum"] = Field(description="What of the events is asked.")
    of: Happenings = Field(description="The events.")
    over: Literal["session", "fleet"] = Field(default="session", description="Whose events count.")
    within_s: float | None = _WITHIN
    step_s: float | None = _STEP
    unless: Annotated[list[HappeningShape], Field(max_length=32)] = Field(
        default=[], description="Of since: events after which it is forgotten."
    )
    by: Name | None = Field(default=None, description="An argument: each of its values is counted for itself.")
    others: dict[Name, Name] = Field(default={}, max_length=100, description=_OTHERS)
    keys: int = _KEYS
    sums: Literal["amount", "records", "recipients"] | None = Field(default=None, description="Of sum: what of.")
    in_flight: Literal["counts", "waits"] | None = Field(
        default=None, description="Calls under way. Left out: they count, where they may be what is looked for."
    )
    description: Text = ""


class NoFlowShape(Shape):
    """Nothing out of a session with these labels goes to such a sink, but through a gate."""

    labels: Annotated[list[Name], Field(min_length=1, max_length=100)] = Field(description="Any of these labels.")
    sinks: Annotated[list[Literal["internal", "external"]], Field(min_length=1)] = Field(
        default=["external"], description="Where what a tool is told goes."
    )


class SeparateShape(Shape):
    """No agent does more than one of these duties."""

    duties: Selectors = Field(description="Tools that are one duty, tools that are another.")
    over: Literal["session", "fleet"] = Field(default="fleet", description="Of a session, or of all.")
    within_s: float | None = _WITHIN
    step_s: float | None = _STEP
    by: Name | None = Field(default=None, description="An argument: duties towards the same value of it are parted.")
    others: dict[Name, Name] = Field(default={}, max_length=100, description=_OTHERS)
    keys: int = _KEYS
    counts: Literal["acting", "chain"] = Field(default="acting", description="chain: who delegates did it as well.")


class PowersShape(Shape):
    """No agent has all of these powers."""

    all_of: Selectors = Field(description="Tools that are one power, tools that are another.")
    within_s: float | None = _WITHIN
    step_s: float | None = _STEP
    counts: Literal["acting", "chain"] = Field(default="chain", description="chain: who delegates has it as well.")


class RateShape(Shape):
    """No more than so many calls of these within a window."""

    of: SelectorShape = Field(description="Whose calls are counted.")
    at_most: int = Field(description="How many there may be.")
    within_s: float = Field(description="Within how many seconds.")
    step_s: float | None = _STEP
    over: Literal["session", "fleet"] = Field(default="fleet", description="Whose calls count.")


class GuaranteeShape(Shape):
    """What must hold of the whole: exactly one of no_flow, separate, powers and rate."""

    owner: Name = Field(description="The User who answers for it, and alone signs off what breaks it.")
    description: Text = ""
    no_flow: NoFlowShape | None = Field(default=None, description="Data that does not leave unasked.")
    separate: SeparateShape | None = Field(default=None, description="Duties that are kept apart.")
    powers: PowersShape | None = Field(default=None, description="Powers that nobody has together.")
    rate: RateShape | None = Field(default=None, description="What stays below a bound.")


PAST_PARTS: Final[tuple[tuple[str, type[Shape]], ...]] = (
    ("spec.of.", HappeningShape),
    ("spec.unless.", HappeningShape),
    ("spec.no_flow.", NoFlowShape),
    ("spec.separate.", SeparateShape),
    ("spec.powers.", PowersShape),
    ("spec.rate.", RateShape),
)
"""The shapes of what lies below their fields."""
