"""What sessions that held something untrusted handed to a server while nothing vouched for it.

Laws
* Each server has an index of its own, of all sessions and for good, under a key of its own: it holds no text.
* It says of a token what the session knew that handed it over: that nothing vouched for it, or a directory alone, which
  holds it still.
* No result of that server vouches for what is in it, in any session but the one that is first known to have handed it
  over, which has its own law (`handed`). What a session had vouched for before stays so.
* An index that is full takes no more: from then on the results of its server vouch for nothing.
INVARIANT(label-before-data): a server's index has what a call hands over before that is forwarded.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from remit.facts.origin import Origin
from remit.protect.gathered import NOWHERE, PATTERNS_MAX, Gathered
from remit.protect.handed import Handing
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
"""How many tokens the index of one server keeps, some 100 bytes each."""
FULL: Final = Index(bytes(16), [Delta("", capped=True)])
"""The index of a server of which nobody knows what it was handed."""
_SERVER: Final = "server "


def index_of(server: str) -> str:
    """The name of the index of `server`; no session has one with a space."""
    return _SERVER + server


def is_of_server(sid: str) -> bool:
    """Whether the index `sid` is a server's."""
    return sid.startswith(_SERVER)


def entrusted(call: Handing, seen: IndexView, server: Index, sid: str) -> Delta:
    """What the index of a `server` learns of `call`, in the root session `sid`, which knows what it has `seen`."""
    if server.capped:
        return Delta(sid)
    tokens = sorted(call.tokens())
    seen.ask(tokens)
    strange = [token for token in tokens if origin_of(seen[token]) > Origin.TRUSTED]
    held = {token for token in strange if seen[token] & HELD == DIRECTORY}
    name, gathered = "" if call.tool is None else call.tool.name, Gathered()
    gathered.add([token for token in strange if token not in held], BROUGHT, name, NOWHERE)
    gathered.add(sorted(held), UNTRUSTED, name, NOWHERE)
    return server.delta_of(sid, gathered, room=ENTRUSTED_MAX - len(server))


def unvouched(delta: Delta, gathered: Gathered, index: Index, server: Index, sid: str) -> Delta:
    """`delta`, which a result with what is `gathered` adds to `index`, that of the root session `sid`.

    It vouches for nothing that others handed to its `server`, and says who did.
    """
    entries = dict(delta.entries)
    if server.capped:
        entries = {at: said & ~GIVEN for at, said in entries.items()}
        return replace(delta, entries={at: said for at, said in entries.items() if said & KNOWN})
    tokens = gathered.tokens(GIVEN)
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
            entries[at] = places.of(said & ~GIVEN | kept, f"handed over in session {by} by {tool or 'a tool'}")
    entries = {at: said for at, said in entries.items() if said & KNOWN}
    return replace(delta, patterns=tuple(places.names), entries=entries)


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
