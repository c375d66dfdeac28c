"""Which bundles have been in force, and what turned one into another: over the API, and by the command."""

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio

from proof.counting import Counting, call
from remit.adapters.workspace.folder import Folder
from remit.app.bundles import pace
from remit.app.bundles.running_bundle import prepare
from remit.app.bundles.store import Bundles
from remit.app.cli import progress
from remit.app.terminal.client import ServiceClient
from tests.e2e.api_world import POLICIES, World, declared, world
from tests.e2e.speaking import api as ask_api
from tests.e2e.test_apply_beside import many
from tests.eventually import WITHIN_S, awaited

WITH_ENV = (
    "apiVersion: remit.dev/v1alpha1\nkind: Server\nmetadata: {name: two}\nspec: {command: [x], env: {A: canary-env}}\n"
)
MORE = '\n@id("more")\nforbid (principal, action, resource) when { context.inputSize > 9999 };\n'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("history")) as made:
        yield made


async def applied(api: World, text: str) -> str:
    (api.workspace / "policies.cedar").write_text(text)
    return (await api.told("POST", "/apply", body={}))["bundle"]


async def between(api: World, before: str, after: str | None = None) -> Any:
    return await api.told("GET", f"/bundles/diff?before={before}" + (f"&after={after}" if after else ""))


@pytest.mark.asyncio(loop_scope="module")
async def test_bundles_are_listed_the_latest_first_with_when_and_by_whom(api: World):
    one = await applied(api, POLICIES)
    two = await applied(api, POLICIES + MORE)
    assert await applied(api, POLICIES + MORE) == two
    latest, earlier, *rest = (await api.told("GET", "/bundles"))["items"]
    assert (latest["bundle"], latest["until"], latest["by"], latest["records"]) == (two, None, "admin", 1)
    assert (earlier["bundle"], earlier["until"]) == (one, latest["since"])
    assert latest["policies"] == earlier["policies"] + 1
    assert latest["tools"] == earlier["tools"] > 0
    assert latest["agents"] == 6
    assert rest[-1]["by"] == "the service", "the first one, with which the service began"
    records = (await api.told("GET", "/ledger/entries?latest=9"))["items"]
    [record] = [one for one in records if one["id"] == latest["record"]]
    assert (record["at"], record["body"]["subject"]) == (latest["since"], two)
    assert len((await api.told("GET", "/bundles?limit=1"))["items"]) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_what_turned_one_bundle_into_another(api: World):
    one = await applied(api, POLICIES)
    (api.workspace / "more.yaml").write_text(declared("User", "new") + "---\n" + WITH_ENV)
    changed = POLICIES.replace("hand on to guests", "x") + MORE
    two = await applied(api, changed.replace("handing on to guests", "handing to guests"))
    try:
        found = await between(api, one)
        assert (found["before"], found["after"]) == (one, two)
        texts = {change["text"]: change["lines"] for change in found["changes"]}
        assert set(texts) == {"add user new", "add server two", "add policy more", "change policy ask-for-guest"}
        assert "+forbid (principal, action, resource) when { context.inputSize > 9999 };" in texts["add policy more"]
        assert '-@reason("handing on to guests waits for security")' in texts["change policy ask-for-guest"]
        backward = await between(api, two[:19], one.removeprefix("sha256:")[:12])
        assert {change["op"] for change in backward["changes"]} == {"remove", "change"}
        assert (await between(api, one, one))["changes"] == []
        kept = b"".join(path.read_bytes() for path in (api.workspace.parent / "data" / "bundles").glob("bundle-*"))
        assert b"canary-env" not in kept
    finally:
        (api.workspace / "more.yaml").unlink()
        await applied(api, POLICIES)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_tool_that_was_accepted_anew_shows_pin_and_definition(api: World):
    items = (await api.told("GET", "/bundles?limit=1000"))["items"]
    found = await between(api, items[-1]["bundle"])
    [echo] = [change for change in found["changes"] if change["name"] == "hand/echo"]
    assert (echo["op"], echo["kind"]) == ("add", "Tool")
    assert list((api.workspace.parent / "data" / "bundles").glob("pin-*"))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_bundle_that_is_not_known_or_not_named_well(api: World):
    running = await applied(api, POLICIES)
    bundles = api.workspace.parent / "data" / "bundles"
    twin = bundles / f"bundle-{running.removeprefix('sha256:')[:20]}{'0' * 44}.kept"
    twin.write_text("{}")
    try:
        for named, status in (
            ("0" * 10, 404),
            ("abc", 400),
            ("../../x", 400),
            (running[:20], 409),
            (twin.stem[7:], 404),
        ):
            answer = await api.ask("GET", f"/bundles/diff?before={named}", api.admin)
            assert answer.status_code == status, answer.text
    finally:
        twin.unlink()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_note_that_is_lost_is_made_again_from_the_ledger(api: World):
    await applied(api, POLICIES)
    before = (await api.told("GET", "/bundles?limit=1000"))["items"]
    history = api.workspace.parent / "data" / "bundles" / "history"
    noted = history.read_text()
    history.unlink()
    await applied(api, POLICIES + MORE)
    await applied(api, POLICIES)
    after = (await api.told("GET", "/bundles?limit=1000"))["items"]
    assert after[2:] == [before[0] | {"until": after[1]["since"]}, *before[1:]]
    assert history.read_text().startswith(noted)
    history.write_text(history.read_text() + "nonsense\nr0-9.99\n")
    assert (await api.told("GET", "/bundles?limit=1000"))["items"] == after


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("command")) as running:
        yield running


def test_the_command_lists_and_compares(counting: Counting) -> None:
    service = counting.service
    items = service.told("bundle", "ls")
    listed = service.remit("bundle", "ls").stdout.splitlines()
    assert listed[0].split()[:4] == ["BUNDLE", "SINCE", "UNTIL", "BY"]
    assert listed[1].startswith(items[0]["bundle"][:19])
    done = service.remit("bundle", "diff", items[-1]["bundle"][:19])
    assert done.returncode == 1
    assert "+ add policy big-amounts" in done.stdout
    assert '    +@gate("owner")' in done.stdout
    same = service.remit("bundle", "diff", items[0]["bundle"])
    assert (same.returncode, same.stdout) == (0, "")
    assert "no difference" in same.stderr
    assert service.remit("bundle", "diff", "0" * 12).returncode == 5
    assert service.remit("bundle", "diff", "xyz").returncode == 2
    restarted = len(items)
    service.stop()
    service.start()
    again = service.told("bundle", "ls")
    assert (len(again), again[0]["records"]) == (restarted, items[0]["records"] + 1)
    assert again[0]["since"] == items[0]["since"]


def test_how_far_it_is_can_be_asked_while_thousands_are_checked(counting: Counting) -> None:
    service = counting.service
    service.write({"many.cedar": many("progress", 2_500)})
    with ThreadPoolExecutor(1) as pool:
        applying = pool.submit(service.remit, "apply")
        seen: list[dict[str, Any]] = []
        while not applying.done():
            seen.append(ask_api(service, "GET", "/bundles/progress"))
        assert applying.result().returncode == 0, applying.result().stderr
    assert any(one["making"] and one["total"] >= 2_500 for one in seen)
    assert service.told("bundle", "ls")[0]["policies"] >= 2_500
    (service.workspace / "many.cedar").unlink()
    service.apply()


class Underway:
    """A service that has checked one thousand policies more whenever it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.enough = threading.Event()

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/bundles/progress"
        self.asked += 1
        if self.asked > 2:
            self.enough.set()
        return {"making": True, "done": 1_000 * self.asked, "total": 9_000}


def test_who_waits_for_a_command_is_told_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.01)
    service = Underway()
    with progress.showing_checks(cast("ServiceClient", service)):
        assert service.enough.wait(WITHIN_S)
    assert "checked 1,000 of 9,000 policies …\n  checked 2,000 of 9,000 policies …" in capsys.readouterr().err


def test_who_waits_for_a_start_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pace, "LINE_S", 0.0)
    tell = pace.ProgressReporter(said.append)
    for done, total in ((0, 2_500), (10, 2_500), (20, 999)):
        tell(done, total)
    assert said == ["  checked 10 of 2,500 policies …"]


@pytest.fixture
def pruned(tmp_path: Path) -> Iterator[Counting]:
    """One of its own: what is pruned is gone for every other test."""
    with Counting(tmp_path) as running:
        yield running


def test_bundles_that_no_record_of_late_names_are_listed_and_pruned_where_somebody_says_so(pruned: Counting) -> None:
    service = pruned.service
    service.write({"aside.cedar": MORE})
    gone = service.apply()["bundle"]
    (service.workspace / "aside.cedar").unlink()
    runs = service.apply()["bundle"]
    # What was decided since then is decided by the one that runs.
    service.mint("agent", "clerk", "ana")
    here = ("--data", str(service.data), "--older", "1s")
    awaited(lambda: gone in [one["bundle"] for one in service.told("bundle", "prune", *here)["items"]])
    listed = service.told("bundle", "prune", *here)
    names = [one["bundle"] for one in listed["items"]]
    assert (gone in names, runs in names, listed["removed"]) == (True, False, False)
    assert service.told("bundle", "diff", gone, runs)["changes"], "nothing was removed"
    assert service.told("bundle", "prune", "--data", str(service.data))["items"] == [], "a year by default"
    done = service.remit("bundle", "prune", *here)
    assert "would go: remit bundle prune --older 1s --yes" in done.stderr
    assert service.told("bundle", "prune", *here, "--yes")["removed"]
    assert service.told("bundle", "prune", *here)["files"] == 0
    refused = service.remit("bundle", "diff", gone, runs)
    assert refused.returncode == 5
    assert "it was pruned, or never ran here" in refused.stderr
    assert service.told("bundle", "ls")[0]["bundle"] == runs
    assert any(one["bundle"] == gone for one in service.told("bundle", "ls")), "the ledger knows of it"
    service.write({"aside.cedar": MORE})
    assert service.apply()["bundle"] == gone
    assert service.told("bundle", "diff", runs, gone)["changes"], "kept anew once it runs again"
    assert service.remit("bundle", "prune", "--data", str(service.data / "none")).returncode == 5

    # An open approval keeps the one that it was asked under, and those that came after.
    asyncio.run(call(service, service.agent("clerk", "ana"), "add", {"id": "two", "amount": 50}))
    service.write({"aside.cedar": MORE.replace("9999", "8888")})
    runs = service.apply()["bundle"]
    time.sleep(1.1)  # from here on each record is older than is asked for
    found = service.told("bundle", "prune", "--data", str(service.data), "--older", "1s")["items"]
    assert not {gone, runs} & {one["bundle"] for one in found}, "no record names the one that runs yet"


def test_what_a_killed_apply_kept_goes_at_the_next_start_and_nothing_that_ran_does(pruned: Counting) -> None:
    service = pruned.service
    first = service.told("bundle", "ls")[0]["bundle"]
    service.write({"aside.cedar": MORE})
    second = service.apply()["bundle"]
    root = service.data / "bundles"
    service.write({"aside.cedar": MORE.replace("9999", "7777")})
    service.kill()
    # As far as an apply comes before its record; and what was being written when it was killed.
    kept = Bundles(root)
    bundle = prepare(Folder(service.workspace).load(), kept).bundle
    there = set(root.glob("*.kept"))
    kept.keep(bundle)
    left = set(root.glob("*.kept")) - there
    assert left
    halves = [root / f".bundle-{'a' * 64}.kept.4242", root / ".policies-abc.4242", root / "source-0123456789abcdef"]
    for half in halves:
        half.write_bytes(b"half")
    (service.workspace / "aside.cedar").write_text(MORE, encoding="utf-8")
    service.start()
    assert not [path for path in (*left, *halves) if path.exists()]
    assert there <= set(root.glob("*.kept"))
    assert service.told("bundle", "ls")[0]["bundle"] == second
    assert service.told("bundle", "diff", first, second)["changes"]
