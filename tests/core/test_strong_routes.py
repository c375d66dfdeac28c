"""Routes that nobody could satisfy are told of: by their people, where the service is reached, who has a passkey."""

from dataclasses import replace
from typing import cast

import pytest

from remit.adapters.passkeys import WebAuthn
from remit.app.service.quorum import unconfirmable, understaffed_routes
from remit.control.assemble import Assembled, assemble
from remit.control.resources import GroupSpec, RouteSpec, UserSpec
from remit.ports.ledger import Ledger
from tests.core.declaring import declare, small


class Nobody:
    """A ledger without passkeys."""

    async def passkeys(self) -> tuple[()]:
        return ()


@pytest.mark.parametrize(
    ("said", "people", "code"),
    [
        (RouteSpec(groups=("fin",), count=3), 2, "route/too-few"),
        (RouteSpec(groups=("fin",), count=2), 2, "route/requester"),
        (RouteSpec(groups=("fin",), count=2), 3, None),
        (RouteSpec(groups=("fin",), count=2, requester_may_approve=True), 2, None),
        (RouteSpec(groups=("fin",), count=2, next="later"), 2, None),
        (RouteSpec(groups=("fin",)), 0, "route/too-few"),
        (RouteSpec(groups=("fin",)), 1, "route/requester"),
        (RouteSpec(groups=("fin",)), 2, None),
        (RouteSpec(groups=("fin",), requester_may_approve=True), 1, None),
        (RouteSpec(groups=("fin",), next="later"), 1, None),
    ],
)
def test_a_route_that_the_requester_is_needed_for_is_told_of(said: RouteSpec, people: int, code: str | None) -> None:
    """At `apply` and by `doctor`; a second name makes nobody two people."""
    users = [declare(f"u{at}", UserSpec(("fin",))) for at in range(people)]
    again = [declare("u0-too", UserSpec(("fin",), person="u0"))] if people else []
    later = declare("later", RouteSpec(users=("kim",), requester_may_approve=True))
    source = small(
        declare("fin", GroupSpec("finance")), *users, *again, declare("kim", UserSpec()), later, declare("pays", said)
    )
    made = assemble(source)
    assert isinstance(made, Assembled)
    wanted = [] if code is None else [code]
    assert [one.code for one in made.warnings if one.code.startswith("route/")] == wanted
    assert [one.code for one in understaffed_routes(source, made.catalog)] == wanted


def test_the_route_of_those_who_erase_is_one_persons() -> None:
    made = assemble(small(declare("ana", UserSpec()), declare("erasure", RouteSpec(users=("ana",)))))
    assert isinstance(made, Assembled)
    assert [one.code for one in made.warnings if one.code.startswith("route/")] == []


def test_who_decides_alone_is_told_of_in_words_of_his_own() -> None:
    users = [declare("ana", UserSpec(("fin",))), declare("ben", UserSpec(("fin",)))]
    alone = declare("alone", RouteSpec(users=("ana",)))
    both = declare("both", RouteSpec(groups=("fin",), count=2))
    source = small(declare("fin", GroupSpec("finance")), *users, alone, both)
    made = assemble(source)
    assert isinstance(made, Assembled)
    one, two = [one for one in made.warnings if one.code == "route/requester"]
    assert one.what == "route 'alone' wants 1 person, and no more may decide"
    assert one.why == "what is asked on behalf of him, or while he is away or halted, would wait until it expires"
    assert (one.next.partition(",")[0], "lower count" in one.next) == ("add a user to its groups", False)
    assert "route 'both' wants 2 people" in two.what
    assert two.why.startswith("what is asked on behalf of one of them, or while he is away or halted,")
    assert "lower count" in two.next


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("http://remit.example", "no passkey can be at http://remit.example: neither https nor localhost"),
        ("http://192.0.2.7:7070", "no passkey can be at http://192.0.2.7:7070"),
        ("http://127.0.0.1:7070", "0 of its 1 people have a passkey"),
        ("https://remit.example", "0 of its 1 people have a passkey"),
    ],
)
async def test_where_no_passkey_can_be(resource: str, words: str) -> None:
    source = small(declare("sam", UserSpec()), declare("owner", RouteSpec(users=("sam",), strong=True)))
    made = assemble(source)
    assert isinstance(made, Assembled)
    [problem] = await unconfirmable(source, made.catalog, cast("Ledger", Nobody()), WebAuthn(resource))
    assert words in problem.what
    plain = replace(source, resources=source.resources[:2])
    assert await unconfirmable(plain, made.catalog, cast("Ledger", Nobody()), WebAuthn(resource)) == ()
