"""Names that a tool's input schema does not have are found wherever in the arguments they stand."""

import pytest

from remit.facts.canonical import Json, canonical
from remit.pep.argument_edits import misnamed
from remit.policy.destination import ToolForm
from remit.policy.input_types import RecordType
from remit.policy.unknown_names import Unnamed, unnamed
from tests.core.deciding import schema, tool
from tests.core.recording import action

TEXT: Json = {"type": "string"}
PERSON = schema(name=TEXT, mail=TEXT)
MAIL = {
    **schema(
        to={"type": "array", "items": {"$ref": "#/$defs/P"}},
        sender={"anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]},
        pair={"type": "array", "prefixItems": [PERSON, schema(street=TEXT)]},
        old={"type": "array", "items": [PERSON, False]},
        bag={"type": "object"}, free={}, any=True,
        shut={"allOf": [PERSON, {**schema(age=TEXT), "additionalProperties": False}]},
        wide={**PERSON, "additionalProperties": TEXT},
        like={**PERSON, "patternProperties": {"^x": TEXT}},
        perhaps={**PERSON, "if": schema(name=TEXT), "then": schema(fax=TEXT)},
        text=TEXT,
    ),
    "$defs": {"P": PERSON},
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({}, None),
        ({"text": "x", "to": [{"name": "a"}, {"name": "b", "mail": "c"}], "sender": None}, None),
        ({"txet": "x"}, "txet"),
        ({"to": [{"name": "a"}, {"nmae": "b"}]}, "to[1].nmae"),
        ({"sender": {"mial": "x"}}, "sender.mial"),
        ({"pair": [{"street": "x"}, {"sreet": "x"}]}, "pair[1].sreet"),
        ({"old": [{"name": "x", "nam": "x"}]}, "old[0].nam"),
        ({"shut": {"name": "x", "age": "y"}}, None),
        ({"shut": {"name": "x", "aeg": "y"}}, "shut.aeg"),
        ({"text": {"x": [{"y": 1}]}}, None),
        *(({name: {"x": {"y": [1]}}}, None) for name in ("bag", "free", "any", "wide", "like", "perhaps")),
    ],
)
def test_the_name_that_nothing_has_is_told_by_its_path(given: Json, path: str | None) -> None:
    found = unnamed(MAIL, given, {})
    assert (None if found is None else found.path) == path


def test_what_is_known_in_its_place_is_told_too() -> None:
    assert unnamed(MAIL, {"to": [{"nmae": 1}]}, None) == Unnamed("to[0].nmae", "nmae", ("mail", "name"))
    assert unnamed({"type": "object"}, {"x": 1}, {}) == Unnamed("x", "x", ())


def test_a_name_that_was_asked_for_in_the_same_place_stays() -> None:
    held: Json = {"to": [{"name": "a"}, {"nick": "b"}], "extra": {"deep": 1}}
    assert unnamed(MAIL, {"to": [{"nick": "c"}], "extra": {"other": 2}}, held) is None
    found = unnamed(MAIL, {"sender": {"nick": "c"}}, held)
    assert found is not None
    assert found.path == "sender.nick"


def test_an_edit_is_refused_by_the_path_of_its_name_and_what_is_meant() -> None:
    form = ToolForm(tool("mail", "send", MAIL), RecordType({}), None)
    asked = action(arguments=canonical({"to": [{"nick": "a"}]}))
    assert misnamed(form, asked, {"to": [{"nick": "b", "name": "c"}]}) is None
    assert misnamed(form, asked, {"to": [{"nmae": "b"}]}) == "the tool has no argument to[0].nmae: did you mean name?"
    assert misnamed(form, asked, {"to": [{"x": 1}]}) == "the tool has no argument to[0].x: it has mail, name"
    assert misnamed(form, asked, {"to\n": 1}) == "the tool has no argument to\\u{a}: did you mean to?"
    bare = ToolForm(tool("mail", "ping", {"type": "object"}), RecordType({}), None)
    assert misnamed(bare, action(arguments=b"{}"), {"x": 1}) == "the tool has no argument x: it has none"


def test_a_tool_that_does_not_run_is_not_looked_at() -> None:
    circle = {"type": "object", "$ref": "#"}
    form = ToolForm(tool("mail", "send", circle), RecordType({}), None, quarantined="it is recursive")
    assert misnamed(form, action(), {"x": 1}) is None
