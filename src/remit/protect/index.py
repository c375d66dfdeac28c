"""Where the tokens of one session were seen: a map from keyed hashes to origins, and what changes it.

Laws
* It holds no text: tokens are hashed under the session's own key, and whoever erases the key erases all of it.
* It only grows: `apply` adds what a token was seen as, and takes nothing away.
* What is saved is deltas: the index is the fold of those of the session's records, in their order.
* INVARIANT(label-before-data): a delta is durable, and applied, before a byte that it speaks of is released; so a
  call can depend on nothing that the index does not know when it is judged.
"""

import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from remit.facts.origin import Origin

WORDS: Final = 1
DERIVED: Final = 2
TRUSTED: Final = 4
UNTRUSTED: Final = 8
DIRECTORY: Final = 16
_SEEN: Final = 31
_ENTRY: Final = struct.Struct("<QBHH")
_SHORT: Final = struct.Struct("<H")
_HASH_BYTES: Final = 8
_NAME_BYTES_MAX: Final = 1_024
_MASK: Final = (1 << 60) - 1
"""A Python integer of 60 bits takes 32 bytes, one of 61 takes 36."""
KEY_BYTES: Final = 32
TOKENS_MAX: Final = 500_000
"""How many distinct tokens one session keeps; beyond, everything counts as seen in untrusted results."""
DELTA_MAX: Final = 20_000
"""How many new ones one result may bring."""
PATTERNS_MAX: Final = 4_095
NOWHERE: Final = 0xFFFF
_ORIGINS: Final = tuple(
    Origin.GROUNDED
    if seen & WORDS
    else Origin.DERIVED
    if seen & DERIVED
    else Origin.UNTRUSTED
    if seen & UNTRUSTED
    else Origin.TRUSTED
    if seen & TRUSTED
    else Origin.UNSEEN
    for seen in range(_SEEN + 1)
)


class Found(NamedTuple):
    """What is known of a token: its bits, and the call and path where it first came to its origin."""

    seen: int
    call: str
    at: str


UNKNOWN: Final = Found(0, "", "")


def origin_of(seen: int) -> Origin:
    """The origin of what was seen as these bits say; a directory says nothing of origins."""
    return _ORIGINS[seen]


class Entry(NamedTuple):
    """A token to be added: where in the result it stands (`$[*].to`, and which element), and its bits."""

    token: str
    seen: int
    pattern: str
    element: int = NOWHERE


@dataclass(frozen=True, slots=True)
class Delta:
    """What one record adds to an index.

    `call` is the decision id of the call whose result it was, empty for the user's words. `entries` are hash,
    bits, pattern and element of each token, packed. `capped`: there was more than is kept. `prose`: words that
    tell nothing stood in it, untrusted.
    """

    call: str
    patterns: tuple[str, ...] = ()
    entries: bytes = b""
    capped: bool = False
    prose: bool = False

    def __bool__(self) -> bool:
        return bool(self.entries) or self.capped or self.prose

    def pack(self) -> bytes:
        """As a record keeps it, but for the call, which the record names; some 13 bytes a token."""
        flags = self.capped | self.prose << 1
        names = [pattern.encode("utf-8", "replace")[:_NAME_BYTES_MAX] for pattern in self.patterns]
        listed = b"".join(_SHORT.pack(len(name)) + name for name in names)
        return bytes((flags,)) + _SHORT.pack(len(names)) + listed + self.entries

    @classmethod
    def unpack(cls, call: str, data: bytes) -> "Delta":
        """What `pack` made. Raises `ValueError` for anything else."""
        try:
            (count,) = _SHORT.unpack_from(data, 1)
            at = 1 + _SHORT.size
            names: list[str] = []
            for _ in range(count):
                (size,) = _SHORT.unpack_from(data, at)
                at += _SHORT.size + size
                names.append(data[at - size : at].decode("utf-8"))
        except (struct.error, UnicodeDecodeError) as error:
            raise ValueError(f"this is no delta of an origin index ({type(error).__name__})") from None
        if at > len(data) or (len(data) - at) % _ENTRY.size or data[0] > 3:
            raise ValueError("this is no delta of an origin index (it is cut off)")
        return cls(call, tuple(names), data[at:], bool(data[0] & 1), bool(data[0] & 2))


class Index:
    """The origins of one session's tokens. Not thread-safe."""

    __slots__ = ("_base", "_calls", "_names", "_patterns", "_seen", "capped", "prose")

    def __init__(self, key: bytes, deltas: Iterable[Delta] = ()) -> None:
        self._base = hashlib.blake2b(key=key, digest_size=_HASH_BYTES)
        self._seen: dict[int, int] = {}
        self._calls: list[str] = []
        self._patterns: list[str] = []
        self._names: dict[str, int] = {}
        self.capped = False
        self.prose = False
        for delta in deltas:
            self.apply(delta)

    def __len__(self) -> int:
        return len(self._seen)

    def find(self, token: str) -> Found:
        """What is known of `token`."""
        packed = self._seen.get(self._hash(token))
        if packed is None:
            return UNKNOWN
        seen = packed & _SEEN
        return Found(seen | UNTRUSTED if self.capped else seen, self._calls[packed >> 33], self._where(packed))

    def seen(self, token: str) -> int:
        """The bits of `token` alone."""
        packed = self._seen.get(self._hash(token))
        if packed is None:
            return 0
        return packed & _SEEN | (UNTRUSTED if self.capped else 0)

    def delta(self, call: str, entries: Iterable[Entry], *, capped: bool = False, prose: bool = False) -> Delta:
        """What of `entries` is new."""
        patterns: dict[str, int] = {}
        packed: dict[int, tuple[int, int, int]] = {}
        for token, seen, pattern, element in entries:
            at = self._hash(token)
            had = self._seen.get(at, 0) & _SEEN
            made = packed.get(at)
            if made is not None:
                if seen & ~made[0]:
                    packed[at] = (made[0] | seen, made[1], made[2])
            elif seen & ~had:
                if len(packed) == DELTA_MAX or len(self._seen) + len(packed) >= TOKENS_MAX:
                    capped = True
                    break
                name = patterns.setdefault(pattern, len(patterns)) if len(patterns) < PATTERNS_MAX else NOWHERE
                packed[at] = (seen, name, element)
        listed = b"".join(_ENTRY.pack(at, *rest) for at, rest in packed.items())
        prose = prose and not self.prose
        return Delta(call, tuple(patterns), listed, capped and not self.capped, prose)

    def apply(self, delta: Delta) -> None:
        """Add what `delta` says."""
        self.capped = self.capped or delta.capped
        self.prose = self.prose or delta.prose
        if not delta.entries:
            return
        if not self._calls or self._calls[-1] != delta.call:
            self._calls.append(delta.call)
        call = len(self._calls) - 1 << 33
        names = [self._name(pattern) << 21 for pattern in delta.patterns]
        shared: dict[int, int] = {}
        entries = cast("Iterable[tuple[int, int, int, int]]", _ENTRY.iter_unpack(delta.entries))
        for at, seen, pattern, element in entries:
            had = self._seen.get(at)
            place = call | (names[pattern] if pattern < len(names) else PATTERNS_MAX << 21) | element << 5
            made = seen & _SEEN
            if had is not None:
                made |= had & _SEEN
                if _ORIGINS[made] is _ORIGINS[had & _SEEN]:
                    place = had & ~_SEEN
            made |= place
            self._seen[at] = shared.setdefault(made, made)

    def _hash(self, token: str) -> int:
        made = self._base.copy()
        made.update(token.encode("utf-8", "surrogatepass"))
        return int.from_bytes(made.digest(), "little") & _MASK

    def _name(self, pattern: str) -> int:
        found = self._names.get(pattern)
        if found is None:
            if len(self._patterns) == PATTERNS_MAX:
                return PATTERNS_MAX
            found = self._names[pattern] = len(self._patterns)
            self._patterns.append(pattern)
        return found

    def _where(self, packed: int) -> str:
        name, element = packed >> 21 & PATTERNS_MAX, packed >> 5 & NOWHERE
        pattern = self._patterns[name] if name < len(self._patterns) else "$"
        return pattern if element == NOWHERE else pattern.replace("[*]", f"[{element}]", 1)
