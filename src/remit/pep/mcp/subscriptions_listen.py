"""`subscriptions/listen` of 2026-07-28: a stream of the changes that a client asked to be told of.

Its first event says which of them are followed; every event names the request that opened it.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

import orjson

from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.facts.capability import takes_tasks
from remit.pep.answer import Client, Watching
from remit.pep.driver import Driver
from remit.pep.mcp import rpc
from remit.pep.mcp.change_notifications import ChangeNotifications
from remit.pep.mcp.dispatcher import Dispatcher
from remit.pep.mcp.envelope import Request
from remit.pep.mcp.event_stream import Ends, stand
from remit.pep.mcp.notices import SUBSCRIPTION_KEY, acknowledged, change
from remit.pep.mcp.post import Post
from remit.pep.mcp.refusals import RpcError
from remit.pep.mcp.task_notifications import TASKS_MAX, FollowedTasks
from remit.pep.mcp.tasks import UNDECLARED, TaskMethods
from remit.pep.mcp.upstream_watches import AGREE_S, URIS_MAX, Following, Listener, WatchFilter
from remit.pep.throttle import Throttle
from remit.ports.upstream import Offer

_LISTS: Final[Mapping[str, Offer]] = {
    "toolsListChanged": Offer.TOOLS,
    "promptsListChanged": Offer.PROMPTS,
    "resourcesListChanged": Offer.RESOURCES,
}
_RESOURCES: Final = "resourceSubscriptions"
_TASKS: Final = "taskIds"


async def subscribe(
    dispatcher: Dispatcher, tasks: TaskMethods, throttle: Throttle, post: Post, request: Request, client: Client
) -> RpcError | None:
    """Answer `request` with a stream until it ends; or say what is wrong with it. Raises `Busy`."""
    if not post.may_stream:
        return RpcError(rpc.INVALID_REQUEST, "the answer is an event stream: accept text/event-stream")
    notifications = request.params.get("notifications")
    if isinstance(notifications, Mapping) and _TASKS in notifications and not takes_tasks(client.capabilities):
        return UNDECLARED
    wanted = _wanted(dispatcher, post, notifications)
    if isinstance(wanted, RpcError):
        return wanted
    task_ids = _named_tasks(notifications)
    if isinstance(task_ids, RpcError):
        return task_ids
    driver, ident = dispatcher.driver, request.ident
    # Each resource is judged as if read, and recorded: it costs as much as to read it.
    throttle.charge(post.authority.acting.agent, len(wanted.uris))
    with throttle.stream(post.authority.acting.agent) as closing:
        changes = ChangeNotifications(partial(change, subscription=ident))
        listener = Listener(post.authority, client, post.server)
        following = Following(dispatcher.watches, changes)
        followed = FollowedTasks(tasks, throttle, post, client, changes)
        try:
            servers = following.follow(listener, wanted)
            agreed = await _agreed(listener, servers)
            if tasks_known := followed.follow(task_ids, ident):
                agreed[_TASKS] = tasks_known
            ends = Ends(closing, asyncio.Event(), partial(driver.authorization.stopped, post.authority))
            opening = rpc.event(acknowledged(ident, agreed))
            await stand(post, changes, ends, opening=opening, ending=partial(_over, driver, post.authority, ident))
        finally:
            following.stop()
            followed.stop()
    return None


def _wanted(dispatcher: Dispatcher, post: Post, notifications: Json) -> WatchFilter | RpcError:
    if not isinstance(notifications, Mapping):
        return RpcError(rpc.INVALID_PARAMS, "params.notifications must be an object that says what to be told of")
    offers = frozenset(offer for name, offer in _LISTS.items() if notifications.get(name) is True)
    listed = notifications.get(_RESOURCES)
    if listed is not None and not isinstance(listed, list):
        return RpcError(rpc.INVALID_PARAMS, f"params.notifications.{_RESOURCES} must be a list of URIs")
    if listed is not None and len(listed) > URIS_MAX:
        return RpcError(rpc.INVALID_PARAMS, f"more than {URIS_MAX} resources are followed by no one stream")
    uris: set[tuple[str, str]] = set()
    for uri in listed or ():
        resource = dispatcher.asks.uri(uri, post.server)
        if isinstance(resource, str):
            return RpcError(rpc.INVALID_PARAMS, resource)
        uris.add((resource.server, resource.uri))
    return WatchFilter(offers, frozenset(uris))


def _named_tasks(notifications: Json) -> list[str] | RpcError:
    task_ids = notifications.get(_TASKS) if isinstance(notifications, Mapping) else None
    if task_ids is None:
        return []
    if not isinstance(task_ids, list) or not all(isinstance(task_id, str) for task_id in task_ids):
        return RpcError(rpc.INVALID_PARAMS, f"params.notifications.{_TASKS} must be a list of ids of tasks")
    if len(task_ids) > TASKS_MAX:
        return RpcError(rpc.INVALID_PARAMS, f"more than {TASKS_MAX} tasks are followed by no one stream")
    return [task_id for task_id in dict.fromkeys(task_ids) if isinstance(task_id, str)]


async def _agreed(listener: Listener, servers: "Mapping[str, asyncio.Future[Watching]]") -> dict[str, Json]:
    """What is followed, in the words of the request; what no server has said by now is left out."""
    if servers:
        await asyncio.wait(servers.values(), timeout=AGREE_S)
    watching_by_server = {server: first.result() for server, first in servers.items() if first.done()}
    offers = frozenset[Offer]().union(*(watching.offers for watching in watching_by_server.values()))
    agreed: dict[str, Json] = {name: True for name, offer in _LISTS.items() if offer in offers}
    uris: list[Json] = [
        listener.shown(server, uri) for server, watching in watching_by_server.items() for uri in sorted(watching.uris)
    ]
    if uris:
        agreed[_RESOURCES] = uris
    return agreed


def _over(driver: Driver, authority: Authority, ident: rpc.Ident) -> bytes:
    """The response that ends a subscription: in order, or with why people stopped who listens."""
    why = driver.halted(authority)
    if why is not None:
        return rpc.event(rpc.error(ident, rpc.REFUSED, f"{why.code.value}: {why.text}"))
    meta: Mapping[str, Json] = {rpc.SERVER_INFO_KEY: rpc.SERVER_INFO, SUBSCRIPTION_KEY: ident}
    return rpc.event(rpc.result(ident, orjson.dumps({"resultType": "complete", "_meta": meta})))
