"""Where the tokens of one session were seen: a map from keyed hashes to origins, and what changes it.

Laws
* It holds no text: tokens are hashed under the session's own key, and whoever erases the key erases all of it.
* It only grows: `apply` adds what a token was seen as, and takes nothing away.
* What is saved is deltas: the index is the fold of those of the session's records, in their order.
* INVARIANT(label-before-data): a delta is durable, and applied, before a byte that it speaks of is released; so a
  call can depend on nothing that the index does not know when it is judged.
"""

import struct
from array import array
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from remit.facts.origin import Origin
from remit.protect.hashing import TokenHasher, token_hasher
from remit.protect.token_places import NOWHERE, PATTERNS_MAX, TokenGroupTuple, TokenPlaces

WORDS: Final = 1
DERIVED: Final = 2
TRUSTED: Final = 4
UNTRUSTED: Final = 8
DIRECTORY: Final = 16
HANDED_OVER: Final = 32
"""An agent handed it to a tool that may keep it before anybody said it: who finds it there vouches for nothing."""
VOUCHING: Final = WORDS | DERIVED | TRUSTED | DIRECTORY
"""What speaks for a token."""
ALL_BITS: Final = 63
"""All of them."""
RESULT_BITS: Final = DERIVED | TRUSTED | DIRECTORY
"""What results say for a token. For one that was brought they say nothing."""
ESTABLISHED_MASK: Final = DIRECTORY | HANDED_OVER
"""Of these, what a directory holds and nobody brought has the first alone."""
_ENTRY_BYTES: Final = 16
_SHORT: Final = struct.Struct("<H")
_NAME_BYTES_MAX: Final = 1_024
TOKENS_MAX: Final = 500_000
"""How many distinct tokens one session keeps; beyond, everything counts as seen in untrusted results."""
DELTA_MAX: Final = 20_000
"""How many new ones one result may bring."""
_NO_PATTERN: Final = 4_095
"""The pattern of what is on none that is kept; and the bits that a pattern takes."""
_ENTRY_MASK: Final = NOWHERE << 24 | ALL_BITS
"""Element and bits, in an entry and in what an index keeps alike; between them is the pattern."""
_CALL_BIT: Final = 40
_ORIGINS: Final = tuple(
    Origin.GROUNDED
    if seen & WORDS
    else Origin.DERIVED
    if seen & DERIVED and not seen & HANDED_OVER
    else Origin.UNTRUSTED
    if seen & UNTRUSTED
    else Origin.TRUSTED
    if seen & TRUSTED and not seen & HANDED_OVER
    else Origin.UNSEEN
    for seen in range(ALL_BITS + 1)
)


def origin_of(entry: int) -> Origin:
    """The origin of the entry that `Index.lookup` gave; that a directory holds it says nothing of origins."""
    return _ORIGINS[entry & ALL_BITS]


@dataclass(frozen=True, slots=True)
class Delta:
    """What one record adds to an index.

    `call` is the decision id of the call whose result it was, empty for the user's words. `entries` are the hashes of
    the tokens, each with its entry: element, pattern and bits. `capped`: there was more than is kept.
    `prose`: words that tell nothing stood in it, untrusted.
    """

    call: str
    patterns: tuple[str, ...] = ()
    entries: Mapping[int, int] = field(default_factory=dict[int, int])
    capped: bool = False
    prose: bool = False

    def __bool__(self) -> bool:
        return bool(self.entries) or self.capped or self.prose

    def pack(self) -> bytes:
        """As a record keeps it, but for the call, which the record names; some 16 bytes a token.

        All hashes in their order, and then what is said of each, eight bytes little-endian apiece.
        """
        flags = self.capped | self.prose << 1
        names = [pattern.encode("utf-8", "replace")[:_NAME_BYTES_MAX] for pattern in self.patterns]
        names_block = b"".join(_SHORT.pack(len(name)) + name for name in names)
        order = sorted(self.entries)
        columns = array("Q", order).tobytes() + array("Q", map(self.entries.__getitem__, order)).tobytes()
        return bytes((flags,)) + _SHORT.pack(len(names)) + names_block + columns

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
                # One that was too long may end in half a character.
                names.append(data[at - size : at].decode("utf-8", "replace"))
        except struct.error as error:
            raise ValueError(f"this is no delta of an origin index ({type(error).__name__})") from None
        if at > len(data) or (len(data) - at) % _ENTRY_BYTES or data[0] > 3:
            raise ValueError("this is no delta of an origin index (it is cut off)")
        half = (len(data) - at) // 2
        hashes, values = array("Q", data[at : at + half]), array("Q", data[at + half :])
        return cls(call, tuple(names), dict(zip(hashes, values, strict=True)), bool(data[0] & 1), bool(data[0] & 2))


class Index:
    """The origins of one session's tokens. One thread applies; another one looks `beside` it."""

    __slots__ = ("_calls", "_entries", "_hasher", "_key", "_names", "_patterns", "capped", "prose")

    def __init__(self, key: bytes | TokenHasher, deltas: Iterable[Delta] = ()) -> None:
        self._key = key
        self._hasher = token_hasher(key) if isinstance(key, bytes) else key
        self._entries: dict[int, int] = {}
        self._calls: list[str] = []
        self._patterns: list[str] = []
        self._names: dict[str, int] = {}
        self.capped = False
        self.prose = False
        for delta in deltas:
            self.apply(delta)

    def __len__(self) -> int:
        return len(self._entries)

    def beside(self) -> "Index":
        """The same for one other thread, to look at: what it finds new may be known here by then.

        Applied all the same, that changes nothing, since an index only grows.
        """
        view = Index(self._key)
        view._entries, view._calls = self._entries, self._calls
        view._names, view._patterns = self._names, self._patterns
        view.capped, view.prose = self.capped, self.prose
        return view

    def lookup(self, tokens: Collection[str]) -> list[int]:
        """The entry of each of `tokens`, in order: what is known, in its low bits and for `place`; 0 for nothing."""
        return self._entries_of(self._hasher.hashes(tokens))

    def unseen(self, hashes: Iterable[int]) -> list[int]:
        """Those of `hashes` whose tokens were seen nowhere, handed to a tool included."""
        by_hash = self._entries
        return [token_hash for token_hash in hashes if not by_hash.get(token_hash, 0) & ALL_BITS]

    def unvouched(self, hashes: Collection[int]) -> list[int]:
        """Those of `hashes` whose tokens nothing vouches for."""
        pairs = zip(hashes, self._entries_of(hashes), strict=True)
        return [token_hash for token_hash, entry in pairs if origin_of(entry) > Origin.TRUSTED]

    def _entries_of(self, hashes: Collection[int]) -> list[int]:
        by_hash = self._entries
        entries = [by_hash.get(token_hash, 0) for token_hash in hashes]
        return [entry and entry | UNTRUSTED for entry in entries] if self.capped else entries

    def hashes(self, tokens: Collection[str]) -> list[int]:
        """What stands for each of `tokens` in a delta, in their order."""
        return self._hasher.hashes(tokens)

    def place(self, entry: int) -> tuple[str, str]:
        """The call and the path where the token of an `entry` of `lookup` came to its origin."""
        name, element = entry >> 8 & _NO_PATTERN, entry >> 24 & NOWHERE
        pattern = self._patterns[name] if name < len(self._patterns) else "$"
        path = pattern if element == NOWHERE else pattern.replace("[*]", f"[{element}]", 1)
        return self._calls[(entry >> _CALL_BIT) - 1], path

    def delta(
        self, call: str, entries: Iterable[TokenGroupTuple], *, capped: bool = False, prose: bool = False
    ) -> Delta:
        """What of `entries` is new; the same bytes for the same tokens, in whatever order a set has them."""
        places = TokenPlaces()
        for tokens, bits, pattern, element in entries:
            places.add(tokens, bits, pattern, element)
        return self.delta_of(call, places, capped=capped, prose=prose)

    def delta_of(
        self, call: str, places: TokenPlaces, *, capped: bool = False, prose: bool = False, room: int | None = None
    ) -> Delta:
        """What of `places` is new, `room` tokens at most."""
        if room is None:
            room = min(DELTA_MAX, TOKENS_MAX - len(self._entries))
        entries = self._new(places)
        if len(entries) > room:
            capped = True
            entries = {token_hash: entries[token_hash] for token_hash in islice(sorted(entries), room)}
        prose = prose and not self.prose
        return Delta(call, places.names if entries else (), entries, capped and not self.capped, prose)

    def _new(self, places: TokenPlaces) -> dict[int, int]:
        """The hash of each token that is new as what it was seen as, with its entry."""
        by_hash = self._entries
        entries: dict[int, int] = {}
        mixed, uniform = places.hashed(self._hasher)
        for token_hash, occurrences in mixed:
            before, entry = by_hash.get(token_hash, 0), 0
            for place, bits in occurrences:
                if entry:
                    entry |= bits
                elif bits & ~before:
                    entry = place
            if entry:
                entries[token_hash] = entry
        for bits, hashes, values in uniform:
            pairs = zip(hashes, values, strict=True)
            if by_hash.keys().isdisjoint(hashes):
                entries.update(pairs)
            else:
                entries.update({token_hash: entry for token_hash, entry in pairs if bits & ~by_hash.get(token_hash, 0)})
        return entries

    def apply(self, delta: Delta) -> None:
        """Add what `delta` says."""
        self.capped = self.capped or delta.capped
        self.prose = self.prose or delta.prose
        if not delta.entries:
            return
        if not self._calls or self._calls[-1] != delta.call:
            self._calls.append(delta.call)
        call = len(self._calls) << _CALL_BIT
        names = {number: call | self._name(pattern) << 8 for number, pattern in enumerate(delta.patterns)}
        other = call | _NO_PATTERN << 8
        by_hash = self._entries
        values = delta.entries.values()
        placed = {entry: names.get(entry >> 8 & NOWHERE, other) | entry & _ENTRY_MASK for entry in set(values)}
        if by_hash.keys().isdisjoint(delta.entries):
            by_hash.update(zip(delta.entries, map(placed.__getitem__, values), strict=True))
            return
        for token_hash, entry in delta.entries.items():
            place = placed[entry]
            before = by_hash.get(token_hash)
            if before is None:
                by_hash[token_hash] = place
                continue
            bits = (before | place) & ALL_BITS
            # What came to no other origin is still where it was first seen.
            stays = _ORIGINS[bits] is _ORIGINS[before & ALL_BITS]
            by_hash[token_hash] = (before if stays else place) & ~ALL_BITS | bits

    def _name(self, pattern: str) -> int:
        number = self._names.get(pattern)
        if number is None:
            if len(self._patterns) == PATTERNS_MAX:
                return _NO_PATTERN
            number = self._names[pattern] = len(self._patterns)
            self._patterns.append(pattern)
        return number
