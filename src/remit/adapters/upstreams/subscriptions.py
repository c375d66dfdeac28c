"""Which resources one session of the `initialize` era was asked to tell of, for all who watch them.

Laws: a resource is subscribed to once, however many watch it, and unsubscribed from when nobody does; of one
resource no two requests are under way, since a server may take them in any order.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from remit.adapters.upstreams.failures import Unusable
from remit.adapters.upstreams.frames import ErrorFrame, Outcome

SUBSCRIBE: Final = "resources/subscribe"
UNSUBSCRIBE: Final = "resources/unsubscribe"

AskFor: TypeAlias = Callable[[str, str], Awaitable[Outcome]]
"""Sends a method with a URI."""


@dataclass(slots=True)
class _Subscription:
    """`wanted` by so many; `sent`: the server may know of it; `agreed`: it said so."""

    wanted: int = 0
    sent: bool = False
    agreed: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Subscriptions:
    """Of one session; `lose` them with it."""

    def __init__(self) -> None:
        self._all: dict[str, _Subscription] = {}
        self._lost = False

    def lose(self) -> None:
        """The session has ended, and every subscription with it."""
        self._lost = True

    async def take(self, uri: str, ask: AskFor) -> None:
        """Have the server tell of `uri` until it is given back, also where this raises `Unusable`."""
        subscription = self._all.setdefault(uri, _Subscription())
        subscription.wanted += 1
        async with subscription.turn:
            if subscription.agreed:
                return
            subscription.sent = True
            outcome = await ask(SUBSCRIBE, uri)
            if isinstance(outcome, ErrorFrame):
                raise Unusable(outcome.failure)
            subscription.agreed = True

    async def give_back(self, uri: str, ask: AskFor) -> None:
        """Watch `uri` no more."""
        subscription = self._all[uri]
        subscription.wanted -= 1
        async with subscription.turn:
            if subscription.wanted:
                return
            if subscription.sent and not self._lost:
                subscription.sent = subscription.agreed = False
                await ask(UNSUBSCRIBE, uri)
            if not subscription.wanted and self._all.get(uri) is subscription:
                del self._all[uri]
