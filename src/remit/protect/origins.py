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
from remit.protect.pieces import CARRIED, SHORT_MAX, Kind, Token
from remit.protect.tokens import parts, plain, respelt, scalar, texts, whole

ANY: Final = "*"
"""The argument of what the schema does not name."""
TRACED_MAX: Final = 64
"""How many scalars are explained; all are counted."""
WORDS_CHARS_MAX: Final = 256 * 1024
NONE: Final = Counts()
_ORIGINS: Final = tuple(Origin)
_SCALARS: Final = (str, int, float)
_JOINING: Final = frozenset({"a", "an", "and", "of", "the"})
"""Words that tell nothing in a target either."""


def words(index: Index, text: str) -> Delta:
    """What the user's words, from a trusted harness, add to `index`."""
    return index.delta("", [Entries(spoken(text), WORDS)])


def spoken(text: str) -> frozenset[str]:
    """The tokens of the user's words, and those of the forms of verbs in them.

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
    return frozenset(found)


class Seen:
    """What the sessions of a delegation chain have seen, in the index of its root, and what configuration grounds."""

    __slots__ = ("_configured", "_index", "_known", "prose")

    def __init__(self, index: Index | None, configured: frozenset[str] = frozenset()) -> None:
        self._configured = configured
        self._index = index
        self._known: dict[str, int] = {}
        self.prose = index is not None and (index.prose or index.capped)
        """Whether untrusted words were read that tell nothing by themselves."""

    def ask(self, tokens: Collection[str]) -> None:
        """Look all of `tokens` up at once, for `look` and `said`; one that was not asked for is looked up by itself."""
        if self._index is not None:
            self._known.update(zip(tokens, self._index.look_all(tokens), strict=True))

    def look(self, token: str) -> int:
        """What is known of `token`: its bits, and for `place` where it was first seen."""
        if token in self._configured:
            return WORDS
        found = self._found(token)
        return found | UNTRUSTED if self.prose and token in STOP else found

    def said(self, token: str) -> bool:
        """Whether the user said `token`; what configuration says asks for nothing."""
        return self._found(token) & WORDS != 0

    def _found(self, token: str) -> int:
        found = self._known.get(token)
        if found is None:
            found = self._known[token] = 0 if self._index is None else self._index.look(token)
        return found

    def place(self, found: int) -> tuple[str, str]:
        """The call and the path where what `look` found came to its origin; nothing for the user's words."""
        return ("", "") if self._index is None or found <= KNOWN else self._index.place(found)


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
    read = [(path, (role := _role(tool, roles, path[0])), _read(value, role)) for path, value in leaves(given, names)]
    asks: list[str] = [] if tool is None else [*_verb_tokens(tool.asks)]
    for _, _, one in read:
        one.into(asks)
    seen.ask(asks)
    counts: dict[Role | None, list[int]] = {Role.TARGET: [0, 0, 0, 0, 0]}
    targets = counts[Role.TARGET]
    carried = [0, 0, 0, 0, 0]
    args: dict[Origin, set[str]] = {}
    traced: list[Traced] = []
    established = strangers = 0
    for path, role, one in read:
        name = str(path[0])
        origin, part, found, held = _judged(one, seen)
        tokens = one.tokens
        count = counts.get(role)
        if count is None:
            count = counts[role] = [0, 0, 0, 0, 0]
        count[origin] += 1
        if origin in args:
            args[origin].add(name if name in known else ANY)
        else:
            args[origin] = {name if name in known else ANY}
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
                        targets[there] += 1
                        established += listed
                        strangers += there > Origin.TRUSTED and not listed
        if len(traced) < TRACED_MAX:
            call, at = seen.place(found) if found > KNOWN else ("", "")
            told = part and len(tokens) > 1 and not (tool is not None and name in tool.secrets)
            traced.append(Traced(spelt(path), role, origin, part[:80] if told else "", call, at, held))
    return Flow(
        _counts(counts, Role.TARGET),
        _counts(counts, Role.CONTENT),
        _counts(counts, Role.CREDENTIAL),
        Counts(*carried),
        established,
        strangers,
        {origin: frozenset(args[origin]) for origin in _ORIGINS if origin in args},
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


@lru_cache(maxsize=4_096)
def _verb_tokens(asks: frozenset[str]) -> tuple[str, ...]:
    """All that `asked` may look up."""
    return tuple({token for one, more in _verbs(asks) for token in (*one, *more)})


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
        if isinstance(value, _SCALARS):
            yield (name,), value
        elif value is not None:
            yield from _inner((name,), value, None if name in names.free else names.members)


def _inner(
    path: tuple[str | int, ...], value: Sequence[Json] | Mapping[str, Json], named: Collection[str] | None
) -> Iterator[tuple[tuple[str | int, ...], str | float]]:
    stack: list[tuple[tuple[str | int, ...], Json]] = [(path, value)]
    while stack:
        here, item = stack.pop()
        if isinstance(item, _SCALARS):
            yield here, item
        elif isinstance(item, Mapping):
            if named is not None:
                yield from (((*here, name), name) for name in item if name not in named)
            stack.extend(((*here, name), inner) for name, inner in reversed(list(item.items())))
        elif item is not None:
            stack.extend(((*here, at), item[at]) for at in range(len(item) - 1, -1, -1))


class _Scalar(NamedTuple):
    """What is read of a scalar: its telling parts, and the token and text of the whole where that counts, too.

    One that is `respelt` is not what it reads as.
    """

    tokens: Sequence[Token]
    whole: str = ""
    value: str = ""
    respelt: bool = False

    def into(self, asks: list[str]) -> None:
        """Add what has to be looked up."""
        asks += [token for token, _ in self.tokens]
        if self.whole:
            asks.append(self.whole)


_Judged: TypeAlias = tuple[Origin, str, int, bool]
"""The origin of a scalar, the part that it is due to, what was found of that, and whether a directory holds it."""
_SCHEMA: Final = _Scalar(())
"""`true` and `false`."""


def _read(value: str | float, role: Role | None) -> _Scalar:
    if not isinstance(value, str):
        return _SCHEMA if isinstance(value, bool) else _Scalar(((scalar(value), Kind.NUMBER),))
    return _short(value, role) if len(value) <= SHORT_MAX and " " not in value else _other(value, role)


def _text(value: str, role: Role | None) -> _Scalar:
    tokens: Sequence[Token] = parts(value)
    if (
        role is not Role.CONTENT
        and not value.isalnum()
        and (paths := [(token, Kind.ID) for token in reaching(plain(value))])
    ):
        return _Scalar((*tokens, *paths), whole(value), value)
    if len(tokens) == 1:
        return _Scalar(tokens) if tokens[0][0] not in STOP else _Scalar(tokens, whole(value), value)
    if role is Role.CONTENT:
        tokens = [token for token in tokens if token[1] is not Kind.WORD] or tokens
    # `all` and `others` reach somebody.
    idle = _JOINING if role is Role.TARGET else STOP
    tokens = [token for token in tokens if token[0] not in idle] or tokens
    return _Scalar(tokens, whole(value), value)


def _other(value: str, role: Role | None) -> _Scalar:
    read = _text(value, role)
    return read if role is Role.CONTENT or not respelt(value) else read._replace(respelt=True)


_short: Final = lru_cache(maxsize=4_096)(_other)


def _judged(one: _Scalar, seen: Seen) -> _Judged:
    """The worst of its tokens, the first of several; what has no telling part at all is unseen.

    A scalar that was seen as it is has that origin; trusted only where no word of it was read untrusted. One that is
    respelt is none of what its reading was found to be: unseen, if nobody untrusted wrote that, too.
    """
    if one is _SCHEMA:
        # The schema's, which people accepted.
        return Origin.TRUSTED, "", 0, False
    worst, part, first, held = -1, "", 0, True
    for token, _ in one.tokens:
        found = seen.look(token)
        origin = origin_of(found)
        held = held and found & DIRECTORY != 0
        if origin > worst:
            worst, part, first = origin, token, found
    judged = (Origin.UNSEEN, "", 0, False) if worst < 0 else (_ORIGINS[worst], part, first, held)
    if one.respelt:
        return judged if worst == Origin.UNTRUSTED else (Origin.UNSEEN, "", 0, False)
    if not one.whole or not (found := seen.look(one.whole)):
        return judged
    origin, part, first, held = judged
    held = held or found & DIRECTORY != 0
    better = origin_of(found)
    if better < origin and not (better is Origin.TRUSTED and origin is Origin.UNTRUSTED):
        return better, one.value, found, held
    return origin, part, first, held


def _role(tool: Tool | None, roles: Mapping[str, Role], top: str | int) -> Role | None:
    name = str(top)
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
    read = [_read(value, Role.KEY) for value in given]
    asks: list[str] = []
    for one in read:
        one.into(asks)
    seen.ask(asks)
    found = [_judged(one, seen)[0] for one in read]
    return bool(found) and max(found) <= Origin.DERIVED
