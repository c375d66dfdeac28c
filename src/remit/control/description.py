"""A live tool in lines for the person who is to accept it: everything that is pinned and that an agent will read.

Texts of arguments, enums, defaults, the output schema and annotations reach a model as the description does, so they
are shown as it is, but for titles that repeat a name. Strangers' text is escaped and kept on its line; what is too long
is cut and says by how much.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeGuard

from remit.control.difference import one_line
from remit.facts.canonical import Json
from remit.facts.pointer import below
from remit.facts.text import escaped
from remit.facts.tool import Definition

TEXT_MAX: Final = 4_000
LINES_MAX: Final = 1_000
_NAMING: Final = frozenset({"properties", "$defs", "definitions"})
"""Where what stands under a key is a schema of that name."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9 _-]+")
_BETWEEN: Final = re.compile(r"[ _-]")


def description_lines(live: Definition) -> list[str]:
    """The lines of `live`; those beyond `LINES_MAX` are counted, and `-o json` has every one of its members."""
    lines = [f"description: {line}" for line in escaped(live.description, chars_max=TEXT_MAX).split("\n")]
    for line in _members(live):
        if len(lines) >= LINES_MAX:
            lines.append(f"… and more than the {LINES_MAX} lines shown: see `live` of remit tools review -o json")
            break
        lines.append(line)
    return lines


def _members(live: Definition) -> Iterator[str]:
    yield from _object(live.input_schema, "argument", "schema", (live.name, f"{live.name}Arguments"))
    if live.output_schema is not None:
        yield from _object(live.output_schema, "returns", "returns", (live.name, f"{live.name}Output"))
    for key, claim in sorted(live.annotations.items()):
        for path, value in _leaves(claim):
            yield f"claims {one_line(key)}{path and f' {path}'}: {_value_text(value, quoted=True)}"


def _object(schema: Mapping[str, Json], noun: str, heading: str, names: Sequence[str]) -> Iterator[str]:
    """Its members by name, each with all that is said of it; then what the schema called `names` says beside them."""
    keywords = _untitled(schema, *names)
    if keywords.get("type") == "object":
        del keywords["type"]
    members: Mapping[str, Json] = {}
    properties = keywords.get("properties")
    if isinstance(properties, Mapping):
        members = properties
        del keywords["properties"]
    required = keywords.get("required")
    required_names = (
        frozenset(name for name in required if isinstance(name, str)) if _is_list(required) else frozenset[str]()
    )
    if _is_list(required) and all(isinstance(name, str) and name in members for name in required):
        del keywords["required"]
    for name, member_schema in sorted(members.items()):
        yield from _member(noun, name, member_schema, mark="" if name in required_names else ", may be left out")
    for path, value in _leaves(keywords) if keywords else ():
        yield f"{heading} {path}: {_value_text(value)}"


def _member(noun: str, name: str, schema: Json, mark: str) -> Iterator[str]:
    heading = f"{noun} {one_line(name)}"
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    rest = schema
    if isinstance(schema, Mapping) and (isinstance(kind, str) or _plain_list(kind)):
        rest = {key: value for key, value in schema.items() if key != "type"}
    else:
        kind = "any"
    yield f"{heading}: {_value_text(kind)}{mark}"
    if isinstance(rest, Mapping):
        rest = _untitled(rest, name)
    if rest not in ({}, True):
        for path, value in _leaves(rest):
            yield f"{heading} {path or '/'}: {_value_text(value)}"


def _untitled(schema: Mapping[str, Json], *names: str) -> dict[str, Json]:
    """`schema` without a title that is one of its `names` in other letters, as generators of schemas write them."""
    title = schema.get("title")
    plain = isinstance(title, str) and _PLAIN.fullmatch(title) is not None
    repeats = plain and _letters(str(title)) in {_letters(name) for name in names}
    return {key: value for key, value in schema.items() if key != "title" or not repeats}


def _letters(name: str) -> str:
    return _BETWEEN.sub("", name).casefold()


def _leaves(whole: Json) -> Iterator[tuple[str, Json]]:
    """Each value that holds no other, in order, with its JSON Pointer escaped; a list of plain values is one."""
    pending: list[tuple[str, Json, str | None, bool]] = [("", whole, None, False)]
    while pending:
        path, value, property_name, keys_are_names = pending.pop()
        if isinstance(value, Mapping) and property_name is not None:
            value = _untitled(value, property_name)
        if isinstance(value, Mapping) and value:
            inner = sorted(value, reverse=True)
            pending += [
                (below(path, key), value[key], key if keys_are_names else None, key in _NAMING) for key in inner
            ]
        elif _is_list(value) and not _plain_list(value):
            rows = reversed(list(enumerate(value)))
            pending += [(below(path, index), item, None, False) for index, item in rows]
        else:
            yield _value_text(path), value


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _plain_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return _is_list(value) and not any(isinstance(item, Mapping) or _is_list(item) for item in value)


def _value_text(value: Json, *, quoted: bool = False) -> str:
    text = value if isinstance(value, str) and not quoted else json.dumps(value, ensure_ascii=False)
    return escaped(text, chars_max=TEXT_MAX).replace("\n", "\\n")
