"""What the service wrote for itself, told from anything else before a byte of it is read.

Law: what is remembered is unpickled only after its HMAC-SHA-256 under a key of the data
folder was found right. A bit that flipped on the disk, and whoever can write the file but not read the key, can make a
start slower, never a verdict another.
"""

import hashlib
import hmac
import logging
from pathlib import Path
from typing import Final

from remit.adapters.private import KeyringUnusable, must_be_private, private_folder, write_private
from remit.adapters.system import SystemEntropy
from remit.pep.fault import fault

FILE: Final = "bundles.key"
SEAL_BYTES: Final = 32
_KEY_BYTES: Final = 32
_LOG: Final = logging.getLogger(__name__)


class FileSeal:
    """Seals with the key in the folder `keys`, made where none can be used: losing it costs time alone."""

    def __init__(self, keys: Path) -> None:
        try:
            self._key: bytes | None = _key(keys)
        except (KeyringUnusable, OSError) as error:
            _LOG.warning("nothing is remembered of bundles", extra=fault(error))
            self._key = None

    @property
    def able(self) -> bool:
        """Whether there is a key; without one nothing is kept and nothing that was kept is read."""
        return self._key is not None

    def seal(self, name: str, data: bytes) -> bytes:
        """What stands before `data` in the file `name`, `SEAL_BYTES` of it. Raises `ValueError` without a key."""
        if self._key is None:
            raise ValueError("there is no key to seal with")
        return hmac.digest(self._key, f"{name}\0".encode() + data, hashlib.sha256)

    def own(self, name: str, seal: bytes, data: bytes) -> bool:
        """Whether `seal` was made here for just this `data` in the file `name`."""
        return self._key is not None and hmac.compare_digest(self.seal(name, data), seal)


def damaged(path: Path) -> None:
    """Tell the log that `path` does not hold what was written there, or under another key."""
    _LOG.warning("what was remembered of bundles is damaged", extra={"place": path.name})


def _key(keys: Path) -> bytes:
    """The key in `keys`, or a new one. Raises `KeyringUnusable`, `OSError`."""
    path = keys / FILE
    try:
        must_be_private(path, 0o600)
        key = path.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
    except FileNotFoundError:
        pass
    except KeyringUnusable:
        # Whoever could read it could seal: another one.
        _LOG.warning("the key of what is remembered of bundles is made anew: others could read it")
    new_key = SystemEntropy().token_bytes(_KEY_BYTES)
    private_folder(keys)
    write_private(path, new_key)
    return new_key
