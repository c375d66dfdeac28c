"""`ports.transparency.Notary` over a folder of Ed25519 keys, apart from those that sign tokens.

A key that has a successor signs beside it for a while, so that whoever trusts the old one learns of the new one by
a checkpoint that both have signed, then its file goes. `<key id>.vkey` says that the ledger names the key by now, in
the form that strangers are given.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from remit.adapters.keyring import Keyring, SigningKey
from remit.adapters.private import KeyringUnusable, write_private
from remit.ports.system import Clock
from remit.trace.note import Checkpoint, Key, Note, signed

FOLDER: Final = "checkpoint-keys"
_KEPT_MS: Final = 24 * 3600 * 1000


class FolderNotary:
    """Signs for the log `origin` with the keys in `folder`."""

    def __init__(self, folder: Path, clock: Clock, origin: str, *, make: bool = True) -> None:
        """Read the keys. Without `make`, raises `KeyringUnusable` where there is none."""
        self._folder = folder
        self._clock = clock
        self._origin = origin
        self._keyring = Keyring(folder, keep_ms=_KEPT_MS)
        if not make and not any(folder.glob("*.pem")):
            raise KeyringUnusable(f"there is no key in {folder}: without one no checkpoint can be signed")
        self._load()

    @property
    def file(self) -> Path:
        """Where the newest key lies, or has to."""
        return self._keyring.file(self._newest)

    @property
    def keys(self) -> Sequence[Key]:
        """See `ports.transparency.Notary`."""
        return tuple(Key(self._origin, pair.public_key().public_bytes_raw()) for pair in self._pairs)

    def sign(self, checkpoint: Checkpoint) -> Note:
        """See `ports.transparency.Notary`."""
        notes = [signed(checkpoint, key, pair.sign) for key, pair in zip(self.keys, self._pairs, strict=True)]
        return Note(notes[0].text, tuple(signature for note in notes for signature in note.signatures))

    def unannounced_keys(self) -> Sequence[Key]:
        """See `ports.transparency.Notary`."""
        return [key for key in self.keys if not _says(self._file(key), key)]

    def note_announced(self, key: Key) -> None:
        """See `ports.transparency.Notary`."""
        write_private(self._file(key), f"{key}\n".encode())

    def rotate(self) -> Key:
        """See `ports.transparency.Notary`."""
        now_ms = max(self._clock.now_ms(), self._newest.created_ms + 1)
        self._keyring.make(now_ms)
        self._load(now_ms)
        return self.keys[0]

    def _load(self, now_ms: int | None = None) -> None:
        keys = self._keyring.load(self._clock.now_ms() if now_ms is None else now_ms)
        self._newest = keys[0]
        self._pairs = tuple(_pair(key) for key in keys)

    def _file(self, key: Key) -> Path:
        return self._folder / f"{key.id.hex()}.vkey"


def verify_signature(public: bytes, signature: bytes, text: bytes) -> bool:
    """`trace.note.CheckSignature`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def _pair(key: SigningKey) -> Ed25519PrivateKey:
    private_key = key.key.private_key
    if not isinstance(private_key, Ed25519PrivateKey):
        raise KeyringUnusable(f"key {key.kid} is no Ed25519 private key; remove it")
    return private_key


def _says(path: Path, key: Key) -> bool:
    try:
        return path.read_text("utf-8").strip() == str(key)
    except (OSError, ValueError):
        return False
