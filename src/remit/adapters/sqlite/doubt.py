"""What is in doubt once nobody writes to the ledger any more."""

import sqlite3

from remit.adapters.sqlite.reads import UNSETTLED


def count_in_doubt(conn: sqlite3.Connection) -> int:
    """How many intents `remit ledger in-doubt` lists after the next start, which finds open ones to be in doubt too.

    Raises `sqlite3.Error`.
    """
    unsettled = conn.execute(UNSETTLED, (0, -1)).fetchall()
    opened = [bits for (bits,) in conn.execute("SELECT bits FROM open_intents")]
    if not all(isinstance(bits, int) for bits in opened):
        raise sqlite3.DatabaseError("a row of open_intents is torn")
    return len(unsettled) + sum(bits.bit_count() for bits in opened)
