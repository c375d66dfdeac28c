"""Names with dots that are no hosts, links to somebody with words alone, and what the user's words say besides."""

import re

import pytest

from remit.facts.origin import Origin, Role
from remit.protect.root_zone import ENDINGS, PRIVATE
from remit.protect.scalars import read_scalar
from remit.protect.token_kinds import TokenKind
from remit.protect.tokens import ordered_tokens
from tests.core.test_origins import World


def kinds(text: str) -> dict[str, TokenKind]:
    return {token: kind for token, kind in read_scalar(text, Role.CONTENT).tokens if "." in token}


def carried(world: World, text: str) -> int:
    return world.flow("send", text=text).carried.all


def test_the_endings_are_those_of_the_root_zone_and_private_ones() -> None:
    assert {"com", "name", "de", "museum", "zw", "onion", "internal", "lan", "example"} <= ENDINGS
    assert {"join", "array", "newtld", "py2"}.isdisjoint(ENDINGS)
    assert len(ENDINGS - PRIVATE) > 1_200
    assert all(re.fullmatch("[a-z]{2,}", one) for one in ENDINGS)


def test_code_in_content_leads_nowhere_unless_a_stranger_wrote_it() -> None:
    world = World()
    assert carried(world, "use os.path.join and np.array here") == 0
    world.result("web", "try evil.newtld, or os.path.join")
    assert world.flow("send", text="see evil.newtld").carried.untrusted == 1
    assert world.flow("send", to="other.newtld").targets.unseen == 1, "a target is one, whatever it may lead to"


@pytest.mark.parametrize(
    "text",
    [
        "see evil.example",
        "see evil.internal",
        "see evil.onion",
        "see evil.рф",
        "see evil.xn--p1ai",
        "see www.evil.newtld",
        "see https://evil.newtld",
        "see http:evil.newtld",
        "see evil.newtld/a",
        "see evil.newtld/",
        "see evil.newtld?a",
        "see evil.newtld:80",
        "see ann@evil.newtld",
        '<img src="//evil.newtld">',
        "<img src=//Evil.NewTLD>",
        "[x](//-evil.newtld-)",
        r"see \\evil.newtld\a",
        "see &#47;&#47;evil.newtld",
        "see 10.0.0.1",
        "os.path.join beside https://evil.newtld,/a",
    ],
)
def test_a_host_is_one_where_it_may_be_followed_whatever_its_ending(text: str) -> None:
    assert any(kind in {TokenKind.URL, TokenKind.ADDRESS} for kind in kinds(text).values())
    assert carried(World(), text) >= 1


def test_only_the_names_beside_a_slash_are_hosts_for_it() -> None:
    assert kinds("os.path.join and //evil.newtld") == {"os.path.join": TokenKind.DOTTED, "evil.newtld": TokenKind.URL}


@pytest.mark.parametrize("text", [r"https:\\evil.newtld\b", "evil.newtld/,/../b"])
def test_what_goes_on_behind_a_comma_is_followed_from_such_a_host_too(text: str) -> None:
    assert ("evil.newtld/b", TokenKind.URL) in ordered_tokens(text) or (
        "evil.newtld/,/../b",
        TokenKind.URL,
    ) in ordered_tokens(text)


@pytest.mark.parametrize(
    "headers", ["", "?", "?subject=", "?subject", "?Subject=Your%20invoice&body=See%20you", "?body=room 12"]
)
def test_a_link_to_somebody_with_words_alone_is_whom_it_is_for(headers: str) -> None:
    assert ("bob@here.example", TokenKind.ADDRESS) in ordered_tokens(f"mailto:bob@here.example{headers}")
    world = World(said="mail bob@here.example")
    flow = world.flow("send", text=f'<a href="mailto:bob@here.example{headers}">')
    assert (flow.carried.grounded, flow.carried.all) == (1, 1)


@pytest.mark.parametrize(
    "headers",
    [
        "?cc=eve",
        "?subject=x&cc=eve%40evil.example",
        "?subject=x%26bcc%3Deve@evil.example",
        "?subject=x&amp",
        "?subject=evil%2Eexample",
        "?subject=evil%252Eexample",
        "?body=%2B49%20123%20456%2078",
        "?attach=a",
        "?subject=a=b",
        "?x?subject=a",
        "?subject=a#b",
    ],
)
def test_a_link_with_more_than_words_is_no_mere_address(headers: str) -> None:
    assert ("bob@here.example", TokenKind.ADDRESS) not in ordered_tokens(f"mailto:bob@here.example{headers}")
    assert World(said="mail bob@here.example").flow("send", text=f"mailto:bob@here.example{headers}").carried.unseen


def test_who_names_a_part_of_a_page_names_the_page() -> None:
    world = World(said="read https://Docs.example/Guide/#Install, <https://docs.example/b#c> and #general")
    for page in ("https://docs.example/Guide", "https://docs.example/Guide/#Install", "docs.example/b"):
        assert world.origin("send", to=page) is Origin.GROUNDED, page
    for page in ("https://docs.example/guide", "https://docs.example/Guide/#Other", "https://docs.example/b#d"):
        assert world.origin("send", to=page) is Origin.UNSEEN, page


def test_a_day_that_the_user_named_is_that_with_nothing_between() -> None:
    world = World(said="keep it until 1 December 2026, or 20270131; the account is 20261399")
    assert world.origin("send", to="20261201") is Origin.GROUNDED
    assert world.flow("send", text="backup of 20261201").carried.unseen == 0
    assert world.origin("send", to="2027-01-31") is Origin.GROUNDED
    for other in ("20261202", "2026-13-99"):
        assert world.origin("send", to=other) is Origin.UNSEEN, other
