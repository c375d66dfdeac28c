"""A file that somebody made as a source: what an inventory elsewhere or a bill of materials says of agents."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import islice
from pathlib import Path
from typing import Final

from remit.adapters.sources.files import FileNotTaken, read
from remit.discover import lenient
from remit.discover.file_import import ImportFile, ImportProblem, read_import
from remit.discover.sighting import Sighting, clipped
from remit.ports.source import SourceBatch, SourceFailed, Trouble

BYTES_MAX: Final = 32 * 1024 * 1024
_BATCH: Final = 500


class ListingSource:
    """One file of CSV, JSON or CycloneDX."""

    def __init__(self, path: Path, now_ms: Callable[[], int]) -> None:
        self._path = path
        self._now_ms = now_ms
        self.name = ImportFile(clipped(path.name), 0).source

    async def look(self) -> AsyncIterator[SourceBatch]:
        """All that it says."""
        try:
            data = await asyncio.to_thread(read, self._path, BYTES_MAX, "import")
            text = None if data is None else lenient.decode(data)
        except FileNotTaken as error:
            raise SourceFailed(f"{error.trouble.where}: {error.trouble.why}") from error
        except lenient.Unparsed as error:
            raise SourceFailed(f"{clipped(str(self._path))}: {error.why}") from error
        if text is None:
            raise SourceFailed(f"there is no file {clipped(str(self._path))}", "name one that there is")
        imported = read_import(text, ImportFile(clipped(self._path.name), self._now_ms()))
        while batch := tuple(islice(imported, _BATCH)):
            sightings = tuple(item for item in batch if isinstance(item, Sighting))
            troubles = tuple(
                Trouble(item.code, clipped(item.where), item.why) for item in batch if isinstance(item, ImportProblem)
            )
            yield SourceBatch(sightings, troubles)
