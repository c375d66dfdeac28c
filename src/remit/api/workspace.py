"""Routes of resources, bundles and tool pins: what runs, what would run, what is accepted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import JsonValue

from remit.api.access import caller_name
from remit.api.answers import (
    AcceptAnswer,
    AppliedAnswer,
    ResourceAnswer,
    ResourcesAnswer,
    ToolsAnswer,
)
from remit.api.budgets import with_spending
from remit.api.conditions import with_conditions
from remit.api.guarantees import with_past
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.missing_resource import missing_resource
from remit.api.problem import Problem, not_found
from remit.api.requests import AcceptRequest, ApplyRequest, KindPath, NamePath
from remit.api.services import Missing, RunningResource, ServerPin, Services, ToolPin
from remit.api.stops import with_stops
from remit.api.views import applied_view, tool_name, tool_view
from remit.control.problems import did_you_mean
from remit.control.resources import ResourceKind
from remit.control.tables import kind_named

router = APIRouter(route_class=GuardedRoute, tags=["workspace"])


@router.get("/resources/{kind}")
async def list_resources(kind: KindPath, services: With, _: ByReader) -> ResourcesAnswer:
    """The running resources of a kind."""
    return ResourcesAnswer(
        items=[_answer(item, _manifest(services, item)) for item in services.runtime.resources(kind)]
    )


@router.get("/resources/{kind}/{name:path}")
async def get_resource(kind: KindPath, name: NamePath, services: With, _: ByReader) -> ResourceAnswer:
    """One running resource, with its conditions."""
    for item in services.runtime.resources(kind):
        if item.name == name:
            return _answer(item, await with_conditions(services, item, _manifest(services, item)))
    known_kind = kind_named(kind)
    if known_kind is None:
        raise not_found(f"{kind} in the running bundle: {name}", f"remit get {kind}")
    raise await missing_resource(services, known_kind, name)


@router.delete("/resources/{kind}/{name:path}")
async def delete_resource(kind: KindPath, name: NamePath, services: With, caller: ByAdmin) -> AppliedAnswer:
    """Remove a resource from the workspace folder and run what is left."""
    try:
        return applied_view(await services.runtime.delete(kind, name, caller_name(caller)))
    except Missing as error:
        known_kind = kind_named(kind)
        raise (error if known_kind is None else await missing_resource(services, known_kind, name)) from error


@router.post("/apply")
async def apply(request: ApplyRequest, services: With, caller: ByAdmin) -> AppliedAnswer:
    """Take the workspace folder as it is now."""
    applied = await services.runtime.apply(dry_run=request.dry_run, by=caller_name(caller), admission=request.admission)
    return applied_view(applied)


@router.get("/diff")
async def diff(services: With, _: ByReader) -> AppliedAnswer:
    """The workspace folder and the live tools, compared with what runs."""
    pins = await services.runtime.pins(refresh=True)
    return applied_view(await services.runtime.diff(), _odd(pins))


@router.get("/tools")
async def tools(services: With, _: ByReader, *, refresh: Annotated[bool, Query()] = False) -> ToolsAnswer:
    """Every tool with its pin state."""
    pins = await services.runtime.pins(refresh=refresh)
    return _tools(pins, (tool for server in pins for tool in server.tools))


@router.get("/tools/review")
async def review(
    services: With, _: ByReader, which: Annotated[str | None, Query(max_length=200)] = None
) -> ToolsAnswer:
    """What is not as the lock has it, read anew; of `which`, SERVER or SERVER/TOOL, no other server is asked."""
    server = None if which is None else which.partition("/")[0]
    pins = await services.runtime.pins(server, refresh=True)
    if server is not None and not pins:
        raise await missing_resource(services, ResourceKind.SERVER, server)
    tools = [tool for tool in _odd(pins) if which is None or which in {tool.server, tool_name(tool.server, tool.name)}]
    if which is not None and not tools and not any(server.unreachable for server in pins):
        name = which.partition("/")[2]
        known = [tool.name for server in pins for tool in server.tools]
        if name and name not in known:
            raise _no_tool(server or "", name, known)
    return _tools(pins, tools, whole=True)


@router.post("/tools/accept")
async def accept(request: AcceptRequest, services: With, caller: ByAdmin) -> AcceptAnswer:
    """Show what accepting would write; with its pin, write it."""
    runtime = services.runtime
    pins = await runtime.pins(request.server, refresh=True)
    server = next((server for server in pins if server.server == request.server), None)
    if server is None:
        raise await missing_resource(services, ResourceKind.SERVER, request.server)
    pin, offered = _offer(server, request)
    if request.pin is None:
        if pin is None:
            raise Problem(
                409,
                "nothing to accept",
                why=f"no live definition of {_which(request)} is known that can be pinned",
                next="remit doctor",
            )
        return AcceptAnswer(
            accepted=[],
            pin=pin,
            items=[tool_view(tool, whole=True) for tool in offered],
            bundle=runtime.digest,
        )
    applied = await runtime.accept(request.server, request.tool, request.pin, caller_name(caller))
    return AcceptAnswer(
        accepted=[tool_name(tool.server, tool.name) for tool in offered],
        pin=request.pin,
        items=[],
        bundle=applied.digest,
        waits=None if applied.applied else applied.warnings[-1],
        uncatalogued=[tool_name(tool.server, tool.name) for tool in offered if tool.live and not tool.catalogued],
    )


def _offer(server: ServerPin, request: AcceptRequest) -> tuple[str | None, Sequence[ToolPin]]:
    """The pin that accepts what is asked for as it is live now, and the tools it changes."""
    if server.unreachable:
        raise Problem(
            409,
            f"{request.server} is not reached",
            why=server.unreachable,
            next="remit doctor",
        )
    if request.tool is None:
        return server.pin, [tool for tool in server.tools if tool.state != "matches"]
    offered = next((tool for tool in server.tools if tool.name == request.tool), None)
    if offered is None:
        raise _no_tool(request.server, request.tool, [tool.name for tool in server.tools])
    # A tool that is gone is accepted as gone, by the pin that the lock still has.
    return offered.live or offered.accepted, [offered]


def _no_tool(server: str, name: str, known: Sequence[str]) -> Problem:
    near = did_you_mean(name, known)
    return not_found(f"tool at {server}: {name}", f"remit tools review {server}", near=near)


def _which(request: AcceptRequest) -> str:
    return request.server if request.tool is None else tool_name(request.server, request.tool)


def _odd(pins: Sequence[ServerPin]) -> list[ToolPin]:
    return [tool for server in pins for tool in server.tools if tool.state != "matches"]


def _manifest(services: Services, item: RunningResource) -> Mapping[str, JsonValue]:
    return with_stops(services, item, with_past(services, item, with_spending(services, item)))


def _answer(item: RunningResource, manifest: Mapping[str, JsonValue]) -> ResourceAnswer:
    return ResourceAnswer.model_validate({**manifest, "name": item.name, "where": item.where})


def _tools(pins: Sequence[ServerPin], chosen: Iterable[ToolPin], *, whole: bool = False) -> ToolsAnswer:
    return ToolsAnswer(
        items=[tool_view(tool, whole=whole) for tool in chosen],
        unreachable={server.server: server.unreachable for server in pins if server.unreachable is not None},
    )
