"""What a call hands to a tool that may keep it: who finds it there again has it from the agent, and not from the tool.

Laws
* Only what was seen nowhere before is remembered, and stays `unseen` unless the user says it, or a stranger does.
* What a call hands on may be found before it has ended: until then no result makes that anything.
* Words of content are words like any other, but for content that is a single one; what the accepted schema lists is
  people's own.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from remit.facts.canonical import Json
from remit.facts.origin import Role
from remit.facts.tool import Tool
from remit.protect.index import HANDED_OVER, RESULT_BITS, Delta, Index
from remit.protect.links import rendered
from remit.protect.origins import Names, leaves, paraphrases
from remit.protect.paths import signed_names
from remit.protect.reading import is_name
from remit.protect.token_kinds import SHORT_MAX, host_of
from remit.protect.token_places import NOWHERE
from remit.protect.tokens import distinct_tokens, normalized, ordered_tokens, whole_token

_NOWHERE: Final = NOWHERE << 24 | NOWHERE << 8
_NO_NAMES: Final = Names()
_APART: Final = str.maketrans(dict.fromkeys("=:?#&", " "))


@dataclass(slots=True)
class Handover:
    """A call that hands something on: the `tool`, its `arguments`, and what is answered in mid-call.

    Of a tool that is known no more, None, nothing is taken for mere content. It is one of the sessions of one index;
    what stands for its tokens there is told once. What of the names of members `names` lack is handed on, too.
    """

    tool: Tool | None
    arguments: Mapping[str, Json]
    answers: Mapping[str, Json] = field(default_factory=dict[str, Json])
    names: Names = _NO_NAMES
    _hashes: frozenset[int] | None = None

    def tokens(self) -> set[str]:
        """The tokens of what it hands on."""
        roles: Mapping[str, Role] = {} if self.tool is None else self.tool.roles
        collected: set[str] = set()
        for path, value in (*leaves(self.arguments, self.names), *leaves(self.answers, _NO_NAMES)):
            if not (isinstance(value, bool) or is_listed(self.tool, path, value)):
                text = str(value)
                reader = _short_recognizable if len(text) <= SHORT_MAX else _recognizable
                collected |= reader(text, names_something=roles.get(path[0]) is not Role.CONTENT)
        return collected

    def hashes(self, index: Index) -> frozenset[int]:
        """What stands for these tokens in a delta."""
        if self._hashes is None:
            self._hashes = frozenset(index.hashes(list(self.tokens())))
        return self._hashes


def with_handed_over(delta: Delta, handover: Handover, index: Index) -> Delta:
    """`delta` with what `handover` hands to its tool, and nobody has seen before."""
    fresh = index.unseen(handover.hashes(index))
    if not fresh:
        return delta
    entries = dict(delta.entries)
    for token_hash in fresh:
        entries[token_hash] = entries.get(token_hash, _NOWHERE) & ~RESULT_BITS | HANDED_OVER
    return replace(delta, entries=entries)


def hashes_under_way(delta: Delta, handovers: Iterable[Handover], index: Index) -> list[int]:
    """What stands in `delta` for what `handovers`, which have not ended, hand on, and nobody vouched for before."""
    hashes = {token_hash for handover in handovers for token_hash in delta.entries.keys() & handover.hashes(index)}
    return index.unvouched(hashes)


def is_listed(tool: Tool | None, path: tuple[str | int, ...], value: str | float) -> bool:
    """Whether `value` is one of those that the accepted schema lists for the argument that it is."""
    properties = None if tool is None else tool.definition.input_schema.get("properties")
    schema = properties.get(str(path[0])) if isinstance(properties, Mapping) else None
    listed = schema.get("enum") if isinstance(schema, Mapping) and len(path) == 1 else None
    return isinstance(listed, list) and value in listed


def tokens_of(value: str) -> frozenset[str]:
    """The tokens of `value`, also as a server may decode it, and take it apart: members of a query, hosts, pages."""
    tokens: set[str] = set()
    for reading in {value, unquote(value), rendered(normalized(value))}:
        tokens.update(
            distinct_tokens(reading),
            signed_names(normalized(reading)),
            (whole_token(reading),),
            paraphrases(ordered_tokens(reading), normalized(reading)),
        )
        if (apart := reading.translate(_APART)) != reading:
            tokens.update(distinct_tokens(apart))
    tokens.update([host for token in tokens if "/" in token and "." in (host := host_of(token))])
    return frozenset(tokens)


def _recognizable(value: str, *, names_something: bool) -> frozenset[str]:
    """The tokens of `value` by which somebody may know it again; `names_something`: it names something."""
    tokens = tokens_of(value)
    if value.isalpha() or (names_something and is_name(value)):
        return tokens
    # What is no name, on however many lines, is found nowhere as a whole.
    short = is_name(" ".join(value.split()))
    return frozenset(token for token in tokens if not token.isalpha() and (short or token[0] != "="))


_short_recognizable: Final = lru_cache(maxsize=4_096)(_recognizable)
