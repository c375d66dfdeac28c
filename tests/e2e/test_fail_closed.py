"""Failures that only a running service shows: who left, what changed in mid-air, which credential, which method."""

from collections.abc import Iterator

import pytest

from proof.counting import Counting
from proof.service import Service
from tests.e2e.speaking import META, ask, envelope, post, told

STRANGER = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: stranger}
spec: {owner: platform, purpose: leaves again, groups: [clerks]}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: guest}
spec: {groups: []}
"""


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    made = Counting(tmp_path_factory.mktemp("closed"), hold_s=0.1)
    made.service.write({"stranger.yaml": STRANGER})
    with made as running:
        yield running


def test_an_agent_a_user_or_a_server_that_left_the_bundle_is_denied_by_name(counting: Counting) -> None:
    service = counting.service
    stranger, guest, clerk = service.agent("stranger"), service.agent("clerk", "guest"), service.agent("clerk")
    assert not told(service, stranger, "counter", "peek")[0]
    assert not told(service, guest, "counter", "peek")[0]
    (service.workspace / "stranger.yaml").unlink()
    service.apply()
    for token, code in ((stranger, "agent/unknown"), (guest, "user/unknown")):
        failed, text = told(service, token, "counter", "add", {"id": code})
        assert failed
        assert f"[{code}]" in text
    gone = post(service, clerk, "nowhere", envelope("add", {"id": "x"}), "add")
    assert (gone.status, gone.value["error"]["data"]["reason"]) == (404, "server/unknown")
    failed, text = told(service, clerk, "", "nowhere___add", {"id": "x"})
    assert failed
    assert "[server/unknown]" in text
    assert not {"agent/unknown", "user/unknown", "x"} & set(counting.effects)


def test_an_unapproved_call_says_it_is_pending_and_does_nothing(counting: Counting) -> None:
    service = counting.service
    failed, text = told(service, service.agent("clerk", "ana"), "counter", "add", {"id": "pending", "amount": 50})
    assert failed
    assert "[approval/pending]" in text
    assert "remit approvals show" in text
    assert "pending" not in counting.effects


def test_every_other_method_is_denied_by_name(counting: Counting) -> None:
    service = counting.service
    token = service.agent("clerk")
    for method in ("sampling/createMessage", "roots/list", "elicitation/create", "tools/delete"):
        body = envelope("add", {}, META).replace(b"tools/call", method.encode())
        said = ask(
            service, "POST", "/mcp/counter", token, body, accept="application/json, text/event-stream",
            mcp_protocol_version="2026-07-28", mcp_method=method, mcp_name="add",
        )  # fmt: skip
        assert said.status == 404
        assert said.value["error"]["code"] == -32601
        assert f"method/unknown: {method}" in said.value["error"]["message"]


def test_another_services_token_is_challenged(counting: Counting, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Same address in the token or not: it was signed with another key, for another resource."""
    root = tmp_path_factory.mktemp("other")
    other = Service(root)
    other.write({"all.yaml": STRANGER.replace("[clerks]", "[]")})
    other.start()
    try:
        token = other.agent("stranger")
    finally:
        other.stop()
    for path in ("/mcp", "/mcp/counter"):
        said = ask(counting.service, "POST", path, token, b"{}")
        assert said.status == 401
        challenge = said.headers["www-authenticate"]
        assert 'error="invalid_token"' in challenge
        assert f'resource_metadata="{counting.service.url}/.well-known/oauth-protected-resource{path}"' in challenge


@pytest.mark.parametrize(
    ("path", "host", "origin"), [("/mcp", 421, 403), ("/api/v1/status", 403, 403), ("/readyz", 403, 403)]
)
def test_strange_hosts_and_origins_are_refused_on_loopback(
    counting: Counting, path: str, host: int, origin: int
) -> None:
    service = counting.service
    verb, token = ("POST", service.agent("clerk")) if path == "/mcp" else ("GET", service.admin)
    assert ask(service, verb, path, token, b"{}" if verb == "POST" else None, host="evil.example").status == host
    body = b"{}" if verb == "POST" else None
    assert ask(service, verb, path, token, body, origin="http://evil.example").status == origin
    assert ask(service, verb, path, token, body, origin="null").status == origin
