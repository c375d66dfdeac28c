"""Changes as each era tells of them: `subscriptions/listen`, or subscriptions within a session."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Final

from remit.adapters.upstreams.change_queue import Watch
from remit.adapters.upstreams.frames import ErrorFrame, Outcome
from remit.adapters.upstreams.messages import Ear
from remit.adapters.upstreams.requests import ask_request, listen_request
from remit.adapters.upstreams.wire import Wire
from remit.ports.upstream import Change, Era, Offer, Ready

UNSUBSCRIBE_S: Final = 5.0


async def changes(
    server: str, wire: Wire, offers: frozenset[Offer], uris: frozenset[str]
) -> AsyncGenerator[Change | Ready]:
    """What changes at `wire`, until it is closed. Raises `Unusable` once the server is lost."""
    watch = Watch(server, offers, uris, acknowledges=wire.era is Era.STATELESS)
    heard = _listen(wire, watch, offers, uris) if wire.era is Era.STATELESS else _subscribe(wire, watch, uris)
    async with aclosing(heard):
        async for change in heard:
            yield change


async def _listen(
    wire: Wire, watch: Watch, offers: frozenset[Offer], uris: frozenset[str]
) -> AsyncGenerator[Change | Ready]:
    def ended(task: "asyncio.Task[Outcome]") -> None:
        outcome = None if task.cancelled() or task.exception() is not None else task.result()
        watch.lose("ended the subscription", outcome.failure if isinstance(outcome, ErrorFrame) else None)

    listening = asyncio.create_task(wire.ask(listen_request(offers, uris), Ear(watch=watch)))
    listening.add_done_callback(ended)
    try:
        while True:
            yield await watch.next()
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def _subscribe(wire: Wire, watch: Watch, uris: frozenset[str]) -> AsyncGenerator[Change | Ready]:
    async def ask(method: str, uri: str) -> Outcome:
        return await wire.ask(ask_request(method, {"uri": uri}), Ear(aside=True))

    subscriptions = wire.hearing.subscribed
    requested: list[str] = []
    wire.hearing.watches.add(watch)
    try:
        await wire.stand()
        for uri in sorted(uris):
            requested.append(uri)
            await subscriptions.take(uri, ask)
        watch.ready()
        while True:
            yield await watch.next()
    finally:
        wire.hearing.watches.discard(watch)
        wire.sit()
        with suppress(TimeoutError):
            async with asyncio.timeout(UNSUBSCRIBE_S):
                for uri in requested:
                    await subscriptions.give_back(uri, ask)
