"""`remit guarantees`: what must hold of the whole, how it stands, and the owner's word on what breaks it."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.cli.workspace import describe, get
from remit.app.terminal.output import Format, print_answer

app = typer.Typer(no_args_is_help=True, help="What must hold of the whole.")

Named = Annotated[str, typer.Argument(help="The guarantee's name.")]


@app.command("ls")
def ls(output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """List guarantees and how they stand; the same as `remit get guarantees`."""
    get("guarantees", None, output, token_file)


@app.command("show")
def show_one(name: Named, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Show one guarantee with its state and evidence."""
    describe("guarantee", name, output, token_file)


@app.command("sign-off")
def sign_off(
    name: Named,
    breach: Annotated[str, typer.Argument(help="What is signed off: the digest that `apply` refused with.")],
    why: Annotated[str, typer.Option("--why", help="Why; kept on the ledger.")],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Let a bundle run whose scopes break the guarantee exactly so: its owner's decision. It is held all the same."""
    body = {"breach": breach, "why": why}
    answer: dict[str, Any] = client(token_file).post(f"/guarantees/{quote(name, safe='')}/sign-off", body)
    print_answer(answer, output, f"{answer['by']} signed off what breaks {name}: {answer['record']}; run: remit apply")
