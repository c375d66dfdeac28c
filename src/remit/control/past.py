"""Monitor and Guarantee resources to what the catalog holds, with what is wrong about them.

What would need more memory than there is for it, or would mean nothing where it applies, is refused here.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, assert_never

from remit.control.names import refer
from remit.control.problems import ProblemSeverity, WorkspaceProblem, did_you_mean
from remit.control.resources import GuaranteeSpec, MonitorSpec, Resource, ResourceKind, WindowSpec
from remit.facts.agent import Agent, User
from remit.facts.catalog import Tool
from remit.facts.feed import picked
from remit.facts.guarantee import Guarantee, NoFlow, Powers, Rate, Separation
from remit.facts.label import Labels, closed
from remit.facts.monitor import STEPS, EventAggregate, Happening, Monitor, MonitorScope, Selector, When, Window
from remit.facts.results import steps

STEPS_MAX: Final = 3_600
STEP_S_MIN: Final = 0.001
WITHIN_S_MAX: Final = 366 * 86_400.0
KEYS_TOP: Final = 100_000
MEMORY_BYTES_MAX: Final = 128 * 1024 * 1024
"""What the monitors and guarantees of a workspace may come to hold, all their keys alive."""
_CELL_BYTES: Final = 400
_STEP_BYTES: Final = 90
_ROOM: Final = 4

_Found = Iterator[tuple[str, str]]
"""The field that a problem is about, and what it is."""


@dataclass(frozen=True, slots=True)
class MonitorReferences:
    """What monitors and guarantees refer to. `labels` are those that the catalog brings."""

    tools: Mapping[tuple[str, str], Tool]
    servers: Mapping[str, object]
    agents: Mapping[str, Agent]
    users: Mapping[str, User]
    groups: frozenset[str]
    labels: Labels


def monitor_of(
    resource: Resource, spec: MonitorSpec, around: MonitorReferences
) -> tuple[Monitor, list[WorkspaceProblem]]:
    """The monitor that `spec` declares, and what is wrong about it."""
    usual = spec.op is EventAggregate.PREVIOUS or (
        spec.op in {EventAggregate.ONCE, EventAggregate.SINCE}
        and all(event.when is not When.FAILED for event in spec.events)
    )
    monitor = Monitor(
        resource.name,
        spec.op,
        spec.events,
        spec.scope,
        _window(spec.window),
        spec.unless,
        spec.by,
        spec.others,
        spec.keys,
        spec.measure,
        usual if spec.awaited is None else spec.awaited,
        spec.description,
    )
    found = [*_shape_of(spec), *_window_problems(spec.window, "spec"), *_keyed(spec.by, spec.keys, spec.scope, spec)]
    problems = [WorkspaceProblem("monitor/shape", resource.at(f"spec.{field}"), why) for field, why in found]
    for field, events in (("of", spec.events), ("unless", spec.unless)):
        for index, event in enumerate(events):
            at = f"spec.{field}.{index}"
            problems += refer(resource, f"{at}.agents", sorted(event.agents), around.agents, ResourceKind.AGENT)
            problems += refer(resource, f"{at}.groups", sorted(event.groups), around.groups, ResourceKind.GROUP)
            problems += _selected(resource, at, event.of, around)
            problems += [
                WorkspaceProblem("monitor/event", resource.at(at), why)
                for tool in around.tools.values()
                if picked(event.of, tool)
                for why in _unfit(tool, monitor.argument(f"{tool.server}/{tool.name}"), spec.measure)
            ]
    return monitor, problems


def guarantee_of(
    resource: Resource, spec: GuaranteeSpec, around: MonitorReferences
) -> tuple[Guarantee | None, list[WorkspaceProblem]]:
    """The guarantee that `spec` declares, None where it names none or several, and what is wrong about it."""
    problems = refer(resource, "spec.owner", (spec.owner,), around.users, ResourceKind.USER)
    if len(spec.holds) != 1:
        what = f"guarantee {resource.name[:64]!r} names {len(spec.holds)} of no_flow, separate, powers, rate"
        return None, [*problems, WorkspaceProblem("guarantee/shape", resource.at("spec"), what, "it is exactly one")]
    [(field, held, window)] = spec.holds
    at = f"spec.{field}"
    problems += [WorkspaceProblem("guarantee/shape", resource.at(at), why) for _, why in _window_problems(window, at)]
    match held:
        case NoFlow():
            problems += [
                WorkspaceProblem(
                    "guarantee/label",
                    resource.at(f"{at}.labels"),
                    f"nothing brings the label {label[:64]!r}",
                    "a flow of what never comes is held for nothing",
                    did_you_mean(label, around.labels),
                )
                for label in sorted(held.labels - closed(around.labels))
            ]
        case Separation():
            held = replace(held, window=_window(window))
            problems += _selected_all(resource, f"{at}.duties", held.duties, around)
            problems += _duties(resource, at, held, around)
        case Powers():
            held = replace(held, window=_window(window))
            problems += _selected_all(resource, f"{at}.all_of", held.powers, around)
        case Rate():
            held = replace(held, window=_window(window))
            problems += _selected(resource, f"{at}.of", held.of, around)
            if not 0 <= held.at_most <= 10**9:
                problems.append(
                    WorkspaceProblem("guarantee/shape", resource.at(f"{at}.at_most"), "at_most is 0 to 10^9")
                )
        case _:
            assert_never(held)
    return Guarantee(resource.name, spec.owner, held, spec.description), problems


def memory_problem(monitors: Mapping[str, Monitor], guarantees: Mapping[str, Guarantee]) -> str | None:
    """Why all of them together are too much, by the largest of them; None where they are not."""
    sizes = {
        f"monitor {name}": _bytes(one.window, None if one.by is None else one.keys) for name, one in monitors.items()
    }
    for name, guarantee in guarantees.items():
        held = guarantee.holds
        if isinstance(held, Separation):
            sizes[f"guarantee {name}"] = _bytes(held.window, held.keys)
    total = sum(sizes.values())
    if total <= MEMORY_BYTES_MAX:
        return None
    largest = max(sizes, key=lambda name: sizes[name])
    return (
        f"monitors and guarantees may come to hold {total >> 20} MiB, more than {MEMORY_BYTES_MAX >> 20}; "
        f"{largest} alone {sizes[largest] >> 20}: fewer keys, or a longer step_s"
    )


def _bytes(window: Window, keys: int | None) -> int:
    return (1 if keys is None else keys * _ROOM) * (
        _CELL_BYTES + (window.steps + 1 if window.steps else 0) * _STEP_BYTES
    )


def _window(spec: WindowSpec) -> Window:
    if spec.within_s is None or not 0 < spec.within_s <= WITHIN_S_MAX:
        return Window()
    within_ms = max(1, round(spec.within_s * 1000))
    said = spec.step_s is not None and STEP_S_MIN <= spec.step_s <= spec.within_s
    step_ms = round((spec.step_s or 0) * 1000) if said else math.ceil(within_ms / STEPS)
    return Window(step_ms, math.ceil(within_ms / step_ms))


def _window_problems(spec: WindowSpec, at: str) -> _Found:
    if spec.within_s is None:
        if spec.step_s is not None:
            yield "step_s", "step_s parts the window within_s, and there is none"
        return
    if not 1 <= spec.within_s <= WITHIN_S_MAX:
        yield "within_s", f"within_s is 1 to {WITHIN_S_MAX:.0f} seconds"
        return
    if spec.step_s is not None and not STEP_S_MIN <= spec.step_s <= spec.within_s:
        yield "step_s", f"step_s is at least {STEP_S_MIN:g}, and no longer than within_s"
        return
    count = _window(spec).steps
    if count > STEPS_MAX:
        least = math.ceil(spec.within_s / STEPS_MAX * 1000) / 1000
        much = f"within_s and step_s of {at} make {count} steps, of which at most {STEPS_MAX} are kept"
        yield "step_s", f"{much}: step_s: {least:g} or more"


def _shape_of(spec: MonitorSpec) -> _Found:
    if (spec.op is EventAggregate.SINCE) != bool(spec.unless):
        yield "unless", "since has events that it is forgotten by (unless), and no other op has"
    if (spec.op is EventAggregate.SUM) != (spec.measure is not None):
        yield "sums", "sum says what it adds up (sums), and no other op does"
    if spec.op is EventAggregate.PREVIOUS and spec.awaited is False:
        yield "in_flight", "previous waits for outcomes: who is not known to have done it is not the last who did"
    for field, events in (("of", spec.events), ("unless", spec.unless)):
        for index, event in enumerate(events):
            if event.path is not None and event.when not in {When.SUCCEEDED, When.FAILED}:
                yield f"{field}.{index}.result", "a result is there when the call succeeded or failed"
            if event.path is not None and not steps(event.path):
                yield f"{field}.{index}.result.path", "it leads to no part of a result: $.name, $.name[0].part"


def _keyed(by: str | None, keys: int, scope: MonitorScope, spec: MonitorSpec | None = None) -> _Found:
    if by is None:
        return
    if not 1 <= keys <= KEYS_TOP:
        yield "keys", f"keys is 1 to {KEYS_TOP}"
    if spec is not None and scope is MonitorScope.FLEET and spec.window.within_s is None:
        yield "by", f"the values of {by[:64]!r} would be kept for ever: say within_s, or count over a session"


def _duties(resource: Resource, at: str, held: Separation, around: MonitorReferences) -> Iterator[WorkspaceProblem]:
    for field, why in _keyed(held.by, held.keys, held.scope):
        yield WorkspaceProblem("guarantee/shape", resource.at(f"{at}.{field}"), why)
    if held.by is not None and held.scope is MonitorScope.FLEET and not held.window.steps:
        why = f"the values of {held.by[:64]!r} would be kept for ever: say within_s"
        yield WorkspaceProblem("guarantee/shape", resource.at(f"{at}.by"), why)
    for tool in around.tools.values():
        named = f"{tool.server}/{tool.name}"
        mine = [index for index, duty in enumerate(held.duties) if picked(duty, tool)]
        if len(mine) > 1:
            what = f"{named} does several of the duties by itself"
            yield WorkspaceProblem(
                "guarantee/duty", resource.at(f"{at}.duties.{mine[1]}"), what, "it could never be called"
            )
        for index in mine[:1]:
            argument = dict(held.others).get(named, held.by)
            for why in (*_unfit(tool, argument, None), *_several(tool, argument)):
                yield WorkspaceProblem("guarantee/duty", resource.at(f"{at}.duties.{index}"), why)


def _several(tool: Tool, argument: str | None) -> Iterator[str]:
    """Why duties cannot be parted by `argument`: each value in it would be a case of its own."""
    properties = tool.definition.input_schema.get("properties")
    said = properties.get(argument or "") if isinstance(properties, Mapping) else None
    if isinstance(said, Mapping) and said.get("type") in ("array", "object"):
        named = f"{tool.server}/{tool.name}"
        yield f"the argument {(argument or '')[:64]!r} of {named} holds several values: part by another"


def _unfit(tool: Tool, argument: str | None, measure: str | None) -> Iterator[str]:
    """Why calls of `tool` cannot be counted as they are to be."""
    named = f"{tool.server}/{tool.name}"
    if argument is not None:
        properties = tool.definition.input_schema.get("properties")
        if not isinstance(properties, Mapping) or argument not in properties:
            yield f"{named} has no argument {argument[:64]!r}: say its own name for it in others"
        elif argument in tool.secrets:
            yield f"the argument {argument[:64]!r} of {named} is a secret, of which nothing is kept"
    if measure is not None and measure not in tool.impact:
        yield f"the catalog does not say where {named} has its {measure}: give the Tool an impact.{measure}"


def _selected_all(
    resource: Resource, at: str, many: tuple[Selector, ...], around: MonitorReferences
) -> Iterator[WorkspaceProblem]:
    for index, one in enumerate(many):
        yield from _selected(resource, f"{at}.{index}", one, around)


def _selected(
    resource: Resource, at: str, of: Selector | Happening, around: MonitorReferences
) -> Iterator[WorkspaceProblem]:
    selector = of.of if isinstance(of, Happening) else of
    known = {f"{server}/{name}" for server, name in around.tools} | {f"{server}/*" for server in around.servers}
    unknown = sorted(selector.tools - known)
    for name in unknown:
        yield WorkspaceProblem(
            "reference/unknown",
            resource.at(f"{at}.tools"),
            f"{resource.kind} {resource.name[:128]!r} names the tool {name[:128]!r}, which is not accepted",
            hint=did_you_mean(name, known),
            next="accept the tool, or correct the name, then run: remit diff",
        )
    if not unknown and not any(picked(selector, tool) for tool in around.tools.values()):
        what = f"{resource.kind} {resource.name[:128]!r} means no tool here"
        why = "nothing will ever be counted by it"
        yield WorkspaceProblem("monitor/nothing", resource.at(at), what, why, severity=ProblemSeverity.WARNING)
