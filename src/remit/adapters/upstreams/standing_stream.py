"""The standing GET stream of one session of the `initialize` era, resumed where it breaks off.

A stream whose events have ids is read on after the last one. One without is begun anew, and what was said in between is
lost: everything that is watched may then have changed.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from remit.adapters.upstreams.exchange import HttpExchange
from remit.adapters.upstreams.frames import ErrorFrame
from remit.adapters.upstreams.messages import Hearing
from remit.adapters.upstreams.sse import Decoder

BARREN_MAX: Final = 8
"""Streams in a row that ended without an event, after which the server counts as lost."""
OPENING_S: Final = 2.0
"""How long it is waited for that a server begins the stream."""
OPENING_S_MIN: Final = 0.25
OPENING_TIMES: Final = 8
"""How many times as long as it took to open the session; who has not begun by then begins with the first event."""
_NO_STREAM: Final = frozenset({405, 406, 501})
_RETRY_MS: Final = 1000
_RETRY_MS_MAX: Final = 10_000


class StandingStream:
    """Feeds `hearing` until it is cancelled; a server that offers no such stream is left alone.

    `took_s` is how long the server took to open the session.
    """

    def __init__(self, exchange: HttpExchange, headers: Mapping[str, str], hearing: Hearing, took_s: float) -> None:
        self._exchange = exchange
        self._headers = headers
        self._hearing = hearing
        self._opened = asyncio.Event()
        self._is_refused = False
        opening_s = min(max(OPENING_S_MIN, OPENING_TIMES * took_s), OPENING_S)
        self._waited_until_s = asyncio.get_running_loop().time() + opening_s
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: self._opened.set())

    @property
    def is_over(self) -> bool:
        """Whether the server closed it for good; one that offers none is not asked again."""
        return self._task.done() and not self._is_refused

    async def opened(self) -> None:
        """Wait until the stream has begun or was refused, what is told before reaches nobody; not for long in all."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._waited_until_s):
                await self._opened.wait()

    def cancel(self) -> None:
        """Close the stream."""
        self._task.cancel()

    async def _run(self) -> None:
        last = Decoder(0)
        barren = 0

        def began() -> None:
            if self._opened.is_set() and not last.ident:
                self._hearing.missed()
            self._opened.set()

        while barren < BARREN_MAX:
            outcome = await self._exchange.listen(self._headers, last, self._hearing, began)
            if isinstance(outcome, ErrorFrame):
                if outcome.status in _NO_STREAM:
                    self._is_refused = True
                    return
                if 400 <= outcome.status < 500 and outcome.status != HTTPStatus.CONFLICT:
                    break
                barren += 1
            else:
                barren = barren + 1 if outcome.events == 0 else 0
                last = outcome
            wait_ms = _RETRY_MS if last.retry_ms is None else min(last.retry_ms, _RETRY_MS_MAX)
            await asyncio.sleep(max(wait_ms, 10 * 2**barren) / 1000)
        self._hearing.lose("closed its event stream")
