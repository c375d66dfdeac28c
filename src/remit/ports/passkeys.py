"""What checks that a passkey signed: the cryptography of Web Authentication, behind two questions."""

from dataclasses import dataclass
from typing import Protocol

from remit.facts.passkey import Passkey


class NotConfirmed(Exception):
    """What came is no signature of a passkey over what was asked; says why."""


class CopySuspected(NotConfirmed):
    """It signed, and counts from where the passkey was before: two may hold it."""


@dataclass(frozen=True, slots=True)
class NewPasskey:
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

    def registration(self, response: str, challenge: bytes) -> NewPasskey:
        """The passkey that `response`, a registration as JSON, brings for `challenge`. Raises `NotConfirmed`."""
        ...

    def signature_count(self, response: str, challenge: bytes, passkey: Passkey) -> int:
        """The count of `passkey` after it signed `challenge`, as `response` (JSON) shows. Raises `NotConfirmed`.

        `CopySuspected` where it does not count beyond `passkey.count`, as authenticators do that count at all.
        """
        ...
