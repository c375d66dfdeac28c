"""What a list says of an approval: enough to tell one from another."""

from dataclasses import replace
from typing import Any

from remit.api.answers_decided import ApprovalAnswer, VoteAnswer
from remit.api.approval_list import what
from remit.api.moments import instant
from remit.api.page.choices import Viewer
from remit.api.page.render import waiting
from tests.core.deciding import tool
from tests.core.recording import action


def test_what_is_asked_is_said_by_the_template_of_its_tool() -> None:
    made = replace(tool("shop", "refund"), brief="refund {amount} to {to}: {note}")
    asked = action(server="shop", name="refund", arguments=b'{"amount":302,"note":"all said yes","to":"a@b.c"}')
    assert what(asked, made) == "refund 302 to a@b.c: “all said yes”"
    assert what(asked, None).startswith('shop/refund {"amount":302,')
    assert what(replace(asked, arguments=b"["), made) == "shop/refund ["
    assert what(replace(asked, arguments=b" " * 20_000), made) == "shop/refund"
    assert what(replace(asked, kind="read_resource", name="note://a"), None) == "shop/note://a"


def test_the_page_lists_apart_what_waits_for_others() -> None:
    sam = VoteAnswer(by="sam", at="", routes=["owner"], note=None)
    shown: dict[str, Any] = {
        "gates": [],
        "state": "pending",
        "agent": "clerk",
        "tool": "shop/refund",
        "void": None,
        "expires": instant(120_000),
    }
    items = [
        ApprovalAnswer.model_construct(id=ident, what=said, votes=votes, may_approve=may, **shown)
        for ident, said, votes, may in (
            ("r1-1.1", "refund 302", [], True),
            ("r1-1.2", "refund 303", [sam], True),
            ("r1-1.3", None, [], False),
        )
    ]
    own, _, others = waiting(items, Viewer("sam", "c"), 0).decode().partition("What waits for others")
    assert [said in own for said in ("refund 302", "2 min 0 s left", "refund 303", "r1-1.3")] == [
        True,
        True,
        False,
        False,
    ]
    assert [said in others for said in ("refund 303", "shop/refund")] == [True, True]
    assert "Nothing waits for you" in waiting(items[1:], Viewer("sam", "c"), 0).decode()
    assert "for others" not in waiting(items[:1], Viewer("sam", "c"), 0).decode()
    assert [" more, whose" in waiting(items, Viewer("sam", "c"), 0, more).decode() for more in (0, 3)] == [False, True]
