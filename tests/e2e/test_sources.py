"""Source resources at work, over a real inventory: looked at, followed as they change, told of while they fail."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.sources.listing import ListingSource
from remit.adapters.system import SystemClock
from remit.app.discovery.facade import open_discovery
from remit.app.discovery.source_watch import FAILED, SourceWatcher
from remit.discover.entry import ConditionStatus
from remit.discover.sighting import Kind, Subject
from remit.facts.source import Watched, Watches
from remit.ports.source import SourceBatch
from remit.work import sources
from tests.eventually import eventually

pytestmark = pytest.mark.asyncio
SHOP = Subject(Kind.AGENT, "shop/app.py#writer", "repo")
LISTED = Subject(Kind.AGENT, "Night report", "import")


async def test_sources_are_looked_at_as_the_bundle_has_them(tmp_path: Path) -> None:
    shop, home = tmp_path / "shop", tmp_path / "uma"
    shop.mkdir()
    (home / ".cursor").mkdir(parents=True)
    (home / ".cursor/mcp.json").write_text('{"mcpServers": {"files": {"command": "npx", "args": ["fs"]}}}')
    (shop / "app.py").write_text("from crewai import Agent\nwriter = Agent(role='w', llm='gpt-5')\n")
    discovery = open_discovery(tmp_path, SystemClock())
    await discovery.start()
    watching = SourceWatcher(discovery, SystemClock())
    repository = Watched("shop", Watches.REPOSITORY, str(shop), (), (), processes=True, every_s=600)
    host = Watched("here", Watches.HOST, None, (str(home),), (str(shop),), processes=False, every_s=600)
    missing = Watched("list", Watches.FILE, str(tmp_path / "none.csv"), (), (), processes=True, every_s=600)
    try:
        watching.follow({one.name: one for one in (repository, host, missing)})
        await eventually(lambda: SHOP in discovery.inventory)
        await eventually(lambda: any(one.name.startswith("cursor/uma@") for one in discovery.inventory))
        await eventually(lambda: (FAILED, "Source list") in discovery.troubles)
        assert "there is no file" in discovery.troubles[FAILED, "Source list"].why
        assert (watching.states["list"].status, watching.states["list"].at_ms) == (ConditionStatus.FALSE, None)
        await eventually(lambda: watching.states["shop"].status is ConditionStatus.TRUE)
        assert "sightings; looked at again in 600 s" in watching.states["shop"].message
        assert LISTED not in discovery.inventory
        (tmp_path / "list.csv").write_text("kind,name\nagent,Night report\n")
        found = replace(missing, path=str(tmp_path / "list.csv"))
        watching.follow({"list": found})
        await eventually(lambda: LISTED in discovery.inventory)
        await eventually(lambda: (FAILED, "Source list") not in discovery.troubles)
        await eventually(lambda: watching.states["list"].status is ConditionStatus.TRUE)
        watching.follow({})
        assert watching.states == {}
    finally:
        await watching.close()
        await discovery.close()


async def test_an_error_of_our_own_fails_the_look_and_not_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list.csv").write_text("kind,name\nagent,Night report\n")
    real, broken = ListingSource.look, [True]

    async def look(self: ListingSource) -> AsyncIterator[SourceBatch]:
        if broken:
            raise RecursionError("too deep")
        async for found in real(self):
            yield found

    monkeypatch.setattr(ListingSource, "look", look)
    monkeypatch.setattr(sources, "FIRST_S", 0.05)
    discovery = open_discovery(tmp_path, SystemClock())
    await discovery.start()
    watching = SourceWatcher(discovery, SystemClock())
    listed = Watched("list", Watches.FILE, str(tmp_path / "list.csv"), (), (), processes=True, every_s=600)
    try:
        watching.follow({"list": listed})
        assert watching.states["list"].status is ConditionStatus.UNKNOWN
        await eventually(lambda: watching.states["list"].status is ConditionStatus.FALSE)
        assert "an error of Remit's own: RecursionError" in watching.states["list"].message
        broken.clear()
        await eventually(lambda: LISTED in discovery.inventory)
        await eventually(lambda: watching.states["list"].status is ConditionStatus.TRUE)
    finally:
        await watching.close()
        await discovery.close()
