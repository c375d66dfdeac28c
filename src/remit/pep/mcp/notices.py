"""What a client is told beside its answers: progress, logs and changes, as JSON-RPC notifications."""

from collections.abc import Mapping
from typing import Final, TypeAlias, assert_never

import orjson

from remit.facts.canonical import Json
from remit.pep.mcp.rpc import Ident
from remit.ports.upstream import (
    Change,
    ElicitationCompleted,
    ListChanged,
    Log,
    Notice,
    Offer,
    Progress,
    ResourceUpdated,
)

Token: TypeAlias = str | int
"""A client's progress token."""

LEVELS: Final = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
"""RFC 5424, from the least severe."""
SUBSCRIPTION_KEY: Final = "io.modelcontextprotocol/subscriptionId"
TOKEN_CHARS_MAX: Final = 256
CHANGES: Final[Mapping[Offer, str]] = {
    Offer.TOOLS: "notifications/tools/list_changed",
    Offer.PROMPTS: "notifications/prompts/list_changed",
    Offer.RESOURCES: "notifications/resources/list_changed",
    Offer.TEMPLATES: "notifications/resources/list_changed",
}


def loud_enough(level: str, least: str | None) -> bool:
    """Whether a log of `level` is wanted by who asked for `least` and above; None asks for none."""
    return least is not None and level in LEVELS and LEVELS.index(level) >= LEVELS.index(least)


def token_of(meta: Mapping[str, Json]) -> Token | None:
    """The progress token of a request's `_meta`; one that is none is as if absent."""
    token = meta.get("progressToken")
    if isinstance(token, bool) or not isinstance(token, str | int):
        return None
    return None if isinstance(token, str) and len(token) > TOKEN_CHARS_MAX else token


def notification(notice: Notice, token: Token | None, level: str | None) -> bytes | None:
    """The notification for who gave `token` and asked for logs of `level`; None when it is not wanted."""
    match notice:
        case Progress(progress, total, message):
            if token is None:
                return None
            progress_params: dict[str, Json] = {"progressToken": token, "progress": progress}
            if total is not None:
                progress_params["total"] = total
            if message is not None:
                progress_params["message"] = message
            return _notification("notifications/progress", progress_params)
        case Log():
            if not loud_enough(notice.level, level):
                return None
            log_params: dict[str, Json] = {"level": notice.level, "data": notice.data}
            if notice.logger is not None:
                log_params["logger"] = notice.logger
            return _notification("notifications/message", log_params)
        case ListChanged() | ResourceUpdated() | ElicitationCompleted():
            # None belongs to a call.
            return None
        case _:
            assert_never(notice)


def change(notice: Change, subscription: Ident | None) -> bytes:
    """The notification of a change, on the stream of `subscription` where the era has them."""
    params: dict[str, Json] = {} if subscription is None else {"_meta": {SUBSCRIPTION_KEY: subscription}}
    match notice:
        case ListChanged(offer):
            return _written(CHANGES[offer], params)
        case ResourceUpdated(uri):
            return _written("notifications/resources/updated", {**params, "uri": uri})
        case ElicitationCompleted(elicitation):
            return _written("notifications/elicitation/complete", {**params, "elicitationId": elicitation})
        case _:
            assert_never(notice)


def task_status(task: bytes) -> bytes:
    """The notification of how a task fares; `task` is its `DetailedTask`, which names the subscription."""
    return b'{"jsonrpc":"2.0","method":"notifications/tasks","params":' + task + b"}"


def acknowledged(subscription: Ident, agreed: Mapping[str, Json]) -> bytes:
    """The first notification of a subscription: what of it is served."""
    params: dict[str, Json] = {"_meta": {SUBSCRIPTION_KEY: subscription}, "notifications": agreed}
    return _written("notifications/subscriptions/acknowledged", params)


def _notification(method: str, params: Mapping[str, Json]) -> bytes | None:
    try:
        return _written(method, params)
    except (TypeError, ValueError):
        # What has no JSON form is not told.
        return None


def _written(method: str, params: Mapping[str, Json]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params})
