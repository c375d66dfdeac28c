"""What looks for agents: one interface for every source, run once or again and again.

Laws
* A source hands over what it saw in batches, as it goes, and what went wrong with a part of it as `Trouble`: one file
  that cannot be read, one span that does not parse. Everything else goes on.
* It raises `SourceFailed` where nothing of it can be seen at all; whoever runs it waits and tries again.
* It holds a batch at a time: memory is bounded by the source, not by what it looks at.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from remit.discover.reconcile import Passage
from remit.discover.sighting import Sighting


class SourceFailed(Exception):
    """A source that saw nothing at all: why, in one sentence without a secret, and the `next` command or step."""

    def __init__(self, why: str, next: str = "") -> None:
        super().__init__(why)
        self.next = next


@dataclass(frozen=True, slots=True)
class Trouble:
    """A part of what a source looks at that it could not take.

    `code` names the error, as in `config/syntax`; `where` says which part (a path and line, a span), `why` is one
    sentence. Neither holds a secret, nor text that was not cleaned (`discover.sighting.clipped`).
    """

    code: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """A batch, which may be empty in any part.

    `passages` are actions that passed an enforcement point: the ledger's alone. `mark` says how far the source has
    read, for one that counts each thing once; it is kept with what came of the batch. `recalled` are passages that
    were counted before a restart, and may still account for what telemetry tells of late.
    """

    sightings: tuple[Sighting, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    passages: tuple[Passage, ...] = ()
    mark: str = ""
    recalled: tuple[Passage, ...] = ()


class SightingSource(Protocol):
    """One place to look at. Its file in `adapters/sources/` is all there is of it."""

    @property
    def name(self) -> str:
        """The `source` of its sightings, as in `otlp`, `ledger`, `host`, `repo:/path`."""
        ...

    def look(self) -> AsyncIterator[SourceBatch]:
        """Look at everything once. Raises `SourceFailed`.

        One that never ends is a source that waits for what comes; one that ends is looked at again after a while.
        Both see the same thing again: the inventory is the same for it.
        """
        ...
