"""Telemetry passed on, as it came, to the user's own backend.

Nothing waits for it: what the backend does not take in time is dropped, and counted. What is passed on is what was
sent, content and all, to one address that whoever runs the service named; none of it is kept here.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import aiohttp

from remit.ports.telemetry import TelemetryExport
from remit.work.loop import every

_LOG: Final = logging.getLogger(__name__)
WAITING_MAX: Final = 8_192
WAITING_BYTES_MAX: Final = 32 * 1024 * 1024
ATTEMPTS: Final = 4
FIRST_S: Final = 1.0
TIMEOUT_S: Final = 10.0
_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
"""What OTLP/HTTP lets an exporter try again."""


class TelemetryReceiver(Protocol):
    """What takes telemetry in, and hands it on."""

    forward: Callable[[TelemetryExport], None] | None


async def forward_telemetry(
    receiver: TelemetryReceiver, url: str, headers: Mapping[str, str], failed: Callable[[Exception], None]
) -> None:
    """Pass on to `url` what `receiver` takes in, until cancelled. The address is the operator's own: any is reached.

    `failed` is told of an error that is no answer of the backend; what it came of is dropped.
    """
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session:
        forwarder = TelemetryForwarder(session, url, headers)
        receiver.forward = forwarder.offer
        await every(0, forwarder.turn, failed)


class TelemetryForwarder:
    """Passes exports on to `url` with `headers`. `counted` says how many were passed on, and dropped."""

    def __init__(self, session: aiohttp.ClientSession, url: str, headers: Mapping[str, str]) -> None:
        self._session = session
        self._url = url
        self._headers = headers
        self._waiting: deque[TelemetryExport] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self.counted = Counter[str]()

    def offer(self, export: TelemetryExport) -> None:
        """Pass `export` on when its turn comes; the oldest make room."""
        self._waiting.append(export)
        self._bytes += len(export.body)
        while self._bytes > WAITING_BYTES_MAX or len(self._waiting) > WAITING_MAX:
            self._bytes -= len(self._waiting.popleft().body)
            self.counted["dropped"] += 1
        self._some.set()

    async def turn(self) -> None:
        """Wait until there is something, and pass on one export. Raises what `_pass_on` does not name."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        export = self._waiting.popleft()
        self._bytes -= len(export.body)
        done = False
        try:
            done = await self._pass_on(export)
        finally:
            self.counted["passed on" if done else "dropped"] += 1

    async def _pass_on(self, export: TelemetryExport) -> bool:
        encoding = {"content-encoding": export.encoding} if export.encoding else {}
        headers = {**self._headers, "content-type": export.kind, **encoding}
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        why = ""
        for attempt in range(ATTEMPTS):
            try:
                async with self._session.post(
                    self._url, data=export.body, headers=headers, timeout=timeout, allow_redirects=False
                ) as answer:
                    if answer.status < 300:
                        return True
                    why = str(answer.status)
                    if answer.status not in _AGAIN:
                        break
            except (aiohttp.ClientError, TimeoutError) as error:
                why = type(error).__name__
            await asyncio.sleep(FIRST_S * 2**attempt)
        _LOG.warning("telemetry was not passed on", extra={"code": why})
        return False
