"""The outer parts of a protobuf message, found without building anything: where its fields of bytes stand.

Parsing a message whole makes an object for each of its parts, of which two bytes can make one, and nobody else runs
meanwhile. So what is untrusted is walked first, and parsed piece by piece. Its encoding:
<https://protobuf.dev/programming-guides/encoding/>.
"""

from collections.abc import Iterator
from typing import Final

_VARINT_BYTES_MAX: Final = 10


class Torn(Exception):
    """It is no message, or ends early."""


class TooMany(Exception):
    """It has more fields than may be walked."""


class Walk:
    """Walks `data`, `fields_max` fields in all."""

    def __init__(self, data: bytes, fields_max: int) -> None:
        self._data = data
        self._left = fields_max

    def fields(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """The fields of bytes of the message from `start` to before `end`: number, start, end. Raises the above."""
        at = start
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise TooMany
            key, at = self._varint(at, end)
            match key & 7:
                case 0:
                    _, at = self._varint(at, end)
                case 1:
                    at += 8
                case 2:
                    size, at = self._varint(at, end)
                    if at + size > end:
                        raise Torn
                    yield key >> 3, at, at + size
                    at += size
                case 5:
                    at += 4
                case _:
                    raise Torn
            if at > end:
                raise Torn

    def _varint(self, at: int, end: int) -> tuple[int, int]:
        value = 0
        for number in range(_VARINT_BYTES_MAX):
            if at + number >= end:
                raise Torn
            byte = self._data[at + number]
            value |= (byte & 127) << (7 * number)
            if byte < 128:
                return value, at + number + 1
        raise Torn
