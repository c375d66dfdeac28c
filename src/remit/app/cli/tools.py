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
    answer: dict[str, Any] = client(token_file).get("/tools")
    show(
        answer["items"],
        output,
        ("tool", "state", "effect", "sink", "source"),
        wide=("pin", "live_pin", "catalogued", "untypable"),
        empty="no server has shown a tool yet; see: remit doctor",
    )
    _unreachable(answer)


@app.command()
def review(
    which: Annotated[str | None, typer.Argument(help="SERVER or SERVER/TOOL.")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Show what differs from `remit.lock`, with a catalog entry to start from.

    Exit code 1 when something waits for review.
    """
    answer: dict[str, Any] = client(token_file).get("/tools/review", which=which)
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
    else:
        for item in answer["items"]:
            print(f"{escaped(item['tool'])}  {item['state']}")
            for line in item["difference"]:
                print(f"  {escaped(line)}")
            if item["live_pin"]:
                name = escaped(item["tool"])
                print(f"  to accept it: remit tools accept {name} --pin {item['live_pin']}")
        servers = sorted({item["tool"].partition("/")[0] for item in answer["items"]})
        for server in servers:
            print(f"all of {escaped(server)} at once: remit tools accept {escaped(server)} (shows their pin)")
        _unreachable(answer)
        if not answer["items"] and not answer["unreachable"]:
            say("every live tool is as remit.lock has it")
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
    for line in answer["difference"]:
        print(escaped(line))
    if not answer["accepted"]:
        say(f"\nnothing written. To accept: remit tools accept {which} --pin {answer['pin']}")
        return Exit.NEGATIVE
    for name in answer["accepted"]:
        print(f"accepted {escaped(name)}")
    say(f"running bundle {answer['bundle']}")
    return Exit.OK


def _unreachable(answer: dict[str, Any]) -> None:
    for server, why in answer["unreachable"].items():
        say(f"{escaped(server)} is not reached: {escaped(why)}")
