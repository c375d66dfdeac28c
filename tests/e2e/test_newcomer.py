"""What a newcomer meets when something is not right: one line per problem, plain words, people by name."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from fastapi.routing import APIRoute

from proof.child import child
from proof.counting import Counting, call
from proof.service import REMIT, Service, environment
from remit.api import main, request_errors, requests
from remit.app.cli import commands_of

BAD = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: odd}
spec: {owner: platform, purpose: tries, groups: [nobodys]}
"""

HOOK = """\
apiVersion: remit.dev/v1alpha1
kind: Channel
metadata: {name: desk}
spec:
  secret: {env: NO_SUCH_HOOK}
  url: https://hooks.example/remit
"""
LOOSE = """\
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: counter/gone}
spec: {effect: read, sink: none, source: []}
"""


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("newcomer"), hold_s=0.1) as running:
        yield running


@pytest.fixture(scope="module")
def waiting(counting: Counting) -> str:
    """The id of an approval that waits, asked for by ana's clerk."""
    service = counting.service
    asyncio.run(call(service, service.agent("clerk", "ana"), "add", {"id": "big", "amount": 50}))
    (one,) = service.approvals()
    return str(one["id"])


@pytest.mark.parametrize("command", ["diff", "apply"])
def test_each_problem_is_one_line_and_what_to_do_is_said_once(counting: Counting, command: str) -> None:
    service = counting.service
    try:
        service.write({"bad.yaml": BAD, "worse.yaml": BAD.replace("odd", "odder")})
        done = service.remit(command)
    finally:
        for name in ("bad.yaml", "worse.yaml"):
            (service.workspace / name).unlink()
    assert done.returncode == 3
    title, *problems, following = done.stderr.splitlines()
    assert title.startswith("error: ")
    assert [line.strip().removeprefix("why:").strip().split(":")[0] for line in problems] == ["bad.yaml", "worse.yaml"]
    assert problems[0].startswith("  why:  bad.yaml:4: ")
    assert following.startswith("  next: ")
    assert "remit diff" in following
    assert not any(word in line for line in problems for word in ("error:", "next:"))


def test_a_warning_is_one_line_and_says_so_once(counting: Counting) -> None:
    service = counting.service
    try:
        service.write({"loose.yaml": LOOSE})
        told = service.apply(dry_run=True)["warnings"]
    finally:
        (service.workspace / "loose.yaml").unlink()
    assert len(told) == 1
    assert told[0].startswith("loose.yaml:")
    assert not any(word in told[0] for word in ("warning", "next:", "\n"))


@pytest.mark.parametrize(
    ("command", "says", "following"),
    [
        (("why", "nonsense"), "not a decision id, which looks like r7f3-1.5", "remit logs"),
        (("approvals", "show", "nonsense"), "not a decision id", "remit approvals ls"),
        (("sessions", "show", "nonsense"), "not a session id", "remit sessions ls"),
        (("tools", "accept", "counter", "--pin", "abc"), "sha256: and 64 hexadecimal digits", "remit tools review"),
        (
            ("get", "gadgets"),
            "agents, users, groups, servers, tools, policies, routes, channels",
            "remit get agents",
        ),
        (("token", "agent", "clerk", "--ttl", "91d"), "from 1 s to 90 days", "remit token --help"),
        (("token", "user", "not a name"), "a letter or digit first", "remit get agents"),
        (("budgets", "reset", "few", "--why", ""), "a text of 1 to 1000 characters", "remit budgets reset --help"),
        (("breakers", "reset", "loops", "--why", ""), "a text of 1 to 1000 characters", "remit breakers reset --help"),
        (("passkeys", "remove", "nonsense", "--why", "lost"), "the id of a passkey", "remit passkeys ls"),
        (("passkeys", "remove", "0" * 12, "--why", ""), "a text of 1 to 1000", "remit passkeys remove --help"),
        (("incidents", "show", "nonsense"), "the id of an incident", "remit incidents ls"),
        (("incidents", "close", "nonsense", "--as", "resolved"), "the id of an incident", "remit incidents ls"),
        (("incidents", "close", "r7f3-1.5"), "--as", "remit incidents close --help"),
        (
            ("incidents", "close", "r7f3-1.5", "--as", "odd"),
            "'--as': 'odd' is not one of",
            "remit incidents close --help",
        ),
        (("grants", "show", "nonsense"), "the id of a grant", "remit grants ls"),
        (("halt", "agent", "clerk", "--why", ""), "a text of 1 to 1000", "remit halt --help"),
    ],
)
def test_a_malformed_word_is_answered_in_plain_words(
    counting: Counting, command: tuple[str, ...], says: str, following: str
) -> None:
    done = counting.service.remit(*command)
    assert done.returncode in {2, 5}, done.stderr
    assert says in done.stderr
    assert f"next: {following}" in done.stderr
    assert "pattern" not in done.stderr
    assert "^" not in done.stderr


def test_every_field_of_a_request_has_its_words() -> None:
    fields = {name for model in requests.Strict.__subclasses__() for name in model.model_fields}
    assert len(fields) > 10
    assert fields <= set(request_errors.FIELDS)


def test_a_field_that_leads_to_the_help_of_its_command_has_one_wherever_it_stands() -> None:
    own = {name for name, wanted in request_errors.FIELDS.items() if not wanted.next}
    served = [route for router in main.ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    assert set(request_errors.COMMANDS) <= {route.path for route in served}
    for route in served:
        body = route.body_field.field_info.annotation if route.body_field else None
        if own & set(getattr(body, "model_fields", ())):
            assert route.path in request_errors.COMMANDS, route.path


def test_each_next_of_a_field_is_a_command_that_exists() -> None:
    helps = [request_errors.ExpectedField("", f"{command} --help") for command in request_errors.COMMANDS.values()]
    tables = request_errors.FIELDS, request_errors.IN_PATH, request_errors.IN_NOUN
    for wanted in (*(field for table in tables for field in table.values()), *helps):
        here: Any = typer.main.get_command(commands_of(()))
        remit, *words = (wanted.next or "remit").split()
        assert remit == "remit"
        for word in words:
            if word.startswith("--"):
                assert word == "--help" or any(word in one.opts for one in here.params), wanted.next
            elif hasattr(here, "commands"):
                assert word in here.commands, wanted.next
                here = here.commands[word]


def test_an_approval_names_who_may_lift_each_gate_and_why_it_stands(counting: Counting, waiting: str) -> None:
    service = counting.service
    reason = "an amount above 10 needs an owner"
    shown = service.approval(waiting)
    assert [(seat["route"], seat["eligible"]) for seat in shown["seats"]] == [("owner", ["sam"])]
    (listed,) = service.approvals()
    told = service.told("why", waiting)
    assert [gate["reason"] for gate in (*shown["gates"], *listed["gates"], *told["approval"]["gates"])] == [reason] * 3
    assert (listed["arguments"], told["approval"]["arguments"]) == (None, None)


def test_the_requester_is_told_whom_to_ask(counting: Counting, waiting: str) -> None:
    service = counting.service
    done = service.remit("approvals", "approve", waiting, token=service.user("ana"))
    assert done.returncode == 4
    assert "sam (owner)" in done.stderr
    assert f"next: remit approvals show {waiting}" in done.stderr


def test_a_workspace_without_servers_says_where_to_declare_one(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.write({"workspace.yaml": "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: ana}\n"})
    try:
        service.start()
        assert "no server is declared" in service.log
        assert "remit tools review" not in service.log
        for words in (("tools", "ls"), ("tools", "review"), ("doctor",)):
            done = service.remit(*words)
            assert done.returncode == 0, done.stderr
            assert "see servers.yaml" in done.stdout + done.stderr
    finally:
        service.stop()


SILENT = """\
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: silent}
spec: {command: [sleep, "600"]}
"""


def test_to_review_one_server_waits_for_no_other(counting: Counting) -> None:
    service = counting.service
    try:
        service.write({"silent.yaml": SILENT})
        assert "next: remit tools review silent" in service.remit("apply").stderr
        env = environment() | {"REMIT_URL": service.url, "REMIT_TOKEN": service.admin}
        process = subprocess.Popen([REMIT, "tools", "review", "silent"], env=env, stderr=subprocess.PIPE)
        with child(process) as asking:
            assert asking.stderr is not None
            assert b"asking silent for its tools" in asking.stderr.readline()
            done = service.remit("tools", "review", "counter")
            assert (done.returncode, done.stdout) == (0, "")
            assert "asking counter for its tools …" in done.stderr
            assert service.told("tools", "accept", "counter/add")["accepted"] == []
            assert asking.poll() is None, "it waited for a server that was not asked about"
    finally:
        (service.workspace / "silent.yaml").unlink()
        service.apply()
    unknown = service.remit("tools", "review", "nowhere")
    assert unknown.returncode == 5
    assert "next: remit get servers" in unknown.stderr


def test_what_is_one_is_counted_as_one_and_a_token_for_nobody_says_what_follows(counting: Counting) -> None:
    service = counting.service
    assert "(1 agent, 0 tools" in service.log or "(1 agent, 2 tools" in service.log
    assert "acts for nobody" in service.remit("token", "agent", "clerk").stderr
    assert "acts for nobody" not in service.remit("token", "agent", "clerk", "--user", "ana").stderr


def test_a_channel_without_its_secret_is_told_of_at_apply_and_by_doctor(counting: Counting) -> None:
    service = counting.service
    try:
        service.write({"hook.yaml": HOOK})
        assert service.remit("diff").stderr.count("NO_SUCH_HOOK") == 1
        [told] = service.apply()["warnings"]
        assert told.startswith(
            "hook.yaml:5: channel 'desk' is told nothing: the environment variable NO_SUCH_HOOK is not set"
        )
        assert told.endswith("set it for the service, then start it: remit up")
        wrong = [one for one in service.told("doctor")["checks"] if not one["ok"]]
        assert ("channel", "set it for the service, then start it: remit up") in [
            (one["name"], one["next"]) for one in wrong
        ]
    finally:
        (service.workspace / "hook.yaml").unlink()
        service.apply()
