"""Words of ours that a client keeps for us and brings back: nobody else can make, change, read or use one.

AES-256-GCM under a key made at start and stored nowhere: after a restart every one is refused, as what it names is
gone.
It is good for the asker that it was sealed for.
"""

import base64
import binascii
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.facts.agent import Authority
from remit.ports.system import Entropy

_NONCE_BYTES: Final = 12


class SealBroken(Exception):
    """No word of ours for this asker."""


class Sealer:
    """Seals for one `purpose`."""

    def __init__(self, purpose: bytes, entropy: Entropy) -> None:
        self._purpose = purpose
        self._entropy = entropy
        self._cipher = AESGCM(entropy.token_bytes(32))

    def seal(self, content: bytes, authority: Authority) -> str:
        """The text that brings `content` back from `authority`: URL-safe base64."""
        nonce = self._entropy.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, content, self._asker(authority))
        return base64.urlsafe_b64encode(nonce + sealed).decode("ascii")

    def open(self, text: str, authority: Authority) -> bytes:
        """What `text` holds. Raises `SealBroken`."""
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            if base64.urlsafe_b64encode(raw).decode("ascii") != text:
                # Base64 leaves bits of the last character unused, which no seal covers.
                raise SealBroken
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], self._asker(authority))
        except (binascii.Error, InvalidTag, UnicodeEncodeError, ValueError):
            raise SealBroken from None

    def _asker(self, authority: Authority) -> bytes:
        links = [[link.agent, link.sid] for link in authority.links]
        return self._purpose + orjson.dumps([links, authority.user])
