"""Running programs that are clients of MCP or servers of it, by their command lines. Of environments, names alone.

What a Remit service started is told apart from what anybody else did, by the command that Remit gave it, whatever that
command went on to start.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from remit.discover import discretion
from remit.discover.clients import CLIENTS
from remit.discover.launch import Launch, launch_of, program

WORDS_LOOKED_AT: Final = 4
"""A runtime and its options come before what it runs."""
ANCESTORS_MAX: Final = 64

_CREDENTIAL: Final = re.compile(r"(?i)(?:key|token|secret|password|passwd|credentials?|api_base|base_url)$")
_REMIT: Final = frozenset({"remit", "python:remit", "python:remit.app.main"})
_MCP: Final = re.compile(r"(?i)(?:^|[^a-z])mcp(?:[^a-z]|$)|modelcontextprotocol")
_PROGRAMS: Final = {name: client.name for client in CLIENTS for name in client.programs}
_PACKAGES: Final = tuple((part, client.name) for client in CLIENTS for part in client.packages)


@dataclass(frozen=True, slots=True)
class Process:
    """A process as the system tells of it. `variables` are names."""

    pid: int
    parent: int
    user: str
    command: tuple[str, ...]
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecognisedProcess:
    """A process that is a `client`, or a server by `launch` which runs below `of_client` where that is known.

    `of_remit` is the Remit process that started it, by `launch`; 0 for none.
    """

    pid: int
    user: str
    variables: str
    client: str = ""
    launch: Launch | None = None
    of_client: str = ""
    of_remit: int = 0


def recognise(processes: Iterable[Process]) -> list[RecognisedProcess]:
    """Those of `processes` that are clients or servers."""
    by_pid = {process.pid: process for process in processes}
    clients = {process.pid: client for process in by_pid.values() if (client := _client(process.command))}
    recognised: list[RecognisedProcess] = []
    for process in by_pid.values():
        variables = discretion.variables(name for name in process.variables if _CREDENTIAL.search(name))
        if client := clients.get(process.pid):
            recognised.append(RecognisedProcess(process.pid, process.user, variables, client))
        elif (launch := _server(process.command)) is not None:
            recognised.append(_server_process(process, variables, launch, by_pid, clients))
    return recognised


def _client(command: Sequence[str]) -> str:
    if not command:
        return ""
    if name := _PROGRAMS.get(program(command[0]), ""):
        return name
    for word in command[:WORDS_LOOKED_AT]:
        for part, client in _PACKAGES:
            if f"/node_modules{part}" in word:
                return client
        if "bin/" in word and (name := _PROGRAMS.get(program(word), "")):
            return name
    return ""


def _server(command: Sequence[str]) -> Launch | None:
    launch = _launch(command)
    return launch if launch is not None and _MCP.search(launch.server) else None


def _launch(command: Sequence[str]) -> Launch | None:
    return launch_of(command[0], command[1:]) if command else None


def _server_process(
    process: Process, variables: str, launch: Launch, by_pid: dict[int, Process], clients: dict[int, str]
) -> RecognisedProcess:
    """A server, by the nearest above it that is a client or Remit."""
    below = process
    for _ in range(ANCESTORS_MAX):
        above = by_pid.get(below.parent)
        if above is None or above.pid in clients:
            of_client = "" if above is None else clients[above.pid]
            return RecognisedProcess(process.pid, process.user, variables, launch=launch, of_client=of_client)
        if (launch_above := _launch(above.command)) is not None and launch_above.server in _REMIT:
            own_launch = _launch(below.command)
            return RecognisedProcess(process.pid, process.user, variables, launch=own_launch, of_remit=above.pid)
        below = above
    return RecognisedProcess(process.pid, process.user, variables, launch=launch)
