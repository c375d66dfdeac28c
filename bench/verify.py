"""`python -m bench.verify [--long]`: how fast a core verifies chain and commitments, alone and with the RFC 6962 root.

Batches as the ledger's writer lays them out, of intents with bodies of 400 bytes and more, are verified by what
`remit ledger verify --links` uses, from memory: reading them is the disk's. Beside it what SHA-256 alone takes for as
many hashes of as many bytes. CPU seconds of one thread are counted, so that other work on the machine counts little.
"""

from __future__ import annotations

import hashlib
import sys
import time
from typing import TYPE_CHECKING, Final

from proof.verdict import say
from remit.adapters.sqlite.segment import body_head, check_segment, record_head
from remit.facts.record import Record, RecordKind, Ref
from remit.trace.chain import commitment, genesis, record_hash
from remit.trace.comparison import TreeComparison
from remit.trace.encoding import encode_record

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.adapters.sqlite.segment import Segment

CHAIN: Final = "r0102-1"
LINKS_MIN: Final = 250_000
ROOT_MIN: Final = 120_000
BODY: Final = b'["%064d","call_tool","files","write_file","%s"]'
BODY_BYTES: Final = 420
PADDING: Final = b"x" * (BODY_BYTES - len(BODY % (1, b"")))
EACH: Final = 64
ROUNDS: Final = 5


def segments(count: int) -> list[Segment]:
    """So many records in batches, chained."""
    prev = genesis(CHAIN)
    made: list[Segment] = []
    for first in range(1, count + 1, EACH):
        records: list[bytes] = []
        bodies: list[bytes] = []
        for seq in range(first, first + EACH):
            salt = seq.to_bytes(16, "little")
            body = BODY % (seq, PADDING)
            made_of = commitment(salt, body)
            at, bundle, sid = 1_795_867_200_000 + seq, "sha256:" + "b" * 64, "c" * 32
            data = encode_record(Record(CHAIN, seq, prev, RecordKind.INTENT, at, bundle, sid, made_of))
            digest = record_hash(data)
            prev = digest.hex()
            records += (record_head(len(data), 0), data, digest)
            bodies += (body_head(len(body)), salt, body)
        made.append((first, EACH, b"".join(records), b"".join(bodies)))
    return made


def verified(made: Sequence[Segment], *, tree: bool) -> float:
    """CPU seconds of verifying all of it."""
    comparison = TreeComparison((), lambda _level, _number: b"", 0)
    started = time.thread_time()
    prev = genesis(CHAIN)
    for segment in made:
        leaves: list[bytes] | None = [] if tree else None
        prev = check_segment((CHAIN, segment[0], prev), segment, leaves)
        if leaves is not None:
            comparison.feed_all(Ref(CHAIN, segment[0]), leaves)
    assert not list(comparison.findings("", (), (), nobody))
    return time.thread_time() - started


def nobody(_public: bytes, _signature: bytes, _text: bytes) -> bool:
    """No signature is checked here."""
    return False


def hashed(count: int) -> float:
    """CPU seconds of the hashes of records and bodies alone."""
    record, body = b"r" * 330, b"b" * (BODY_BYTES + 16)
    started = time.thread_time()
    for _ in range(count):
        hashlib.sha256(record).digest()
        hashlib.sha256(body).digest()
    return time.thread_time() - started


def main(argv: Sequence[str]) -> int:
    """Measure, print the table, say the verdict."""
    count = 1_024_000 if "--long" in argv else 128_000
    made = segments(count)
    print(f"{count} records, bodies of {BODY_BYTES} bytes, best of {ROUNDS}, per core")
    links = count / min(verified(made, tree=False) for _ in range(ROUNDS))
    root = count / min(verified(made, tree=True) for _ in range(ROUNDS))
    alone = count / min(hashed(count) for _ in range(ROUNDS))
    for name, rate in (("chain and commitments", links), ("with the RFC 6962 root", root), ("SHA-256 alone", alone)):
        print(f"{name:<24}{rate:>12,.0f} records/s")
    figure = f"{links:,.0f} records/s for chain and commitments, {root:,.0f} with the RFC 6962 root"
    goal = f"≥ {LINKS_MIN:,} and ≥ {ROOT_MIN:,} records/s per core"
    return say(figure, goal, passed=links >= LINKS_MIN and root >= ROOT_MIN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
