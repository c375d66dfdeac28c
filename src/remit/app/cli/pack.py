"""`remit pack`: policies to start from."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from remit.app.terminal.output import say
from remit.facts.text import escaped

app = typer.Typer(no_args_is_help=True, help="Policy packs: tested Cedar to start from.")

Workspace = Annotated[
    Path | None, typer.Option("--workspace", help="Folder of resources and policies (else the current folder).")
]


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
    from remit.app.workspace.packs import second_copies

    folder = workspace_folder(workspace)
    for path in copy(name, folder):
        print(path)
    for twice in second_copies(name, folder):
        same = ", ".join(f"{escaped(own)} (here {theirs})" for own, theirs in twice.pairs)
        say(f"{escaped(twice.file)} holds a second copy of what the pack says: {same}")
        say("both are in force: what you change in the pack, the copy still says")
        file = escaped(str(folder / twice.file))
        say(f"next: rm {shlex.quote(file)}" if twice.whole else f"next: take those out of {file}")
    say("next: read README.md there, then: remit diff")
