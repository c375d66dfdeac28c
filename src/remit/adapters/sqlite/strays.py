"""Rows beside the records that belong to none, which reading the records passes over.

A batch lies in two rows: records without bodies, or bodies without records, are read by nobody who reads both, and
still counted by who asks for the end of a chain, or kept by an erasure that never looks there.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

from remit.adapters.sqlite.tables import SEQ_BITS
from remit.trace.comparison import TREE
from remit.trace.links import LedgerFinding
from remit.trace.note import Checkpoint, Note, NoteWrong

META: Final = ("replica", "log")
"""What `meta` says."""
_SHOWN_MAX: Final = 100
_UNPAIRED: Final = (
    "SELECT {0}.first, name FROM {0} LEFT JOIN chain ON no = {0}.first >> ? "
    "WHERE NOT EXISTS (SELECT 1 FROM {1} WHERE {1}.first = {0}.first) LIMIT ?"
)
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


def strays(conn: sqlite3.Connection) -> Iterator[LedgerFinding]:
    """The rows of the ledger behind `conn` that stand alone, or say what no version writes."""
    for table, other, what in (
        ("segment", "body", "records without bodies"),
        ("body", "segment", "bodies of no record"),
    ):
        for first, name in conn.execute(_UNPAIRED.format(table, other), (SEQ_BITS, _SHOWN_MAX)):
            yield LedgerFinding(None, "chain-links", f"a row of {what} lies at {name or '?'}.{first & _SEQ_MASK}")
    for (name,) in conn.execute("SELECT name FROM meta WHERE name NOT IN (?, ?) LIMIT ?", (*META, _SHOWN_MAX)):
        yield LedgerFinding(None, "state", f"meta {name}: no version writes that")
    signed = conn.execute("SELECT size, note FROM signed ORDER BY size LIMIT ?", (_SHOWN_MAX,)).fetchall()
    for size, note in signed:
        try:
            noted_size = Checkpoint.parse(Note.parse(str(note)).text).size
        except NoteWrong:
            # Whoever compares with the last one says so.
            continue
        if noted_size != size:
            yield LedgerFinding(None, TREE, f"a checkpoint of {noted_size} records lies where one of {size} would")
    if len(signed) > 1:
        yield LedgerFinding(None, TREE, f"{len(signed)} checkpoints lie where the last one alone is kept")
