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
from remit.facts.feed import picked
from remit.facts.guarantee import Guarantee, NoFlow, Powers, Rate, Separation
from remit.facts.label import Labels, closed
from remit.facts.monitor import STEPS, EventAggregate, Happening, Monitor, MonitorScope, Selector, When, Window
from remit.facts.results import steps
from remit.facts.tool import Tool

STEPS_MAX: Final = 3_600
STEP_S_MIN: Final = 0.001
WITHIN_S_MAX: Final = 366 * 86_400.0
KEYS_TOP: Final = 100_000
MEMORY_BYTES_MAX: Final = 128 * 1024 * 1024
"""What the monitors and guarantees of a workspace may come to hold, all their keys alive."""
_CELL_BYTES: Final = 400
_STEP_BYTES: Final = 90
_ROOM: Final = 4

_FieldProblems = Iterator[tuple[str, str]]
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
    resource: Resource, spec: MonitorSpec, references: MonitorReferences
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
    shape = [
        *_shape_problems(spec),
        *_window_problems(spec.window, "spec"),
        *_key_problems(spec.by, spec.keys, spec.scope, spec),
    ]
    problems = [WorkspaceProblem("monitor/shape", resource.at(f"spec.{field}"), why) for field, why in shape]
    for field, events in (("of", spec.events), ("unless", spec.unless)):
        for index, event in enumerate(events):
            at = f"spec.{field}.{index}"
            problems += refer(resource, f"{at}.agents", sorted(event.agents), references.agents, ResourceKind.AGENT)
            problems += refer(resource, f"{at}.groups", sorted(event.groups), references.groups, ResourceKind.GROUP)
            problems += _selector_problems(resource, at, event.of, references)
            problems += [
                WorkspaceProblem("monitor/event", resource.at(at), why)
                for tool in references.tools.values()
                if picked(event.of, tool)
                for why in _counting_problems(tool, monitor.argument(f"{tool.server}/{tool.name}"), spec.measure)
            ]
    return monitor, problems


def guarantee_of(
    resource: Resource, spec: GuaranteeSpec, references: MonitorReferences
) -> tuple[Guarantee | None, list[WorkspaceProblem]]:
    """The guarantee that `spec` declares, None where it names none or several, and what is wrong about it."""
    problems = refer(resource, "spec.owner", (spec.owner,), references.users, ResourceKind.USER)
    if len(spec.holds) != 1:
        what = f"guarantee {resource.name[:64]!r} names {len(spec.holds)} of no_flow, separate, powers, rate"
        return None, [*problems, WorkspaceProblem("guarantee/shape", resource.at("spec"), what, "it is exactly one")]
    [(field, constraint, window)] = spec.holds
    at = f"spec.{field}"
    problems += [WorkspaceProblem("guarantee/shape", resource.at(at), why) for _, why in _window_problems(window, at)]
    match constraint:
        case NoFlow():
            problems += [
                WorkspaceProblem(
                    "guarantee/label",
                    resource.at(f"{at}.labels"),
                    f"nothing brings the label {label[:64]!r}",
                    "a flow of what never comes is held for nothing",
                    did_you_mean(label, references.labels),
                )
                for label in sorted(constraint.labels - closed(references.labels))
            ]
        case Separation():
            constraint = replace(constraint, window=_window(window))
            problems += _selectors_problems(resource, f"{at}.duties", constraint.duties, references)
            problems += _duty_problems(resource, at, constraint, references)
        case Powers():
            constraint = replace(constraint, window=_window(window))
            problems += _selectors_problems(resource, f"{at}.all_of", constraint.powers, references)
        case Rate():
            constraint = replace(constraint, window=_window(window))
            problems += _selector_problems(resource, f"{at}.of", constraint.of, references)
            if not 0 <= constraint.at_most <= 10**9:
                problems.append(
                    WorkspaceProblem("guarantee/shape", resource.at(f"{at}.at_most"), "at_most is 0 to 10^9")
                )
        case _:
            assert_never(constraint)
    return Guarantee(resource.name, spec.owner, constraint, spec.description), problems


def memory_problem(monitors: Mapping[str, Monitor], guarantees: Mapping[str, Guarantee]) -> str | None:
    """Why all of them together are too much, by the largest of them; None where they are not."""
    sizes = {
        f"monitor {name}": _bytes(monitor.window, None if monitor.by is None else monitor.keys)
        for name, monitor in monitors.items()
    }
    for name, guarantee in guarantees.items():
        constraint = guarantee.rule
        if isinstance(constraint, Separation):
            sizes[f"guarantee {name}"] = _bytes(constraint.window, constraint.keys)
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
    has_step = spec.step_s is not None and STEP_S_MIN <= spec.step_s <= spec.within_s
    step_ms = round((spec.step_s or 0) * 1000) if has_step else math.ceil(within_ms / STEPS)
    return Window(step_ms, math.ceil(within_ms / step_ms))


def _window_problems(spec: WindowSpec, at: str) -> _FieldProblems:
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
        steps_kept = f"within_s and step_s of {at} make {count} steps, of which at most {STEPS_MAX} are kept"
        yield "step_s", f"{steps_kept}: step_s: {least:g} or more"


def _shape_problems(spec: MonitorSpec) -> _FieldProblems:
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


def _key_problems(by: str | None, keys: int, scope: MonitorScope, spec: MonitorSpec | None = None) -> _FieldProblems:
    if by is None:
        return
    if not 1 <= keys <= KEYS_TOP:
        yield "keys", f"keys is 1 to {KEYS_TOP}"
    if spec is not None and scope is MonitorScope.FLEET and spec.window.within_s is None:
        yield "by", f"the values of {by[:64]!r} would be kept for ever: say within_s, or count over a session"


def _duty_problems(
    resource: Resource, at: str, separation: Separation, references: MonitorReferences
) -> Iterator[WorkspaceProblem]:
    for field, why in _key_problems(separation.by, separation.keys, separation.scope):
        yield WorkspaceProblem("guarantee/shape", resource.at(f"{at}.{field}"), why)
    if separation.by is not None and separation.scope is MonitorScope.FLEET and not separation.window.steps:
        why = f"the values of {separation.by[:64]!r} would be kept for ever: say within_s"
        yield WorkspaceProblem("guarantee/shape", resource.at(f"{at}.by"), why)
    for tool in references.tools.values():
        tool_name = f"{tool.server}/{tool.name}"
        matches = [index for index, duty in enumerate(separation.duties) if picked(duty, tool)]
        if len(matches) > 1:
            what = f"{tool_name} does several of the duties by itself"
            yield WorkspaceProblem(
                "guarantee/duty", resource.at(f"{at}.duties.{matches[1]}"), what, "it could never be called"
            )
        for index in matches[:1]:
            argument = dict(separation.aliases).get(tool_name, separation.by)
            for why in (*_counting_problems(tool, argument, None), *_single_value_problems(tool, argument)):
                yield WorkspaceProblem("guarantee/duty", resource.at(f"{at}.duties.{index}"), why)


def _single_value_problems(tool: Tool, argument: str | None) -> Iterator[str]:
    """Why duties cannot be parted by `argument`: each value in it would be a case of its own."""
    properties = tool.definition.input_schema.get("properties")
    schema = properties.get(argument or "") if isinstance(properties, Mapping) else None
    if isinstance(schema, Mapping) and schema.get("type") in ("array", "object"):
        tool_name = f"{tool.server}/{tool.name}"
        yield f"the argument {(argument or '')[:64]!r} of {tool_name} holds several values: part by another"


def _counting_problems(tool: Tool, argument: str | None, measure: str | None) -> Iterator[str]:
    """Why calls of `tool` cannot be counted as they are to be."""
    tool_name = f"{tool.server}/{tool.name}"
    if argument is not None:
        properties = tool.definition.input_schema.get("properties")
        if not isinstance(properties, Mapping) or argument not in properties:
            yield f"{tool_name} has no argument {argument[:64]!r}: say its own name for it in others"
        elif argument in tool.secrets:
            yield f"the argument {argument[:64]!r} of {tool_name} is a secret, of which nothing is kept"
    if measure is not None and measure not in tool.impact:
        yield f"the catalog does not say where {tool_name} has its {measure}: give the Tool an impact.{measure}"


def _selectors_problems(
    resource: Resource, at: str, selectors: tuple[Selector, ...], references: MonitorReferences
) -> Iterator[WorkspaceProblem]:
    for index, selector in enumerate(selectors):
        yield from _selector_problems(resource, f"{at}.{index}", selector, references)


def _selector_problems(
    resource: Resource, at: str, of: Selector | Happening, references: MonitorReferences
) -> Iterator[WorkspaceProblem]:
    selector = of.of if isinstance(of, Happening) else of
    known = {f"{server}/{name}" for server, name in references.tools} | {f"{server}/*" for server in references.servers}
    unknown = sorted(selector.tools - known)
    for name in unknown:
        yield WorkspaceProblem(
            "reference/unknown",
            resource.at(f"{at}.tools"),
            f"{resource.kind} {resource.name[:128]!r} names the tool {name[:128]!r}, which is not accepted",
            hint=did_you_mean(name, known),
            next="accept the tool, or correct the name, then run: remit diff",
        )
    if not unknown and not any(picked(selector, tool) for tool in references.tools.values()):
        what = f"{resource.kind} {resource.name[:128]!r} means no tool here"
        why = "nothing will ever be counted by it"
        yield WorkspaceProblem("monitor/nothing", resource.at(at), what, why, severity=ProblemSeverity.WARNING)
