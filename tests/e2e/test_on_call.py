"""What a person on call is told: by what something was denied and until when, what was found, where to look next."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from remit.facts.canonical import Json
from remit.pep.answer import Refused, Released
from remit.protect.incidents import DENIALS_MIN
from tests.e2e.api_world import World, declared, world
from tests.e2e.test_api_cli import remit

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMITS = [
    declared("Budget", "few", measure="calls", per="agent", of="sub", tools=["hand/echo"], hard=1, window_s=86_400),
    declared("Breaker", "loops", on="identical", over="agent", of="other", limit=2, within_s=60, open_s=300),
    declared("Breaker", "brief", on="identical", over="agent", of="guest", limit=2, within_s=60, open_s=0.1),
]


SECRET = f"AKIA{'Q7RZ3WX5TY2PLM4N'}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("on-call")) as made:
        (made.workspace / "limits.yaml").write_text("---\n".join(LIMITS))
        servers = made.workspace / "servers.yaml"
        looks = '"detect": ["secret"], "detect_sent": ["secret"], "shared"'
        servers.write_text(servers.read_text().replace('"shared"', looks))
        await made.told("POST", "/apply", body={})
        yield made


async def refused(api: World, agent: str, tool: str, **arguments: Json) -> str:
    """The record by which `agent`, for req, is denied what it had done once."""
    token = await api.token("agent", agent, user="req")
    for _ in range(3):
        answer = await api.call(token, tool, arguments)
        if isinstance(answer, Refused) and answer.ref is not None:
            return answer.ref
        assert isinstance(answer, Released)
    raise AssertionError(f"{agent} is never denied {tool}")


async def recorded(api: World, event: str) -> list[str]:
    """The records of `event`."""
    entries: list[dict[str, Any]] = (await api.told("GET", "/ledger/entries?latest=1000"))["items"]
    return [one["id"] for one in entries if one["text"].startswith(f"remit: {event} ")]


async def incident(api: World, about: str) -> dict[str, Any]:
    await api.service.incidents.turn()
    [one] = [one for one in (await api.told("GET", "/incidents"))["items"] if one["about"] == about]
    return await api.told("GET", f"/incidents/{one['id']}")


async def test_who_decides_on_a_route_reads_why_of_what_an_incident_names_but_no_arguments(api: World) -> None:
    minted = await api.mint("agent", "bot", user="req")
    cat, dan, req = [await api.token("user", name) for name in ("cat", "dan", "req")]
    for _ in range(DENIALS_MIN - 2):
        await api.call(minted["token"], "fails", {"text": "private"})
    answer = await api.call(minted["token"], "fails", {"text": "private"})
    assert isinstance(answer, Refused)
    few = await api.ask("GET", f"/why/{answer.ref}", cat)
    none = await api.ask("GET", "/why/r0-1.77", cat)
    assert few.json() == {**none.json(), "title": f"no such decision: {answer.ref}"}, "nobody learns that it is there"
    assert "what incidents name" in few.json()["why"]
    await api.call(minted["token"], "fails", {"text": "private"})
    shown = await incident(api, "agent:bot")
    why = await api.told("GET", f"/why/{answer.ref}", cat)
    assert (why["verdict"], why["reasons"][0]["policy"]) == ("deny", "never-fails")
    assert (why["action"]["arguments"], why["values"], "private" in str(why)) == (None, None, False)
    assert (await api.ask("GET", f"/why/{answer.ref}", dan)).status_code == 404, "he decides nowhere"
    session = await api.told("GET", f"/sessions/{shown['sids'][0]}", cat)
    assert (session["agent"], session["records"][-1]["kind"]) == ("bot", "proposal")
    assert (await api.ask("GET", f"/sessions/{minted['sid']}", dan)).status_code == 404
    assert (await api.ask("POST", f"/sessions/{minted['sid']}/end", cat, {})).status_code == 404
    code, out, _ = await remit(api, "sessions", "show", minted["sid"], token=req)
    assert (code, "proposal deny bot for req" in out) == (0, True)


async def test_what_is_the_admins_leads_a_user_to_what_he_may_run(api: World) -> None:
    dan = await api.token("user", "dan")
    for command, following in (
        (("logs",), "remit incidents ls, remit approvals ls"),
        (("logs", "-f"), "remit incidents ls, remit approvals ls"),
        (("budgets", "reset", "few", "--why", "x"), "remit budgets show"),
        (("breakers", "reset", "loops", "--why", "x"), "remit breakers show"),
    ):
        code, _, err = await remit(api, *command, token=dan)
        assert (code, "this needs a token of kind admin; yours is user" in err, following in err) == (4, True, True)
    code, _, err = await remit(api, "sessions", "ls", token=dan)
    assert (code, "nothing acts for dan" in err, "of others: remit incidents show ID" in err) == (0, True, True)
    code, _, err = await remit(api, "sessions", "ls", token=api.admin)
    assert (code, "of others" in err) == (0, False)


async def test_a_name_that_no_agent_has_is_no_silence(api: World) -> None:
    code, out, err = await remit(api, "logs", "--agent", "nobody", token=api.admin)
    assert (code, out) == (5, "")
    assert "no such agent in the running bundle: nobody" in err
    assert "next: remit get agent" in err
    code, _, err = await remit(api, "logs", "-f", "--server", "nowhere", token=api.admin)
    assert (code, "no such server in the running bundle: nowhere" in err) == (5, True)
    code, out, err = await remit(api, "logs", "--agent", "coach", token=api.admin)
    assert (code, out, "no such record" in err) == (0, "", True)


async def test_why_of_what_a_detector_found_tells_what_where_and_what_followed(api: World) -> None:
    token = await api.token("agent", "eve", user="req")
    assert isinstance(await api.call(token, "echo", {"text": SECRET}), Released)
    sent, said = await recorded(api, "detector.found")
    shown = await incident(api, "agent:eve")
    cat, dan = await api.token("user", "cat"), await api.token("user", "dan")
    code, out, err = await remit(api, "why", sent, token=cat)
    assert (code, f"remit incidents show {shown['id']}" in err) == (0, True)
    assert "secret (AWS" in out
    assert "in what agent eve sent to hand/echo" in out
    assert "in the arguments text: policies saw confidential, confidential:secret in context.sends" in out
    why = await api.told("GET", f"/why/{said}", cat)
    assert why["told"][0].startswith("in the result of the call: the session holds confidential, confidential:secret")
    assert why["told"][1] == "secret at $.content[0].text as JSON $.text"
    assert [one["kind"] for one in why["records"]] == ["intent", "outcome"]
    assert why["incident"]["id"] == shown["id"]
    assert SECRET not in str(why)
    assert (await api.ask("GET", f"/why/{said}", dan)).status_code == 404


async def test_why_of_trips_and_halts_tells_how_they_stand(api: World) -> None:
    denied = await refused(api, "other", "echo", text="once more")
    trip = (await recorded(api, "breaker.tripped"))[-1]
    why = await api.told("GET", f"/why/{trip}")
    assert why["text"].startswith("breaker loops tripped for agent other: the same call of hand/echo 2 times")
    assert why["told"][0].startswith("it is open now for ")
    assert [one["id"] for one in why["records"]][-1] == denied
    cat = await api.token("user", "cat")
    assert (await api.told("GET", f"/why/{why['records'][0]['id']}", cat))["verdict"] == "permit", "its evidence"
    await api.told("POST", "/breakers/loops/reset", body={"why": "a test"})
    assert (await api.told("GET", f"/why/{trip}"))["told"] == ["it is closed again"]
    await incident(api, "agent:other")
    evidence, dan = f"/why/{why['records'][0]['id']}", await api.token("user", "dan")
    assert (await api.told("GET", evidence, cat))["verdict"] == "permit", "still its evidence"
    assert (await api.ask("GET", evidence, dan)).status_code == 404
    halted = (await api.told("POST", "/halts", body={"kind": "agent", "name": "guest", "why": "odd"}))["record"]
    told = (await api.told("GET", f"/why/{halted}"))["told"]
    assert told == ["why: odd", "it stands; to let it act again: remit resume agent guest"]
    await api.told("POST", "/halts/resume", body={"kind": "agent", "name": "guest"})
    assert (await api.told("GET", f"/why/{halted}"))["told"] == ["why: odd", "it may act again"]


async def test_why_of_what_a_budget_denied_tells_limit_use_and_until_when(api: World) -> None:
    denied = await refused(api, "sub", "echo", text="x")
    code, out, _ = await remit(api, "why", denied, token=api.admin)
    assert code == 0
    assert "no longer at hand" not in out
    assert "the budget few of agent sub has 0 of 1 calls left until 20" in out
    assert '  declared: {"measure": "calls", "per": "agent", "hard": 1, "window_s": 86400, "of": "sub"' in out
    assert "  now: agent sub has 0 of 1 left until 20" in out
    assert "  next: remit budgets show few; the admin ends it" in out
    await api.told("POST", "/budgets/few/reset", body={"why": "a test"})
    [limit] = (await api.told("GET", f"/why/{denied}"))["limits"]
    assert limit["now"][0].startswith("agent sub has 1 of 1 left until 20")


async def test_why_of_what_a_breaker_denied_tells_evidence_and_until_when(api: World) -> None:
    denied = await refused(api, "other", "echo", text="again")
    why = await api.told("GET", f"/why/{denied}")
    assert why["policies"] == []
    assert "the same call of hand/echo 2 times within 60 s; it rests until 20" in why["reasons"][0]["text"]
    [limit] = why["limits"]
    assert (limit["id"], limit["declared"]["limit"], limit["declared"]["open_s"]) == ("breaker:loops", 2, 300)
    assert limit["now"][0].startswith("open for agent other until 20")
    assert limit["next"].startswith("remit breakers show loops")
    await api.told("POST", "/breakers/loops/reset", body={"why": "a test"})
    assert "closed" in (await api.told("GET", f"/why/{denied}"))["limits"][0]["now"][0]


async def test_a_breaker_that_has_rested_waits_for_a_trial_and_what_is_declared_no_more_says_so(api: World) -> None:
    denied = await refused(api, "guest", "echo", text="again")
    await asyncio.sleep(0.2)
    [limit] = (await api.told("GET", f"/why/{denied}"))["limits"]
    assert limit["now"][0].startswith("half-open for agent guest")
    await api.told("DELETE", "/resources/breaker/brief")
    [limit] = (await api.told("GET", f"/why/{denied}"))["limits"]
    assert (limit["now"], limit["declared"]["of"]) == (["it is declared no more"], "guest")


async def test_records_are_looked_for_by_what_was_done_and_for_the_admin_alone(api: World):
    ref = await refused(api, "sub", "echo", text="looked for")
    code, out, err = await remit(api, "logs", "--agent", "sub", "--verdict", "deny", "--since", "1h", token=api.admin)
    assert (code, ref in out, "not searched" in err) == (0, True, False), (out, err)
    code, out, err = await remit(api, "logs", "--verdict", "deny", "--until", "1h", token=api.admin)
    assert (code, out, "no such record" in err) == (0, "", True)
    code, _, err = await remit(api, "logs", "--verdict", "deny", token=await api.token("user", "ann"))
    assert (code, "remit incidents ls" in err) == (4, True), err
