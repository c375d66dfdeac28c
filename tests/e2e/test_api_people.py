"""The people side of escalation over the API: sessions, approvals, questions."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
import pytest_asyncio

from remit.api import approvals
from remit.api.void_approvals import gone_from, void_reason
from remit.facts.durations import HOUR_MS
from remit.facts.record import Ref
from remit.pep.answer import Awaiting, Refused, Released
from remit.ports.system import Clock
from tests.core.recording import action
from tests.e2e.api_world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("people")) as made:
        yield made


async def test_a_yes_lifts_the_gate_for_exactly_that_call_once(api: World):
    bot, ann = await api.token("agent", "bot", user="req"), await api.token("user", "ann")
    ident = await api.escalated(bot, text="one")
    shown = await api.told("GET", f"/approvals/{ident}", ann)
    assert (shown["state"], shown["may_approve"], shown["missing"]) == ("pending", True, ["sec"])
    assert shown["arguments"] == {"text": "one"}
    done = await api.told("POST", f"/approvals/{ident}/approve", ann, {"note": "fine"})
    assert (done["state"], done["missing"], done["votes"][0]["note"]) == ("approved", [], "fine")
    assert isinstance(await api.call(bot, "status", {"text": "two"}), Awaiting)
    assert isinstance(await api.call(bot, "status", {"text": "one"}), Released)
    assert (await api.told("GET", f"/approvals/{ident}"))["state"] == "succeeded"
    assert isinstance(await api.call(bot, "status", {"text": "one"}), Awaiting)


async def test_a_no_ends_it(api: World):
    bot, ben = await api.token("agent", "bot", user="req"), await api.token("user", "ben")
    ident = await api.escalated(bot, text="no")
    assert (await api.told("POST", f"/approvals/{ident}/deny", ben, {}))["refused_by"] == "ben"
    late = await api.ask("POST", f"/approvals/{ident}/approve", await api.token("user", "ann"), {})
    assert (late.status_code, "denied" in late.json()["why"]) == (409, True)


async def test_what_nobody_could_use_is_shown_so_and_takes_no_yes(api: World):
    ann = await api.token("user", "ann")
    ended = await api.mint("agent", "bot", user="req")
    gone = await api.mint("agent", "bot", user="req")
    above = await api.mint("agent", "bot", user="req")
    below = (await api.delegate(above["token"], "sub")).json()["access_token"]
    asked = [await api.escalated(token, text="void") for token in (ended["token"], gone["token"], below)]
    sid = (await api.told("GET", f"/approvals/{asked[0]}"))["sid"]
    await api.told("POST", f"/sessions/{sid}/end", api.admin, {})
    for minted in (gone, above):
        await api.told("POST", "/tokens/revoke", api.admin, {"token": minted["jti"]})
    listed = {item["id"]: item for item in (await api.told("GET", "/approvals?open=true", ann))["items"]}
    revoked = "the token that asked was revoked, or one that it came from"
    for ident, why in zip(asked, ("its session has ended", revoked, revoked), strict=True):
        assert (listed[ident]["state"], listed[ident]["void"], listed[ident]["may_approve"]) == ("pending", why, False)
        assert (await api.told("GET", f"/why/{ident}"))["approval"]["void"] == why
        said = await api.ask("POST", f"/approvals/{ident}/approve", ann, {})
        assert (said.status_code, why in said.json()["why"]) == (409, True)
        assert said.json()["next"] == f"remit approvals deny {ident}"
        done = await api.told("POST", f"/approvals/{ident}/deny", ann, {})
        assert (done["state"], done["void"]) == ("denied", None)


async def test_of_what_a_session_asked_that_is_too_old_by_now_nothing_comes(api: World):
    ident = await api.escalated(await api.token("agent", "bot", user="req"), text="old")
    services, approval = api.services, await api.services.ledger.approval(ident)
    assert approval is not None
    proposal = await services.ledger.entry(Ref.parse(ident))
    assert await void_reason(services, approval, proposal) is None
    later = SimpleNamespace(now_ms=lambda: services.clock.now_ms() + 25 * HOUR_MS)
    void = await void_reason(replace(services, clock=cast("Clock", later)), approval, proposal)
    assert str(void) == "its session is older than 24 hours"


async def test_what_is_gone_from_the_bundle_cannot_be_done(api: World):
    catalog = api.services.runtime.catalog
    status = catalog.tools["hand", "status"]
    call = replace(action(name="status"), server="hand", pin=status.pin)
    handed = replace(call, kind="delegate", server="", name="guest", pin="")
    read = replace(call, kind="read_resource", name="file:///notes.json", pin="")
    assert [gone_from(catalog, one) for one in (call, handed, read)] == [None, None, None]
    without = replace(catalog, servers={}, tools={}, agents={})
    assert [gone_from(without, one) for one in (call, handed, read)] == [
        "its tool is gone from the running bundle",
        "the agent that it hands on to is gone from the running bundle",
        "its server is gone from the running bundle",
    ]
    assert gone_from(catalog, replace(call, pin="sha256:before")) == "its tool was accepted anew since"


async def test_neither_requester_nor_stranger_nor_admin_approves(api: World):
    bot = await api.token("agent", "bot", user="req")
    ident = await api.escalated(bot, text="own")
    req = await api.ask("POST", f"/approvals/{ident}/approve", await api.token("user", "req"), {})
    assert (req.status_code, "requester" in req.json()["why"]) == (403, True)
    dan = await api.ask("POST", f"/approvals/{ident}/approve", await api.token("user", "dan"), {})
    assert (dan.status_code, "sec" in dan.json()["next"]) == (403, True)
    for choice in ("approve", "deny"):
        admin = await api.ask("POST", f"/approvals/{ident}/{choice}", api.admin, {})
        assert (admin.status_code, "user" in admin.json()["why"]) == (403, True)
    assert (await api.told("GET", f"/approvals/{ident}"))["state"] == "pending"


async def test_two_gates_need_two_people_and_the_same_person_counts_once(api: World):
    bot, ben = await api.token("agent", "bot", user="req"), await api.token("user", "ben")
    ident = await api.escalated(bot, "html", text="both")
    assert (await api.told("POST", f"/approvals/{ident}/approve", ben, {}))["state"] == "pending"
    again = await api.told("POST", f"/approvals/{ident}/approve", ben, {})
    assert (again["state"], len(again["votes"]), len(again["missing"])) == ("pending", 1, 1)
    done = await api.told("POST", f"/approvals/{ident}/approve", await api.token("user", "cat"), {})
    assert done["state"] == "approved"
    assert {seat["route"]: seat["by"] for seat in done["seats"]} == {"sec": ["ben"], "fin": ["cat"]}
    assert isinstance(await api.call(bot, "html", {"text": "both"}), Released)


async def test_arguments_are_for_deciders_and_the_rest_see_none(api: World):
    ident = await api.escalated(await api.token("agent", "bot", user="dan"), text="private")
    dan, cat, ann = [await api.token("user", name) for name in ("dan", "cat", "ann")]
    assert (await api.told("GET", f"/approvals/{ident}", dan))["arguments"] is None
    assert (await api.ask("GET", f"/approvals/{ident}", cat)).status_code == 404
    assert (await api.told("GET", f"/approvals/{ident}", ann))["arguments"] == {"text": "private"}
    why = await api.told("GET", f"/why/{ident}", dan)
    assert (why["action"]["arguments"], "private" in str(why)) == (None, False)
    assert (await api.told("GET", f"/why/{ident}", ann))["action"]["arguments"] == {"text": "private"}
    assert (await api.ask("GET", f"/why/{ident}", cat)).status_code == 404
    listed = await api.told("GET", "/approvals?open=1", cat)
    assert ident not in [item["id"] for item in listed["items"]]
    assert ident in [item["id"] for item in (await api.told("GET", "/approvals?open=1", ann))["items"]]
    assert "private" not in str(await api.told("GET", "/ledger/entries?limit=1000"))


async def test_an_unknown_approval_is_not_found(api: World):
    ann = await api.token("user", "ann")
    for path in ("/approvals/r0-1.1", "/why/r0-1.1"):
        assert (await api.ask("GET", path, ann)).status_code == 404
    for choice in ("approve", "deny"):
        assert (await api.ask("POST", f"/approvals/r0-1.1/{choice}", ann, {})).status_code == 404


async def test_a_harness_opens_sessions_of_its_own_agent_and_states_words(api: World):
    coach = await api.token("harness", "coach")
    opened = await api.told("POST", "/sessions", coach, {"user": "req", "ttl_s": 60})
    found = api.authority(opened["token"])
    assert (found.agents, found.user) == (("coach",), "req")
    assert found.acting.sid == opened["sid"]
    words = await api.told("POST", f"/sessions/{opened['sid']}/words", coach, {"text": "please, do"})
    entry = await api.services.ledger.entries(after=None, limit=1000, sid=opened["sid"])
    assert words["record"] in [f"{one.record.chain}.{one.record.seq}" for one in entry]
    assert isinstance(await api.call(opened["token"], "echo", {"text": "x"}), Released)
    assert (await api.told("GET", f"/sessions/{opened['sid']}"))["calls"] == 1


async def test_a_harness_has_no_say_in_other_agents_sessions(api: World):
    coach = await api.token("harness", "coach")
    minted = await api.mint("agent", "bot", user="req")
    await api.call(minted["token"], "echo", {"text": "x"})
    assert (await api.ask("POST", f"/sessions/{minted['sid']}/words", coach, {"text": "x"})).status_code == 403
    assert (await api.ask("POST", f"/sessions/{'0' * 32}/words", coach, {"text": "x"})).status_code == 404
    assert (await api.ask("POST", "/sessions", coach, {"user": "nobody"})).status_code == 404
    assert (await api.ask("POST", "/sessions", coach, {"agent": "bot"})).status_code == 400
    opened = await api.told("POST", "/sessions", coach, {})
    await api.told("POST", f"/sessions/{opened['sid']}/end", body={})
    assert (await api.ask("POST", f"/sessions/{opened['sid']}/words", coach, {"text": "x"})).status_code == 409


async def test_words_are_for_sessions_that_the_harness_opened_itself(api: World):
    coach, other = await api.token("harness", "coach"), await api.mint("agent", "coach", user="req")
    await api.call(other["token"], "echo", {"text": "x"})
    refused = await api.ask("POST", f"/sessions/{other['sid']}/words", coach, {"text": "pay evil"})
    assert (refused.status_code, "not opened by the harness" in refused.json()["why"]) == (409, True)
    # Nor for what is delegated to the harness's agent.
    below = (await api.delegate(await api.token("agent", "bot", user="req"), "coach")).json()["access_token"]
    await api.call(below, "echo", {"text": "x"})
    sid = api.authority(below).acting.sid
    assert (await api.ask("POST", f"/sessions/{sid}/words", coach, {"text": "pay evil"})).status_code == 409


async def test_others_questions_push_out_none_of_ones_own(api: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(approvals, "LIMIT_MAX", 1)
    ident = await api.escalated(await api.token("agent", "bot", user="dan"), "status", text="mine")
    await api.escalated(await api.token("agent", "bot", user="req"), "status", text="theirs")
    listed = await api.told("GET", "/approvals?limit=1", await api.token("user", "dan"))
    assert [item["id"] for item in listed["items"]] == [ident]


async def test_trust_that_is_withdrawn_counts_at_once(api: World):
    coach = await api.token("harness", "coach")
    agents = api.workspace / "agents.yaml"
    whole = agents.read_text()
    try:
        agents.write_text(whole.replace('"trusted"', '"untrusted"'))
        await api.told("POST", "/apply", body={})
        answer = await api.ask("POST", "/sessions", coach, {})
        assert (answer.status_code, "not trusted" in answer.json()["why"]) == (403, True)
    finally:
        agents.write_text(whole)
        await api.told("POST", "/apply", body={})


async def test_an_ended_session_is_denied_with_all_below_it(api: World):
    minted = await api.mint("agent", "bot", user="req")
    child = (await api.delegate(minted["token"], "sub")).json()["access_token"]
    assert isinstance(await api.call(child, "echo", {"text": "x"}), Released)
    ended = await api.told("POST", f"/sessions/{minted['sid']}/end", body={})
    assert ended["ended"]
    assert (await api.told("POST", f"/sessions/{minted['sid']}/end", body={}))["ended"] == ended["ended"]
    for token in (minted["token"], child):
        answer = await api.call(token, "echo", {"text": "x"})
        assert isinstance(answer, Refused)
        assert answer.reasons[0].code == "session/ended"
    refused = await api.delegate(minted["token"], "sub")
    assert refused.status_code == 403


async def test_a_user_sees_and_ends_his_own_sessions_only(api: World):
    minted = await api.mint("agent", "bot", user="req")
    await api.call(minted["token"], "echo", {"text": "x"})
    req, ann = await api.token("user", "req"), await api.token("user", "ann")
    assert minted["sid"] in [item["sid"] for item in (await api.told("GET", "/sessions", req))["items"]]
    assert minted["sid"] not in [item["sid"] for item in (await api.told("GET", "/sessions", ann))["items"]]
    assert (await api.ask("GET", f"/sessions/{minted['sid']}", ann)).status_code == 404
    assert (await api.ask("POST", f"/sessions/{minted['sid']}/end", ann, {})).status_code == 404
    assert (await api.told("POST", f"/sessions/{minted['sid']}/end", req, {}))["ended"]


async def test_can_answers_as_decide_would_and_leaves_no_trace(api: World):
    before = (await api.told("GET", "/status"))["ledger"]["records"]
    asked = {"agent": "bot", "user": "req", "server": "hand", "arguments": {"text": "x"}}
    for tool, verdict in (("echo", "permit"), ("fails", "deny"), ("status", "escalate"), ("nothing", "deny")):
        told = await api.told("POST", "/can", body={**asked, "tool": tool})
        assert told["verdict"] == verdict
        assert told["reasons"]
    assert (await api.told("POST", "/can", body={**asked, "tool": "html"}))["gates"][0]["reason"]
    chained = await api.told("POST", "/can", body={**asked, "tool": "echo", "chain": ["sub"]})
    assert chained["verdict"] == "permit"
    twice = await api.ask("POST", "/can", api.admin, {**asked, "tool": "echo", "chain": ["bot"]})
    assert twice.status_code == 400
    assert (await api.told("GET", "/status"))["ledger"]["records"] == before


async def test_can_in_a_session_sees_its_state_and_counts_nothing(api: World):
    minted = await api.mint("agent", "bot", user="req")
    await api.call(minted["token"], "echo", {"text": "x"})
    asked = {"agent": "bot", "user": "req", "server": "hand", "tool": "echo", "sid": minted["sid"]}
    assert (await api.told("POST", "/can", body=asked))["verdict"] == "permit"
    assert (await api.told("GET", f"/sessions/{minted['sid']}"))["calls"] == 1
    await api.told("POST", f"/sessions/{minted['sid']}/end", body={})
    told = await api.told("POST", "/can", body=asked)
    assert (told["verdict"], told["reasons"][0]["code"]) == ("deny", "session/ended")
    assert (await api.ask("POST", "/can", api.admin, {**asked, "agent": "sub"})).status_code == 409
    assert (await api.ask("POST", "/can", api.admin, {**asked, "user": "ann"})).status_code == 404


async def test_a_user_asks_on_his_own_behalf(api: World):
    asked = {"agent": "bot", "server": "hand", "tool": "echo"}
    ann = await api.token("user", "ann")
    assert (await api.told("POST", "/can", ann, asked))["verdict"] == "permit"
    assert (await api.ask("POST", "/can", ann, {**asked, "user": "ben"})).status_code == 403


async def test_why_tells_no_argument_to_whom_an_action_was_for(api: World):
    """Of a call that no policy looked at, the ledger keeps a beginning, which is of its arguments too."""
    minted = await api.mint("agent", "bot", user="req")
    refused = await api.call(minted["token"], "no-such-tool", {"text": f"the word is heron {'x' * 5_000}"})
    assert isinstance(refused, Refused)
    by_admin = await api.ask("GET", f"/why/{refused.ref}", api.admin)
    assert "heron" in by_admin.text
    by_user = await api.ask("GET", f"/why/{refused.ref}", await api.token("user", "req"))
    assert (by_user.status_code, by_user.json()["action"]["arguments"]) == (200, None)
    assert "heron" not in by_user.text
    assert "cut" not in by_user.json()["facts"]


async def test_why_tells_action_facts_policies_receipts_and_outcome(api: World):
    minted = await api.mint("agent", "bot", user="req")
    await api.call(minted["token"], "echo", {"text": "x"})
    items = (await api.told("GET", f"/ledger/entries?sid={minted['sid']}"))["items"]
    [intent] = [item["id"] for item in items if item["kind"] == "intent"]
    [outcome] = [item["id"] for item in items if item["kind"] == "outcome"]
    why = await api.told("GET", f"/why/{intent}", await api.token("user", "req"))
    assert (why["verdict"], why["action"]["tool"], why["in_doubt"]) == ("permit", "hand/echo", False)
    assert (why["outcome"]["id"], why["outcome"]["status"]) == (outcome, "ok")
    assert why["facts"]["delegation"]["chain"] == ["bot"]
    assert why["policies"][0]["where"].startswith("policies.cedar:")
    assert "permit" in "\n".join(why["policies"][0]["lines"])
    assert (await api.told("GET", f"/why/{outcome}"))["id"] == intent
    first = (await api.told("GET", "/ledger/entries?limit=1"))["items"][0]["id"]
    assert (await api.told("GET", f"/why/{first}"))["event"] == "epoch"
    assert (await api.ask("GET", f"/why/{first}", await api.token("user", "req"))).status_code == 404
