"""`remit replay`: what a workspace would have decided of what was recorded."""

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from remit.app.failure import Exit, Failure
from remit.app.output import say

_PROGRESS_S: Final = 1.0


class Form(StrEnum):
    """How verdicts are written."""

    JSONL = "jsonl"


def replay(
    sessions: Annotated[
        Path | None, typer.Option("--sessions", help="A recording: JSON lines, gzipped or not.")
    ] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="The workspace that judges it.")] = None,
    agent: Annotated[str | None, typer.Option(help="Who stands for an agent the workspace does not know.")] = None,
    user: Annotated[str | None, typer.Option(help="The user whose words the recording holds.")] = None,
    jobs: Annotated[int, typer.Option(min=0, help="Processes at most; 0: one a core.")] = 0,
    output: Annotated[Form, typer.Option("-o", "--output", help="How the answer is written.")] = Form.JSONL,  # noqa: ARG001
) -> None:
    """Judge recorded sessions by a workspace, with simulated time. Nothing is called, nothing is recorded."""
    from remit.app.replaying import bundle_of, cast_of, replayed
    from remit.app.settings import workspace_folder

    if sessions is None:
        raise Failure("nothing to replay", next="remit replay --sessions FILE --workspace DIR", exit=Exit.USAGE)
    folder = workspace_folder(workspace)
    bundle = bundle_of(folder)
    count = calls = 0
    said_s = begun_s = time.monotonic()
    for done in replayed(sessions, folder, cast_of(bundle, agent, user), bundle, jobs):
        sys.stdout.buffer.write(done.output)
        count, calls = count + 1, calls + done.calls
        now_s = time.monotonic()
        if now_s - said_s >= _PROGRESS_S:
            said_s = now_s
            say(f"{count} sessions, {calls} calls, {calls / (now_s - begun_s):,.0f} calls/s")
    sys.stdout.buffer.flush()
    say(f"{count} sessions, {calls} calls judged by bundle {bundle.digest}")


def add(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command()(replay)
