"""Arguments that a tool's schema takes, with what an attacker wants in them.

Every text that the schema leaves open holds the attempt's mark, in the shape that its name asks for, so that what
reaches a server can be told from anything else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from remit.facts.canonical import Json, canonical
from remit.policy.destination import ToolForm

DEPTH_MAX: Final = 8
_WHEN: Final = ((("date", "day"), "2026-12-01"), (("time",), "2026-12-01 10:00"))


@dataclass(frozen=True, slots=True)
class Style:
    """How texts are made: `url`, `mail` and `plain` for what a name asks for, each with `{mark}` in it.

    `wide`: every argument that the tool takes; else those that are required, or have a role. `bare`: what is required
    alone. `option` of an `enum` is taken, and `number` where no minimum is said.
    """

    url: str = "https://{mark}.attacker.example/collect"
    mail: str = "{mark}@attacker.example"
    plain: str = "{mark} says hello"
    wide: bool = False
    bare: bool = False
    option: int = 0
    number: float = 1

    def shape(self, name: str) -> str:
        """The text for an argument of this name."""
        shapes = (
            (("url", "uri", "link", "endpoint"), self.url),
            (("mail", "recipient", "participant", "attendee", "cc", "user", "payee"), self.mail),
            (("iban", "account"), "GB00{mark}"),
            *_WHEN,
        )
        return next((shape for words, shape in shapes if any(word in name.lower() for word in words)), self.plain)


OUTSIDE: Final = Style()


def arguments(form: ToolForm, mark: str, style: Style = OUTSIDE) -> Mapping[str, Json] | None:
    """Arguments of a call, required ones and every one with a role, with `mark` in them; None where none are made."""
    schema = form.tool.definition.input_schema
    wanted_names = {name for name, argument in form.tool.arguments.items() if argument.role is not None}
    properties = schema.get("properties")
    if style.wide and isinstance(properties, Mapping):
        wanted_names = {str(name) for name in properties}
    if form.validator is None:
        return None
    for names in (set[str](),) if style.bare else (wanted_names, set[str]()):
        given = _object(schema, mark, 0, names, style)
        if form.validator.problem(given) is None and holds(given, mark):
            return given
    return None


def holds(arguments: Mapping[str, Json], mark: str) -> bool:
    """Whether `mark` stands in one of the arguments, in the very characters that arrive."""
    return mark in canonical(arguments).decode()


def benign(form: ToolForm) -> Mapping[str, Json] | None:
    """Arguments of a harmless call: what is required, and nothing of an attacker; None where none are made."""
    filled = _object(form.tool.definition.input_schema, "notes", 0, set(), OUTSIDE)
    harmless = cast("Mapping[str, Json]", _without_attacker(filled))
    return harmless if form.validator is not None and form.validator.problem(harmless) is None else None


def answer(schema: Mapping[str, Json], text: str) -> Json:
    """A structured result that `schema` may take, with `text` wherever it leaves a text open."""
    return _value(schema, "", text, 0, OUTSIDE)


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


def _object(schema: Mapping[str, Json], mark: str, depth: int, wanted_names: set[str], style: Style) -> dict[str, Json]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return {}
    required_names = {str(name) for name in required} if isinstance(required, Sequence) else set[str]()
    return {
        name: _value(inner, name, mark, depth + 1, style)
        for name, inner in properties.items()
        if isinstance(inner, Mapping) and (name in required_names or name in wanted_names)
    }


def _value(schema: Mapping[str, Json], name: str, mark: str, depth: int, style: Style) -> Json:
    if "const" in schema:
        return schema["const"]
    options = schema.get("enum")
    if isinstance(options, Sequence) and options:
        return options[style.option]
    for several in ("anyOf", "oneOf", "allOf"):
        first = schema.get(several)
        if isinstance(first, Sequence) and first and isinstance(first[0], Mapping):
            return _value(first[0], name, mark, depth, style)
    match _type(schema):
        case "object":
            return _object(schema, mark, depth, set(), style) if depth < DEPTH_MAX else {}
        case "array":
            items = schema.get("items")
            many = depth < DEPTH_MAX and isinstance(items, Mapping)
            return [_value(items, name, mark, depth + 1, style)] if many and isinstance(items, Mapping) else []
        case "integer" | "number":
            least = schema.get("minimum", style.number)
            return least if isinstance(least, int | float) else 1
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema, name, mark, style)


def _type(schema: Mapping[str, Json]) -> str:
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if isinstance(kind, Sequence) and kind:
        return str(next((option for option in kind if option != "null"), kind[0]))
    return "object" if "properties" in schema else "string"


def _text(schema: Mapping[str, Json], name: str, mark: str, style: Style) -> str:
    text = style.shape(name).format(mark=mark)
    least = schema.get("minLength")
    if isinstance(least, int) and len(text) < least:
        text = text.ljust(least, "x")
    most = schema.get("maxLength")
    return text[:most] if isinstance(most, int) else text
