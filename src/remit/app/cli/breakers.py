"""`remit breakers`: which have tripped and why, and closing one."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.output import Format, data, print_answer, show

app = typer.Typer(no_args_is_help=True, help="What rests by itself, since it failed, looped or spread.")

Named = Annotated[str, typer.Argument(help="The breaker's name.")]


@app.command("ls")
def ls(
    *,
    past: Annotated[
        bool, typer.Option("--past", help="The last 100 trips of 7 days instead, the latest first.")
    ] = False,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List the breakers that are open or half-open. All that are declared: remit get breakers."""
    if past:
        trips: list[dict[str, Any]] = client(token_file).get("/breakers", past=True)["past"]
        columns = ("name", "whose", "tripped", "closed", "by", "why")
        show(trips, output, columns, wide=("id",), empty="no breaker has tripped within 7 days")
        return
    rows: list[dict[str, Any]] = client(token_file).get("/breakers")["items"]
    empty = "every breaker is closed; what tripped before: remit breakers ls --past"
    show(rows, output, ("name", "whose", "state", "left_s", "why"), wide=("tripped",), empty=empty)


@app.command("show")
def show_one(name: Named, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Show one breaker: as it is declared, what it is open for, with the records that say why, and its last trips."""
    service = client(token_file)
    resource: dict[str, Any] = service.get(f"/resources/breaker/{quote(name, safe='')}")
    answer = service.get("/breakers", past=True)
    of_it = {part: [item for item in answer[part] if item["name"] == name] for part in ("items", "past")}
    data({**resource, "status": {"tripped": of_it["items"], "past": of_it["past"]}}, output)


@app.command()
def reset(
    name: Named,
    why: Annotated[str, typer.Option("--why", help="Why; kept on the ledger.")],
    whose: Annotated[str | None, typer.Option("--of", help='Over one alone, such as "agent clerk".')] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Close a breaker before its time. It is on record, with who did it and why.

    Exit code 5 where it is open over nobody, or not over whom --of names.
    """
    body = {"whose": whose, "why": why}
    answer: dict[str, Any] = client(token_file).post(f"/breakers/{quote(name, safe='')}/reset", body)
    print_answer(answer, output, f"{name} is closed over {', '.join(answer['reset'])}")
