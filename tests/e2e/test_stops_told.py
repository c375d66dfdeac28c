"""What is stopped is told where people look: by the doctor, by what describes it, with what lifts it."""

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from remit.api.stops import SHOWN_MAX, stop_checks
from remit.facts.stop import Stop, StopKind
from tests.e2e.api_world import World, world
from tests.e2e.test_api_cli import remit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("stops")) as made:
        yield made


async def halts(api: World) -> list[tuple[bool, str, str]]:
    checks: list[dict[str, Any]] = (await api.told("GET", "/doctor"))["checks"]
    return [(one["ok"], one["text"], one["next"]) for one in checks if one["name"] == "halt"]


async def stops(api: World, kind: str, name: str) -> list[tuple[str, str, str, str]]:
    status: dict[str, Any] = (await api.told("GET", f"/resources/{kind}/{name}"))["status"]
    return [(one["over"], one["holds"], one["why"], one["next"]) for one in status.get("stops", [])]


async def test_everything_is_quarantined_without_a_name_and_the_doctor_says_what_lifts_it(api: World):
    assert (await halts(api), await stops(api, "agent", "bot")) == ([], [])
    code, _, err = await remit(api, "quarantine", "everything", "bot", "--why", "q", token=api.admin)
    assert (code, "everything takes no name" in err) == (2, True)
    assert "remit quarantine everything --why TEXT" in err
    code, _, err = await remit(api, "halt", "agent", "--why", "q", token=api.admin)
    assert (code, "agent takes a name" in err, "remit get agents" in err) == (2, True, True)
    code, _, err = await remit(api, "quarantine", "everything", "--why", "q", token=api.admin)
    assert (code, "everything may read and no more" in err) == (0, True)
    assert "remit resume everything" in err
    await api.told("POST", "/halts", body={"kind": "agent", "name": "eve", "why": "odd"})
    assert [(ok, following) for ok, _, following in await halts(api)] == [
        (False, "remit resume everything"),
        (True, "remit resume agent eve"),
    ]
    code, out, _ = await remit(api, "doctor", token=api.admin)
    assert (code, "FAIL  halt: everything was stopped from acting by" in out) == (1, True)
    assert (await remit(api, "resume", "everything", token=api.admin))[0] == 0
    assert (await remit(api, "resume", "agent", "eve", token=api.admin))[0] == 0
    assert await halts(api) == []


@pytest.mark.parametrize(
    ("kind", "name", "over"),
    [
        ("agent", "bot", "agent bot"),
        ("user", "ann", "user ann"),
        ("user", "ann", "group sec"),
        ("group", "sec", "group sec"),
        ("server", "hand", "server hand"),
        ("tool", "hand/status", "server hand"),
        ("tool", "hand/status", "tool hand/status"),
        ("agent", "bot", "everything"),
    ],
)
async def test_what_describes_it_says_that_it_is_stopped(api: World, kind: str, name: str, over: str):
    stopped, _, named = over.partition(" ")
    body = {"kind": stopped, "name": named}
    await api.told("POST", "/halts", body={**body, "why": "odd", "holds": "acting"})
    assert await stops(api, kind, name) == [(over, "acting", "odd", f"remit resume {over}")]
    assert await stops(api, "agent", "sub") == (await stops(api, kind, name) if over == "everything" else [])
    assert await stops(api, "route", "sec") == []
    await api.told("POST", "/halts/resume", body=body)
    assert await stops(api, kind, name) == []


async def test_many_stops_are_told_by_their_number():
    many = [Stop(StopKind.AGENT, f"a{number}", "admin", 0, "odd") for number in range(SHOWN_MAX + 2)]
    found = stop_checks(many)
    assert (len(found), found[-1].text, found[-1].next) == (SHOWN_MAX + 1, "and 2 more are stopped", "remit halt")
