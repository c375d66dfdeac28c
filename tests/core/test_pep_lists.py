"""All pages of a list, bounded together as one message is."""

import asyncio
from collections.abc import Mapping
from typing import cast

from remit.facts.canonical import Json
from remit.pep.operation import LIST_BYTES_MAX, list_offers
from remit.ports.upstream import Along, Era, Failure, Offer, Reply, Result, Upstream
from tests.core.deciding import action


class Pages:
    """A server whose list never ends, of one item of `chars` characters a page."""

    def __init__(self, chars: int) -> None:
        self.asked = 0
        self._text = "x" * chars

    async def ask(self, _sid: str, _era: Era, _method: str, _params: Mapping[str, Json], _along: Along) -> Reply:
        self.asked += 1
        page: Mapping[str, Json] = {
            "prompts": [{"name": "a", "description": self._text}],
            "nextCursor": str(self.asked),
        }
        return Result(page, is_error=False)


def test_the_pages_of_a_list_together_are_no_longer_than_a_message_may_be() -> None:
    server = Pages(LIST_BYTES_MAX // 4)
    operation = list_offers(action().authority, "shop", Offer.PROMPTS)

    async def listed() -> Reply:
        return await operation.send(cast("Upstream", server), "sid", Era.STATELESS, Along())

    found = asyncio.run(listed())
    assert isinstance(found, Failure)
    assert found.text == "prompts/list lists more than 16,777,216 bytes"
    assert (found.sent, server.asked) == (True, 4)
