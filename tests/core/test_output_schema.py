"""How an output schema that is of no object is shown in 2025."""

from __future__ import annotations

import gc
import weakref
from collections import UserList
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from remit.facts.output_schema import as_in_2025
from remit.facts.tool import Definition, Tool
from remit.pdp.snapshot import Pin
from remit.pep.pins import Pins
from tests.upstreams.projecting import ARRAY, MEMBER

if TYPE_CHECKING:
    from remit.facts.canonical import Json

NATURAL = Definition("count", "Counts.", {"type": "object"}, ARRAY, {})


class ShownList(UserList[Definition]):
    """A list whose end can be watched."""


def wrapped(schema: dict[str, Json]) -> Json:
    """What is under `result` of a schema."""
    _, shown = as_in_2025(replace(NATURAL, output_schema=schema))
    output = shown.output_schema
    assert output is not None
    properties = output["properties"]
    assert isinstance(properties, dict)
    return properties["result"]


def test_what_is_of_an_object_is_the_same_in_both_eras() -> None:
    assert as_in_2025(replace(NATURAL, output_schema=None)) == ()
    assert as_in_2025(replace(NATURAL, output_schema={"type": "object"})) == ()


def test_an_array_is_left_out_or_a_member_and_its_references_follow() -> None:
    without, member = as_in_2025(NATURAL)
    assert (without, member) == (replace(NATURAL, output_schema=None), replace(NATURAL, output_schema=MEMBER))


@pytest.mark.parametrize(
    ("schema", "shown"),
    [
        ({"anyOf": [{"$ref": "#"}, {"type": "null"}]}, {"anyOf": [{"$ref": "#/properties/result"}, {"type": "null"}]}),
        ({"$ref": "other.json"}, {"$ref": "other.json"}),
        ({"$ref": "#anchor"}, {"$ref": "#anchor"}),
        ({"$ref": 1}, {"$ref": 1}),
        ({"const": {"$ref": "#"}}, {"const": {"$ref": "#"}}),
        ({"properties": {"const": {"$ref": "#"}}}, {"properties": {"const": {"$ref": "#/properties/result"}}}),
        ({"$id": "https://a.example/", "items": {"$ref": "#"}}, {"$id": "https://a.example/", "items": {"$ref": "#"}}),
        ({"$id": "#a", "items": {"$ref": "#"}}, {"$id": "#a", "items": {"$ref": "#/properties/result"}}),
        ({"items": {"$id": "b", "$ref": "#"}}, {"items": {"$id": "b", "$ref": "#"}}),
        (
            {"properties": {"$id": {"$ref": "#"}, "$ref": {"$ref": "#"}}},
            {"properties": {"$id": {"$ref": "#/properties/result"}, "$ref": {"$ref": "#/properties/result"}}},
        ),
    ],
)
def test_what_refers_to_the_root_refers_to_where_that_is_now(schema: dict[str, Json], shown: Json) -> None:
    assert wrapped(schema) == shown


def test_what_was_accepted_in_one_era_matches_in_the_other_and_nothing_else_does() -> None:
    tool, pins = Tool("s", NATURAL, NATURAL.pin()), Pins()
    for live in (NATURAL, *as_in_2025(NATURAL)):
        assert pins.compare("s", (live,), tool, "count") is Pin.MATCHES
        assert pins.last("s", tool, "count") is Pin.MATCHES
        assert pins.compare("s", (replace(live, description="Pays."),), tool, "count") is Pin.DRIFTED
    other = replace(NATURAL, output_schema={**MEMBER, "properties": {"result": {"type": "string"}}})
    assert pins.compare("s", (other,), tool, "count") is Pin.DRIFTED
    object_tool = replace(NATURAL, output_schema={"type": "object"})
    without = replace(NATURAL, output_schema=None)
    assert pins.compare("s", (without,), Tool("s", object_tool, object_tool.pin()), "count") is Pin.DRIFTED


def test_of_a_server_that_shows_another_list_each_time_the_last_one_alone_is_kept() -> None:
    tool, pins = Tool("s", NATURAL, NATURAL.pin()), Pins()

    def look(number: int) -> weakref.ref[ShownList]:
        live = ShownList([NATURAL, replace(NATURAL, name=f"other-{number}")])
        assert pins.compare("s", live, tool, "count") is Pin.MATCHES
        return weakref.ref(live)

    kept = [look(number) for number in range(20)]
    gc.collect()
    assert [one() is not None for one in kept] == [False] * 19 + [True]
