"""More than 200 hostile texts in everything a stranger can write, on the real page in a real browser."""

import http.server
import json
import re
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest
from playwright.sync_api import BrowserContext, Page
from pydantic import JsonValue

from remit.api.answers_decided import ApprovalAnswer, SeatAnswer
from remit.api.answers_grants import ConstraintAnswer, CoveredAnswer, GrantAnswer
from remit.api.page.choices import Viewer
from remit.api.page.look import POLICY
from remit.api.page.render import PAGE_BYTES_MAX, fit_page, granting, waiting
from remit.escalate.brief import BlockingPolicy, BriefInput, Safer
from remit.escalate.foreseen import Foreseen
from remit.escalate.machine import Approval, Vote
from remit.facts.action import ActionKind
from remit.facts.lineage import Lineage, LineageStep
from remit.facts.origin import Origin, Role
from remit.facts.text import escaped
from remit.policy.verdict import Gate
from tests.e2e.browsing import browser
from tests.e2e.hostile_strings import HUGE, STRINGS

HERE: Final = "HERE-STANDS-A-TEXT"
EVENTS: Final = """
window.fired = [];
for (const name of ["alert", "confirm", "prompt", "open"]) window[name] = () => window.fired.push(name);
document.addEventListener("securitypolicyviolation", (event) => window.fired.push(event.violatedDirective));
"""
STOPPED: Final = "() => { for (const one of document.querySelectorAll('[data-left]')) one.textContent = ''; }"
DOM: Final = """() => {
  const said = (node) => node.nodeType === 3 ? node.data : [
    node.tagName, [...node.attributes].map((one) => [one.name, one.value]), joined([...node.childNodes]).map(said)];
  const joined = (nodes) => nodes.filter((node) => node.nodeType !== 3 || node.data);
  document.documentElement.normalize();
  return JSON.stringify(said(document.documentElement));
}"""


SAM: Final = Viewer("sam", "csrf", grants=True, delegates=True, stops=True, breaks=True)


def granted(text: str) -> bytes:
    """The page of a grant in which everything that an agent or a server can write is `text`."""
    told = GrantAnswer(
        terms="sha256:0",
        id="", approval="r1-1.9", scope="session", agents=["bot"], user="ana", sid="s", tool=f"mail/{text}",
        gates=["ask"], given="2026-11-28T12:00:00Z", by=[], expires="2026-11-28T13:00:00Z", uses=0, uses_max=5,
        revoked_by=None, ended=None, values=[f"to={text}"], results=[], carried=[f"at {text}"], measures={},
        where=[ConstraintAnswer(name=text, bound="=", value=text)],
        last_week=CoveredAnswer(of=3, count=1, approvals=["r1-1.8"]),
    )  # fmt: skip
    return granting(told, SAM, "n1", [("scope", "session"), ("where", f"to={text}")])


def shown(text: str, *, parted: bool = True, arguments: dict[str, JsonValue] | None = None) -> bytes:
    """The page of an approval in which everything that an agent or a server can write is `text`."""
    gate = Gate("ask", "owner", "h")
    yes = Vote("kim", 1, ("owner",), text)
    asked = Approval("r1-1.9", "sha256:0", "s", "bot", "ana", "mail", text, (gate,), 0, 60_000, votes=(yes,))
    steps = (LineageStep("r1-1.4", text, text),)
    case = BriefInput(
        asked,
        ActionKind.READ_RESOURCE,
        [("bot", "s1")],
        [
            Lineage("$.to", text, Origin.UNTRUSTED, Role.TARGET, steps=steps),
            Lineage(
                f"$['{text}']", f"before {text} after", Origin.UNSEEN, Role.CONTENT, part=text.lower() if parted else ""
            ),
            Lineage("$.text", text),
        ],
        [BlockingPolicy("ask", "owner", text, "gate.cedar:1", (text, f"  {text}"))],
        7,
        about=frozenset({"$.to"}),
        safer=[Safer(text, text, text)],
        reason=text,
        foreseen=Foreseen(f"mail/{text}", f"- {text}", why=f"because {text}"),
    )
    return fit_page(answer(text, arguments), case, 0, SAM)[1]


def answer(text: str, arguments: dict[str, JsonValue] | None = None) -> ApprovalAnswer:
    """What the service tells of it."""
    return ApprovalAnswer(
        id="r1-1.9", state="pending", action="sha256:0", sid="s", agent="bot", user="ana", tool=f"mail/{text}",
        gates=[], seats=[SeatAnswer(route="owner", count=1, by=[], eligible=["sam"])], votes=[], refused_by=None,
        claimed_by=None, opened="2026-11-28T12:00:00Z", expires="2026-11-28T13:00:00.000Z", missing=["owner"],
        may_approve=True, void=None, arguments=arguments, nonce="", approved="sha256:0", edit=None, delegations=[],
        glass=None,
        reason=None, note=None, superseded_by=None, may_edit=arguments is not None, what=text,
    )  # fmt: skip


class Site:
    """Serves one page with the headers of the real one, and remembers what was asked for."""

    def __init__(self) -> None:
        self.page = b""
        self.asked: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(site.page)))
                self.send_header("Content-Security-Policy", POLICY)
                self.end_headers()
                self.wfile.write(site.page)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/a/r1-1.9"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserContext]:
    with browser() as found:
        found.add_init_script(EVENTS)
        yield found


def opened(page: Page, site: Site, made: bytes) -> str:
    """The document that `made` becomes, once nothing but it was asked for, run or navigated to."""
    site.page = made
    site.asked.clear()
    page.goto(site.url)
    assert page.url == site.url
    assert page.evaluate("window.fired") == []
    assert site.asked == ["/a/r1-1.9"]
    page.evaluate(STOPPED)
    return str(page.evaluate(DOM))


@pytest.mark.timeout(600)
def test_the_document_is_that_of_the_escaped_text(chromium: BrowserContext, site: Site) -> None:
    assert len(STRINGS) >= 200
    page = chromium.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog: {dialog.message}"))
    page.on("popup", lambda popup: pytest.fail(f"a window: {popup.url}"))
    plain = {parted: json.loads(opened(page, site, shown(HERE, parted=parted))) for parted in (True, False)}
    terms = json.loads(opened(page, site, granted(HERE)))
    for text in STRINGS:
        found = json.loads(opened(page, site, shown(text, parted=has_part(text))))
        assert found == filled(plain[has_part(text)], escaped(text)), repr(text)
        found = json.loads(opened(page, site, granted(text)))
        assert found == filled(terms, escaped(text)), repr(text)
    assert set(requests) == {site.url}
    page.close()


def filled(node: Any, text: str) -> Any:
    """A document with `text` wherever `HERE` stands in it."""
    if isinstance(node, str):
        return node.replace(HERE, text)
    return [filled(one, text) for one in node if not isinstance(one, str) or one.replace(HERE, text) or one == ""]


def has_part(text: str) -> bool:
    """Whether `text` is found within a value, once."""
    lower = text.lower()
    return len(lower) == len(text) and text.strip() == text and f"before {lower} after".count(lower) == 1


def test_100_kb_in_everything_still_fit_a_page(chromium: BrowserContext, site: Site) -> None:
    page = chromium.new_page()
    plain = structure(opened(page, site, shown("x" * 100_000)))
    for text in HUGE:
        made = shown(text)
        assert len(made) <= PAGE_BYTES_MAX
        assert structure(opened(page, site, made)) == plain, repr(text[:20])
        assert len(granted(text)) <= PAGE_BYTES_MAX
    page.close()


def test_a_full_list_of_them_fits_a_page_and_says_how_many_it_leaves_out() -> None:
    crowd = [answer("&" * 240) for _ in range(50)]
    made = waiting(crowd, SAM, 0, 7)
    assert len(made) <= PAGE_BYTES_MAX
    listed = made.count(b"<li>")
    assert 0 < listed < len(crowd)
    assert f"{len(crowd) - listed + 7} more, whose time ends later".encode() in made


def structure(document: str) -> set[str]:
    """The kinds of element in `document`."""
    return set(re.findall(r'\["([A-Z0-9]+)",\[', document))


def test_arguments_to_be_edited_are_those_that_were_given(chromium: BrowserContext, site: Site) -> None:
    """What a person edits is JSON that says the same, though nothing in it is unseen or out of its place."""
    page = chromium.new_page()
    for at in range(0, len(STRINGS), 16):
        given: dict[str, JsonValue] = {str(number): text for number, text in enumerate(STRINGS[at : at + 16])}
        opened(page, site, shown("plain", arguments=given))
        said = str(page.evaluate("document.querySelector('textarea').value"))
        assert json.loads(said) == given
        assert escaped(said, chars_max=10_000) == said
        # Nothing of it is lost on its way back either.
        assert page.evaluate("new FormData(document.querySelector('details form')).get('arguments')") == said
    page.close()
