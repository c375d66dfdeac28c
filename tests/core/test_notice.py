"""What leaves by a channel: to whom, under which id, and with nothing that an agent wrote."""

import json
from dataclasses import replace

import pytest

from remit.escalate.machine import Approval, ApprovalState
from remit.escalate.notice import channels_of, masking, notice, what_of
from remit.facts.catalog import Route
from remit.facts.lineage import Lineage
from remit.facts.tool import Sink, Tool
from remit.policy.verdict import Gate
from tests.core.deciding import tool

ASKED = Approval("r1-1.9", "h", "s", "bot", "ana", "mail", "send", (Gate("ask", "owner", "h"),), 1_000, 9_000)
ROUTES = {
    "owner": Route("owner", channels=("desk", "night"), next="boss", next_after_s=2),
    "boss": Route("boss", channels=("boss", "desk"), next="owner", next_after_s=2),
    "quiet": Route("quiet"),
}


@pytest.mark.parametrize(
    ("now_ms", "told"),
    [
        (1_000, ("desk", "night")),
        (2_999, ("desk", "night")),
        (3_000, ("desk", "night", "boss")),
        (99_000, ("desk", "night", "boss")),
    ],
)
def test_the_channels_of_a_route_hear_of_it_and_in_time_those_of_who_is_next(
    now_ms: int, told: tuple[str, ...]
) -> None:
    assert channels_of(ASKED, ROUTES, now_ms) == told


def test_a_route_without_channels_or_that_is_gone_tells_nobody() -> None:
    for route in ("quiet", "gone"):
        assert channels_of(replace(ASKED, gates=(Gate("ask", route, "h"),)), ROUTES, 99_000) == ()


def test_a_notice_is_the_same_however_often_it_is_made() -> None:
    first, again = (notice(ASKED, "desk", "mail", "http://x/a/r1-1.9", at) for at in (1, 2))
    assert first.ident == again.ident == "msg_r1-1_9-pending-desk"
    assert first.body == again.body
    said = json.loads(first.body)
    assert (said["type"], said["data"]["url"]) == ("approval.opened", "http://x/a/r1-1.9")
    ended = notice(replace(ASKED, state=ApprovalState.DENIED), "desk", "mail", "", 3)
    assert (json.loads(ended.body)["type"], ended.ident) == ("approval.denied", "msg_r1-1_9-denied-desk")


@pytest.mark.parametrize(
    ("value", "left"),
    [
        (4200, 4200), (True, True), (None, None), ("", "(text of 0 characters)"), ("hello", "(text of 5 characters)"),
        ("eve@evil.example", "…@evil.example"), ("Eve <eve@evil.example>", "(text of 22 characters)"),
    ],
)  # fmt: skip
def test_what_of_a_value_may_leave(value: object, left: object) -> None:
    assert masking(value) == left  # type: ignore[arg-type]


def test_what_it_is_about_in_the_catalogs_words() -> None:
    values = [Lineage("$.to", "eve@evil.example"), Lineage("$.amount", 42)]
    send: Tool = replace(tool("mail", "send", {}, sink=Sink.EXTERNAL), brief="pay {amount} to {to}")
    assert what_of(ASKED, send, values) == "pay 42 to …@evil.example"
    assert what_of(ASKED, replace(send, brief=""), values) == "mail/send"
    assert what_of(ASKED, None, values) == "something of mail"
    assert what_of(replace(ASKED, server=""), None, values) == "something of Remit"
