"""How one batch of records lies in its two rows.

`segment.records` holds, per record: length (u32), id of the session's record before it (u64,
0 for none), the record's bytes, its hash. `body.bodies` holds, per record: length (u32), salt,
the body's bytes; an erased body has length `ERASED` and nothing else. Numbers are
little-endian. The first row is written once and never changed; the second only by erasing.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from remit.trace.chain import HASH_BYTES, SALT_BYTES
from remit.trace.tree import leaf_hash

ERASED: Final = 0xFFFFFFFF
Segment: TypeAlias = tuple[int, int, bytes, bytes]
"""First id, count, records, bodies: a row of each table."""
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
    hashes: list[bytes] = []
    at = 0
    for _ in range(count):
        try:
            length, _ = _RECORD.unpack_from(records, at)
        except struct.error as error:
            raise SegmentTorn(f"segment {first} ends early") from error
        start = at + _RECORD.size
        at = start + length + HASH_BYTES
        hashes.append(leaf_hash(records[start : start + length]))
    if at != len(records):
        raise SegmentTorn(f"segment {first} holds more than its {count} records, or less")
    return hashes


class LinkBroken(Exception):
    """A record of a batch does not follow, or is not what it is to be: its `number` in its batch, and why."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(what)
        self.number = number
        self.what = what


def check_segment(
    start: tuple[str, int, str], segment: Segment, hashes: list[bytes] | None, erased: list[int] | None = None
) -> str:
    """Check the chain and the commitments of one batch that begins at `start`: chain, seq, and the hash before it.

    The hash of its last record, in hex. The leaves of its records are added to `hashes`, the seqs of those whose bodies
    were erased to `erased`. Nothing is decoded: what a record says first and last is compared with what it has to say,
    and all of it is hashed. Raises `LinkBroken`, `SegmentTorn`.
    """
    chain, seq, prev = start
    first, count, records, bodies = segment
    sha256, record_head_of, body_head_of = hashlib.sha256, _RECORD.unpack_from, _BODY.unpack_from
    at = behind = 0
    for number in range(count):
        try:
            length, _ = record_head_of(records, at)
            (size,) = body_head_of(bodies, behind)
        except struct.error as error:
            raise SegmentTorn(f"segment {first} ends early") from error
        begin = at + 12
        end = begin + length
        at = end + HASH_BYTES
        behind += 4
        record = records[begin:end]
        digest = records[end:at]
        if sha256(record).digest() != digest:
            raise LinkBroken(number, "its bytes do not hash to its hash")
        if not record.startswith(b'["%s",%d,"%s","' % (chain.encode(), seq + number, prev.encode())):
            raise LinkBroken(number, "its bytes say another place, or follow on another record")
        if size != ERASED:
            stop = behind + SALT_BYTES + size
            if record[-66:] != b'%s"]' % sha256(bodies[behind:stop]).hexdigest().encode():
                raise LinkBroken(number, "its body is not the one it commits to")
            behind = stop
        elif erased is not None:
            erased.append(seq + number)
        prev = digest.hex()
        if hashes is not None:
            hashes.append(sha256(b"\0" + record).digest())
    if at != len(records) or behind != len(bodies):
        raise SegmentTorn(f"segment {first} holds more than its {count} records, or less")
    return prev
