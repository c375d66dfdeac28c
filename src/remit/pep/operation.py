"""What the enforcement point does at a server once an action is permitted, by kind of action.

An operation knows how to send an action and which parts of the answer may be shown; judging, recording
and releasing are `pep.action_pipeline`'s, the same for all of them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeAlias

import orjson

from remit.facts.action import Action, ActionKind, input_of
from remit.facts.agent import Authority
from remit.facts.canonical import Json, canonical
from remit.facts.capability import NEEDS_TASKS, takes_tasks
from remit.facts.header_mirror import Mirrors, headers
from remit.facts.tool import Tool
from remit.pep.answer import Client
from remit.pep.message_filter import show_completion, show_contents, show_introduction, show_list, show_prompt
from remit.pep.release import Releasable, clean, seal
from remit.ports.upstream import Era, Failure, Offer, Reply, Result, Upstream, UpstreamContext, UpstreamUnreachable

INTRODUCE_S: Final = 10.0
"""How long a client waits for what a server says of itself: many give up a connection that takes 30 s to open."""
PAGES_MAX: Final = 100
ITEMS_MAX: Final = 10_000
LIST_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of all pages of a list: as much as one message may be."""
LISTS: Final[Mapping[Offer, tuple[str, ActionKind]]] = {
    Offer.RESOURCES: ("resources/list", ActionKind.READ_RESOURCE),
    Offer.TEMPLATES: ("resources/templates/list", ActionKind.READ_RESOURCE),
    Offer.PROMPTS: ("prompts/list", ActionKind.GET_PROMPT),
}
"""The method that lists an offer, and the kind of action that it counts as. Tools are listed from the lock."""

_MIRRORS: Final = Mirrors()

Sends: TypeAlias = Callable[[Upstream, str, Era, UpstreamContext], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Operation:
    """An action, how it is sent, and what of the reply may be shown; `to_agent`: whether its agent gets the answer."""

    action: Action
    send: Sends
    show: Callable[[Reply], Releasable]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """`Mcp-Param-*`, by the pinned schema and the final arguments."""
    to_agent: bool = True


def action_of(
    kind: ActionKind, authority: Authority, target: tuple[str, str], arguments: Mapping[str, Json], data: bytes
) -> Action:
    """The action that `can` asks of, made where those that run are; `data` is the canonical form of `arguments`."""
    server, name = target
    match kind:
        case ActionKind.READ_RESOURCE:
            return read_resource(authority, server, name).action
        case ActionKind.GET_PROMPT:
            return get_prompt(authority, server, name, arguments, data).action
        case _:
            return Action(ActionKind.CALL_TOOL, server, name, data, arguments, authority)


def call_tool(
    authority: Authority, server: str, tool: str, arguments: Mapping[str, Json], canonical: bytes, accepted: Tool | None
) -> Operation:
    """`tools/call` with exactly `canonical`, that form of `arguments`; `accepted` is the tool in the lock."""

    async def send(upstream: Upstream, sid: str, era: Era, along: UpstreamContext) -> Reply:
        return await upstream.call(sid, era, tool, canonical, along)

    mirrored = {} if accepted is None else headers(_MIRRORS.of(accepted), arguments)
    return Operation(Action(ActionKind.CALL_TOOL, server, tool, canonical, arguments, authority), send, clean, mirrored)


def called(action: Action, accepted: Tool | None) -> Operation:
    """The operation of a tool call that people approved, or obligations made, in place of another."""
    operation = call_tool(action.authority, action.server, action.name, action.input, action.arguments, accepted)
    return replace(operation, action=action)


def read_resource(authority: Authority, server: str, uri: str) -> Operation:
    """`resources/read`."""
    params: Mapping[str, Json] = {"uri": uri}
    action = _naming(ActionKind.READ_RESOURCE, server, uri, params, authority)
    return Operation(action, _asking("resources/read", params), show_contents)


def get_prompt(
    authority: Authority, server: str, name: str, arguments: Mapping[str, Json], canonical: bytes
) -> Operation:
    """`prompts/get` with `canonical`, that form of `arguments`."""
    params: dict[str, Json] = {"name": name}
    if arguments:
        params["arguments"] = arguments
    action = _naming(ActionKind.GET_PROMPT, server, name, arguments, authority, canonical)
    return Operation(action, _asking("prompts/get", params), show_prompt)


def complete(authority: Authority, server: str, params: Mapping[str, Json]) -> Operation:
    """`completion/complete`: judged as getting the prompt, or reading the resource, that it completes.

    Raises `ValueError` for a `ref` that names neither.
    """
    ref = params.get("ref")
    kind, name = _completed(ref if isinstance(ref, Mapping) else {})
    params = _told_once(params)
    action = _naming(kind, server, name, params, authority)
    return Operation(action, _asking("completion/complete", params), show_completion)


def list_offers(authority: Authority, server: str, offer: Offer) -> Operation:
    """All pages of what `server` lists."""
    method, kind = LISTS[offer]
    action = _naming(kind, server, "", {"list": offer.value}, authority)
    return Operation(action, partial(_pages, method, offer), partial(show_list, offer))


def introduce(authority: Authority, server: str, instructions: str) -> Operation:
    """Hand out what `server` said of itself; it was asked already."""
    action = _naming(ActionKind.READ_RESOURCE, server, "", {"list": "instructions"}, authority)
    return Operation(action, _local_answer({"instructions": instructions}), show_introduction)


def instructions_of(released: bytes) -> str | None:
    """The instructions in what `introduce` released."""
    instructions = orjson.loads(released).get("instructions")
    return instructions if isinstance(instructions, str) else None


def subscribe(authority: Authority, server: str, uri: str) -> Operation:
    """Ask leave to be told of changes of a resource; the watch itself follows."""
    action = _naming(ActionKind.READ_RESOURCE, server, uri, {"subscribe": uri}, authority)
    return Operation(action, _local_answer({"contents": []}), show_contents)


def watch_list(authority: Authority, server: str, offer: Offer) -> Operation:
    """Ask leave to be told when a list changes."""
    action = _naming(LISTS[offer][1], server, "", {"watch": offer.value}, authority)
    return Operation(action, _local_answer({"contents": []}), show_contents)


def _naming(
    kind: ActionKind,
    server: str,
    name: str,
    params: Mapping[str, Json],
    authority: Authority,
    arguments: bytes | None = None,
) -> Action:
    """An action on what has a name, or on a list; `arguments` is the canonical form of `params`, where it is known."""
    data = canonical(dict(params)) if arguments is None else arguments
    return Action(kind, server, name, data, input_of(kind, name, params), authority)


def _local_answer(value: Mapping[str, Json]) -> Sends:
    """Nothing is sent: the answer is here, and leave is asked to tell it."""

    async def send(_upstream: Upstream, _sid: str, _era: Era, _along: UpstreamContext) -> Reply:
        return Result(value, is_error=False)

    return send


def _asking(method: str, params: Mapping[str, Json]) -> Sends:
    async def send(upstream: Upstream, sid: str, era: Era, along: UpstreamContext) -> Reply:
        return await upstream.ask(sid, era, method, params, along)

    return send


def _completed(ref: Mapping[str, Json]) -> tuple[ActionKind, str]:
    match ref:
        case {"type": "ref/prompt", "name": str(name)} if name:
            return ActionKind.GET_PROMPT, name
        case {"type": "ref/resource", "uri": str(uri)} if uri:
            return ActionKind.READ_RESOURCE, uri
        case _:
            raise ValueError("params.ref must name a prompt (ref/prompt) or a resource (ref/resource)")


def _told_once(params: Mapping[str, Json]) -> Mapping[str, Json]:
    """`params` of a completion without what its context says of the very argument: judged is what is completed."""
    match params:
        case {"argument": {"name": str(name)}, "context": {"arguments": Mapping() as known}} if name in known:
            return {**params, "context": {"arguments": {one: value for one, value in known.items() if one != name}}}
        case _:
            return params


async def _pages(method: str, offer: Offer, upstream: Upstream, sid: str, era: Era, along: UpstreamContext) -> Reply:
    items: list[Json] = []
    cursor: str | None = None
    size = 0
    for _ in range(PAGES_MAX):
        params: Mapping[str, Json] = {} if cursor is None else {"cursor": cursor}
        reply = await upstream.ask(sid, era, method, params, along)
        match reply:
            case Result(value):
                size += len(seal(value) or b"")
                if size > LIST_BYTES_MAX:
                    return Failure("error", f"{method} lists more than {LIST_BYTES_MAX:,} bytes", sent=True)
                page = value.get(offer.value)
                items += page if isinstance(page, list) else []
                following = value.get("nextCursor")
                # Many servers say by an empty text that there is no more.
                if not isinstance(following, str) or not following or len(items) > ITEMS_MAX:
                    return Result({offer.value: items[:ITEMS_MAX]}, is_error=False)
                cursor = following
            case Failure(code=-32601):
                return Result({offer.value: []}, is_error=False)
            case Failure():
                return reply
            case _:
                return Failure("error", f"{method} asked the client something, which no list may", sent=True)
    return Failure("error", f"{method} goes on for more than {PAGES_MAX} pages", sent=True)


async def introduced(upstream: Upstream, sid: str, client: Client) -> tuple[Mapping[str, Json], str | None]:
    """The capabilities of a server, flags alone, and its instructions; nothing of one that is not reached in time."""
    try:
        async with asyncio.timeout(INTRODUCE_S):
            introduction = await upstream.introduce(sid, client.era, UpstreamContext(capabilities=client.capabilities))
    except (UpstreamUnreachable, TimeoutError):
        return {}, None
    return _flags(introduction.capabilities, client.era), introduction.instructions


def _flags(capabilities: Mapping[str, Json], era: Era) -> Mapping[str, Json]:
    """Of a server's capabilities, those of the protocol in `era`, and of each the flags that it has."""
    declared: dict[str, Json] = {}
    for name, flags in _CAPABILITIES.items():
        flags_of_server = capabilities.get(name)
        if isinstance(flags_of_server, Mapping):
            declared[name] = {flag: True for flag in flags if flags_of_server.get(flag) is True}
    if era is Era.STATELESS and takes_tasks(capabilities):
        declared.update(NEEDS_TASKS)
    return declared


_CAPABILITIES: Final[Mapping[str, tuple[str, ...]]] = {
    "tools": ("listChanged",),
    "resources": ("subscribe", "listChanged"),
    "prompts": ("listChanged",),
    "completions": (),
    "logging": (),
}
