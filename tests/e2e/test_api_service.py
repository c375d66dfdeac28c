"""Resources, pins, the ledger and its events over the API; and its own description, tried against it."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit.api.services import ServerPin
from remit.app.bundles import comparison
from remit.app.bundles.comparison import server_pin
from tests.e2e.api_world import World, declared, world
from tests.e2e.gateway_world import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("service")) as made:
        yield made


async def test_resources_of_every_kind(api: World):
    for kind, name in (
        ("agents", "bot"), ("user", "ann"), ("groups", "sec"), ("servers", "hand"),
        ("tools", "hand/echo"), ("policies", "may-use"), ("routes", "sec"),
    ):  # fmt: skip
        items = (await api.told("GET", f"/resources/{kind}"))["items"]
        assert name in [item["name"] for item in items]
        one = await api.told("GET", f"/resources/{kind}/{name}")
        seen_at_work = one["status"].pop("conditions", None)
        assert seen_at_work is None or kind in {"agents", "servers", "tools"}
        assert one in items
        assert one["apiVersion"] == "remit.dev/v1alpha1"
        assert one["where"]
        assert (await api.ask("GET", f"/resources/{kind}/none", api.admin)).status_code == 404
    assert (await api.ask("GET", "/resources/monsters", api.admin)).status_code == 400


async def test_a_folder_that_does_not_validate_leaves_the_running_bundle(api: World):
    running = (await api.told("GET", "/status"))["bundle"]
    policies = api.workspace / "policies.cedar"
    whole = policies.read_text()
    try:
        policies.write_text(whole + '\n@id("odd")\npermit (principal, action, resource) when { context.nonsense };\n')
        for answer in (await api.ask("POST", "/apply", api.admin, {}), await api.ask("GET", "/diff", api.admin)):
            assert answer.status_code == 422
            assert any("policies.cedar:" in line and "nonsense" in line for line in answer.json()["problems"])
        assert (await api.told("GET", "/status"))["bundle"] == running
    finally:
        policies.write_text(whole)
    assert (await api.told("GET", "/diff"))["changes"] == []


async def test_diff_apply_and_delete(api: World):
    more = api.workspace / "more.yaml"
    more.write_text(declared("User", "new"))
    [change] = (await api.told("GET", "/diff"))["changes"]
    assert (change["op"], change["kind"], change["name"]) == ("add", "User", "new")
    assert not (await api.told("POST", "/apply", body={"dry_run": True}))["applied"]
    assert (await api.ask("GET", "/resources/users/new", api.admin)).status_code == 404
    assert (await api.told("POST", "/apply", body={}))["applied"]
    assert (await api.told("GET", "/resources/users/new"))["name"] == "new"
    gone = await api.told("DELETE", "/resources/users/new")
    assert (gone["applied"], gone["changes"][0]["op"]) == (True, "remove")
    assert (await api.ask("DELETE", "/resources/users/new", api.admin)).status_code == 404
    used = await api.ask("DELETE", "/resources/servers/hand", api.admin)
    assert used.status_code in {409, 422}
    assert "hand" in (api.workspace / "servers.yaml").read_text()


async def test_tools_are_compared_beside_the_loop(api: World, monkeypatch: pytest.MonkeyPatch):
    """A thousand large definitions take seconds, for which every call and halt would wait."""
    loop, compared = threading.get_ident(), list[int]()

    def compare(*given: Any, **named: Any) -> ServerPin:
        compared.append(threading.get_ident())
        return server_pin(*given, **named)

    monkeypatch.setattr(comparison, "server_pin", compare)
    for path in ("/tools", "/tools/review", "/diff", "/doctor"):
        await api.told("GET", path)
    assert len(compared) >= 4
    assert loop not in compared


async def test_a_drifted_tool_is_shown_and_accepted_by_its_pin_alone(api: World):
    notes = api.workspace.parent / "tools" / "notes.json"
    tool = {"name": "told", "description": "Tells the time.", "inputSchema": {"type": "object"}}
    await listed(api, notes, tool)
    [item] = (await api.told("GET", "/tools/review"))["items"]
    assert (item["tool"], item["state"], item["pin"]) == ("hand/told", "unreviewed", None)
    await accept(api)
    await listed(api, notes, {**tool, "description": "Tells the thyme."})
    [item] = (await api.told("GET", "/tools/review?which=hand"))["items"]
    assert (item["state"], "{+thyme+}" in item["difference"][0]) == ("drifted", True)
    assert item["live_pin"] != item["pin"]
    assert (await api.told("GET", "/tools/review?which=hand/echo"))["items"] == []
    assert item["live"] == {**tool, "description": "Tells the thyme."}
    assert item["suggested"]["because"]["effect"] == "nothing says otherwise"
    assert item["suggestion_changes"] is None, "it has no entry: all of one is proposed"
    assert (await api.told("GET", "/diff"))["tools"] == [{**item, "live": None, "suggested": None}]
    wrong = {"server": "hand", "tool": "told", "pin": item["pin"]}
    assert (await api.ask("POST", "/tools/accept", api.admin, wrong)).status_code == 409
    offer = await accept(api)
    assert (offer["pin"], offer["accepted"]) == (item["live_pin"], [])
    [told] = offer["items"]
    assert any("thyme" in line for line in told["difference"])
    assert (await api.told("GET", "/tools/review"))["items"] == []


async def listed(api: World, notes: Path, tool: dict[str, Any]) -> None:
    """Have the server list `tool` besides, once it has died and come again."""
    await asyncio.to_thread(notes.write_text, json.dumps({"tools": [tool]}))
    await api.call(await api.token("agent", "bot"), "die", {})

    async def seen() -> bool:
        items = (await api.told("GET", "/tools?refresh=true"))["items"]
        found = [item for item in items if item["tool"] == "hand/told"]
        return bool(found) and found[0]["state"] in {"unreviewed", "drifted"}

    await until(seen)


async def accept(api: World) -> Any:
    asked = {"server": "hand", "tool": "told"}
    offer = await api.told("POST", "/tools/accept", body=asked)
    done = await api.told("POST", "/tools/accept", body={**asked, "pin": offer["pin"]})
    assert done["accepted"] == ["hand/told"]
    return offer


async def test_accepting_what_is_not_there_says_so(api: World):
    for body, status in (
        ({"server": "none"}, 404),
        ({"server": "hand", "tool": "none"}, 404),
        ({"server": "hand", "pin": "sha256:short"}, 400),
    ):
        assert (await api.ask("POST", "/tools/accept", api.admin, body)).status_code == status


async def test_entries_in_pages_are_the_whole_ledger(api: World):
    seen: list[str] = []
    after = ""
    while True:
        page = await api.told("GET", f"/ledger/entries?limit=3{after}")
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    count = (await api.told("GET", "/status"))["ledger"]["records"]
    assert len(seen) == len(set(seen)) == count
    latest = (await api.told("GET", "/ledger/entries?latest=2"))["items"]
    assert [item["id"] for item in latest] == seen[-2:]
    earlier = (await api.told("GET", f"/ledger/entries?latest=2&before={seen[-2]}"))["items"]
    assert [item["id"] for item in earlier] == seen[-4:-2]
    for wrong in ("latest=2&after=r0-1.1", "before=r0-1.1", "before=r0-1.1&limit=2"):
        assert (await api.ask("GET", f"/ledger/entries?{wrong}", api.admin)).status_code == 400
    # Other tests of this service cut calls off, which have an outcome.
    in_doubt = (await api.told("GET", "/ledger/in-doubt"))["items"]
    assert [item for item in in_doubt if item["outcome"] == "none"] == []


async def read_events(
    api: World, count: int, path: str = "/events", opened: asyncio.Event | None = None, **headers: str
) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    told = {"authorization": f"Bearer {api.admin}", **headers}
    async with api.http.stream("GET", f"{api.url}/api/v1{path}", headers=told) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        if opened is not None:
            opened.set()
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line[6:]))
                if len(found) == count:
                    break
    return found


async def test_events_follow_the_ledger_and_resume_where_they_were(api: World):
    opened = asyncio.Event()
    reading = asyncio.create_task(read_events(api, 2, opened=opened))
    await opened.wait()
    minted = [await api.mint("agent", "bot"), await api.mint("agent", "sub")]
    found = await reading
    told = [f"token.issued {one['jti']}: agent {name}" for one, name in zip(minted, ("bot", "sub"), strict=True)]
    assert [item["text"].partition(": ")[2] for item in found] == told
    assert not [item for item in found if "body" in item]
    [again] = await read_events(api, 1, **{"last-event-id": found[0]["id"]})
    assert again == found[1]
    [also] = await read_events(api, 1, path=f"/events?after={found[0]['id']}")
    assert also == found[1]


async def test_what_comes_after_a_record_that_is_not_there_is_refused_and_not_waited_for(api: World):
    [last] = (await api.told("GET", "/ledger/entries?latest=1"))["items"]
    chain, _, seq = last["id"].partition(".")
    for gone in (f"{chain}.{int(seq) + 1_000}", f"r9-9.{seq}"):
        for asked in (f"events?after={gone}", f"ledger/entries?after={gone}", f"ledger/entries?latest=2&before={gone}"):
            answer = await api.ask("GET", f"/{asked}", api.admin)
            assert (answer.status_code, answer.json()["title"]) == (404, f"no such record: {gone}"), asked
        headers = {"authorization": f"Bearer {api.admin}", "last-event-id": gone}
        assert (await api.http.get(f"{api.url}/api/v1/events", headers=headers)).status_code == 404


async def test_events_of_one_session_only(api: World):
    minted = await api.mint("agent", "bot", user="req")
    opened = asyncio.Event()
    reading = asyncio.create_task(read_events(api, 2, f"/events?sid={minted['sid']}", opened))
    await opened.wait()
    await api.call(await api.token("agent", "sub"), "echo", {"text": "x"})
    await api.call(minted["token"], "echo", {"text": "x"})
    assert [item["kind"] for item in await reading] == ["intent", "outcome"]


async def test_doctor_and_status(api: World):
    told = await api.told("GET", "/doctor")
    assert told["ok"] == all(check["ok"] for check in told["checks"])
    assert {"version", "bundle", "ledger"} <= (await api.told("GET", "/status")).keys()
