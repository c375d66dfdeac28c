"""A channel that nothing could be signed for is told of before anything waits that it should tell."""

import base64
from pathlib import Path

import pytest

from remit.app.service.channel_signatures import unsigned_channels
from remit.control.resources import ChannelSpec
from remit.facts.credential import FromCommand, FromEnv, FromFile, Origin, Secret
from tests.contract.ledger_world import SteadyClock
from tests.core.declaring import declare, small

KEY = "whsec_" + base64.b64encode(bytes(32)).decode()


async def said(origin: Origin) -> list[tuple[str, str]]:
    source = small(declare("desk", ChannelSpec("https://hooks.example", Secret(origin))))
    return [(one.what, one.next) for one in await unsigned_channels(source, SteadyClock())]


@pytest.mark.asyncio
async def test_a_secret_that_is_not_there_or_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    [(what, following)] = await said(FromEnv("HOOK"))
    assert what == "channel 'desk' is told nothing: the environment variable HOOK is not set"
    assert following == "set it for the service, then start it: remit up"
    monkeypatch.setenv("HOOK", "too short")
    [(what, following)] = await said(FromEnv("HOOK"))
    assert "its secret cannot sign" in what
    assert "too short" not in what
    assert "remit doctor" in following
    monkeypatch.setenv("HOOK", KEY)
    assert await said(FromEnv("HOOK")) == []
    file = tmp_path / "hook"
    [(what, _)] = await said(FromFile(str(file)))
    assert f"the file {file} cannot be read" in what
    file.write_text(KEY, "utf-8")
    assert await said(FromFile(str(file))) == []


@pytest.mark.asyncio
async def test_no_program_is_run_to_find_out(tmp_path: Path) -> None:
    assert await said(FromCommand(("/usr/bin/touch", str(tmp_path / "ran")))) == []
    assert not (tmp_path / "ran").exists()
