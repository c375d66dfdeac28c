"""What is stopped, told where people look for why nothing acts: in `remit doctor`, and in `remit describe`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from pydantic import JsonValue

from remit.api.in_force import DoctorCheck
from remit.api.moments import instant
from remit.api.services import RunningResource, Services
from remit.control.resources import ResourceKind
from remit.facts.catalog import Catalog
from remit.facts.stop import EVERYTHING, Stop, StopKind, StopTarget, typed
from remit.pdp.stops import of_user

SHOWN_MAX: Final = 10
"""How many stops `remit doctor` tells one by one."""


def stop_checks(stops: Sequence[Stop]) -> list[DoctorCheck]:
    """A line for each of `stops`: first that everything is stopped, which is not as it should be, then the oldest."""
    ordered = sorted(stops, key=lambda stop: stop.target != EVERYTHING)
    checks = [
        DoctorCheck("halt", stop.target != EVERYTHING, str(stop), lifted_by(stop)) for stop in ordered[:SHOWN_MAX]
    ]
    left = len(ordered) - len(checks)
    if left:
        checks.append(DoctorCheck("halt", True, f"and {left} more are stopped", "remit halt"))  # noqa: FBT003
    return checks


def lifted_by(stop: Stop) -> str:
    """The command that lets act again what `stop` is over."""
    return f"remit resume {typed(stop.target)}"


def with_stops(services: Services, item: RunningResource, manifest: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """`manifest` of `item`, with the stops that are over it in `status`, where there are any."""
    over = _over(services.runtime.catalog, str(manifest.get("kind")), item.name)
    stops: list[JsonValue] = [
        {
            "over": typed(stop.target),
            "holds": stop.scope.value,
            "by": stop.by,
            "since": instant(stop.at_ms),
            "why": stop.reason,
            "next": lifted_by(stop),
        }
        for stop in services.driver.halts.over(over)
    ]
    status = cast("Mapping[str, JsonValue]", manifest.get("status") or {})
    return {**manifest, "status": {**status, "stops": stops}} if stops else manifest


def _over(catalog: Catalog, kind: str, name: str) -> Iterator[StopTarget]:
    """All that a stop of which would be over the resource `name` of that `kind`; nothing where none can be."""
    match kind:
        case ResourceKind.AGENT:
            yield StopKind.AGENT, name
            agent = catalog.agents.get(name)
            yield from ((StopKind.GROUP, group) for group in (() if agent is None else agent.groups))
        case ResourceKind.USER:
            yield from of_user(catalog, name)
        case ResourceKind.GROUP:
            yield StopKind.GROUP, name
        case ResourceKind.SERVER:
            yield StopKind.SERVER, name
        case ResourceKind.TOOL:
            yield StopKind.TOOL, name
            yield StopKind.SERVER, name.partition("/")[0]
        case _:
            return
    yield EVERYTHING
