"""`remit bundle`: what has been in force, and what changed."""

from typing import Annotated, Any

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.failure import Exit
from remit.app.output import Format, changes, data, say, show

app = typer.Typer(no_args_is_help=True, help="Policies, catalog and lock as they were compiled together.")

_SHORT = 19


@app.command("ls")
def ls(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List the bundles that have been in force, the latest first: since when, by whom, how large."""
    items: list[dict[str, Any]] = client(token_file).get("/bundles", limit=limit)["items"]
    if output is Format.TABLE:
        items = [item | {"bundle": item["bundle"][:_SHORT]} for item in items]
    columns = ("bundle", "since", "until", "by", "policies", "tools", "agents")
    show(items, output, columns, wide=("record", "records"))


@app.command("diff")
def diff(
    before: Annotated[str, typer.Argument(help="A bundle: its digest, or how that begins.")],
    after: Annotated[str | None, typer.Argument(help="Another one (else the one that runs).")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Show what turned one bundle into another: policies with their lines, tools and their pins, all else.

    Exit code 1 when they differ.
    """
    answer: dict[str, Any] = client(token_file).get("/bundles/diff", before=before, after=after)
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
    else:
        changes(answer)
        if not answer["changes"]:
            say("no difference")
    return Exit.NEGATIVE if answer["changes"] else Exit.OK
