"""Changes of lists and resources on their way to who listens: each told once, late rather than not at all.

A change says only that something is worth asking for again, so the same one is told once for any number
of times it came meanwhile. Of what has a state, the last one is told.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from remit.pep.mcp import rpc
from remit.ports.upstream import Change, ResourceUpdated

PENDING_MAX: Final = 1_024
"""Changes not yet told; whoever reads more slowly asks for everything again."""


class ChangeNotifications:
    """What changed and was not told yet, for one stream; `write` makes the message."""

    def __init__(self, write: Callable[[Change], bytes]) -> None:
        self.changed = asyncio.Event()
        self._write = write
        self._pending: dict[Change, None] = {}
        self._states: dict[str, bytes] = {}
        self._ended = False

    def put(self, notice: Change) -> None:
        """Have `notice` told."""
        if notice not in self._pending and len(self._pending) >= PENDING_MAX:
            self.end()
        else:
            self._pending[notice] = None
            self.changed.set()

    def put_state(self, of: str, message: bytes) -> None:
        """Have `message` told of what is named `of`, in place of an earlier one that was not told yet."""
        self._states[of] = message
        self.changed.set()

    def end(self) -> None:
        """Have the stream end: its client must listen anew."""
        self._ended = True
        self.changed.set()

    def anew(self) -> bool:
        """Another stream carries them; whether something was lost on the one before."""
        ended, self._ended = self._ended, False
        return ended

    def keep(self, resources: frozenset[ResourceUpdated]) -> None:
        """Of the resources that were not told of yet, tell of none but these."""
        remaining = (
            notice for notice in self._pending if not isinstance(notice, ResourceUpdated) or notice in resources
        )
        self._pending = dict.fromkeys(remaining)

    def take(self) -> bytes:
        """The events to send now."""
        events = [rpc.event(self._write(notice)) for notice in self._pending]
        events += map(rpc.event, self._states.values())
        self._pending.clear()
        self._states.clear()
        return b"".join(events)

    @property
    def done(self) -> bool:
        """Whether something was lost: the client must listen anew."""
        return self._ended
