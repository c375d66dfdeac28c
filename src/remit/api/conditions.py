"""What is true of a resource as it was seen at work: the conditions of its entry in the inventory, in `status`."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from pydantic import JsonValue

from remit.api.services import RunningResource, Services
from remit.control.resources import ResourceKind
from remit.discover.sighting import Kind, Subject

WAIT_S: Final = 2.0
"""A resource is described without its conditions where the inventory takes longer."""

_SEEN: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        ResourceKind.AGENT.value: Kind.AGENT,
        ResourceKind.SERVER.value: Kind.SERVER,
        ResourceKind.TOOL.value: Kind.TOOL,
    }
)


async def with_conditions(
    services: Services, item: RunningResource, manifest: Mapping[str, JsonValue]
) -> Mapping[str, JsonValue]:
    """`manifest` of `item`, with its conditions in `status` where it is of a kind that is seen at work."""
    kind = _SEEN.get(str(manifest.get("kind")))
    if kind is None:
        return manifest
    try:
        async with asyncio.timeout(WAIT_S):
            entry = await services.discovery.entry(Subject(kind, item.name))
    except TimeoutError:
        return manifest
    if entry is None:
        return manifest
    conditions: list[JsonValue] = [
        {
            "type": condition.type.value,
            "status": condition.status.value,
            "reason": condition.reason,
            "message": condition.message,
        }
        for condition in entry.conditions
    ]
    status = cast("Mapping[str, JsonValue]", manifest.get("status") or {})
    return {**manifest, "status": {**status, "conditions": conditions}}
