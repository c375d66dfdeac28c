"""The frozen form of a ledger record, and the references and receipts that point at one.

A record is `{chain, seq, prev, kind, at, bundle, sid, commitment}` beside a body row with its
salt. Hashes cover the stored bytes, never a re-encoding.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

_REF: Final = re.compile(r"([a-z0-9]{1,16}-[1-9][0-9]{0,8})\.([1-9][0-9]{0,14})")


class RecordKind(StrEnum):
    """What a record says."""

    PROPOSAL = "proposal"
    INTENT = "intent"
    EXCHANGE = "exchange"
    OUTCOME = "outcome"
    DECISION = "decision"
    ADMIN = "admin"


# The two tuples of this page are made for every record there is, in half the time of a frozen dataclass.
class Ref(NamedTuple):
    """Where a record stands: `chain` is `<replica>-<epoch>`, `seq` counts from 1.

    Its text, `r7f3-5.1234`, is what people and agents see as a decision id.
    """

    chain: str
    seq: int

    def __str__(self) -> str:
        return f"{self.chain}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Ref":
        """The reference written as `text`; `ValueError` when it is not one."""
        found = _REF.fullmatch(text)
        if found is None:
            raise ValueError(f"not a decision id: {text[:80]!r} (they look like r7f3-5.1234)")
        return cls(found[1], int(found[2]))


@dataclass(frozen=True, slots=True)
class Record:
    """One link of a chain. `prev` and `commitment` are 64 lower-case hex digits.

    `at` is milliseconds since the epoch; `bundle` the digest in force (empty before the first
    one); `sid` the acting session, or empty.
    """

    chain: str
    seq: int
    prev: str
    kind: RecordKind
    at: int
    bundle: str
    sid: str
    commitment: str


class Receipt(NamedTuple):
    """Proof to the caller that a record is durable: where it stands and its hash (hex)."""

    ref: Ref
    hash: str
