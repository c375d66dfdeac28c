"""What a call hands to a tool that may keep it: who finds it there again has it from the agent, and not from the tool.

Laws
* Only what was seen nowhere before is remembered, and stays `unseen` unless the user says it, or a stranger does.
* Words of content are words like any other, but for content that is a single one.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.origin import Role
from remit.protect.gathered import NOWHERE
from remit.protect.index import BROUGHT, GIVEN, Delta, Index
from remit.protect.onward import shown
from remit.protect.origins import Names, leaves
from remit.protect.paths import leading
from remit.protect.pieces import SHORT_MAX
from remit.protect.reading import is_name
from remit.protect.tokens import plain, texts, whole

_NOWHERE: Final = NOWHERE << 24 | NOWHERE << 8
_NO_NAMES: Final = Names()


def handed(delta: Delta, tool: Tool, given: Mapping[str, Json], answers: Mapping[str, Json], index: Index) -> Delta:
    """`delta` with what `given` and `answers` hand to `tool`, and nobody has seen before."""
    content = {name for name, one in tool.arguments.items() if one.role is Role.CONTENT}
    tokens: set[str] = set()
    for path, value in (*leaves(given, _NO_NAMES), *leaves(answers, _NO_NAMES)):
        if not isinstance(value, bool):
            said = str(value)
            kept = _short_kept if len(said) <= SHORT_MAX else _kept
            tokens |= kept(said, named=path[0] not in content)
    fresh = index.unseen(tokens)
    if not fresh:
        return delta
    entries = dict(delta.entries)
    for at in fresh:
        entries[at] = entries.get(at, _NOWHERE) & ~GIVEN | BROUGHT
    return replace(delta, entries=entries)


def tokens_of(value: str) -> frozenset[str]:
    """The tokens of `value`, also as a server may decode it."""
    found: set[str] = set()
    for read in {value, unquote(value), shown(plain(value))}:
        found.update(texts(read), leading(plain(read)), (whole(read),))
    return frozenset(found)


def _kept(value: str, *, named: bool) -> frozenset[str]:
    """The tokens of `value` by which somebody may know it again; `named`: it names something."""
    found = tokens_of(value)
    if value.isalpha() or (named and is_name(value)):
        return found
    return frozenset(token for token in found if not token.isalpha())


_short_kept: Final = lru_cache(maxsize=4_096)(_kept)
