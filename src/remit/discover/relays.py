"""Remit's own relay (`remit mcp`) in a client's configuration: the way to a service, and no server of its own.

Laws
* A name is no evidence: what is called `remit` and is another program stays a server like any other. Whoever looks
  knows which program is his own, and hands over a `Relays` that tells.
* A relay that is given variables which change what a program runs is none.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from remit.discover.discretion import address
from remit.discover.sighting import Kind, Subject

RELAY: Final = "relay/"
"""What names in the space `host` begin with, of relays: `relay/ADDRESS@MACHINE`."""
DEFAULT_ADDRESS: Final = "http://127.0.0.1:7070"
"""Where a relay goes that is not told."""
_HOST: Final = "host"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_VALUED: Final = frozenset({"--url", "--server", "--token-file"})
_PLAIN: Final = frozenset({"--in-the-open"})
_VARIABLES: Final = frozenset({"REMIT_TOKEN", "REMIT_TOKEN_FILE"})

Relays = Callable[[str], bool]
"""Whether a command is the program `remit` of whoever looks."""


def nobody(_command: str) -> bool:
    """No program is known to be Remit's."""
    return False


def relay_address(command: str, words: Sequence[str], variables: Iterable[str], relays: Relays) -> str | None:
    """The address of MCP to which `command` relays with `words`; None where that is not known to be a relay."""
    if list(words[:1]) != ["mcp"] or not _VARIABLES.issuperset(variables) or not relays(command):
        return None
    base, rest = DEFAULT_ADDRESS, iter(words[1:])
    for word in rest:
        option, equals, value = word.partition("=")
        if option in _VALUED:
            value = value if equals else next(rest, "")
            base = value if option == "--url" else base
        elif word not in _PLAIN:
            return None
    endpoint = address(base)
    return None if endpoint is None else f"{endpoint.rstrip('/')}/mcp"


def relay_to(subject: Subject) -> tuple[str, str] | None:
    """To which address `subject` relays, and on which machine; None for what is no relay."""
    if subject.kind is not Kind.SERVER or subject.space != _HOST or not subject.name.startswith(RELAY):
        return None
    where, _, machine = subject.name.removeprefix(RELAY).rpartition("@")
    return where, machine


def leads_to(endpoints: Iterable[str], here: str, relay: tuple[str, str]) -> bool:
    """Whether a relay ends at one of `endpoints`, the addresses of a service on the machine `here`."""
    where, machine = relay
    return where in endpoints and (machine == here or urlsplit(where).hostname not in _LOOPBACK)
