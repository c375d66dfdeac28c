"""`remit bundle`: what has been in force, and what changed."""

import time
from typing import Annotated, Any

import typer

from remit.app.cli.options import Data, Output, TokenFile, client, seconds
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, changes, counted, data, say, show

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


@app.command("prune")
def prune(
    older: Annotated[str, typer.Option("--older", help="For how long no record has named it, as 90d.")] = "365d",
    data_given: Data = None,
    output: Output = Format.TABLE,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; without it, nothing is removed.")] = False,
) -> None:
    """List bundles in the data folder that no record of late names, or remove them. Needs no running service.

    Never the one that runs, nor one that an open approval was asked under. Of what one that is gone decided,
    `remit why` names the policies without their lines, and `remit bundle diff` knows it no more; the ledger is whole.
    """
    import sqlite3

    from remit.adapters.sqlite.bundle_names import mentioned_bundles
    from remit.app.bundles.store import Bundles
    from remit.app.settings import LEDGER, data_folder

    folder, since_s = data_folder(data_given), time.time() - seconds(older)
    ledger = folder / LEDGER
    if not ledger.is_file():
        raise CommandFailure(
            f"there is no ledger at {ledger}", next="remit bundle prune --data DIR", exit=Exit.NOT_FOUND
        )
    bundles = Bundles(folder / "bundles")
    try:
        idle = bundles.idle(mentioned_bundles(ledger, int(since_s * 1000)), since_s)
    except sqlite3.Error as error:
        why, following = str(error), f"remit ledger verify {ledger}"
        raise CommandFailure(f"{ledger} cannot be read", why=why, next=following, exit=Exit.INVALID) from error
    idle_bundles = [
        {"bundle": f"sha256:{path.stem.removeprefix('bundle-')}", "bytes": path.stat().st_size}
        for path in idle
        if path.stem.startswith("bundle-")
    ]
    size = sum(path.stat().st_size for path in idle)
    if yes:
        for path in idle:
            path.unlink(missing_ok=True)
    if output in {Format.JSON, Format.YAML}:
        data({"items": idle_bundles, "files": len(idle), "bytes": size, "removed": yes}, output)
        return
    show(idle_bundles, output, ("bundle", "bytes"), empty="every bundle is named by a record of late")
    if idle_bundles:
        what = f"{counted(len(idle_bundles), 'bundle')}, {size // 1024} KiB with the tools that they alone had"
        say(f"removed {what}" if yes else f"{what}, would go: remit bundle prune --older {older} --yes")
