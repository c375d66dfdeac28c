"""`remit servers`: logging in and out where a server asks for it."""

import time
from typing import Annotated, Any, Final

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import Exit
from remit.app.terminal.output import Format, data, print_answer, say
from remit.facts.text import escaped

app = typer.Typer(no_args_is_help=True, help="Servers: logged in, logged out.")

Name = Annotated[str, typer.Argument(help="The server, as its resource is named.")]
_WAIT_S: Final = 600.0
_POLL_S: Final = 1.0


@app.command()
def login(
    name: Name,
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until you have logged in.")] = True,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Log Remit in at a server by OAuth: prints the address to open in your browser."""
    service = client(token_file)
    before = service.get(f"/servers/{name}/login")
    answer: dict[str, Any] = service.post(f"/servers/{name}/login")
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return Exit.OK
    print(escaped(answer["url"], chars_max=16_384), flush=True)
    say(f"open it in a browser and say yes at {escaped(answer['issuer'])}; it is good until {answer['expires']}")
    if not wait:
        return Exit.OK
    return _wait(service, name, before)


@app.command()
def logout(name: Name, output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """Forget a login, and end it at the authorization server where that is possible."""
    answer: dict[str, Any] = client(token_file).post(f"/servers/{name}/logout")
    print_answer(answer, output, f"logged out of {escaped(answer['server'])}: {answer['state']}")


def _wait(service: ServiceClient, name: str, before: dict[str, Any]) -> int:
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        time.sleep(_POLL_S)
        now: dict[str, Any] = service.get(f"/servers/{name}/login")
        if now["usable"] and now != before:
            until = f" until {now['until']}, then renewed where it can be" if now["until"] else ""
            say(f"logged in at {escaped(name)}: {now['state']}{until}")
            return Exit.OK
    say(f"nobody has logged in at {escaped(name)}; again: remit servers login {escaped(name)}")
    return Exit.TIMEOUT
