"""An upstream changes one word of a description: denied, shown, restored by a person's accept alone."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.counting import Counting, call
from proof.service import Service
from tests.e2e.speaking import told
from tests.e2e.test_page import asked, visitor

WORD = "Adds an amount to the ledger."
OFFERED = "Adds an amount to the counter."


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with comparing(tmp_path / "drift", verify_s=0) as running:
        yield running


def comparing(root: Path, *, verify_s: int, hold_s: float = 5.0) -> Counting:
    """A counter whose tools were compared with their pins no longer ago than `verify_s` when one is called."""
    counting = Counting(root, hold_s=hold_s)
    resources = (counting.service.workspace / "resources.yaml").read_text("utf-8")
    counting.service.write({"resources.yaml": resources.replace('/mcp"}', f'/mcp", verify_s: {verify_s}}}')})
    return counting


def text(result: Any) -> str:
    return "".join(part.text for part in result.content)


def test_a_changed_word_is_denied_shown_and_restored_by_accept_alone(counting: Counting) -> None:
    service = counting.service
    agent = service.agent("clerk", "ana")
    assert not asyncio.run(call(service, agent, "add", {"id": "before"})).is_error

    counting.describe(WORD)
    denied = asyncio.run(call(service, agent, "add", {"id": "drifted"}))
    assert denied.is_error
    assert "tool/drifted" in text(denied)
    assert counting.effects == ["before"]
    untouched = asyncio.run(call(service, agent, "peek", {}))
    assert not untouched.is_error

    diff = service.remit("diff")
    assert diff.returncode == 1
    assert "[-counter-]{+ledger+}" in diff.stdout, diff.stdout

    lock = service.workspace / "remit.lock"
    before = lock.read_bytes()
    service.write({"more.yaml": USER})
    service.apply()
    assert lock.read_bytes() == before
    assert "tool/drifted" in text(asyncio.run(call(service, agent, "add", {"id": "still"})))

    refused = service.remit("tools", "accept", "counter/add", "--pin", "sha256:" + "0" * 64)
    assert refused.returncode == 1
    assert lock.read_bytes() == before
    seen: dict[str, Any] = service.told("tools", "review", "counter/add")["items"][0]
    assert seen["live"]["description"] == WORD
    assert seen["live"]["inputSchema"]["properties"].keys() >= {"id", "amount"}
    assert seen["suggestion_changes"] == []
    assert "what is proposed for it is the same as before" in service.remit("tools", "review", "counter/add").stdout
    shown = service.told("tools", "accept", "counter/add")
    assert shown["accepted"] == []
    service.told("tools", "accept", "counter/add", "--pin", shown["pin"])
    assert not asyncio.run(call(service, agent, "add", {"id": "after"})).is_error
    assert counting.effects == ["before", "after"]


def yes_to(service: Service, ident: str, glass: str, person: str) -> Iterator[str]:
    """Why neither a yes to `ident` nor broken glass for `glass` is taken of who has the token `person`."""
    for command in (("approvals", "approve", ident), ("break-glass", glass, "--why", "fire")):
        refused = service.remit(*command, token=person)
        assert refused.returncode == 1, refused.stdout
        yield refused.stderr


def test_an_approval_takes_no_yes_while_its_tool_is_another_than_was_accepted(tmp_path: Path) -> None:
    with comparing(tmp_path / "drift", verify_s=0, hold_s=0.2) as counting:
        service = counting.service
        ident, token = asked(counting, "drifted")
        glass, _ = asked(counting, "glass")
        sam, person = visitor(counting), service.user("sam")
        form = sam.fields(ident)
        counting.describe(WORD)
        # Nobody called it since: the server is asked before the yes is taken.
        review = "remit tools review counter/add"
        void = f"its tool is no longer what was accepted ({review})"
        for refused in yes_to(service, ident, glass, person):
            assert "its tool is no longer what was accepted: nobody" in refused
            assert review in refused
        clicked = sam.ask("POST", f"/a/{ident}", {**form, "choice": "approve", "sure": "yes"})
        assert (clicked.status, review in clicked.text) == (409, True)
        assert (service.approval(ident)["void"], service.approval(ident)["may_approve"]) == (void, False)
        assert service.told("why", ident)["approval"]["void"] == void
        shown = sam.ask("GET", f"/a/{ident}").text
        assert (f"Nothing can come of it: {void}." in shown, 'value="deny"' in shown) == (True, True)
        assert not [
            choice for choice in ("approve", "edit", "terms", "delegate", "glass") if f'value="{choice}"' in shown
        ]
        # Once the server offers again what people were shown, they may say yes to it, and it runs.
        counting.describe(OFFERED)
        assert service.approval(ident)["void"] is None
        assert service.remit("approvals", "approve", ident, token=person).returncode == 0
        assert told(service, token, "counter", "add", {"id": "drifted", "amount": 50}) == (False, "added 50")


def test_a_tool_that_nobody_read_yet_is_one_line_of_a_diff_and_whole_in_a_review(counting: Counting) -> None:
    service = counting.service
    resources = (service.workspace / "resources.yaml").read_text("utf-8")
    (server,) = [part for part in resources.split("---\n") if "kind: Server" in part]
    service.write({"second.yaml": server.replace("name: counter", "name: second")})
    service.apply()
    counting.describe(WORD)
    done = service.remit("diff")
    assert done.returncode == 1
    assert "[-counter-]{+ledger+}" in done.stdout, "what was accepted and is another now is shown whole"
    assert done.stdout.endswith("~ live tool second/add: unreviewed\n~ live tool second/peek: unreviewed\n"), (
        done.stdout
    )
    assert done.stderr == "next: remit tools review\n"
    assert f"description: {WORD}" in service.remit("tools", "review", "second").stdout


def test_an_approval_takes_no_yes_while_its_server_does_not_offer_its_tool_to_who_asked(tmp_path: Path) -> None:
    with comparing(tmp_path / "drift", verify_s=0, hold_s=0.2) as counting:
        service = counting.service
        ident, token = asked(counting, "gone")
        glass, _ = asked(counting, "glass")
        sam, person = visitor(counting), service.user("sam")
        form = sam.fields(ident)
        counting.describe("")
        # Nobody called it since: the server is asked, as by who waited, before the yes is taken.
        for refused in yes_to(service, ident, glass, person):
            assert "its server has not offered its tool to who asked since" in refused
            assert "remit describe server counter" in refused
        clicked = sam.ask("POST", f"/a/{ident}", {**form, "choice": "approve", "sure": "yes"})
        assert (clicked.status, "has not offered its tool" in clicked.text) == (409, True)
        shown = service.approval(ident)
        assert ("has not offered its tool" in shown["void"], shown["may_approve"]) == (True, False)
        counting.describe(OFFERED)
        assert service.approval(ident)["void"] is None
        assert service.remit("approvals", "approve", ident, token=person).returncode == 0
        assert told(service, token, "counter", "add", {"id": "gone", "amount": 50}) == (False, "added 50")


USER = """\
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: kim}
spec: {groups: [owners]}
"""


def test_accept_and_delete_put_no_other_change_of_the_folder_into_force(counting: Counting) -> None:
    service = counting.service
    gate = service.workspace / "gate.cedar"
    written = gate.read_text()
    service.write({"spare.yaml": USER.replace("kim", "lee")})
    service.apply()
    gate.write_text("")
    counting.describe("Adds an amount to the pot.")
    shown = service.told("tools", "accept", "counter/add")
    service.told("tools", "accept", "counter/add", "--pin", shown["pin"])
    service.told("delete", "user", "lee")
    assert not (service.workspace / "spare.yaml").read_text().strip()
    asked = service.told("can", "clerk", "counter/add", '{"id": "x", "amount": 5000}')
    assert asked["verdict"] == "escalate", "an edit that nobody applied is in force"
    assert "remove policy big-amounts" in service.remit("diff").stdout
    gate.write_text(written)
    assert service.remit("diff").returncode == 0


def test_people_review_and_accept_what_is_live_however_old_the_comparison_may_be(tmp_path: Path) -> None:
    with comparing(tmp_path / "drift", verify_s=3600) as counting:
        service = counting.service
        assert {one["state"] for one in service.told("tools", "ls")} == {"matches"}
        counting.describe(WORD)
        [shown] = service.told("tools", "review")["items"]
        assert shown["live"]["description"] == WORD
        counting.describe("Adds it elsewhere.")
        [other] = service.told("diff")["tools"]
        assert other["live_pin"] != shown["live_pin"]
        counting.describe(WORD)
        assert service.told("tools", "review")["items"][0]["live_pin"] == shown["live_pin"]
        refused = service.remit("tools", "accept", "counter/add", "--pin", other["live_pin"])
        assert refused.returncode == 1, refused.stdout
        service.told("tools", "accept", "counter/add", "--pin", shown["live_pin"])


def test_what_people_accept_runs_at_once_for_every_agent_and_nothing_else_does(tmp_path: Path) -> None:
    """However long each of their connections may believe what it was shown."""
    with comparing(tmp_path / "drift", verify_s=3600) as counting:
        service = counting.service
        service.write({"second.yaml": SECOND})
        service.apply()
        callers = [
            (service.agent(agent, user), mode)
            for agent, user in (("clerk", "ana"), ("clerk", "sam"), ("second", "ana"))
            for mode in ("auto", "legacy")
        ]

        def verdicts() -> set[str]:
            results = [asyncio.run(call(service, token, "add", {"id": "x"}, mode=mode)) for token, mode in callers]
            return {"ran" if not result.is_error else _code(text(result)) for result in results}

        assert verdicts() == {"ran"}
        for description in (WORD, "Adds it elsewhere."):
            counting.describe(description)
            [shown] = service.told("tools", "review", "counter/add")["items"]
            assert verdicts() == {"tool/drifted"}, "seen, and not accepted"
            service.told("tools", "accept", "counter/add", "--pin", shown["live_pin"])
            assert verdicts() == {"ran"}


def _code(words: str) -> str:
    return "tool/drifted" if "tool/drifted" in words else words


SECOND = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: second}
spec: {owner: platform, purpose: counts things, groups: [clerks]}
"""
