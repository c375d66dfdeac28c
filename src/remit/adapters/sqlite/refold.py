"""Every state table made anew from the records of a ledger, and compared with what it holds."""

import sqlite3
from pathlib import Path

from remit.adapters.sqlite.reads import SEGMENT, open_readonly
from remit.adapters.sqlite.segment import unpack
from remit.adapters.sqlite.state import State
from remit.adapters.sqlite.tables import SEQ_BITS, STATE, create
from remit.facts.record import Ref
from remit.pdp.fold import fold
from remit.trace.encoding import decode_body, decode_record


def differences(path: Path) -> list[str]:
    """The rows in which the state of the ledger at `path` is not the fold of its records.

    For a ledger at rest, none of whose bodies was erased. Each is `table: row`, `-` where the
    file has it and the fold does not, `+` the other way about.
    """
    source = open_readonly(path)
    made = sqlite3.connect("", isolation_level=None)
    try:
        _refold(source, made)
        found: list[str] = []
        for table in STATE:
            held = set(source.execute(f"SELECT * FROM {table}"))  # noqa: S608
            folded = set(made.execute(f"SELECT * FROM {table}"))  # noqa: S608
            found += [f"{table}: - {row}" for row in sorted(held - folded, key=str)]
            found += [f"{table}: + {row}" for row in sorted(folded - held, key=str)]
        return found
    finally:
        source.close()
        made.close()


def _refold(source: sqlite3.Connection, made: sqlite3.Connection) -> None:
    names: dict[int, str] = dict(source.execute("SELECT no, name FROM chain"))
    create(made)
    made.execute("BEGIN")
    state = State(made)
    for segment in source.execute(f"{SEGMENT} ORDER BY segment.first"):
        # Copied along, because an intent in doubt is looked up when the next epoch begins.
        made.execute("INSERT INTO segment VALUES (?, ?, ?)", segment[:3])
        made.execute("INSERT INTO body VALUES (?, ?)", (segment[0], segment[3]))
        for stored in unpack(*segment):
            record = decode_record(stored.record)
            ref = Ref(names[stored.id >> SEQ_BITS], stored.id & (1 << SEQ_BITS) - 1)
            deltas = (
                () if stored.body is None else fold(ref, record.at, record.kind, decode_body(record.kind, stored.body))
            )
            state.record(ref, record.sid, deltas)
    state.flush()
