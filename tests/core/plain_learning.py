"""What a result adds to an index as the rules say it, slowly: leaf by leaf, token by token."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from remit.facts.canonical import Json
from remit.facts.origin import Origin
from remit.facts.tool import Effect, Tool
from remit.protect.index import ALL_BITS, DERIVED, DIRECTORY, HANDED_OVER, TRUSTED, UNTRUSTED, Delta, Index, origin_of
from remit.protect.language import STOP
from remit.protect.learning import is_grounded_query, may_be_composed, named_records
from remit.protect.origins import Names
from remit.protect.paths import signed_names
from remit.protect.reading import Reading, TextLeaf
from remit.protect.scalars import IndexView
from remit.protect.token_kinds import CARRIED, TokenKind
from remit.protect.token_places import TokenGroup
from tests.core.plain_tokens import cased, parts, path_tokens, plain, texts, whole

_DAY = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")


def learn(reading: Reading, tool: Tool | None, given: Mapping[str, Json], index: Index, call: str) -> Delta:
    """What `remit.protect.learning.learn` has to find, too."""
    seen = IndexView(index)
    records, directory = named_records(reading, seen), tool is not None and is_grounded_query(tool, given, seen)
    entries: list[TokenGroup] = []
    prose = False
    made = may_be_composed(tool, given, {}, Names(), seen)
    for leaf in reading.leaves:
        if made and leaf.part is None and not leaf.untrusted:
            continue
        found = texts(leaf.text)
        if not leaf.untrusted:
            found |= set(signed_names(plain(leaf.text)))
        if not leaf.is_name:
            prose = prose or (leaf.untrusted and bool(found & STOP))
            entries.append(
                TokenGroup(found - STOP, UNTRUSTED if leaf.untrusted else TRUSTED, leaf.pattern, leaf.element)
            )
            continue
        bits = UNTRUSTED if leaf.untrusted else TRUSTED
        if leaf.part is not None and leaf.part.directory:
            bits |= DIRECTORY | DERIVED if directory else DIRECTORY
        if leaf.record in records:
            bits |= DERIVED
        if leaf.untrusted:
            kinds = {kind for _, kind in parts(leaf.text)}
            others = [
                one.text for one in reading.leaves if one.pattern == leaf.pattern and one.is_name and one.untrusted
            ]
            alike = all("@" in text or text.casefold() in {"null", "none", "~", "-", "n/a"} for text in others)
            leads = bool(kinds & CARRIED - {TokenKind.ADDRESS}) or (TokenKind.ADDRESS in kinds and not alike)
            bits &= ~(DERIVED | DIRECTORY) if leads else ~DERIVED
        if len(found - cased(leaf.text)) == 1 and not found & STOP:
            entries.append(TokenGroup(found, bits, leaf.pattern, leaf.element))
        else:
            entries += _several(leaf, bits, seen)
    delta = index.delta(call, entries, capped=reading.capped, prose=prose)
    kept = dict(delta.entries)
    bare = tool is not None and any(part.directory and "." not in part.path for part in tool.results)
    for token in _brought(given):
        (at,) = index.hashes((token,))
        if at in kept and origin_of(index.lookup((token,))[0]) > Origin.TRUSTED:
            kept[at] &= ~(TRUSTED | DERIVED | DIRECTORY) if bare else ~(TRUSTED | DERIVED)
    kept = {at: said for at, said in kept.items() if said & ALL_BITS}
    for value in map(str, given.values() if tool is not None and tool.effect is not Effect.READ else ()):
        for token in _handed(value):
            (at,) = index.hashes((token,))
            if not index.lookup((token,))[0] & ALL_BITS:
                kept[at] = kept.get(at, 0xFFFF << 24 | 0xFFFF << 8) & ~(TRUSTED | DERIVED | DIRECTORY) | HANDED_OVER
    return replace(delta, entries=kept)


def _brought(given: Mapping[str, Json]) -> Iterator[str]:
    """The tokens of texts that stand side by side."""
    for name, value in given.items():
        for text in (name, str(value)):
            yield from _handed(text)


def _handed(text: str) -> set[str]:
    """The tokens of what a server is handed, in one piece and taken apart."""
    found = {*texts(text), *signed_names(plain(text)), whole(text), *texts(re.sub("[=:?#&]", " ", text))}
    for piece in plain(text).split():
        if "://" in piece.partition("#")[0]:
            found |= texts(piece.partition("#")[0])
    for token, kind in parts(text):
        if kind is TokenKind.DATE:
            found.add(token.replace("-", ""))
        elif kind is TokenKind.ACCOUNT and (day := _DAY.fullmatch(token)):
            found.add("-".join(day.groups()))
    hosts = {re.split("[/?#]", token)[0] for token in found if "/" in token}
    return found | {host for host in hosts if "." in host}


def _several(leaf: TextLeaf, bits: int, seen: IndexView) -> Iterator[TokenGroup]:
    found = parts(leaf.text)
    carried = [token for token, kind in found if kind in CARRIED]
    yield TokenGroup(carried, UNTRUSTED, leaf.pattern, leaf.element)
    told = [
        *(token for token, _ in found if token not in carried),
        *path_tokens(plain(leaf.text)),
        *signed_names(plain(leaf.text)),
    ]
    yield TokenGroup(told, bits & ~DERIVED, leaf.pattern, leaf.element)
    for token in carried:
        if origin_of(seen[token]) > Origin.TRUSTED:
            bits &= ~DERIVED
            if not seen[token] & DIRECTORY:
                bits &= ~DIRECTORY
    yield TokenGroup((whole(leaf.text), *cased(leaf.text)), bits, leaf.pattern, leaf.element)
