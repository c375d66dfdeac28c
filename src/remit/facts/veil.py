"""What is recorded of arguments that hold secrets: the catalog says which, and nobody reads them again.

Laws
* In the place of each secret stands an HMAC (RFC 2104, SHA-256) of it under a key of the ledger's own, bound to server,
  tool and argument: equal secrets of one argument are seen to be equal, and nothing else of them is seen.
* Of a tool with a secret, arguments that nobody declared are veiled too: they may be misspelt secrets.
* What is veiled is no canonical form (a blank stands before it), so that no arguments of anybody are equal to it.
"""

import hashlib
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from remit.facts.canonical import Json, canonical
from remit.facts.tool import Tool

KEY_BYTES: Final = 32
MEMBER: Final = "hmac-sha256"
"""The one member of the object that stands for a secret."""
VEILED: Final = b" "
"""What stands before arguments some of which are veiled."""
_ABOUT: Final = b"remit secret argument\n"


def hidden_of(tool: Tool, declared: Collection[str], names: Collection[str]) -> frozenset[str]:
    """Those of `names` whose values are veiled; `declared` are the arguments that the schema of `tool` names."""
    return frozenset(names) - (frozenset(declared) | tool.arguments.keys()) | (tool.secrets & frozenset(names))


@dataclass(frozen=True, slots=True)
class Veil:
    """Veils with `key`, `KEY_BYTES` unpredictable bytes."""

    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) != KEY_BYTES:
            raise ValueError(f"a key of {len(self.key)} bytes, not {KEY_BYTES}")

    def over(self, tool: Tool, declared: Collection[str], arguments: Mapping[str, Json]) -> bytes:
        """`arguments` with its secrets veiled; `declared` are the arguments that the tool's schema names.

        Raises `ValueError` where `arguments` has no canonical form.
        """
        hidden = hidden_of(tool, declared, arguments)
        shown = {
            name: {MEMBER: self._of((tool.server, tool.name, name), value)} if name in hidden else value
            for name, value in arguments.items()
        }
        return VEILED + canonical(shown)

    def _of(self, place: tuple[str, str, str], value: Json) -> str:
        return hmac.new(self.key, _ABOUT + canonical([*place, value]), hashlib.sha256).hexdigest()
