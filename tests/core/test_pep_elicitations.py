"""A completion is for who was told of that elicitation by that server, once, by the name he was told."""

import pytest

from remit.facts.canonical import Json
from remit.pep.mcp.elicitations import TOLD_MAX, Elicitations
from remit.ports.upstream import ELICITATION_CHARS_MAX, Question


def address(ident: Json) -> Question:
    params: dict[str, Json] = {"mode": "url", "elicitationId": ident, "url": "https://a.example/", "message": "Log in"}
    return Question("elicitation/create", params)


@pytest.mark.parametrize(("exposed", "shown"), [(False, "e"), (True, "shop:e")])
def test_one_server_says_nothing_of_what_another_asked(exposed: bool, shown: str) -> None:
    of = Elicitations(exposed=exposed)
    assert of.exposed_question("shop", address("e")).params["elicitationId"] == shown
    assert of.completed("bank", "e") is None
    assert of.completed("shop", "f") is None
    assert of.completed("shop", "e") == shown
    assert of.completed("shop", "e") is None, "once"
    of.exposed_question("shop", address("e"))
    assert of.completed("shop", "e") == shown, "asked again it may be complete again"


def test_under_one_path_no_two_servers_share_an_id() -> None:
    of = Elicitations(exposed=True)
    shown = [
        of.exposed_question(server, address(ident)).params["elicitationId"]
        for server, ident in (("a", "b:c"), ("a", "c"))
    ]
    shown += [of.exposed_question("b", address(ident)).params["elicitationId"] for ident in ("b:c", "c")]
    assert len(set(map(str, shown))) == 4


def test_what_names_no_elicitation_is_asked_as_it_is() -> None:
    of = Elicitations(exposed=True)
    form = Question("elicitation/create", {"mode": "form", "elicitationId": "e", "message": "?"})
    for question in (form, Question("roots/list", {}), address(7), address("x" * (ELICITATION_CHARS_MAX + 1))):
        assert of.exposed_question("shop", question) is question
    assert of.completed("shop", "e") is None


def test_the_oldest_is_forgotten_first() -> None:
    of = Elicitations(exposed=False)
    for number in (0, 1, *range(2, TOLD_MAX), 0, TOLD_MAX):
        of.exposed_question("shop", address(f"e-{number}"))
    assert of.completed("shop", "e-1") is None
    assert of.completed("shop", "e-0") == "e-0"
    assert of.completed("shop", f"e-{TOLD_MAX}") == f"e-{TOLD_MAX}"
