"""What the page asks of a passkey."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PasskeyQuestion:
    """What the browser is asked (`ask`, JSON without a challenge) under `nonce`; or `why` it cannot be.

    `place` is where people have to be, when that is elsewhere.
    """

    nonce: str = ""
    ask: str = ""
    why: str = ""
    place: str = ""
