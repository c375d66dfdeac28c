"""The chain of an action read off its stored bytes is the one that was stored, whatever else stands there."""

from dataclasses import replace

import orjson
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.canonical import canonical
from remit.trace.actor import acted
from remit.trace.bodies import ActionBody
from remit.trace.encoding import encode_body
from tests.core.recording import ACTIONS, ADMINS, DECISIONS, OUTCOMES, TEXT, action

LINKS = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3).map(tuple)


@given(ACTIONS, LINKS)
def test_what_is_read_is_what_was_stored(body: ActionBody, links: tuple[tuple[str, str], ...]) -> None:
    stored = encode_body(replace(body, links=links))
    assert acted(stored) == (orjson.dumps(links)[1:-1], body.observed is not None)


@given(OUTCOMES | DECISIONS | ADMINS)
def test_what_is_no_action_has_no_chain(body: object) -> None:
    found = acted(encode_body(body))  # pyright: ignore[reportArgumentType]
    assert found is None or not isinstance(body, ActionBody)


def test_arguments_and_names_cannot_pose_as_a_chain() -> None:
    posing = '[["clerk","s1"]],"t","permit","deny",'
    body = replace(action(), server=posing, name=posing, user=posing, arguments=canonical({"a": [["clerk", "s1"]]}))
    found = acted(encode_body(body))
    assert found == (orjson.dumps(body.links)[1:-1], False)
