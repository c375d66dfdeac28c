"""The ledger in one SQLite file; begin at `ledger.py`."""

from remit.adapters.sqlite.errors import (
    DataInUse,
    LedgerDamaged,
    LedgerRefused,
    NotALedger,
    SchemaTooNew,
)
from remit.adapters.sqlite.ledger import SqliteLedger, open_ledger
from remit.adapters.sqlite.verification import copy_ledger, verify_file

__all__ = [
    "DataInUse",
    "LedgerDamaged",
    "LedgerRefused",
    "NotALedger",
    "SchemaTooNew",
    "SqliteLedger",
    "copy_ledger",
    "open_ledger",
    "verify_file",
]
