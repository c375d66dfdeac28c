"""Options that many commands share, declared once."""

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from remit.app.terminal.client import ServiceClient, read_token
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format
from remit.facts.durations import DAY_S, HOUR_S, MINUTE_S

Output = Annotated[Format, typer.Option("-o", "--output", help="How the answer is written.")]
Junit = Annotated[Path | None, typer.Option("--junit", help="Write what was checked there, as JUnit XML.")]
Sarif = Annotated[Path | None, typer.Option("--sarif", help="Write the findings there, as SARIF.")]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="File with the bearer token, which you alone may open (else REMIT_TOKEN)."),
]


def _folder(text: str | Path) -> Path:
    """An empty name would be the current folder: what an unset variable in a script comes to."""
    if not str(text).strip():
        raise typer.BadParameter("it is empty: name the data folder, or leave the option out")
    return Path(text)


Data = Annotated[
    Path | None,
    typer.Option(
        "--data", parser=_folder, metavar="<path>", help="Data folder (else REMIT_DATA, else the platform's)."
    ),
]

_UNITS: Final = {"s": 1, "m": MINUTE_S, "h": HOUR_S, "d": DAY_S}


def seconds(text: str) -> int:
    """`90s`, `15m`, `8h`, `7d` in seconds."""
    match = re.fullmatch(r"([1-9][0-9]{0,6})([smhd])", text)
    if match is None:
        raise CommandFailure(f"not a duration: {text}", next="write it like 90s, 15m, 8h or 7d", exit=Exit.USAGE)
    return int(match[1]) * _UNITS[match[2]]


def client(token_file: Path | None) -> ServiceClient:
    """A client of the running service with the caller's token."""
    return ServiceClient(read_token(token_file))
