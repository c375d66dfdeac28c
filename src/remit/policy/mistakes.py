"""Common mistakes in Cedar, found in the text of a policy of which Cedar complained, with what to write instead.

cedarpy says what it expected, not where, and knows none of the words of other languages. Nothing here refuses a policy.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from remit.policy.lint import LintContext
from remit.policy.parse import Statement, outside_comments
from remit.policy.problem import nearest
from remit.policy.schema import NAMESPACE, kind_at, names_of

_TYPE: Final = re.compile(r"unrecognized entity type `(.+)`", re.DOTALL)
_METHOD: Final = re.compile(r"`(\w+)` is not a valid method")
_DECIMAL: Final = re.compile(r'.*failed to parse as a decimal value: `"(.*)"`', re.DOTALL)
_TYPED: Final = re.compile(r"unexpected type: expected .+ but saw .+|the types .+ and .+ are not compatible", re.DOTALL)

_UID: Final = re.compile(
    r"expected an entity uid(?: or matching template slot)?, found (?:literal|name) `(.+)`", re.DOTALL
)

_PATH: Final = r"(?<![\w.])[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+"
_SIGN: Final = r"<=|>=|==|!=|<|>"
_VALUE: Final = r'(?<![\w.])-?[0-9]+|decimal\(\s*"[^"]*"\s*\)'
_TEXT: Final = r'"((?:[^"\\]|\\.)*)"'
_COMPARED: Final = re.compile(rf"({_PATH})\s*({_SIGN})\s*({_VALUE})")
_TURNED: Final = re.compile(rf"({_VALUE})\s*({_SIGN})\s*({_PATH})")
_ASKED: Final = re.compile(rf"({_PATH})\.(\w+)\(\s*({_VALUE})\s*\)")
_CONTAINED: Final = re.compile(rf"({_PATH})\.contains\(\s*{_TEXT}\s*\)")
_BARE: Final = re.compile(rf"(?<![\w.])(principal|action|resource)\s*(==|!=|in)\s*{_TEXT}")
_POINTED: Final = re.compile(r"(?<![\w.])-?[0-9]+\.[0-9]+")
_WHOLE: Final = re.compile(r"-?[0-9]+")
_PLACES: Final = re.compile(r"-?[0-9]+\.[0-9]{5,}")

_NAMED: Final = {"<": "lessThan", "<=": "lessThanOrEqual", ">": "greaterThan", ">=": "greaterThanOrEqual"}
_SIGNS: Final = {name: sign for sign, name in _NAMED.items()}
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_LIKE: Final = {
    "contains": "*{}*", "endsWith": "*{}", "ends_with": "*{}", "endswith": "*{}", "includes": "*{}*",
    "startsWith": "{}*", "starts_with": "{}*", "startswith": "{}*",
}  # fmt: skip


class Mistake(NamedTuple):
    """What is wrong, the words as they stand in the text, and what to write."""

    text: str
    words: str
    hint: str | None


def in_syntax(statement: Statement, message: str) -> str | None:
    """The hint for a text that is no policy, of which Cedar said `message`."""
    text = outside_comments(statement.text)
    if (match := _METHOD.match(message)) and (pattern := _LIKE.get(match[1])) is not None:
        called = re.search(rf"({_PATH})\.{match[1]}\(\s*{_TEXT}\s*\)", text)
        return _like(pattern, "…", "…") if called is None else _like(pattern, called[1], called[2])
    if match := _UID.match(message):
        return _uid(text, match[1])
    unquoted = re.sub(_TEXT, lambda said: " " * len(said[0]), text)
    if message == "invalid token" and "'" in unquoted:
        return 'a text stands in double quotes: "…"'
    pointed = _POINTED.search(unquoted)
    if pointed is not None and "unexpected token" in message:
        return f"a number with a point is a decimal: write {_decimal(pointed[0])}"
    return None


def _uid(text: str, name: str) -> str | None:
    """How the bare `name` of an entity in the scope is written whole."""
    scope = re.search(rf"\b(principal|action|resource)\s*(==|in)\s*(?:\[[^\]]*?)?{re.escape(name)}", text)
    if scope is None:
        return None
    return f"write {_entity(scope[1], scope[2], name.strip(chr(34)))}"


def _entity(variable: str, sign: str, name: str) -> str:
    """What `variable` may be compared with, called `name`."""
    kinds = {"principal": "Group" if sign == "in" else "Agent", "action": "Action", "resource": "Server"}
    return f'{NAMESPACE}::{kinds[variable]}::"{name}"'


def in_types(
    messages: Iterable[str], statement: Statement, actions: Iterable[str], ground: LintContext
) -> list[Mistake]:
    """What is behind the `messages` that speak of types, each once; `actions` are those in scope."""
    type_messages = [message for message in messages if _TYPED.match(message)]
    kinds = _Kinds(ground, tuple(actions))
    text = outside_comments(statement.text)
    mistakes: list[Mistake] = []
    if any("decimal" in message for message in type_messages):
        mistakes += _numbers(text, kinds)
    if any("String" in message for message in type_messages):
        for bare in _BARE.finditer(text):
            sentence = f"{bare[1]} is an entity, and is compared with entities"
            mistakes.append(Mistake(sentence, bare[0], f"write {bare[1]} {bare[2]} {_entity(*bare.groups())}"))
        for path, part in _CONTAINED.findall(text):
            if kinds.of(path) == "String":
                sentence = f"{path} is a String, and contains asks a set"
                mistakes.append(Mistake(sentence, f"{path}.contains", _like("*{}*", path, part)))
    return list(dict.fromkeys(mistakes))


def of_types(message: str) -> bool:
    """Whether `message` speaks of types, without saying where."""
    return _TYPED.match(message) is not None


def of_decimals(message: str) -> str | None:
    """The hint for two types that do not go together, where nothing in the text says more."""
    if not of_types(message) or "decimal" not in message:
        return None
    return f'a decimal is compared by {", ".join(f".{name}" for name in _SIGNS)}, with decimal("100.0")'


def unknown_type(message: str, statement: Statement, ground: LintContext) -> Mistake | None:
    """What a `message` about an entity type that there is not comes of; None for another message."""
    match = _TYPE.match(message)
    if match is None:
        return None
    kind = match[1]
    kinds = [f"{NAMESPACE}::{name}" for name in names_of(ground.schema, "entityTypes")]
    whole = _bare(kind, statement)
    hint = f"write {NAMESPACE}::{whole}" if f"{NAMESPACE}::{kind}" in kinds else nearest(kind, kinds)
    return Mistake(f"there is no entity type {kind}", whole, hint)


def unnamed_action(prefix: str, name: str, hint: str | None, ground: LintContext) -> Mistake:
    """An action whose type has no namespace, or another: `hint` is what to say of its name."""
    words = f'{prefix}Action::"{name}"'
    is_known = name in names_of(ground.schema, "actions")
    suggestion = f'write {NAMESPACE}::Action::"{name}"' if is_known else f"write {NAMESPACE}::Action::…"
    return Mistake(
        f"there is no entity type {prefix}Action",
        words,
        suggestion if is_known or hint is None else f"{suggestion}; {hint}",
    )


def no_decimal(message: str) -> Mistake | None:
    """What a `message` about the text of a decimal comes of; None for another message."""
    match = _DECIMAL.match(message)
    if match is None:
        return None
    hint = f"write {_decimal(match[1])}" if _WHOLE.fullmatch(match[1]) else 'a decimal is written as decimal("100.0")'
    if _PLACES.fullmatch(match[1]):
        hint = "a decimal has four places at most"
    return Mistake(f'"{match[1]}" is no decimal', f'"{match[1]}"', hint)


class _Kinds(NamedTuple):
    """What attributes are, for the first of the actions that has them."""

    ground: LintContext
    actions: tuple[str, ...]

    def of(self, path: str) -> str | None:
        """The Cedar type of `path` where it begins at the context; None where it is not there."""
        root, *steps = path.split(".")
        if root != "context":
            return None
        kinds = (kind_at(self.ground.schema, action, tuple(steps)) for action in self.actions)
        return next((kind for kind in kinds if kind is not None), None)


def _numbers(text: str, kinds: _Kinds) -> Iterator[Mistake]:
    """Comparisons of a decimal as if it were a Long, and of a Long as if it were a decimal."""
    forward = [(path, sign, value, whole) for whole, path, sign, value in _matches(_COMPARED, text)]
    turned = [(path, _MIRRORED[sign], value, whole) for whole, value, sign, path in _matches(_TURNED, text)]
    methods = [
        (path, _SIGNS[name], value, whole) for whole, path, name, value in _matches(_ASKED, text) if name in _SIGNS
    ]
    for path, sign, value, whole in (*forward, *turned, *methods):
        kind, typed, method = kinds.of(path), value.startswith("decimal"), (path, sign, value, whole) in methods
        if kind == "decimal" and not (typed and (method or sign not in _NAMED)):
            suggestion = (
                f"{path}.{_NAMED[sign]}({_decimal(value)})" if sign in _NAMED else f"{path} {sign} {_decimal(value)}"
            )
            yield Mistake(f"{path} is a decimal, and is compared with decimals", whole, f"write {suggestion}")
        elif kind == "Long" and (typed or method):
            number = _WHOLE.search(value)
            digits = "…" if number is None else number[0]
            yield Mistake(
                f"{path} is a Long, and is compared with whole numbers", whole, f"write {path} {sign} {digits}"
            )


def _matches(pattern: re.Pattern[str], text: str) -> list[tuple[str, str, str, str]]:
    return [(found[0], found[1], found[2], found[3]) for found in pattern.finditer(text)]


def _decimal(value: str) -> str:
    """`value` as a decimal of Cedar's."""
    inner = value.removeprefix("decimal(").removesuffix(")").strip().strip('"')
    return f'decimal("{inner}.0")' if _WHOLE.fullmatch(inner) else f'decimal("{inner}")'


def _like(pattern: str, path: str, part: str) -> str:
    """A condition on a text, which Cedar writes with stars."""
    return f'write {path} like "{pattern.format(part.replace("*", chr(92) + "*"))}"'


def _bare(kind: str, statement: Statement) -> str:
    """The literal of that entity type as it stands, or the type."""
    literal = re.search(rf"(?<![\w:]){re.escape(kind)}::{_TEXT}", outside_comments(statement.text))
    return kind if literal is None else literal[0]
