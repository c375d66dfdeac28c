"""Tokens as 60 bits each, under the key of one session.

Laws
* Who lacks the key learns nothing of a token but that two are the same.
* A key of 16 bytes means AES-128: a token of up to 16 bytes is one block, enciphered by itself, which is a
  pseudo-random function of it; many tokens take one call. A longer one takes BLAKE2b, keyed.
* A key of 32 bytes means BLAKE2b for all tokens, as in what was saved before. A key means one of the two for good.
"""

import hashlib
import struct
from array import array
from collections.abc import Collection
from functools import lru_cache
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

KEY_BYTES: Final = 16
OLDER_KEY_BYTES: Final = 32
_BLOCK_BYTES: Final = 16
_HASH_BYTES: Final = 8
_MASK: Final = (1 << 60) - 1
"""A Python integer of 60 bits takes 32 bytes, one of 61 takes 36."""
_AT_ONCE: Final = 64
_END: Final = "\0"
"""What no token of up to 16 bytes holds: such blocks are filled up with it."""


class TokenHasher(Protocol):
    """What hashes under one key. Not thread-safe."""

    def hashes(self, tokens: Collection[str]) -> list[int]:
        """The hash of each of `tokens`, in their order."""
        ...


def token_hasher(key: bytes) -> TokenHasher:
    """What hashes under `key`, of 16 bytes or of 32. Raises `ValueError` for any other."""
    if len(key) == KEY_BYTES:
        return _AesHasher(key)
    if len(key) == OLDER_KEY_BYTES:
        return _BlakeHasher(key)
    raise ValueError(f"the key of an origin index has {KEY_BYTES} or {OLDER_KEY_BYTES} bytes, not {len(key)}")


class _BlakeHasher:
    """BLAKE2b for each."""

    __slots__ = ("_base",)

    def __init__(self, key: bytes) -> None:
        self._base = hashlib.blake2b(key=key, digest_size=_HASH_BYTES)

    def hashes(self, tokens: Collection[str]) -> list[int]:
        return [self.hash_of(token.encode("utf-8", "surrogatepass")) for token in tokens]

    def hash_of(self, token: bytes) -> int:
        hashed = self._base.copy()
        hashed.update(token)
        return int.from_bytes(hashed.digest(), "little") & _MASK


class _AesHasher:
    """AES for what fits a block. No block hangs on another, so that one stream of them serves for good."""

    __slots__ = ("_cipher", "_longer")

    def __init__(self, key: bytes) -> None:
        # Each key is used for one thing.
        short, longer = (hashlib.blake2b(use, key=key, digest_size=16).digest() for use in (b"blocks", b"digests"))
        self._cipher = Cipher(AES(short), ECB()).encryptor()  # noqa: S305 - single blocks, as a pseudo-random function
        self._longer = _BlakeHasher(longer)

    def hashes(self, tokens: Collection[str]) -> list[int]:
        encoded = _END.join(tokens).encode("utf-8", "surrogatepass").split(b"\0")
        longer = [at for at, token in enumerate(encoded) if len(token) > _BLOCK_BYTES]
        if len(encoded) != len(tokens):
            encoded = [token.encode("utf-8", "surrogatepass") for token in tokens]
            longer = [at for at, token in enumerate(encoded) if len(token) > _BLOCK_BYTES or b"\0" in token]
        words = array("Q", self._cipher.update(_blocks(encoded)))
        digests = [word & _MASK for word in words[::2]]
        for at in longer:
            digests[at] = self._longer.hash_of(encoded[at])
        return digests


def _blocks(encoded: list[bytes]) -> bytes:
    """Each filled up to a block, or cut to one."""
    if len(encoded) <= _AT_ONCE:
        return _packing(len(encoded)).pack(*encoded)
    pieces = (encoded[at : at + _AT_ONCE] for at in range(0, len(encoded), _AT_ONCE))
    return b"".join([_packing(len(piece)).pack(*piece) for piece in pieces])


@lru_cache(maxsize=_AT_ONCE + 1)
def _packing(count: int) -> struct.Struct:
    return struct.Struct(f"{_BLOCK_BYTES}s" * count)
