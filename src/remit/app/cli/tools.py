"""`remit tools`: what servers offer, against what a person has accepted."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import NO_SERVER, Format, data, say, show
from remit.facts.text import escaped

app = typer.Typer(no_args_is_help=True, help="Tools: pinned, drifted, waiting for review.")

Which = Annotated[str, typer.Argument(help="SERVER or SERVER/TOOL.")]


@app.command("ls")
def ls(output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """List every tool with its pin state."""
    service = client(token_file)
    answer: dict[str, Any] = service.get("/tools")
    nothing = "no server has shown a tool yet; see: remit doctor"
    show(
        answer["items"],
        output,
        ("tool", "state", "effect", "sink", "source"),
        wide=("pin", "live_pin", "catalogued", "untypable"),
        empty=nothing if answer["items"] or _has_servers(service) else NO_SERVER,
    )
    _unreachable(answer)


@app.command()
def review(
    which: Annotated[str | None, typer.Argument(help="SERVER or SERVER/TOOL.")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Show what differs from `remit.lock`, with the catalog entry that is proposed, as by `tools suggest`.

    Exit code 1 when something waits for review.
    """
    service = client(token_file)
    say(f"asking {'every server' if which is None else escaped(which.partition('/')[0])} for its tools …")
    answer: dict[str, Any] = service.get("/tools/review", which=which)
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
    else:
        for item in answer["items"]:
            _print_review(item)
            if item["live_pin"]:
                name = escaped(item["tool"])
                print(f"  to accept it: remit tools accept {name} --pin {item['live_pin']}")
        servers = sorted({item["tool"].partition("/")[0] for item in answer["items"]})
        for server in servers:
            print(f"all of {escaped(server)} at once: remit tools accept {escaped(server)} (shows their pin)")
        _unreachable(answer)
        if not answer["items"] and not answer["unreachable"]:
            say("every live tool is as remit.lock has it" if _has_servers(service) else NO_SERVER)
    return Exit.NEGATIVE if answer["items"] or answer["unreachable"] else Exit.OK


@app.command()
def accept(
    which: Which,
    pin: Annotated[str | None, typer.Option("--pin", help="The sha256:… that review showed.")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Write a live definition into `remit.lock`; without --pin, show what it would accept."""
    server, _, tool = which.partition("/")
    answer: dict[str, Any] = client(token_file).post(
        "/tools/accept", {"server": server, "tool": tool or None, "pin": pin}
    )
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return Exit.OK if answer["accepted"] else Exit.NEGATIVE
    for item in answer["items"]:
        _print_review(item)
    if not answer["accepted"]:
        say(f"\nnothing written. To accept: remit tools accept {which} --pin {answer['pin']}")
        return Exit.NEGATIVE
    for name in answer["accepted"]:
        print(f"accepted {escaped(name)}")
    if answer["waits"] is not None:
        say(escaped(answer["waits"]))
    say(f"running bundle {answer['bundle']}")
    if bare := len(answer["uncatalogued"]):
        say(f"{bare} without a catalog entry: what is not described counts as irreversible, external, untrusted")
        say(f"next: remit tools suggest {escaped(which)} --write; read what it wrote, then: remit apply")
    return Exit.OK


@app.command()
def suggest(
    which: Annotated[str | None, typer.Argument(help="SERVER or SERVER/TOOL.")] = None,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", help="Folder of resources and policies (else the current folder).")
    ] = None,
    listing: Annotated[Path | None, typer.Option("--from", help="A JSON list of tools, instead of remit.lock.")] = None,
    server: Annotated[str | None, typer.Option("--server", help="With --from: the server they are of.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Write them into the workspace.")] = False,  # noqa: FBT002
    output: Output = Format.YAML,
) -> None:
    """Propose catalog entries from names, schemas, descriptions and annotations, and the sink of each Server.

    Each line has its reason. The worst case where unsure; a person accepts. With --from and --write, a folder that
    holds no workspace becomes one to replay by: these tools accepted, the proposals, the pack `dataflow`. Needs no
    running service.
    """
    from remit.app.settings import workspace_folder
    from remit.app.workspace import tool_suggestions

    folder = workspace_folder(workspace)
    if listing is None:
        suggestions = tool_suggestions.suggest_for(folder, which)
    else:
        if server is None:
            raise CommandFailure("--from needs --server NAME", why="tools are named SERVER/TOOL", exit=Exit.USAGE)
        definitions = tool_suggestions.read_listing(listing)
        if write and not tool_suggestions.has_workspace(folder):
            for path in tool_suggestions.make_workspace(folder, server, definitions):
                print(path)
            say(f"next: read tools/{server}.yaml, then: remit replay --sessions FILE --workspace {folder}")
            return
        source = tool_suggestions.Folder(folder).load()
        suggestions = tool_suggestions.without_entry(source, tool_suggestions.propose_for(source, server, definitions))
    for proposal in suggestions.spoken_of:
        say(f"{escaped(proposal.name)} {'has an entry' if proposal.kind == 'Tool' else 'declares its sink'} already")
    if write:
        written = tool_suggestions.write(folder, suggestions.proposals)
        for path in written:
            print(path)
        say("next: read what was proposed, then: remit diff" if written else "nothing was proposed, nothing written")
    elif output is Format.JSON:
        items = [
            {proposal.kind.lower(): proposal.name, **proposal.to_json()}
            | ({"where": proposal.where} if proposal.where else {})
            for proposal in suggestions.proposals
        ]
        data(items, output)
    else:
        print(tool_suggestions.proposed_text(suggestions.proposals), end="")


def _has_servers(service: ServiceClient) -> bool:
    return bool(service.get("/resources/server")["items"])


def _print_review(item: dict[str, Any]) -> None:
    print(f"{escaped(item['tool'])}  {item['state']}")
    for line in item["difference"]:
        print(f"  {_whole(line)}")
    if item["suggested"] is not None:
        _suggested(item["tool"], item["suggested"])
    if item["suggestion_changes"]:
        print("  its entry stays as it is; judge again where something else is proposed now than before:")
        for change in item["suggestion_changes"]:
            print(f"    {_whole(change['text'])}")
    elif item["suggestion_changes"] is not None:
        print("  its entry stays as it is; what is proposed for it is the same as before")


def _suggested(tool: str, proposed: dict[str, Any]) -> None:
    from remit.control.suggest import SuggestedSpec
    from remit.control.suggest_text import members_of

    print(f"  proposed entry (once accepted: remit tools suggest {escaped(tool)} --write):")
    for line in members_of(SuggestedSpec(tool, **proposed)):
        print(f"    {_whole(line)}")


def _whole(line: str) -> str:
    """A line of a definition, not cut again: what is not seen is not reviewed."""
    return escaped(line, chars_max=len(line))


def _unreachable(answer: dict[str, Any]) -> None:
    for server, why in answer["unreachable"].items():
        say(f"{escaped(server)} is not reached: {escaped(why)}")
