"""Where the values of an action came from, by the rules of DESIGN section 5; no classifier decides.

Laws
* `grounded` are the user's words, which reach an index by `words` alone, and configuration. Nothing that an agent or
  a server says grounds anything.
* A scalar has the worst origin of its telling parts. It is `trusted` only where nothing untrusted holds it too.
* `derived` is reached from grounded values over trusted parts of results alone: by the record that the user named,
  or by asking a directory for what the user named.
* What is not known counts as the worse: no role as a target, no index as unseen, more than is kept as untrusted.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from remit.facts.canonical import Json
from remit.facts.catalog import Argument, Effect, Sink, Tool
from remit.facts.origin import Counts, Flow, Origin, Role, Traced
from remit.facts.results import spelt
from remit.protect.gathered import Entries
from remit.protect.index import DIRECTORY, KNOWN, UNTRUSTED, WORDS, Delta, Index, origin_of
from remit.protect.language import STOP, stem
from remit.protect.paths import reaching
from remit.protect.pieces import CARRIED, Kind, Token
from remit.protect.tokens import parts, plain, scalar, texts, whole

ANY: Final = "*"
"""The argument of what the schema does not name."""
TRACED_MAX: Final = 64
"""How many scalars are explained; all are counted."""
WORDS_CHARS_MAX: Final = 256 * 1024
NONE: Final = Counts()
_JOINING: Final = frozenset({"a", "an", "and", "of", "the"})
"""Words that tell nothing in a target either."""


def words(index: Index, text: str) -> Delta:
    """What the user's words, from a trusted harness, add to `index`.

    What is said beyond the limit grounds nothing.
    """
    if len(text) > WORDS_CHARS_MAX:
        # Nothing is grounded by half of it: the word that the limit cuts does not count.
        text = "".join(text[:WORDS_CHARS_MAX].rpartition(" ")[:2])
    said = [token for token, _ in parts(text)]
    stems = [stem(token) for token in said]
    found = {*texts(text), *said}
    found.update(f"~{form}" for form, token in zip(stems, said, strict=True) if form != token)
    found.update(f"~{form} {after}" for form, after in pairwise(stems))
    return index.delta("", [Entries(sorted(found), WORDS)])


class Seen:
    """What the sessions of a delegation chain have seen, in the index of its root, and what configuration grounds."""

    __slots__ = ("_configured", "_index", "prose")

    def __init__(self, index: Index | None, configured: frozenset[str] = frozenset()) -> None:
        self._index = index
        self._configured = configured
        self.prose = index is not None and (index.prose or index.capped)
        """Whether untrusted words were read that tell nothing by themselves."""

    def look(self, token: str) -> int:
        """What is known of `token`: its bits, and for `place` where it was first seen."""
        if token in self._configured:
            return WORDS
        found = 0 if self._index is None else self._index.look(token)
        return found | UNTRUSTED if self.prose and token in STOP else found

    def said(self, token: str) -> bool:
        """Whether the user said `token`; what configuration says asks for nothing."""
        return self._index is not None and self._index.look(token) & WORDS != 0

    def place(self, found: int) -> tuple[str, str]:
        """The call and the path where what `look` found came to its origin; nothing for the user's words."""
        if self._index is None or found <= KNOWN:
            return "", ""
        return self._index.place(found)


@lru_cache(maxsize=4_096)
def configured(text: str) -> frozenset[str]:
    """The tokens that a text of the workspace grounds, such as an agent's purpose."""
    return frozenset(texts(text) - STOP)


class Names(NamedTuple):
    """The names of members that people accepted: every other is a value that the agent chose.

    `roots` are the arguments of the accepted schema, None where there is none; `members` what it names below them;
    in the arguments `free` names are the protocol's.
    """

    roots: Collection[str] | None = None
    members: Collection[str] = ()
    free: Collection[str] = ()


def flow(tool: Tool | None, names: Names, roles: Mapping[str, Role], given: Mapping[str, Json], seen: Seen) -> Flow:
    """The facts about `given`, the input of a call of `tool` or of another action.

    `roles` are those of an action that is no tool call.
    """
    known = names.roots or ()
    if tool is None:
        names = names._replace(roots=None)
    external = tool is None or tool.sink is Sink.EXTERNAL
    counts: dict[Role | None, list[int]] = {}
    carried = [0, 0, 0, 0, 0]
    args: list[set[str]] = [set(), set(), set(), set(), set()]
    traced: list[Traced] = []
    established = strangers = 0
    for path, value in leaves(given, names):
        name = str(path[0])
        role = _role(tool, roles, name)
        origin, part, found, held, tokens = _judged(value, role, seen)
        counts.setdefault(role, [0, 0, 0, 0, 0])[origin] += 1
        args[origin].add(name if name in known else ANY)
        if role is Role.TARGET:
            established += held
            strangers += origin > Origin.TRUSTED and not held
        elif role is Role.CONTENT:
            for token, kind in tokens:
                if kind in CARRIED:
                    inside = seen.look(token)
                    there, listed = origin_of(inside), inside & DIRECTORY != 0
                    carried[there] += 1
                    if external:
                        counts.setdefault(Role.TARGET, [0, 0, 0, 0, 0])[there] += 1
                        established += listed
                        strangers += there > Origin.TRUSTED and not listed
        if len(traced) < TRACED_MAX:
            call, at = seen.place(found) if found else ("", "")
            told = len(tokens) > 1 and not (tool is not None and name in tool.secrets)
            traced.append(Traced(spelt(path), role, origin, part[:80] if told else "", call, at, held))
    return Flow(
        _counts(counts, Role.TARGET),
        _counts(counts, Role.CONTENT),
        _counts(counts, Role.CREDENTIAL),
        Counts(*carried),
        established,
        strangers,
        {origin: frozenset(args[origin]) for origin in Origin if args[origin]},
        asked(tool, seen),
        tuple(traced),
    )


def _counts(counts: Mapping[Role | None, list[int]], role: Role) -> Counts:
    found = counts.get(role)
    return NONE if found is None else Counts(*found)


def asked(tool: Tool | None, seen: Seen) -> bool:
    """Whether the user's words ask for a tool of this kind, by the verbs of the catalog; no where it has none."""
    if tool is None:
        return False
    return any(any(seen.said(token) for token in one) or _in_turn(more, seen) for one, more in _verbs(tool.asks))


def _in_turn(pairs: tuple[str, ...], seen: Seen) -> bool:
    return bool(pairs) and all(seen.said(pair) for pair in pairs)


@lru_cache(maxsize=4_096)
def _verbs(asks: frozenset[str]) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """For each of `asks` the tokens of which one tells, of a single word, or all do, of several: those of each two."""
    found: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    for told in sorted(asks):
        stems = [stem(token) for token, _ in parts(told)]
        one = (stems[0], f"~{stems[0]}") if len(stems) == 1 else ()
        found.append((one, tuple(f"~{form} {after}" for form, after in pairwise(stems))))
    return tuple(found)


def leaves(given: Mapping[str, Json], names: Names) -> Iterator[tuple[tuple[str | int, ...], str | float]]:
    """The scalars of `given`, in order, each with its path, and the names of members that `names` lacks.

    `null` is none, and so is what it stands at where people accepted the name.
    """
    for name, value in given.items():
        if names.roots is not None and name not in names.roots and name not in names.free:
            yield (name,), name
        if isinstance(value, str | int | float):
            yield (name,), value
        elif value is not None:
            yield from _inner((name,), value, None if name in names.free else names.members)


def _inner(
    path: tuple[str | int, ...], value: Sequence[Json] | Mapping[str, Json], named: Collection[str] | None
) -> Iterator[tuple[tuple[str | int, ...], str | float]]:
    stack: list[tuple[tuple[str | int, ...], Json]] = [(path, value)]
    while stack:
        here, item = stack.pop()
        if isinstance(item, str | int | float):
            yield here, item
        elif isinstance(item, Mapping):
            if named is not None:
                yield from (((*here, name), name) for name in item if name not in named)
            stack.extend(((*here, name), inner) for name, inner in reversed(list(item.items())))
        elif item is not None:
            stack.extend(((*here, at), item[at]) for at in range(len(item) - 1, -1, -1))


_Judged: TypeAlias = tuple[Origin, str, int, bool, Sequence[Token]]
"""The origin of a scalar, the part that it is due to, what was found of that, whether a directory holds the scalar, and
its telling parts."""
_SCHEMA: Final[_Judged] = (Origin.TRUSTED, "", 0, False, ())
"""`true` and `false` are the schema's, which people accepted."""


def _judged(value: str | float, role: Role | None, seen: Seen) -> _Judged:
    if not isinstance(value, str):
        return _SCHEMA if isinstance(value, bool) else _worst(((scalar(value), Kind.NUMBER),), seen)
    tokens: Sequence[Token] = parts(value)
    if role is not Role.CONTENT and (paths := [(token, Kind.ID) for token in reaching(plain(value))]):
        return _as_a_whole(_worst((*tokens, *paths), seen), value, seen)
    if len(tokens) == 1:
        found = _worst(tokens, seen)
        return found if tokens[0][0] not in STOP else _as_a_whole(found, value, seen)
    if role is Role.CONTENT:
        tokens = [token for token in tokens if token[1] is not Kind.WORD] or tokens
    # `all` and `others` reach somebody.
    idle = _JOINING if role is Role.TARGET else STOP
    tokens = [token for token in tokens if token[0] not in idle] or tokens
    return _as_a_whole(_worst(tokens, seen), value, seen)


def _worst(tokens: Sequence[Token], seen: Seen) -> _Judged:
    """The worst of `tokens`, the first of several; what has no telling part at all is unseen."""
    worst, part, first, held = -1, "", 0, True
    for token, _ in tokens:
        found = seen.look(token)
        origin = origin_of(found)
        held = held and found & DIRECTORY != 0
        if origin > worst:
            worst, part, first = origin, token, found
    return (Origin.UNSEEN, "", 0, False, ()) if worst < 0 else (Origin(worst), part, first, held, tokens)


def _as_a_whole(judged: _Judged, value: str, seen: Seen) -> _Judged:
    """A scalar that was seen as it is has that origin; trusted only where no word of it was read untrusted."""
    found = seen.look(whole(value))
    if not found:
        return judged
    origin, part, first, held, tokens = judged
    held = held or found & DIRECTORY != 0
    better = origin_of(found)
    if better < origin and not (better is Origin.TRUSTED and origin is Origin.UNTRUSTED):
        return better, value, found, held, tokens
    return origin, part, first, held, tokens


def _role(tool: Tool | None, roles: Mapping[str, Role], name: str) -> Role | None:
    if tool is None:
        return roles.get(name, Role.TARGET)
    said: Argument | None = tool.arguments.get(name)
    if said is not None and said.role is not None:
        return said.role
    # What goes out has an effect, whatever the tool does besides.
    effectful = tool.effect is not Effect.READ or tool.sink is Sink.EXTERNAL
    return Role.TARGET if effectful else None


def all_grounded(given: Iterable[str | float], seen: Seen) -> bool:
    """Whether there is something in `given`, and each of it is grounded or derived."""
    found = [_judged(value, Role.KEY, seen)[0] for value in given]
    return bool(found) and max(found) <= Origin.DERIVED
