"""What a result adds to the origins of the session that it reaches: its tokens, and what the rules derive."""

from collections.abc import Iterator, Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.origin import Origin, Role
from remit.protect.index import DERIVED, DIRECTORY, TRUSTED, UNTRUSTED, WORDS, Delta, Entry, Index, origin_of
from remit.protect.language import STOP
from remit.protect.origins import Names, Seen, all_grounded, leaves
from remit.protect.paths import reaching
from remit.protect.pieces import CARRIED, Kind
from remit.protect.reading import Leaf, Reading
from remit.protect.tokens import parts, plain, texts, whole

_PLACES: Final = CARRIED - {Kind.ADDRESS}
_ALIKE_CHARS_MIN: Final = 3
"""Words of an identity that are shorter name nothing by themselves."""


def learn(reading: Reading, tool: Tool | None, given: Mapping[str, Json], index: Index, call: str) -> Delta:
    """What a result that is the answer to `given` adds to `index`.

    What is derived hangs on what was seen before it.
    """
    seen = Seen(index)
    records = _named(reading, seen)
    directory = tool is not None and all_grounded(_query(tool, given), seen)
    entries: list[Entry] = []
    prose = False
    for leaf in reading.leaves:
        found = texts(leaf.text)
        if not leaf.name:
            if not found.isdisjoint(STOP):
                prose = prose or leaf.untrusted
                found -= STOP
            entries.append((found, UNTRUSTED if leaf.untrusted else TRUSTED, leaf.pattern, leaf.element))
            continue
        bits = UNTRUSTED if leaf.untrusted else TRUSTED
        if leaf.part is not None and leaf.part.directory:
            bits |= DIRECTORY | DERIVED if directory else DIRECTORY
        if leaf.record in records:
            bits |= DERIVED
        if leaf.untrusted:
            # It is there, and nothing follows from a name that anybody may have chosen.
            bits &= ~(DERIVED | DIRECTORY) if _leads(leaf.text) else ~DERIVED
        if len(found) == 1 and found.isdisjoint(STOP):
            entries.append((found, bits, leaf.pattern, leaf.element))
        else:
            entries.extend(_several(leaf, bits, seen))
    return index.delta(call, entries, capped=reading.capped, prose=prose)


def _leads(text: str) -> bool:
    """Whether a name is or holds what leads to a place by itself: a page, an account. Whom it reaches is a person."""
    return any(kind in _PLACES for _, kind in parts(text))


def _several(leaf: Leaf, bits: int, seen: Seen) -> Iterator[Entry]:
    """A name of several parts: each is trusted, and derived is only the whole.

    A name does not hold addresses: whoever wrote one into it wants to be followed. With one that nothing vouches for
    the whole is not derived either.
    """
    found = parts(leaf.text)
    carried = [token for token, kind in found if kind in CARRIED]
    yield carried, UNTRUSTED, leaf.pattern, leaf.element
    told = [*(token for token, _ in found if token not in carried), *reaching(plain(leaf.text))]
    yield told, bits & ~DERIVED, leaf.pattern, leaf.element
    if any(origin_of(seen.look(token)) > Origin.TRUSTED for token in carried):
        bits &= ~DERIVED
    yield (whole(leaf.text),), bits, leaf.pattern, leaf.element


def _named(reading: Reading, seen: Seen) -> frozenset[int]:
    """The one record whose identity the user named: with all of its words, or else alone with some of them."""
    fully: set[int] = set()
    partly: set[int] = set()
    for leaf in reading.leaves:
        if not leaf.name or not leaf.record or leaf.part is None or not leaf.part.identity:
            continue
        words = [word for word, _ in parts(leaf.text) if word not in STOP]
        told = [word for word in words if len(word) >= _ALIKE_CHARS_MIN and seen.look(word) & WORDS]
        if told:
            partly.add(leaf.record)
            if len(told) == len(words):
                fully.add(leaf.record)
    return frozenset(fully or partly) if len(fully or partly) == 1 else frozenset()


def _query(tool: Tool, given: Mapping[str, Json]) -> list[str | float]:
    """What a directory is asked for: the arguments that are keys, or all where none is said to be."""
    keys = {name for name, one in tool.arguments.items() if one.role is Role.KEY}
    return [value for path, value in leaves(given, Names()) if not keys or path[0] in keys]
