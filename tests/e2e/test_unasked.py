"""A server is not asked anything for an agent whom policy lets do nothing with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.facts.canonical import canonical
from remit.facts.catalog import PolicySource
from remit.pep.answer import Client, Refused, Released
from remit.policy.verdict import Code
from remit.ports.upstream import Era, Offer
from tests.e2e.gateway_parts import bench
from tests.e2e.gateway_world import compiled

if TYPE_CHECKING:
    from pathlib import Path

    from remit.pep.answer import Answer
    from tests.e2e.gateway_parts import Bench

CLIENT = Client(Era.STATELESS)
PAYS = '@id("pays") permit (principal, action == Remit::Action::"shop___pay", resource);'
READS = '@id("reads") permit (principal, action == Remit::Action::"read_resource", resource);'
NOTHING = '@id("no") forbid (principal, action, resource);'


def allow(b: Bench, *policies: str) -> None:
    sources = tuple(PolicySource(f"{place}.cedar", text) for place, text in enumerate(policies))
    b.bundle = compiled(replace(b.bundle.catalog, policies=sources))


def counted(b: Bench) -> list[str]:
    """What the server is asked from now on."""
    asked: list[str] = []
    behind: Any = b.upstream

    def counting(name: str, real: Any) -> Any:
        def count(*of: Any, **more: Any) -> Any:
            asked.append(name)
            return real(*of, **more)

        return count

    for name in ("definitions", "introduce", "watch", "ask", "call"):
        setattr(behind, name, counting(name, getattr(behind, name)))
    return asked


async def call(b: Bench, tool: str) -> Answer:
    return await b.driver.call_tool(b.authority(), CLIENT, "shop", tool, {"text": "x"}, canonical({"text": "x"}))


@pytest.mark.asyncio
async def test_what_is_denied_whatever_a_server_says_is_denied_without_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.upstream.says = "use me well"
        allow(b, NOTHING)
        asked = counted(b)
        refused = await call(b, "echo")
        assert isinstance(refused, Refused)
        assert refused.reasons[0].code not in {Code.TOOL_UNVERIFIED, Code.UNKNOWN_TOOL}, "policy said no"
        unknown = await call(b, "no-such-tool")
        assert isinstance(unknown, Refused)
        assert unknown.reasons[0].code is Code.UNKNOWN_TOOL
        assert (await b.driver.introduce(b.authority(), CLIENT, "shop")).instructions is None
        watch = b.driver.watch(b.authority(), CLIENT, "shop", frozenset({Offer.TOOLS}), frozenset())
        [said] = [one async for one in watch]
        assert getattr(said, "offers", None) == {Offer.TOOLS}, "another bundle may show some"
        assert not getattr(said, "live", True)
        assert asked == []


@pytest.mark.asyncio
async def test_who_may_do_something_with_a_server_has_it_asked(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.upstream.says = "use me well"
        allow(b, PAYS)
        asked = counted(b)
        refused = await call(b, "echo")
        assert isinstance(refused, Refused)
        assert refused.reasons[0].code is Code.NO_POLICY
        assert asked == [], "another tool than the one that is permitted"
        await call(b, "no-such-tool")
        assert asked == ["definitions"], "it may be there by now, and wait for review"
        allow(b, READS)
        assert (await b.driver.introduce(b.authority(), CLIENT, "shop")).instructions == "use me well"
        allow(b, '@id("all") permit (principal, action, resource);')
        asked.clear()
        assert isinstance(await call(b, "echo"), Released)
        assert asked == ["definitions", "call"]
