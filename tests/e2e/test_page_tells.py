"""What a person on call is told of an approval, on the page and in the terminal: what came of it, what comes next."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.counting import GATE, Counting
from tests.e2e.speaking import told
from tests.e2e.test_page import Visitor, asked, visitor
from tests.e2e.test_page_choices import GRANT, given
from tests.eventually import awaited


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("tells"), hold_s=0.2) as made:
        yield made


@pytest.fixture
def drifting(tmp_path: Path) -> Iterator[Counting]:
    """One whose tool becomes another: what was listed before is believed for some seconds after that."""
    with Counting(tmp_path, hold_s=0.2) as made:
        yield made


def page(person: Visitor, ident: str) -> str:
    """The words of the page of `ident`, as the browser shows them."""
    said = person.ask("GET", f"/a/{ident}")
    assert said.status == 200, said.text
    found = re.sub(r"(?s)<(style|script).*?</\1>|<[^>]+>", " ", said.text)
    return re.sub(r"\s+", " ", found)


def card(counting: Counting, ident: str) -> str:
    """The words of `remit approvals show`."""
    done = counting.service.remit("approvals", "show", ident, token=counting.service.user("sam"))
    return re.sub(r"[\s│]+", " ", done.stdout)


def test_who_said_yes_reads_what_comes_of_it(counting: Counting) -> None:
    ident, _ = asked(counting, "said")
    sam = visitor(counting)
    assert "You said yes" not in page(sam, ident)
    assert sam.decide(ident, "approve", sure="yes").status == 303
    shown = page(sam, ident)
    assert "You said yes, and it is approved: it runs once: with the call that still waits, or when" in shown
    assert "Your yes does not count here" not in shown
    other, _ = asked(counting, "typed")
    done = counting.service.remit("approvals", "approve", other, token=counting.service.user("sam"))
    assert "it runs once: with the call that still waits, or when the agent makes the same call again, 59 min" in (
        done.stderr
    )


def test_who_waits_for_a_second_yes_reads_that_his_was_heard(counting: Counting) -> None:
    service, resources = counting.service, counting.service.workspace / "resources.yaml"
    before = resources.read_text()
    service.write({"resources.yaml": before.replace("edits: true,", "edits: true, count: 2,")})
    service.apply()
    try:
        ident, _ = asked(counting, "first")
        sam = visitor(counting)
        assert sam.decide(ident, "approve", sure="yes").status == 303
        shown = page(sam, ident)
        assert "You said yes; it waits for others, and a no ends it still." in shown
    finally:
        service.write({"resources.yaml": before})
        service.apply()


def test_what_is_handed_on_by_the_page_ends_with_the_approval(counting: Counting) -> None:
    ident, _ = asked(counting, "handed")
    sam = visitor(counting)
    minutes = re.search(r'name="minutes"[^>]*value="(\d+)"', sam.ask("GET", f"/a/{ident}").text)
    assert minutes is not None
    counting.service.write({"eve.yaml": "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: eve}\n"})
    counting.service.apply()
    said = sam.decide(ident, "delegate", to="eve", minutes=minutes[1])
    assert said.status == 303, said.text
    shown = counting.service.approval(ident)
    assert [(one["to"], one["until"]) for one in shown["delegations"]] == [("eve", shown["expires"])]


def test_a_grant_stands_beside_the_approval_it_was_given_with(counting: Counting) -> None:
    ident, _ = asked(counting, "granted")
    sam = visitor(counting)
    assert given(sam, ident, **GRANT).status == 303
    [grant] = counting.service.approval(ident)["grants"]
    told_of = f"sam granted more with it ({grant['id']}), until {grant['expires']}, used 0 of 3 times"
    assert f"{told_of}; to end it: remit grants revoke {grant['id']}" in page(sam, ident)
    assert told_of in card(counting, ident)
    session = counting.service.approval(ident)["sid"]
    assert counting.service.remit("sessions", "end", session).returncode == 0
    assert "and that lifts nothing: its session has ended" in page(sam, ident)
    assert grant["id"] not in [one["id"] for one in counting.service.told("grants", "ls")]
    assert counting.service.api("GET", f"/grants/{grant['id']}")["ended"] == "its session has ended"


def test_what_was_withdrawn_says_by_what(counting: Counting) -> None:
    ident, _ = asked(counting, "halted")
    service, sam = counting.service, visitor(counting)
    assert service.remit("halt", "agent", "clerk", "--why", "night").returncode == 0
    try:
        awaited(lambda: service.approval(ident)["state"] == "cancelled")
        why = "it was withdrawn: agent clerk was stopped by admin: night"
        assert (why in page(sam, ident), why in card(counting, ident)) == (True, True)
        asked_why = service.remit("why", ident)
        assert "withdrawn: agent clerk was stopped by admin: night" in asked_why.stdout, asked_why.stdout
        assert service.approval(ident)["withdrawn"] == "agent clerk was stopped by admin: night"
    finally:
        assert service.remit("resume", "agent", "clerk").returncode == 0


def test_what_was_refused_says_by_whom(counting: Counting) -> None:
    ident, _ = asked(counting, "refused")
    service = counting.service
    assert service.remit("approvals", "deny", ident, token=service.user("sam")).returncode == 0
    late = service.remit("approvals", "approve", ident, token=service.user("sam"))
    assert "this approval is denied, by sam, and can no longer be decided" in late.stderr


def test_who_changed_what_a_page_showed_is_told(counting: Counting) -> None:
    ident, _ = asked(counting, "changed")
    service, sam = counting.service, visitor(counting)
    form = sam.fields(ident)
    edited = service.remit("approvals", "approve", ident, "--edit", "amount=20", token=service.user("sam"))
    assert edited.returncode == 0, edited.stderr
    stale = sam.ask("POST", f"/a/{ident}", {**form, "choice": "approve", "sure": "yes"})
    assert (stale.status, "sam changed the arguments since you opened it: look at it again" in stale.text) == (
        409,
        True,
    )
    assert "sam changed the arguments: what is shown is what would run" in card(counting, ident)


def test_broken_glass_says_who_lifted_what_nobody_said_yes_to(counting: Counting) -> None:
    ident, _ = asked(counting, "broken")
    sam = visitor(counting)
    assert sam.decide(ident, "glass", why="fire", sure="yes").status == 303
    shown = page(sam, ident)
    assert "Its glass is broken: sam lifted every gate alone." in shown
    assert f"Somebody else looks at it: remit approvals review {ident}" in shown


def test_a_policy_that_is_another_by_now_is_told_before_the_yes(counting: Counting) -> None:
    ident, _ = asked(counting, "reworded")
    service, sam = counting.service, visitor(counting)
    another = "this policy is another by now: the call is judged by that, and people may be asked anew"
    assert another not in page(sam, ident)
    service.write({"gate.cedar": GATE.replace("> 10", "> 11")})
    service.apply()
    try:
        assert (another in page(sam, ident), another in card(counting, ident)) == (True, True)
    finally:
        service.write({"gate.cedar": GATE})
        service.apply()


def test_nothing_comes_of_what_was_asked_of_a_tool_that_is_another_by_now(drifting: Counting) -> None:
    ident, token = asked(drifting, "drifted")
    service, sam = drifting.service, visitor(drifting)
    form = sam.fields(ident)
    drifting.describe("adds in another way")
    assert told(service, token, "counter", "add", {"id": "drifted", "amount": 50})[0]
    service.accept("counter")
    service.apply()
    void = "its tool was accepted anew since"
    assert service.approval(ident)["void"] == void
    refused = service.remit("approvals", "approve", ident, token=service.user("sam"))
    assert (refused.returncode, f"{void}: nobody could use the yes" in refused.stderr) == (1, True), refused.stderr
    stale = sam.ask("POST", f"/a/{ident}", {**form, "choice": "approve", "sure": "yes"})
    assert (stale.status, void in stale.text) == (409, True)
    shown = page(sam, ident)
    assert (f"Nothing can come of it: {void}." in shown, "Approve a" in shown) == (True, False)


def test_glass_is_not_broken_for_what_nobody_could_use(counting: Counting) -> None:
    ident, _ = asked(counting, "useless")
    service, sam = counting.service, visitor(counting)
    form = sam.fields(ident)
    assert service.remit("sessions", "end", service.approval(ident)["sid"]).returncode == 0
    typed = service.remit("break-glass", ident, "--why", "fire", token=service.user("sam"))
    assert (typed.returncode, "its session has ended: nobody could use the yes" in typed.stderr) == (1, True), (
        typed.stderr
    )
    clicked = sam.ask("POST", f"/a/{ident}", {**form, "choice": "glass", "why": "fire", "sure": "yes"})
    assert (clicked.status, "its session has ended" in clicked.text) == (409, True)
    assert service.approval(ident)["glass"] is None


def test_who_hands_it_on_to_whom_it_is_done_for_reads_of_him(counting: Counting) -> None:
    ident, _ = asked(counting, "for-ana")
    said = visitor(counting).decide(ident, "delegate", to="ana", minutes="5")
    assert "ana cannot decide in your place: the action is done for him" in said.text


def test_what_is_written_on_the_page_is_no_longer_than_by_the_api(counting: Counting) -> None:
    ident, _ = asked(counting, "long")
    sam = visitor(counting)
    for choice, name, most in (("deny", "note", 2_000), ("glass", "why", 1_000)):
        said = sam.decide(ident, choice, sure="yes", **{name: "x" * (most + 1)})
        assert (said.status, f"{name} has more than {most:,} characters" in said.text) == (400, True)
    assert counting.service.approval(ident)["state"] == "pending"
