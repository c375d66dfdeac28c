"""What the suites of the ledger share: a fixed clock and entropy, drafts, and a writing process."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import SqliteLedger, open_ledger
from remit.adapters.system import SystemClock, SystemEntropy
from remit.facts.record import Receipt, RecordKind
from remit.ports.ledger import Draft
from remit.trace.bodies import Body
from tests.core.recording import BUNDLE, Step, action

REPLICA = "r0102"
WAL_HEAD_BYTES: Final = 32
FRAME_BYTES: Final = 4_096 + 24


def log_end(log: Path) -> int:
    """Where the frames of the write-ahead log `log` end; zeros follow, which it was made longer with."""
    used = len(log.read_bytes().rstrip(b"\0"))
    return WAL_HEAD_BYTES + -(-(used - WAL_HEAD_BYTES) // FRAME_BYTES) * FRAME_BYTES


@dataclass(slots=True)
class SteadyClock:
    """Each reading is one millisecond after the one before."""

    at: int = 1_000

    def now_ms(self) -> int:
        self.at += 1
        return self.at

    def monotonic_s(self) -> float:
        return self.at / 1e3


@dataclass(slots=True)
class CountingEntropy:
    """Bytes that count up, the same in every run: the replica is always `REPLICA`."""

    given: int = 0

    def token_bytes(self, count: int) -> bytes:
        data = bytes((self.given + number + 1) & 0xFF for number in range(count))
        self.given += count
        return data


@dataclass(slots=True)
class Place:
    """A data folder, and its ledger as often as it is opened."""

    folder: Path
    clock: SteadyClock = field(default_factory=SteadyClock)

    @property
    def file(self) -> Path:
        return self.folder / "ledger.sqlite3"

    def open(self, factory: type[sqlite3.Connection] = sqlite3.Connection) -> SqliteLedger:
        return open_ledger(self.file, self.clock, CountingEntropy(), factory)

    def copy(self, name: str = "copy.sqlite3") -> Path:
        target = self.folder / name
        target.write_bytes(self.file.read_bytes())
        return target


def draft(body: Body, kind: RecordKind = RecordKind.INTENT, sid: str = "s1", at: int = 5) -> Draft:
    """A record to be."""
    return Draft(kind, at, "" if kind is RecordKind.ADMIN else BUNDLE, sid, body)


def draft_of(step: Step, at: int = 5) -> Draft:
    """The record that a step of a history asks for."""
    return draft(step.body, step.kind, step.sid, at)


async def append_all(ledger: SqliteLedger, steps: Sequence[Step]) -> list[Receipt]:
    """Append without waiting in between, then wait for each."""
    pending = [ledger.append(draft_of(step)) for step in steps]
    return [await item.durable for item in pending]


def flip(path: Path, find: bytes, change: Callable[[int], int] = lambda byte: byte ^ 1) -> None:
    """Change one byte, the first of the last place where `find` stands."""
    data = bytearray(path.read_bytes())
    at = data.rindex(find)
    data[at] = change(data[at])
    path.write_bytes(data)


async def write_for_ever(path: Path, callers: int) -> None:
    """Append as many callers, and say each reference on stdout once it is durable; at last, how each ended."""
    ledger = open_ledger(path, SystemClock(), SystemEntropy())
    print(ledger.chain, flush=True)

    async def call(number: int) -> None:
        while True:
            sid = f"s{number}"
            body = action(links=[("writer", sid)], arguments=b'"%s"' % (b"x" * 2_000))
            receipt = await ledger.append(draft(body, sid=sid)).durable
            sys.stdout.write(f"{receipt.ref} {receipt.hash}\n")
            sys.stdout.flush()

    for error in await asyncio.gather(*(call(number) for number in range(callers)), return_exceptions=True):
        print("refused", type(error).__name__, error, flush=True)


def main(arguments: Sequence[str]) -> int:
    """`FOLDER [FILE_BYTES_MAX]`: write until killed, or until the disk is full; then say so."""
    import resource

    if len(arguments) > 1:
        limit = int(arguments[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    asyncio.run(write_for_ever(Path(arguments[0]) / "ledger.sqlite3", callers=8))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
