"""`remit policy suggest`: least privilege from use, judged by history before anyone applies it."""

import asyncio
import json
from pathlib import Path

import pytest

from remit.app.assurance.least_privilege import suggest_policy
from remit.app.cli import run
from remit.app.terminal.failure import Exit
from tests.e2e.api_world import POLICIES, world
from tests.e2e.telemetry_world import export, protobuf, span

pytestmark = pytest.mark.asyncio


async def test_what_an_agent_used_is_suggested_and_its_history_comes_out_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with world(tmp_path) as api:
        bot, other = await api.token("agent", "bot", user="ann"), await api.token("agent", "other", user="ann")
        for number in range(3):
            await api.call(bot, "echo", {"text": str(number)})
        await api.call(other, "error", {})
        await api.call(bot, "fails", {})
        await api.delegate(bot, "sub")
    data, workspace = tmp_path / "data", tmp_path / "workspace"
    found = suggest_policy(data / "ledger.sqlite3", workspace, "bot", 0, "2026-11-01")
    assert sorted(str(use) for use in found.least.used) == ["hand/echo", "sub"]
    assert "hand/error" in found.least.unused
    assert "hand/fails" not in found.least.text
    assert 'context.onBehalfOf == Remit::User::"ann"' in found.least.text
    assert "context.input" not in found.least.text, "three calls with three values are no habit"
    assert (found.judged, found.same, found.differences) == (4, 4, ())
    options = ["--data", str(data), "--workspace", str(workspace)]
    assert run(["policy", "suggest", "bot", *options, "-o", "json"]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert (said["judged"], said["same"]) == (4, 4)
    # Kept in the workspace, and the agent taken out of what permits more, it is a bundle that validates.
    wide = '@reason("bots may use the hand")\npermit (principal,'
    assert wide in POLICIES
    kept = POLICIES.replace(wide, wide.replace("principal", 'principal == Remit::Agent::"other"'))
    (workspace / "policies.cedar").write_text(kept)
    (workspace / "least.cedar").write_text(said["policies"])
    again = suggest_policy(data / "ledger.sqlite3", workspace, "bot", 0, "2026-11-01")
    assert again.least.unused == ()
    assert run(["policy", "suggest", "nobody", *options]) == Exit.NOT_FOUND
    assert run(["policy", "suggest", "bot", "--data", str(tmp_path), "--workspace", str(workspace)]) == Exit.NOT_FOUND


async def test_a_value_that_every_call_had_is_all_that_is_suggested(tmp_path: Path) -> None:
    async with world(tmp_path) as api:
        bot = await api.token("agent", "bot", user="ann")
        for _ in range(4):
            await api.call(bot, "echo", {"text": "x"})
    found = suggest_policy(tmp_path / "data" / "ledger.sqlite3", tmp_path / "workspace", "bot", 0, "2026-11-01")
    assert 'context.input["text"] == "x"' in found.least.text
    assert (found.judged, found.same) == (4, 4)


UNCONDITIONAL = 'resource);\n\n@id("never-fails")'


async def test_conditions_of_the_permits_it_stands_for_go_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without them the suggestion is wider than what runs, which no replay of what was permitted shows."""
    policies = tmp_path / "workspace" / "policies.cedar"
    assert UNCONDITIONAL in POLICIES
    own = 'resource)\n// a person said so; really\nwhen { context.input has text && !(context.input.text like "*;*") };'
    async with world(tmp_path) as api:
        bot = await api.token("agent", "bot", user="ann")
        policies.write_text(POLICIES.replace(UNCONDITIONAL, f'{own}\n\n@id("never-fails")'))
        await api.told("POST", "/apply", body={})
        await api.call(bot, "echo", {"text": "x"})
    options = ["--data", str(tmp_path / "data"), "--workspace", str(tmp_path / "workspace")]
    assert run(["policy", "suggest", "bot", *options]) == Exit.OK
    said = capsys.readouterr()
    assert 'when { context.input has text && !(context.input.text like "*;*") };' in said.out
    assert "a person said so" not in said.out
    assert "// with what may-use (policies.cedar:" in said.out
    assert "with the conditions and obligations of may-use (policies.cedar:" in said.err
    (tmp_path / "workspace" / "least.cedar").write_text(said.out)
    wide = '@reason("bots may use the hand")\npermit (principal,'
    kept = POLICIES.replace(wide, wide.replace("principal", 'principal == Remit::Agent::"other"'))
    policies.write_text(kept)
    again = suggest_policy(tmp_path / "data" / "ledger.sqlite3", tmp_path / "workspace", "bot", 0, "2026-11-01")
    assert again.least.text.count('context.input.text like "*;*"') == 1, "what was suggested before is what runs now"
    (tmp_path / "workspace" / "least.cedar").unlink()
    policies.write_text(POLICIES)
    assert run(["policy", "suggest", "bot", *options, "-o", "json"]) == Exit.OK
    said = json.loads(capsys.readouterr().out)
    assert (said["carried"], said["conditional"]) == ([], [])


async def test_conditions_that_cannot_stand_in_a_narrower_permit_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policies = tmp_path / "workspace" / "policies.cedar"
    own = 'resource)\nwhen { !(context has input && context.input has text && context.input.text == "y") };'
    async with world(tmp_path) as api:
        bot = await api.token("agent", "bot", user="ann")
        wide = POLICIES.replace(UNCONDITIONAL, f'{own}\n\n@id("never-fails")')
        wide = wide.replace('action in Remit::Action::"server:hand",', "action,")
        policies.write_text(
            wide.replace('@id("may-delegate")\npermit', '@id("may-not")\nforbid').replace(
                '"delegate", resource);', '"delegate", resource == Remit::Agent::"eve");'
            )
        )
        await api.told("POST", "/apply", body={})
        await api.delegate(bot, "sub")
    options = ["--data", str(tmp_path / "data"), "--workspace", str(tmp_path / "workspace")]
    assert run(["policy", "suggest", "bot", *options]) == Exit.OK
    said = capsys.readouterr()
    assert "// may-use (policies.cedar:" in said.out
    assert "context.input" not in said.out
    assert "wider than may-use (policies.cedar:" in said.err
    assert run(["policy", "suggest", "bot", *options, "-o", "json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out)["conditional"][0].startswith("may-use (")


async def test_what_would_be_decided_otherwise_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with world(tmp_path) as api:
        bot = await api.token("agent", "bot", user="ann")
        await api.call(bot, "echo", {"text": "x"})
    policies = tmp_path / "workspace" / "policies.cedar"
    more = '@id("no-more")\nforbid (principal, action == Remit::Action::"hand___echo", resource);\n'
    policies.write_text(f"{POLICIES}\n{more}")
    options = ["--data", str(tmp_path / "data"), "--workspace", str(tmp_path / "workspace")]
    assert run(["policy", "suggest", "bot", *options]) == Exit.NEGATIVE
    said = capsys.readouterr()
    assert 'permit (\n  principal == Remit::Agent::"bot"' in said.out
    assert "of 1 action 0 would be decided as they were" in said.err
    assert "hand/echo: permit, now deny" in said.err


async def test_what_was_found_is_drafted_and_registered_by_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path) as api:
        monkeypatch.setenv("REMIT_URL", api.url)
        monkeypatch.setenv("REMIT_TOKEN", api.admin)
        told = export(
            span("tool", 3, 2, 5, gen_ai__operation__name="execute_tool", gen_ai__tool__name="hand___echo"),
            span("agent", 2, 0, 5, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="planner"),
        )
        heads = {"authorization": f"Bearer {api.admin}", "content-type": "application/x-protobuf"}
        await api.http.post(f"{api.url}/otlp/v1/traces", content=protobuf(told), headers=heads)
        command = ["agents", "register", "plans", "--from", "agent/otlp:planner"]
        assert await asyncio.to_thread(run, command) == Exit.OK
        drafted = capsys.readouterr().out
        assert 'name: "plans"' in drafted
        assert 'Remit::Action::"hand___echo"' in drafted
        assert not (api.workspace / "agents" / "plans.yaml").exists(), "registering is a person's act"
        assert await asyncio.to_thread(run, [*command, "--owner", "ann", "--purpose", "plans"]) == Exit.OK
        said = capsys.readouterr()
        assert "remit inventory apart agent/plans agent/otlp:planner" in said.err
        (api.workspace / "planner.cedar").write_text(said.out)
        applied = await asyncio.to_thread(run, ["apply"])
        assert applied == Exit.OK, capsys.readouterr().err
        found = await api.told("GET", "/inventory/agent/otlp:planner")
        assert (found["name"], found["registered"], found["owner"]) == ("agent/plans", True, "ann")
        assert [(one["source"], one["confidence"]) for one in found["because"]] == [("admin", "stated")]
        other = ["agents", "register", "another", *command[3:], "--owner", "ann", "--purpose", "plans"]
        assert await asyncio.to_thread(run, other) == Exit.NEGATIVE
        assert "it is agent/plans" in capsys.readouterr().err
        assert not (api.workspace / "agents" / "another.yaml").exists()
        for asked, status in (("agent/otlp:nobody", 404), ("tool/hand/echo", 400), ("what", 400)):
            body = {"owner": "ann", "purpose": "p", "found": asked}
            assert (await api.ask("POST", "/agents/another", api.admin, body)).status_code == status, asked
        for name in ("bad name/..", "../x", "a" * 64):
            for verb in (["register", name, "--owner", "ann", "--purpose", "p"], ["enforce", name], ["report", name]):
                assert await asyncio.to_thread(run, ["agents", *verb]) == Exit.USAGE
                assert "a name is 1-63 of letters, digits" in capsys.readouterr().err
        assert await asyncio.to_thread(run, ["agents", "register", "nobody"]) == Exit.USAGE
        capsys.readouterr()
        assert await asyncio.to_thread(run, ["agents", "register", "x", "--from", "tool/hand/echo"]) == Exit.USAGE
        assert "is no agent" in capsys.readouterr().err
