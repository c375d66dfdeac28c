"""`remit replay`: what a workspace would have decided of what was recorded."""

import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from remit.app.cli.options import Data
from remit.app.cli.progress import tallied
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import say
from remit.facts.text import escaped

_PROGRESS_S: Final = 1.0


class VerdictFormat(StrEnum):
    """How verdicts are written."""

    TABLE = "table"
    JSONL = "jsonl"


def replay(  # noqa: PLR0913, PLR0917 - each is an option
    sessions: Annotated[
        Path | None, typer.Option("--sessions", help="A recording: JSON lines, gzipped or not; - for standard input.")
    ] = None,
    ledger: Annotated[bool, typer.Option("--ledger", help="Remit's own history instead.")] = False,  # noqa: FBT002
    data: Data = None,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="The workspace that judges it (else the current folder).")
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Another workspace: show what it would change.")
    ] = None,
    agent: Annotated[str | None, typer.Option(help="Who stands for an agent the workspace does not know.")] = None,
    user: Annotated[str | None, typer.Option(help="The user whose words the recording holds.")] = None,
    approve: Annotated[
        Path | None, typer.Option("--approve", help="What people granted: lines of session, call_id, scope.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes at most; 0: one a core.")] = 0,
    output: Annotated[VerdictFormat | None, typer.Option("-o", "--output", help="How the answer is written.")] = None,
) -> int:
    """Judge recorded sessions by a workspace, with simulated time. Nothing is called, nothing is recorded.

    With --approve, escalated calls that its lines name are approved, once or with a grant; they stay asks.
    With --ledger, every action on the ledger that the workspace's bundle decided, one at least; exit code 1 where a
    verdict comes out other than it was recorded. With --against, what another workspace would newly deny, ask and
    permit.
    """
    from remit.app.assurance.replay import bundle_of, cast_of
    from remit.app.settings import workspace_folder

    if ledger == (sessions is not None):
        next_ = "remit replay --sessions FILE --workspace DIR, or: remit replay --ledger"
        raise CommandFailure("replay takes a recording or the ledger", next=next_, exit=Exit.USAGE)
    if approve is not None and (ledger or against is not None):
        raise CommandFailure(
            "--approve goes with one recording", next="remit replay --sessions FILE --approve FILE", exit=Exit.USAGE
        )
    folder = workspace_folder(workspace)
    if against is not None:
        return _against(sessions, data, folder, against, (agent, user), output or VerdictFormat.TABLE)
    if sessions is None:
        return _history(data, folder)
    bundle = bundle_of(folder)
    from remit.app.assurance.replay import Setting, approvals_in, replay_file
    from remit.assure.approvals import NO_APPROVALS

    setting = Setting(cast_of(bundle, agent, user), NO_APPROVALS if approve is None else approvals_in(approve))
    count = calls = 0
    reported_s = begun_s = time.monotonic()
    for result in replay_file(sessions, folder, setting, bundle, jobs):
        sys.stdout.buffer.write(result.output)
        count, calls = count + 1, calls + result.calls
        now_s = time.monotonic()
        if now_s - reported_s >= _PROGRESS_S:
            reported_s = now_s
            say(f"{count} sessions, {calls} calls, {calls / (now_s - begun_s):,.0f} calls/s")
    sys.stdout.buffer.flush()
    say(f"{count} sessions, {calls} calls judged by bundle {bundle.digest}")
    return Exit.OK


def _history(data: Path | None, folder: Path) -> int:
    from remit.app.assurance.ledger_replay import ReplayTally, as_recorded, strangers
    from remit.app.assurance.replay import bundle_of
    from remit.app.settings import LEDGER, data_folder

    account, bundle = ReplayTally(), bundle_of(folder)
    with tallied(lambda: account.actions, "actions"):
        _write(as_recorded(data_folder(data) / LEDGER, bundle, account))
    for why, count in sorted(account.unjudged.items()):
        say(f"{count} actions not judged: {why}")
    if account.strange:
        if account.strange.total() == account.actions:
            raise strangers(folder, bundle, account)
        say(f"{account.strange.total()} actions not judged: another bundle decided them than {folder} is")
    say(f"{account.judged} actions judged again, {account.same} as recorded")
    return Exit.OK if account.same == account.judged else Exit.NEGATIVE


def _against(
    sessions: Path | None,
    data: Path | None,
    folder: Path,
    against: Path,
    agent_and_user: tuple[str | None, str | None],
    output: VerdictFormat,
) -> int:
    from remit.app.assurance.ledger_replay import against_history, against_sessions, summary
    from remit.app.assurance.replay import bundle_of, cast_of
    from remit.app.settings import LEDGER, data_folder
    from remit.assure.changes import VerdictChanges

    changes, theirs = VerdictChanges(), bundle_of(against)
    if sessions is None:
        lines = against_history(data_folder(data) / LEDGER, theirs, changes)
    else:
        ours = bundle_of(folder)
        lines = against_sessions(
            sessions, (ours, cast_of(ours, *agent_and_user)), (theirs, cast_of(theirs, *agent_and_user)), changes
        )
    as_lines = output is VerdictFormat.JSONL
    with tallied(lambda: changes.actions, "actions"):
        if as_lines:
            _write(lines)
        else:
            for _ in lines:
                pass
    for text in summary(changes):
        if as_lines:
            say(escaped(text))
        else:
            print(escaped(text))
    return Exit.OK


def _write(lines: Iterator[bytes]) -> None:
    for line in lines:
        sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()


def add(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command()(replay)
