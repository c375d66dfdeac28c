"""What the page offers beside yes and no: a grant, a deputy, stopping the session, breaking the glass."""

import html
import re
from collections.abc import Iterator

import pytest

from proof.counting import Counting
from remit.api.page.render import PAGE_BYTES_MAX
from tests.e2e.speaking import told
from tests.e2e.test_page import Said, Visitor, asked, csrf, visitor


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("choices"), hold_s=0.2) as made:
        yield made


HELD = {"scope": "tool", "hours": "8"}
GRANT = {"scope": "session", "hours": "", "uses": "3", "where": ""}


def given(person: Visitor, ident: str, **more: str) -> Said:
    """What comes of the form that shows the terms of a grant, filled in with `more`."""
    shown = person.decide(ident, "terms", **more)
    assert shown.status == 200, shown.text
    fields = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', shown.text.partition("I have read")[0])
    )
    fields = {name: html.unescape(value) for name, value in fields.items()}
    return person.ask("POST", f"/a/{ident}", {**fields, "choice": "grant", "sure": "yes"})


def state(counting: Counting, ident: str) -> str:
    return str(counting.service.approval(ident)["state"])


def test_a_grant_is_shown_with_last_week_and_given_with_the_yes(counting: Counting) -> None:
    ident, token = asked(counting, "granted")
    sam = visitor(counting)
    page = sam.ask("GET", f"/a/{ident}")
    assert "Grant more than this one action" in page.text
    assert len(page.text.encode()) <= PAGE_BYTES_MAX
    terms = sam.decide(ident, "terms", **GRANT)
    assert (terms.status, "asks of last week it would have covered" in terms.text) == (200, True)
    assert 'name="uses" value="3"' in terms.text
    assert state(counting, ident) == "pending", "looking gives nothing"
    unread = sam.decide(ident, "grant", **GRANT, sure="yes")
    assert (unread.status, "look at what that would cover first" in unread.text) == (400, True)
    fields = dict(
        re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', terms.text.partition("I have read")[0])
    )
    assert sam.ask("POST", f"/a/{ident}", {**fields, "choice": "grant"}).status == 400, "not by a single key"
    for odd in ({"terms": f"sha256:{'0' * 64}"}, {"uses": "4"}, {"scope": "tool", "hours": "8"}):
        other = sam.ask("POST", f"/a/{ident}", {**fields, **odd, "choice": "grant", "sure": "yes"})
        assert (other.status, "not the terms that were shown" in other.text) == (409, True), odd
    assert state(counting, ident) == "pending", "and no yes is left over"
    assert sam.ask("POST", f"/a/{ident}", {**fields, "choice": "grant", "sure": "yes"}).status == 303
    [grant] = counting.service.told("grants", "ls")
    assert (grant["approval"], grant["by"], grant["uses_max"], grant["scope"]) == (ident, ["sam"], 3, "session")
    assert (grant["terms"], grant["expires"]) == (fields["terms"], fields["until"]), "as it was shown"
    again = {"id": "granted", "amount": 50}
    assert told(counting.service, token, "counter", "add", again) == (False, "added 50")
    assert told(counting.service, token, "counter", "add", again) == (False, "added 50"), "nobody is asked again"
    assert counting.service.remit("grants", "revoke", grant["id"], token=counting.service.user("sam")).returncode == 0


@pytest.mark.parametrize(
    ("odd", "why"),
    [
        ({"scope": "everything"}, "for the session or for the tool"),
        ({"uses": "many"}, "uses is no number"),
        ({"hours": "-1"}, "hours is no number"),
        ({"where": "amount"}, "NAME=VALUE"),
        ({"where": "amount<=100"}, "constraints hold a tool"),
        ({"scope": "tool", "hours": "8", "where": "nothing=1"}, "no argument nothing"),
        ({"scope": "tool"}, "ends at a time"),
        ({"until": "soon"}, "until is no moment"),
        (HELD | {"where": "amount<=Infinity"}, "json/number"),
        (HELD | {"where": "amount<=1" + "0" * 400}, "json/number"),
        (HELD | {"where": 'id="\\ud800"'}, "json/surrogate"),
        (HELD | {"where": "id=" + "[" * 900}, "json/depth"),
        (HELD | {"where": "amount<=ten"}, "no number from 0 up"),
    ],
)
def test_what_is_no_grant_gives_none(counting: Counting, odd: dict[str, str], why: str) -> None:
    ident, _ = asked(counting, "odd-grant")
    form = {"sure": "yes", "terms": f"sha256:{'0' * 64}", **GRANT, **odd}
    refused = visitor(counting).decide(ident, "grant", **form)
    assert (refused.status >= 400, why in refused.text) == (True, True), refused.text
    assert state(counting, ident) == "pending", "no yes is left over from a grant that was refused"


def test_a_tool_is_granted_with_its_arguments_held(counting: Counting) -> None:
    ident, token = asked(counting, "held")
    wish = {"scope": "tool", "hours": "8", "uses": "", "where": 'amount<=60\nid="held"'}
    assert given(visitor(counting), ident, **wish).status == 303
    [grant] = counting.service.told("grants", "ls")
    assert {(one["name"], one["bound"], one["value"]) for one in grant["where"]} == {
        ("amount", "<=", 60), ("id", "=", "held"),
    }  # fmt: skip
    assert told(counting.service, token, "counter", "add", {"id": "held", "amount": 60}) == (False, "added 60")
    assert told(counting.service, token, "counter", "add", {"id": "held", "amount": 61})[0]
    assert counting.service.remit("grants", "revoke", grant["id"], token=counting.service.user("sam")).returncode == 0


def test_a_deputy_is_named_on_the_page(counting: Counting) -> None:
    ident, _ = asked(counting, "deputy")
    sam = visitor(counting)
    for to, minutes in (("nobody", "30"), ("ana", "0"), ("ana", "x"), ("sam", "30")):
        assert sam.decide(ident, "delegate", to=to, minutes=minutes).status in {400, 409}, (to, minutes)
    # Ana is whom the agent acts for: her yes does not count, in nobody's place.
    assert "requester" in sam.decide(ident, "delegate", to="ana", minutes="30").text
    other, _ = asked(counting, "deputy-2")
    counting.service.write({"kim.yaml": "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: kim}\n"})
    counting.service.apply()
    assert sam.decide(other, "delegate", to="kim", minutes="30").status == 303
    assert counting.service.approval(other)["delegations"][0]["to"] == "kim"
    assert visitor(counting, "kim").decide(other, "approve", sure="yes").status == 303
    assert state(counting, other) == "approved"


def test_the_session_that_asked_is_stopped_on_the_page(counting: Counting) -> None:
    ident, token = asked(counting, "stopped")
    sam = visitor(counting)
    assert sam.decide(ident, "stop", reason="suspicious").status == 400
    assert sam.decide(ident, "stop", reason="suspicious", note="odd", sure="yes").status == 303
    assert state(counting, ident) == "denied"
    failed, said = told(counting.service, token, "counter", "peek", {})
    assert (failed, "stopped" in said) == (True, True)
    [stop] = counting.service.told("halt")
    assert (stop["kind"], stop["by"]) == ("session", "user:sam")
    assert "Stop the session" in sam.ask("GET", f"/a/{ident}").text, "whoever decided may still stop"
    assert counting.service.remit("resume", "session", stop["name"]).returncode == 0


def test_glass_is_broken_on_the_page_and_takes_more_than_a_key(counting: Counting) -> None:
    ident, token = asked(counting, "glass")
    sam = visitor(counting)
    for more in ({}, {"sure": "yes"}, {"why": "fire"}, {"why": " ", "sure": "yes"}):
        assert sam.decide(ident, "glass", **more).status == 400, more
    fields = {**sam.fields(ident), "choice": "glass", "why": "fire", "sure": "yes"}
    assert sam.ask("POST", f"/a/{ident}", {**fields, "shown": "0"}).status == 409
    assert state(counting, ident) == "pending"
    assert sam.ask("POST", f"/a/{ident}", fields).status == 303
    shown = counting.service.approval(ident)
    assert (shown["state"], shown["glass"]["by"], shown["glass"]["why"]) == ("approved", "sam", "fire")
    assert told(counting.service, token, "counter", "add", {"id": "glass", "amount": 50}) == (False, "added 50")


def test_the_page_offers_only_what_may_be_done(counting: Counting) -> None:
    ident, _ = asked(counting, "offers")
    ana = visitor(counting, "ana")
    page = ana.ask("GET", f"/a/{ident}").text
    assert "Let somebody else decide it" not in page
    assert ana.decide(ident, "terms", **GRANT).status == 403, "told before he reads terms"
    for choice, more in (("delegate", {"to": "sam", "minutes": "5"}), ("glass", {"why": "me"})):
        form = {"csrf": csrf(ana), "shown": ana.fields(ident).get("shown", ""), "choice": choice, "sure": "yes", **more}
        assert ana.ask("POST", f"/a/{ident}", form).status in {403, 409}, choice
    assert state(counting, ident) == "pending"
    nobody = Visitor(counting.service.port)
    assert nobody.ask("POST", f"/a/{ident}", {"choice": "glass", "csrf": ""}).status == 401
