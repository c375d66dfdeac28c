"""What sessions that held something untrusted handed to a server while nothing vouched for it.

Laws
* Each server has an index of its own, of all sessions and for good, under a key of its own: it holds no text.
* It says of a token what the session knew that handed it over: that nothing vouched for it, or a directory alone, which
  holds it still.
* No result of that server vouches for what is in it, in any session but the one that is first known to have handed it
  over, which has its own law (`handover`). What a session had vouched for before stays so.
* No one write makes an index useless. What is more than it tells apart goes into a sieve, which says of each token
  that went in that it was handed over, and of ever more others: in the end of all.
INVARIANT(label-before-data): a server's index has what a call hands over before that is forwarded.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

from remit.facts.origin import Origin
from remit.protect.handover import Handover
from remit.protect.hashing import TokenHasher
from remit.protect.index import (
    ALL_BITS,
    DIRECTORY,
    ESTABLISHED_MASK,
    HANDED_OVER,
    RESULT_BITS,
    UNTRUSTED,
    Delta,
    Index,
    origin_of,
)
from remit.protect.scalars import IndexView
from remit.protect.token_places import NOWHERE, PATTERNS_MAX, TokenPlaces

SERVER_TOKENS_MAX: Final = 200_000
"""How many tokens the index of one server tells apart, some 100 bytes each."""
SIEVE_BITS: Final = 25
"""The sieve of a server takes four MiB once it is needed. One of two million tokens takes one other in 200 for one."""
_SIEVE_MASK: Final = (1 << SIEVE_BITS) - 1
_HASH_BITS: Final = 60
_SERVER: Final = "server "
_UNKNOWN_SENDER: Final = "handed over, as far as can be told"


def index_of(server: str) -> str:
    """The name of the index of `server`; no session has one with a space."""
    return _SERVER + server


def is_of_server(sid: str) -> bool:
    """Whether the index `sid` is a server's."""
    return sid.startswith(_SERVER)


def handover_delta(handover: Handover, view: IndexView, server: Index, sid: str) -> Delta:
    """What the index of a `server` learns of `handover`, in the root session `sid` with that `view`."""
    tokens = sorted(handover.tokens())
    view.look_up(tokens)
    unvouched = [token for token in tokens if origin_of(view[token]) > Origin.TRUSTED]
    listed = {token for token in unvouched if view[token] & ESTABLISHED_MASK == DIRECTORY}
    name, places = "" if handover.tool is None else handover.tool.name, TokenPlaces()
    places.add([token for token in unvouched if token not in listed], HANDED_OVER, name, NOWHERE)
    places.add(sorted(listed), UNTRUSTED, name, NOWHERE)
    return server.delta_of(sid, places, room=len(tokens))


def without_handed_over(delta: Delta, places: TokenPlaces, index: Index, server: Index, sid: str) -> Delta:
    """`delta`, which a result with tokens at these `places` adds to `index`, that of the root session `sid`.

    It vouches for nothing that others handed to its `server`, and says who did.
    """
    if server.capped:
        return replace(
            delta,
            entries={
                token_hash: entry & ~RESULT_BITS
                for token_hash, entry in delta.entries.items()
                if entry & ~RESULT_BITS & ALL_BITS
            },
        )
    entries, tokens = dict(delta.entries), places.tokens(RESULT_BITS)
    hits = [
        (token, server_entry) for token, server_entry in zip(tokens, server.lookup(tokens), strict=True) if server_entry
    ]
    hashes = index.hashes([token for token, _ in hits])
    unvouched, unseen = set(index.unvouched(hashes)), set(index.unseen(hashes))
    locations = _Places(delta.patterns)
    for token_hash, (_, server_entry) in zip(hashes, hits, strict=True):
        entry, (sender, tool) = entries.get(token_hash, 0), server.place(server_entry)
        if not entry & RESULT_BITS or (sender == sid and token_hash not in unseen):
            continue
        entries[token_hash] = entry & ~RESULT_BITS
        if token_hash in unvouched:
            bits = HANDED_OVER if server_entry & HANDED_OVER else entry & DIRECTORY | UNTRUSTED
            who = f"handed over in session {sender} by {tool or 'a tool'}" if sender else _UNKNOWN_SENDER
            entries[token_hash] = locations.of(entry & ~RESULT_BITS | bits, who)
    entries = {token_hash: entry for token_hash, entry in entries.items() if entry & ALL_BITS}
    return replace(delta, patterns=tuple(locations.names), entries=entries)


class ServerIndex(Index):
    """The index of a server: of tokens beyond `SERVER_TOKENS_MAX` it knows no more than that they were handed over."""

    __slots__ = ("_sieve",)

    def __init__(self, key: bytes | TokenHasher, deltas: Iterable[Delta] = ()) -> None:
        self._sieve = bytearray()
        super().__init__(key, deltas)

    def beside(self) -> "ServerIndex":
        """As that of a session."""
        view = ServerIndex(self._key)
        view._entries, view._calls = self._entries, self._calls
        view._names, view._patterns = self._names, self._patterns
        view.capped, view._sieve = self.capped, self._sieve
        return view

    def place(self, entry: int) -> tuple[str, str]:
        """The session that handed over the token of an `entry`, and its tool; nothing of what is in the sieve."""
        return super().place(entry) if entry > ALL_BITS else ("", "")

    def apply(self, delta: Delta) -> None:
        """Add what `delta` says; to the sieve, what there is no room for."""
        room = max(0, SERVER_TOKENS_MAX - len(self))
        if len(delta.entries) > room:
            # In the order in which a record has them.
            order = sorted(delta.entries)
            self._sift(order[room:])
            delta = replace(delta, entries={token_hash: delta.entries[token_hash] for token_hash in order[:room]})
        super().apply(delta)

    def _entries_of(self, hashes: Collection[int]) -> list[int]:
        entries = super()._entries_of(hashes)
        if not self._sieve:
            return entries
        return [
            entry or HANDED_OVER * self._is_sifted(token_hash)
            for entry, token_hash in zip(entries, hashes, strict=True)
        ]

    def _new(self, places: TokenPlaces) -> dict[int, int]:
        entries = super()._new(places)
        if not self._sieve:
            return entries
        return {token_hash: entry for token_hash, entry in entries.items() if not self._is_sifted(token_hash)}

    def _sift(self, hashes: Iterable[int]) -> None:
        sieve = self._sieve = self._sieve or bytearray(1 << SIEVE_BITS - 3)
        for token_hash in hashes:
            for bit in _bits(token_hash):
                sieve[bit >> 3] |= 1 << (bit & 7)

    def _is_sifted(self, token_hash: int) -> bool:
        sieve = self._sieve
        return all(sieve[bit >> 3] >> (bit & 7) & 1 for bit in _bits(token_hash))


FULL: Final = ServerIndex(bytes(16), [Delta("", capped=True)])
"""The index of a server of which nobody knows what it was handed."""


def _bits(token_hash: int) -> tuple[int, int, int]:
    """Where the sieve says of the token whose hash is `token_hash` that it went in: its bits are as good as random."""
    step = token_hash >> _HASH_BITS - SIEVE_BITS | 1
    return token_hash & _SIEVE_MASK, token_hash + step & _SIEVE_MASK, token_hash + 2 * step & _SIEVE_MASK


class _Places:
    """The places in a result, and the same with a word of who handed over what stands there."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.names = list(patterns)
        self._numbers: dict[tuple[int, str], int] = {}

    def of(self, entry: int, word: str) -> int:
        """The `entry` of a token, at the same place with that `word`, as long as there is room for places."""
        number = entry >> 8 & NOWHERE
        pattern = self._numbers.get((number, word))
        if pattern is None:
            if len(self.names) == PATTERNS_MAX:
                return entry
            pattern = self._numbers[number, word] = len(self.names)
            self.names.append(f"{self.names[number] if number < pattern else '$'} ({word})")
        return entry & ~(NOWHERE << 8) | pattern << 8
