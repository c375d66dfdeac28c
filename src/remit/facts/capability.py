"""What an MCP client declares that a server may ask of it, or answer it with: names and flags from a fixed list.

What is not in the list is dropped: sessions of servers are kept by a client's capabilities, and it must not
be able to have as many as it likes, nor to send words of its own in them.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from remit.facts.canonical import Json

_FLAGS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"elicitation": ("form", "url"), "sampling": ("tools", "context"), "roots": ()}
)
_NONE: Final[Mapping[str, Json]] = MappingProxyType({})


TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension by which a server answers a call with a task, of 2026-07-28 alone."""
NEEDS_TASKS: Final[Mapping[str, Json]] = MappingProxyType({"extensions": {TASKS: {}}})


def asked_of_clients(capabilities: Json) -> Mapping[str, Json]:
    """Of `capabilities`, a client's capabilities as the protocol writes them, those to be asked something."""
    if not capabilities or not isinstance(capabilities, Mapping):
        return _NONE
    asked: dict[str, Json] = {}
    for name, flags in _FLAGS.items():
        value = capabilities.get(name)
        if isinstance(value, Mapping):
            asked[name] = {flag: {} for flag in flags if isinstance(value.get(flag), Mapping)}
    return asked


def of_stateless_clients(capabilities: Json) -> Mapping[str, Json]:
    """The same of a client of 2026-07-28, with the extensions that are served."""
    return {**asked_of_clients(capabilities), **(NEEDS_TASKS if takes_tasks(capabilities) else {})}


def takes_tasks(capabilities: Json) -> bool:
    """Whether `capabilities`, capabilities of either side, declare the tasks extension."""
    extensions = capabilities.get("extensions") if isinstance(capabilities, Mapping) else None
    return isinstance(extensions, Mapping) and isinstance(extensions.get(TASKS), Mapping)
