"""The way of one `tools/call` through the code is the one that docs/ARCHITECTURE.md tells, in its order."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.e2e.gateway_world import ROOT, gateway, headers, shop_process
from tests.e2e.test_gateway_wire import message

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

STEP = re.compile(r"^([a-z]+(?:/[a-z_]+)+) +([A-Za-z_.]+)", re.MULTILINE)


def told() -> list[tuple[str, str]]:
    """Each step of the page: its module below `remit`, and the function's name there."""
    page = (ROOT / "docs" / "ARCHITECTURE.md").read_text("utf-8")
    block = page.partition("test_way_of_a_call.py")[2].partition("```")[2].partition("```")[0]
    return [(module.replace("/", "."), name) for module, name in STEP.findall(block)]


@pytest.mark.asyncio
async def test_a_call_passes_what_the_page_names_in_its_order(tmp_path: Path) -> None:
    passed = list[tuple[str, str]]()

    def note(frame: FrameType, event: str, _: object) -> None:
        module = str(frame.f_globals.get("__name__", ""))
        if event == "call" and module.startswith("remit."):
            step = module.removeprefix("remit."), frame.f_code.co_qualname
            if step not in passed:
                passed.append(step)

    with shop_process(tmp_path / "shop") as shop:
        async with gateway(tmp_path, shop) as world, aiohttp.ClientSession() as session:
            sent = message("tools/call", {"name": "echo", "arguments": {"text": "hello"}})
            head = headers(world.token(), "tools/call", "echo")
            sys.setprofile(note)
            try:
                async with session.post(f"{world.url}/mcp/shop", data=sent, headers=head) as answer:
                    assert "hello" in await answer.text()
            finally:
                sys.setprofile(None)
    steps = told()
    assert len(steps) > 15
    assert [step for step in passed if step in steps] == steps
