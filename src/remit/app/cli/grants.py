"""`remit grants`: what people gave beyond one action, and taking it back."""

from typing import Annotated, Any

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.output import Format, data, print_answer, show

app = typer.Typer(no_args_is_help=True, help="Gates that people lifted for more than one action.")

Ident = Annotated[str, typer.Argument(help="The grant's id, like r7f3-5.1234.")]


@app.command("ls")
def ls(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List the grants that are in force, newest first."""
    items: list[dict[str, Any]] = client(token_file).get("/grants")["items"]
    rows = [item for item in items if everything or item["ended"] is None]
    if output not in {Format.JSON, Format.YAML}:
        rows = [{**row, "agent": row["agents"][-1], "used": f"{row['uses']}/{row['uses_max']}"} for row in rows]
    show(
        rows,
        output,
        ("id", "scope", "agent", "user", "tool", "gates", "used", "expires"),
        wide=("by", "ended", "sid"),
        empty="nothing is granted",
    )


@app.command("show")
def show_one(ident: Ident, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Show one grant whole: what it covers, who gave it, what of last week it would have covered."""
    data(client(token_file).get(f"/grants/{ident}"), output)


@app.command()
def revoke(
    ident: Ident,
    note: Annotated[str | None, typer.Option("--note", help="Why; kept on the ledger.")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """End a grant, with your own user token: nothing is lifted by it any more."""
    answer = client(token_file).post(f"/grants/{ident}/revoke", {"note": note})
    print_answer(answer, output, f"{ident} is revoked")
