"""`remit get inventory` and `remit inventory`: what was found, what of it is governed, and what people say of it."""

from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from remit.app.cli.export import export
from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import Exit
from remit.app.terminal.output import Format, counted, data, say, show
from remit.control.difference import one_line
from remit.discover.sighting import Kind

app = typer.Typer(no_args_is_help=True, help="What was found: agents, models, servers, tools, prompts, data.")

Name = Annotated[str, typer.Argument(help="A name as `remit get inventory` shows it, like agent/otlp:planner.")]
Days = Annotated[int, typer.Option("--days", help="How many days to look back, today included.")]
_NAME_CHARS: Final = 80
"""Of a name in a table, which one that somebody made up would make as wide as itself."""


class By(StrEnum):
    """What coverage is told by."""

    AGENT = "agent"
    TEAM = "team"
    DAY = "day"


_KINDS: Final = {"inventory": None, "models": "model", "prompts": "prompt", "data": "data"}
_SHOWN: Final = ("Governed", "Owned", "Shadow", "Drifted", "Dormant", "ToxicCombination")


def get(service: ServiceClient, kind: str, name: str | None, output: Format) -> None:
    """`remit get inventory [NAME]`, and its kinds."""
    if name is not None:
        answer: dict[str, Any] = service.get(f"/inventory/{quote(name, safe='/')}")
        data(answer, Format.YAML if output is Format.TABLE else output)
        return
    found: dict[str, Any] = service.get("/inventory", kind=_KINDS[kind], limit=10_000)
    _print_listing(found, output)


@app.command("ls")
def listed(
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only what is of this kind.")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List what was found."""
    _print_listing(client(token_file).get("/inventory", kind=kind and kind.value, limit=10_000), output)


@app.command()
def coverage(
    by: Annotated[By, typer.Option("--by", help="What a row stands for.")] = By.AGENT,
    days: Days = 7,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Show the share of seen actions that passed an enforcement point.

    Calls of models are counted beside it: no enforcement point governs them. Exit code 1 when some action did not.
    """
    answer: dict[str, Any] = client(token_file).get("/coverage", by=by.value, days=days)
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
    else:
        total: list[dict[str, Any]] = [answer["total"]] if answer["items"] else []
        rows = [
            {**row, by.value: shortened(row["name"]), "coverage": _share(row)} for row in [*answer["items"], *total]
        ]
        show(
            rows,
            output,
            (by.value, "passed", "observed", "coverage", "models"),
            wide=("agents",),
            empty="no action was seen yet",
        )
    return Exit.NEGATIVE if answer["total"]["observed"] else Exit.OK


@app.command()
def sources(output: Output = Format.TABLE, token_file: TokenFile = None) -> int:
    """Show how each source does: the ledger, telemetry, Source resources.

    Exit code 1 when one fails.
    """
    all_sources: list[dict[str, Any]] = client(token_file).get("/inventory", limit=1)["sources"]
    show(all_sources, output, ("name", "healthy", "last", "message"), wide=("reason",))
    return Exit.NEGATIVE if any(source["healthy"] == "False" for source in all_sources) else Exit.OK


@app.command()
def same(one: Name, other: Name, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Say that two names are one and the same."""
    data(client(token_file).post("/claims", {"one": one, "other": other, "same": True}), output)


@app.command()
def apart(one: Name, other: Name, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Say that two names are not the same, whatever sources claim."""
    data(client(token_file).post("/claims", {"one": one, "other": other, "same": False}), output)


@app.command()
def accept(name: Name, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Accept what an agent does now: what it begins to use from here on is drift."""
    data(client(token_file).post("/settled", {"name": name}), output)


def _print_listing(answer: dict[str, Any], output: Format) -> None:
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    whole = output is not Format.TABLE
    cut = sum(len(entry["name"]) > _NAME_CHARS for entry in answer["items"]) if not whole else 0
    rows = [
        {
            **entry,
            "name": entry["name"] if whole else shortened(entry["name"]),
            "is": [
                condition["type"]
                for condition in entry["conditions"]
                if condition["type"] in _SHOWN and condition["status"] == "True"
            ],
            "uses": [link["to"] for link in entry["links"]],
        }
        for entry in answer["items"]
    ]
    columns = ("name", "owner", "is", "passed", "observed", "last")
    show(rows, output, columns, wide=("confidence", "sources", "first", "uses"))
    if cut:
        say(f"{counted(cut, 'name')} cut at the end: -o name and -o wide show them whole")
    if answer["total"] > len(answer["items"]):
        say(f"{answer['total'] - len(answer['items'])} more entries are left out")
    for source, number in answer["refused"].items():
        say(f"{one_line(source)} reported {number} names and edges too many: they are not in the inventory")
    for trouble in answer["troubles"]:
        say(f"{trouble['code']} ({one_line(trouble['where'])}): {one_line(trouble['why'])}")


def shortened(name: str) -> str:
    """A name as far as a table has room for it."""
    return name if len(name) <= _NAME_CHARS else f"{name[: _NAME_CHARS - 1]}…"


def _share(row: dict[str, Any]) -> str:
    return "-" if row["coverage"] is None else f"{row['coverage']:.1%}"


app.command("export")(export)
