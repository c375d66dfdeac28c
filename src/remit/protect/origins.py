"""Where the values of an action came from, by the rules of DESIGN section 5; no classifier decides.

Laws
* `grounded` are the user's words, which reach an index by `words` alone, and configuration. Nothing that an agent or
  a server says grounds anything.
* A scalar has the worst origin of its telling parts. It is `trusted` only where nothing untrusted holds it too.
* `derived` is reached from grounded values over trusted parts of results alone: by the record that the user named,
  or by asking a directory for what the user named.
* What is not known counts as the worse: no role as a target, no index as unseen, more than is kept as untrusted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from remit.facts.canonical import Json
from remit.facts.catalog import Argument, Effect, Sink, Tool
from remit.facts.origin import Counts, Flow, Origin, Role, Traced
from remit.facts.results import spelt
from remit.protect.index import DIRECTORY, UNTRUSTED, WORDS, Delta, Entry, Index, origin_of
from remit.protect.tokens import CARRIED, STOP, Kind, Token, parts, scalar, stem, texts, whole

ANY: Final = "*"
"""The argument of what the schema does not name."""
TRACED_MAX: Final = 64
"""How many scalars are explained; all are counted."""
WORDS_CHARS_MAX: Final = 256 * 1024
_VOUCHED: Final = frozenset({Origin.GROUNDED, Origin.DERIVED, Origin.TRUSTED})


def words(index: Index, text: str) -> Delta:
    """What the user's words, from a trusted harness, add to `index`.

    What is said beyond the limit grounds nothing.
    """
    text = text[:WORDS_CHARS_MAX]
    said = [token.text for token in parts(text)]
    stems = [stem(token) for token in said]
    found = texts(text).union(said, (f"~{one}" for one in stems))
    for size in (2, 3, 4):
        found.update("~" + " ".join(stems[at : at + size]) for at in range(len(stems) - size + 1))
    return index.delta("", [Entry(token, WORDS, "") for token in sorted(found)])


class Seen:
    """What the sessions of a delegation chain have seen, in the index of its root, and what configuration grounds."""

    __slots__ = ("_configured", "_index")

    def __init__(self, index: Index | None, configured: frozenset[str] = frozenset()) -> None:
        self._index = index
        self._configured = configured

    @property
    def prose(self) -> bool:
        """Whether untrusted words were read that tell nothing by themselves."""
        return self._index is not None and (self._index.prose or self._index.capped)

    def bits(self, token: str) -> int:
        """As what `token` was seen."""
        seen = 0 if self._index is None else self._index.seen(token)
        return seen | WORDS if token in self._configured else seen

    def place(self, token: str) -> tuple[str, str]:
        """The call and the path where `token` came to its origin."""
        if self._index is None or token in self._configured:
            return "", ""
        found = self._index.find(token)
        return found.call, found.at


@lru_cache(maxsize=4_096)
def configured(text: str) -> frozenset[str]:
    """The tokens that a text of the workspace grounds, such as an agent's purpose."""
    return frozenset(texts(text) - STOP)


def flow(
    tool: Tool | None, known: Sequence[str], roles: Mapping[str, Role], given: Mapping[str, Json], seen: Seen
) -> Flow:
    """The facts about `given`, the input of a call of `tool` or of another action.

    `known` are the arguments that the accepted schema names; `roles` are those of an action that is no tool call.
    """
    external = tool is None or tool.sink is Sink.EXTERNAL
    origins: dict[Role | None, list[Origin]] = {role: [] for role in (*Role, None)}
    carried: list[Origin] = []
    args: dict[Origin, set[str]] = {origin: set() for origin in Origin}
    traced: list[Traced] = []
    established = strangers = 0
    for path, value in leaves(given):
        name = str(path[0])
        role = _role(tool, roles, name)
        judged = _judged(value, role, seen)
        origins[role].append(judged.origin)
        args[judged.origin].add(name if name in known else ANY)
        if role is Role.TARGET:
            established += judged.established
            strangers += judged.origin not in _VOUCHED and not judged.established
        for token in judged.carried if role is Role.CONTENT else ():
            origin, held = _of(token.text, seen)
            carried.append(origin)
            if external:
                origins[Role.TARGET].append(origin)
                established += held
                strangers += origin not in _VOUCHED and not held
        if len(traced) < TRACED_MAX:
            call, at = seen.place(judged.part) if judged.part else ("", "")
            hidden = judged.only or (tool is not None and name in tool.secrets)
            part = "" if hidden else judged.part.removeprefix("=")[:80]
            traced.append(Traced(spelt(path), role, judged.origin, part, call, at, judged.established))
    return Flow(
        Counts.of(origins[Role.TARGET]),
        Counts.of(origins[Role.CONTENT]),
        Counts.of(origins[Role.CREDENTIAL]),
        Counts.of(carried),
        established,
        strangers,
        {origin: frozenset(names) for origin, names in args.items()},
        asked(tool, seen),
        tuple(traced),
    )


def asked(tool: Tool | None, seen: Seen) -> bool:
    """Whether the user's words ask for a tool of this kind, by the verbs of the catalog; no where it has none."""
    if tool is None:
        return False
    return any(seen.bits(token) & WORDS for token in _verbs(tool.asks))


@lru_cache(maxsize=4_096)
def _verbs(asks: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted("~" + " ".join(stem(token.text) for token in parts(words)) for words in asks))


def leaves(given: Mapping[str, Json]) -> Iterator[tuple[tuple[str | int, ...], str | float]]:
    """The scalars of `given`, in order, each with its path; `null` is none."""
    stack: list[tuple[tuple[str | int, ...], Json]] = [
        ((name,), value) for name, value in reversed(list(given.items()))
    ]
    while stack:
        path, value = stack.pop()
        if isinstance(value, str | int | float):
            yield path, value
        elif isinstance(value, Mapping):
            for name, inner in reversed(list(value.items())):
                stack.append(((*path, name), inner))
        elif value is not None:
            stack.extend(((*path, at), value[at]) for at in range(len(value) - 1, -1, -1))


class _Judged:
    __slots__ = ("carried", "established", "only", "origin", "part")

    def __init__(self, origin: Origin, part: str, *, established: bool, only: bool) -> None:
        self.origin = origin
        self.part = part
        self.established = established
        self.only = only
        self.carried: list[Token] = []


def _judged(value: str | float, role: Role | None, seen: Seen) -> _Judged:
    if isinstance(value, bool):
        # Both values are the schema's, which people accepted.
        return _Judged(Origin.TRUSTED, "", established=False, only=True)
    if not isinstance(value, str):
        found = [Token(scalar(value), Kind.NUMBER)]
    else:
        found = parts(value)
        if role is Role.CONTENT:
            telling = [token for token in found if token.kind is not Kind.WORD]
            found = telling or found
        found = [token for token in found if token.text not in STOP] or found
    judged = _worst(found, seen)
    if isinstance(value, str) and (len(found) > 1 or (found and found[0].text in STOP)):
        _as_a_whole(judged, value, seen)
    if role is Role.CONTENT:
        judged.carried = [token for token in found if token.kind in CARRIED]
    return judged


def _worst(found: Sequence[Token], seen: Seen) -> _Judged:
    worst = Origin.GROUNDED if found else Origin.UNSEEN
    part = ""
    established = bool(found)
    for token in found:
        origin, held = _of(token.text, seen)
        established = established and held
        if origin >= worst and (origin > worst or not part):
            worst, part = origin, token.text
    return _Judged(worst, part, established=established, only=len(found) <= 1)


def _of(token: str, seen: Seen) -> tuple[Origin, bool]:
    bits = seen.bits(token)
    if token in STOP and seen.prose:
        bits |= UNTRUSTED
    return origin_of(bits), bits & DIRECTORY != 0


def _as_a_whole(judged: _Judged, value: str, seen: Seen) -> None:
    """A scalar that was seen as it is has that origin, unless all of its words were seen untrusted as well."""
    token = whole(value)
    bits = seen.bits(token)
    if not bits:
        return
    origin = origin_of(bits)
    judged.established = judged.established or bits & DIRECTORY != 0
    if origin is Origin.TRUSTED and judged.origin is Origin.UNTRUSTED:
        return
    if origin < judged.origin:
        judged.origin, judged.part, judged.only = origin, token, True


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
    found = [_judged(value, Role.KEY, seen).origin for value in given]
    return bool(found) and max(found) <= Origin.DERIVED
