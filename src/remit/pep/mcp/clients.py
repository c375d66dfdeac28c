"""The client at the other end of one request, as the driver is told of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.facts.canonical import Json
from remit.pep.answer import Client, Tell
from remit.pep.mcp.notices import LEVELS, Token, notification
from remit.pep.mcp.post import Post
from remit.ports.upstream import Era, Notice

REASON_KEY: Final = "remit.dev/reason"
"""The member of a request's `_meta` in which an agent says why it asks: for people, and for nobody else."""
REASON_CHARS_MAX: Final = 2_000


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a request wants told while it waits: progress under `token`, logs of `level` and above; why it asks."""

    token: Token | None
    level: str | None
    reason: str | None = None


def reason_of(meta: Mapping[str, Json]) -> str | None:
    """Why an agent says that it asks, cut to `REASON_CHARS_MAX`; None where it says nothing that is text."""
    reason = meta.get(REASON_KEY)
    return reason[:REASON_CHARS_MAX] if isinstance(reason, str) and reason.strip() else None


def level_of(level: Json) -> str | None:
    """The log level that `level` names, or None."""
    return level if isinstance(level, str) and level in LEVELS else None


def client_of(
    era: Era,
    capabilities: Mapping[str, Json],
    wishes: Wishes,
    say: Callable[[bytes], Awaitable[None]] | None,
    post: Post,
) -> Client:
    """The client that sent `post`; `say` takes its notifications, None where it has no stream for them."""
    tell: Tell | None = None
    if say is not None and (wishes.token is not None or wishes.level is not None):
        tell = _telling(wishes, say)
    level = wishes.level if tell is not None else None
    trace, sees_all = post.account.traceparent, post.server is None
    return Client(era, capabilities, tell, level, trace, wishes.reason, post.hold, sees_all)


def _telling(wishes: Wishes, say: Callable[[bytes], Awaitable[None]]) -> Tell:
    async def tell(notice: Notice) -> None:
        body = notification(notice, wishes.token, wishes.level)
        if body is not None:
            await say(body)

    return tell
