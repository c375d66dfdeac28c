"""What must survive a restart and be read by nobody else: one file per server, sealed.

AES-256-GCM with a key of its own beside the signing keys. A file names what it belongs to in its
authenticated data, so that moving it to another name does not open it.
"""

import threading
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.adapters.private import KeyringUnusable, must_be_private, private_folder, sync_folder, write_private
from remit.ports.system import Entropy

_KEY_FILE: Final = "credentials.key"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_FORM: Final = b"remit sealed 1\n"
_BYTES_MAX: Final = 1024 * 1024


class Vault:
    """Sealed files in `folder` by name. The key, in `keys`, is made at the first writing."""

    def __init__(self, folder: Path, keys: Path, entropy: Entropy) -> None:
        self._folder = folder
        self._key_file = keys / _KEY_FILE
        self._entropy = entropy
        self._making = threading.Lock()

    def read(self, name: str) -> bytes | None:
        """What was written under `name`; None where nothing was. Raises `KeyringUnusable`."""
        path = self._path(name)
        try:
            must_be_private(path, 0o600)
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyringUnusable(f"{path} cannot be read: {error.strerror}") from error
        begin = len(_FORM) + _NONCE_BYTES
        if not data.startswith(_FORM) or len(data) > _BYTES_MAX:
            raise KeyringUnusable(f"{path} is no sealed file of this version of Remit; remove it and log in again")
        key = self._key(make=False)
        try:
            return AESGCM(key).decrypt(data[len(_FORM) : begin], data[begin:], _about(name))
        except (InvalidTag, ValueError) as error:
            raise KeyringUnusable(f"{path} does not open with {self._key_file}; remove it and log in again") from error

    def write(self, name: str, data: bytes) -> None:
        """Seal `data` under `name`, durable when this returns. Raises `KeyringUnusable`, `OSError`."""
        private_folder(self._folder)
        nonce = self._entropy.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._key(make=True)).encrypt(nonce, data, _about(name))
        write_private(self._path(name), _FORM + nonce + sealed)

    def remove(self, name: str) -> None:
        """Forget what was written under `name`, durable when this returns. Raises `OSError`."""
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            return
        sync_folder(self._folder)

    def _key(self, *, make: bool) -> bytes:
        if make:
            # Two servers may log in at once, and a second key would close what the first has sealed.
            with self._making:
                if not self._key_file.exists():
                    private_folder(self._key_file.parent)
                    write_private(self._key_file, self._entropy.token_bytes(_KEY_BYTES))
        try:
            must_be_private(self._key_file, 0o600)
            key = self._key_file.read_bytes()
        except OSError as error:
            raise KeyringUnusable(f"{self._key_file} cannot be read: {error.strerror}") from error
        if len(key) != _KEY_BYTES:
            raise KeyringUnusable(
                f"{self._key_file} is no key; restore it from a backup, or remove it and log in again"
            )
        return key

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.sealed"


def _about(name: str) -> bytes:
    return b"remit credential of server " + name.encode("utf-8")
