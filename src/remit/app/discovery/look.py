"""`remit discover`: one look at a source, told or sent to the running service."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from remit.adapters.sources.host import Home, HostSource, own_home
from remit.adapters.sources.listing import ListingSource
from remit.adapters.sources.repo import RepoSource
from remit.adapters.system import SystemClock
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure, Exit
from remit.discover.sighting import Sighting
from remit.discover.sighting_json import to_json
from remit.ports.source import SightingSource, SourceBatch, SourceFailed, Trouble
from remit.work.sources import SourceHealth, watch

SIGHTINGS_MAX: Final = 200_000
"""Sightings that are held at once; what more there is has to be sent."""
SENT_AT_ONCE: Final = 500


@dataclass(slots=True)
class DiscoveryResult:
    """What one look came to."""

    sightings: list[Sighting] = field(default_factory=list[Sighting])
    troubles: list[Trouble] = field(default_factory=list[Trouble])
    sent: int = 0

    def document(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "sightings": [to_json(item) for item in self.sightings],
            "troubles": [{"code": item.code, "where": item.where, "why": item.why} for item in self.troubles],
        }


def host(homes: Sequence[Path], projects: Sequence[Path], *, processes: bool) -> SightingSource:
    """This machine as a source; without `homes`, that of whoever asks."""
    for folder in (*homes, *projects):
        if not folder.is_dir():
            raise CommandFailure(f"{folder} is no folder", next="name one that there is", exit=Exit.NOT_FOUND)
    named_homes = [Home(folder.resolve().name or "root", folder.resolve()) for folder in homes] or [own_home()]
    return HostSource(
        socket.gethostname(),
        named_homes,
        SystemClock().now_ms,
        projects=[folder.resolve() for folder in projects],
        proc=Path("/proc") if processes else None,
    )


def repository(folder: Path, name: str) -> SightingSource:
    """A folder of source code as a source."""
    if not folder.is_dir():
        raise CommandFailure(f"{folder} is no folder", next="name one that there is", exit=Exit.NOT_FOUND)
    return RepoSource(folder, SystemClock().now_ms, name)


def file_source(file: Path) -> SightingSource:
    """A file that somebody made as a source."""
    return ListingSource(file, SystemClock().now_ms)


Looked = Callable[[SourceHealth, float, Sequence[Trouble]], None]
"""How a look went, the seconds until the next one, and what could not be taken."""


def keep_looking(source: SightingSource, client: ServiceClient, every_s: float, looked: Looked) -> None:
    """Look every `every_s` and send what is seen, until interrupted.

    Raises `CommandFailure` where it may not be sent.
    """
    troubles: list[Trouble] = []

    def told(health: SourceHealth, wait_s: float) -> None:
        looked(health, wait_s, troubles)
        troubles.clear()

    async def take(batch: SourceBatch) -> None:
        troubles.extend(batch.troubles)
        for start in range(0, len(batch.sightings), SENT_AT_ONCE):
            try:
                await asyncio.to_thread(_send, client, batch.sightings[start : start + SENT_AT_ONCE])
            except CommandFailure as failure:
                if failure.exit not in {Exit.UNREACHABLE, Exit.TIMEOUT}:
                    raise
                raise SourceFailed(failure.what) from failure

    asyncio.run(watch(source, every_s, take, told))


def look(source: SightingSource, client: ServiceClient | None = None) -> DiscoveryResult:
    """Look once. With `client`, send what is seen as it is seen. Raises `CommandFailure` where nothing can be seen."""
    return asyncio.run(_look(source, client))


async def _look(source: SightingSource, client: ServiceClient | None) -> DiscoveryResult:
    result = DiscoveryResult()
    waiting: list[Sighting] = []
    try:
        async for batch in source.look():
            result.troubles += batch.troubles
            room = SIGHTINGS_MAX - len(result.sightings)
            result.sightings += batch.sightings[:room]
            if client is None and len(batch.sightings) > room:
                why = f"more than {SIGHTINGS_MAX} sightings: those after them are not shown"
                result.troubles.append(Trouble("discover/sightings", source.name, why))
                break
            if client is not None:
                waiting += batch.sightings
                while len(waiting) >= SENT_AT_ONCE:
                    result.sent += _send(client, waiting[:SENT_AT_ONCE])
                    del waiting[:SENT_AT_ONCE]
    except SourceFailed as failed:
        raise CommandFailure(
            f"{source.name} could not be looked at", why=str(failed), next=failed.next, exit=Exit.INVALID
        ) from failed
    if client is not None and waiting:
        result.sent += _send(client, waiting)
    return result


def _send(client: ServiceClient, sightings: Sequence[Sighting]) -> int:
    client.post("/sightings", {"sightings": [to_json(sighting) for sighting in sightings]})
    return len(sightings)
