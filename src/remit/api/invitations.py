"""Invitations to register a passkey: a word that whoever runs Remit hands to a person, good once and not for long.

A token alone registers nothing: whoever stole it could confirm his own yes.
"""

import hashlib
from collections import OrderedDict
from typing import Final

from remit.facts.durations import HOUR_MS

INVITED_MS: Final = HOUR_MS
INVITED_MAX: Final = 1_000


class Invitations:
    """Those that stand, by the hash of their word. Kept in memory: a restart forgets them."""

    def __init__(self) -> None:
        self._standing: OrderedDict[bytes, tuple[str, int]] = OrderedDict()

    def invite(self, user: str, word: str, now_ms: int) -> int:
        """Let `user` register one passkey with `word`, until the moment that comes back (ms)."""
        until_ms = now_ms + INVITED_MS
        self._standing[_hash(word)] = (user, until_ms)
        if len(self._standing) > INVITED_MAX:
            self._standing.popitem(last=False)
        return until_ms

    def redeem(self, user: str, word: str, now_ms: int) -> bool:
        """Whether `word` invites `user` at `now_ms`; it does no second time."""
        invitation = self._standing.get(_hash(word))
        if invitation is None or invitation[0] != user or now_ms >= invitation[1]:
            return False
        del self._standing[_hash(word)]
        return True


def _hash(word: str) -> bytes:
    return hashlib.sha256(word.encode("utf-8", "replace")).digest()
