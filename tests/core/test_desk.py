"""The cookie of a sign-in: as narrow as its address allows."""

from typing import Any

import pytest

from remit.api.page.desk import Desk


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("https://remit.example", "__Host-remit-person=v; Path=/; Secure; Max-Age=9; HttpOnly; SameSite=Strict"),
        ("https://remit.example:8443", "__Host-remit-person=v; Path=/; Secure; Max-Age=9; HttpOnly; SameSite=Strict"),
        ("http://127.0.0.1:7070", "remit-person-7070=v; Path=/a; Max-Age=9; HttpOnly; SameSite=Strict"),
        ("http://remit.internal", "remit-person-80=v; Path=/a; Max-Age=9; HttpOnly; SameSite=Strict"),
    ],
)
def test_a_cookie_is_as_narrow_as_its_address_allows(address: str, said: str) -> None:
    nothing: Any = None
    assert Desk(nothing, nothing, nothing, address).cookie("v", 9) == (b"set-cookie", said.encode())
