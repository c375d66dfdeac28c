"""Large answers take memory before anybody judges them: as one comes, it asks whether there is room for more of it."""

from typing import Final

from remit.adapters.upstreams.messages import Ear
from remit.facts.strictjson import nodes_most

FREE_BYTES: Final = 64 * 1024
"""What every answer may take, and the steps in which one that is larger asks for more."""
VALUE_BYTES: Final = 64
"""What a value takes beside its text once it is read: an empty object (CPython 3.11)."""


class NoRoomError(Exception):
    """As many large answers as may be are held for who asked."""


class AnswerRoom:
    """What is held of one answer to the request of `ear`, None where nobody asked for it."""

    __slots__ = ("_ear", "_held")

    def __init__(self, ear: Ear | None) -> None:
        self._ear = ear
        self._held = 0

    def grown(self, size: int) -> None:
        """`size` bytes of it are there, or will be. Raises `NoRoomError`."""
        if size > FREE_BYTES and size > self._held and self._ear is not None:
            more = max(size - self._held, FREE_BYTES)
            if not self._ear.context.hold(more):
                raise NoRoomError
            self._held += more

    def whole(self, raw: bytes | bytearray) -> None:
        """All of it is there, and is read next. Raises `NoRoomError`."""
        if len(raw) > FREE_BYTES:
            self.grown(len(raw) + VALUE_BYTES * nodes_most(bytes(raw)))
