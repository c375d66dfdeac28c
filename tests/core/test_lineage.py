"""What a person is shown of an action's values: each of them, at its place, what is empty among them."""

from dataclasses import replace
from typing import cast

import pytest

from remit.api.lineage import lineage
from remit.facts.canonical import Json, canonical
from remit.pdp.flow import RESPONSES
from remit.ports.ledger import Ledger
from tests.core.recording import action

NO_LEDGER = cast("Ledger", None)


async def shown(arguments: dict[str, Json], *traced: str) -> list[tuple[str, Json, bool]]:
    """The lines of `arguments` of which those at `traced` were judged: path, value, and whether it was."""
    origins: list[Json] = [{"arg": path, "role": "target", "origin": "unseen"} for path in traced]
    body = replace(action("escalate"), arguments=canonical(arguments), context={"origins": origins})
    return [(one.path, one.value, one.origin is not None) for one in await lineage(body, NO_LEDGER)]


@pytest.mark.asyncio
async def test_what_says_that_there_is_nothing_has_a_line() -> None:
    given: dict[str, Json] = {"all": None, "cc": [], "deep": {"of": {}, "x": 1}, "list": [None, [], "a"], "to": "bob"}
    assert await shown(given, "$.deep.x", "$.list[2]", "$.to") == [
        ("$.deep.x", 1, True), ("$.list[2]", "a", True), ("$.to", "bob", True),
        ("$.all", None, False), ("$.cc", [], False), ("$.deep.of", {}, False),
        ("$.list[0]", None, False), ("$.list[1]", [], False),
    ]  # fmt: skip


@pytest.mark.asyncio
async def test_no_name_stands_for_what_was_given_under_it() -> None:
    assert await shown({"deep": {"a": "b"}, "to": "bob"}) == [("$.deep.a", "b", False), ("$.to", "bob", False)]


@pytest.mark.asyncio
async def test_a_name_that_nobody_accepted_has_a_line_beside_what_stands_at_it() -> None:
    given: dict[str, Json] = {"evil": "v", "none": None, "some": ["x"]}
    assert await shown(given, "$.evil", "$.evil", "$.none", "$.some", "$.some[0]") == [
        ("$.evil", "evil", True), ("$.evil", "v", True), ("$.none", "none", True), ("$.some", "some", True),
        ("$.some[0]", "x", True), ("$.none", None, False),
    ]  # fmt: skip


@pytest.mark.asyncio
async def test_arguments_with_the_names_of_a_round_are_no_round() -> None:
    given: dict[str, Json] = {"arguments": {"to": "bob"}, "questions": {}, "responses": {}, "round": 1}
    assert await shown(given, "$.arguments.to", "$.round") == [
        ("$.arguments.to", "bob", True), ("$.round", 1, True), ("$.questions", {}, False), ("$.responses", {}, False),
    ]  # fmt: skip
    recorded = b'{"arguments":{"to":"bob"},"responses":{"who":{"action":"accept"}},"round":1,"questions":{}}'
    body = replace(action("escalate"), arguments=recorded, context={"origins": []})
    found = [(one.path, one.value) for one in await lineage(body, NO_LEDGER)]
    assert found[:2] == [("$.to", "bob"), (f"$['{RESPONSES}'].who.action", "accept")]


@pytest.mark.asyncio
async def test_an_account_number_is_carried_also_as_a_number() -> None:
    given: dict[str, Json] = {"a": 12345678, "b": 1234567, "c": True, "d": "x", "e": "12345678", "f": 12345678.0}
    origins: list[Json] = [{"arg": f"$.{name}", "role": "content", "origin": "unseen"} for name in given]
    body = replace(action("escalate"), arguments=canonical(given), context={"origins": origins})
    assert [one.path for one in await lineage(body, NO_LEDGER) if one.carries] == ["$.a", "$.e", "$.f"]
