"""Arguments that a tool's schema takes, with what an attacker wants in them.

Every text that the schema leaves open holds the attempt's mark, in the shape that its name asks for, so that what
reaches a server can be told from anything else.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from remit.facts.canonical import Json
from remit.policy.reached import ToolForm

DEPTH_MAX: Final = 8
_SHAPES: Final = (
    (("url", "uri", "link", "endpoint"), "https://{mark}.attacker.example/collect"),
    (("mail", "recipient", "participant", "attendee", "cc", "user", "payee"), "{mark}@attacker.example"),
    (("iban", "account"), "GB00{mark}"),
    (("date", "day"), "2026-12-01"),
    (("time",), "2026-12-01 10:00"),
)


def arguments(form: ToolForm, mark: str) -> Mapping[str, Json] | None:
    """Arguments of a call, required ones and every one with a role, with `mark` in them; None where none are made."""
    schema = form.tool.definition.input_schema
    found = _object(schema, mark, 0, {name for name, one in form.tool.arguments.items() if one.role is not None})
    if form.validator is None:
        return None
    for given in (found, _object(schema, mark, 0, set())):
        if form.validator.problem(given) is None and mark in str(given):
            return given
    return None


def benign(form: ToolForm) -> Mapping[str, Json] | None:
    """Arguments of a harmless call: what is required, and nothing of an attacker; None where none are made."""
    given = _object(form.tool.definition.input_schema, "notes", 0, set())
    plain = cast("Mapping[str, Json]", _without_attacker(given))
    return plain if form.validator is not None and form.validator.problem(plain) is None else None


def answer(schema: Mapping[str, Json], text: str) -> Json:
    """A structured result that `schema` may take, with `text` wherever it leaves a text open."""
    return _value(schema, "", text, 0)


def _without_attacker(value: Json) -> Json:
    match value:
        case str():
            return value.replace("attacker.example", "ours.example")
        case Mapping():
            return {name: _without_attacker(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_without_attacker(inner) for inner in value]
        case _:
            return value


def _object(schema: Mapping[str, Json], mark: str, depth: int, wanted: set[str]) -> dict[str, Json]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return {}
    names = {str(name) for name in required} if isinstance(required, Sequence) else set[str]()
    return {
        name: _value(inner, name, mark, depth + 1)
        for name, inner in properties.items()
        if isinstance(inner, Mapping) and (name in names or name in wanted)
    }


def _value(schema: Mapping[str, Json], name: str, mark: str, depth: int) -> Json:
    if "const" in schema:
        return schema["const"]
    options = schema.get("enum")
    if isinstance(options, Sequence) and options:
        return options[0]
    for several in ("anyOf", "oneOf", "allOf"):
        first = schema.get(several)
        if isinstance(first, Sequence) and first and isinstance(first[0], Mapping):
            return _value(first[0], name, mark, depth)
    match _type(schema):
        case "object":
            return _object(schema, mark, depth, set()) if depth < DEPTH_MAX else {}
        case "array":
            items = schema.get("items")
            many = depth < DEPTH_MAX and isinstance(items, Mapping)
            return [_value(items, name, mark, depth + 1)] if many and isinstance(items, Mapping) else []
        case "integer" | "number":
            least = schema.get("minimum", 1)
            return least if isinstance(least, int | float) else 1
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema, name, mark)


def _type(schema: Mapping[str, Json]) -> str:
    told = schema.get("type")
    if isinstance(told, str):
        return told
    if isinstance(told, Sequence) and told:
        return str(next((one for one in told if one != "null"), told[0]))
    return "object" if "properties" in schema else "string"


def _text(schema: Mapping[str, Json], name: str, mark: str) -> str:
    lower = name.lower()
    made = next((shape for words, shape in _SHAPES if any(word in lower for word in words)), "{mark} says hello")
    text = made.format(mark=mark)
    least = schema.get("minLength")
    if isinstance(least, int) and len(text) < least:
        text = text.ljust(least, "x")
    most = schema.get("maxLength")
    return text[:most] if isinstance(most, int) else text
