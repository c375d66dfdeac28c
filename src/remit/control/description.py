"""A live tool in lines for the person who is to accept it: everything that is pinned and that an agent will read.

Texts of arguments, enums, defaults, the output schema and annotations reach a model as the description does, so they
are shown as it is. Strangers' text is escaped and kept on its line; what is too long is cut and says by how much.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeGuard

from remit.control.difference import one_line
from remit.facts.canonical import Json
from remit.facts.catalog import Definition
from remit.facts.pointer import below
from remit.facts.text import escaped

TEXT_MAX: Final = 4_000
LINES_MAX: Final = 1_000


def described(live: Definition) -> list[str]:
    """The lines of `live`; those beyond `LINES_MAX` are counted, and `-o json` has every one of its members."""
    lines = [f"description: {line}" for line in escaped(live.description, chars_max=TEXT_MAX).split("\n")]
    for line in _members(live):
        if len(lines) >= LINES_MAX:
            lines.append(f"… and more than the {LINES_MAX} lines shown: see `live` of remit tools review -o json")
            break
        lines.append(line)
    return lines


def _members(live: Definition) -> Iterator[str]:
    yield from _inputs(live.input_schema)
    if live.output_schema is not None:
        for path, value in _leaves(live.output_schema):
            yield f"returns {path or '/'}: {_shown(value)}"
    for key, claim in sorted(live.annotations.items()):
        for path, value in _leaves(claim):
            yield f"claims {one_line(key)}{path and f' {path}'}: {_shown(value, quoted=True)}"


def _inputs(schema: Mapping[str, Json]) -> Iterator[str]:
    """The arguments by name, each with all that is said of it; then what the schema says beside them."""
    said: dict[str, Json] = dict(schema)
    if said.get("type") == "object":
        del said["type"]
    arguments: Mapping[str, Json] = {}
    properties = said.get("properties")
    if isinstance(properties, Mapping):
        arguments = properties
        del said["properties"]
    required = said.get("required")
    needed = frozenset(name for name in required if isinstance(name, str)) if _is_list(required) else frozenset[str]()
    if _is_list(required) and all(isinstance(name, str) and name in arguments for name in required):
        del said["required"]
    for argument, of_it in sorted(arguments.items()):
        yield from _argument(one_line(argument), of_it, mark="" if argument in needed else ", may be left out")
    for path, value in _leaves(said) if said else ():
        yield f"schema {path}: {_shown(value)}"


def _argument(name: str, said: Json, mark: str) -> Iterator[str]:
    kind = said.get("type") if isinstance(said, Mapping) else None
    rest = said
    if isinstance(said, Mapping) and (isinstance(kind, str) or _plain_list(kind)):
        rest = {key: value for key, value in said.items() if key != "type"}
    else:
        kind = "any"
    yield f"argument {name}: {_shown(kind)}{mark}"
    if rest not in ({}, True):
        for path, value in _leaves(rest):
            yield f"argument {name} {path or '/'}: {_shown(value)}"


def _leaves(whole: Json) -> Iterator[tuple[str, Json]]:
    """Each value that holds no other, in order, with its JSON Pointer escaped; a list of plain values is one."""
    waiting: list[tuple[str, Json]] = [("", whole)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Mapping) and value:
            inner = sorted(value, reverse=True)
            waiting += [(below(path, key), value[key]) for key in inner]
        elif _is_list(value) and not _plain_list(value):
            waiting += [(below(path, index), item) for index, item in reversed(list(enumerate(value)))]
        else:
            yield _shown(path), value


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _plain_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return _is_list(value) and not any(isinstance(item, Mapping) or _is_list(item) for item in value)


def _shown(value: Json, *, quoted: bool = False) -> str:
    text = value if isinstance(value, str) and not quoted else json.dumps(value, ensure_ascii=False)
    return escaped(text, chars_max=TEXT_MAX).replace("\n", "\\n")
