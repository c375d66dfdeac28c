"""Why a ledger file is not opened. Each says what, why, and the next command."""

from pathlib import Path


class LedgerRefused(Exception):
    """A ledger that is not opened: `what` was refused, `why`, and what to do `next`."""

    def __init__(self, what: str, why: str, next: str) -> None:
        super().__init__(f"{what}: {why} (next: {next})")
        self.what = what
        self.why = why
        self.next = next


class DataInUse(LedgerRefused):
    """Another process holds the data folder; `pid` is its id where it is known."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"the data in {folder} is in use",
            f"{holder} runs on it",
            "remit sessions ls, to use the running service"
            if pid is None
            else f"kill {pid}, or remit up --data with another folder",
        )
        self.pid = pid


class NotALedger(LedgerRefused):
    """The file is something else."""


class SchemaTooNew(LedgerRefused):
    """A later version of Remit wrote the file."""


class LedgerDamaged(LedgerRefused):
    """The end does not verify, or what is asked for cannot be read: nothing goes on from what cannot be trusted."""


def damaged(path: Path, why: str) -> LedgerDamaged:
    """The ledger at `path` is not opened, because of `why`."""
    return LedgerDamaged(
        f"{path} was not opened",
        why,
        f"keep {path.name} and {path.name}-wal, which are as they were; remit ledger verify {path} says what is wrong; "
        f"then: remit ledger restore BACKUP --data {path.parent}",
    )
