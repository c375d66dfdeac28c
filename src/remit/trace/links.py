"""The links of a chain, row by row: INVARIANT(chain-links)."""

from collections.abc import Iterable
from dataclasses import dataclass

from remit.facts.record import Receipt, Record, Ref
from remit.trace.chain import commitment, genesis, record_hash
from remit.trace.encoding import decode_record
from remit.trace.members import Undecodable


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """A record as it is stored, and where; `salt` and `body` are None once erased."""

    ref: Ref
    record: bytes
    hash: bytes
    salt: bytes | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class LedgerFinding:
    """What is wrong at `ref` (None: of the file itself), by the invariant it breaks.

    `state` stands for: what the file holds beside its records is what they fold to.
    """

    ref: Ref | None
    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{'file' if self.ref is None else self.ref}: {self.invariant}: {self.what}"


def check_links(rows: Iterable[LedgerRow]) -> list[LedgerFinding]:
    """What is wrong with the links of `rows`, consecutive records of one chain."""
    findings: list[LedgerFinding] = []
    before: Receipt | None = None
    for row in rows:
        found, _ = check_row(row, before)
        findings += found
        before = Receipt(row.ref, row.hash.hex())
    return findings


def check_row(
    row: LedgerRow, before: Receipt | None, *, whole: bool = False
) -> tuple[list[LedgerFinding], Record | None]:
    """INVARIANT(chain-links): `row` by itself and after `before`.

    With `whole`, a row without one before it is the first of its chain.
    """
    problems: list[str] = []
    digest = record_hash(row.record)
    if digest != row.hash:
        problems.append(f"its bytes hash to {digest.hex()[:16]}…, stored is {row.hash.hex()[:16]}…")
    try:
        record = decode_record(row.record)
    except Undecodable as error:
        problems.append(f"it cannot be read: {error}")
        return [LedgerFinding(row.ref, "chain-links", what) for what in problems], None
    if (record.chain, record.seq) != (row.ref.chain, row.ref.seq):
        problems.append(f"its bytes say that it is {record.chain[:32]}.{record.seq}")
    expected_seq = before.ref.seq + 1 if before is not None else 1
    if (before is not None or whole) and row.ref.seq != expected_seq:
        problems.append(f"expected here is seq {expected_seq}")
    expected = None
    if row.ref.seq == 1:
        expected = genesis(row.ref.chain)
    elif before is not None:
        expected = before.hash
    if expected is not None and record.prev != expected:
        problems.append(f"its prev is {record.prev[:16]}…, the link before is {expected[:16]}…")
    if row.body is not None:
        actual = commitment(row.salt or b"", row.body)
        if actual != record.commitment:
            problems.append(f"its body commits to {actual[:16]}…, recorded is {record.commitment[:16]}…")
    return [LedgerFinding(row.ref, "chain-links", what) for what in problems], record
