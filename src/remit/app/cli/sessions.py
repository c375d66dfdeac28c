"""`remit sessions`: one run of an agent for a user."""

from typing import Annotated, Any

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.output import Format, data, print_answer, say, show

app = typer.Typer(no_args_is_help=True, help="Runs of agents: labels, counters, calls.")

Sid = Annotated[str, typer.Argument(help="The session id.")]


@app.command("ls")
def ls(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List sessions, newest first."""
    answer: dict[str, Any] = client(token_file).get("/sessions", limit=limit)
    of = answer["of"]
    show(
        answer["items"],
        output,
        ("sid", "agent", "user", "started", "ended", "calls", "labels"),
        wide=("irreversible_calls",),
        empty="nothing here yet" if of is None else f"nothing acts for {of}",
    )
    if of is not None and output in {Format.TABLE, Format.WIDE}:
        say(f"these are the sessions of {of} alone; of others: remit incidents show ID names those that it is about")


@app.command("show")
def show_one(sid: Sid, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Show one session and its latest decisions."""
    session: dict[str, Any] = client(token_file).get(f"/sessions/{sid}")
    session["records"] = [f"{item['id']} {item['kind']} {item['text']}" for item in session["records"]]
    data(session, output)


@app.command()
def end(sid: Sid, output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """End a session: its token stops working, its labels stay on record."""
    answer = client(token_file).post(f"/sessions/{sid}/end")
    print_answer(answer, output, f"session {sid} ended")


@app.command()
def erase(sid: Sid, output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """Erase what a session is known to have seen, by the key of its origin index, with your own user token.

    Who may is named by the Route `erasure`. What records say stays: remit ledger erase. The session goes on with
    nothing seen; what its agent names from then on counts as unseen.
    """
    answer = client(token_file).post(f"/sessions/{sid}/erase")
    print_answer(answer, output, f"the origin index of session {sid} has lost its key; record {answer['record']}")
