"""A halt: before the intent, before the bytes leave, in mid-call, and over what a restart leaves."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from mcp import MCPError

from proof.counting import Counting
from proof.service import REMIT, Service, environment
from remit.adapters.halts import BY, HALTS, HaltFolder, leave
from remit.app.build import build
from remit.app.settings import LEDGER, Settings
from remit.app.terminal.failure import Exit
from remit.facts.record import RecordKind
from remit.facts.stop import EVERYTHING, StopKind, StopScope, StopTarget
from remit.pep.answer import Client, Refused, Released
from remit.pep.halts import Halts
from remit.pep.lease import LEASE_S, Lease
from remit.policy.verdict import Code
from remit.ports.upstream import Era, ResourceUpdated
from remit.trace.bodies import AdminBody, OutcomeBody, Status
from tests.e2e.api_world import declared, world, write_workspace
from tests.e2e.gateway_parts import bench
from tests.e2e.gateway_world import Shop, compiled, gateway, shop_process, until
from tests.e2e.speaking import told
from tests.e2e.test_gateway_client import client
from tests.e2e.test_tasks import ABLE, DONE, begun, get, under
from tests.e2e.test_tasks import driven as tasking

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.e2e.gateway_parts import Bench


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shop]:
    with shop_process(tmp_path_factory.mktemp("shop")) as made:
        yield made


@dataclass
class Hands:
    """A clock that a test moves."""

    s: float = 100.0

    def now_ms(self) -> int:
        return int(self.s * 1000)

    def monotonic_s(self) -> float:
        return self.s


def why(answer: object) -> str | None:
    return answer.reasons[0].code.value if isinstance(answer, Refused) else None


STOPPABLE = [
    ("agent", "sub"),
    ("user", "req"),
    ("group", "fin"),
    ("server", "hand"),
    ("tool", "hand/echo"),
    ("session", ""),
    ("everything", ""),
]


@pytest.mark.asyncio
async def test_whatever_is_halted_is_denied_until_it_is_resumed(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        minted = await api.mint("agent", "bot", user="req")
        child = (await api.delegate(minted["token"], "sub")).json()["access_token"]
        ann = await api.token("user", "ann")
        assert isinstance(await api.call(child, "echo", {"text": "x"}), Released)
        for kind, name in STOPPABLE:
            asked = {"kind": kind, "name": name if kind != "session" else minted["sid"]}
            halted = await api.told("POST", "/halts", ann, {**asked, "why": "it loops"})
            assert (halted["drill"], halted["cut"]) == (False, [])
            [shown] = (await api.told("GET", "/halts", ann))["items"]
            assert (shown["kind"], shown["name"], shown["by"], shown["why"]) == (
                kind, asked["name"], "user:ann", "it loops",
            )  # fmt: skip
            answer = await api.call(child, "echo", {"text": "x"})
            assert why(answer) == Code.HALTED.value, kind
            assert (await api.told("POST", "/halts/resume", ann, asked))["record"]
            assert (await api.told("POST", "/halts/resume", ann, asked))["record"] is None
            assert isinstance(await api.call(child, "echo", {"text": "x"}), Released), kind


@pytest.mark.asyncio
@pytest.mark.parametrize("holds", [StopScope.ALL, StopScope.READING])
async def test_a_resource_alone_is_halted_or_quarantined(tmp_path: Path, holds: StopScope) -> None:
    async with world(tmp_path) as api:
        authority = api.authority(await api.token("agent", "bot", user="req"))
        client_, named = Client(Era.STATELESS), {"kind": "resource", "name": "hand/note://a?all&b"}

        async def halted(uri: str) -> bool:
            return why(await api.driver.read_resource(authority, client_, "hand", uri)) == Code.HALTED.value

        assert not await halted("note://a?all&b")
        await api.told("POST", "/halts", api.admin, {**named, "why": "it lies", "holds": holds.value})
        [shown] = (await api.told("GET", "/halts"))["items"]
        assert (shown["kind"], shown["name"], shown["holds"]) == (*named.values(), holds.value)
        assert await halted("note://a?all&b")
        assert not await halted("note://b")
        assert (await api.told("POST", "/halts/resume", api.admin, named))["record"]
        assert not await halted("note://a?all&b")


@pytest.mark.asyncio
async def test_a_halt_that_would_stop_nothing_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        for kind, name in (
            ("agent", "bott"), ("user", "x"), ("group", "x"), ("server", "x"), ("tool", "hand/x"), ("tool", "hand"),
            ("session", "0" * 32), ("resource", "x/note://a"), ("resource", "hand"), ("resource", "hand/"),
        ):  # fmt: skip
            refused = await api.ask("POST", "/halts", api.admin, {"kind": kind, "name": name, "why": "x"})
            assert refused.status_code == 404, (kind, name)
        for body in ({"kind": "everything", "name": "x", "why": "x"}, {"kind": "agent", "why": "x"}):
            assert (await api.ask("POST", "/halts", api.admin, body)).status_code == 400
        assert (await api.ask("POST", "/halts", api.admin, {"kind": "everything"})).status_code == 400
        odd = {"kind": "resource", "name": "hand/file:///a/../b", "why": "x"}
        refused = await api.ask("POST", "/halts", api.admin, odd)
        assert (refused.status_code, "more than one way" in refused.text) == (400, True)
        assert (await api.told("GET", "/halts"))["items"] == []


@pytest.mark.asyncio
async def test_who_is_halted_does_not_resume_himself(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        ann, cat = await api.token("user", "ann"), await api.token("user", "cat")
        for kind, name in (("user", "ann"), ("group", "sec")):
            await api.told("POST", "/halts", ann, {"kind": kind, "name": name, "why": "to be sure"})
            refused = await api.ask("POST", "/halts/resume", ann, {"kind": kind, "name": name})
            assert refused.status_code == 403
            assert (await api.told("POST", "/halts/resume", cat, {"kind": kind, "name": name}))["record"]


@pytest.mark.asyncio
@pytest.mark.parametrize("what", [(StopKind.AGENT, "clerk"), (StopKind.SERVER, "shop"), EVERYTHING])
async def test_what_is_quarantined_may_read_but_not_act_or_the_reverse(
    tmp_path: Path, shop: Shop, what: StopTarget
) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), "2026-07-28") as agent:
        for holds, reads, acts in (
            (StopScope.ACTING, True, False),
            (StopScope.READING, False, True),
            (None, True, True),
        ):
            await of.driver.halts.resume(what, "ann")
            if holds is not None:
                await of.driver.halts.halt(what, "ann", "odd", holds)
            read = await agent.call_tool("echo", {"text": "x"})
            act = await agent.call_tool("slow", {"seconds": 0})
            assert (not read.is_error, not act.is_error) == (reads, acts), holds
            assert (await agent.list_tools()).tools, "what it may do is still shown"
            if holds is StopScope.ACTING:
                assert "was stopped from acting by ann: odd" in str(act.content)


@pytest.mark.asyncio
async def test_quarantine_outlives_a_restart_and_loosens_no_halt(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        quarantined = {"kind": "agent", "name": "bot", "why": "odd", "holds": "acting"}
        await api.told("POST", "/halts", body=quarantined)
        [shown] = (await api.told("GET", "/halts"))["items"]
        assert shown["holds"] == "acting"
        assert [stop.scope for stop in (await api.service.ledger.stops()).values()] == [StopScope.ACTING]
        await api.told("POST", "/halts", body={"kind": "agent", "name": "bot", "why": "worse"})
        assert (await api.ask("POST", "/halts", api.admin, quarantined)).status_code == 409
        [shown] = (await api.told("GET", "/halts"))["items"]
        assert (shown["holds"], shown["why"]) == ("all", "worse")


@pytest.mark.asyncio
async def test_a_halt_outlives_a_restart(tmp_path: Path, shop: Shop) -> None:
    async with gateway(tmp_path, shop) as of:
        await of.driver.halts.halt((StopKind.AGENT, "clerk"), "ann", "it spends")
    async with gateway(tmp_path, shop) as of:
        async with client(of, of.token(), "2026-07-28") as agent:
            with pytest.raises(MCPError, match="it spends"):
                await agent.list_tools()
            assert (await agent.call_tool("echo", {"text": "x"})).is_error
        [stop] = of.driver.halts.stops
        assert (stop.target, stop.by, stop.reason) == ((StopKind.AGENT, "clerk"), "ann", "it spends")
        assert of.effects() == []


@pytest.mark.asyncio
async def test_ten_thousand_halts_hold_and_are_looked_through_by_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [(StopKind.SESSION, f"s-{number:05}") for number in range(10_000)]
    async with world(tmp_path) as api:
        own, other = [await api.mint("agent", "bot", user="req") for _ in range(2)]
        ann = await api.token("user", "ann")
        halts = api.service.driver.halts
        assert isinstance(await api.call(own["token"], "echo", {"text": "x"}), Released)
        await asyncio.gather(*(halts.halt(what, "admin", "it loops") for what in many))
        await api.told("POST", "/halts", ann, {"kind": "session", "name": own["sid"], "why": "this one too"})
        assert [one["name"] for one in (await api.told("GET", "/halts", ann))["items"]] == [
            *(name for _, name in many), own["sid"],
        ]  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(Halts, "stops", property(lambda _: pytest.fail("all of them were gone through")))
            assert why(await api.call(own["token"], "echo", {"text": "x"})) == Code.HALTED.value
            assert isinstance(await api.call(other["token"], "echo", {"text": "x"}), Released)
            await api.told("GET", "/resources/tool", ann)
            await api.told("GET", "/resources/agent/bot", ann)
            await api.told("POST", "/halts/resume", ann, {"kind": "session", "name": own["sid"]})
            assert isinstance(await api.call(own["token"], "echo", {"text": "x"}), Released)
        assert sorted(await api.service.ledger.stops()) == many, "what a start begins with"


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_a_call_under_way_is_cut_off_at_its_server_and_in_doubt(tmp_path: Path, shop: Shop, mode: str) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), mode) as agent:
        call = asyncio.create_task(agent.call_tool("slow", {"seconds": 30}))
        await of.effects_are("slow began")
        what = (StopKind.TOOL, "shop/slow")
        _, would = await of.driver.halts.drill(what, "ann")
        assert not call.done()
        _, cut = await of.driver.halts.halt(what, "ann", "too slow")
        assert list(cut) == list(would)
        [ref] = cut
        said = await call
        assert said.is_error
        assert "stop/halted" in str(said.content)
        assert "after it was sent: it may have taken effect" in str(said.content)
        await of.effects_are("slow began", "slow cancelled")
        [outcome] = [one.body for one in await of.records(RecordKind.OUTCOME)]
        assert isinstance(outcome, OutcomeBody)
        assert (outcome.intent, outcome.status) == (ref, Status.LOST)
        assert not (await agent.call_tool("echo", {"text": "still here"})).is_error


@pytest.mark.asyncio
async def test_a_halt_that_was_left_cuts_off_what_is_under_way_and_is_taken_to_the_ledger(
    tmp_path: Path, shop: Shop
) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), "2026-07-28") as agent:
        lease = of.driver.halts.leased(HaltFolder(tmp_path))
        call = asyncio.create_task(agent.call_tool("slow", {"seconds": 30}))
        await of.effects_are("slow began")
        left = leave(tmp_path, (StopKind.AGENT, "clerk"), "it hangs", 7)
        lease.renew()
        assert "it hangs" in str((await call).content)
        await of.effects_are("slow began", "slow cancelled")

        async def taken() -> bool:
            lease.renew()
            return not left.exists()

        await until(taken)
        [stop] = of.driver.halts.stops
        assert (stop.target, stop.by) == ((StopKind.AGENT, "clerk"), BY)
        [record] = [one.body for one in await of.records(RecordKind.ADMIN) if "halt" in str(one.body)]
        assert isinstance(record, AdminBody)
        assert (record.subject, record.data) == ("agent:clerk", {"reason": "it hangs"})


def test_halts_left_in_one_millisecond_are_all_there_the_oldest_first(tmp_path: Path) -> None:
    left = {
        leave(tmp_path, (StopKind.AGENT, name), "it hangs", at).name: name
        for name, at in zip("abc", (9, 9, 8), strict=True)
    }
    left[leave(tmp_path, (StopKind.AGENT, "d"), "it hangs", 1_764_505_822_000).name] = "d"
    found = HaltFolder(tmp_path).read()
    assert {name: stop.target[1] for name, stop in found.items()} == left
    assert [stop.at_ms for stop in found.values()] == [8, 9, 9, 1_764_505_822_000]


@pytest.mark.asyncio
async def test_what_was_left_is_read_before_anything_more_is_done(tmp_path: Path, shop: Shop) -> None:
    """Nobody renews the lease; by its clock, which goes on while a process stands still, it is too old."""
    async with gateway(tmp_path, shop) as of, client(of, of.token(), "2026-07-28") as agent:
        clock = Hands()
        lease = Lease(clock, HaltFolder(tmp_path), lambda stop: of.driver.halts._halt(stop)[0])  # pyright: ignore[reportPrivateUsage]
        of.driver._engine.lease = lease  # pyright: ignore[reportPrivateUsage]
        assert not (await agent.call_tool("echo", {"text": "x"})).is_error
        leave(tmp_path, (StopKind.SERVER, "shop"), "stop it", 7)
        assert not (await agent.call_tool("echo", {"text": "x"})).is_error
        clock.s += LEASE_S
        assert "stop it" in str((await agent.call_tool("echo", {"text": "x"})).content)


@pytest.mark.asyncio
async def test_without_a_lease_nothing_is_done(tmp_path: Path, shop: Shop) -> None:
    async with gateway(tmp_path, shop) as of, client(of, of.token(), "2026-07-28") as agent:
        (tmp_path / HALTS).write_text("no folder")
        lease = of.driver.halts.leased(HaltFolder(tmp_path))
        said = await agent.call_tool("echo", {"text": "x"})
        assert "cannot be read" in str(said.content)
        assert "stop/halted" in str(said.content)
        (tmp_path / HALTS).unlink()
        lease.renew()
        assert not (await agent.call_tool("echo", {"text": "x"})).is_error
        (tmp_path / HALTS).mkdir(mode=0o700)
        (tmp_path / HALTS / "1.json").write_text("{}")
        lease.renew()
        said = await agent.call_tool("echo", {"text": "x"})
        assert "everything was stopped" in str(said.content)


def test_a_service_that_stands_still_is_left_the_halt_and_obeys_it_first(tmp_path: Path) -> None:
    counting = Counting(tmp_path, hold_s=0.1)
    try:
        counting.start()
        service = counting.service
        token = service.agent("clerk", "ana")
        assert service.process is not None
        assert not told(service, token, "counter", "peek")[0]
        service.process.send_signal(signal.SIGSTOP)
        try:
            done = service.remit("halt", "agent", "clerk", "--why", "it hangs")
            assert (done.returncode, "the halt lies in" in done.stderr) == (0, True), done.stderr
            assert "warning" not in done.stderr
            misspelt = service.remit("halt", "agent", "clerc", "--why", "it hangs")
            assert "the halt lies in" in misspelt.stderr
            assert "warning: no agent clerc was in what ran there last" in misspelt.stderr
            assert "did you mean 'clerk'?" in misspelt.stderr
        finally:
            service.process.send_signal(signal.SIGCONT)
        failed, text = told(service, token, "counter", "peek")
        assert failed
        assert "it hangs" in text
        stop, misnamed = sorted(service.told("halt"), key=lambda stop: stop["name"], reverse=True)
        assert misnamed["name"] == "clerc"
        assert (stop["kind"], stop["name"], stop["why"]) == ("agent", "clerk", "it hangs")
        # Of the request that nobody answered all was sent, or not, as Python's client of HTTP does it.
        assert stop["by"] in {BY, "admin"}
    finally:
        counting.stop()


@pytest.mark.asyncio
async def test_what_was_left_is_in_force_before_the_service_is_ready(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_workspace(tmp_path / "workspace", tmp_path / "tools")
    (tmp_path / "data").mkdir(mode=0o700)
    left = leave(tmp_path / "data", (StopKind.AGENT, "bott"), "it spends", 7)
    service = await build(Settings(data=tmp_path / "data", workspace=tmp_path / "workspace"), 7070)
    try:
        [warning] = [one for one in caplog.records if one.name == "remit.pep.halts"]
        assert warning.getMessage().startswith("a halt was left over what does not run: it stops nobody")
        assert warning.__dict__["ref"] == "agent:bott"
        await asyncio.sleep(0)
        assert [stop.name for stop in service.driver.halts.stops] == ["bott"]
    finally:
        await service.close()
    assert left.exists(), "it is taken away by the loop alone"


@pytest.mark.asyncio
async def test_the_list_and_doctor_tell_of_what_was_left_though_no_loop_took_it_up(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        assert not [one for one in (await api.told("GET", "/doctor"))["checks"] if one["name"] == "halts"]
        for name in ("bot", "bott"):
            leave(tmp_path / "data", (StopKind.AGENT, name), "it spends", 7)

        async def listed() -> bool:
            return len((await api.told("GET", "/halts"))["items"]) == 2

        await until(listed)
        [wrong] = [one for one in (await api.told("GET", "/doctor"))["checks"] if one["name"] == "halts"]
        assert (wrong["ok"], "no such agent runs, so that this stops nobody" in wrong["text"]) == (False, True)
        assert wrong["next"].endswith("and: remit resume agent bott")
        (tmp_path / "data" / HALTS).rename(tmp_path / "away")
        (tmp_path / "data" / HALTS).write_text("no folder")

        async def unread() -> bool:
            first = (await api.told("GET", "/halts"))["items"][0]
            return (first["kind"], first["by"]) == ("everything", "remit")

        await until(unread)
        first = next(one for one in (await api.told("GET", "/doctor"))["checks"] if one["name"] == "halts")
        assert (first["ok"], "what was left to be halted cannot be read" in first["text"]) == (False, True)


def test_who_halts_a_dead_service_is_told_which_folder_was_looked_at_and_how_to_name_the_right_one(
    tmp_path: Path,
) -> None:
    service = Service(tmp_path)
    halt = ("halt", "agent", "clerk", "--why", "it pays twice")
    gone = service.remit(*halt)
    assert gone.returncode == Exit.UNREACHABLE
    assert f"cannot be left in the data folder {service.data}: there is no such folder" in gone.stderr
    assert "next: remit halt agent clerk --why 'it pays twice' --data DIR (" in gone.stderr
    service.data.mkdir()
    assert "no ledger is in it" in service.remit(*halt).stderr
    assert "File name too long" in service.remit(*halt, "--data", "x" * 300).stderr
    (other := tmp_path / "other").mkdir()
    (other / LEDGER).touch()
    left = service.remit(*halt, "--data", str(other))
    assert (left.returncode, f"the halt lies in {other}" in left.stderr) == (Exit.OK, True)


def test_a_folder_that_nobody_named_takes_no_halt_for_another_service(tmp_path: Path) -> None:
    service = Service(tmp_path)
    folder = tmp_path / "remit"
    folder.mkdir(mode=0o700)
    (folder / LEDGER).touch()
    named = {"REMIT_URL": service.url, "REMIT_TOKEN": "x", "XDG_DATA_HOME": str(tmp_path)}

    def halted(issuer: str, *more: str) -> subprocess.CompletedProcess[str]:
        (folder / "issuer").write_text(issuer)
        told = [REMIT, "halt", "agent", "clerk", "--why", "odd", *more]
        return subprocess.run(told, env=environment() | named, capture_output=True, text=True, timeout=60, check=False)

    for other in ("https://remit.example", "http://127.0.0.1:1", f"https://localhost:{service.port}"):
        gone = halted(other)
        assert gone.returncode == Exit.UNREACHABLE
        assert f"it is of the service at {other}, and not of {service.url}" in gone.stderr
        assert "next: remit halt agent clerk --why odd --data DIR (" in gone.stderr
    assert not (folder / HALTS).exists()
    assert halted("https://remit.example", "--data", str(folder)).returncode == Exit.OK, "whoever names it knows"
    assert halted(f"http://localhost:{service.port}").returncode == Exit.OK
    assert halted("").returncode == Exit.UNREACHABLE
    assert len(list((folder / HALTS).iterdir())) == 2


@tasking
async def test_a_task_that_runs_at_its_server_is_cut_off_and_listed(b: Bench) -> None:
    name = await begun(b)
    what = (StopKind.AGENT, "clerk")
    _, would = await b.driver.halts.drill(what, "ann")
    _, cut = await b.driver.halts.halt(what, "ann", "rogue")
    assert list(would) == list(cut) == [name]

    async def ended() -> bool:
        entries = await b.ledger.entries(after=None, limit=100, sid=None)
        outcomes.extend(one.body for one in entries if isinstance(one.body, OutcomeBody))
        return bool(outcomes) and any(line.startswith("asked tasks/cancel ") for line in b.trace)

    outcomes: list[OutcomeBody] = []
    await until(ended)
    assert {one.status for one in outcomes} == {Status.LOST}
    assert why(await get(b, name)) == Code.HALTED.value


@tasking
async def test_what_a_task_brought_is_not_released_to_who_is_halted(b: Bench) -> None:
    name = await begun(b)
    await under(b, name, status="completed", result=DONE)
    await b.driver.halts.halt((StopKind.SERVER, "shop"), "ann", "rogue")
    assert why(await get(b, name)) == Code.HALTED.value


@pytest.mark.asyncio
async def test_a_halted_server_is_not_even_asked_what_it_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bench(tmp_path) as b:
        await b.driver.halts.halt((StopKind.SERVER, "shop"), "ann", "rogue")
        before = len(b.trace)
        asked: list[str] = []

        async def ask(*_: object) -> None:
            asked.append("asked")

        monkeypatch.setattr(b.upstream, "definitions", ask)
        monkeypatch.setattr(b.upstream, "introduce", ask)
        assert why(await b.call("pay")) == Code.HALTED.value
        found = await b.driver.introduce(b.authority(), ABLE, "shop")
        assert (found.capabilities, found.instructions) == ({}, None)
        assert not [line for line in b.trace[before:] if line.startswith(("asked", "called"))]
        assert not asked


@pytest.mark.asyncio
async def test_who_is_halted_decides_nothing_and_loosens_nothing_under_any_of_his_names(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        users = api.workspace / "people.yaml"
        users.write_text(users.read_text() + "---\n" + declared("User", "ann2", groups=["sec"], person="ann"))
        await api.told("POST", "/apply", body={})
        ann, ann2 = await api.token("user", "ann"), await api.token("user", "ann2")
        ident = await api.escalated(await api.token("agent", "bot", user="req"))
        await api.told("POST", "/halts", body={"kind": "user", "name": "ann", "why": "stolen", "holds": "acting"})
        for token in (ann, ann2):
            for path in (f"/approvals/{ident}/approve", f"/approvals/{ident}/grant"):
                body = {"scope": "session"} if path.endswith("grant") else {}
                assert (await api.ask("POST", path, token, body)).status_code == 403, path
            resumed = await api.ask("POST", "/halts/resume", token, {"kind": "user", "name": "ann"})
            assert resumed.status_code == 403
            swapped = {"kind": "user", "name": "ann", "why": "x", "holds": "reading"}
            assert (await api.ask("POST", "/halts", token, swapped)).status_code == 409
        other = await api.token("agent", "bot", user="ann2")
        await api.told("POST", "/halts", body={"kind": "user", "name": "ann", "why": "stolen"})
        assert why(await api.call(other, "echo", {"text": "x"})) == Code.HALTED.value
        denied = await api.ask("POST", f"/approvals/{ident}/deny", ann, {})
        assert denied.is_success, "a no harms nobody"


@pytest.mark.asyncio
async def test_a_halt_that_comes_while_another_is_lifted_stands(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        ann, what = await api.token("user", "ann"), {"kind": "agent", "name": "bot"}
        await api.told("POST", "/halts", ann, {**what, "why": "odd"})
        halts, withdrawal = api.driver.halts, api.driver.authorization._withdrawal  # pyright: ignore[reportPrivateUsage]
        turn = withdrawal.turn

        async def then_halt() -> int:
            withdrawal.turn = turn
            found = await turn()
            await api.told("POST", "/halts", body={**what, "why": "rogue"})
            return found

        withdrawal.turn = then_halt
        resumed = await api.ask("POST", "/halts/resume", ann, what)
        told = (resumed.status_code, resumed.json()["why"])
        assert told == (409, "agent bot was stopped by admin: rogue")
        assert [(stop.by, stop.reason) for stop in halts.stops] == [("admin", "rogue")]
        await api.told("POST", "/halts/resume", body=what)
        assert halts.stops == []


@pytest.mark.asyncio
async def test_a_stop_of_less_takes_nothing_from_one_that_it_is_not_over(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        halts, what = b.driver.halts, (StopKind.AGENT, "clerk")
        await halts.halt(what, "ann", "rogue")
        await halts.halt(what, "ben", "odd", StopScope.ACTING)
        assert [(stop.by, stop.reason, stop.scope) for stop in halts.stops] == [("ann", "rogue", StopScope.ALL)]
        other = (StopKind.AGENT, "helper")
        await halts.halt(other, "ann", "odd", StopScope.READING)
        await halts.halt(other, "ben", "odd", StopScope.ACTING)
        assert [stop.scope for stop in halts.stops] == [StopScope.ALL, StopScope.ALL]


@pytest.mark.asyncio
async def test_what_a_server_answered_stays_here_once_halted(tmp_path: Path, shop: Shop) -> None:
    """The halt comes after the answer, and before it is released."""
    async with gateway(tmp_path, shop) as of:
        authority = of.authority(of.token())
        append = of.ledger.append

        def then_halt(draft: Any) -> Any:
            pending = append(draft)
            if draft.kind is RecordKind.OUTCOME:
                of.ledger.append = append  # pyright: ignore[reportAttributeAccessIssue]
                halts.append(asyncio.ensure_future(of.driver.halts.halt((StopKind.AGENT, "clerk"), "ann", "leaks")))
            return pending

        halts: list[asyncio.Future[Any]] = []
        async with client(of, of.token(), "2026-07-28") as agent:
            of.ledger.append = then_halt  # pyright: ignore[reportAttributeAccessIssue]
            said = await agent.call_tool("echo", {"text": "hello"})
        assert said.is_error
        assert "leaks" in str(said.content)
        await asyncio.gather(*halts)
        assert of.driver.authorization.stopped(authority)
        outcomes = [one.body for one in await of.records(RecordKind.OUTCOME)]
        assert [one.status for one in outcomes if isinstance(one, OutcomeBody)] == [Status.OK]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "what", [(StopKind.AGENT, "clerk"), (StopKind.SERVER, "shop"), (StopKind.RESOURCE, "shop/note://a")]
)
async def test_a_watch_of_what_may_be_read_no_more_ends(tmp_path: Path, what: StopTarget) -> None:
    async with bench(tmp_path) as b:
        [source] = b.bundle.catalog.policies
        all_of_it = replace(source, text='@id("all") permit (principal, action, resource);')
        b.bundle = compiled(replace(b.bundle.catalog, policies=(all_of_it,)))
        b.upstream.notices = [ResourceUpdated("note://a"), ResourceUpdated("note://b"), ResourceUpdated("note://a")]
        for uris in ({"note://a"}, {"note://a", "note://b"}):
            seen: list[str] = []
            async for told_ in b.driver.watch(
                b.authority(), Client(Era.STATELESS), "shop", frozenset(), frozenset(uris)
            ):
                if isinstance(told_, ResourceUpdated):
                    seen.append(told_.uri)
                    await b.driver.halts.halt(what, "ann", "odd", StopScope.READING)
            assert seen == ["note://a"], "of the rest, too: who watches it anew is told what is followed"
            await b.driver.halts.resume(what, "ann")


@pytest.mark.asyncio
async def test_whoever_an_agent_acts_for_does_not_resume_what_somebody_else_stopped(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        req, ann, dan, ben = [await api.token("user", name) for name in ("req", "ann", "dan", "ben")]
        ident = await api.escalated(await api.token("agent", "bot", user="req"))
        await api.told("POST", f"/approvals/{ident}/stop", ann, {})
        [stop] = (await api.told("GET", "/halts"))["items"]
        what = {"kind": "session", "name": stop["name"]}
        refused = await api.ask("POST", "/halts/resume", req, what)
        assert (refused.status_code, "acts for you" in refused.text) == (403, True)
        # To stop it once more makes it no stop of his own.
        again = await api.told("POST", "/halts", req, {**what, "why": "mine now"})
        assert again["stays"] == "user:ann"
        [stop] = (await api.told("GET", "/halts"))["items"]
        assert (stop["by"], "it looks as if" in stop["why"]) == ("user:ann", True), "nor his words hers"
        # Nor does stopping it by what it asked for, where he may say no to his own.
        for by, whose, why in ((req, "user:ann", "it looks as if"), (ben, "user:ben", "not now")):
            await api.told("POST", f"/approvals/{ident}/stop", by, {"reason": "not-now"})
            [stop] = (await api.told("GET", "/halts"))["items"]
            assert (stop["by"], stop["why"].startswith(why)) == (whose, True), "who may resume it takes it over"
        assert (await api.ask("POST", "/halts/resume", req, what)).status_code == 403
        refused = await api.ask("POST", "/halts/resume", dan, what)
        assert (refused.status_code, "decide on no route" in refused.text) == (403, True)
        assert (await api.told("POST", "/halts/resume", ben, what))["record"]
        assert (await api.told("POST", "/halts", req, {**what, "why": "my own"}))["stays"] is None
        assert (await api.told("POST", "/halts/resume", req, what))["record"], "what he stopped himself"


@pytest.mark.asyncio
async def test_whose_agent_it_is_does_not_resume_what_somebody_else_stopped(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        ann, ben = await api.token("user", "ann"), await api.token("user", "ben")
        minted = await api.mint("agent", "bot", user="req")
        assert isinstance(await api.call(minted["token"], "echo", {"text": "x"}), Released)
        for what in ({"kind": "agent", "name": "bot"}, {"kind": "session", "name": minted["sid"]}):
            quarantined = {**what, "why": "odd", "holds": "acting"}
            await api.told("POST", "/halts", ben, quarantined)
            refused = await api.ask("POST", "/halts/resume", ann, what)
            assert (refused.status_code, "it is yours" in refused.text) == (403, True)
            await api.told("POST", "/halts", ann, {**what, "why": "worse"})
            [stop] = (await api.told("GET", "/halts"))["items"]
            assert (stop["holds"], stop["by"]) == ("all", "user:ben"), "to stop more of it stays open to all"
            assert (await api.ask("POST", "/halts/resume", ann, what)).status_code == 403
            assert (await api.told("POST", "/halts/resume", ben, what))["record"]
        await api.told("POST", "/halts", ann, {"kind": "agent", "name": "bot", "why": "my own"})
        assert (await api.told("POST", "/halts/resume", ann, {"kind": "agent", "name": "bot"}))["record"]
        for by in (api.admin, ann):
            await api.told("POST", "/halts", by, {"kind": "agent", "name": "bot", "why": "x"})
            assert (await api.told("POST", "/halts/resume", api.admin, {"kind": "agent", "name": "bot"}))["record"]
