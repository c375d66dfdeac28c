"""Where the values of an action came from, by the rules of docs/reference/origins.md; no classifier decides.

Laws
* `grounded` are the user's words, which reach an index by `words_delta` alone, and configuration. Nothing that an agent
  or a server says grounds anything.
* A scalar has the origin that `scalars` tells.
* `derived` is reached from grounded values over trusted parts of results alone: by the record that the user named,
  or by asking a directory for what the user named.
* What is not known counts as the worse: no role as a target, no index as unseen, more than is kept as untrusted; where
  an irreversible tool has targets and is given none, all of them.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from remit.facts.canonical import Json
from remit.facts.origin import Flow, Origin, OriginCounts, OriginTrace, Role
from remit.facts.results import spelt
from remit.facts.tool import Effect, Sink, Tool
from remit.protect.index import ALL_BITS, DIRECTORY, ESTABLISHED_MASK, UNTRUSTED, WORDS, Delta, Index, origin_of
from remit.protect.language import STOP, name_token, sequence_tokens, stem
from remit.protect.paths import signed_names
from remit.protect.scalars import UNREAD, IndexView, Scalar, judge, read_and_look_up
from remit.protect.token_kinds import CARRIED, Token, TokenKind
from remit.protect.token_places import TokenGroup
from remit.protect.tokens import distinct_tokens, normalized, ordered_tokens

ANY: Final = "*"
"""The argument of what the schema does not name."""
TRACED_MAX: Final = 64
"""How many scalars are explained; all are counted."""
WORDS_CHARS_MAX: Final = 256 * 1024
NONE: Final = OriginCounts()
_TRUSTED: Final = Origin.TRUSTED
_NOWHERE: Final = ("", "")
_PART_CHARS: Final = 80
_QUOTED: Final = re.compile(r"(?<!\w)[#@\"'`\u201c\u2018\u00ab](\w{1,32})\b")
"""A word that is quoted, or written as the name of somebody or of a channel."""
_DAY: Final = re.compile(r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
_SCALARS: Final = (str, int, float)

Path: TypeAlias = tuple[str, *tuple[str | int, ...]]
"""Where a scalar of an action's input stands: the name of the argument, and members and elements below it."""


def words_delta(index: Index, text: str) -> Delta:
    """What the user's words, from a trusted harness, add to `index`."""
    return index.delta("", [TokenGroup(words_tokens(text), WORDS)])


def words_tokens(text: str) -> frozenset[str]:
    """The tokens of the user's words, and those of the forms of verbs in them.

    What is said beyond the limit grounds nothing.
    """
    if len(text) > WORDS_CHARS_MAX:
        # Nothing is grounded by half of it: the word that the limit cuts does not count.
        text = "".join(text[:WORDS_CHARS_MAX].rpartition(" ")[:2])
    pairs, normal = ordered_tokens(text), normalized(text)
    words = [token for token, _ in pairs]
    tokens = {*distinct_tokens(text), *words, *signed_names(normal)}
    tokens.update(sequence_tokens(words), paraphrases(pairs, normal))
    tokens.update(f"~{form}" for token in words if (form := stem(token)) != token)
    tokens.update(map(name_token, _meant_stop_words(pairs, normal)))
    return frozenset(tokens)


def paraphrases(tokens: Sequence[Token], normal: str) -> Iterator[str]:
    """What is said with other words: the page of which a part is named, and a day without anything between.

    Which part of a page it is nobody is asked for (RFC 3986, section 3.5); ISO 8601 writes a day both ways.
    """
    pages = [page for page, mark, _ in (piece.partition("#") for piece in normal.split()) if mark and "://" in page]
    if pages:
        yield from distinct_tokens(" ".join(pages))
    for token, kind in tokens:
        if kind is TokenKind.DATE:
            yield token.replace("-", "")
        elif kind is TokenKind.ACCOUNT and (day := _DAY.fullmatch(token)) is not None:
            yield "-".join(day.groups())


def _meant_stop_words(tokens: Sequence[Token], normal: str) -> Collection[str]:
    """Of words that tell nothing those that are meant: written like a name, said after `to`, or all that is said."""
    words = [token for token, _ in tokens]
    if STOP.issuperset(words):
        return words
    names = {token for token, kind in tokens if kind is TokenKind.NAME}
    names.update(map(str.casefold, _QUOTED.findall(normal)), (to for after, to in pairwise(words) if after == "to"))
    return names & STOP


@lru_cache(maxsize=4_096)
def configured(text: str) -> frozenset[str]:
    """The tokens that a text of the workspace grounds, such as an agent's purpose."""
    return frozenset(distinct_tokens(text) - STOP)


class Names(NamedTuple):
    """The names of members that people accepted: every other is a value that the agent chose.

    `roots` are the arguments of the accepted schema, None where there is none; `members` what it names below them.
    In the arguments `free` names are those of the protocol and of what was asked; all of them are where it is None.
    """

    roots: Collection[str] | None = None
    members: Collection[str] = ()
    free: Mapping[str, Collection[str] | None] = MappingProxyType({})

    def unaccepted(self, arguments: Iterable[str]) -> list[str]:
        """Those of `arguments` whose names nobody accepted."""
        if self.roots is None:
            return []
        return [name for name in arguments if name not in self.roots and name not in self.free]

    def is_unaccepted(self, path: Path) -> bool:
        """Whether nobody accepted the name that `path` ends in."""
        name = path[-1]
        if isinstance(name, int):
            return False
        if len(path) == 1:
            return bool(self.unaccepted((name,)))
        accepted = self.free.get(path[0], self.members)
        return accepted is not None and name not in accepted


def flow(
    tool: Tool | None, names: Names, roles: Mapping[str, Role], arguments: Mapping[str, Json], view: IndexView
) -> Flow:
    """The facts about `arguments`, the input of a call of `tool` or of another action.

    `roles` are those of an action that is no tool call.
    """
    declared = names.roots or ()
    secrets: Collection[str] = () if tool is None else tool.secrets
    external = tool is None or tool.sink is Sink.EXTERNAL
    targets, contents, credentials, others, carried = ([0, 0, 0, 0, 0] for _ in range(5))
    counts = {Role.TARGET: targets, Role.CONTENT: contents, Role.CREDENTIAL: credentials}
    args: dict[Origin, set[str]] = {}
    traced: list[OriginTrace] = []
    established = strangers = 0
    for path, role, scalar in _read_leaves(tool, names, roles, arguments, view):
        name = path[0]
        origin, part, entry, is_listed = judge(scalar, view)
        count = others if role is None else counts.get(role, others)
        count[origin] += 1
        names_of_origin = args.get(origin)
        if names_of_origin is None:
            names_of_origin = args[origin] = set()
        names_of_origin.add(name if name in declared else ANY)
        if count is targets:
            if is_listed:
                established += 1
            elif origin > _TRUSTED:
                strangers += 1
        elif count is contents:
            for reached in _carried_entries(scalar, view):
                there, listed = origin_of(reached), reached & ESTABLISHED_MASK == DIRECTORY
                carried[there] += 1
                if external:
                    targets[there] += 1
                    established += listed
                    strangers += not listed and there > _TRUSTED
        if len(traced) < TRACED_MAX:
            call, at = view.place(entry) if entry > ALL_BITS else _NOWHERE
            part_text = part if part and (len(scalar.tokens) > 1 or scalar is UNREAD) and name not in secrets else ""
            traced.append(OriginTrace(spelt(path), role, origin, part_text[:_PART_CHARS], call, at, is_listed))
    if not any(targets) and _reaches_all(tool, declared):
        targets[Origin.UNSEEN] += 1
        strangers += 1
        args.setdefault(Origin.UNSEEN, set()).add(ANY)
    return Flow(
        _counts(targets),
        _counts(contents),
        _counts(credentials),
        _counts(carried),
        established,
        strangers,
        {origin: frozenset(args[origin]) for origin in sorted(args)},
        is_asked_for(tool, view),
        tuple(traced),
    )


def _read_leaves(
    tool: Tool | None, names: Names, roles: Mapping[str, Role], arguments: Mapping[str, Json], view: IndexView
) -> list[tuple[Path, Role | None, Scalar]]:
    """Each scalar of `arguments`: where it stands, the role of its argument, and what is read of it, all in `view`."""
    verb_tokens: tuple[str, ...] = ()
    other: Role | None = Role.TARGET
    if tool is None:
        names = names._replace(roots=None)
    else:
        roles = tool.roles
        # What goes out has an effect, whatever the tool does besides.
        other = Role.TARGET if tool.sink is Sink.EXTERNAL or tool.effect is not Effect.READ else None
        verb_tokens = _verb_tokens(tool.asks)
    input_leaves = [(path, roles.get(path[0], other), value) for path, value in leaves(arguments, names)]
    scalars = read_and_look_up([(value, role) for _, role, value in input_leaves], view, verb_tokens)
    return [(path, role, scalar) for (path, role, _), scalar in zip(input_leaves, scalars, strict=True)]


def _carried_entries(content: Scalar, view: IndexView) -> list[int]:
    """What is known of each address, URL and account number in it.

    Names with dots whose endings no host has are code, as far as nobody untrusted wrote them.
    """
    pairs = [(view[token], kind) for token, kind in content.tokens if kind in CARRIED]
    entries = [entry for entry, kind in pairs if kind is not TokenKind.DOTTED or origin_of(entry) is Origin.UNTRUSTED]
    return [*entries, UNTRUSTED] if content is UNREAD else entries


def _reaches_all(tool: Tool | None, declared: Iterable[str]) -> bool:
    """Whether `tool`, given no target of those that it has, may reach all of them for good: nobody named those."""
    if tool is None or tool.effect is not Effect.IRREVERSIBLE:
        return False
    return any(tool.roles.get(name, Role.TARGET) is Role.TARGET for name in declared)


def _counts(count: Iterable[int]) -> OriginCounts:
    return OriginCounts._make(count) if any(count) else NONE


def is_asked_for(tool: Tool | None, view: IndexView) -> bool:
    """Whether the user's words ask for a tool of this kind, by the verbs of the catalog; no where it has none."""
    if tool is None:
        return False
    alone, together = _verbs(tool.asks)
    return any(map(view.is_in_words, alone)) or any(all(map(view.is_in_words, pairs)) for pairs in together)


@lru_cache(maxsize=4_096)
def _verb_tokens(asks: frozenset[str]) -> tuple[str, ...]:
    """All that `is_asked_for` may look up."""
    alone, together = _verbs(asks)
    return tuple(dict.fromkeys((*alone, *chain.from_iterable(together))))


@lru_cache(maxsize=4_096)
def _verbs(asks: frozenset[str]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """The tokens one of which tells; and of each of `asks` that is several words each two, which tell together."""
    alone: dict[str, None] = {}
    together: list[tuple[str, ...]] = []
    for verb in sorted(asks):
        words = [token for token, _ in ordered_tokens(verb)]
        if len(words) == 1:
            form = stem(words[0])
            alone |= {form: None, f"~{form}": None}
        elif words:
            together.append(sequence_tokens(words))
    return tuple(alone), tuple(together)


def leaves(arguments: Mapping[str, Json], names: Names) -> list[tuple[Path, str | float]]:
    """The scalars of `arguments`, in order, each with its path, and before it the name of the member that `names` lack.

    `null` is none, and so is what it stands at where people accepted the name.
    """
    unaccepted = names.unaccepted(arguments)
    scalars: list[tuple[Path, str | float]] = []
    for name, value in arguments.items():
        path = (name,)
        if name in unaccepted:
            scalars.append((path, name))
        if isinstance(value, _SCALARS):
            scalars.append((path, value))
        elif value is not None:
            scalars += _inner(path, value, names.free.get(name, names.members))
    return scalars


def _inner(
    path: Path, value: Sequence[Json] | Mapping[str, Json], accepted: Collection[str] | None
) -> Iterator[tuple[Path, str | float]]:
    stack: list[tuple[Path, Json]] = [(path, value)]
    while stack:
        here, item = stack.pop()
        if isinstance(item, _SCALARS):
            yield here, item
        elif isinstance(item, Mapping):
            if accepted is not None:
                yield from (((*here, name), name) for name in item if name not in accepted)
            stack.extend(((*here, name), inner) for name, inner in reversed(list(item.items())))
        elif item is not None:
            stack.extend(((*here, at), item[at]) for at in range(len(item) - 1, -1, -1))


def all_grounded(values: Iterable[str | float], view: IndexView) -> bool:
    """Whether there is something in `values`, and each of it is grounded or derived."""
    origins = [judge(scalar, view)[0] for scalar in read_and_look_up([(value, Role.KEY) for value in values], view)]
    return bool(origins) and max(origins) <= Origin.DERIVED
