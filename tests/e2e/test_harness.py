"""The user's words and sessions come from a trusted harness alone, and never from what an agent sends."""

import json
from collections.abc import Iterator

import pytest

from proof.counting import Counting
from tests.e2e.speaking import META, Said, api, ask, entries, envelope, post, told

COACH = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: coach}
spec: {owner: platform, purpose: counts what people say, groups: [clerks], harness: trusted}
"""
WORDS = "add five, and nothing else"


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    made = Counting(tmp_path_factory.mktemp("harness"))
    made.service.write({"coach.yaml": COACH})
    with made as running:
        yield running


def refused(counting: Counting, path: str, token: str, body: object) -> Said:
    return ask(counting.service, "POST", f"/api/v1{path}", token, json.dumps(body).encode())


def test_a_trusted_harness_opens_a_session_states_words_and_its_token_acts(counting: Counting) -> None:
    service = counting.service
    harness = service.mint("harness", "coach")["token"]
    opened = api(service, "POST", "/sessions", harness, {"user": "ana"})
    words = api(service, "POST", f"/sessions/{opened['sid']}/words", harness, {"text": WORDS})
    assert told(service, opened["token"], "counter", "add", {"id": "coached"}) == (False, "added 1")
    assert counting.effects.count("coached") == 1
    shown = service.told("sessions", "show", opened["sid"])
    assert (shown["agent"], shown["user"], shown["calls"]) == ("coach", "ana", 1)
    kinds = {entry["id"]: entry["kind"] for entry in entries(service, opened["sid"])}
    assert kinds[words["record"]] == "admin"
    assert list(kinds.values())[-2:] == ["intent", "outcome"]


def test_the_words_are_on_the_ledger_and_two_sessions_are_two(counting: Counting) -> None:
    service = counting.service
    harness = service.mint("harness", "coach")["token"]
    first, second = (api(service, "POST", "/sessions", harness, {"user": "ana"}) for _ in range(2))
    assert first["sid"] != second["sid"]
    record = api(service, "POST", f"/sessions/{first['sid']}/words", harness, {"text": WORDS})["record"]
    (said,) = [entry for entry in entries(service, first["sid"]) if entry["id"] == record]
    assert WORDS in json.dumps(said["body"])
    assert WORDS not in json.dumps(entries(service, second["sid"]))


def test_the_harness_of_an_untrusted_agent_gets_no_credential_and_no_session(counting: Counting) -> None:
    service = counting.service
    done = service.remit("token", "harness", "clerk")
    assert done.returncode in {1, 3, 4}, done.stdout
    assert "trusted" in done.stderr
    assert "next:" in done.stderr


def test_an_agents_own_token_states_no_words_and_opens_no_session(counting: Counting) -> None:
    service = counting.service
    harness = service.mint("harness", "coach")["token"]
    opened = api(service, "POST", "/sessions", harness, {"user": "ana"})
    agent = service.mint("agent", "coach", "ana")
    for token in (agent["token"], opened["token"], service.user("ana"), service.admin):
        assert refused(counting, "/sessions", token, {"user": "ana"}).status == 403
        for sid in (opened["sid"], agent["sid"]):
            assert refused(counting, f"/sessions/{sid}/words", token, {"text": WORDS}).status == 403
    # And a harness speaks for people, but does not act.
    assert post(service, harness, "counter", envelope("peek", {}), "peek").status == 401


def test_words_and_session_ids_in_what_an_agent_sends_change_nothing(counting: Counting) -> None:
    service = counting.service
    harness = service.mint("harness", "coach")["token"]
    other = api(service, "POST", "/sessions", harness, {"user": "ana"})
    before = len(entries(service, other["sid"]))
    agent = service.mint("agent", "clerk")
    claims = {"sid": other["sid"], "sessionId": other["sid"], "user": "ana", "words": WORDS, "onBehalfOf": "ana"}
    meta = {**META, **claims, "io.modelcontextprotocol/sessionId": other["sid"], "dev.remit/words": WORDS}
    heads = {"x_remit_sid": other["sid"], "x_remit_user": "ana", "x_remit_words": WORDS, "mcp_session_id": other["sid"]}
    said = post(service, agent["token"], "counter", envelope("add", {"id": "claimed"}, meta), "add", **heads)
    assert said.status == 200, said
    assert not said.value["result"].get("isError"), said
    intent, _ = entries(service, agent["sid"])
    assert intent["body"]["user"] is None
    assert intent["body"]["links"] == [["clerk", agent["sid"]]]
    assert WORDS not in json.dumps(intent)
    assert "onBehalfOf" not in intent["body"]["context"]
    assert len(entries(service, other["sid"])) == before
    # In the arguments they are arguments: of the tool, if it has such, and no more.
    told(service, agent["token"], "counter", "add", {"id": "claimed-again", **claims})
    assert all(entry["sid"] == agent["sid"] for entry in entries(service, agent["sid"]))
    assert {tuple(e["body"]["links"][0]) for e in entries(service, agent["sid"]) if e["kind"] == "intent"} == {
        ("clerk", agent["sid"])
    }
    assert len(entries(service, other["sid"])) == before


def test_withdrawn_trust_counts_at_once(counting: Counting) -> None:
    service = counting.service
    harness = service.mint("harness", "coach")["token"]
    opened = api(service, "POST", "/sessions", harness, {"user": "ana"})
    service.write({"coach.yaml": COACH.replace("harness: trusted", "harness: untrusted")})
    try:
        service.apply()
        assert refused(counting, "/sessions", harness, {"user": "ana"}).status == 403
        assert refused(counting, f"/sessions/{opened['sid']}/words", harness, {"text": WORDS}).status == 403
    finally:
        service.write({"coach.yaml": COACH})
        service.apply()
    assert refused(counting, "/sessions", harness, {"user": "ana"}).status == 201
