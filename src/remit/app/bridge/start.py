"""How the relay starts: where it goes, with whose token, and that stdout stays the protocol's."""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

from remit.app.bridge.relay import Relay
from remit.app.bridge.wire import ServiceEndpoint
from remit.app.settings import closed_way, service_url
from remit.app.terminal.bearer import TokenFile, is_token
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import say
from remit.facts.catalog import SERVER_NAME

_STDIN: Final = 0
_STDOUT: Final = 1


class _Told(Exception):
    """A signal asked the process to end."""


def start(server: str | None, url: str | None, token_file: Path | None, *, in_the_open: bool = False) -> None:
    """Relay until the client closes stdin. Raises `CommandFailure` for a command line that cannot work.

    The token goes over plain http to this machine alone, unless `in_the_open` says that a person wants otherwise.
    """
    place = ServiceEndpoint(_base(url, in_the_open=in_the_open), _path(server))
    token = _token(token_file)
    try:
        token()
    except CommandFailure as problem:
        # Each request is answered with it, until the file is put right.
        say(str(problem))
    # Whatever prints by mistake must not end up in the protocol.
    sys.stdout = sys.stderr
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    with suppress(_Told):
        Relay(place, token, _STDIN, _STDOUT).run()


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise _Told


def _base(url: str | None, *, in_the_open: bool) -> str:
    base = (url or service_url()).rstrip("/")
    parts = urlsplit(base)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
        raise CommandFailure(
            "not a service address",
            next="remit mcp --url http://127.0.0.1:7070 (or set REMIT_URL)",
            exit=Exit.USAGE,
        )
    if not in_the_open:
        closed_way(parts, "remit mcp --url https://HOST (or --in-the-open, where you trust the network between)")
    return base


def _path(server: str | None) -> str:
    if server is None:
        return "/mcp"
    if not SERVER_NAME.fullmatch(server):
        raise CommandFailure(
            "not the name of a server", why="names are a-z, 0-9 and -", next="remit get servers", exit=Exit.USAGE
        )
    return f"/mcp/{server}"


def _token(token_file: Path | None) -> Callable[[], str]:
    """What gives the bearer: the file named, else `REMIT_TOKEN`, else the file `REMIT_TOKEN_FILE` names."""
    if token_file is None and (token := os.environ.get("REMIT_TOKEN")):
        if not is_token(token.encode()):
            raise CommandFailure("REMIT_TOKEN does not hold a token", next="remit token agent NAME", exit=Exit.USAGE)
        return lambda: token
    path = token_file or (Path(f) if (f := os.environ.get("REMIT_TOKEN_FILE")) else None)
    if path is None:
        raise CommandFailure(
            "no token to speak with",
            next="remit token agent NAME --save FILE, then: remit mcp --token-file FILE",
            exit=Exit.USAGE,
        )
    return TokenFile(path.absolute(), "agent").read
