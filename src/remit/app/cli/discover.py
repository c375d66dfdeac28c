"""`remit discover`: what a machine, a repository or a file says of agents."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from remit.app.cli.options import Output, TokenFile
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, counted, data, say, show
from remit.control.sources import EVERY_S_MAX, EVERY_S_MIN
from remit.facts.text import one_line
from remit.ports.source import SightingSource, Trouble
from remit.work.sources import SourceHealth

if TYPE_CHECKING:
    from remit.app.discovery.look import DiscoveryResult

NAMED_MAX: Final = 100
"""Troubles of one of many looks that are named."""

app = typer.Typer(no_args_is_help=True, help="Find agents, and what they use, where they are configured and written.")

Every = Annotated[
    str | None,
    typer.Option("--every", help="Look again and again, and send what is found: 30s, 10m, 1h; at least 10s."),
]
Send = Annotated[bool, typer.Option("--send", help="Send what is found to the running service.")]


@app.command()
def host(
    home: Annotated[
        list[Path] | None, typer.Option("--home", help="A user's home folder, by whose name the user is called.")
    ] = None,
    project: Annotated[
        list[Path] | None, typer.Option("--project", help="A folder with configuration of its own.")
    ] = None,
    processes: Annotated[bool, typer.Option(help="Look at running processes too.")] = True,  # noqa: FBT002
    send: Send = False,  # noqa: FBT002
    every: Every = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Find MCP clients and coding agents by their configuration, and those that run.

    Of environments, headers and arguments names alone are read; no secret's value leaves its file.
    """
    from remit.app.discovery.look import host as machine

    source = machine(home or [], project or [Path.cwd()], processes=processes)
    return _look(source, output, token_file, send=send, every=every)


@app.command()
def repo(
    path: Annotated[Path, typer.Argument(help="The folder of source code.")],
    name: Annotated[str, typer.Option(help="What the repository is called; else as its folder is.")] = "",
    send: Send = False,  # noqa: FBT002
    every: Every = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Find agents, tools, prompts, models and MCP servers in Python and TypeScript, by their syntax trees.

    Nothing of the repository is run or imported.
    """
    from remit.app.discovery.look import repository

    return _look(repository(path, name), output, token_file, send=send, every=every)


@app.command("import")
def listing(
    file: Annotated[Path, typer.Argument(help="CSV, JSON or CycloneDX.")],
    send: Send = False,  # noqa: FBT002
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Take what a file says of agents: CSV, JSON or CycloneDX, made by hand, elsewhere, or by an export."""
    from remit.app.discovery.look import file_source

    return _look(file_source(file), output, token_file, send=send, every=None)


def _look(source: SightingSource, output: Format, token_file: Path | None, *, send: bool, every: str | None) -> int:
    from remit.app.cli.options import client, seconds
    from remit.app.discovery.look import keep_looking, look

    if every is not None:
        every_s = seconds(every)
        if not EVERY_S_MIN <= every_s <= EVERY_S_MAX:
            raise CommandFailure(
                f"--every {every} is not between {EVERY_S_MIN:.0f} s and {EVERY_S_MAX / 3600:.0f} h",
                why="a look reads everything again",
                next="say --every 10m, or look once with --send",
                exit=Exit.USAGE,
            )
        keep_looking(source, client(token_file), every_s, partial(_health, source))
        return Exit.OK
    result = look(source, client(token_file) if send else None)
    _name(result.troubles)
    if output in {Format.JSON, Format.YAML}:
        data(result.document(), output)
        return _code(result)
    rows = [
        {
            "subject": str(sighting.subject),
            "with": [f"{edge.verb} {edge.to}" for edge in sighting.edges],
            "evidence": sighting.evidence,
            "traits": [f"{trait.key}: {trait.value}" for trait in sighting.traits],
        }
        for sighting in result.sightings
    ]
    show(rows, output, ("subject", "with", "evidence"), wide=("traits",), empty="nothing was found")
    say(f"{counted(result.sent, 'sighting')} sent" if send else f"{counted(len(rows), 'sighting')}; --send sends them")
    return _code(result)


def _code(result: "DiscoveryResult") -> Exit:
    """What cannot be taken is no reason to fail beside what was found; without anything it is."""
    return Exit.INVALID if result.troubles and not result.sightings else Exit.OK


def _name(troubles: Iterable[Trouble]) -> None:
    for trouble in troubles:
        say(f"{one_line(trouble.where)}: {trouble.code}: {trouble.why}")


def _health(source: SightingSource, health: SourceHealth, wait_s: float, troubles: Sequence[Trouble]) -> None:
    _name(troubles[:NAMED_MAX])
    if len(troubles) > NAMED_MAX:
        say(f"{len(troubles) - NAMED_MAX} more are not named")
    state = f"{counted(health.sightings, 'sighting')}, {health.troubles} not taken"
    if health.failures:
        state = f"failed {health.failures} in a row: {one_line(health.why)}"
    say(f"{one_line(source.name)}: look {health.looked}: {state}; again in {wait_s:.0f} s")
