"""What a result adds to the origins of the session that it reaches: its tokens, and what the rules derive.

Laws
* No result vouches for what its own call brought: a tool that says what it was asked for ("nothing fits eve@…") would
  make anything trusted. What nobody vouched for before is trusted once it comes without having been brought.
* Nor for what it may be made of that: a call that brings what nobody vouches for makes trusted only what the catalog
  says by a path is its server's own.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, NamedTuple

from remit.facts.canonical import Json
from remit.facts.catalog import Effect, Tool
from remit.facts.origin import Origin, Role
from remit.protect.client_answers import without_protocol_words
from remit.protect.handover import Handover, hashes_under_way, is_listed, tokens_of, with_handed_over
from remit.protect.index import (
    ALL_BITS,
    DERIVED,
    DIRECTORY,
    ESTABLISHED_MASK,
    RESULT_BITS,
    TRUSTED,
    UNTRUSTED,
    Delta,
    Index,
    origin_of,
)
from remit.protect.language import STOP
from remit.protect.origins import Names, all_grounded, leaves
from remit.protect.paths import leading, reaching
from remit.protect.reading import Basis, Reading, TextLeaf
from remit.protect.scalars import UNREAD, IndexView, judge, read_known, read_scalars
from remit.protect.server_index import without_handed_over
from remit.protect.spelling import learnt, learnt_of_paths, plainly
from remit.protect.token_kinds import ACCOUNT_DIGITS_MIN, CARRIED, TokenKind
from remit.protect.token_places import TokenPlaces
from remit.protect.tokens import firsts, parts, pieces, plain, texts, whole

_PLACES: Final = CARRIED - {TokenKind.ADDRESS}
_NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})
_VOUCHED: Final = TRUSTED | DERIVED
_NO_NAMES: Final = Names()
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_ABSENT: Final = frozenset({"-", "n/a", "none", "null", "~"})
"""As what stands in place of an address that there is none of."""
_ALIKE_CHARS_MIN: Final = 3
"""Words of an identity that are shorter name nothing by themselves."""


class KnownBeside(NamedTuple):
    """What is known beside the index of the session `sid`: what configuration grounds, what its server was handed."""

    configured: frozenset[str] = frozenset()
    server: Index | None = None
    sid: str = ""


_NOTHING_KNOWN: Final = KnownBeside()


def learn(
    reading: Reading,
    tool: Tool | None,
    given: Mapping[str, Json],
    index: Index,
    call: str,
    answers: Mapping[str, Json] = _NOTHING,
    *,
    names: Names = _NO_NAMES,
    known: KnownBeside = _NOTHING_KNOWN,
) -> Delta:
    """What a result that is the answer to `given`, and to `answers` in mid-call, adds to `index`.

    `names` are those that people accepted. What is derived hangs on what was seen before it.
    """
    seen = IndexView(index, known.configured)
    records, directory = frozenset[int](), False
    if tool is not None:
        if any(part.identity for part in tool.results):
            records = named(reading, seen)
        if any(part.directory for part in tool.results):
            directory = grounds(tool, given, seen)
    basis = Basis(records, directory, reading.free and composed(tool, given, answers, names, seen))
    kept = reading.kept.get(basis)
    if kept is None:
        kept, hangs = _gathered(reading, basis, seen)
        if not hangs:
            reading.kept[basis] = kept
    gathered, prose = kept
    delta = index.delta_of(call, gathered, capped=reading.capped, prose=prose)
    # What only says back what it was asked may stand in a list like what is there.
    bare = tool is not None and any(part.directory and part.bare for part in tool.results)
    delta = _unechoed(delta, (given, answers), index, _VOUCHED | DIRECTORY if bare else _VOUCHED)
    if known.server is not None:
        delta = without_handed_over(delta, gathered, index, known.server, known.sid)
    if tool is None or tool.effect is Effect.READ:
        return delta
    return with_handed_over(delta, Handover(tool, given, answers, names), index)


def beside(delta: Delta, calls: Sequence[Handover], index: Index) -> Delta:
    """`delta` where other `calls` of its sessions have not ended: what they hand on it vouches for as little."""
    return _without(delta, hashes_under_way(delta, calls, index), RESULT_BITS)


def composed(
    tool: Tool | None, given: Mapping[str, Json], answers: Mapping[str, Json], names: Names, seen: IndexView
) -> bool:
    """Whether a result may be made of something that nobody vouches for, of what its call and `answers` bring.

    What the accepted schema lists is people's own word; a moment leads nowhere, nor do numbers that have fewer digits,
    all together, than an account number.
    """
    if tool is None:
        names = names._replace(roots=None)
    told = [*leaves(given, names)]
    told += leaves(
        {number: without_protocol_words(said) for number, said in answers.items()}, Names(free=dict.fromkeys(answers))
    )
    told = [one for one in told if not (is_listed(tool, *one) or _MOMENT.fullmatch(str(one[1])))]
    read = read_known([(value, Role.KEY) for _, value in told], seen)
    digits = 0
    for (_, value), one in zip(told, read, strict=True):
        if judge(one, seen)[0] > Origin.TRUSTED:
            if isinstance(value, str) and not value.isdecimal():
                return True
            digits += sum(map(str.isdecimal, str(value)))
    return digits >= ACCOUNT_DIGITS_MIN


def _unechoed(delta: Delta, given: Sequence[Mapping[str, Json]], index: Index, bits: int) -> Delta:
    """`delta` without `bits` of what of `given` nobody vouches for; without any, where `given` is more than is read."""
    vouching = {at for at, said in delta.entries.items() if said & bits}
    if not vouching or not any(given):
        return delta
    brought = _brought(given)
    if brought is not None:
        vouching.intersection_update(index.unvouched(index.hashes(brought)))
    return _without(delta, vouching, bits)


def _without(delta: Delta, hashes: Collection[int], bits: int) -> Delta:
    """`delta` without `bits` of what stands for `hashes`."""
    if delta.entries.keys().isdisjoint(hashes):
        return delta
    taken = set(hashes)
    entries = {at: said & ~bits if at in taken else said for at, said in delta.entries.items()}
    return replace(delta, entries={at: said for at, said in entries.items() if said & ALL_BITS})


def _brought(given: Sequence[Mapping[str, Json]]) -> list[str] | None:
    """The tokens of what a call brings; None where it is more than is read."""
    told = [value for one in given for _, value in leaves(one, Names(roots=()))]
    values = {str(value): None for value in told if not isinstance(value, bool)}
    if any(one is UNREAD for one in read_scalars([(value, None) for value in values])):
        return None
    return list({token for value in values for token in tokens_of(value)})


def _gathered(reading: Reading, basis: Basis, seen: IndexView) -> tuple[tuple[TokenPlaces, bool], bool]:
    """What is in `reading`, with whether untrusted words in it tell nothing; and whether it hangs on `seen`."""
    gathered = TokenPlaces()
    prose = hangs = False
    mixed = _mixed(reading.told)
    for leaf in reading.told:
        if basis.composed and leaf.part is None and not leaf.untrusted:
            continue
        found = texts(leaf.text)
        if not leaf.untrusted and not (leaf.text.isalnum() and leaf.text.isascii()):
            found = found.union(leading(plain(leaf.text)))
        if not leaf.name:
            if not found.isdisjoint(STOP):
                prose = prose or leaf.untrusted
                found -= STOP
            gathered.add(found, UNTRUSTED if leaf.untrusted else TRUSTED, leaf.pattern, leaf.element)
            continue
        bits = UNTRUSTED if leaf.untrusted else TRUSTED
        if leaf.part is not None and leaf.part.directory:
            bits |= DIRECTORY | DERIVED if basis.directory else DIRECTORY
        if leaf.record in basis.records:
            bits |= DERIVED
        if leaf.untrusted:
            # It is there, and nothing follows from a name that anybody may have chosen.
            bits &= ~(DERIVED | DIRECTORY) if _leads(leaf, mixed) else ~DERIVED
        if (len(found) == 1 or len(plainly(found)) == 1) and found.isdisjoint(STOP):
            gathered.add(found, bits, leaf.pattern, leaf.element)
        else:
            hangs = hangs or bits & (DERIVED | DIRECTORY) != 0
            for tokens, told in _several(leaf, bits, seen):
                gathered.add(tokens, told, leaf.pattern, leaf.element)
    idle = _loose(reading, gathered, composed=basis.composed)
    return (gathered, prose or idle), hangs


def _loose(reading: Reading, gathered: TokenPlaces, *, composed: bool) -> bool:
    """Gather what no path of the catalog fits, words that tell nothing left out. Whether there were any, untrusted."""
    untrusted = "untrusted" in reading.rest
    if not reading.loose or (composed and not untrusted):
        return False
    start = gathered.places_of(reading.loose)
    found = firsts([text for _, _, text in reading.loose], start)
    idle = found.keys() & STOP
    for word in idle:
        del found[word]
    for number, (_, _, text) in enumerate(() if untrusted else reading.loose, start):
        for token in leading(plain(text)):
            found.setdefault(token, number)
    gathered.join(found, UNTRUSTED if untrusted else TRUSTED)
    return untrusted and bool(idle)


def _mixed(told: Sequence[TextLeaf]) -> frozenset[str]:
    """Where in directories that anybody may name things in there are names that hold no address."""
    names = (leaf for leaf in told if leaf.untrusted and leaf.name)
    return frozenset(leaf.pattern for leaf in names if "@" not in leaf.text and leaf.text.casefold() not in _ABSENT)


def _leads(leaf: TextLeaf, mixed: Collection[str]) -> bool:
    """Whether a name is or holds what leads to a place by itself: a page, an account; an address among other names.

    Whom an address reaches that stands among addresses is a person.
    """
    kinds = {kind for _, kind in parts(leaf.text)}
    return not kinds.isdisjoint(CARRIED if leaf.pattern in mixed else _PLACES)


def _several(leaf: TextLeaf, bits: int, seen: IndexView) -> Iterator[tuple[Collection[str], int]]:
    """A name of several parts: each is trusted, and derived is only the whole.

    A name does not hold addresses: whoever wrote one into it wants to be followed. With one that nothing vouches for
    the whole is not derived either, nor established, unless a directory held that address, too.
    """
    found = parts(leaf.text)
    carried = [token for token, kind in found if kind in CARRIED]
    yield carried, UNTRUSTED
    told = [
        *(token for token, _ in found if token not in carried),
        *reaching(plain(leaf.text)),
        *leading(plain(leaf.text)),
    ]
    yield told, bits & ~DERIVED
    strange = [found for token in carried if origin_of(found := seen[token]) > Origin.TRUSTED]
    if strange:
        bits &= ~DERIVED if all(found & ESTABLISHED_MASK == DIRECTORY for found in strange) else ~(DERIVED | DIRECTORY)
    case = [token for piece in pieces(leaf.text) for token in learnt(piece)]
    yield (whole(leaf.text), *case, *learnt_of_paths(plain(leaf.text))), bits


def named(reading: Reading, seen: IndexView) -> frozenset[int]:
    """The one record whose identity the user named: with all of its words, or else alone with some of them.

    One that stands there twice, with the same values, is one.
    """
    fully: set[int] = set()
    partly: set[int] = set()
    for leaf in reading.told:
        if not leaf.name or leaf.untrusted or not leaf.record or leaf.part is None or not leaf.part.identity:
            # What a directory lists may be called as anybody likes: to name it names no record.
            continue
        words = [word for word, _ in parts(leaf.text) if word not in STOP]
        told = [word for word in words if len(word) >= _ALIKE_CHARS_MIN and seen.said(word)]
        if told:
            partly.add(leaf.record)
            if len(told) == len(words):
                fully.add(leaf.record)
    found = fully or partly
    return frozenset(found) if len(found) == 1 or _is_one(reading, found) else frozenset()


def _is_one(reading: Reading, records: set[int]) -> bool:
    """Whether `records` say the same: a server that structures a result sends all of it as text, too."""
    said: dict[int, list[str]] = {record: [] for record in records}
    for leaf in reading.told:
        if leaf.record in said:
            said[leaf.record].append(leaf.text)
    return len({tuple(sorted(values)) for values in said.values()}) == 1


def grounds(tool: Tool, given: Mapping[str, Json], seen: IndexView) -> bool:
    """Whether a directory was asked for grounded values alone: its arguments that are keys, or all where none is."""
    keys = {name for name, one in tool.arguments.items() if one.role is Role.KEY}
    return all_grounded((value for path, value in leaves(given, Names()) if not keys or path[0] in keys), seen)
