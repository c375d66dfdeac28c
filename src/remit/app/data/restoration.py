"""`remit ledger restore`: a backup becomes the ledger, on record, and gives nothing back that was stopped.

Laws
* A backup is older than what it replaces, so its state is: a token revoked since, a passkey removed
  since, a session ended or labelled since, an approval used since would all count again. What the
  replaced ledger still says is recorded anew (`carrying`); every session ends, every open approval
  and every grant.
* It is another log: checkpoints are signed under a new name, and the record says under which they were.
* Decision ids are given once: epochs that the replaced ledger had are passed over, each by a record.
* Incidents stand as the backup tells them: the file they lie in followed the replaced ledger, and is made again.
* The work is done on a copy in a folder of its own; the last step alone touches the ledger.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.adapters.keyring import forget_keys
from remit.adapters.sqlite import copy_ledger, mark, open_ledger, verify_file
from remit.adapters.sqlite.backup import back_up, copy_beside, exchange
from remit.adapters.sqlite.erasure import SqliteBodies
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.lock import FolderLock
from remit.adapters.sqlite.replaced_ledger import LedgerState, Since, read_replaced, read_state
from remit.adapters.sqlite.tiles import forget_log
from remit.adapters.system import SystemEntropy
from remit.app.data.carry_over import BY, WHY, carried_records
from remit.app.data.folder import clock_of
from remit.app.settings import INCIDENTS, KEYS, LEDGER, OUTBOX, OUTBOX_ENDS
from remit.escalate.grants import Grant
from remit.facts.canonical import Json
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft
from remit.ports.system import Clock
from remit.trace.bodies import AdminBody, Choice, DecisionBody, Event
from remit.trace.chain import parts
from remit.trace.report import Report

_STAGE: Final = "restoring"


@dataclass(frozen=True, slots=True)
class RestorationResult:
    """What a restore did: the verified backup, the chain that began, and where the replaced ledger is.

    `remembered` is False where that one could not be read: what it stopped since the backup is forgotten. `void` says
    that every token of before is, since it, or its end, was not there to tell which were revoked.
    """

    report: Report
    chain: str
    aside: Path | None
    remembered: bool
    void: bool


def backed_up(folder: Path, target: Path, progress: Callable[[int], None] | None = None) -> tuple[Report, Path | None]:
    """Copy the ledger of the data folder `folder` to `target`, and its outbox beside it, where there is one.

    Its report, and that second file. Raises `LedgerRefused`.
    """
    outbox = _outbox_beside(target)
    # What waits to be told, and what was told already: without it receivers would hear some of it again.
    report = back_up(folder / LEDGER, target, progress, {folder / OUTBOX: outbox})
    return report, outbox if outbox.exists() else None


def restore(backup: Path, ledger: Path, progress: Callable[[int], None] | None = None) -> RestorationResult:
    """Make `backup` the ledger at `ledger`, which no service may use. Raises `LedgerRefused`."""
    what = f"{backup} was not restored"
    report = verify_file(backup, progress)
    if not report.clean:
        raise LedgerRefused(what, f"it does not verify: {report.findings[0]}", f"remit ledger verify {backup}")
    ledger.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = FolderLock(ledger.parent)
    stage = ledger.parent / _STAGE
    try:
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(mode=0o700)
        staged = stage / ledger.name
        staged.touch(mode=0o600)
        copy_ledger(backup, staged)
        ours = read_state(staged)
        if ours is None:
            raise LedgerRefused(what, "its state cannot be read", f"remit ledger verify {backup}")
        before = read_replaced(ledger, ours) if ledger.exists() else None
        whole = before is not None and not mark.is_behind(ledger)
        marked = mark.last(ledger) if whole else None
        if before is not None and before[0].replica != ours.replica:
            why = f"it is a backup of another ledger than the one in {ledger.parent}"
            raise LedgerRefused(what, why, "restore it into a folder of its own: --data DIR")
        chain = asyncio.run(_begin(staged, ours, before, report, clock_of(ledger)))
        aside = ledger.with_name(f"{ledger.name}.before-{chain}") if ledger.exists() else None
        outbox = ledger.with_name(OUTBOX)
        # Where there is one, it knows more of what was told than its copy does.
        has_outbox = not outbox.exists() and copy_beside(_outbox_beside(backup), stage / OUTBOX)
        # Before the exchange: where that does not happen, they are made again from the ledger that stays.
        _forget(ledger.with_name(INCIDENTS))
        exchange(ledger, staged, aside or ledger)
        if has_outbox:
            (stage / OUTBOX).rename(outbox)
        if not whole:
            # Nobody can tell which tokens were revoked since, or were given out and never used.
            forget_keys(ledger.parent / KEYS)
        mark.forget(ledger)
        if marked is not None:
            # What signs may be lost before the next start, too.
            mark.mark(ledger, keys=marked.keys, issuer=marked.issuer)
    except OSError as error:
        raise LedgerRefused(what, error.strerror or str(error), "free space on the disk of the data folder") from error
    except sqlite3.Error as error:
        raise LedgerRefused(what, f"SQLite: {error}", "free space on the disk of the data folder") from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        lock.release()
    return RestorationResult(report, chain, aside, remembered=before is not None or aside is None, void=not whole)


def _outbox_beside(backup: Path) -> Path:
    return backup.with_name(backup.name + OUTBOX_ENDS)


def _forget(projection: Path) -> None:
    for end in ("-wal", "-shm", ""):
        projection.with_name(projection.name + end).unlink(missing_ok=True)


async def _begin(
    staged: Path, ours: LedgerState, before: tuple[LedgerState, Since] | None, report: Report, clock: Clock
) -> str:
    """Begin an epoch that no record had yet, and record in it what was restored; its chain."""
    entropy = SystemEntropy()
    passed = 0 if before is None else before[0].epoch
    log = forget_log(staged)
    ledger = open_ledger(staged, clock, entropy)
    while parts(ledger.chain)[1] <= passed:
        await ledger.close()
        ledger = open_ledger(staged, clock, entropy)
    try:
        last = report.heads[-1]
        head: dict[str, Json] = {"chain": last.ref.chain, "seq": last.ref.seq, "hash": last.hash}
        data: dict[str, Json] = {"head": head, "replaced_epoch": passed or None, "log": log}
        bodies = [AdminBody(Event.LEDGER_RESTORED, BY, str(last.ref), data)]
        bodies += carried_records(ours, before)
        for approval in await ledger.approvals(open_only=True, limit=report.records):
            bodies.append(AdminBody(Event.APPROVAL_EXPIRED, BY, approval.ident, WHY))
        pending = [ledger.append(Draft(RecordKind.ADMIN, clock.now_ms(), "", "", body)) for body in bodies]
        pending += [
            ledger.append(Draft(RecordKind.DECISION, clock.now_ms(), "", "", _revoked_grant(grant)))
            for grant in await ledger.grants()
            if grant.revoked_by is None
        ]
        await pending[-1].durable
    finally:
        await ledger.close()
    # The record says it, so it is so; the bytes go before anybody reads them.
    SqliteBodies(staged).finish()
    return ledger.chain


def _revoked_grant(grant: Grant) -> DecisionBody:
    """Nobody knows whether it was revoked, or used up, since the backup."""
    return DecisionBody(grant.terms.approval, "", BY, Choice.REVOKE, (), str(WHY["why"]), grant={"of": grant.ident})
