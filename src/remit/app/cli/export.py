"""`remit inventory export` and `remit map`: the inventory for other programs, and to look at."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from remit.app.cli.options import TokenFile
from remit.app.terminal.failure import CommandFailure, Exit
from remit.facts.text import escaped


class ExportFormat(StrEnum):
    """How an inventory is written."""

    CYCLONEDX = "cyclonedx"
    CSV = "csv"
    JSON = "json"


From = Annotated[
    list[Path] | None,
    typer.Option(
        "--from", help="A file of `remit discover -o json`, or of an export, instead of the service. Repeatable."
    ),
]
File = Annotated[Path | None, typer.Option("--file", help="Write it there; else to stdout.")]


def export(
    form: Annotated[ExportFormat, typer.Option("--as", help="CycloneDX 1.6, CSV or JSON.")] = ExportFormat.CYCLONEDX,
    source: From = None,
    file: File = None,
    token_file: TokenFile = None,
) -> int:
    """Write the inventory as CycloneDX, CSV or JSON; `remit discover import` reads each of them back."""
    from remit.app.cli.options import client
    from remit.app.discovery.export import exported, of_files, of_service, written

    written(exported(of_files(source) if source else of_service(client(token_file)), form.value), file)
    return Exit.OK


def drawing(
    source: From = None,
    file: File = None,
    team: Annotated[str | None, typer.Option("--team", help="The agents of one team, and what they reach.")] = None,
    token_file: TokenFile = None,
) -> int:
    """Draw agents, what they use, and the data they reach, as SVG; agents are collapsed by team."""
    from remit.app.cli.options import client
    from remit.app.discovery.export import of_files, of_service, written
    from remit.discover.inventory_map import as_svg, of_team, teams_of

    nodes = of_files(source) if source else of_service(client(token_file))
    if team is not None:
        teams = teams_of(nodes)
        nodes = of_team(nodes, team)
        if not nodes:
            raise CommandFailure(
                f"no agent has the owner {escaped(team)}",
                why=f"there are {escaped(', '.join(teams), chars_max=400) or 'no agents'}",
                next="remit map --team OWNER, or all of them: remit map",
                exit=Exit.NOT_FOUND,
            )
    written(as_svg(nodes), file)
    return Exit.OK


def add(app: typer.Typer) -> None:
    """Add `map` to `app`."""
    app.command("map")(drawing)
