"""`remit pack`: policies to start from."""

from pathlib import Path
from typing import Annotated

import typer

from remit.app.terminal.output import say

app = typer.Typer(no_args_is_help=True, help="Policy packs: tested Cedar to start from.")

Workspace = Annotated[Path | None, typer.Option("--workspace", help="Folder of resources and policies.")]


@app.command("ls")
def ls() -> None:
    """List the packs that there are."""
    from remit.app.workspace.packs import packs

    for name in packs():
        print(name)


@app.command()
def add(name: Annotated[str, typer.Argument(help="The pack.")], workspace: Workspace = None) -> None:
    """Copy a pack into a workspace, without the cases that test it. Overwrites nothing; it is yours from then on."""
    from remit.app.settings import workspace_folder
    from remit.app.workspace.packs import add as copy

    for path in copy(name, workspace_folder(workspace)):
        print(path)
    say("next: read README.md there, then: remit diff")
