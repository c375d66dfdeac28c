"""A bundle is made ready beside the running one, and one that ran before comes back as it was."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from remit.api.services import Invalid
from remit.app.bundles import preparation, recent
from remit.app.bundles.compiler_process import check_apart
from remit.app.bundles.pace import Pace
from remit.app.bundles.preparation import Preparation
from remit.app.bundles.store import Bundles
from remit.control.resources import GroupSpec, PolicySpec, WorkspaceSource
from remit.facts.catalog import PolicySource
from remit.pep.answer import Released
from remit.policy import slice as slices
from remit.policy.bundle import Bundle
from remit.policy.checks import NOTHING
from remit.policy.compiled.shadow import Difference
from tests.core.declaring import NOW, declare, lock_of, small
from tests.e2e.api_world import POLICIES, World, world
from tests.e2e.gateway_world import until

ONE = '@id("one%d") permit (principal, action, resource);'
pytestmark = pytest.mark.asyncio(loop_scope="module")
MORE = """
@id("more")
forbid (principal, action == Remit::Action::"hand___echo", resource) when { context.inputSize > 9999 };
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("swap")) as made:
        yield made


async def applied(api: World, text: str) -> Bundle:
    (api.workspace / "policies.cedar").write_text(text)
    await api.told("POST", "/apply", body={})
    return api.service.runtime.bundle


async def test_what_agents_used_is_generated_before_the_swap(api: World, monkeypatch: pytest.MonkeyPatch):
    await applied(api, POLICIES)
    assert isinstance(await api.call(await api.token("agent", "bot"), "echo", {"text": "x"}), Released)
    generated: list[object] = []
    real = slices.function_of

    def counting(*given: object, **named: object) -> object:
        generated.append(asyncio._get_running_loop())
        return real(*given, **named)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(slices, "function_of", counting)
    new = await applied(api, POLICIES + MORE)
    assert "more" in new.policies
    assert "hand___echo" in new.asked
    assert generated, "made before the first call"
    assert set(generated) == {None}, "never on the loop"
    before = len(generated)
    assert isinstance(await api.call(await api.token("agent", "bot"), "echo", {"text": "x"}), Released)
    assert len(generated) == before


async def test_a_bundle_that_ran_before_comes_back_as_it_was_but_not_for_ever(api: World):
    first = await applied(api, POLICIES)
    second = await applied(api, POLICIES + MORE)
    assert second is not first
    assert await applied(api, POLICIES) is first
    for n in range(recent.RECENT_MAX):
        await applied(api, POLICIES + MORE.replace("9999", f"{n}9999"))
    again = await applied(api, POLICIES)
    assert again is not first
    assert again.digest == first.digest


async def test_what_was_switched_off_stays_off_under_the_next_bundle(api: World):
    old = await applied(api, POLICIES)
    old.shadow.difference, old.shadow.reported = Difference("bot", "hand___echo", "x", "y"), True
    new = await applied(api, POLICIES + MORE)
    assert new is not old
    assert (new.shadow.difference, new.shadow.unreported) == (old.shadow.difference, None)


async def test_a_process_that_checks_policies_leaves_what_it_found_and_says_what_is_wrong(tmp_path: Path):
    bundles, pace = Bundles(tmp_path / "bundles"), Pace()
    await check_apart(small(), tmp_path / "bundles", pace)
    bundles.refresh()
    assert len(bundles.memory().validated) == 1
    with pytest.raises(Invalid) as refused:
        await check_apart(replace(small(), policies=(PolicySource("b.cedar", "\npermit"),)), tmp_path / "bundles", pace)
    assert [problem[:10] for problem in refused.value.problems] == ["b.cedar:2:"]


async def test_a_process_that_dies_costs_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    await check_apart(small(), tmp_path / "bundles", Pace())
    killed = tmp_path / "killed"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(killed))
    await check_apart(small(), tmp_path / "bundles", Pace())
    chatty = tmp_path / "chatty"
    chatty.write_text("#!/bin/sh\necho nonsense\nexec sleep 60\n")
    chatty.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(chatty))
    await check_apart(small(), tmp_path / "bundles", Pace())
    assert Bundles(tmp_path / "bundles").memory() == NOTHING


async def test_who_gives_up_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    slow, pid = tmp_path / "slow", tmp_path / "pid"
    slow.write_text(f"#!/bin/sh\necho $$ > {pid}\nexec sleep 60\n")
    slow.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(slow))
    waiting = asyncio.create_task(check_apart(small(), tmp_path / "bundles", Pace()))

    async def began() -> bool:
        return pid.exists() and bool(pid.read_text().strip())

    await until(began)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), signal.SIGTERM)


async def test_a_process_is_started_only_where_there_is_enough_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    started: list[int] = []
    real = preparation.check_apart

    async def counting(source: WorkspaceSource, folder: Path, pace: Pace) -> None:
        started.append(len(source.policies))
        await real(source, folder, pace)

    monkeypatch.setattr(preparation, "check_apart", counting)
    monkeypatch.setattr(preparation, "APART_MIN", 3)
    making, more = (
        Preparation(Bundles(tmp_path / "bundles")),
        tuple(declare(f"inline{n}", PolicySpec(ONE % n)) for n in range(3)),
    )
    one, two = small(), small(*more)
    await making.prepare(one, one)
    assert started == []
    found = await making.prepare(two, one)
    assert started == [1]
    assert len(found.bundle.policies) == 4
    await making.prepare(two, one)
    assert started == [1], "all is remembered"
    await making.prepare(replace(two, lock=lock_of(NOW)), two)
    await making.prepare(replace(two, resources=(*two.resources, declare("new", GroupSpec()))), two)
    assert started == [1, 1, 1], "another schema: all is checked again"
    assert making.pace is None
