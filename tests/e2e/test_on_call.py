"""What a person on call is told: by what something was denied and until when, what was found, where to look next."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from remit.facts.canonical import Json
from remit.pep.answer import Refused, Released
from tests.e2e.api_world import World, declared, world
from tests.e2e.test_api_cli import remit

pytestmark = pytest.mark.asyncio(loop_scope="module")
LIMITS = [
    declared("Budget", "few", measure="calls", per="agent", of="sub", tools=["hand/echo"], hard=1, window_s=86_400),
    declared("Breaker", "loops", on="identical", over="agent", of="other", limit=2, within_s=60, open_s=300),
    declared("Breaker", "brief", on="identical", over="agent", of="guest", limit=2, within_s=60, open_s=0.1),
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("on-call")) as made:
        (made.workspace / "limits.yaml").write_text("---\n".join(LIMITS))
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
