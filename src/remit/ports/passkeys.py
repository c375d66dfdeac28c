"""What checks that a passkey signed: the cryptography of Web Authentication, behind two questions."""

from dataclasses import dataclass
from typing import Protocol

from remit.facts.passkey import Passkey


class NotConfirmed(Exception):
    """What came is no signature of a passkey over what was asked; says why."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new passkey: its id and public key (base64url), and how often its authenticator says that it signed."""

    ident: str
    key: str
    count: int


class Passkeys(Protocol):
    """Checks what browsers send, for the one place where passkeys are held."""

    @property
    def holder(self) -> str:
        """The relying party's id: the host that passkeys are bound to; empty where none can be."""
        ...

    @property
    def origin(self) -> str:
        """Where people have to be to use one: scheme, host and port."""
        ...

    def made(self, said: str, challenge: bytes) -> Made:
        """The passkey that `said`, a registration as JSON, brings for `challenge`. Raises `NotConfirmed`."""
        ...

    def signed(self, said: str, challenge: bytes, passkey: Passkey) -> int:
        """The count of `passkey` after it signed `challenge`, as `said` (JSON) shows. Raises `NotConfirmed`."""
        ...
