"""Tells people what waits and what happened: from approvals and records to notices that are kept, and to receivers.

Laws: what is to be told follows from how approvals stand, never from an event, so that a turn missed or cut off costs
time alone; a notice is on disk before its approval counts as seen; it is given up after `TRIES_MS` and not before, or
once a later one is there: no channel hears of an approval what was true before the last that it heard.
A channel that hangs, or that has much to be told, takes no other's turn: it is told beside the next ones. Whatever
goes wrong with a notice is that notice's failure alone. A clock that is set back makes none wait for longer than anew.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from remit.escalate.machine import OPEN, UNDER_WAY, Approval
from remit.escalate.notice import TOLD, Notice, channels_of, notice, what_of
from remit.facts.catalog import Catalog
from remit.facts.lineage import Lineage
from remit.facts.record import Ref
from remit.facts.results import spelt
from remit.facts.strictjson import JsonRefused, parse
from remit.ports.ledger import Ledger
from remit.ports.notifier import DeliveryFailed, Notifier, Outbox, PendingNotice
from remit.ports.system import Clock
from remit.ports.tail import Tail
from remit.protect.origins import Names, leaves
from remit.trace.bodies import ActionBody
from remit.work.bulletins import Bulletins

_LOG: Final = logging.getLogger(__name__)

PERIOD_S: Final = 1.0
OPEN_MAX: Final = 10_000
AT_ONCE: Final = 16
"""Of each channel."""
LOOKED: Final = 32
LATE_MS: Final = 5_000
RESTART_MS: Final = 600_000
"""How long before the last approval of earlier runs a service looks back at its start: its channels may not know."""
TRIES_MS: Final = tuple(int(s * 1000) for s in (1, 5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800))
"""How long after each attempt the next is made: about sixteen hours in all."""
_ALIVE: Final = OPEN | UNDER_WAY
_NAMES: Final = Names(roots=())


class Notifying:
    """One turn gathers, then delivers. `pages` is what the address of an approval's page begins with."""

    def __init__(
        self,
        ledger: Ledger,
        outbox: Outbox,
        notifier: Notifier,
        catalog: Callable[[], Catalog],
        clock: Clock,
        pages: str,
        tail: Tail,
    ) -> None:
        self._ledger = ledger
        self._outbox = outbox
        self._notifier = notifier
        self._catalog = catalog
        self._clock = clock
        self._pages = pages
        self._tail = tail
        self._bulletins = Bulletins()
        self._mark: str | None = None
        self._began_ms = clock.now_ms()
        self._looked_ms: int | None = None
        self._telling: dict[str, asyncio.Task[None]] = {}

    async def turn(self) -> None:
        """Keep what is to be told now, and say what is due. Raises what telling failed with, of an earlier turn too."""
        catalog = self._catalog()
        if not catalog.channels:
            return
        await self._gather(catalog)
        await self._follow(catalog)
        due: dict[str, list[PendingNotice]] = {}
        for due_notice in await self._outbox.due(self._clock.now_ms(), AT_ONCE, TRIES_MS):
            due.setdefault(due_notice.notice.channel, []).append(due_notice)
        # Of a channel that is being told, what is due now is among what it is told.
        begun = [
            self._begin(name, of_channel, catalog) for name, of_channel in due.items() if name not in self._telling
        ]
        if begun:
            await asyncio.wait(begun, timeout=PERIOD_S)
        ended = {name: task for name, task in self._telling.items() if task.done()}
        for name in ended:
            del self._telling[name]
        errors = [error for task in ended.values() if (error := task.exception()) is not None]
        if errors:
            raise errors[0]

    async def close(self) -> None:
        """Tell nobody any more; what was not said stays to be said."""
        for task in self._telling.values():
            task.cancel()
        await asyncio.gather(*self._telling.values(), return_exceptions=True)

    def _begin(self, channel: str, notices: Sequence[PendingNotice], catalog: Catalog) -> asyncio.Task[None]:
        task = self._telling[channel] = asyncio.create_task(self._tell(notices, catalog))
        return task

    async def _tell(self, notices: Sequence[PendingNotice], catalog: Catalog) -> None:
        for error in await asyncio.gather(*(self._say(one, catalog) for one in notices), return_exceptions=True):
            if error is not None:
                raise error

    async def _gather(self, catalog: Catalog) -> None:
        states = await self._outbox.states()
        approvals = {
            approval.ident: approval for approval in await self._ledger.approvals(open_only=True, limit=OPEN_MAX)
        }
        for ident in states.keys() - approvals.keys():
            ended = await self._ledger.approval(ident)
            if ended is not None:
                approvals[ident] = ended
        now_ms = self._clock.now_ms()
        # What opened and was over since the last turn, a second ago, is told as over.
        for approval in await self._opened():
            approvals.setdefault(approval.ident, approval)
        # What is being written now may not be there yet.
        self._looked_ms = now_ms - LATE_MS
        # Beside the loop: of ten thousand it takes longer than a call may wait.
        changed = await asyncio.to_thread(_changed, approvals.values(), states, catalog, now_ms)
        notices: list[Notice] = []
        new_states: dict[str, str] = {}
        for approval, channels, state in changed:
            text = await self._text_of(approval, catalog)
            page = f"{self._pages}{approval.ident}"
            notices += [notice(approval, channel, text, page, now_ms) for channel in channels]
            new_states[approval.ident] = state
        over = [
            *(states.keys() - approvals.keys()),
            *(approval.ident for approval in approvals.values() if approval.state not in _ALIVE),
        ]
        if notices or new_states:
            await self._outbox.put(notices, new_states)
        if over:
            await self._outbox.forget(over)

    async def _opened(self) -> Sequence[Approval]:
        """The approvals that were opened since the last turn, the latest first.

        At the start those of the last minutes in which an earlier run opened any, however long ago that was.
        """
        most = LOOKED
        while True:
            approvals = await self._ledger.approvals(open_only=False, limit=most)
            since_ms = self._looked_ms
            if since_ms is None:
                before = next(
                    (approval.opened_ms for approval in approvals if approval.opened_ms < self._began_ms),
                    self._began_ms,
                )
                since_ms = before - RESTART_MS
            # The clock may have been set back since.
            since_ms = min(since_ms, self._clock.now_ms() - LATE_MS)
            new = [approval for approval in approvals if approval.opened_ms >= since_ms]
            if len(new) < most or most >= OPEN_MAX:
                return new
            most *= 10

    async def _follow(self, catalog: Catalog) -> None:
        """Keep what the records since the last turn have to be told of."""
        if self._mark is None:
            self._mark = await self._outbox.mark()
        if not any(channel.about for channel in catalog.channels.values()):
            # Who asks for it later hears of what comes then.
            if self._mark:
                await self._outbox.follow((), "")
            self._mark = ""
            return
        more = True
        while more:
            entries, mark, more = await self._tail.after(self._mark)
            if mark != self._mark:
                await self._outbox.follow(self._bulletins.of(entries, catalog), mark)
            self._mark = mark

    async def _text_of(self, approval: Approval, catalog: Catalog) -> str:
        record = approval.ident if approval.edit is None else approval.edit.record
        entry = await self._ledger.entry(Ref.parse(record))
        body = None if entry is None else entry.body
        values = _values(body.arguments) if isinstance(body, ActionBody) else []
        return what_of(approval, catalog.tools.get((approval.server, approval.name)), values)

    async def _say(self, pending: PendingNotice, catalog: Catalog) -> None:
        notice, attempts = pending
        channel = catalog.channels.get(notice.channel)
        now_ms = self._clock.now_ms()
        try:
            if channel is None:
                raise DeliveryFailed(f"the running bundle has no channel {notice.channel}")
            await self._notifier.say(channel, notice, now_ms)
        except DeliveryFailed as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - else it would be the first of every turn, and end it
            _LOG.error("a notice failed in Remit", extra={"error": type(error).__name__, "ref": notice.approval})
            why = f"telling it failed in Remit ({type(error).__name__})"
        else:
            await self._outbox.delivered(notice.ident)
            return
        again_ms = now_ms + TRIES_MS[attempts] if attempts < len(TRIES_MS) else None
        await self._outbox.failed(notice.ident, again_ms, why)


def _changed(
    approvals: Iterable[Approval], states: Mapping[str, str], catalog: Catalog, now_ms: int
) -> Sequence[tuple[Approval, Sequence[str], str]]:
    """Those that somebody has to be told of, the channels that hear of it, and the state that is seen by then.

    Also those under way, for no channel: however long it takes their end is told, and they are looked at until then.
    """
    changed: list[tuple[Approval, Sequence[str], str]] = []
    for approval in approvals:
        channels = channels_of(approval, catalog.routes, now_ms)
        state = f"{approval.state.value} {' '.join(channels)}"
        if channels and approval.state in TOLD and states.get(approval.ident) != state:
            changed.append((approval, channels, state))
        elif approval.state in UNDER_WAY and approval.ident not in states:
            changed.append((approval, (), state))
    return changed


def _values(arguments: bytes) -> list[Lineage]:
    try:
        value = parse(arguments)
    except JsonRefused:
        return []
    if not isinstance(value, Mapping):
        return []
    # A name is the value where nothing but a structure or `null` stands at it.
    values = {spelt(path): leaf for path, leaf in leaves(value, _NAMES)}
    return [Lineage(path, leaf) for path, leaf in values.items()]
