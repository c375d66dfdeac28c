"""`remit tools`: what servers offer, against what a person has accepted."""

from typing import Annotated, Any

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.failure import Exit
from remit.app.output import Format, data, say, show
from remit.facts.text import escaped

app = typer.Typer(no_args_is_help=True, help="Tools: pinned, drifted, waiting for review.")

Which = Annotated[str, typer.Argument(help="SERVER or SERVER/TOOL.")]


@app.command("ls")
def ls(output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """List every tool with its pin state."""
    servers: list[dict[str, Any]] = client(token_file).get("/tools")["servers"]
    show(
        [_named(tool) for server in servers for tool in server["tools"]],
        output,
        ("tool", "state", "effect", "sink", "source"),
        wide=("accepted", "live", "catalogued", "untypable"),
        empty="no server has shown a tool yet; see: remit doctor",
    )
    for server in servers:
        if server["unreachable"]:
            say(f"{server['server']} is not reached: {escaped(server['unreachable'])}")


@app.command()
def review(
    which: Annotated[str | None, typer.Argument(help="SERVER or SERVER/TOOL.")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Show what differs from `remit.lock`, with a catalog entry to start from.

    Exit code 1 when something waits for review.
    """
    wanted, _, tool = (which or "").partition("/")
    servers: list[dict[str, Any]] = [
        {**server, "tools": [item for item in server["tools"] if tool in {"", item["name"]}]}
        for server in client(token_file).get("/tools/review")["servers"]
        if wanted in {"", server["server"]}
    ]
    waiting = any(server["tools"] or server["unreachable"] for server in servers)
    if output in {Format.JSON, Format.YAML}:
        data(servers, output)
    else:
        for server in servers:
            _review(server)
        if not waiting:
            say("every live tool is as remit.lock has it")
    return Exit.NEGATIVE if waiting else Exit.OK


@app.command()
def accept(
    which: Which,
    pin: Annotated[
        str | None, typer.Option("--pin", help="The sha256:… that review showed.")
    ] = None,
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
    for item in answer["tools"]:
        _tool(item)
    if not answer["accepted"]:
        say(f"\nnothing written. To accept: remit tools accept {which} --pin {answer['pin']}")
        return Exit.NEGATIVE
    say(f"accepted {which}; running bundle {answer['applied']['digest']}")
    return Exit.OK


def _review(server: dict[str, Any]) -> None:
    if server["unreachable"]:
        say(f"{server['server']} is not reached: {escaped(server['unreachable'])}")
    for item in server["tools"]:
        _tool(item)
        if item["live"]:
            name = escaped(f"{item['server']}/{item['name']}")
            print(f"  to accept it: remit tools accept {name} --pin {item['live']}")
    if len(server["tools"]) > 1 and server["pin"]:
        print(f"all of them: remit tools accept {server['server']} --pin {server['pin']}")


def _tool(item: dict[str, Any]) -> None:
    print(f"{escaped(item['server'])}/{escaped(item['name'])}  {item['state']}")
    for line in item["lines"]:
        print(f"  {escaped(line)}")


def _named(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "tool": f"{item['server']}/{item['name']}"}
