"""All pages of a list, bounded together as one message is; and what a server says of itself, in time."""

import asyncio
from collections.abc import Mapping
from typing import cast

import pytest

from remit.facts.canonical import Json
from remit.pep import operation
from remit.pep.answer import Client
from remit.pep.operation import LIST_BYTES_MAX
from remit.ports.upstream import Era, Failure, Introduction, Offer, Reply, Result, Upstream, UpstreamContext
from tests.core.deciding import action


class Pages:
    """A server whose list never ends, of one item of `chars` characters a page; unless it is `last`."""

    def __init__(self, chars: int, last: Json = None) -> None:
        self.asked = 0
        self._text = "x" * chars
        self._last = last

    async def ask(
        self, _sid: str, _era: Era, _method: str, _params: Mapping[str, Json], _along: UpstreamContext
    ) -> Reply:
        self.asked += 1
        page: Mapping[str, Json] = {
            "prompts": [{"name": "a", "description": self._text}],
            "nextCursor": str(self.asked) if self._last is None else self._last,
        }
        return Result(page, is_error=False)


async def listed(server: Pages) -> Reply:
    listing = operation.list_offers(action().authority, "shop", Offer.PROMPTS)
    return await listing.send(cast("Upstream", server), "sid", Era.STATELESS, UpstreamContext())


def test_an_empty_cursor_is_the_end() -> None:
    for last in ("", 7, False):
        server = Pages(1, last)
        found = asyncio.run(listed(server))
        assert isinstance(found, Result)
        assert server.asked == 1


def test_the_pages_of_a_list_together_are_no_longer_than_a_message_may_be() -> None:
    server = Pages(LIST_BYTES_MAX // 4)
    found = asyncio.run(listed(server))
    assert isinstance(found, Failure)
    assert found.text == "prompts/list lists more than 16,777,216 bytes"
    assert (found.sent, server.asked) == (True, 4)


class Asleep:
    """A server that takes a connection and says nothing."""

    async def introduce(self, _sid: str, _era: Era, _along: UpstreamContext) -> Introduction:
        await asyncio.sleep(1000)
        raise AssertionError


def test_a_client_waits_so_long_and_no_longer_for_what_a_server_says_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "INTRODUCE_S", 0.01)
    client = Client(Era.INITIALIZE)
    assert asyncio.run(operation.introduced(cast("Upstream", Asleep()), "sid", client)) == ({}, None)
