"""`remit approvals`: what waits for a person, and the person's word."""

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from remit.app.cli.options import Output, TokenFile, client, seconds
from remit.app.failure import Exit, Failure
from remit.app.output import Format, data, say, show
from remit.facts.text import escaped

app = typer.Typer(no_args_is_help=True, help="Actions that wait for a person.")

Ident = Annotated[str, typer.Argument(help="The approval's id, like r7f3-5.1234.")]
Note = Annotated[str | None, typer.Option("--note", help="Why; kept on the ledger.")]


class Scope(StrEnum):
    """What a yes may be granted for, beyond the one action."""

    SESSION = "session"
    TOOL = "tool"


@app.command("ls")
def ls(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List approvals, newest first."""
    items: list[dict[str, Any]] = client(token_file).get("/approvals", open=None if everything else "true")["items"]
    rows = items if output in {Format.JSON, Format.YAML} else [_row(item) for item in items]
    show(
        rows,
        output,
        ("id", "state", "agent", "user", "tool", "gates", "expires"),
        wide=("sid", "action", "yes"),
        empty="nothing waits for a person",
    )


@app.command("show")
def show_one(ident: Ident, output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """Show one approval: its brief as a card; with -o json or yaml all of it, the exact arguments too."""
    found = client(token_file).get(f"/approvals/{ident}")
    if output in {Format.JSON, Format.YAML} or found["brief"] is None:
        data(found, output)
        return
    from rich.console import Console

    from remit.app.cli.card import card

    card(found, Console(highlight=False), datetime.now(UTC))


@app.command()
def approve(  # noqa: PLR0913, PLR0917 - each is an option
    ident: Ident,
    note: Note = None,
    grant: Annotated[Scope | None, typer.Option(help="Grant the rest of the session, or the tool.")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="How long it is granted: 90s, 15m, 8h, 7d.")] = None,
    uses: Annotated[int | None, typer.Option(min=1, help="How often at most.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Hold an argument of the tool: NAME=VALUE or NAME<=NUMBER.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the grant; decide nothing.")] = False,  # noqa: FBT002
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say yes, with your own user token; with --grant for more than this one action.

    A grant lifts the same gates for what was seen, and permits nothing: see docs/reference/approvals.md.
    """
    wish = None if grant is None else wished(grant, for_, uses, where or [])
    if wish is not None and dry_run:
        data(client(token_file).post(f"/approvals/{ident}/grant", {**wish, "dry_run": True}), Format.YAML)
        return
    _decide(ident, "approve", note, output, token_file)
    if wish is not None:
        given = client(token_file).post(f"/approvals/{ident}/grant", {**wish, "note": note})
        week = given["last_week"]
        say(f"granted as {given['id']} until {given['expires']}, {given['uses_max']} uses at most")
        say(f"  of {week['of']} asks of last week it would have covered {week['count']}")


@app.command()
def deny(
    ident: Ident,
    note: Note = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say no, with your own user token."""
    _decide(ident, "deny", note, output, token_file)


def wished(scope: Scope, for_: str | None, uses: int | None, where: list[str]) -> dict[str, Any]:
    """The request for a grant. Raises `Failure`."""
    held = [_held(text) for text in where]
    return {"scope": scope.value, "for_s": None if for_ is None else seconds(for_), "uses": uses, "where": held}


def _held(text: str) -> dict[str, Any]:
    """`NAME=VALUE`, the value JSON or plain text, or `NAME<=NUMBER`."""
    found = re.fullmatch(r"([^<=]+)(<=|=)(.*)", text, re.DOTALL)
    if found is None:
        raise Failure(f"this holds no argument: {text}", next="write NAME=VALUE or NAME<=NUMBER", exit=Exit.USAGE)
    try:
        value: Any = json.loads(found[3])
    except ValueError:
        value = found[3]
    return {"name": found[1].strip(), "bound": found[2], "value": value}


@app.command()
def stats(
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back.")] = 30,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """How attentively people decide, by person and route; and which of their habits could be rules."""
    found = client(token_file).get("/approval-stats", days=days)
    if output in {Format.JSON, Format.YAML}:
        data(found, output)
        return
    rows = [
        {
            **one,
            "approved": f"{one['approved'] / one['asks']:.0%}",
            "median": f"{one['median_ms'] / 1000:.1f} s",
            "under 3 s": f"{one['hasty'] / one['asks']:.0%}",
        }
        for one in found["people"]
    ]
    columns = ("person", "route", "asks", "approved", "median", "under 3 s", "edited")
    show(rows, output, columns, empty="nobody has decided anything")
    for one in found["proposals"]:
        policies = ", ".join(one["policies"])
        say(f"approved {one['asks']} times unedited: {escaped(one['tool'])} by {one['agent']}, each before {policies}")
        say(f"  proposed rule, at the end of {policies}: {escaped(one['cedar'])}")
        say(f"  it would have spared {one['spared']} of {one['asks']} asks, none of which was refused")
        say("  before you accept it, put it into a copy: remit replay --ledger --against COPY")


def _decide(ident: str, choice: str, note: str | None, output: Format, token_file: TokenFile) -> None:
    answer = client(token_file).post(f"/approvals/{ident}/{choice}", {"note": note})
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    say(f"{ident} is now {answer['state']}")
    if answer["state"] == "pending":
        say(f"  more people are needed for: {', '.join(answer['missing'])}")


def _row(item: dict[str, Any]) -> dict[str, Any]:
    return {
        **item,
        "state": f"{item['state']}, void: {item['void']}" if item["void"] else item["state"],
        "gates": [f"{gate['policy']} ({gate['route']})" for gate in item["gates"]],
        "yes": [vote["by"] for vote in item["votes"]],
    }
