"""`remit passkeys`: what people confirm a yes with, where a route asks for more than a token."""

from typing import Annotated, Any

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.output import Format, data, print_answer, say, show

app = typer.Typer(no_args_is_help=True, help="What people confirm a yes with, beyond their token.")


@app.command("ls")
def ls(output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """List passkeys, the oldest first: all of them for the admin, your own with a user token."""
    items: list[dict[str, Any]] = client(token_file).get("/passkeys")["items"]
    show(items, output, ("id", "user", "name", "added", "signed"), empty="nobody has a passkey")


@app.command()
def invite(
    user: Annotated[str, typer.Argument(help="The user who may register one.")],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Let a user register one passkey within the hour, on the page that this names; with the admin token."""
    answer: dict[str, Any] = client(token_file).post("/passkeys/invite", {"user": user})
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    say(f"{user} may register one passkey until {answer['until']}: tell nobody else the word")
    say(f"  open {answer['url']}, sign in, and give the word {answer['word']}")


@app.command()
def remove(
    ident: Annotated[str, typer.Argument(help="The passkey's id: remit passkeys ls.")],
    why: Annotated[str, typer.Option("--why", help="What became of it; kept on the ledger.")],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """End a passkey that was lost, with the admin token: it confirms nothing any more. Your own ends on its page."""
    answer: dict[str, Any] = client(token_file).post("/passkeys/remove", {"id": ident, "why": why})
    print_answer(answer, output, f"{ident} is removed; record {answer['record']}")
