"""`remit agents`: an agent introduced: declared, watched while policy only looks on, held to it."""

from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from remit.app.cli.options import Output, TokenFile, client, seconds
from remit.app.discovery.agent_draft import WorkspaceNames, draft
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, changes, counted, data, print_warnings, say, show
from remit.control.names import NAME_RULE
from remit.facts.catalog import NAME
from remit.facts.text import escaped

app = typer.Typer(no_args_is_help=True, help="Agents: introduced, watched, held to policy.")

Name = Annotated[str, typer.Argument(help="The agent, as its resource is named.")]


@app.command()
def register(
    name: Name,
    owner: Annotated[str | None, typer.Option(help="Who answers for it.")] = None,
    purpose: Annotated[str | None, typer.Option(help="What it is there for, in one sentence.")] = None,
    sighting: Annotated[
        str | None, typer.Option("--from", help="What was found, like agent/otlp:planner: print a draft of it.")
    ] = None,
    group: Annotated[list[str] | None, typer.Option(help="A group it belongs to, besides everyone.")] = None,
    *,
    observe: Annotated[
        bool, typer.Option("--observe", help="Policy only looks on at first, and records what it would have stopped.")
    ] = False,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Declare an agent in a file of the workspace, and run the bundle with it.

    With --from, and without --owner or --purpose, only print a draft of what was found: the agent, and the least
    that it needs to be permitted. With both it is registered, and its policies are printed for you to keep.
    """
    _check_name(name)
    if sighting is not None:
        _draft(name, sighting, owner, purpose, token_file)
    if owner is None or purpose is None:
        if sighting is None:
            raise CommandFailure(
                "an agent has an owner and a purpose", next="say --owner and --purpose", exit=Exit.USAGE
            )
        return
    body = {
        "owner": owner,
        "purpose": purpose,
        "groups": group or [],
        "mode": "observe" if observe else "enforce",
        **({} if sighting is None else {"found": sighting}),
    }
    answer: dict[str, Any] = client(token_file).post(f"/agents/{quote(name, safe='')}", body)
    if sighting is None:
        _print_applied(answer, output)
    else:
        # What is printed are its policies, to be kept in a file.
        print_warnings(answer)
        say(f"{escaped(name)} is registered; running bundle {answer['bundle']}")
    if output is Format.TABLE:
        say(
            f"next: remit token agent {escaped(name)} --save FILE"
            + (f"; remit agents report {name}" if observe else "")
        )
        if sighting is not None:
            names = f"agent/{escaped(name)} {escaped(sighting)}"
            say(
                f"{escaped(sighting)} is agent/{escaped(name)} from now on; to undo that: remit inventory apart {names}"
            )


@app.command()
def report(
    name: Name,
    since: Annotated[str, typer.Option("--since", help="How far to look back: 90s, 15m, 8h, 7d.")] = "7d",
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Count what policy would have stopped while it only looked on, by policy.

    Exit code 1 when enforcing now would stop any of it.
    """
    _check_name(name)
    path = f"/agents/{quote(name, safe='')}/report"
    answer: dict[str, Any] = client(token_file).get(path, window_s=seconds(since))
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
    else:
        rows = [
            {**row, "policy": row["policy"] or "(none permits it)", "example": row["examples"][0]}
            for row in answer["policies"]
        ]
        if rows:
            columns = ("policy", "would_deny", "would_ask", "would_hide", "example", "now")
            show(rows, output, columns, wide=("tools", "last", "where", "reason"))
        _tell(answer)
    return Exit.NEGATIVE if answer["changes"] else Exit.OK


@app.command()
def enforce(name: Name, output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """Hold an agent to policy from here on: its mode in the workspace folder, and in what runs.

    The way back is a person's edit of that file, and an apply.
    """
    _check_name(name)
    answer: dict[str, Any] = client(token_file).post(f"/agents/{quote(name, safe='')}/enforce")
    _print_applied(answer, output)
    if output is Format.TABLE and not answer["changes"]:
        say(f"{escaped(name)} is held to policy already")


_AROUND: Final = ("tools", "servers")


def _check_name(name: str) -> None:
    """Refuse what no agent can be called, before anything else is said of it."""
    if NAME.fullmatch(name) is None:
        raise CommandFailure(
            f"{escaped(name, chars_max=80)!r} cannot name an agent",
            why=f"a name is {NAME_RULE}",
            next="remit agents register NAME --owner WHO --purpose TEXT",
            exit=Exit.USAGE,
        )


def _draft(name: str, sighting: str, owner: str | None, purpose: str | None, token_file: Path | None) -> None:
    service = client(token_file)
    entry: dict[str, Any] = service.get(f"/inventory/{quote(sighting, safe='/')}")
    if entry["kind"] != "agent":
        raise CommandFailure(
            f"{sighting} is no agent",
            why=f"what was found by this name is a {entry['kind']}",
            next="remit get inventory",
            exit=Exit.USAGE,
        )
    tools, servers = ([item["name"] for item in service.get(f"/resources/{kind}")["items"]] for kind in _AROUND)
    drafted = draft(name, entry, WorkspaceNames(tools, servers), owner, purpose)
    if owner is None or purpose is None:
        print(f"# agents/{name}.yaml\n{drafted.agent}")
        for short, text in drafted.servers.items():
            print(f"# servers/{short}.yaml\n{text}")
        print(f"# {name}.cedar")
        say(f"a draft; nothing is changed. To register it: say --owner and --purpose (seen: {escaped(drafted.owner)})")
    print(drafted.policies, end="")
    if drafted.unnamed:
        say(f"it uses {counted(len(drafted.unnamed), 'thing')} that no policy can name: see the comments")


def _print_applied(answer: dict[str, Any], output: Format) -> None:
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    changes(answer)
    print_warnings(answer)
    say(f"running bundle {answer['bundle']}")


def _tell(answer: dict[str, Any]) -> None:
    name = escaped(answer["agent"])
    hidden = f", {counted(answer['would_hide'], 'list')} would have been empty" if answer["would_hide"] else ""
    print(
        f"{name} ({answer['mode']}) since {answer['since']}: {answer['calls']} calls; "
        f"{answer['would_deny']} would have been denied, {answer['would_ask']} would have waited for a person{hidden}"
    )
    if not answer["complete"]:
        say(f"the ledger was read back to {answer['since']} only ({answer['records']} records)")
    if answer["policies_left"]:
        say(f"{answer['policies_left']} more rows are left out")
    if answer["mode"] == "enforce":
        say(f"{name} is held to policy: what it is denied now is in its sessions, not here")
    elif answer["changes"]:
        say("enforcing now would stop calls like these; each is explained by: remit why EXAMPLE")
    else:
        say(f"enforcing now would stop nothing of this; to do so: remit agents enforce {name}")
    lists = {
        tool for row in answer["policies"] if row["would_hide"] and row["now"] != "permit" for tool in row["tools"]
    }
    if lists and answer["mode"] != "enforce":
        say(f"enforcing now would show nothing of what these list: {escaped(', '.join(sorted(lists)))}")
