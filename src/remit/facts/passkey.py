"""A passkey: what a person confirms a yes with beyond his token (W3C Web Authentication, level 3).

Law: what it signs is kept nowhere but with the person; here is only what checks it.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Passkey:
    """The credential `ident` of `user`, by the `name` that he gave it.

    `ident` and `key` (COSE, RFC 9052) are base64url without padding; `count` is how often its authenticator says that
    it signed, where it counts at all; `at_ms` is when it was registered. One that was removed has no key: it confirms
    nothing, and tells that its user had one.
    """

    ident: str
    user: str
    key: str
    count: int
    name: str
    at_ms: int


class Confirmed(NamedTuple):
    """A yes was signed by `passkey`, whose authenticator counted to `sign_count` with it."""

    passkey: str
    sign_count: int


def ended(passkey: Passkey) -> Passkey:
    """`passkey`, which confirms nothing any more."""
    return replace(passkey, key="")


def used(passkey: Passkey, count: int) -> Passkey:
    """`passkey` after it signed; a count never falls."""
    return replace(passkey, count=max(passkey.count, count))
