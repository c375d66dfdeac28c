"""`python -m proof.mutations [--count N] [--incremental]`: what is done to a ledger shows against a kept checkpoint.

A ledger of several epochs is written by the real writer, its tree signed by the real keys, a checkpoint kept. Each
mutant is made by a seeded hand that can write the whole file: `bit` flips one, anywhere in the file; `row` drops or
overwrites a row; `order` exchanges two records; `tail` cuts the end and folds state and tree anew; `re-chain` changes a
body or salt, then chains, folds and builds the tree anew; `key swap` does that too, names a key of its own and signs
with it. A mutant whose tables hold what they held (a bit of an unused byte) is the original, and not counted.

In short each is verified in full (`verify_file`), with the checkpoint. With `--incremental`, 100,000 more are verified
from the batch that was touched on, by links and root alone, what lies before it being known.
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from proof.verdict import say
from remit.adapters.notary import FolderNotary
from remit.adapters.sqlite import LedgerRefused, verify_file
from remit.adapters.sqlite.segment import LinkBroken, SegmentTorn, body_head, check_segment, record_head, unpack
from remit.adapters.sqlite.tiles import Tiles
from remit.trace.chain import commitment, genesis, record_hash
from remit.trace.note import Checkpoint
from remit.trace.tree import Tree
from tests.contract.ledger_world import SteadyClock
from tests.contract.log_world import Log, log_of, rechained, rows_of, written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from remit.adapters.sqlite.segment import Segment, Stored
    from remit.trace.comparison import KeptCheckpoint
    from remit.trace.links import LedgerRow

CLASSES: Final = ("bit", "row", "order", "tail", "re-chain", "key swap")
CALLS: Final = 40
INCREMENTAL: Final = 100_000
MEMORY: Final = Path("/dev/shm")  # noqa: S108
ROWS: Final = ("segment", "body", "session", "outcome", "chain", "activity")
WORDS: Final = ((b"because", b"becauze"), (b":result", b":resulT"), (b"permit", b"permut"), (b"epoch", b"epocH"))


class Hand:
    """Makes mutants of the ledger of `log` in `folder`."""

    def __init__(self, log: Log, kept: KeptCheckpoint, folder: Path, seed: int) -> None:
        self.log = log
        self.kept = kept
        self.chance = random.Random(seed)
        self.rows = rows_of(log.file)
        self.whole = dump(log.file)
        self._data = log.file.read_bytes()
        self._file = folder / "mutant.sqlite3"
        self._thief = FolderNotary(folder / "thief", SteadyClock(), kept.checkpoint.origin)

    def make(self, kind: str) -> Path:
        """One mutant of this class."""
        match kind:
            case "bit":
                data = bytearray(self._data)
                at = self.chance.randrange(len(data) * 8)
                data[at >> 3] ^= 1 << (at & 7)
                self._file.write_bytes(data)
            case "row":
                self._row()
            case "order":
                self._order()
            case "tail":
                cut = self.chance.randrange(1, self.kept.checkpoint.size)
                written(self._file, self.rows[:cut], self.kept.checkpoint.origin)
                Tiles(self._file).follow(save=True)
            case _:
                self._rechain(swap=kind == "key swap")
        return self._file

    def _row(self) -> None:
        self._file.write_bytes(self._data)
        table = self.chance.choice(ROWS)
        with closing(sqlite3.connect(self._file, isolation_level=None)) as conn:
            key = conn.execute(f"PRAGMA table_info({table})").fetchone()[1]
            ids = [row[0] for row in conn.execute(f"SELECT {key} FROM {table} ORDER BY 1")]  # noqa: S608
            gone = self.chance.choice(ids)
            if self.chance.random() < 0.5 or len(ids) < 2:
                conn.execute(f"DELETE FROM {table} WHERE {key} = ?", (gone,))  # noqa: S608
                if table == "segment" and self.chance.random() < 0.5:
                    conn.execute("DELETE FROM body WHERE first = ?", (gone,))
            else:
                columns = [row[1] for row in conn.execute(f"PRAGMA table_info({table})")][1:]
                other = self.chance.choice([one for one in ids if one != gone])
                names = ", ".join(columns)
                if table == "chain":
                    conn.execute("UPDATE chain SET at = at + 1 WHERE no = ?", (gone,))
                elif table == "session":
                    conn.execute("UPDATE session SET agent = agent || 'x' WHERE no = ?", (gone,))
                else:
                    conn.execute(
                        f"UPDATE {table} SET ({names}) = (SELECT {names} FROM {table} WHERE {key} = ?) WHERE {key} = ?",  # noqa: S608
                        (other, gone),
                    )

    def _order(self) -> None:
        one, other = self.chance.sample(range(len(self.rows)), 2)
        self._file.write_bytes(self._data)
        with closing(sqlite3.connect(self._file, isolation_level=None)) as conn:
            found = conn.execute("SELECT first, count, records FROM segment ORDER BY first").fetchall()
            bodies = dict(conn.execute("SELECT first, bodies FROM body"))
            stored = [item for first, count, records in found for item in unpack(first, count, records, bodies[first])]
            first, second = stored[one], stored[other]
            stored[one], stored[other] = replace(second, id=first.id), replace(first, id=second.id)
            by_id = {item.id: item for item in stored}
            for start, count, _ in found:
                packed = b"".join(_packed(by_id[ident]) for ident in range(start, start + count))
                conn.execute("UPDATE segment SET records = ? WHERE first = ?", (packed, start))

    def _rechain(self, *, swap: bool) -> None:
        at = self.chance.randrange(self.kept.checkpoint.size)
        mine = str(self._thief.keys[0]).encode()
        theirs = [str(key).encode() for key in self.log.notary.keys]

        def change(number: int, row: LedgerRow) -> LedgerRow:
            body = row.body or b""
            if number == at:
                for before, after in WORDS:
                    body = body.replace(before, after, 1) if before != b"epoch" else body
                if body == row.body:
                    return replace(row, salt=bytes(16))
            for key in theirs if swap else ():
                body = body.replace(key, mine)
            return replace(row, body=body)

        written(self._file, rechained(self.rows, change), self.kept.checkpoint.origin)
        tiles = Tiles(self._file)
        tree = tiles.follow(save=True)
        if swap:
            tiles.save(self._thief.sign(Checkpoint(self.kept.checkpoint.origin, tree.size, tree.root())))


def _packed(item: Stored) -> bytes:
    return record_head(len(item.record), item.earlier) + item.record + item.hash


def dump(path: Path) -> object:
    """All that the file at `path` holds, or None where SQLite cannot read it."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)) as conn:
            tables = [row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
            held = [sorted(conn.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in tables]  # noqa: S608
            pragmas = [conn.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")]
            return (
                tables,
                held,
                pragmas,
                conn.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall(),
            )
    except (sqlite3.Error, OverflowError, UnicodeDecodeError, MemoryError):
        return None


def noticed(path: Path, kept: KeptCheckpoint) -> bool:
    """Whether verification says that something is wrong, or refuses the file."""
    try:
        return not verify_file(path, against=[kept]).clean
    except LedgerRefused:
        return True


def in_full(hand: Hand, count: int) -> tuple[Counter[str], Counter[str]]:
    """How many mutants of each class there were, and how many were noticed."""
    total, found = Counter[str](), Counter[str]()
    while sum(total.values()) < count:
        kind = CLASSES[sum(total.values()) % len(CLASSES)]
        path = hand.make(kind)
        if dump(path) == hand.whole:
            continue
        total[kind] += 1
        if noticed(path, hand.kept):
            found[kind] += 1
        else:
            print(f"not noticed: {kind}, mutant {sum(total.values())}", file=sys.stderr)
    return total, found


class Batches:
    """The ledger in memory, with what is known before each of its batches: links and tree."""

    def __init__(self, log: Log, kept: KeptCheckpoint) -> None:
        self.size = kept.checkpoint.size
        self.root = kept.checkpoint.root
        with closing(sqlite3.connect(log.file)) as conn:
            names: dict[int, str] = dict(conn.execute("SELECT no, name FROM chain"))
            self.segments: list[Segment] = conn.execute(
                "SELECT first, count, records, bodies FROM segment JOIN body USING (first) ORDER BY first"
            ).fetchall()
        self.starts: list[tuple[str, int, str]] = []
        self.trees: list[Tree] = []
        tree = Tree()
        ends: dict[str, str] = {}
        for segment in self.segments:
            chain = names[segment[0] >> 40]
            self.starts.append((chain, segment[0] & (1 << 40) - 1, ends.get(chain, genesis(chain))))
            self.trees.append(tree.copy())
            leaves: list[bytes] = []
            ends[chain] = check_segment(self.starts[-1], segment, leaves)
            tree.add(leaves)

    def linked(self, changed: Sequence[Segment], number: int) -> bool:
        """Whether every link of `changed`, the batches from `number` on, holds."""
        ends: dict[str, str] = {}
        try:
            for segment, (chain, seq, prev) in zip(changed, self.starts[number:], strict=False):
                ends[chain] = check_segment((chain, seq, ends.get(chain, prev)), segment, None)
        except (LinkBroken, SegmentTorn):
            return False
        return True

    def holds(self, changed: Sequence[Segment], number: int) -> bool:
        """Whether the batches from `number` on, `changed`, still lead to the root that was signed."""
        tree = self.trees[number].copy()
        ends: dict[str, str] = {}
        try:
            for segment, start in zip(changed, self.starts[number:], strict=False):
                leaves: list[bytes] = []
                chain = start[0]
                ends[chain] = check_segment((chain, start[1], ends.get(chain, start[2])), segment, leaves)
                tree.add(leaves[: self.size - tree.size])
                if tree.size == self.size:
                    return tree.root() == self.root
        except (LinkBroken, SegmentTorn):
            return False
        return False


def incrementally(log: Log, kept: KeptCheckpoint, seed: int, count: int) -> tuple[Counter[str], Counter[str]]:
    """As `in_full`, from the batch touched on, of the classes that touch records and bodies."""
    chance, batches = random.Random(seed), Batches(log, kept)
    last = next(number for number, tree in reversed(list(enumerate(batches.trees))) if tree.size < kept.checkpoint.size)
    total, found = Counter[str](), Counter[str]()
    while sum(total.values()) < count:
        kind = ("bit", "row", "order", "tail", "re-chain")[sum(total.values()) % 5]
        number = chance.randrange(max(0, last - 12), last)
        rest = list(batches.segments[number : last + 1])
        first, size, records, bodies = rest[0]
        match kind:
            case "bit":
                at = chance.randrange((len(records) + len(bodies)) * 8)
                flipped = bytearray(records + bodies)
                flipped[at >> 3] ^= 1 << (at & 7)
                if at >> 3 < len(records) and at >> 3 in _links_of_sessions(records, size):
                    continue
                rest[0] = first, size, bytes(flipped[: len(records)]), bytes(flipped[len(records) :])
            case "row":
                rest.pop(chance.randrange(len(rest) - 1))
            case "order":
                one, other = sorted(chance.sample(range(len(rest)), 2))
                rest[one], rest[other] = rest[other], rest[one]
            case "tail":
                rest = rest[: chance.randrange(len(rest))]
            case _:
                rest = _chained_anew(batches.starts[number:], rest, chance)
                assert batches.linked(rest, number), "its links hold, or it is another class"
        if rest == batches.segments[number : last + 1]:
            continue
        total[kind] += 1
        found[kind] += not batches.holds(rest, number)
    return total, found


def _links_of_sessions(records: bytes, count: int) -> set[int]:
    """The bytes of a batch that say which record of its session came before: state, which links do not cover."""
    covered: set[int] = set()
    at = 0
    for _ in range(count):
        covered.update(range(at + 4, at + 12))
        at += 12 + int.from_bytes(records[at : at + 4], "little") + 32
    return covered


def _chained_anew(starts: Sequence[tuple[str, int, str]], rest: list[Segment], chance: random.Random) -> list[Segment]:
    """`rest` with one salt changed in its first batch, and every link behind it right again."""
    made: list[Segment] = []
    ends: dict[str, str] = {}
    for (chain, _, prev), segment in zip(starts, rest, strict=False):
        end = ends.get(chain, prev)
        records: list[bytes] = []
        bodies: list[bytes] = []
        for item in unpack(*segment):
            salt = chance.randbytes(16) if not made and not records else item.salt or b""
            body = item.body or b""
            old = item.record
            cut = old.index(b',"') + 2
            data = old[:cut] + end.encode() + old[cut + 64 : -66] + commitment(salt, body).encode() + old[-2:]
            digest = record_hash(data)
            end = digest.hex()
            records += (record_head(len(data), item.earlier), data, digest)
            bodies += (body_head(len(body)), salt, body)
        ends[chain] = end
        made.append((segment[0], segment[1], b"".join(records), b"".join(bodies)))
    return made


def main(argv: Sequence[str]) -> int:
    """Make and verify the mutants, print the table, say the verdict."""
    count = int(argv[argv.index("--count") + 1]) if "--count" in argv else 1_000
    seed = int(os.environ.get("REMIT_SEED", "0"))
    # In memory where there is such a place: syncs of thousands of mutants show nothing.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        folder = Path(name)
        (folder / "log").mkdir()
        log, kept = log_of(folder / "log", CALLS, epochs=3)
        if not verify_file(log.file, against=[kept]).clean:
            return say("the original does not verify", "it does", passed=False)
        total, found = in_full(Hand(log, kept, folder, seed), count)
        if "--incremental" in argv:
            more, seen = incrementally(log, kept, seed, INCREMENTAL)
            total, found = total + more, found + seen
    for kind in CLASSES:
        print(f"{kind:<10}{found[kind]:>8} of {total[kind]:>7}")
    figure = ", ".join(f"{kind} {found[kind]}/{total[kind]}" for kind in CLASSES)
    return say(figure, "all detected", passed=found == total and set(total) == set(CLASSES))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
