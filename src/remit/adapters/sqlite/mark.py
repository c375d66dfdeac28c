"""How far a ledger had come, in a small file beside it: what is behind that at a start has lost its end.

SQLite takes a write-ahead log as far as its checksums hold, and makes a new file where there is none: to itself each of
those is whole. What was stopped or revoked in the part that is gone would act again, and decision ids be given twice.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from remit.adapters.private import write_private
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.reads import chain_end, open_readonly, stored_at
from remit.adapters.sqlite.tables import SEQ_BITS

FILE: Final = "ledger.mark"
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


class LedgerMark(NamedTuple):
    """The last record that was durable when it was looked at, by chain and place there, and its hash in hex.

    `keys`: the files that signed then, by their names in the data folder; `issuer`: as whom, in tokens.
    """

    chain: str
    seq: int
    hash: str
    keys: tuple[str, ...] = ()
    issuer: str = ""


class LedgerLost(LedgerRefused):
    """The ledger, or its end, is not there any more."""

    def __init__(self, ledger: Path, why: str) -> None:
        super().__init__(
            f"{ledger} was not opened",
            why,
            f"remit ledger restore BACKUP --data {ledger.parent}; without one: remit up --accept-loss, which voids "
            "every token, since nobody can tell which were revoked",
        )


def mark(
    ledger: Path, earlier: LedgerMark | None = None, keys: tuple[str, ...] = (), issuer: str = ""
) -> LedgerMark | None:
    """Write down how far `ledger` has come, and what signs there, unless it is `earlier`; None where it has none.

    `issuer`: that of `earlier` where none is given.

    Raises `sqlite3.Error`, `OSError`.
    """
    with closing(open_readonly(ledger)) as conn:
        row = conn.execute("SELECT no, name FROM chain ORDER BY no DESC LIMIT 1").fetchone()
        stored = None if row is None else stored_at(conn, chain_end(conn, row[0]))
    if row is None or stored is None:
        return earlier
    issuer = issuer or (earlier.issuer if earlier is not None else "")
    current = LedgerMark(row[1], stored.id & _SEQ_MASK, stored.hash.hex(), keys, issuer)
    if current != earlier:
        write_private(ledger.with_name(FILE), json.dumps(current._asdict()).encode("ascii"))
    return current


def check(ledger: Path, keys: Path) -> None:
    """Raise `LedgerLost` where `ledger` does not hold what its mark names, or is gone while `keys` are there."""
    marked = last(ledger)
    if not ledger.exists() or not ledger.stat().st_size:
        if marked is not None:
            raise LedgerLost(ledger, f"there is none, and there was: it had come to {marked.chain}.{marked.seq}")
        if any(keys.glob("*.pem")):
            why = f"there is none, but keys of one are in {keys}: tokens that were revoked there would act again"
            raise LedgerLost(ledger, why)
    elif marked is not None and not _holds(ledger, marked):
        raise LedgerLost(ledger, _loss_text(marked))


def relative_names(ledger: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """`files` by their names in the data folder of `ledger`, as a mark keeps them."""
    return tuple(str(file.relative_to(ledger.parent)) for file in files)


def last(ledger: Path) -> LedgerMark | None:
    """What `ledger` was last marked with; None where it never was. Raises `LedgerLost`."""
    path = ledger.with_name(FILE)
    try:
        content = json.loads(path.read_bytes())
        keys = tuple(map(str, content.get("keys", ())))
        return LedgerMark(
            str(content["chain"]), int(content["seq"]), str(content["hash"]), keys, str(content.get("issuer", ""))
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerLost(ledger, f"{path} cannot be read, which says how far it had come") from error


def is_behind(ledger: Path) -> bool:
    """Whether `ledger` has lost what its mark names, or may have: nobody can read that."""
    try:
        marked = last(ledger)
    except LedgerLost:
        return True
    return marked is not None and not _holds(ledger, marked)


def loss_of(ledger: Path, *, immutable: bool) -> str | None:
    """What `ledger` has lost of what its mark names, for whoever reads it; None where nothing."""
    try:
        marked = last(ledger)
    except LedgerLost as error:
        return error.why
    return None if marked is None or _holds(ledger, marked, immutable=immutable) else _loss_text(marked)


def forget(ledger: Path) -> None:
    """Begin anew from what `ledger` holds, or from nothing."""
    ledger.with_name(FILE).unlink(missing_ok=True)


def _loss_text(marked: LedgerMark) -> str:
    return f"its end is lost: it had come to {marked.chain}.{marked.seq}, which is not in it, or is another record"


def _holds(ledger: Path, marked: LedgerMark, *, immutable: bool = False) -> bool:
    try:
        with closing(open_readonly(ledger, immutable=immutable)) as conn:
            row = conn.execute("SELECT no FROM chain WHERE name = ?", (marked.chain,)).fetchone()
            stored = None if row is None else stored_at(conn, row[0] << SEQ_BITS | marked.seq)
    except sqlite3.Error as error:
        # Without its tables it is a new one. What else is wrong with it, whoever opens it says better.
        return error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_ERROR
    except ValueError:
        return True
    return stored is not None and stored.hash.hex() == marked.hash
