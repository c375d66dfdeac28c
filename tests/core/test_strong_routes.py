"""Strong routes that nobody could satisfy are told of, by where the service is reached and who has a passkey."""

from dataclasses import replace
from typing import cast

import pytest

from remit.adapters.passkeys import WebAuthn
from remit.app.confirming import unconfirmed
from remit.control.assemble import Assembled, assemble
from remit.control.resources import RouteSpec, UserSpec
from remit.ports.ledger import Ledger
from tests.core.declaring import declare, small


class Nobody:
    """A ledger without passkeys."""

    async def passkeys(self) -> tuple[()]:
        return ()


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
    [problem] = await unconfirmed(source, made.catalog, cast("Ledger", Nobody()), WebAuthn(resource))
    assert words in problem.what
    plain = replace(source, resources=source.resources[:2])
    assert await unconfirmed(plain, made.catalog, cast("Ledger", Nobody()), WebAuthn(resource)) == ()
