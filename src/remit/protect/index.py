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
from remit.protect.gathered import NOWHERE, PATTERNS_MAX, Entry, Gathered
from remit.protect.hashing import Keyed, keyed

WORDS: Final = 1
DERIVED: Final = 2
TRUSTED: Final = 4
UNTRUSTED: Final = 8
DIRECTORY: Final = 16
BROUGHT: Final = 32
"""An agent handed it to a tool that may keep it before anybody said it: who finds it there vouches for nothing."""
VOUCHING: Final = WORDS | DERIVED | TRUSTED | DIRECTORY
"""What speaks for a token."""
KNOWN: Final = 63
"""All of them."""
GIVEN: Final = DERIVED | TRUSTED | DIRECTORY
"""What results say for a token. For one that was brought they say nothing."""
HELD: Final = DIRECTORY | BROUGHT
"""Of these, what a directory holds and nobody brought has the first alone."""
_ENTRY_BYTES: Final = 16
_SHORT: Final = struct.Struct("<H")
_NAME_BYTES_MAX: Final = 1_024
TOKENS_MAX: Final = 500_000
"""How many distinct tokens one session keeps; beyond, everything counts as seen in untrusted results."""
DELTA_MAX: Final = 20_000
"""How many new ones one result may bring."""
_ANY: Final = 4_095
"""The pattern of what is on none that is kept; and the bits that a pattern takes."""
_SAID: Final = NOWHERE << 24 | KNOWN
"""Element and bits, in an entry and in what an index keeps alike; between them is the pattern."""
_CALL_BIT: Final = 40
_ORIGINS: Final = tuple(
    Origin.GROUNDED
    if seen & WORDS
    else Origin.DERIVED
    if seen & DERIVED and not seen & BROUGHT
    else Origin.UNTRUSTED
    if seen & UNTRUSTED
    else Origin.TRUSTED
    if seen & TRUSTED and not seen & BROUGHT
    else Origin.UNSEEN
    for seen in range(KNOWN + 1)
)


def origin_of(found: int) -> Origin:
    """The origin of what `Index.look` found; that a directory holds it says nothing of origins."""
    return _ORIGINS[found & KNOWN]


@dataclass(frozen=True, slots=True)
class Delta:
    """What one record adds to an index.

    `call` is the decision id of the call whose result it was, empty for the user's words. `entries` are the hashes of
    the tokens, each with what is said of it: element, pattern and bits. `capped`: there was more than is kept.
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
        listed = b"".join(_SHORT.pack(len(name)) + name for name in names)
        order = sorted(self.entries)
        columns = array("Q", order).tobytes() + array("Q", map(self.entries.__getitem__, order)).tobytes()
        return bytes((flags,)) + _SHORT.pack(len(names)) + listed + columns

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
        hashes, said = array("Q", data[at : at + half]), array("Q", data[at + half :])
        return cls(call, tuple(names), dict(zip(hashes, said, strict=True)), bool(data[0] & 1), bool(data[0] & 2))


class Index:
    """The origins of one session's tokens. One thread applies; another one looks `beside` it."""

    __slots__ = ("_calls", "_key", "_keyed", "_names", "_patterns", "_seen", "capped", "prose")

    def __init__(self, key: bytes | Keyed, deltas: Iterable[Delta] = ()) -> None:
        self._key = key
        self._keyed = keyed(key) if isinstance(key, bytes) else key
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

    def beside(self) -> "Index":
        """The same for one other thread, to look at: what it finds new may be known here by then.

        Applied all the same, that changes nothing, since an index only grows.
        """
        made = Index(self._key)
        made._seen, made._calls, made._names, made._patterns = self._seen, self._calls, self._names, self._patterns
        made.capped, made.prose = self.capped, self.prose
        return made

    def look(self, token: str) -> int:
        """What is known of `token`, in its low bits and for `place`; 0 for nothing."""
        return self.look_all((token,))[0]

    def look_all(self, tokens: Collection[str]) -> list[int]:
        """What `look` says of each of `tokens`, in their order."""
        return self._found(self._keyed.many(tokens))

    def unseen(self, hashes: Iterable[int]) -> list[int]:
        """Those of `hashes` whose tokens were seen nowhere, handed to a tool included."""
        known = self._seen
        return [at for at in hashes if not known.get(at, 0) & KNOWN]

    def strange(self, hashes: Collection[int]) -> list[int]:
        """Those of `hashes` whose tokens nothing vouches for."""
        told = zip(hashes, self._found(hashes), strict=True)
        return [at for at, found in told if origin_of(found) > Origin.TRUSTED]

    def _found(self, hashes: Collection[int]) -> list[int]:
        known = self._seen
        found = [known.get(at, 0) for at in hashes]
        return [one and one | UNTRUSTED for one in found] if self.capped else found

    def hashes(self, tokens: Collection[str]) -> list[int]:
        """What stands for each of `tokens` in a delta, in their order."""
        return self._keyed.many(tokens)

    def place(self, found: int) -> tuple[str, str]:
        """The call and the path where what `look` found came to its origin."""
        name, element = found >> 8 & _ANY, found >> 24 & NOWHERE
        pattern = self._patterns[name] if name < len(self._patterns) else "$"
        at = pattern if element == NOWHERE else pattern.replace("[*]", f"[{element}]", 1)
        return self._calls[(found >> _CALL_BIT) - 1], at

    def delta(self, call: str, entries: Iterable[Entry], *, capped: bool = False, prose: bool = False) -> Delta:
        """What of `entries` is new; the same bytes for the same tokens, in whatever order a set has them."""
        gathered = Gathered()
        for tokens, seen, pattern, element in entries:
            gathered.add(tokens, seen, pattern, element)
        return self.delta_of(call, gathered, capped=capped, prose=prose)

    def delta_of(
        self, call: str, gathered: Gathered, *, capped: bool = False, prose: bool = False, room: int | None = None
    ) -> Delta:
        """What of `gathered` is new, `room` tokens at most."""
        if room is None:
            room = min(DELTA_MAX, TOKENS_MAX - len(self._seen))
        made = self._new(gathered)
        if len(made) > room:
            capped = True
            made = {at: made[at] for at in islice(sorted(made), room)}
        prose = prose and not self.prose
        return Delta(call, gathered.names if made else (), made, capped and not self.capped, prose)

    def _new(self, gathered: Gathered) -> dict[int, int]:
        """The hash of each token that is new as what it was seen as, with what is said of it."""
        known = self._seen
        made: dict[int, int] = {}
        apart, alike = gathered.hashed(self._keyed)
        for at, told in apart:
            had, new = known.get(at, 0), 0
            for place, seen in told:
                if new:
                    new |= seen
                elif seen & ~had:
                    new = place
            if new:
                made[at] = new
        for seen, hashes, said in alike:
            told = zip(hashes, said, strict=True)
            if known.keys().isdisjoint(hashes):
                made.update(told)
            else:
                made.update({at: new for at, new in told if seen & ~known.get(at, 0)})
        return made

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
        other = call | _ANY << 8
        known = self._seen
        said = delta.entries.values()
        placed = {new: names.get(new >> 8 & NOWHERE, other) | new & _SAID for new in set(said)}
        if known.keys().isdisjoint(delta.entries):
            known.update(zip(delta.entries, map(placed.__getitem__, said), strict=True))
            return
        for at, new in delta.entries.items():
            place = placed[new]
            had = known.get(at)
            if had is None:
                known[at] = place
                continue
            seen = (had | place) & KNOWN
            # What came to no other origin is still where it was first seen.
            known[at] = (had if _ORIGINS[seen] is _ORIGINS[had & KNOWN] else place) & ~KNOWN | seen

    def _name(self, pattern: str) -> int:
        found = self._names.get(pattern)
        if found is None:
            if len(self._patterns) == PATTERNS_MAX:
                return _ANY
            found = self._names[pattern] = len(self._patterns)
            self._patterns.append(pattern)
        return found
