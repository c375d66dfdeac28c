"""A call that a server of 2025-11-25 refuses until its user has opened addresses (-32042), for a client of 2026-07-28.

That client has no such error: it is asked to have them opened (`elicitation/create` by address), and the call is made
anew once. Clients take such a question at its word and go on at once, long before the user is done: so the call waits
for the server to say that he is, and not for ever, since many servers never say it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from remit.adapters.upstreams.change_queue import Watch
from remit.adapters.upstreams.failures import Unusable
from remit.adapters.upstreams.replies import Retry
from remit.adapters.upstreams.requests import IN_ROUNDS
from remit.adapters.upstreams.wire import Wire
from remit.facts.canonical import Json
from remit.ports.upstream import ElicitationCompleted, Era, Failure, Question, Reply, UpstreamContext

OPEN_S: Final = 30.0
"""How long a call waits for the word that what its user opened is done with."""


class Opening:
    """`questions` by their keys, and what the server refused with, which is the answer where he opens nothing."""

    def __init__(self, server: str, wire: Wire, retry: Retry, failure: Failure) -> None:
        self.retry = retry
        self.failure = failure
        self.questions: Mapping[str, Question] = {f"open-{at}": one for at, one in enumerate(failure.addresses)}
        self.used = False
        idents = [one.params.get("elicitationId") for one in failure.addresses]
        self._left = {one for one in idents if isinstance(one, str)}
        self._wire = wire
        self._watch = Watch(server, frozenset(), frozenset())

    async def begin(self) -> None:
        """Hear from here on what is done with."""
        self._wire.hearing.watches.add(self._watch)
        try:
            await self._wire.stand()
        except BaseException:
            self.end()
            raise

    def are_opened(self, responses: Mapping[str, Json]) -> bool:
        """Whether the user opens all of them."""
        answers = [responses.get(key) for key in self.questions]
        return all(isinstance(answer, Mapping) and answer.get("action") == "accept" for answer in answers)

    async def done(self, wait_s: float) -> None:
        """Wait until the server says that all of it is done with, for so long at most."""
        with suppress(TimeoutError, Unusable):
            async with asyncio.timeout(wait_s):
                while self._left:
                    change = await self._watch.next()
                    if isinstance(change, ElicitationCompleted):
                        self._left.discard(change.elicitation)

    def end(self) -> None:
        """Hear no more of it."""
        self.used = True
        self._wire.hearing.watches.discard(self._watch)
        self._wire.sit()


def asks_to_open(retry: Retry, reply: Reply, context: UpstreamContext) -> Failure | None:
    """`reply` where it is one that who sent `retry` can be asked about."""
    if retry.era is not Era.STATELESS or retry.request.method not in IN_ROUNDS:
        return None
    if not isinstance(reply, Failure) or not reply.addresses:
        return None
    elicitation = context.capabilities.get("elicitation")
    return reply if isinstance(elicitation, Mapping) and "url" in elicitation else None
