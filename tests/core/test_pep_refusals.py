"""What a client is told of a server's own error."""

from __future__ import annotations

import pytest

from remit.pep.answer import Failed
from remit.pep.mcp.asks import GetPrompt
from remit.pep.mcp.refusals import error_of
from remit.ports.upstream import Era


@pytest.mark.parametrize("era", list(Era))
@pytest.mark.parametrize(
    ("theirs", "told"),
    [
        (0, 0),  # of every error that a tool, resource or prompt raises, by the SDK for Python before 2.0
        (1, 1),
        (-31999, -31999),
        (-32769, -32769),
        (-32602, -32602),
        (-32601, -32601),
        (-32000, -32603),
        (-32003, -32603),  # would read as Remit's own refusal
        (-32768, -32603),
        (2**53, -32603),
    ],
)
def test_an_applications_own_code_is_told_and_one_of_the_protocols_only_where_it_is_about_the_request(
    era: Era, theirs: int, told: int
) -> None:
    ask = GetPrompt("notes", "greet", {}, b"{}")
    assert error_of(ask, Failed(theirs, "no such prompt", "r1"), era).code == told
