"""Signing keys as files: one PKCS#8 PEM per key, readable by the service's user alone.

A file's name is `<created, ms since the epoch>-<kid>.pem`; the newest signs. An older key stays
until the last token it can have signed has expired, then its file goes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from remit.adapters.private import KeyringUnusable, must_be_private, private_folder, write_private

_FILE: Final = re.compile(r"([0-9]{1,15})-([A-Za-z0-9_-]{8,64})\.pem")
_KID_CHARS: Final = 16


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One Ed25519 key pair. `kid` begins its RFC 7638 thumbprint."""

    kid: str
    created_ms: int
    key: OKPKey


class Keyring:
    """The keys in `folder`. `keep_ms` is how long after its successor a key still verifies."""

    def __init__(self, folder: Path, *, keep_ms: int) -> None:
        self._folder = folder
        self._keep_ms = keep_ms

    def load(self, now_ms: int) -> Sequence[SigningKey]:
        """Every key that may still verify, newest first; makes one when there is none."""
        private_folder(self._folder)
        keys = [key for path in sorted(self._folder.iterdir()) if (key := _read(path))]
        keys.sort(key=lambda key: key.created_ms, reverse=True)
        if not keys:
            return (self.make(now_ms),)
        return self._without_retired(keys, now_ms)

    def file(self, key: SigningKey) -> Path:
        """Where `key` lies, or has to."""
        return self._folder / f"{key.created_ms}-{key.kid}.pem"

    def make(self, now_ms: int) -> SigningKey:
        """A new key, its file durable."""
        private_folder(self._folder)
        pair = OKPKey.generate_key("Ed25519")
        key = SigningKey(pair.thumbprint()[:_KID_CHARS], now_ms, pair)
        write_private(self.file(key), pair.as_pem(private=True))
        return key

    def _without_retired(self, keys: Sequence[SigningKey], now_ms: int) -> Sequence[SigningKey]:
        verifying = [keys[0]]
        for successor, key in pairwise(keys):
            if successor.created_ms + self._keep_ms > now_ms:
                verifying.append(key)
            else:
                self.file(key).unlink()
        return tuple(verifying)


def forget_keys(folder: Path) -> None:
    """Remove every key in `folder`: what they signed is void. Raises `OSError`."""
    for path in folder.glob("*.pem"):
        path.unlink()


def _read(path: Path) -> SigningKey | None:
    match = _FILE.fullmatch(path.name)
    if match is None:
        return None
    must_be_private(path, 0o600)
    try:
        pair = OKPKey.import_key(path.read_bytes())
    except (JoseError, ValueError, TypeError, OSError) as error:
        raise KeyringUnusable(
            f"{path.name} is no private key ({type(error).__name__}); "
            "restore it from a backup, or remove it: tokens it signed will be refused"
        ) from error
    if pair.curve_name != "Ed25519" or not pair.is_private:
        raise KeyringUnusable(f"{path.name} is not an Ed25519 private key; remove it")
    if pair.thumbprint()[:_KID_CHARS] != match[2]:
        raise KeyringUnusable(f"{path.name} holds another key than its name says; remove it")
    return SigningKey(match[2], int(match[1]), pair)
