"""`remit up, demo, logs, doctor`: running the service and looking at it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from remit.app.cli.options import Data, Output, TokenFile, client
from remit.app.settings import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    Settings,
    data_folder,
    forward_to,
    limits_of,
    named_issuers,
    public_address,
    service_url,
    variable,
    workspace_folder,
)
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, counted, say, screen_width
from remit.facts.text import escaped

if TYPE_CHECKING:
    from remit.app.terminal.log_lines import LogLines

_STATES: Final = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
_AWAKE_S: Final = 5.0
"""A service that says nothing for longer hangs: it answers this while everything else of it is busy."""


def up(  # noqa: PLR0913 - each is an option
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="Folder of resources and policies (else the current folder).")
    ] = None,
    data: Data = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = DEFAULT_HOST,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")] = DEFAULT_PORT,
    allow_host: Annotated[list[str] | None, typer.Option("--allow-host", help="Another Host header to answer.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error (else REMIT_LOG_LEVEL).")] = None,
    limit: Annotated[list[str] | None, typer.Option("--limit", help="NAME=NUMBER, another limit.")] = None,
    public_url: Annotated[
        str | None,
        typer.Option("--public-url", help="Where browsers and other servers reach it, such as https://HOST."),
    ] = None,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", help="Apply workspace changes by themselves (development).")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Run what was in force before; without it a start takes the workspace.")
    ] = False,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="Go on where the ledger, its end, or keys are lost: tokens are void then."),
    ] = False,
    while_stdin: Annotated[
        bool, typer.Option("--while-stdin", help="End when standard input does, so with whoever started it.")
    ] = False,
) -> None:
    """Run the service: govern what passes, keep the record."""
    from remit.app.service.logs import level_of
    from remit.app.service.process import serve

    if while_stdin:
        from remit.app.service.parent_watch import end_with_standard_input

        end_with_standard_input()
    if resume and watch:
        raise CommandFailure(
            "--resume and --watch do not go together",
            why="the one puts in force nothing that nobody applied, the other every edit",
            next="leave one out: --watch is for development",
            exit=Exit.USAGE,
        )
    level, limits = level_of(log_level), limits_of(limit or ())
    data_path, workspace_path = data_folder(data), workspace_folder(workspace)
    _check_apart(data_path, workspace_path)
    serve(
        Settings(
            data=data_path,
            workspace=workspace_path,
            host=host,
            port=port,
            allowed_hosts=tuple(allow_host or ()),
            limits=limits,
            public_url=public_address(public_url),
            authorization_servers=named_issuers(),
            log_level=level,
            forward=forward_to(),
            accept_loss=accept_loss,
            resume=resume,
        ),
        watch=watch,
    )


def _check_apart(data: Path, workspace: Path) -> None:
    """Raise `CommandFailure` where the data folder is read as a part of the workspace.

    Servers write into it: policies of theirs would be in force with the next apply.
    """
    inner, outer = data.resolve(), workspace.resolve()
    if not inner.is_relative_to(outer) or any(part.startswith(".") for part in inner.relative_to(outer).parts):
        return
    where, beside = ("", inner) if inner == outer else ("in ", outer)
    raise CommandFailure(
        f"the data folder is {where}the workspace, {escaped(str(workspace))}",
        why="keys, the ledger and servers' own files would lie among the files that people edit and apply",
        next=f"name another folder, such as: remit up --data {escaped(str(beside))}-data, with what else you gave it",
        exit=Exit.USAGE,
    )


def demo(
    *,
    leave: Annotated[bool, typer.Option("--exit", help="End when the story is told, with its outcome.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of the demo's service.")] = DEFAULT_PORT,
) -> int:
    """Watch Remit govern real tool servers, in about a minute."""
    from remit.app.demo.story import tell

    return tell(leave=leave, port=port)


def logs(  # noqa: PLR0913 - each is an option
    *,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep showing new ones.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many to start with.")] = 20,
    agent: Annotated[str | None, typer.Option(help="Only actions that this agent has a part in.")] = None,
    server: Annotated[str | None, typer.Option(help="Only actions on this server.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only actions judged so: permit, deny or escalate.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from then on: 2026-11-22T11:05Z, or 15m, 2h, 3d ago.")] = None,
    until: Annotated[str | None, typer.Option(help="Only from before then, in the same forms.")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Show the latest records, one line each (on a screen wrapped to its width); looks through the last 500,000.

    With -o wide each has its session, and is not wrapped.

    Exit code 6 when the service ends what was followed.
    """
    from remit.app.terminal.log_lines import LogLines
    from remit.app.terminal.record_query import RecordQuery

    lines = LogLines(screen_width(output))
    if follow and until is not None:
        raise CommandFailure(
            "--until and --follow do not go together",
            why="what follows comes after",
            next="leave one out",
            exit=Exit.USAGE,
        )
    service = client(token_file)
    looking = RecordQuery.of(agent=agent, server=server, verdict=verdict, since=since, until=until)
    # Before what is shown is asked for: a record that is made between the two is followed, and shown once.
    newest: list[dict[str, Any]] = service.get("/ledger/entries", latest=1)["items"] if follow else []
    records, unsearched = looking.latest(service, limit)
    for kind, name in (("agent", agent), ("server", server)) if not records else ():
        # A name that nothing has is refused, where it would be silent.
        if name is not None:
            service.get(f"/resources/{kind}/{quote(name, safe='')}")
    for item in records:
        _record(item, output, lines)
    if not records and not follow:
        say("no such record" if looking else "no record yet")
    if unsearched is not None:
        say(f"what is older than {unsearched} was not searched; to go on there: --until {unsearched}")
    if follow:
        shown = {item["id"] for item in records}
        for item in service.events("/events", after=newest[-1]["id"] if newest else None):
            if item["id"] not in shown and looking.finds(item):
                _record(item, output, lines)
        say("the service ended the stream")
        return Exit.UNREACHABLE
    return Exit.OK


def doctor(data: Data = None, output: Output = Format.TABLE, token_file: TokenFile = None) -> int:
    """Check that the service can govern, and say what to mend.

    Exit code 1 when something is wrong, which a warning is not, 7 when it does not answer: with its data folder,
    --data or REMIT_DATA, this says which process that is.
    """
    service = client(token_file)
    try:
        service.awake(_AWAKE_S)
    except CommandFailure as failure:
        if failure.exit is not Exit.TIMEOUT:
            raise
        raise _hangs(data) from failure
    answer: dict[str, Any] = service.get("/doctor")
    if output in {Format.JSON, Format.YAML}:
        from remit.app.terminal.output import data as whole

        whole(answer, output)
    for check in answer["checks"] if output is Format.NAME else ():
        print(escaped(check["name"]))
    for check in answer["checks"] if output in {Format.TABLE, Format.WIDE} else ():
        print(f"{_STATES[check['state']]}  {check['name']}: {escaped(check['text'])}")
        if check.get("next"):
            print(f"      next: {escaped(check['next'])}")
    failed = [check for check in answer["checks"] if not check["ok"]]
    warns = sum(check["state"] == "warn" for check in answer["checks"])
    summary = "all is well" if not failed else f"{len(failed)} to mend"
    say(f"{summary}, {counted(warns, 'warning')}" if warns else summary)
    return Exit.NEGATIVE if failed else Exit.OK


def _hangs(data: Path | None) -> CommandFailure:
    """That the service does not answer, and by whose fault as far as its data folder, where it is known, tells."""
    from remit.adapters.sqlite.lock import holder

    folder = data_folder(data) if data is not None or variable("REMIT_DATA", "") else None
    pid = None if folder is None else holder(folder)
    what = f"the service at {service_url()} does not answer"
    if folder is None:
        why = f"it took a connection and said nothing for {_AWAKE_S:g} s; which process it is, its data folder tells"
        return CommandFailure(
            what, why=why, next="remit doctor --data DIR, with the DIR of its remit up", exit=Exit.TIMEOUT
        )
    if pid is None:
        why = f"no process is known that holds the data in {folder}, and something else takes its connections"
        return CommandFailure(what, why=why, next="see what listens there: ss -ltnp (or lsof -i)", exit=Exit.TIMEOUT)
    return CommandFailure(
        what,
        why=f"process {pid} holds the data in {folder}, and said nothing for {_AWAKE_S:g} s",
        next=f"ps -o pid,stat,wchan:20,etime,cmd -p {pid} (T: it was stopped, kill -CONT {pid}; D: it waits for a disk)"
        f"; if it stays so: kill {pid}, a minute later kill -9 {pid}, then start it again. remit halt works meanwhile",
        exit=Exit.TIMEOUT,
    )


def add(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    for command in (up, demo, logs, doctor):
        app.command()(command)


def _record(item: dict[str, Any], output: Format, lines: "LogLines") -> None:
    match output:
        case Format.JSON:
            import json

            print(json.dumps(item), flush=True)
        case Format.YAML:
            from remit.app.terminal.output import data as whole

            whole([item], output)
            sys.stdout.flush()
        case Format.NAME:
            print(item["id"], flush=True)
        case Format.TABLE | Format.WIDE:
            for line in lines.of(item, sid=output is Format.WIDE):
                print(line, flush=True)
