"""Source resources at work: each is looked at by a task of its own, as the running bundle has them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final, assert_never

from remit.discover.health import SourceState, failing, unseen, well
from remit.discover.sighting import clipped
from remit.facts.source import Watched, Watches
from remit.ports.source import SightingSource, SourceBatch, SourceFailed, Trouble
from remit.ports.system import Clock
from remit.work.discovery import Discovery
from remit.work.sources import SourceHealth, watch

FAILED: Final = "source/failed"
"""The code of what `remit get inventory` tells of a source that cannot be looked at."""


class SourceWatcher:
    """Runs a task for each Source. A source that changed is another one."""

    def __init__(self, discovery: Discovery, clock: Clock) -> None:
        self._discovery = discovery
        self._clock = clock
        self._tasks: dict[Watched, asyncio.Task[None]] = {}
        self._states: dict[Watched, SourceState] = {}

    def follow(self, sources: Mapping[str, Watched]) -> None:
        """Look at `sources` and no others from now on."""
        wanted = set(sources.values())
        for removed in self._tasks.keys() - wanted:
            self._tasks.pop(removed).cancel()
            self._states.pop(removed, None)
            self._discovery.troubles.pop((FAILED, _source_name(removed)), None)
        for new in wanted - self._tasks.keys():
            self._tasks[new] = asyncio.get_running_loop().create_task(self._watch(new))

    @property
    def states(self) -> Mapping[str, SourceState]:
        """How each Source does, by the name of its resource."""
        return {
            watched.name: self._states.get(watched) or unseen(_source_name(watched), "it was not looked at yet")
            for watched in self._tasks
        }

    async def close(self) -> None:
        """Stop looking."""
        tasks = [*self._tasks.values()]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, watched: Watched) -> None:
        name = _source_name(watched)

        async def take(batch: SourceBatch) -> None:
            await self._discovery.take(name, batch)

        def told(health: SourceHealth, wait_s: float) -> None:
            key, before = (FAILED, name), self._states.get(watched)
            if health.failures:
                why = clipped(f"failed {health.failures} in a row: {health.why}; again in {wait_s:.0f} s")
                self._discovery.troubles[key] = Trouble(FAILED, name, why)
                self._states[watched] = failing(name, why, before and before.at_ms)
            else:
                self._discovery.troubles.pop(key, None)
                message = f"{health.sightings} sightings; looked at again in {wait_s:.0f} s"
                self._states[watched] = well(name, self._clock.now_ms(), message, health.troubles)

        await watch(_Looking(watched, self._clock.now_ms), watched.every_s, take, told)


class _Looking:
    """A Source whose own errors fail the look, and nothing else: it is looked at again."""

    def __init__(self, watched: Watched, now_ms: Callable[[], int]) -> None:
        self._watched = watched
        self._now_ms = now_ms
        self.name = _source_name(watched)

    async def look(self) -> AsyncIterator[SourceBatch]:
        """Look at everything once."""
        try:
            source = await asyncio.to_thread(_source, self._watched, self._now_ms)
            async for batch in source.look():
                yield batch
        except SourceFailed:
            raise
        except Exception as error:
            raise SourceFailed(f"an error of Remit's own: {type(error).__name__}") from error


def _source_name(watched: Watched) -> str:
    return clipped(f"Source {watched.name}")


def _source(watched: Watched, now_ms: Callable[[], int]) -> SightingSource:
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
