"""How one batch of records lies in its two rows.

`segment.records` holds, per record: length (u32), id of the session's record before it (u64,
0 for none), the record's bytes, its hash. `body.bodies` holds, per record: length (u32), salt,
the body's bytes; an erased body has length `ERASED` and nothing else. Numbers are
little-endian. The first row is written once and never changed; the second only by erasing.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from remit.trace.chain import HASH_BYTES, SALT_BYTES
from remit.trace.tree import leaf_hash

ERASED: Final = 0xFFFFFFFF
_RECORD: Final = struct.Struct("<IQ")
_BODY: Final = struct.Struct("<I")

record_head: Final = _RECORD.pack
"""`record_head(length, earlier)` goes before a record's bytes, its hash after them."""
body_head: Final = _BODY.pack
"""`body_head(length)` goes before a body's salt and bytes."""


class SegmentTorn(Exception):
    """A row that is not a segment: bytes of the file were changed, or lost."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as it lies in the file; `salt` and `body` are None once erased."""

    id: int
    earlier: int
    record: bytes
    hash: bytes
    salt: bytes | None
    body: bytes | None


def unpack(first: int, count: int, records: bytes, bodies: bytes) -> Iterator[Stored]:
    """The records of one batch, in order. Raises `SegmentTorn`."""
    at = behind = 0
    for number in range(count):
        try:
            length, earlier = _RECORD.unpack_from(records, at)
            (size,) = _BODY.unpack_from(bodies, behind)
        except struct.error as error:
            raise SegmentTorn(f"segment {first} ends early") from error
        start = at + _RECORD.size
        at = start + length + HASH_BYTES
        salt: bytes | None = None
        body: bytes | None = None
        behind += _BODY.size
        if size != ERASED:
            salted = behind + SALT_BYTES
            salt, body = bodies[behind:salted], bodies[salted : salted + size]
            behind = salted + size
        if at > len(records) or behind > len(bodies):
            raise SegmentTorn(f"segment {first} ends early")
        yield Stored(
            first + number,
            earlier,
            records[start : start + length],
            records[start + length : at],
            salt,
            body,
        )
    if at != len(records) or behind != len(bodies):
        raise SegmentTorn(f"segment {first} holds more than its {count} records")


def leaves(first: int, count: int, records: bytes) -> list[bytes]:
    """The leaves in the tree of the records of one batch, in order. Raises `SegmentTorn`."""
    found: list[bytes] = []
    at = 0
    for _ in range(count):
        try:
            length, _ = _RECORD.unpack_from(records, at)
        except struct.error as error:
            raise SegmentTorn(f"segment {first} ends early") from error
        start = at + _RECORD.size
        at = start + length + HASH_BYTES
        found.append(leaf_hash(records[start : start + length]))
    if at != len(records):
        raise SegmentTorn(f"segment {first} holds more than its {count} records, or less")
    return found
