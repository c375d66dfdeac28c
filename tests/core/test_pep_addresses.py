"""Addresses that a user has to open first: the protocol's own error to who opens them, words to anybody else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from remit.facts.obligation import Cover, Find
from remit.pep.addresses import in_words
from remit.pep.answer import Client
from remit.pep.message_filter import show_contents
from remit.pep.release import clean
from remit.ports.upstream import Era, Failure, Question, Result

if TYPE_CHECKING:
    from remit.facts.canonical import Json

ADDRESS: dict[str, Json] = {
    "mode": "url",
    "elicitationId": "e",
    "url": "https://a.example/?for=ana@mail.example",
    "message": "Log in",
}
OPENS = Client(Era.INITIALIZE, {"elicitation": {"url": {}}})
FAILURE = Failure(
    "error",
    "it failed",
    sent=True,
    upstream_text="Login required",
    code=-32042,
    addresses=(Question("elicitation/create", ADDRESS),),
)


def test_who_opens_addresses_gets_the_error_with_them() -> None:
    odd = replace(FAILURE, addresses=(Question("elicitation/create", {**ADDRESS, "_meta": {"x": 1}}),))
    told = in_words(OPENS, (), odd)
    assert told == FAILURE, "members that the protocol does not name stay behind"
    assert isinstance(told, Failure)
    for shown in (clean(told), show_contents(told)):
        assert shown.failed == (-32042, "Login required")
        assert shown.addresses == FAILURE.addresses
        assert "a.example" in str(shown.judged_value), "what it says is judged"


def test_what_is_covered_in_questions_is_covered_in_addresses() -> None:
    told = in_words(OPENS, (Cover(masks=False, find=Find.EMAIL),), FAILURE)
    assert isinstance(told, Failure)
    [address] = told.addresses
    assert "ana@mail.example" not in str(address.params)


def test_anybody_else_is_told_in_words() -> None:
    said = "Login required\nLog in: https://a.example/?for=ana@mail.example"
    nameless = {name: value for name, value in ADDRESS.items() if name != "elicitationId"}
    for client, address in (
        (Client(Era.INITIALIZE, {"elicitation": {}}), ADDRESS),
        (Client(Era.INITIALIZE), ADDRESS),
        (Client(Era.STATELESS, {"elicitation": {"url": {}}}), ADDRESS),
        (OPENS, nameless),
        (OPENS, {**ADDRESS, "url": "\ud800"}),
    ):
        failure = replace(FAILURE, addresses=(Question("elicitation/create", address),))
        told = in_words(client, (), failure)
        assert isinstance(told, Failure)
        assert told.addresses == ()
        assert told.upstream_text == (said if address["url"] == ADDRESS["url"] else "Login required\nLog in: \ud800")
        assert clean(told).failed is None
    wordless = {"url": "https://a.example/"}
    told = in_words(
        OPENS, (), replace(FAILURE, upstream_text=None, addresses=(Question("elicitation/create", wordless),))
    )
    assert isinstance(told, Failure)
    assert told.upstream_text == "https://a.example/"


def test_all_else_is_as_it_was() -> None:
    for reply in (Result({}, is_error=False), replace(FAILURE, addresses=())):
        assert in_words(OPENS, (), reply) is reply
