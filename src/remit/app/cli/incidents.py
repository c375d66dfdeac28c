"""`remit incidents`: what people should look at, whose it is and how it ended, and all of it for a SIEM."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from remit.adapters.system import SystemClock
from remit.app.cli.options import Output, TokenFile, client, seconds
from remit.app.terminal.output import Format, data, print_answer, say, show
from remit.protect.incidents import Resolution, Severity

app = typer.Typer(no_args_is_help=True, help="What happened that people should look at: denials, halts, drift, trips.")

Ident = Annotated[str, typer.Argument(help="The incident's id, like r7f3-5.1234.")]
_COLUMNS: Final = ("id", "severity", "state", "assignee", "count", "last", "title")
_WIDE: Final = ("about", "causes", "opened", "resolution")


class As(StrEnum):
    """How incidents are exported."""

    OCSF = "ocsf"


@app.command("ls")
def ls(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List the incidents that are not closed, the gravest first, and of those the last changed."""
    state = "all" if everything else "alive"
    items: list[dict[str, Any]] = client(token_file).get("/incidents", state=state, limit=1000)["items"]
    show(gravest_first(items), output, _COLUMNS, wide=_WIDE, empty="nothing happened that you should look at")


def gravest_first(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """`items`, which are in the order of their last change, and stay so where they are as grave."""
    return sorted(items, key=lambda incident: Severity[incident["severity"].upper()], reverse=True)


@app.command("show")
def show_one(ident: Ident, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Show one incident with its timeline from the ledger; of each record of it: remit why RECORD."""
    data(client(token_file).get(f"/incidents/{ident}"), output)


@app.command()
def assign(
    ident: Ident,
    to: Annotated[str, typer.Option("--to", help="The user whose it is from now on.")],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Give an incident to a user."""
    answer = client(token_file).post(f"/incidents/{ident}/assign", {"to": to})
    print_answer(answer, output, f"{ident} is assigned to {to}")


@app.command()
def close(
    ident: Ident,
    resolution: Annotated[Resolution, typer.Option("--as", help="How it ended: it stays closed, and so.")],
    note: Annotated[str, typer.Option("--note", help="What is to be known of it; kept on the ledger.")] = "",
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Close an incident: what happens after that is another one."""
    answer = client(token_file).post(f"/incidents/{ident}/close", {"resolution": resolution.value, "note": note})
    print_answer(answer, output, f"{ident} is closed: {resolution.value}")


@app.command()
def export(
    *,
    form: Annotated[As, typer.Option("--format", help="Events of OCSF 1.4, one line of JSON each.")] = As.OCSF,
    since: Annotated[
        str | None, typer.Option("--since", help="Incidents that changed within, like 30d or 12h.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Add the lines to it; else to stdout.")] = None,
    token_file: TokenFile = None,
) -> None:
    """Write incidents and what they are made of as JSON lines for a SIEM."""
    del form
    since_ms = 0 if since is None else max(0, SystemClock().now_ms() - seconds(since) * 1000)
    count = 0
    for page in client(token_file).pages("/incident-events", since_ms=since_ms):
        lines = "".join(f"{orjson.dumps(event).decode('utf-8')}\n" for event in page)
        count += len(page)
        if file is None:
            print(lines, end="")
            continue
        with file.open("a", encoding="utf-8") as out:
            out.write(lines)
    if file is not None:
        say(f"{count} events added to {file}")
