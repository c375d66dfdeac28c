"""`/a/{id}` over a service: who gets in, what it takes to decide, and what a decision does."""

import http.client
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple
from urllib.parse import urlencode

import pytest

from proof.counting import Counting
from remit.api.page.desk import OF_ONE_MAX
from remit.api.page.render import PAGE_BYTES_MAX
from tests.e2e.speaking import told
from tests.eventually import WITHIN_S, awaited

BROWSER: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
"""What browsers accept of a page."""


class Said(NamedTuple):
    """An answer."""

    status: int
    text: str
    heads: dict[str, str]


class Visitor:
    """A client with a cookie that sends what it is told to, Origin and all."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookie = ""
        self.origin = f"http://127.0.0.1:{port}"

    def ask(self, method: str, path: str, form: dict[str, str] | str | None = None, **heads: str | None) -> Said:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WITHIN_S)
        sent: dict[str, str] = {"Cookie": self.cookie} if self.cookie else {}
        if form is not None:
            sent |= {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.origin}
        for name, value in heads.items():
            sent.pop(name.replace("_", "-"), None)
            if value is not None:
                sent[name.replace("_", "-")] = value
        try:
            body = urlencode(form) if isinstance(form, dict) else form
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            if "set-cookie" in found:
                self.cookie = found["set-cookie"].partition(";")[0]
            return Said(answer.status, answer.read().decode("utf-8"), found)
        finally:
            connection.close()

    def sign_in(self, token: str, back: str = "") -> Said:
        return self.ask("POST", "/a/sign-in", {"token": token, "next": back})

    def fields(self, ident: str) -> dict[str, str]:
        """What the forms of the page carry."""
        page = self.ask("GET", f"/a/{ident}")
        assert page.status == 200, page.text
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))

    def decide(self, ident: str, choice: str, **more: str) -> Said:
        return self.ask("POST", f"/a/{ident}", {**self.fields(ident), "choice": choice, **more})


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("page"), hold_s=0.2) as made:
        yield made


def asked(counting: Counting, ident: str, amount: int = 50, agent: str = "clerk") -> tuple[str, str]:
    """Have the clerk add `amount`, which people decide: the approval's id, and the token to say it again with."""
    service = counting.service
    token = service.agent(agent, "ana")
    failed, text = told(service, token, "counter", "add", {"id": ident, "amount": amount})
    assert failed
    found = re.search(r"/a/(\S+)", text)
    assert found is not None, text
    return found[1], token


def visitor(counting: Counting, name: str = "sam") -> Visitor:
    found = Visitor(counting.service.port)
    assert found.sign_in(counting.service.user(name)).status == 303
    return found


def test_a_call_that_waits_is_approved_on_its_page_and_runs_once(counting: Counting) -> None:
    ident, token = asked(counting, "once")
    sam = visitor(counting)
    page = sam.ask("GET", f"/a/{ident}")
    assert "an amount above 10 needs an owner" in page.text
    assert len(page.text.encode()) <= PAGE_BYTES_MAX
    done = sam.decide(ident, "approve", sure="yes")
    assert (done.status, done.heads["location"]) == (303, f"/a/{ident}")
    again = {"id": "once", "amount": 50}
    assert told(counting.service, token, "counter", "add", again) == (False, "added 50")
    assert told(counting.service, token, "counter", "add", again)[0], "a second time asks anew"
    assert counting.effects.count("once") == 1
    shown = counting.service.approval(ident)
    assert (shown["state"], [vote["by"] for vote in shown["votes"]]) == ("succeeded", ["sam"])
    assert "It is succeeded" in sam.ask("GET", f"/a/{ident}").text
    assert counting.service.remit("ledger", "verify").returncode == 0


def test_who_is_not_signed_in_is_asked_who_he_is_and_told_nothing(counting: Counting) -> None:
    ident, _ = asked(counting, "unseen-by-strangers")
    nobody = Visitor(counting.service.port)
    for path in (f"/a/{ident}", f"/a/{ident}/arguments", "/a/r1-1.1"):
        said = nobody.ask("GET", path)
        assert (said.status, "Who are you?" in said.text, "unseen-by-strangers" in said.text) == (401, True, False)
    assert nobody.ask("POST", f"/a/{ident}", {"choice": "approve", "csrf": ""}).status == 401
    for token in ("", "nonsense", counting.service.admin, counting.service.agent("clerk", "ana")):
        assert nobody.sign_in(token).status == 403
    assert not nobody.cookie


def test_a_sign_in_leads_where_it_was_asked_for_and_nowhere_else(counting: Counting) -> None:
    ident, _ = asked(counting, "leads")
    elsewhere = ("//evil.example", "https://evil.example/", "/a/", "")
    for back, place in ((ident, f"/a/{ident}"), *((one, "/a/") for one in elsewhere)):
        said = Visitor(counting.service.port).sign_in(counting.service.user("sam"), back)
        assert (said.status, said.heads["location"]) == (303, place)
        cookie = said.heads["set-cookie"]
        assert cookie.startswith(f"remit-person-{counting.service.port}=")
        assert all(word in cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/a;"))


def test_who_comes_from_another_site_is_led_on_once(counting: Counting) -> None:
    nobody = Visitor(counting.service.port)
    for path, place in (("/a/r1-1.1", "/a/r1-1.1?here"), ("/a/passkeys", "/a/passkeys?here"), ("/a/x", "/a/?here")):
        led = nobody.ask("GET", path, Sec_Fetch_Site="cross-site")
        assert (led.status, led.heads["refresh"]) == (200, f"0;url={place}")
        assert f'<a href="{place}">Go on</a>' in led.text
    again = nobody.ask("GET", "/a/r1-1.1?here", Sec_Fetch_Site="cross-site")
    assert (again.status, "Who are you?" in again.text) == (401, True)
    assert "refresh" not in again.heads
    assert nobody.ask("POST", "/a/sign-out", {}, Sec_Fetch_Site="cross-site").status == 401


def test_who_signs_in_often_gives_up_his_own_sign_ins_alone(counting: Counting) -> None:
    sam, first = visitor(counting), visitor(counting, "ana")
    token = counting.service.user("ana")
    for _ in range(OF_ONE_MAX - 1):
        assert Visitor(counting.service.port).sign_in(token).status == 303
    assert "you are ana" in first.ask("GET", "/a/").text
    last = Visitor(counting.service.port)
    assert last.sign_in(token).status == 303
    assert "Who are you?" in first.ask("GET", "/a/").text
    assert "you are ana" in last.ask("GET", "/a/").text
    assert "you are sam" in sam.ask("GET", "/a/").text


def test_what_waits_is_listed_for_those_who_decide_it(counting: Counting) -> None:
    ident, _ = asked(counting, "listed")
    listed = visitor(counting).ask("GET", "/a/")
    assert f'href="/a/{ident}"' in listed.text
    assert re.search(r"clerk: <bdi>counter/add [^<]*listed", listed.text), "what is asked tells it from others"


def test_a_form_counts_only_from_a_page_of_this_sign_in(counting: Counting) -> None:
    ident, _ = asked(counting, "forged")
    sam, other = visitor(counting), visitor(counting)
    fields = sam.fields(ident)
    form = {**fields, "choice": "approve", "sure": "yes"}
    theirs = other.fields(ident)["csrf"]
    for sent, heads, status in (
        ({**form, "csrf": ""}, {}, 403),
        ({**form, "csrf": theirs}, {}, 403),
        (form, {"Origin": None}, 403),
        (form, {"Origin": "null"}, 403),
        (form, {"Origin": "https://evil.example"}, 403),
        (form, {"Host": "evil.example"}, 403),
        (form, {"Content_Type": "text/plain"}, 415),
        (form, {"Content_Type": "application/json"}, 415),
        (urlencode(form) + "&choice=deny", {}, 400),
        (urlencode(form) + "&x=%ff", {}, 400),
        (urlencode(form) + "&x=" + "y" * 70_000, {}, 413),
        ({**form, "choice": "perhaps"}, {}, 400),
        ({**form, "shown": "0"}, {}, 409),
    ):
        assert sam.ask("POST", f"/a/{ident}", sent, **heads).status == status, (sent, heads)
    assert counting.service.approval(ident)["state"] == "pending"
    assert sam.ask("POST", f"/a/{ident}", form).status == 303


def test_one_key_approves_nothing_that_cannot_be_undone(counting: Counting) -> None:
    ident, _ = asked(counting, "careful")
    sam = visitor(counting)
    assert 'name="sure" value="yes" required' in sam.ask("GET", f"/a/{ident}").text
    said = sam.decide(ident, "approve")
    assert said.status == 400
    assert "more than a key" in said.text
    assert counting.service.approval(ident)["state"] == "pending"


def test_a_no_ends_it_and_what_has_ended_is_decided_no_more(counting: Counting) -> None:
    ident, _ = asked(counting, "denied")
    sam = visitor(counting)
    assert sam.decide(ident, "deny", reason="not-now", note="not this month").status == 303
    shown = counting.service.approval(ident)
    assert (shown["state"], shown["refused_by"]) == ("denied", "sam")
    assert "sam said no: “<bdi>not this month</bdi>”" in sam.ask("GET", f"/a/{ident}").text
    late = sam.ask("POST", f"/a/{ident}", {**sam.fields(ident), "choice": "deny", "csrf": csrf(sam)})
    assert late.status == 409
    assert "can no longer be decided" in late.text
    assert counting.effects.count("denied") == 0


def csrf(who: Visitor) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', who.ask("GET", "/a/").text)
    assert found is not None
    return found[1]


def test_the_requester_sees_it_and_his_yes_does_not_count(counting: Counting) -> None:
    ident, _ = asked(counting, "own")
    ana = visitor(counting, "ana")
    page = ana.ask("GET", f"/a/{ident}")
    assert "Your yes does not count here." in page.text
    form = {"csrf": csrf(ana), "choice": "approve", "sure": "yes"}
    refused = ana.ask("POST", f"/a/{ident}", {**ana.fields(ident), **form})
    assert refused.status == 403
    assert "requester may not approve" in refused.text


def test_whoever_signs_out_or_is_revoked_is_signed_in_no_more(counting: Counting) -> None:
    service = counting.service
    sam = visitor(counting)
    before = sam.cookie
    assert sam.ask("POST", "/a/sign-out", {"csrf": csrf(sam)}).status == 303
    sam.cookie = before
    assert "Who are you?" in sam.ask("GET", "/a/").text
    minted = service.mint("user", "sam")
    again = Visitor(service.port)
    assert again.sign_in(minted["token"]).status == 303
    assert "What waits for you" in again.ask("GET", "/a/").text
    service.told("token", "revoke", minted["jti"])
    assert "Who are you?" in again.ask("GET", "/a/").text


def test_who_was_signed_out_meanwhile_signs_in_and_is_where_he_was(counting: Counting) -> None:
    ident, _ = asked(counting, "left-open")
    sam = visitor(counting)
    fields = sam.fields(ident)
    sam.cookie = ""
    said = sam.ask("POST", f"/a/{ident}", {**fields, "choice": "deny"})
    assert (said.status, "nothing was decided: sign in" in said.text) == (401, True)
    assert f'name="next" value="{ident}"' in said.text
    assert sam.sign_in(counting.service.user("sam"), ident).heads["location"] == f"/a/{ident}"
    stale = sam.ask("POST", f"/a/{ident}", {**fields, "choice": "deny"})
    assert (stale.status, counting.service.approval(ident)["state"]) == (403, "pending")


def test_the_next_is_what_ends_first_of_what_wants_his_yes(counting: Counting) -> None:
    sam = visitor(counting)
    for name in ("next-1", "next-2"):
        asked(counting, name)
    waits = [one["id"] for one in counting.service.approvals() if one["state"] == "pending"]
    # Newest first; each of them is given as long.
    for ident in reversed(waits):
        page = sam.ask("GET", f"/a/{ident}")
        assert ('href="#decide"' in page.text, 'href="/a/next"' in page.text) == (True, False)
        assert sam.ask("GET", "/a/next").heads["location"] == f"/a/{ident}"
        assert sam.decide(ident, "deny").status == 303
        assert 'href="/a/next"' in sam.ask("GET", f"/a/{ident}").text
    assert sam.ask("GET", "/a/next").heads["location"] == "/a/"


def test_the_arguments_are_there_byte_for_byte(counting: Counting) -> None:
    ident, _ = asked(counting, "<b>bytes</b>")
    said = visitor(counting).ask("GET", f"/a/{ident}/arguments")
    assert said.text == '{"amount":50,"id":"<b>bytes</b>"}'
    assert said.heads["content-type"] == "text/plain; charset=utf-8"
    assert said.heads["x-content-type-options"] == "nosniff"


def test_every_answer_is_closed_to_frames_caches_and_foreign_code(counting: Counting) -> None:
    ident, _ = asked(counting, "heads")
    sam = visitor(counting)
    answers = [sam.ask("GET", path) for path in ("/a/", f"/a/{ident}", f"/a/{ident}/arguments", "/a/nothing")]
    answers.append(Visitor(counting.service.port).ask("GET", f"/a/{ident}"))
    answers.append(sam.ask("DELETE", f"/a/{ident}"))
    assert [said.status for said in answers] == [200, 200, 200, 404, 401, 405]
    for said in answers:
        policy = said.heads["content-security-policy"].split("; ")
        assert policy[0] == "default-src 'none'"
        assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} <= set(policy)
        assert "unsafe" not in said.heads["content-security-policy"]
        assert said.heads["cache-control"] == "no-store"
        assert said.heads["x-frame-options"] == "DENY"


def test_a_denials_reason_reaches_the_agent_that_waits(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Counting(tmp_path_factory.mktemp("reason"), hold_s=30) as held, ThreadPoolExecutor(1) as agents:
        service = held.service
        token = service.agent("clerk", "ana")
        asking = agents.submit(told, service, token, "counter", "add", {"id": "why", "amount": 50})
        sam = visitor(held)
        ident = awaited(lambda: re.findall(r'<li><a href="/a/([^"]+)">', sam.ask("GET", "/a/").text))[0]
        assert sam.decide(ident, "deny", reason="too-much", note="for people alone").status == 303
        failed, answer = asking.result()
        assert failed
        assert "it is too much at once: ask for less" in answer
        assert "for people alone" not in answer


def test_other_arguments_are_approved_on_the_page_and_run_once_as_edited(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with Counting(tmp_path_factory.mktemp("edited"), hold_s=0.2) as world:
        service = world.service
        ident, token = asked(world, "as-asked")
        sam = visitor(world)
        assert "Approve with other arguments" in sam.ask("GET", f"/a/{ident}").text
        misnamed = '{"id": "as-asked", "amount": 50, "amuont": 8}'
        for wrong, status in (("{", 400), ("[1]", 400), ('{"id": 7, "amount": "much"}', 422), (misnamed, 422)):
            assert sam.decide(ident, "edit", arguments=wrong).status == status
        # A browser ends lines by two characters.
        assert sam.decide(ident, "edit", arguments='{\r\n "id": "as-edited",\r\n "amount": 40\r\n}').status == 303
        failed, answer = told(service, token, "counter", "add", {"id": "as-asked", "amount": 50})
        assert not failed
        assert "added 40" in answer
        assert '{"amount":40,"id":"as-edited"}' in answer, "the agent is told which arguments ran"
        assert (world.effects.count("as-edited"), world.effects.count("as-asked")) == (1, 0)
        shown = service.approval(ident)
        assert (shown["state"], shown["edit"]["by"]) == ("succeeded", "sam")
        assert shown["edit"]["arguments"] == {"id": "as-edited", "amount": 40}
        assert "sam changed the arguments" in sam.ask("GET", f"/a/{ident}").text
        assert service.remit("ledger", "verify").returncode == 0


def test_a_browser_is_told_what_this_is_and_where_to_go_and_programs_get_json(counting: Counting) -> None:
    visiting = Visitor(counting.service.port)
    page = visiting.ask("GET", "/", Accept=BROWSER)
    waits = visiting.ask("GET", "/a/", Accept=BROWSER)
    assert (page.status, page.heads["content-type"]) == (200, "text/html; charset=utf-8")
    assert '<a href="/a/">All that waits for you</a>' in page.text
    assert "<script" not in page.text
    assert "no page at this address" not in page.text
    for head in ("content-security-policy", "x-frame-options", "referrer-policy", "cache-control"):
        assert page.heads[head] == waits.heads[head]
    for path in ("/approvals", "/index.html", "/%3Cscript%3E"):
        missing = visiting.ask("GET", path, Accept=BROWSER)
        assert (missing.status, "There is no page at this address." in missing.text) == (404, True)
        assert "<script" not in missing.text
    onward = visiting.ask("GET", "/a", Accept=BROWSER)
    assert (onward.status, onward.heads["location"]) == (303, "/a/")
    for accepts in (None, "*/*", "application/json"):
        answered = visiting.ask("GET", "/", Accept=accepts)
        assert (answered.status, answered.heads["content-type"]) == (404, "application/json")
        assert '"next"' in answered.text
    assert visiting.ask("POST", "/", "", Accept=BROWSER).heads["content-type"] == "application/json"
    assert visiting.ask("GET", "/", Accept=BROWSER, Host="elsewhere.example").status == 403, "no name leads here"
