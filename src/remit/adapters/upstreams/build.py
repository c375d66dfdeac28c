"""Which adapter reaches a server."""

from pathlib import Path
from typing import TypeAlias, assert_never

import aiohttp
from yarl import URL

from remit.adapters.upstreams.address_guard import Connector
from remit.adapters.upstreams.http import HttpUpstream
from remit.adapters.upstreams.stdio import StdioUpstream
from remit.facts.catalog import Http, Server, Stdio
from remit.facts.limits import Limits
from remit.ports.credentials import Credentials
from remit.ports.system import Clock

AnyUpstream: TypeAlias = "HttpUpstream | StdioUpstream"


def build_upstream(
    server: Server,
    *,
    session: aiohttp.ClientSession,
    limits: Limits,
    clock: Clock,
    state_dir: Path,
    credentials: Credentials | None = None,
) -> AnyUpstream:
    """The upstream for `server`. It connects at first use; `session` stays the caller's.

    A stdio child works in `state_dir/<server>` unless the server names its own folder.
    """
    match server.transport:
        case Http():
            if server.transport.private and isinstance(session.connector, Connector):
                session.connector.guard.let.add(URL(server.transport.url).host or "")
            return HttpUpstream(server, session, limits, clock, credentials.of(server) if credentials else None)
        case Stdio():
            return StdioUpstream(server, limits, clock, state_dir, credentials)
        case _:
            assert_never(server.transport)
