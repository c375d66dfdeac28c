"""What is kept of bodies that were erased: their frames, by the records of the erasures that the file names."""

import sqlite3
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from remit.adapters.sqlite.reads import stored_at
from remit.adapters.sqlite.segment import Stored
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.facts.record import RecordKind, Ref
from remit.trace.bodies import AdminBody, Body
from remit.trace.encoding import decode_body, decode_record
from remit.trace.erasure import frames

_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


def frame_of(conn: sqlite3.Connection, ident: int, schema: str = "main") -> bytes | None:
    """The frame of the erased body of the record with the id `ident`; `schema` is the ledger's name in `conn`."""
    row = conn.execute(f"SELECT record FROM {schema}.erased WHERE id = ?", (ident,)).fetchone()  # noqa: S608
    erasing = None if row is None else stored_at(conn, row[0])
    name = conn.execute(f"SELECT name FROM {schema}.chain WHERE no = ?", (ident >> SEQ_BITS,)).fetchone()  # noqa: S608
    if erasing is None or erasing.body is None or name is None:
        return None
    return frames_in(erasing.body).get(str(Ref(name[0], ident & _SEQ_MASK)))


def kept_of(conn: sqlite3.Connection, stored: Stored) -> Body | None:
    """What the file has of the body of `stored`: all of it, or its frame. Raises `ValueError` for what is neither."""
    data = frame_of(conn, stored.id) if stored.body is None else stored.body
    return None if data is None else decode_body(decode_record(stored.record).kind, data)


@lru_cache(maxsize=8)
def frames_in(data: bytes) -> Mapping[str, bytes]:
    """The frames that the body `data` of an admin record keeps, by decision id; none of what is no erasure."""
    try:
        body = decode_body(RecordKind.ADMIN, data)
    except ValueError:
        return {}
    return frames(body) if isinstance(body, AdminBody) else {}
