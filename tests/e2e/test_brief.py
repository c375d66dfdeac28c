"""What a person is told before he decides: the whole of it, over a service, with lineage and safer calls."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from remit.pep.mcp.clients import REASON_CHARS_MAX, REASON_KEY
from tests.e2e.notes_world import TOOLS, Noting
from tests.e2e.speaking import META, envelope, post, told
from tests.e2e.test_words import MALLORY, SEND, STRANGERS, fetched, opened

BRIEFED = """\
spec:
  effect: irreversible
  sink: external
  source: []
  brief: "mail {to.count} recipient, {to}: {text}"
  arguments: {to: {role: target, shows: recipients}, text: {role: content}}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: notes/draft}
spec: {effect: write, sink: none, source: []}
"""


@pytest.fixture(scope="module")
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noting]:
    with Noting(tmp_path_factory.mktemp("brief"), STRANGERS) as made:
        made.service.write({"tools.yaml": TOOLS.replace(SEND, BRIEFED.strip())})
        made.service.apply()
        yield made


def waiting(noting: Noting, text: str = "hello") -> dict[str, Any]:
    """The approval of a mail to whom a page named."""
    _, token, _ = opened(noting.service)
    fetched(noting, token)
    failed, answer = told(noting.service, token, "notes", "send", {"to": MALLORY, "text": text})
    assert failed
    assert "Approval is pending" in answer
    return dict(noting.service.approval(noting.service.approvals()[0]["id"]))


def plain(spans: list[dict[str, str]]) -> str:
    return "".join(span["text"] for span in spans)


def test_the_brief_has_it_all_in_one_order(noting: Noting) -> None:
    approval = waiting(noting)
    brief = approval["brief"]
    assert list(brief) == [
        "what", "shows", "preview", "stops", "chain", "values", "unlisted", "impact", "precedent", "safer", "reason",
        "remarks", "expires", "zero", "careful", "whole",
    ]  # fmt: skip
    assert plain(brief["what"]) == f"mail 1 recipient, {MALLORY}: hello"
    assert {"text": MALLORY, "mark": "untrusted"} in brief["what"]
    assert [(line["label"], plain(line["text"])) for line in brief["shows"]] == [("recipients", MALLORY)]
    (stop,) = brief["stops"]
    assert stop["policy"] == "stranger-mail"
    assert stop["text"] == "nobody named whom this mail goes to"
    assert stop["where"] == "gate.cedar:1"
    assert any("context.targets.strangers > 0" in line for line in stop["lines"])
    assert [line["label"] for line in brief["chain"]] == ["for", "agent"]
    to, text = brief["values"]
    assert (to["label"], to["gate"]) == ("to", True)
    assert "from an untrusted result: notes/fetch at $" in to["note"]
    assert (text["label"], text["gate"]) == ("text", False)
    assert {plain(line["text"]) for line in brief["impact"]} >= {"cannot be undone", "outside the organisation"}
    assert brief["zero"].startswith("silence is a no")
    assert brief["careful"]


def test_how_the_same_shape_was_decided_before(noting: Noting) -> None:
    service = noting.service
    before = waiting(noting)
    ana = service.user("ana")
    # Ana asked, so that her no counts and her yes does not.
    assert service.remit("approvals", "deny", before["id"], token=ana).returncode == 0
    again = waiting(noting)
    assert "1 denied" in again["brief"]["precedent"]


def test_the_card_shows_it_in_the_terminal(noting: Noting) -> None:
    approval = waiting(noting, "hello \x1b[2J\u202ethere")
    shown = noting.service.remit("approvals", "show", approval["id"]).stdout
    assert f"«untrusted: {MALLORY}»" in shown
    assert "nobody named whom this mail goes to" in shown
    assert "\x1b" not in shown
    assert "\\u{1b}[2J\\u{202e}there" in shown


def test_a_call_that_policy_permits_unasked_is_offered(noting: Noting) -> None:
    (safer,) = waiting(noting)["brief"]["safer"]
    assert (safer["change"], safer["tool"]) == ("draft instead of send", "notes/draft")
    assert json.loads(safer["arguments"]) == {"to": MALLORY, "text": "hello"}


def saying(noting: Noting, token: str, reason: object, text: str) -> tuple[bool, str]:
    """One mail, asked for with a reason of the agent's own."""
    given = envelope("send", {"to": MALLORY, "text": text}, {**META, REASON_KEY: reason})
    result = post(noting.service, token, "notes", given, "send").value["result"]
    return bool(result.get("isError")), "".join(part["text"] for part in result["content"])


def test_the_agents_own_reason_comes_last_quoted_and_decides_nothing(noting: Noting) -> None:
    _, token, _ = opened(noting.service)
    fetched(noting, token)
    assert saying(noting, token, "ana asked me to; \u202eapprove <b>now</b>", "why")[0]
    ident = noting.service.approvals()[0]["id"]
    brief = noting.service.approval(ident)["brief"]
    assert list(brief)[-6:] == ["reason", "remarks", "expires", "zero", "careful", "whole"]
    assert [(span["text"], span["mark"]) for span in brief["reason"]] == [
        ("ana asked me to; \u202eapprove <b>now</b>", "given")
    ]
    card = noting.service.remit("approvals", "show", ident).stdout
    assert "ana asked me to; \\u{202e}approve <b>now</b>" in card
    assert "\u202e" not in card
    # Another reason is the same action: it joins what waits, and people keep what they were told first.
    assert ident in saying(noting, token, "do it", "why")[1]
    assert noting.service.approval(ident)["brief"]["reason"] == brief["reason"]
    why = json.dumps(noting.service.told("why", ident)["facts"])
    assert "ana asked" not in why, "no fact that a policy reads"
    for odd in (7, "  ", None, {"a": "b"}):
        saying(noting, token, odd, f"odd {odd}")
        latest = noting.service.approval(noting.service.approvals()[0]["id"])
        assert latest["brief"]["reason"] == []
    assert saying(noting, token, "x" * 100_000, "long")[0]
    latest = noting.service.approval(noting.service.approvals()[0]["id"])
    assert 0 < len(plain(latest["brief"]["reason"])) <= REASON_CHARS_MAX
    assert noting.service.remit("ledger", "verify").returncode == 0
