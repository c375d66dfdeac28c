"""URIs under `/mcp`: what is told can be read, and nothing else of an answer changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from remit.pep.resource_names import exposed_uri, own_uri, with_exposed_uris

if TYPE_CHECKING:
    from remit.facts.canonical import Json


@given(st.from_regex(r"[a-z0-9-]{1,24}", fullmatch=True), st.text(min_size=1))
def test_what_is_told_leads_back(server: str, uri: str) -> None:
    assert own_uri(exposed_uri(server, uri)) == (server, uri)


def test_a_uri_that_names_no_server_or_no_resource_leads_nowhere() -> None:
    for odd in ("note://a", "remit+", "remit+shop", "remit+shop:", "remit+SHOP:a:b", "remit+:a:b", ""):
        assert own_uri(odd) == ("", odd)


def test_all_that_names_a_resource_is_named_so_that_it_can_be_read() -> None:
    link = {"type": "resource_link", "uri": "note://a", "name": "a"}
    brought = {"type": "resource", "resource": {"uri": "note://b", "text": "note://b"}}
    said = {"type": "text", "text": "note://a"}
    assert with_exposed_uris("shop", {"content": [link, said, brought], "structuredContent": {"uri": "note://a"}}) == {
        "content": [
            {"type": "resource_link", "uri": "remit+shop:note://a", "name": "a"},
            said,
            {"type": "resource", "resource": {"uri": "remit+shop:note://b", "text": "note://b"}},
        ],
        "structuredContent": {"uri": "note://a"},
    }
    told = with_exposed_uris(
        "shop", {"messages": [{"role": "user", "content": brought}, {"role": "user", "content": said}]}
    )
    assert told == {
        "messages": [
            {
                "role": "user",
                "content": {"type": "resource", "resource": {"uri": "remit+shop:note://b", "text": "note://b"}},
            },
            {"role": "user", "content": said},
        ]
    }
    read = with_exposed_uris("shop", {"contents": [{"uri": "note://c", "text": "c"}]})
    assert read == {"contents": [{"uri": "remit+shop:note://c", "text": "c"}]}


def test_an_answer_that_names_none_is_the_very_same() -> None:
    answers: tuple[Json, ...] = (
        {"content": [{"type": "text", "text": "remit"}]},
        {"messages": []},
        {"completion": {"values": ["note://a"]}},
        {},
        {"contents": "odd"},
        {"messages": ["odd"]},
        "odd",
    )
    for answer in answers:
        assert with_exposed_uris("shop", answer) is answer
