"""What sessions that held something untrusted handed to a server while nothing vouched for it.

Laws
* Each server has an index of its own, of all sessions and for good, under a key of its own: it holds no text.
* It says of a token what the session knew that handed it over: that nothing vouched for it, or a directory alone, which
  holds it still.
* No result of that server vouches for what is in it, in any session but the one that is first known to have handed it
  over, which has its own law (`handed`). What a session had vouched for before stays so.
* No one write makes an index useless. What is more than it tells apart goes into a sieve, which says of each token
  that went in that it was handed over, and of ever more others: in the end of all.
INVARIANT(label-before-data): a server's index has what a call hands over before that is forwarded.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from remit.facts.origin import Origin
from remit.protect.gathered import NOWHERE, PATTERNS_MAX, Gathered
from remit.protect.handed import Handing
from remit.protect.hashing import Keyed
from remit.protect.index import (
    BROUGHT,
    DIRECTORY,
    GIVEN,
    HELD,
    KNOWN,
    UNTRUSTED,
    Delta,
    Index,
    origin_of,
)
from remit.protect.scalars import IndexView

ENTRUSTED_MAX: Final = 200_000
"""How many tokens the index of one server tells apart, some 100 bytes each."""
SIEVE_BITS: Final = 25
"""The sieve of a server takes four MiB once it is needed. One of two million tokens takes one other in 200 for one."""
_SIEVE_MASK: Final = (1 << SIEVE_BITS) - 1
_HASH_BITS: Final = 60
_SERVER: Final = "server "


def index_of(server: str) -> str:
    """The name of the index of `server`; no session has one with a space."""
    return _SERVER + server


def is_of_server(sid: str) -> bool:
    """Whether the index `sid` is a server's."""
    return sid.startswith(_SERVER)


def entrusted(call: Handing, seen: IndexView, server: Index, sid: str) -> Delta:
    """What the index of a `server` learns of `call`, in the root session `sid`, which knows what it has `seen`."""
    tokens = sorted(call.tokens())
    seen.ask(tokens)
    strange = [token for token in tokens if origin_of(seen[token]) > Origin.TRUSTED]
    held = {token for token in strange if seen[token] & HELD == DIRECTORY}
    name, gathered = "" if call.tool is None else call.tool.name, Gathered()
    gathered.add([token for token in strange if token not in held], BROUGHT, name, NOWHERE)
    gathered.add(sorted(held), UNTRUSTED, name, NOWHERE)
    return server.delta_of(sid, gathered, room=len(tokens))


def unvouched(delta: Delta, gathered: Gathered, index: Index, server: Index, sid: str) -> Delta:
    """`delta`, which a result with what is `gathered` adds to `index`, that of the root session `sid`.

    It vouches for nothing that others handed to its `server`, and says who did.
    """
    if server.capped:
        return replace(
            delta, entries={at: said & ~GIVEN for at, said in delta.entries.items() if said & ~GIVEN & KNOWN}
        )
    entries, tokens = dict(delta.entries), gathered.tokens(GIVEN)
    found = [(token, handed) for token, handed in zip(tokens, server.look_all(tokens), strict=True) if handed]
    hashes = index.hashes([token for token, _ in found])
    strange, unseen = set(index.strange(hashes)), set(index.unseen(hashes))
    places = _Places(delta.patterns)
    for at, (_, handed) in zip(hashes, found, strict=True):
        said, (by, tool) = entries.get(at, 0), server.place(handed)
        if not said & GIVEN or (by == sid and at not in unseen):
            continue
        entries[at] = said & ~GIVEN
        if at in strange:
            kept = BROUGHT if handed & BROUGHT else said & DIRECTORY | UNTRUSTED
            who = f"handed over in session {by} by {tool or 'a tool'}" if by else "handed over, as far as can be told"
            entries[at] = places.of(said & ~GIVEN | kept, who)
    entries = {at: said for at, said in entries.items() if said & KNOWN}
    return replace(delta, patterns=tuple(places.names), entries=entries)


class ServerIndex(Index):
    """The index of a server: of more than `ENTRUSTED_MAX` tokens it knows no more than that they were handed over."""

    __slots__ = ("_sieve",)

    def __init__(self, key: bytes | Keyed, deltas: Iterable[Delta] = ()) -> None:
        self._sieve = bytearray()
        super().__init__(key, deltas)

    def beside(self) -> "ServerIndex":
        """As that of a session."""
        made = ServerIndex(self._key)
        made._seen, made._calls, made._names, made._patterns = self._seen, self._calls, self._names, self._patterns
        made.capped, made._sieve = self.capped, self._sieve
        return made

    def place(self, found: int) -> tuple[str, str]:
        """The session that handed over what was `found`, and its tool; nothing of what is in the sieve."""
        return super().place(found) if found > KNOWN else ("", "")

    def apply(self, delta: Delta) -> None:
        """Add what `delta` says; to the sieve, what there is no room for."""
        room = max(0, ENTRUSTED_MAX - len(self))
        if len(delta.entries) > room:
            # In the order in which a record has them.
            order = sorted(delta.entries)
            self._sift(order[room:])
            delta = replace(delta, entries={at: delta.entries[at] for at in order[:room]})
        super().apply(delta)

    def _found(self, hashes: Collection[int]) -> list[int]:
        found = super()._found(hashes)
        if not self._sieve:
            return found
        return [one or BROUGHT * self._is_sifted(at) for one, at in zip(found, hashes, strict=True)]

    def _new(self, gathered: Gathered) -> dict[int, int]:
        made = super()._new(gathered)
        return {at: said for at, said in made.items() if not self._is_sifted(at)} if self._sieve else made

    def _sift(self, hashes: Iterable[int]) -> None:
        sieve = self._sieve = self._sieve or bytearray(1 << SIEVE_BITS - 3)
        for at in hashes:
            for bit in _bits(at):
                sieve[bit >> 3] |= 1 << (bit & 7)

    def _is_sifted(self, at: int) -> bool:
        sieve = self._sieve
        return all(sieve[bit >> 3] >> (bit & 7) & 1 for bit in _bits(at))


FULL: Final = ServerIndex(bytes(16), [Delta("", capped=True)])
"""The index of a server of which nobody knows what it was handed."""


def _bits(at: int) -> tuple[int, int, int]:
    """Where the sieve says of the token whose hash is `at` that it went in: its bits are as good as random."""
    step = at >> _HASH_BITS - SIEVE_BITS | 1
    return at & _SIEVE_MASK, at + step & _SIEVE_MASK, at + 2 * step & _SIEVE_MASK


class _Places:
    """The places in a result, and the same with a word of who handed over what stands there."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.names = list(patterns)
        self._numbers: dict[tuple[int, str], int] = {}

    def of(self, said: int, word: str) -> int:
        """What is `said` of a token, at the same place with that `word`, as long as there is room for places."""
        number = said >> 8 & NOWHERE
        found = self._numbers.get((number, word))
        if found is None:
            if len(self.names) == PATTERNS_MAX:
                return said
            found = self._numbers[number, word] = len(self.names)
            self.names.append(f"{self.names[number] if number < found else '$'} ({word})")
        return said & ~(NOWHERE << 8) | found << 8
