"""The page as people have it: by keyboard on a desktop, by thumb on a phone.

`REMIT_PICTURES=1` renews the pictures of the docs.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, Page

from remit.api.page.look import SCRIPT
from tests.e2e.browsing import DESK, PHONE, browser
from tests.e2e.notes_world import TOOLS, Noting
from tests.e2e.speaking import told
from tests.e2e.test_brief import BRIEFED
from tests.e2e.test_words import MALLORY, SEND, STRANGERS, fetched, opened

PICTURES: Final = Path(__file__).parents[2] / "docs" / "pictures"
SAM: Final = """\
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: sam}
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata: {name: safety}
spec: {users: [sam], hold_s: 0}
"""


@pytest.fixture(scope="module")
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noting]:
    with Noting(tmp_path_factory.mktemp("browser"), STRANGERS) as made:
        yield made


@pytest.fixture(scope="module")
def chromium(noting: Noting) -> Iterator[BrowserContext]:
    with browser() as found:
        tools, gate = TOOLS.replace(SEND, BRIEFED.strip()), STRANGERS.replace("owner", "safety")
        noting.service.write({"tools.yaml": tools, "sam.yaml": SAM, "gate.cedar": gate})
        noting.service.apply()
        yield found


def waiting(noting: Noting, text: str = "Here is what you asked for.") -> tuple[str, str]:
    """Have a mail wait that a page chose: the approval's address, and the token to say it again with."""
    _, token, _ = opened(noting.service)
    fetched(noting, token)
    failed, answer = told(noting.service, token, "notes", "send", {"to": MALLORY, "text": text})
    assert failed
    found = re.search(r"http://\S+/a/\S+", answer)
    assert found is not None, answer
    return found[0], token


def signed_in(page: Page, noting: Noting, address: str) -> None:
    page.context.clear_cookies()
    page.goto(address)
    page.get_by_label("Your user token").fill(noting.service.user("sam"))
    page.keyboard.press("Enter")
    page.get_by_text("you are sam").wait_for()
    assert page.url == address


def picture(page: Page, name: str) -> None:
    """Renew a picture of the docs, where that is wanted."""
    if os.environ.get("REMIT_PICTURES"):
        PICTURES.mkdir(exist_ok=True)
        page.screenshot(path=PICTURES / name, full_page=True)


def test_a_link_on_another_site_leads_to_what_is_asked_without_signing_in_again(
    noting: Noting, chromium: BrowserContext
) -> None:
    address, _ = waiting(noting, "by a link")
    page = chromium.new_page()
    signed_in(page, noting, address)
    sent: list[str | None] = []
    page.on("request", lambda one: sent.append(one.all_headers().get("cookie")) if one.url == address else None)
    page.route("http://chat.example/", lambda route: route.fulfill(body=f'<a href="{address}">look</a>',
                                                                   content_type="text/html"))  # fmt: skip
    page.goto("http://chat.example/")
    page.get_by_text("look").click()
    page.get_by_text("you are sam").wait_for()
    assert page.url == f"{address}?here"
    assert sent == [None], "the other site had no sign-in sent"
    page.close()


def test_it_is_decided_with_the_keyboard_alone(noting: Noting, chromium: BrowserContext) -> None:
    address, token = waiting(noting)
    page = chromium.new_page()
    page.set_viewport_size(DESK)
    signed_in(page, noting, address)
    picture(page, "approval-desktop.png")
    assert page.locator("bdi.untrusted").first.text_content() == MALLORY
    # No key by itself approves what leaves the organisation: it leads to where that begins.
    for key in ("a", "Enter", "a", "Enter"):
        page.keyboard.press(key)
    assert page.url == address
    assert noting.service.approvals()[0]["state"] == "pending"
    assert page.evaluate("document.activeElement.name") == "sure"
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("approved", exact=True).wait_for()
    assert told(noting.service, token, "notes", "send", {"to": MALLORY, "text": "Here is what you asked for."}) == (
        False, "sent",
    )  # fmt: skip
    assert noting.sent.count([MALLORY, "Here is what you asked for."]) == 1
    page.reload()
    page.get_by_text("It is succeeded").wait_for()
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.removesuffix("?here") != address)
    page.close()


def test_it_is_denied_on_a_phone(noting: Noting, chromium: BrowserContext) -> None:
    address, token = waiting(noting, "Something else.")
    page = chromium.new_page()
    page.set_viewport_size(PHONE)
    signed_in(page, noting, address)
    picture(page, "approval-phone.png")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing to scroll sideways"
    values = page.get_by_role("heading", name="Every value").bounding_box()
    assert values is not None
    assert values["y"] < PHONE["height"], "what is decided stands on the first screen"
    policy = page.get_by_text("The policy's own text")
    policy.press("Enter")
    page.get_by_text('@gate("safety")').wait_for()
    policy.press("Enter")
    deny = page.get_by_role("button", name="Deny")
    box = deny.bounding_box()
    assert box is not None
    assert box["height"] >= 44, "for a thumb"
    page.get_by_label("Why not").select_option("suspicious")
    page.get_by_label("And for people").fill("nobody asked for that")
    deny.click()
    page.get_by_text("It is denied").wait_for()
    failed, _ = told(noting.service, token, "notes", "send", {"to": MALLORY, "text": "Something else."})
    assert failed, "it waits anew: the agent asked again"
    assert [MALLORY, "Something else."] not in noting.sent
    page.close()


def test_it_counts_down_and_does_without_its_script(noting: Noting, chromium: BrowserContext) -> None:
    address, _ = waiting(noting, "Slowly.")
    page = chromium.new_page()
    signed_in(page, noting, address)
    left = page.locator("[data-left]")
    assert re.match(r"(\d+ min )?\d+ s left, until 20", left.text_content() or "")
    for seconds, shown in (
        (28_600, "7 h 56 min left, until"),
        (200_000, "2 d 7 h left, until"),
        (0, "its time is over"),
    ):
        page.evaluate("text => { document.querySelector('[data-left]').dataset.left = text; }", str(seconds))
        page.add_script_tag(content=SCRIPT)
        assert (left.text_content() or "").startswith(shown)
    waits = page.context.new_page()
    waits.goto(f"{noting.service.url}/a/")
    listed = waits.locator("[data-left]").first
    shown = listed.text_content() or ""
    assert re.fullmatch(r"(\d+ min )?\d+ s left", shown)
    waits.wait_for_function("shown => document.querySelector('[data-left]').textContent !== shown", arg=shown)
    waits.close()
    page.evaluate("() => { for (const one of document.scripts) one.remove(); }")
    page.get_by_role("button", name="Deny").click()
    page.get_by_text("It is denied").wait_for()
    page.close()
