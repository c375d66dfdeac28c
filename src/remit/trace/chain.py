"""The hash chain.

Laws
* A record commits to its body through `commitment = sha256(salt || body bytes)`: without the
  salt nobody can test a guess at an erased body.
* `hash = sha256(record bytes)`, over the bytes as they are stored.
* `prev` of a record is the hash of the record before it in its chain; that of the first is
  `genesis(chain)`, so that no record fits at the head of another chain.
* A chain is `<replica>-<epoch>`; every start opens the next epoch. Its first record is `admin`,
  event `epoch`, and names the last record of each earlier epoch: chains link too.
INVARIANT(chain-links): kept where records are written (the adapter's batch), checked by
`trace.verify`.
"""

import hashlib
import re
from typing import Final

SALT_BYTES: Final = 16
HASH_BYTES: Final = 32

_CHAIN: Final = re.compile(r"([a-z0-9]{1,16})-([1-9][0-9]{0,8})")


def genesis(chain: str) -> str:
    """`prev` of the first record of `chain`: 64 hex digits."""
    return hashlib.sha256(b"remit chain " + chain.encode("ascii")).hexdigest()


def commitment(salt: bytes, body: bytes) -> str:
    """What a record says of its body: 64 hex digits over `SALT_BYTES` of salt and the bytes."""
    return hashlib.sha256(salt + body).hexdigest()


def record_hash(data: bytes) -> bytes:
    """The hash of a record stored as `data`: 32 bytes; the next record's `prev` in hex."""
    return hashlib.sha256(data).digest()


def chain_name(replica: str, epoch: int) -> str:
    """The name of a chain. Raises `ValueError` for what no reference could hold."""
    name = f"{replica}-{epoch}"
    if _CHAIN.fullmatch(name) is None:
        raise ValueError(f"not a chain: {name[:40]!r}")
    return name


def parts(chain: str) -> tuple[str, int]:
    """The replica and epoch of `chain`. Raises `ValueError`."""
    match = _CHAIN.fullmatch(chain)
    if match is None:
        raise ValueError(f"not a chain: {chain[:40]!r}")
    return match[1], int(match[2])
