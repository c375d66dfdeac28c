"""`remit approvals`: what waits for a person, and the person's word."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.output import Format, data, say, show

app = typer.Typer(no_args_is_help=True, help="Actions that wait for a person.")

Ident = Annotated[str, typer.Argument(help="The approval's id, like r7f3-5.1234.")]
Note = Annotated[str | None, typer.Option("--note", help="Why; kept on the ledger.")]


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
def approve(
    ident: Ident,
    note: Note = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say yes, with your own user token."""
    _decide(ident, "approve", note, output, token_file)


@app.command()
def deny(
    ident: Ident,
    note: Note = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say no, with your own user token."""
    _decide(ident, "deny", note, output, token_file)


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
