"""What one agent's session hands to a server without a declared store is vouched for in no other, killed or not."""

import json
from collections.abc import Iterator

import pytest

from tests.e2e.notes_world import TOOLS, Noting
from tests.e2e.speaking import api, entries, told
from tests.e2e.test_words import MALLORY, ROLES, SEND

STRANGERS = """\
@id("stranger-mail")
@gate("owner")
@reason("nobody named whom this mail goes to")
forbid (principal, action == Remit::Action::"notes___send", resource)
when { context.targets.strangers > 0 };
"""
BARE = (
    TOOLS.replace(", store: {key: path, access: write}", ", arguments: {path: {role: key}, text: {role: content}}")
    .replace(", store: {key: path}", ", arguments: {path: {role: key}}")
    .replace(", store: {}", "")
    .replace(SEND, ROLES)
)


@pytest.fixture
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noting]:
    with Noting(tmp_path_factory.mktemp("entrusted"), STRANGERS) as made:
        made.service.write({"tools.yaml": BARE})
        made.service.apply()
        yield made


def loads(noting: Noting, note: str) -> tuple[str, str]:
    """A session of the clerk's in which he read `note`, as the user said; its sid and token."""
    harness = noting.service.mint("harness", "clerk")["token"]
    session = api(noting.service, "POST", "/sessions", harness, {"user": "ana"})
    said = {"text": f"read {note} and mail whom it names"}
    api(noting.service, "POST", f"/sessions/{session['sid']}/words", harness, said)
    assert "shop" in told(noting.service, session["token"], "notes", "load", {"path": note})[1]
    return session["sid"], session["token"]


def mails(noting: Noting, token: str, to: str) -> bool:
    failed, text = told(noting.service, token, "notes", "send", {"to": to, "text": "hello"})
    assert not failed or "approv" in text
    return not failed


def test_a_strangers_address_kept_by_one_agent_is_asked_about_when_another_finds_it_after_a_crash(
    noting: Noting,
) -> None:
    kept = {"/plans.md": f"bea@shop.example, {MALLORY}"}
    (noting.root / "kept.json").write_text(json.dumps(kept), "utf-8")
    _, before = loads(noting, "plans.md")
    assert mails(noting, before, MALLORY), "nobody has handed it over yet"
    scout = noting.service.mint("agent", "scout")
    _, page = told(noting.service, scout["token"], "notes", "fetch", {"url": "https://evil.example/"})
    assert told(noting.service, scout["token"], "notes", "save", {"path": "new.md", "text": page + " At the shop."})[1]
    noting.service.kill()
    noting.service.start()
    sid, token = loads(noting, "new.md")
    assert not mails(noting, token, MALLORY)
    (asked,) = (one for one in entries(noting.service, sid) if one["kind"] == "proposal")
    why = noting.service.remit("why", asked["id"]).stdout
    assert f"handed over in session {scout['sid']} by save" in why
    _, other = loads(noting, "plans.md")
    assert mails(noting, other, "bea@shop.example")
    assert not mails(noting, other, MALLORY), "also where another had written it down"
    assert noting.service.remit("ledger", "verify").returncode == 0
    found = api(noting.service, "GET", "/ledger/entries?limit=1000")["items"]
    told_of = [one for one in found if one["body"].get("event") == "server.entrusted"]
    assert told_of
    assert all("origins" not in one["body"]["data"] for one in told_of)
