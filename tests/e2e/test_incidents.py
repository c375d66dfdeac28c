"""Incidents of a real service: what is denied or stopped is gathered, given to somebody, closed and exported."""

import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit.adapters.sqlite import tail as following
from remit.adapters.sqlite.incidents import SqliteIncidents
from remit.adapters.sqlite.tail import LedgerTail
from remit.adapters.system import SystemClock
from remit.app.settings import LEDGER
from remit.facts.record import Receipt, RecordKind, Ref
from remit.ports.ledger import LedgerUnwritable
from remit.protect.incidents import DENIALS_MIN, Finding, IncidentCause, IncidentState, Severity, open_incident
from remit.trace.bodies import AdminBody, Event
from remit.work import incidents as working
from remit.work.incidents import Handling
from tests.core.test_ocsf import check
from tests.e2e.api_world import World, world
from tests.e2e.test_api_cli import remit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("incidents")) as made:
        yield made


async def listed(api: World, state: str = "alive") -> list[dict[str, Any]]:
    await api.service.incidents.turn()
    return (await api.told("GET", f"/incidents?state={state}"))["items"]


async def about(api: World, what: str, state: str = "alive") -> dict[str, Any]:
    [one] = [one for one in await listed(api, state) if one["about"] == what]
    return one


async def denied(api: World, agent: str, times: int) -> None:
    token = await api.token("agent", agent, user="ann")
    for _ in range(times):
        assert "never-fails" in str(await api.call(token, "fails", {}))


async def events(api: World, event: str, subject: str) -> list[dict[str, Any]]:
    entries = (await api.told("GET", "/ledger/entries?latest=1000"))["items"]
    bodies = [one["body"] for one in entries if one["body"]]
    return [body for body in bodies if body.get("event") == event and body["subject"] == subject]


async def exported(api: World, token: str) -> set[str]:
    """The incidents that an export to the bearer of `token` tells of."""
    items = (await api.told("GET", "/incident-events", token))["items"]
    return {one["metadata"]["correlation_uid"] for one in items}


async def test_denials_again_and_again_are_one_incident_which_a_person_takes_and_closes(api: World) -> None:
    await denied(api, "bot", DENIALS_MIN - 1)
    assert all(one["about"] != "agent:bot" for one in await listed(api)), "a few are no incident"
    token = await api.token("agent", "bot", user="ann")
    for _ in range(DENIALS_MIN):
        await api.call(token, "fails", {})
    found = await about(api, "agent:bot")
    assert (found["causes"], found["state"], found["severity"]) == (["denials"], "open", "medium")
    assert len(await events(api, "incident.opened", found["id"])) == 1
    await api.told("POST", "/halts", body={"kind": "agent", "name": "bot", "why": "look"})
    worse = await about(api, "agent:bot")
    assert (worse["id"], worse["causes"], worse["severity"]) == (found["id"], ["denials", "halt"], "high")
    assert [one["data"].get("worse") for one in await events(api, "incident.seen", found["id"])][-1] is True
    assert found["title"] == "agent bot was denied again and again: hand/fails by never-fails"
    assert worse["title"] == f"{found['title']}; agent bot stopped by admin", "how it began is not lost"
    await api.told("POST", "/halts/resume", body={"kind": "agent", "name": "bot"})
    ann = await api.token("user", "ann")
    assert (await api.ask("POST", f"/incidents/{found['id']}/assign", ann, {"to": "zoe"})).status_code == 404
    given = await api.told("POST", f"/incidents/{found['id']}/assign", ann, {"to": "cat"})
    assert (given["state"], given["assignee"]) == ("assigned", "cat")
    cat = await api.token("user", "cat")
    ended = await api.told("POST", f"/incidents/{found['id']}/close", cat, {"resolution": "false-alarm", "note": "x"})
    assert (ended["state"], ended["resolution"], ended["note"]) == ("closed", "false-alarm", "x")
    lines = [(line["what"], line["by"]) for line in ended["timeline"]]
    assert ("agent bot was denied hand/fails by never-fails", None) in lines
    assert ("agent bot stopped by admin", None) in lines
    assert lines[-2:] == [("assigned to cat", "user:ann"), ("closed: false-alarm", "user:cat")]
    assert all(line["record"] or line["by"] for line in ended["timeline"])
    again = await api.ask("POST", f"/incidents/{found['id']}/close", cat, {"resolution": "resolved"})
    assert (again.status_code, again.json()["title"]) == (409, "it is closed")
    assert all(one["id"] != found["id"] for one in await listed(api))
    await api.service.incidents.turn()
    assert (await api.told("GET", f"/incidents/{found['id']}")) == ended, "its own records change nothing more"
    await denied(api, "bot", DENIALS_MIN)
    assert (await about(api, "agent:bot"))["id"] != found["id"], "what happens after the end is another one"


async def test_who_is_stopped_himself_closes_nothing(api: World) -> None:
    await api.told("POST", "/halts", body={"kind": "agent", "name": "eve", "why": "look"})
    found = await about(api, "agent:eve")
    ben = await api.token("user", "ben")
    await api.told("POST", "/halts", body={"kind": "user", "name": "ben", "why": "stolen"})
    for act, body in (("close", {"resolution": "resolved"}), ("assign", {"to": "ben"})):
        assert (await api.ask("POST", f"/incidents/{found['id']}/{act}", ben, body)).status_code == 403
    await api.told("POST", "/halts/resume", body={"kind": "user", "name": "ben"})
    assert (await api.ask("GET", "/incidents/r9-9.9", ben)).status_code == 404
    assert (await api.ask("POST", "/incidents/r9-9.9/close", ben, {"resolution": "expected"})).status_code == 404


async def test_those_handle_an_incident_who_decide_or_got_it_and_nobody_closes_his_own(api: World) -> None:
    minted = await api.mint("agent", "eve", user="req")
    for _ in range(DENIALS_MIN):
        await api.call(minted["token"], "fails", {})
    found = await about(api, "agent:eve")
    path, record, closing = f"/incidents/{found['id']}", found["id"], {"resolution": "expected", "note": "a test"}
    ann, ben, dan, req = [await api.token("user", name) for name in ("ann", "ben", "dan", "req")]
    assert record not in {one["id"] for one in (await api.told("GET", "/incidents?state=all", dan))["items"]}
    assert record not in await exported(api, dan), "he decides nowhere"
    assert record in await exported(api, req)
    for act, body in (("", None), ("/close", closing), ("/assign", {"to": "dan"})):
        unknown = await api.ask("POST" if act else "GET", f"{path}{act}", dan, body)
        assert (unknown.status_code, unknown.json()["title"]) == (404, f"no such incident: {record}")
    for token, why in ((ann, "agent eve is yours"), (req, f"session {minted['sid']} acted for you")):
        own = await api.ask("POST", f"{path}/close", token, closing)
        assert (own.status_code, own.json()["why"]) == (403, f"{why}, and nobody closes what is his own")
        assert f"remit incidents assign {record} --to USER" in own.json()["next"]
    await api.told("POST", f"{path}/assign", ben, {"to": "dan"})
    assert record in {one["id"] for one in (await api.told("GET", "/incidents", dan))["items"]}
    assert (await api.told("GET", f"/why/{record}", dan))["id"] == record
    assert (await api.told("GET", f"/sessions/{minted['sid']}", dan))["agent"] == "eve"
    assert (await api.told("POST", f"{path}/close", dan, closing))["state"] == "closed"
    [said] = await events(api, "incident.closed", record)
    assert (said["by"], said["data"]) == ("user:dan", closing)


async def test_whom_it_acted_for_reads_an_incident_and_does_nothing_about_it(api: World) -> None:
    token = await api.token("agent", "coach", user="dan")
    for _ in range(DENIALS_MIN):
        await api.call(token, "fails", {})
    found = await about(api, "agent:coach")
    dan = await api.token("user", "dan")
    assert found["id"] in {one["id"] for one in (await api.told("GET", "/incidents", dan))["items"]}
    assert (await api.told("GET", f"/incidents/{found['id']}", dan))["count"] == DENIALS_MIN
    for act, body in (("close", {"resolution": "resolved"}), ("assign", {"to": "dan"})):
        refused = await api.ask("POST", f"/incidents/{found['id']}/{act}", dan, body)
        assert (refused.status_code, "who decide on some route, and whose it is" in refused.text) == (403, True)


async def test_what_was_stopped_over_somebody_is_not_closed_by_him(api: World) -> None:
    await api.told("POST", "/halts", body={"kind": "user", "name": "ben", "why": "lost his laptop"})
    found = await about(api, "user:ben")
    await api.told("POST", "/halts/resume", body={"kind": "user", "name": "ben"})
    ben = await api.token("user", "ben")
    refused = await api.ask("POST", f"/incidents/{found['id']}/close", ben, {"resolution": "resolved"})
    assert (refused.status_code, "it is about user ben, and so about you" in refused.text) == (403, True)


async def test_incidents_are_made_again_from_the_ledger_alone(
    api: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await denied(api, "guest", DENIALS_MIN)
    known = await about(api, "agent:guest")
    await api.told("POST", f"/incidents/{known['id']}/assign", body={"to": "ann"})
    await api.service.incidents.turn()
    records = await api.service.ledger.count()
    tail = LedgerTail(api.workspace.parent / "data" / LEDGER, (RecordKind.ADMIN, RecordKind.PROPOSAL), whole=True)
    monkeypatch.setattr(following, "PAGE", 7)
    path = tmp_path / "incidents.db"
    again = Handling(
        tail, lambda: SqliteIncidents(path), api.service.ledger, api.driver.authorization.record, SystemClock()
    )
    await again.turn()
    ours = {one.ident: one for one in await api.service.incidents.in_states(tuple(IncidentState), 1000)}
    theirs = {one.ident: one for one in await again.in_states(tuple(IncidentState), 1000)}
    assert {ident: (one.state, one.acts, one.about) for ident, one in theirs.items()} == {
        ident: (one.state, one.acts, one.about) for ident, one in ours.items()
    }
    assert all(one.count >= ours[ident].count for ident, one in theirs.items())
    await again.close()
    entries = (await api.told("GET", "/ledger/entries?latest=1000"))["items"][records:]
    assert not [one for one in entries if one["body"] and one["body"].get("event") == "incident.opened"]


async def test_how_often_it_happens_again_fills_no_ledger(api: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await denied(api, "other", DENIALS_MIN)
    known = await about(api, "agent:other")
    token = await api.token("agent", "other", user="ann")
    for _ in range(3):
        for _ in range(DENIALS_MIN):
            await api.call(token, "fails", {})
        await api.service.incidents.turn()
    assert (await about(api, "agent:other"))["count"] == known["count"] + 3 * DENIALS_MIN
    said = await events(api, "incident.seen", known["id"])
    assert 1 <= len(said) <= 3, "a new session, and a doubling"
    assert all("worse" not in one["data"] for one in said)
    monkeypatch.setattr(working, "AGAIN_MS", 0)
    await api.service.incidents.turn()
    last = (await events(api, "incident.seen", known["id"]))[-1]
    assert last["data"]["count"] == known["count"] + 3 * DENIALS_MIN, "in the end all of it is on record"


async def test_the_command_line_lists_shows_assigns_closes_and_exports(api: World, tmp_path: Path) -> None:
    await denied(api, "sub", DENIALS_MIN)
    known = await about(api, "agent:sub")
    code, out, err = await remit(api, "incidents", "ls", "-o", "json", token=api.admin)
    assert code == 0, err
    assert known["id"] in {one["id"] for one in json.loads(out)}
    code, out, _ = await remit(api, "incidents", "ls", token=api.admin)
    assert "agent sub was denied again and again: hand/fails by never-fails" in out
    code, _, err = await remit(api, "incidents", "assign", known["id"], "--to", "ann", token=api.admin)
    assert (code, f"{known['id']} is assigned to ann" in err) == (0, True), err
    code, out, _ = await remit(api, "incidents", "ls", token=api.admin)
    assert [line.split()[3] for line in out.splitlines() if line.startswith(known["id"])] == ["ann"]
    code, out, _ = await remit(api, "incidents", "assign", known["id"], "--to", "ann", "-o", "json", token=api.admin)
    assert (code, json.loads(out)["assignee"]) == (0, "ann")
    code, out, _ = await remit(api, "incidents", "show", known["id"], token=api.admin)
    assert "assigned to ann" in out
    file = tmp_path / "siem.jsonl"
    for _ in range(2):
        code, _, err = await remit(
            api, "incidents", "export", "--format", "ocsf", "--since", "1d", "--file", str(file), token=api.admin
        )
        assert code == 0, err
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert lines[: len(lines) // 2] == lines[len(lines) // 2 :]
    for line in lines:
        check(line)
    mine = [line for line in lines[: len(lines) // 2] if line["metadata"]["correlation_uid"] == known["id"]]
    assert [line["class_uid"] for line in mine] == [2004] * (len(mine) - 1) + [2005]
    assert mine[-1]["status"] == "In Progress"
    code, _, err = await remit(api, "incidents", "close", known["id"], token=api.admin)
    assert (code, "Missing option '--as'" in err, "false-alarm" in err) == (2, True, True)
    unsaid = await api.ask("POST", f"/incidents/{known['id']}/close", api.admin, {"note": "how it ended is not said"})
    assert (unsaid.status_code, unsaid.json()["next"]) == (400, "remit incidents close --help")
    close = ("incidents", "close", known["id"], "--as", "expected", "--note", "a test")
    code, _, err = await remit(api, *close, token=api.admin)
    assert (code, "is closed: expected" in err) == (0, True)
    code, _, err = await remit(api, *close, token=api.admin)
    assert (code, "it is closed" in err) == (1, True)


async def test_what_could_not_be_recorded_is_the_next_time(api: World, tmp_path: Path) -> None:
    fails, recorded = [True], list[AdminBody]()

    async def record(body: AdminBody) -> Receipt:
        if fails:
            raise LedgerUnwritable("full")
        recorded.append(body)
        return Receipt(Ref("r1-1", 1), "")

    tail = LedgerTail(api.workspace.parent / "data" / LEDGER, (RecordKind.ADMIN, RecordKind.PROPOSAL))
    path = tmp_path / "incidents.db"
    working_ = Handling(tail, lambda: SqliteIncidents(path), api.service.ledger, record, SystemClock())
    await working_.turn()
    await api.told("POST", "/halts", body={"kind": "tool", "name": "hand/hang", "why": "look"})
    for _ in range(2):
        with pytest.raises(LedgerUnwritable):
            await working_.turn()
    fails.clear()
    await working_.turn()
    await working_.turn()
    assert [(body.event, body.data["about"]) for body in recorded] == [(Event.INCIDENT_OPENED, "tool:hand/hang")]
    await working_.close()
    await api.told("POST", "/halts/resume", body={"kind": "tool", "name": "hand/hang"})


async def test_an_export_pages_through_all_incidents(tmp_path: Path) -> None:
    begun = open_incident(Finding("r1-1.7", 9, IncidentCause.DRIFT, Severity.HIGH, "drifted", "bot", "s1"), "agent:old")
    many = [replace(begun, ident=f"r1-1.{number}", changed_ms=number // 7) for number in range(1, 451)]
    async with world(tmp_path) as of:
        assert await of.service.incidents.in_states(tuple(IncidentState), 9) == []
        await of.service.incidents._ask(lambda store: store.save(many))  # pyright: ignore[reportPrivateUsage]
        code, out, err = await remit(of, "incidents", "export", token=of.admin)
        assert code == 0, err
        names = [json.loads(line)["metadata"]["correlation_uid"] for line in out.splitlines()]
        in_order = [one.ident for one in sorted(many, key=lambda one: (one.changed_ms, one.ident))]
        assert [name for name in names if name.startswith("r1-1.")] == in_order
        code, out, _ = await remit(of, "incidents", "export", "--since", "1d", token=of.admin)
        assert not any("r1-1." in line for line in out.splitlines())
