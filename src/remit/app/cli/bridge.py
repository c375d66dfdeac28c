"""`remit mcp`: the service for clients that speak stdio only."""

from typing import Annotated

import typer

from remit.app.cli.options import TokenFile


def mcp(
    server: Annotated[
        str | None, typer.Option(help="One server's tools, by their own names (else those of all).")
    ] = None,
    url: Annotated[str | None, typer.Option(help="The service's address (else REMIT_URL).")] = None,
    *,
    in_the_open: Annotated[
        bool, typer.Option("--in-the-open", help="Send the token over plain http to another machine.")
    ] = False,
    token_file: TokenFile = None,
) -> None:
    """Relay MCP between stdin and stdout and the running service, for clients that speak stdio only."""
    from remit.app.bridge.start import start

    start(server, url, token_file, in_the_open=in_the_open)


def add(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command()(mcp)
