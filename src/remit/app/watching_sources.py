"""Source resources at work: each is looked at by a task of its own, as the running bundle has them."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, assert_never

from remit.discover.sighting import clipped
from remit.facts.catalog import Watched, Watches
from remit.ports.source import Found, Source, Trouble
from remit.ports.system import Clock
from remit.work.discovery import Discovery
from remit.work.sources import Health, watch

FAILED: Final = "source/failed"
"""The code of what `remit get inventory` tells of a source that cannot be looked at."""


class Watching:
    """Runs a task for each Source. A source that changed is another one."""

    def __init__(self, discovery: Discovery, clock: Clock) -> None:
        self._discovery = discovery
        self._clock = clock
        self._tasks: dict[Watched, asyncio.Task[None]] = {}

    def follow(self, sources: Mapping[str, Watched]) -> None:
        """Look at `sources` and no others from now on."""
        wanted = set(sources.values())
        for gone in self._tasks.keys() - wanted:
            self._tasks.pop(gone).cancel()
        for new in wanted - self._tasks.keys():
            self._tasks[new] = asyncio.get_running_loop().create_task(self._watch(new))

    async def close(self) -> None:
        """Stop looking."""
        tasks = [*self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, watched: Watched) -> None:
        name = clipped(f"Source {watched.name}")

        async def take(found: Found) -> None:
            await self._discovery.take(name, found)

        def told(health: Health, wait_s: float) -> None:
            key = (FAILED, name)
            if health.failed:
                why = clipped(f"failed {health.failed} in a row: {health.why}; again in {wait_s:.0f} s")
                self._discovery.troubles[key] = Trouble(FAILED, name, why)
            else:
                self._discovery.troubles.pop(key, None)

        source = await asyncio.to_thread(_source, watched, self._clock.now_ms)
        await watch(source, watched.every_s, take, told)


def _source(watched: Watched, now_ms: Callable[[], int]) -> Source:
    """What looks at `watched`; what it needs is imported where it is declared."""
    match watched.watches:
        case Watches.HOST:
            from remit.adapters.sources.host import Home, HostSource, own_home

            homes = [Home(Path(home).name or "root", Path(home)) for home in watched.homes] or [own_home()]
            projects = [Path(project) for project in watched.projects]
            proc = Path("/proc") if watched.processes else None
            return HostSource(socket.gethostname(), homes, now_ms, projects=projects, proc=proc)
        case Watches.REPOSITORY:
            from remit.adapters.sources.repo import RepoSource

            return RepoSource(Path(watched.path or "/"), now_ms)
        case Watches.FILE:
            from remit.adapters.sources.listing import ListingSource

            return ListingSource(Path(watched.path or "/"), now_ms)
        case _:
            assert_never(watched.watches)
