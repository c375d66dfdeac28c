"""What a result adds to the origins of the sessions that it reaches: its tokens, and what the rules derive."""

from collections.abc import Iterator, Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.origin import Role
from remit.protect.index import DERIVED, DIRECTORY, TRUSTED, UNTRUSTED, WORDS, Delta, Entry, Index
from remit.protect.origins import Seen, all_grounded, leaves
from remit.protect.reading import Leaf, Reading
from remit.protect.tokens import CARRIED, STOP, parts, texts, whole

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
        if not leaf.name:
            untrusted = any(label.startswith("untrusted") for label in leaf.labels)
            found = texts(leaf.text)
            bits = UNTRUSTED if untrusted else TRUSTED
            prose = prose or (untrusted and not STOP.isdisjoint(found))
            entries.extend([Entry(token, bits, leaf.pattern, leaf.element) for token in found - STOP])
            continue
        entries.extend(_trusted(leaf, derived=_derives(leaf, records, directory=directory)))
    return index.delta(call, entries, capped=reading.capped, prose=prose)


def _trusted(leaf: Leaf, *, derived: bool) -> Iterator[Entry]:
    found = parts(leaf.text)
    bits = TRUSTED | (DIRECTORY if leaf.part is not None and leaf.part.directory else 0)
    alone = len(found) == 1
    for token in found:
        if not alone and token.kind in CARRIED:
            # A name does not hold addresses: whoever wrote this one wants to be followed.
            yield Entry(token.text, UNTRUSTED, leaf.pattern, leaf.element)
        else:
            yield Entry(token.text, (bits | DERIVED) if alone and derived else bits, leaf.pattern, leaf.element)
    if not alone or found[0].text in STOP:
        yield Entry(whole(leaf.text), bits | DERIVED if derived else bits, leaf.pattern, leaf.element)


def _derives(leaf: Leaf, records: frozenset[int], *, directory: bool) -> bool:
    if leaf.record in records and leaf.record:
        return True
    return directory and leaf.part is not None and leaf.part.directory


def _named(reading: Reading, seen: Seen) -> frozenset[int]:
    """The one record whose identity the user named: with all of its words, or else alone with some of them."""
    fully: set[int] = set()
    partly: set[int] = set()
    for leaf in reading.leaves:
        if not leaf.name or leaf.part is None or not leaf.part.identity:
            continue
        words = [token.text for token in parts(leaf.text) if token.text not in STOP]
        told = [word for word in words if len(word) >= _ALIKE_CHARS_MIN and seen.bits(word) & WORDS]
        if told:
            partly.add(leaf.record)
            if len(told) == len(words):
                fully.add(leaf.record)
    for found in (fully, partly):
        if len(found) == 1:
            return frozenset(found)
        if found:
            break
    return frozenset()


def _query(tool: Tool, given: Mapping[str, Json]) -> list[str | float]:
    """What a directory is asked for: the arguments that are keys, or all where none is said to be."""
    keys = {name for name, one in tool.arguments.items() if one.role is Role.KEY}
    return [value for path, value in leaves(given) if not keys or path[0] in keys]
