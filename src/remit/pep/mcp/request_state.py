"""The `requestState` of 2026-07-28: which round a retried request goes on with, sealed for its asker alone.

Laws
* Nobody can make, change or read one (`sealer`), and after a restart every state is refused, as the rounds behind
  it are gone.
* It is good for the asker, the request and the time that it was sealed for; the driver takes a round once.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import orjson

from remit.facts.agent import Authority
from remit.facts.durations import HOUR_MS
from remit.pep.mcp.sealer import SealBroken, Sealer
from remit.ports.system import Clock, Entropy

STATE_CHARS_MAX: Final = 4_096
NO_ROUND: Final = ""
WAITING_MS: Final = HOUR_MS
_PURPOSE: Final = b"remit requestState 1"


class StateRefused(Exception):
    """A `requestState` that is not this asker's for this request; the text is ours."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a `requestState` holds.

    `ident` is the driver's name of the round, `action` the hash of the action, `approval` the decision id
    that it runs under, `request` what was asked, as `RequestKey` gives it; `expires_ms` since the epoch.
    """

    ident: str
    action: str
    approval: str | None
    request: str
    expires_ms: int


def request_key(method: str, *parts: bytes) -> str:
    """What makes a retried request the same one: its method and what it names."""
    digest = hashlib.sha256(method.encode("utf-8"))
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


class RequestStates:
    """Seals and opens the states of one service."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._sealing = Sealer(_PURPOSE, entropy)

    def seal(self, round_: Round, authority: Authority) -> str:
        """The state that brings `round_` back from `authority`."""
        content = [round_.ident, round_.action, round_.approval, round_.request, round_.expires_ms]
        return self._sealing.seal(orjson.dumps(content), authority)

    def waiting(self, approval: str, request: str) -> Round:
        """What brings a client back for `request`, about which people are asked as `approval`: no round is open."""
        return Round(NO_ROUND, "", approval, request, self._clock.now_ms() + WAITING_MS)

    def open(self, state: str, authority: Authority, request: str) -> Round:
        """What `state` holds. Raises `StateRefused`."""
        if len(state) > STATE_CHARS_MAX:
            raise StateRefused("the requestState is too long to be one of this service")
        try:
            opened = self._sealing.open(state, authority)
        except SealBroken:
            raise StateRefused("the requestState is none that this service gave to this asker") from None
        round_ = Round(*orjson.loads(opened))
        if round_.request != request:
            raise StateRefused("the requestState belongs to another request: repeat the one it came for unchanged")
        if round_.expires_ms <= self._clock.now_ms():
            raise StateRefused("the requestState has expired: make the request anew")
        return round_
