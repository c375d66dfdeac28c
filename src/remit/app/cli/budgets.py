"""`remit budgets`: what is spent of each, and having one begin anew."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.cli.workspace import describe, get
from remit.app.terminal.output import Format, print_answer

app = typer.Typer(no_args_is_help=True, help="What may be spent within a window, and what is.")

Named = Annotated[str, typer.Argument(help="The budget's name.")]


@app.command("ls")
def ls(output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """List budgets and what is spent of each; the same as `remit get budgets`."""
    get("budgets", None, output, token_file)


@app.command("show")
def show_one(name: Named, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Show one budget with its accounts."""
    describe("budget", name, output, token_file)


@app.command()
def reset(
    name: Named,
    why: Annotated[str, typer.Option("--why", help="Why; kept on the ledger.")],
    whose: Annotated[str | None, typer.Option("--of", help='Of one account alone, such as "agent clerk".')] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Have a budget begin anew before its window is over. It is on record, with who did it and why.

    Exit code 5 where nothing is spent of it, or not by whom --of names: then nothing is reset.
    """
    body = {"whose": whose, "why": why}
    answer: dict[str, Any] = client(token_file).post(f"/budgets/{quote(name, safe='')}/reset", body)
    print_answer(answer, output, f"{name} begins anew for {', '.join(answer['reset'])}")
