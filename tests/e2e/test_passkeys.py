"""A yes that is confirmed with a passkey: registered and used in a real browser with a virtual authenticator."""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from playwright.sync_api import BrowserContext, Page

from proof.counting import RESOURCES, Counting
from remit.api.page.render import PAGE_BYTES_MAX
from tests.e2e.browsing import browser
from tests.e2e.speaking import api, entries, told
from tests.e2e.test_page import Visitor, asked

ALIAS = """\
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: sam2}
spec: {groups: [owners], person: sam}
"""
STRONG = "edits: true, break_glass: [owners]"


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("passkeys"), hold_s=0.2) as made:
        yield made


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserContext]:
    with browser() as found:
        yield found


def strong(counting: Counting, *, on: bool) -> None:
    """Have the owners' route ask for more than a token, or not."""
    resources = RESOURCES.replace("PORT", str(counting.port)).replace("HOLD_S", "0.2")
    if on:
        resources = resources.replace(STRONG, f"{STRONG}, strong: true")
    counting.service.write({"resources.yaml": resources})
    counting.service.apply()


def address(counting: Counting, path: str) -> str:
    """Where a passkey of this service works: at a name, not at an address."""
    return f"http://localhost:{counting.service.port}/a/{path}"


def authenticator(page: Page) -> tuple[Any, str]:
    """Give `page` an authenticator of its own (CDP, domain WebAuthn): what speaks to it, and its id."""
    session = cast("Any", page.context.new_cdp_session(page))
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
        "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    made = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, made["authenticatorId"]


def signed_in(counting: Counting, page: Page, path: str, name: str = "sam") -> None:
    page.context.clear_cookies()
    page.goto(address(counting, path))
    page.get_by_label("Your user token").fill(counting.service.user(name))
    page.keyboard.press("Enter")
    page.get_by_text(f"you are {name}").wait_for()


def registered(counting: Counting, page: Page, name: str = "sam") -> None:
    """Register a passkey for `name` in the browser of `page`."""
    invited = counting.service.told("passkeys", "invite", name)
    assert invited["url"] == address(counting, "passkeys")
    signed_in(counting, page, "passkeys", name)
    page.get_by_label("The word of your invitation").fill(invited["word"])
    called = f"{name}'s key {len(kept(counting, name)) + 1}"
    page.get_by_label("What you call it").fill(called)
    page.get_by_role("button", name="Register a passkey").click()
    page.locator("li").get_by_text(called).wait_for()


def forgotten(counting: Counting) -> None:
    """End every passkey that tests before registered."""
    for one in kept(counting):
        assert counting.service.remit("passkeys", "remove", one["id"], "--why", "a test").returncode == 0


def kept(counting: Counting, name: str = "sam") -> list[dict[str, Any]]:
    return [one for one in counting.service.told("passkeys", "ls") if one["user"] == name]


def test_a_strong_yes_is_signed_by_a_passkey_and_nothing_less_counts(
    counting: Counting, chromium: BrowserContext
) -> None:
    strong(counting, on=True)
    try:
        forgotten(counting)
        ident, token = asked(counting, "strong")
        by_token = counting.service.remit("approvals", "approve", ident, token=counting.service.user("sam"))
        assert by_token.returncode != 0
        assert "confirmed beyond a token" in by_token.stderr
        page = chromium.new_page()
        authenticator(page)
        signed_in(counting, page, ident)
        page.get_by_text("You have no passkey yet.").first.wait_for()
        assert page.get_by_role("button", name="Approve").count() == 0
        registered(counting, page)
        [mine] = kept(counting)
        page.goto(address(counting, ident))
        assert len(page.content().encode()) <= PAGE_BYTES_MAX
        page.get_by_label("I have checked whom it reaches").check()
        page.get_by_role("button", name="Approve a", exact=True).click()
        page.get_by_text("approved", exact=True).wait_for()
        again = {"id": "strong", "amount": 50}
        assert told(counting.service, token, "counter", "add", again) == (False, "added 50")
        assert counting.effects.count("strong") == 1
        assert kept(counting)[0]["signed"] > mine["signed"], "the authenticator counts, and it is kept"
        assert counting.service.remit("ledger", "verify").returncode == 0
        page.close()
    finally:
        strong(counting, on=False)


def test_an_edit_is_signed_with_the_arguments_that_run(counting: Counting, chromium: BrowserContext) -> None:
    strong(counting, on=True)
    try:
        ident, token = asked(counting, "signed-edit")
        page = chromium.new_page()
        authenticator(page)
        registered(counting, page)
        page.goto(address(counting, ident))
        page.get_by_text("Approve with other arguments").click()
        page.locator("textarea[name=arguments]").fill('{\n "amount": 20,\n "id": "signed-edit"\n}')
        page.get_by_role("button", name="Approve with these arguments").click()
        page.get_by_text("approved", exact=True).wait_for()
        failed, said = told(counting.service, token, "counter", "add", {"id": "signed-edit", "amount": 50})
        assert (failed, "added 20" in said) == (False, True)
        page.close()
    finally:
        strong(counting, on=False)


def test_a_yes_from_before_the_route_was_strong_does_not_count(counting: Counting) -> None:
    ident, token = asked(counting, "before")
    service = counting.service
    assert service.remit("approvals", "approve", ident, token=service.user("sam")).returncode == 0
    assert service.approval(ident)["state"] == "approved"
    strong(counting, on=True)
    try:
        assert service.approval(ident)["seats"][0]["by"] == []
        failed, said = told(service, token, "counter", "add", {"id": "before", "amount": 50})
        assert (failed, "/a/" in said, ident in said) == (True, True, False), "people are asked anew"
        assert "before" not in counting.effects
    finally:
        strong(counting, on=False)


def test_a_passkey_without_its_person_confirms_nothing(counting: Counting, chromium: BrowserContext) -> None:
    strong(counting, on=True)
    try:
        ident, _ = asked(counting, "unverified")
        page = chromium.new_page()
        session, held = authenticator(page)
        registered(counting, page)
        page.goto(address(counting, ident))
        session.send("WebAuthn.setUserVerified", {"authenticatorId": held, "isUserVerified": False})
        page.get_by_label("I have checked whom it reaches").check()
        page.get_by_role("button", name="Approve a", exact=True).click()
        page.get_by_text("Not confirmed: ").wait_for()
        assert counting.service.approval(ident)["state"] == "pending"
        page.close()
    finally:
        strong(counting, on=False)


def test_what_is_signed_is_the_form_and_it_is_signed_once(counting: Counting, chromium: BrowserContext) -> None:
    strong(counting, on=True)
    try:
        ident, _ = asked(counting, "tampered")
        page = chromium.new_page()
        authenticator(page)
        registered(counting, page)
        sent: list[str] = []
        page.route("**/a/*", lambda route: (sent.append(route.request.post_data or ""), route.abort())
                   if route.request.method == "POST" else route.continue_())  # fmt: skip
        page.goto(address(counting, ident))
        page.get_by_label("I have checked whom it reaches").check()
        page.get_by_role("button", name="Approve a", exact=True).click()
        page.wait_for_timeout(1)
        while not sent:
            page.wait_for_timeout(20)
        cookies = {one.get("name"): one.get("value") for one in page.context.cookies()}
        visitor = Visitor(counting.service.port)
        name = f"remit-person-{counting.service.port}"
        visitor.cookie = f"{name}={cookies[name]}"
        visitor.origin = f"http://localhost:{counting.service.port}"
        heads = {"Host": f"localhost:{counting.service.port}"}
        edited = sent[0].replace("choice=approve", "choice=edit") + "&arguments=" + "%7B%22id%22%3A%22x%22%7D"
        refused = visitor.ask("POST", f"/a/{ident}", edited, **heads)
        assert (refused.status, "not confirmed" in refused.text) == (403, True)
        assert visitor.ask("POST", f"/a/{ident}", sent[0], **heads).status == 409, "a question is answered once"
        assert counting.service.approval(ident)["state"] == "pending"
        page.close()
    finally:
        strong(counting, on=False)


def test_a_token_alone_registers_no_passkey(counting: Counting, chromium: BrowserContext) -> None:
    other = counting.service.told("passkeys", "invite", "ana")["word"]
    page = chromium.new_page()
    authenticator(page)
    before = len(kept(counting))
    for word in ("guessed", other):
        signed_in(counting, page, "passkeys")
        page.get_by_label("The word of your invitation").fill(word)
        page.get_by_label("What you call it").fill("stolen")
        page.get_by_role("button", name="Register a passkey").click()
        page.get_by_text("this word invites you to nothing").wait_for()
    assert len(kept(counting)) == before
    assert counting.service.remit("passkeys", "invite", "nobody").returncode == 5
    assert counting.service.remit("passkeys", "invite", "sam", token=counting.service.user("sam")).returncode == 4
    page.close()


def test_a_removed_passkey_confirms_nothing(counting: Counting, chromium: BrowserContext) -> None:
    page = chromium.new_page()
    authenticator(page)
    forgotten(counting)
    registered(counting, page)
    other = chromium.new_page()
    authenticator(other)
    registered(counting, other)
    other.close()
    gone, mine = (one["id"] for one in kept(counting))
    why = ("--why", "a new phone")
    theirs = counting.service.remit("passkeys", "remove", gone, *why, token=counting.service.user("ana"))
    assert theirs.returncode == 5
    by_token = counting.service.remit("passkeys", "remove", gone, *why, token=counting.service.user("sam"))
    assert (by_token.returncode, "a token alone ends no passkey" in by_token.stderr) == (4, True)
    assert [one["id"] for one in kept(counting)] == [gone, mine]
    cookies = {one.get("name"): one.get("value") for one in page.context.cookies()}
    visitor = Visitor(counting.service.port)
    name = f"remit-person-{counting.service.port}"
    visitor.cookie = f"{name}={cookies[name]}"
    visitor.origin = f"http://localhost:{counting.service.port}"
    heads = {"Host": f"localhost:{counting.service.port}"}
    shown = visitor.ask("GET", "/a/passkeys", **heads).text
    ours = shown.partition("One less")[2].partition("</form>")[0]
    form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', ours))
    form = {name: form[name] for name in ("csrf", "ask", "confirmed")} | {"choice": "remove"}
    for ident, status in ((gone, 403), ("0" * 12, 404)):
        assert visitor.ask("POST", "/a/passkeys", {**form, "id": ident}, **heads).status == status
    assert [one["id"] for one in kept(counting)] == [gone, mine]
    page.goto(address(counting, "passkeys"))
    page.locator("select[name=id]").select_option(gone)
    page.get_by_role("button", name="Remove").click()
    page.locator("li").get_by_text("sam's key 1").wait_for(state="detached")
    assert [one["id"] for one in kept(counting)] == [mine]
    said = api(counting.service, "GET", "/ledger/entries?latest=20")["items"]
    *_, ended = (one["body"] for one in said if one["body"].get("event") == "passkey.removed")
    assert (ended["by"], len(ended["data"]["confirmed"])) == ("user:sam", 2)
    forgotten(counting)
    assert kept(counting) == []
    strong(counting, on=True)
    try:
        ident, _ = asked(counting, "removed")
        page.goto(address(counting, ident))
        page.get_by_text("You have no passkey yet.").first.wait_for()
        page.close()
    finally:
        strong(counting, on=False)
    assert counting.service.remit("ledger", "verify").returncode == 0


def test_a_copy_of_a_passkey_confirms_nothing_and_the_page_says_what_to_do(
    counting: Counting, chromium: BrowserContext
) -> None:
    strong(counting, on=True)
    try:
        forgotten(counting)
        page = chromium.new_page()
        session, where = authenticator(page)
        registered(counting, page)
        [mine] = kept(counting)
        [copied] = session.send("WebAuthn.getCredentials", {"authenticatorId": where})["credentials"]

        def approves(name: str) -> str:
            ident, _ = asked(counting, name)
            page.goto(address(counting, ident))
            page.get_by_label("I have checked whom it reaches").check()
            page.get_by_role("button", name="Approve a", exact=True).click()
            return ident

        own = approves("by-its-owner")
        page.get_by_text("You said yes, and it is approved").wait_for()
        named = {"authenticatorId": where, "credentialId": copied["credentialId"]}
        session.send("WebAuthn.removeCredential", named)
        session.send("WebAuthn.addCredential", {"authenticatorId": where, "credential": copied})
        other = approves("by-a-thief")
        page.get_by_text("somebody may have a copy of it").wait_for()
        page.get_by_text(f"have it ended: remit passkeys remove {mine['id']} --why TEXT").wait_for()
        states = [counting.service.approval(one)["state"] for one in (own, other)]
        assert states == ["approved", "pending"]
        counting.service.logs("a passkey may have been copied")
        page.close()
    finally:
        strong(counting, on=False)


def test_glass_is_broken_by_a_passkey_where_a_route_is_strong_or_there_is_one(
    counting: Counting, chromium: BrowserContext
) -> None:
    service = counting.service
    forgotten(counting)
    for on in (True, False):
        strong(counting, on=on)
        try:
            ident, token = asked(counting, f"glass-{on}")
            page = chromium.new_page()
            authenticator(page)
            signed_in(counting, page, ident)
            if on:
                page.get_by_text("Break the glass").first.click()
                page.locator("details[open]").get_by_text("You have no passkey yet.").wait_for()
            registered(counting, page)
            by_token = service.remit("break-glass", ident, "--why", "down", token=service.user("sam"))
            assert (by_token.returncode, "confirmed beyond a token" in by_token.stderr) == (4, True)
            assert f"/a/{ident}" in by_token.stderr
            service.write({"alias.yaml": ALIAS})
            service.apply()
            by_alias = service.remit("break-glass", ident, "--why", "down", token=service.user("sam2"))
            assert (by_alias.returncode, "confirmed beyond a token" in by_alias.stderr) == (4, True), "he is sam"
            page.goto(address(counting, ident))
            page.get_by_text("Break the glass").first.click()
            page.get_by_label("What the emergency is").fill("the site is down")
            page.get_by_label("I lift every gate alone").check()
            page.get_by_role("button", name="Break the glass").click()
            page.get_by_text("approved", exact=True).wait_for()
            assert told(service, token, "counter", "add", {"id": f"glass-{on}", "amount": 50}) == (False, "added 50")
            said = entries(service, service.approval(ident)["sid"])
            [decided] = [one["body"] for one in said if one["body"].get("choice") == "break-glass"]
            assert decided["confirmed"]
            page.close()
            forgotten(counting)
        finally:
            service.write({"alias.yaml": ""})
            strong(counting, on=False)
    ident, _ = asked(counting, "glass-by-token")
    again = service.remit("break-glass", ident, "--why", "down", token=service.user("sam"))
    assert (again.returncode, "confirmed beyond a token" in again.stderr) == (4, True), "he had one"
    assert service.remit("ledger", "verify").returncode == 0


def test_a_deputy_of_a_strong_route_is_named_by_a_passkey(counting: Counting, chromium: BrowserContext) -> None:
    service = counting.service
    service.write({"kim.yaml": "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: kim}\n"})
    strong(counting, on=True)
    try:
        forgotten(counting)
        ident, _ = asked(counting, "strong-deputy")
        by_token = service.remit("approvals", "delegate", ident, "--to", "kim", token=service.user("sam"))
        assert (by_token.returncode, "confirmed beyond a token" in by_token.stderr) == (4, True)
        page = chromium.new_page()
        authenticator(page)
        signed_in(counting, page, ident)
        page.get_by_text("Let somebody else decide it").click()
        page.locator("details[open]").get_by_text("You have no passkey yet.").wait_for()
        registered(counting, page)
        page.goto(address(counting, ident))
        page.get_by_text("Let somebody else decide it").click()
        page.get_by_label("To the user").fill("kim")
        page.get_by_label("For how many minutes").fill("5")
        # The page that the answer leads to looks like this one.
        with page.expect_navigation():
            page.get_by_role("button", name="Delegate").click()
        [over] = service.approval(ident)["delegations"]
        assert over["to"] == "kim"
        said = entries(service, service.approval(ident)["sid"])
        [decided] = [one["body"] for one in said if one["body"].get("choice") == "delegate"]
        assert decided["confirmed"]
        page.close()
    finally:
        service.write({"kim.yaml": ""})
        strong(counting, on=False)


def told_of_passkeys(counting: Counting) -> list[dict[str, Any]]:
    """What `remit doctor` says of passkeys."""
    return [one for one in counting.service.told("doctor")["checks"] if one["name"] == "passkeys"]


def test_who_runs_remit_is_warned_of_a_strong_route_that_nobody_can_satisfy(
    counting: Counting, chromium: BrowserContext
) -> None:
    service = counting.service
    forgotten(counting)
    assert not told_of_passkeys(counting)
    try:
        resources = RESOURCES.replace("PORT", str(counting.port)).replace("HOLD_S", "0.2")
        service.write({"resources.yaml": resources.replace(STRONG, f"{STRONG}, strong: true, count: 2")})
        said = "route 'owner' is strong and takes 2, and 0 of its 2 people have a passkey"
        assert said in service.remit("apply").stderr
        [check] = told_of_passkeys(counting)
        assert (check["ok"], said in check["text"]) == (False, True)
        assert check["next"] == "remit passkeys invite ana"
        page = chromium.new_page()
        authenticator(page)
        registered(counting, page)
        page.close()
        [check] = told_of_passkeys(counting)
        assert "1 of its 2 people" in check["text"]
        strong(counting, on=True)
        assert not told_of_passkeys(counting)
    finally:
        strong(counting, on=False)


def test_nonsense_is_no_signature(counting: Counting) -> None:
    strong(counting, on=True)
    try:
        ident, _ = asked(counting, "nonsense")
        sam = Visitor(counting.service.port)
        assert sam.sign_in(counting.service.user("sam")).status == 303
        page = sam.ask("GET", f"/a/{ident}").text
        csrf = re.search(r'name="csrf" value="([^"]+)"', page)
        shown = re.search(r'name="shown" value="([^"]+)"', page)
        assert csrf is not None
        assert shown is not None
        form = {"csrf": csrf[1], "shown": shown[1], "choice": "approve", "sure": "yes"}
        said: dict[str, object] = {"id": base64.urlsafe_b64encode(b"x").decode(), "response": {}}
        for more in ({}, {"ask": "never", "confirmed": "{}"}, {"ask": "", "confirmed": json.dumps(said)}):
            assert sam.ask("POST", f"/a/{ident}", {**form, **more}).status in {403, 409}
        assert counting.service.approval(ident)["state"] == "pending"
    finally:
        strong(counting, on=False)
