"""The demo's parts, with the real servers and the real MCP client, and nothing of Remit between."""

import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from proof.child import child
from remit.adapters.workspace.folder import Folder
from remit.app.demo import acts, agent, ask, expect, install, page, scene, story
from remit.app.demo.narrate import Narrator, Sign
from remit.app.service import child_process
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure
from remit.control import lock_text
from remit.control.assemble import Assembled, assemble
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from tests.eventually import WITHIN_S
from tools.lock import addresses

SECRET = "shop-key-not-a-real-one"
AGENT = Path(agent.__file__)
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


@pytest.fixture(scope="module")
def environments() -> Mapping[str, install.VirtualEnvironment]:
    return install.install(install.runnable_servers(), print)


@pytest.fixture
def world() -> Iterator[page.DemoHosts]:
    with page.open_world() as world:
        yield world


def run_agent(*arguments: str) -> tuple[list[expect.AgentLine], subprocess.CompletedProcess[str]]:
    command = [str(install.agent_python(print)), "-P", str(AGENT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    return [expect.parse(line) for line in done.stdout.splitlines()], done


def get(origin: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(origin.removeprefix("http://"), timeout=WITHIN_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize("name", [*install.SERVERS, install.GIT, install.AGENT])
def test_a_lock_is_hashed_and_names_no_address(name: str) -> None:
    text = install.lock_text(name)
    assert addresses(text) == []
    requirements = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
    assert len(requirements) > 10
    assert all(line.endswith("\\") for line in requirements)


@pytest.mark.timeout(600)
def test_the_injected_order_reaches_a_naive_agent_and_does_harm(
    tmp_path: Path, world: page.DemoHosts, environments: Mapping[str, install.VirtualEnvironment]
) -> None:
    laid = scene.lay_out(tmp_path, world, environments, SECRET)
    seen, done = run_agent("--page", world.page_url, "--servers", str(laid.servers))
    assert done.returncode == 0, done.stderr
    wanted = (*expect.errand(laid, world), *expect.harmed(laid))
    assert [step.fault(line) for step, line in zip(wanted, seen, strict=True)] == [None] * len(wanted)
    assert expect.leaked(laid, world.received())
    assert "thirty days" in (laid.files_without / scene.NOTES).read_text()
    assert not (laid.files / scene.NOTES).exists()


@pytest.mark.timeout(600)
def test_without_the_order_the_agent_does_no_harm(
    tmp_path: Path, world: page.DemoHosts, environments: Mapping[str, install.VirtualEnvironment]
) -> None:
    harmless = replace(world, sentence="Receipts are kept for ten years.")
    with page.listening(page.PAGE_ADDRESS, 0, {page.PAGE_PATH: page.poisoned(harmless.sentence)}, []) as origin:
        laid = scene.lay_out(tmp_path, world, environments, SECRET)
        seen, done = run_agent("--page", origin + page.PAGE_PATH, "--servers", str(laid.servers))
    assert done.returncode == 0, done.stderr
    assert (seen[-1].step, seen[-1].ok) == ("instruction", False)
    assert world.received() == ()
    faults = [step.fault(line) for step, line in zip(expect.errand(laid, world), seen, strict=True)]
    assert any(faults), "the demo must notice that nothing was injected"


def test_the_hidden_order_is_not_drawn_and_stands_in_the_page(world: page.DemoHosts) -> None:
    status, body = get(world.page_origin, page.PAGE_PATH)
    assert status == 200
    assert world.sentence in body.decode()
    assert b'<p class="aside">' in body
    assert b"left: -9999px" in body
    assert get(world.page_origin, "/robots.txt")[0] == 404


def test_the_stranger_writes_down_what_reaches_it(world: page.DemoHosts) -> None:
    assert get(world.strange_origin, "/collect?key=a%20b") == (200, b"thank you\n")
    assert world.received() == ("/collect?key=a%20b",)


def test_a_second_world_takes_other_ports(world: page.DemoHosts) -> None:
    with page.open_world(int(world.page_origin.rpartition(":")[2])) as second:
        assert second.page_origin != world.page_origin
        assert second.strange_origin != world.strange_origin
        assert second.strange_origin in second.sentence


def test_a_finished_environment_is_left_alone(environments: Mapping[str, install.VirtualEnvironment]) -> None:
    said: list[str] = []
    assert install.install(environments, said.append) == environments
    assert said == []


def test_an_interrupted_installation_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def populate(environment: install.VirtualEnvironment) -> None:
        assert not environment.folder.exists()
        environment.bin.mkdir(parents=True)
        environment.python.touch()
        made.append(environment.folder)

    monkeypatch.setattr(install, "_populate", populate)
    found = install.install(["time"], print, tmp_path)["time"]
    (found.folder / install.STAMP).unlink()
    install.install(["time"], print, tmp_path)
    install.install(["time"], print, tmp_path)
    assert made == [found.folder, found.folder]


def test_an_index_out_of_reach_says_what_why_and_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "UV_CACHE_DIR": str(tmp_path / "uv"),
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_HTTP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_RETRIES": "0",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CommandFailure) as failed:
        install.install(["time"], print, tmp_path / "cache")
    assert "mcp-server-time" in failed.value.what
    assert failed.value.why
    assert "remit demo" in failed.value.next


def test_a_cache_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandFailure, match="cannot write") as failed:
        install.install(["time"], print, tmp_path / "file" / "cache")
    assert "XDG_CACHE_HOME" in failed.value.next


def test_the_scene_holds_no_placeholder_and_without_git_no_git(tmp_path: Path, world: page.DemoHosts) -> None:
    folder = tmp_path / 'odd "folder'
    folder.mkdir()
    environments = {name: install.VirtualEnvironment(name, tmp_path / name) for name in install.SERVERS}
    laid = scene.lay_out(folder, world, environments, SECRET)
    texts = {path.name: path.read_text() for path in laid.workspace.iterdir()}
    assert sorted(texts) == ["people.yaml", "policies.cedar", "remit.lock", "servers.yaml"]
    assert not any("${" in text for text in texts.values())
    lock, problems = lock_text.parse(texts["remit.lock"])
    assert problems == ()
    assert lock.servers == set(install.SERVERS)
    assert f'like "{world.page_origin}/*"' in texts["policies.cedar"]
    servers = json.loads(laid.servers.read_text())
    assert servers["filesystem"]["cwd"] == str(laid.files_without)
    assert (laid.token("agent").parent.stat().st_mode & 0o077) == 0


@needs_git
def test_with_git_the_notes_stand_in_a_repository(
    tmp_path: Path, world: page.DemoHosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    names = (*install.SERVERS, install.GIT)
    laid = scene.lay_out(
        tmp_path, world, {name: install.VirtualEnvironment(name, tmp_path / name) for name in names}, SECRET
    )
    assert (laid.files / ".git").is_dir()
    assert not (tmp_path / "elsewhere").exists()
    assert (laid.workspace / "git.yaml").exists()
    assert "git" in json.loads(laid.servers.read_text())


def test_the_agent_says_so_when_remit_is_out_of_reach(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("none")
    seen, done = run_agent(
        "--page", "http://127.0.0.1:9/", "--url", "http://127.0.0.1:9/mcp", "--token-file", str(token)
    )
    assert done.returncode == agent.UNREACHABLE
    assert [line.step for line in seen] == ["unreachable"]


def test_a_pending_approval_is_told_from_a_refusal() -> None:
    from remit.pep.answer import Awaiting
    from remit.pep.mcp.refusals import refusal, waiting
    from remit.policy.verdict import Code, Gate, Reason

    reasons = (Reason(Code.GATE, "an address outside needs a word", "strange-host", "policies.cedar:55"),)
    assert agent.PENDING.search(waiting(Awaiting("r1-1.2", (Gate("strange-host", "owner", "x"),), reasons)))
    assert not agent.PENDING.search(refusal(reasons, "r1-1.2"))


def test_a_step_that_ends_otherwise_is_a_fault() -> None:
    wanted = expect.Expect(
        "credential", "reads", ok=False, holds=("[forbidden by policy no-credentials",), lacks=(SECRET,)
    )
    fine = expect.AgentLine(
        "credential", "filesystem___read_file", "{}", ok=False, text="x [forbidden by policy no-credentials, a:1]"
    )
    assert wanted.fault(fine) is None
    assert "went through" in str(wanted.fault(replace(fine, ok=True)))
    assert "went on to" in str(wanted.fault(replace(fine, step="send")))
    assert "does not hold" in str(wanted.fault(replace(fine, text="refused")))
    assert "it holds" in str(wanted.fault(replace(fine, text=fine.text + SECRET)))


def test_a_line_that_is_not_the_agents_is_refused() -> None:
    with pytest.raises(ValueError, match="not a line"):
        expect.parse('{"step": "page"}')


def test_the_agent_stands_alone() -> None:
    """It runs under an interpreter that has `mcp` and not Remit."""
    code = (
        "import ast, sys; tree = ast.parse(open(sys.argv[1]).read());"
        "names = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names} |"
        "{n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)};"
        "print(sorted({n.split('.')[0] for n in names} - sys.stdlib_module_names))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(AGENT)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['httpx2', 'mcp']"


@pytest.mark.parametrize(
    "names",
    [install.SERVERS, pytest.param((*install.SERVERS, install.GIT), marks=needs_git)],
    ids=["without git", "with git"],
)
def test_the_workspace_compiles_without_a_word(tmp_path: Path, world: page.DemoHosts, names: tuple[str, ...]) -> None:
    laid = scene.lay_out(
        tmp_path, world, {name: install.VirtualEnvironment(name, tmp_path / name) for name in names}, SECRET
    )
    source = Folder(laid.workspace).load()
    assert source.problems == ()
    assembled = assemble(source)
    assert isinstance(assembled, Assembled)
    assert assembled.warnings == ()
    compiled = compile_bundle(assembled.catalog)
    assert isinstance(compiled.result, Bundle), compiled.result
    assert compiled.warnings == ()


@pytest.mark.timeout(600)
def test_the_demo_ends_as_it_should_and_leaves_nothing(
    tmp_path: Path, environments: Mapping[str, install.VirtualEnvironment]
) -> None:
    assert environments
    remit = str(Path(sys.executable).with_name("remit"))
    done = subprocess.run(
        [remit, "demo", "--exit", "--port", "0"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"TMPDIR": str(tmp_path), "FORCE_COLOR": "", "NO_COLOR": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "policy no-credentials, policies.cedar:" in done.stdout
    assert "nobody at a terminal: sam says no after 5 s" in done.stdout
    assert "HARM   the strange host received /collect?key=shop-key-" in done.stdout
    assert "of a copy changed, and found in " in done.stdout
    assert "\x1b" not in done.stdout
    assert "FAULT" not in done.stdout
    assert 20 <= len(done.stdout.splitlines()) <= 32
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(600)
def test_a_demo_that_is_interrupted_leaves_no_process_and_no_folder(
    tmp_path: Path, environments: Mapping[str, install.VirtualEnvironment]
) -> None:
    assert environments
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("remit")), "demo", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path)},
    )
    with child(process) as demo:
        assert demo.stdout is not None
        told = next(line for line in demo.stdout if line.startswith("Remit governs at"))
        demo.terminate()
        assert demo.wait(60) == 130
    assert list(tmp_path.iterdir()) == []
    assert child_process.is_free(int(told.split()[3].rstrip(".").rpartition(":")[2]))


@pytest.mark.timeout(600)
def test_the_demo_fails_when_nothing_was_injected(
    tmp_path: Path,
    environments: Mapping[str, install.VirtualEnvironment],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert environments
    harmless = page.poisoned("Receipts are kept for ten years.")

    def unpoisoned(sentence: str) -> bytes:
        assert sentence.encode() not in harmless
        return harmless

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(page, "poisoned", unpoisoned)
    assert story.tell(leave=True, port=0) == 1
    told = capsys.readouterr()
    assert "FAULT  the agent reads the handbook's page: it does not hold" in told.out
    assert "HARM" not in told.out
    assert "did not end as it should" in told.err


@pytest.mark.timeout(600)
def test_the_demo_fails_when_no_harm_was_done(
    tmp_path: Path, world: page.DemoHosts, environments: Mapping[str, install.VirtualEnvironment]
) -> None:
    told = Narrator(Console(file=io.StringIO()))
    laid = scene.lay_out(tmp_path, world, environments, SECRET)
    deaf = replace(world, _requests=[])
    acts.without_remit(acts.DemoStage(told, deaf, laid, install.agent_python(print)))
    assert expect.leaked(laid, world.received())
    assert told.faults == ["no harm was done, so the refusals above prove nothing"]


def test_a_service_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = scene.Scene(tmp_path, SECRET, git=False)
    broken.workspace.mkdir()
    broken.token("admin").parent.mkdir()
    (broken.workspace / "people.yaml").write_text("kind: Nobody\n")
    with pytest.raises(CommandFailure, match="did not start") as failed, child_process.running(broken, 0):
        pass
    assert "people.yaml" in failed.value.why


def test_a_port_that_is_taken_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert not child_process.is_free(taken.getsockname()[1])


@pytest.mark.parametrize(("answer", "approved"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_the_person_at_the_terminal_decides(monkeypatch: pytest.MonkeyPatch, answer: str, approved: bool) -> None:
    posted: list[str] = []

    class Decider(ServiceClient):
        def __init__(self) -> None: ...

        def post(self, path: str, body: Mapping[str, object] | None = None, *, timeout_s: float = 1.0) -> None:
            posted.append(path)

    monkeypatch.setattr(ask, "PERSON_S", WITHIN_S if answer else 0.1)
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        flush = termios.tcflush

        def typed_once_flushed(descriptor: Any, queue: int) -> None:
            flush(descriptor, queue)
            os.write(ours, answer.encode())

        monkeypatch.setattr(termios, "tcflush", typed_once_flushed)
        said = ask.decide(Decider(), {"id": "r1-1.2"}, "sam", Narrator(Console(file=io.StringIO())))
    os.close(ours)
    assert said is approved
    assert posted == [f"/approvals/r1-1.2/{'approve' if approved else 'deny'}"]


def test_what_was_found_is_told_whole_on_a_narrow_terminal() -> None:
    shown = io.StringIO()
    told = Narrator(Console(file=shown, force_terminal=True, width=60, color_system=None))
    found = "remit ledger verify: 19 records, 5 intents, 5 outcomes; every link and commitment holds"
    told.line(Sign.OK, found)
    told.line(Sign.OK, "")
    assert " ".join(shown.getvalue().split()) == f"ok {found} ok"
    assert all(len(line) <= 60 for line in shown.getvalue().splitlines())


def test_what_others_wrote_is_never_markup_and_never_moves_the_cursor() -> None:
    shown = io.StringIO()
    told = Narrator(Console(file=shown, force_terminal=True, width=60, color_system=None))
    told.line(Sign.NOTE, "[red]x[/red] \x1b[2J\u202e " + "long " * 40)
    told.more("[bold]more[/bold] " * 20)
    told.plain("\x1b]0;title\x07")
    text = shown.getvalue()
    assert "[red]x[/red] \\u{1b}[2J\\u{202e}" in text
    assert "\x1b]0" not in text
    assert "\u202e" not in text
    assert all(len(line) <= 60 for line in text.splitlines())
