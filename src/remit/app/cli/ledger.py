"""`remit ledger`: prove what happened, without a running service."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="The append-only record.")
