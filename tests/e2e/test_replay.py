"""`remit replay`: files in, one line a call out."""

import gzip
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from proof.child import child
from proof.service import REMIT, WITHIN_S, environment
from remit.app.assurance import replay
from remit.app.cli import run
from remit.app.terminal.failure import Exit
from remit.control.lock import EMPTY, accept_server, list_pin
from remit.control.lock_text import serialise
from remit.facts.tool import Definition

SEND = Definition("send", "Sends.", {"type": "object", "properties": {"to": {"type": "string"}}}, None, {})


def resource(kind: str, name: str, spec: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "remit.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Agent `ada` may send until something untrusted was said; then `owner` decides."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    documents = (
        resource("User", "uma", {}),
        resource("Agent", "ada", {"owner": "uma", "purpose": "sends"}),
        resource("Route", "owner", {"users": ["uma"]}),
        resource("Server", "post", {"url": "http://127.0.0.1:9/mcp"}),
    )
    (folder / "all.yaml").write_text("\n---\n".join(documents))
    (folder / "all.cedar").write_text(
        '@id("all") permit (principal, action, resource);\n'
        '@id("gate") @gate("owner") forbid (principal, action, resource)'
        ' when { context.session.labels.contains(Remit::Label::"untrusted") };\n'
    )
    (folder / "remit.lock").write_text(serialise(accept_server(EMPTY, "post", [SEND], list_pin([SEND]))))
    return folder


def sessions(count: int) -> str:
    """Sessions of two calls each, with a result between them; the agent is one that the workspace does not know."""
    lines: list[str] = []
    for number in range(count):
        call = {"type": "tool_call", "turn": 1, "call_id": "a", "tool": "send", "args": {"to": "x"}}
        result = {"type": "tool_result", "turn": 1, "call_id": "a", "tool": "send", "result": "sent", "error": None}
        events = ({"type": "user", "turn": 0, "text": "send x"}, call, result, {**call, "turn": 2, "call_id": "b"})
        lines.append(json.dumps({"session": f"s{number}", "suite": "post", "agent": "post-bot", "events": events}))
    return "\n".join(lines) + "\n"


def judged(text: str) -> list[tuple[str, str, str]]:
    found: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    return [(one["session"], one["call_id"], one["verdict"]) for one in found]


@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.gz"])
def test_one_line_a_call_and_the_talk_on_stderr(
    name: str, workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = sessions(1).encode()
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    assert run(["replay", "--sessions", str(tmp_path / name), "--workspace", str(workspace), "-o", "jsonl"]) == Exit.OK
    out, err = capfd.readouterr()
    assert judged(out) == [("s0", "a", "permit"), ("s0", "b", "escalate")]
    assert "1 sessions, 2 calls" in err


def test_many_processes_give_the_bytes_that_one_gives(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.jsonl").write_text(sessions(150))
    asked = ["replay", "--sessions", str(tmp_path / "s.jsonl"), "--workspace", str(workspace)]
    assert run([*asked, "--jobs", "1"]) == Exit.OK
    alone = capfd.readouterr().out
    monkeypatch.setattr(replay, "PARALLEL_FROM_BYTES", 1)
    assert run([*asked, "--jobs", "2"]) == Exit.OK
    assert capfd.readouterr().out == alone
    assert len(judged(alone)) == 300


def test_what_people_granted_lifts_later_gates_on_one_core_and_on_many(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one: list[dict[str, Any]] = [json.loads(line) for line in sessions(2).splitlines()]
    for session in one:
        session["events"].append({**session["events"][-1], "turn": 3, "call_id": "c"})
    (tmp_path / "s.jsonl").write_text("".join(json.dumps(session) + "\n" for session in one))
    grants = tmp_path / "approve.jsonl"
    grants.write_text(
        '{"session": "s0", "call_id": "b", "scope": "session"}\n\n{"session": "s1", "call_id": "b", "scope": "once"}\n'
    )
    asked = ["replay", "--sessions", str(tmp_path / "s.jsonl"), "--workspace", str(workspace)]
    assert run([*asked, "--approve", str(grants), "--jobs", "1"]) == Exit.OK
    alone = capfd.readouterr().out
    assert [verdict for _, _, verdict in judged(alone)] == [
        "permit",
        "escalate",
        "permit",
        "permit",
        "escalate",
        "escalate",
    ]
    monkeypatch.setattr(replay, "PARALLEL_FROM_BYTES", 1)
    assert run([*asked, "--approve", str(grants), "--jobs", "2"]) == Exit.OK
    assert capfd.readouterr().out == alone
    grants.write_text('{"session": "s0", "call_id": "b", "scope": "all"}\n')
    assert run([*asked, "--approve", str(grants)]) == Exit.INVALID
    assert f"{grants}:1" in capfd.readouterr().err
    assert run(["replay", "--ledger", "--approve", str(grants)]) == Exit.USAGE


def test_a_malformed_line_is_refused_with_file_and_line(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "s.jsonl"
    bad.write_text(sessions(1) + '\n{"session": 1}\n')
    assert run(["replay", "--sessions", str(bad), "--workspace", str(workspace)]) == Exit.INVALID
    out, err = capfd.readouterr()
    assert judged(out)[-1] == ("s0", "b", "escalate")
    assert f"{bad}:3" in err
    assert "events is not a list" in err
    bad.write_bytes(gzip.compress(sessions(1).encode())[:-20])
    assert run(["replay", "--sessions", str(bad), "--workspace", str(workspace)]) == Exit.INVALID
    assert "breaks off" in capfd.readouterr().err


@pytest.mark.parametrize("end", ["cut", "sum", "more", "long", "malformed"])
def test_what_stands_before_the_line_that_ends_it_is_judged_on_one_core_and_on_many(
    end: str, workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sessions(300).encode()
    packed = gzip.compress(text, 0)
    whole = {
        "cut": packed[:-9000],
        "sum": packed[:-8] + b"\0\0\0\0" + packed[-4:],
        "more": packed + b"more",
        "long": text + b" " * 10_001 + b"\n",
        "malformed": text + b'{"session": "s\n',
    }
    file = tmp_path / "s.jsonl"
    file.write_bytes(whole[end])
    monkeypatch.setattr(replay, "LINE_BYTES_MAX", 10_000)
    asked = ["replay", "--sessions", str(file), "--workspace", str(workspace)]
    assert run([*asked, "--jobs", "1"]) == Exit.INVALID
    alone = capfd.readouterr()
    monkeypatch.setattr(replay, "PARALLEL_FROM_BYTES", 1)
    assert run([*asked, "--jobs", "2"]) == Exit.INVALID
    many = capfd.readouterr()
    assert many.out == alone.out
    assert many.err.endswith(alone.err[alone.err.index("error: ") :])
    assert len(judged(alone.out)) == 600 if end != "cut" else 400 < len(judged(alone.out)) < 600
    assert f"{file}:{len(judged(alone.out)) // 2 + 1} is no recorded session" in alone.err
    assert " at at " not in alone.err


def test_a_recording_comes_through_standard_input(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "s.jsonl.gz"
    file.write_bytes(gzip.compress(sessions(2).encode()))
    kept = os.dup(0)
    try:
        with file.open("rb") as stream:
            os.dup2(stream.fileno(), 0)
        assert run(["replay", "--sessions", "-", "--workspace", str(workspace)]) == Exit.OK
        assert run(["replay", "--sessions", "-", "--workspace", str(workspace)]) == Exit.OK, "it stays open, at its end"
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert len(judged(capfd.readouterr().out)) == 4


def test_whoever_waits_for_what_would_change_is_told_how_far_it_is(workspace: Path) -> None:
    asked = [REMIT, "replay", "--sessions", "-", "--workspace", workspace, "--against", workspace]
    pipe = subprocess.PIPE
    process = subprocess.Popen(asked, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment())
    with child(process) as running:
        assert running.stdin is not None
        assert running.stderr is not None
        running.stdin.write(sessions(2))
        running.stdin.flush()
        # The recording goes on: nothing but progress is said before it ends.
        said = running.stderr.readline()
        out, err = running.communicate(timeout=WITHIN_S)
    assert said.endswith(" actions …\n"), (said, err)
    assert out.splitlines()[0] == "4 actions: newly denied 0  newly asked 0  newly permitted 0"


@pytest.mark.parametrize("line", [b"\n", b" " * 1_000_000 + b"\n", b" " * 200_000_000])
def test_a_small_file_that_unpacks_into_nothing_without_end_is_refused(
    line: bytes, workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    bomb = tmp_path / "s.jsonl.gz"
    bomb.write_bytes(gzip.compress(sessions(1).encode() + line * (200_000_000 // len(line)), 1))
    begun_s = time.thread_time()
    assert run(["replay", "--sessions", str(bomb), "--workspace", str(workspace), "--jobs", "1"]) == Exit.INVALID
    assert time.thread_time() - begun_s < 5
    out, err = capfd.readouterr()
    assert judged(out)[-1] == ("s0", "b", "escalate")
    assert f"{bomb}:" in err
    assert "blank lines take more than 1048576 bytes" in err or "longer than" in err


def test_a_recording_has_an_end(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = sessions(3)
    (tmp_path / "s.jsonl").write_text(text + "\n" * 100)
    asked = ["replay", "--sessions", str(tmp_path / "s.jsonl"), "--workspace", str(workspace), "--jobs", "1"]
    assert run(asked) == Exit.OK
    monkeypatch.setattr(replay, "TEXT_BYTES_MAX", len(text) - 1)
    assert run(asked) == Exit.INVALID
    assert f"takes more than {len(text) - 1} bytes: split it" in capfd.readouterr().err


def test_what_cannot_be_replayed_says_what_to_do(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "s.jsonl").write_text(sessions(1))
    good = ["--sessions", str(tmp_path / "s.jsonl"), "--workspace", str(workspace)]
    assert run(["replay", *good, "--agent", "zoe"]) == Exit.NOT_FOUND
    assert "it has ada" in capfd.readouterr().err
    assert run(["replay", "--workspace", str(workspace)]) == Exit.USAGE
    assert run(["replay", "--sessions", str(tmp_path / "none"), "--workspace", str(workspace)]) == Exit.NOT_FOUND
    (workspace / "wrong.cedar").write_text("permit")
    assert run(["replay", *good]) == Exit.INVALID
    assert "wrong.cedar" in capfd.readouterr().err


def test_another_workspace_is_shown_by_what_it_would_change(
    workspace: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(workspace, other)
    (other / "all.cedar").write_text('@id("all") permit (principal, action, resource);\n')
    (tmp_path / "s.jsonl").write_text(sessions(2))
    asked = ["replay", "--sessions", str(tmp_path / "s.jsonl"), "--workspace", str(workspace), "--against", str(other)]
    assert run(asked) == Exit.OK
    told = capfd.readouterr().out.splitlines()
    assert told[0].split("  ")[-5:] == ["newly permitted", "post-bot", "post/send", "was escalate", "all"]
    assert told[1] == "4 actions: newly denied 0  newly asked 0  newly permitted 2"
    assert told[2] == "asks per day: 2.0 before, 0.0 after, over 1.0 days"
    assert run([*asked, "-o", "jsonl"]) == Exit.OK
    out, err = capfd.readouterr()
    assert [(one["call_id"], one["was"], one["verdict"]) for one in map(json.loads, out.splitlines())] == [
        ("b", "escalate", "permit"),
        ("b", "escalate", "permit"),
    ]
    assert "asks per day" in err
