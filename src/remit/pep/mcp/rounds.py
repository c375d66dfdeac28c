"""The `requestState` of 2026-07-28: which round a retried request goes on with, sealed for its asker alone.

Laws
* Nobody can make, change or read one: AES-256-GCM under a key made at start and stored nowhere, so after a
  restart every state is refused, as the rounds behind it are gone.
* It is good for the asker, the request and the time that it was sealed for; the driver takes a round once.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.facts.agent import Authority
from remit.ports.system import Clock, Entropy

STATE_CHARS_MAX: Final = 4_096
_NONCE_BYTES: Final = 12
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
    found = hashlib.sha256(method.encode("utf-8"))
    for part in parts:
        found.update(len(part).to_bytes(8, "big") + part)
    return found.hexdigest()


class Rounds:
    """Seals and opens the states of one service."""

    def __init__(self, clock: Clock, entropy: Entropy) -> None:
        self._clock = clock
        self._entropy = entropy
        self._cipher = AESGCM(entropy.token_bytes(32))

    def seal(self, held: Round, authority: Authority) -> str:
        """The state that brings `held` back from `authority`."""
        content = [held.ident, held.action, held.approval, held.request, held.expires_ms]
        nonce = self._entropy.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, orjson.dumps(content), _asker(authority))
        return base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def open(self, state: str, authority: Authority, request: str) -> Round:
        """What `state` holds. Raises `StateRefused`."""
        if len(state) > STATE_CHARS_MAX:
            raise StateRefused("the requestState is too long to be one of this service")
        try:
            raw = base64.b64decode(state.encode("ascii"), altchars=b"-_", validate=True)
            opened = self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _asker(authority))
        except (binascii.Error, InvalidTag, UnicodeEncodeError, ValueError):
            raise StateRefused("the requestState is none that this service gave to this asker") from None
        held = Round(*orjson.loads(opened))
        if held.request != request:
            raise StateRefused("the requestState belongs to another request: repeat the one it came for unchanged")
        if held.expires_ms <= self._clock.now_ms():
            raise StateRefused("the requestState has expired: make the request anew")
        return held


def _asker(authority: Authority) -> bytes:
    links = [[link.agent, link.sid] for link in authority.links]
    return _PURPOSE + orjson.dumps([links, authority.user])
