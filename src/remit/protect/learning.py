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
from remit.facts.origin import Origin, Role
from remit.facts.tool import Effect, Tool
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
from remit.protect.paths import path_tokens, signed_names
from remit.protect.reading import Basis, Reading, TextLeaf
from remit.protect.scalars import UNREAD, IndexView, judge, read_and_look_up, read_scalars
from remit.protect.server_index import without_handed_over
from remit.protect.spelling import case_tokens, path_case_tokens, without_case_marks
from remit.protect.token_kinds import ACCOUNT_DIGITS_MIN, CARRIED, TokenKind
from remit.protect.token_places import TokenPlaces
from remit.protect.tokens import distinct_tokens, first_places, normalized, ordered_tokens, pieces, whole_token

_PLACES: Final = CARRIED - {TokenKind.ADDRESS}
_NOTHING: Final[Mapping[str, Json]] = MappingProxyType({})
_VOUCHED: Final = TRUSTED | DERIVED
_NO_NAMES: Final = Names()
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_ABSENT: Final = frozenset({"-", "n/a", "none", "null", "~"})
"""As what stands in place of an address that there is none of."""
_ALIKE_CHARS_MIN: Final = 3
"""Words of an identity that are shorter name nothing by themselves."""


class LearningContext(NamedTuple):
    """What is known beside the index of the session `sid`: what configuration grounds, what its server was handed."""

    configured: frozenset[str] = frozenset()
    server: Index | None = None
    sid: str = ""


_NO_CONTEXT: Final = LearningContext()


def learn(
    reading: Reading,
    tool: Tool | None,
    arguments: Mapping[str, Json],
    index: Index,
    call: str,
    answers: Mapping[str, Json] = _NOTHING,
    *,
    names: Names = _NO_NAMES,
    context: LearningContext = _NO_CONTEXT,
) -> Delta:
    """What a result that is the answer to `arguments`, and to `answers` in mid-call, adds to `index`.

    `names` are those that people accepted. What is derived hangs on what was seen before it.
    """
    view = IndexView(index, context.configured)
    records, directory = frozenset[int](), False
    if tool is not None:
        if any(part.identity for part in tool.results):
            records = named_records(reading, view)
        if any(part.directory for part in tool.results):
            directory = is_grounded_query(tool, arguments, view)
    composed = reading.trusts_uncatalogued and may_be_composed(tool, arguments, answers, names, view)
    basis = Basis(records, directory, composed)
    learnt = reading.learnt.get(basis)
    if learnt is None:
        learnt, depends = _tokens_of(reading, basis, view)
        if not depends:
            reading.learnt[basis] = learnt
    places, prose = learnt
    delta = index.delta_of(call, places, capped=reading.capped, prose=prose)
    # What only says back what it was asked may stand in a list like what is there.
    bare = tool is not None and any(part.directory and part.bare for part in tool.results)
    delta = _without_echoes(delta, (arguments, answers), index, _VOUCHED | DIRECTORY if bare else _VOUCHED)
    if context.server is not None:
        delta = without_handed_over(delta, places, index, context.server, context.sid)
    if tool is None or tool.effect is Effect.READ:
        return delta
    return with_handed_over(delta, Handover(tool, arguments, answers, names), index)


def without_under_way(delta: Delta, handovers: Sequence[Handover], index: Index) -> Delta:
    """`delta` where other `handovers` of its sessions have not ended: what they hand on it vouches for as little."""
    return _without(delta, hashes_under_way(delta, handovers, index), RESULT_BITS)


def may_be_composed(
    tool: Tool | None, arguments: Mapping[str, Json], answers: Mapping[str, Json], names: Names, view: IndexView
) -> bool:
    """Whether a result may be made of something that nobody vouches for, of what its call and `answers` bring.

    What the accepted schema lists is people's own word; a moment leads nowhere, nor do numbers that have fewer digits,
    all together, than an account number.
    """
    if tool is None:
        names = names._replace(roots=None)
    scalars = [*leaves(arguments, names)]
    scalars += leaves(
        {number: without_protocol_words(answer) for number, answer in answers.items()},
        Names(free=dict.fromkeys(answers)),
    )
    scalars = [scalar for scalar in scalars if not (is_listed(tool, *scalar) or _MOMENT.fullmatch(str(scalar[1])))]
    readings = read_and_look_up([(value, Role.KEY) for _, value in scalars], view)
    digits = 0
    for (_, value), reading in zip(scalars, readings, strict=True):
        if judge(reading, view)[0] > Origin.TRUSTED:
            if isinstance(value, str) and not value.isdecimal():
                return True
            digits += sum(map(str.isdecimal, str(value)))
    return digits >= ACCOUNT_DIGITS_MIN


def _without_echoes(delta: Delta, inputs: Sequence[Mapping[str, Json]], index: Index, bits: int) -> Delta:
    """`delta` without `bits` of what of `inputs` nobody vouches for; without any, where that is more than is read."""
    vouching = {token_hash for token_hash, entry in delta.entries.items() if entry & bits}
    if not vouching or not any(inputs):
        return delta
    call_tokens = _call_tokens(inputs)
    if call_tokens is not None:
        vouching.intersection_update(index.unvouched(index.hashes(call_tokens)))
    return _without(delta, vouching, bits)


def _without(delta: Delta, hashes: Collection[int], bits: int) -> Delta:
    """`delta` without `bits` of what stands for `hashes`."""
    if delta.entries.keys().isdisjoint(hashes):
        return delta
    removed = set(hashes)
    entries = {
        token_hash: entry & ~bits if token_hash in removed else entry for token_hash, entry in delta.entries.items()
    }
    return replace(delta, entries={token_hash: entry for token_hash, entry in entries.items() if entry & ALL_BITS})


def _call_tokens(inputs: Sequence[Mapping[str, Json]]) -> list[str] | None:
    """The tokens of what a call brings; None where it is more than is read."""
    values_read = [value for value_input in inputs for _, value in leaves(value_input, Names(roots=()))]
    values = {str(value): None for value in values_read if not isinstance(value, bool)}
    if any(one is UNREAD for one in read_scalars([(value, None) for value in values])):
        return None
    return list({token for value in values for token in tokens_of(value)})


def _tokens_of(reading: Reading, basis: Basis, view: IndexView) -> tuple[tuple[TokenPlaces, bool], bool]:
    """What is in `reading`, with whether untrusted words in it tell nothing; and whether it hangs on `view`."""
    places = TokenPlaces()
    prose = depends = False
    patterns = _mixed_patterns(reading.catalogued)
    for leaf in reading.catalogued:
        if basis.composed and leaf.part is None and not leaf.untrusted:
            continue
        leaf_tokens = distinct_tokens(leaf.text)
        if not leaf.untrusted and not (leaf.text.isalnum() and leaf.text.isascii()):
            leaf_tokens = leaf_tokens.union(signed_names(normalized(leaf.text)))
        if not leaf.is_name:
            if not leaf_tokens.isdisjoint(STOP):
                prose = prose or leaf.untrusted
                leaf_tokens -= STOP
            places.add(leaf_tokens, UNTRUSTED if leaf.untrusted else TRUSTED, leaf.pattern, leaf.element)
            continue
        bits = UNTRUSTED if leaf.untrusted else TRUSTED
        if leaf.part is not None and leaf.part.directory:
            bits |= DIRECTORY | DERIVED if basis.directory else DIRECTORY
        if leaf.record in basis.records:
            bits |= DERIVED
        if leaf.untrusted:
            # It is there, and nothing follows from a name that anybody may have chosen.
            bits &= ~(DERIVED | DIRECTORY) if _leads_somewhere(leaf, patterns) else ~DERIVED
        if (len(leaf_tokens) == 1 or len(without_case_marks(leaf_tokens)) == 1) and leaf_tokens.isdisjoint(STOP):
            places.add(leaf_tokens, bits, leaf.pattern, leaf.element)
        else:
            depends = depends or bits & (DERIVED | DIRECTORY) != 0
            for tokens, token_bits in _compound_name(leaf, bits, view):
                places.add(tokens, token_bits, leaf.pattern, leaf.element)
    idle = _add_loose(reading, places, composed=basis.composed)
    return (places, prose or idle), depends


def _add_loose(reading: Reading, places: TokenPlaces, *, composed: bool) -> bool:
    """Gather what no path of the catalog fits, words that tell nothing left out. Whether there were any, untrusted."""
    untrusted = "untrusted" in reading.uncatalogued_labels
    if not reading.uncatalogued or (composed and not untrusted):
        return False
    start = places.places_of(reading.uncatalogued)
    first = first_places([text for _, _, text in reading.uncatalogued], start)
    idle = first.keys() & STOP
    for word in idle:
        del first[word]
    for number, (_, _, text) in enumerate(() if untrusted else reading.uncatalogued, start):
        for token in signed_names(normalized(text)):
            first.setdefault(token, number)
    places.join(first, UNTRUSTED if untrusted else TRUSTED)
    return untrusted and bool(idle)


def _mixed_patterns(catalogued: Sequence[TextLeaf]) -> frozenset[str]:
    """Where in directories that anybody may name things in there are names that hold no address."""
    names = (leaf for leaf in catalogued if leaf.untrusted and leaf.is_name)
    return frozenset(leaf.pattern for leaf in names if "@" not in leaf.text and leaf.text.casefold() not in _ABSENT)


def _leads_somewhere(leaf: TextLeaf, patterns: Collection[str]) -> bool:
    """Whether a name is or holds what leads to a place by itself: a page, an account; an address among other names.

    Whom an address reaches that stands among addresses is a person.
    """
    kinds = {kind for _, kind in ordered_tokens(leaf.text)}
    return not kinds.isdisjoint(CARRIED if leaf.pattern in patterns else _PLACES)


def _compound_name(leaf: TextLeaf, bits: int, view: IndexView) -> Iterator[tuple[Collection[str], int]]:
    """A name of several parts: each is trusted, and derived is only the whole.

    A name does not hold addresses: whoever wrote one into it wants to be followed. With one that nothing vouches for
    the whole is not derived either, nor established, unless a directory held that address, too.
    """
    pairs = ordered_tokens(leaf.text)
    carried = [token for token, kind in pairs if kind in CARRIED]
    yield carried, UNTRUSTED
    tokens = [
        *(token for token, _ in pairs if token not in carried),
        *path_tokens(normalized(leaf.text)),
        *signed_names(normalized(leaf.text)),
    ]
    yield tokens, bits & ~DERIVED
    unvouched = [entry for token in carried if origin_of(entry := view[token]) > Origin.TRUSTED]
    if unvouched:
        listed = all(entry & ESTABLISHED_MASK == DIRECTORY for entry in unvouched)
        bits &= ~DERIVED if listed else ~(DERIVED | DIRECTORY)
    case = [token for piece in pieces(leaf.text) for token in case_tokens(piece)]
    yield (whole_token(leaf.text), *case, *path_case_tokens(normalized(leaf.text))), bits


def named_records(reading: Reading, view: IndexView) -> frozenset[int]:
    """The one record whose identity the user named: with all of its words, or else alone with some of them.

    One that stands there twice, with the same values, is one.
    """
    fully: set[int] = set()
    partly: set[int] = set()
    for leaf in reading.catalogued:
        if not leaf.is_name or leaf.untrusted or not leaf.record or leaf.part is None or not leaf.part.identity:
            # What a directory lists may be called as anybody likes: to name it names no record.
            continue
        words = [word for word, _ in ordered_tokens(leaf.text) if word not in STOP]
        said = [word for word in words if len(word) >= _ALIKE_CHARS_MIN and view.is_in_words(word)]
        if said:
            partly.add(leaf.record)
            if len(said) == len(words):
                fully.add(leaf.record)
    records = fully or partly
    return frozenset(records) if len(records) == 1 or _is_same_record(reading, records) else frozenset()


def _is_same_record(reading: Reading, records: set[int]) -> bool:
    """Whether `records` say the same: a server that structures a result sends all of it as text, too."""
    texts_of: dict[int, list[str]] = {record: [] for record in records}
    for leaf in reading.catalogued:
        if leaf.record in texts_of:
            texts_of[leaf.record].append(leaf.text)
    return len({tuple(sorted(values)) for values in texts_of.values()}) == 1


def is_grounded_query(tool: Tool, arguments: Mapping[str, Json], view: IndexView) -> bool:
    """Whether a directory was asked for grounded values alone: its arguments that are keys, or all where none is."""
    keys = {name for name, argument in tool.arguments.items() if argument.role is Role.KEY}
    return all_grounded((value for path, value in leaves(arguments, Names()) if not keys or path[0] in keys), view)
