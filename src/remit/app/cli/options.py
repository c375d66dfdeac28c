"""Options that many commands share, declared once."""

from pathlib import Path
from typing import Annotated

import typer

from remit.app.client import Client, read_token
from remit.app.output import Format

Output = Annotated[Format, typer.Option("-o", "--output", help="How the answer is written.")]
TokenFile = Annotated[
    Path | None,
    typer.Option("--token-file", help="File with the bearer token (else REMIT_TOKEN)."),
]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder (else REMIT_DATA, else the platform's).")]


def client(token_file: Path | None) -> Client:
    """A client of the running service with the caller's token."""
    return Client(read_token(token_file))
