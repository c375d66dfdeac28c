"""The key of declared secrets (`facts.veil`): one file beside the signing keys, its owner's alone."""

from pathlib import Path
from typing import Final

from remit.adapters.private import KeyringUnusable, must_be_private, private_folder, write_private
from remit.facts.veil import KEY_BYTES
from remit.ports.system import Entropy

FILE: Final = "arguments.key"


class VeilKey:
    """The key in the folder `keys`."""

    def __init__(self, keys: Path, entropy: Entropy) -> None:
        self.path = keys / FILE
        self._entropy = entropy

    def read(self) -> bytes | None:
        """The key; None where there is no file. Raises `KeyringUnusable`."""
        try:
            must_be_private(self.path, 0o600)
            key = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyringUnusable(f"{self.path} cannot be read: {error.strerror}") from error
        if len(key) != KEY_BYTES:
            raise KeyringUnusable(f"{self.path} holds no key; put it back from your copy of the data folder's keys")
        return key

    def make(self) -> bytes:
        """A new key, durable. Raises `KeyringUnusable`."""
        key = self._entropy.token_bytes(KEY_BYTES)
        try:
            private_folder(self.path.parent)
            write_private(self.path, key)
        except OSError as error:
            raise KeyringUnusable(f"{self.path} cannot be written: {error.strerror}") from error
        return key
