"""Every command against a real service: what it shows, in each format, with which exit code, and nothing raw."""

import http.server
import io
import json
import os
import re
import select
import subprocess
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from proof.child import child
from proof.counting import Counting
from proof.service import REMIT, Service, environment, free_port
from remit.app.cli import run
from remit.app.cli.halt import cut_off
from remit.app.terminal.failure import Exit
from tests.e2e.speaking import api, ask, entries, told
from tests.e2e.test_logs import Tap
from tests.eventually import WITHIN_S, awaited

HELPER = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: helper}
spec: {owner: platform, purpose: helps the clerk, groups: [clerks]}
---
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: coach}
spec: {owner: platform, purpose: counts what people say, groups: [clerks], harness: trusted}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: spare}
spec: {groups: []}
"""
DELEGATE = """\
@id("hand-on")
@reason("clerks may delegate")
permit (principal, action == Remit::Action::"delegate", resource);
"""
RAW = "esc\x1b[31m and \u202egnirts\u200b\x07"
HIDDEN = {"\x1b", "\u202e", "\u200b", "\x07"}
EVENTS = b"GET /api/v1/events"
DECIDED = {"permit": {"id": "decided"}, "escalate": {"id": "decided", "amount": 50}, "deny": {"id": 7}}


class Here(Service):
    """A service whose commands run in this process: the same code, without its half second of imports."""

    def remit(self, *arguments: str, token: str | None = None) -> "subprocess.CompletedProcess[str]":
        """Run `remit ARGUMENTS` as `Service.remit` does."""
        out, err = io.StringIO(), io.StringIO()
        env = {"REMIT_URL": self.url, "REMIT_TOKEN": token or self.admin, "REMIT_DATA": str(self.data)}
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name, value in {**env, "NO_COLOR": "1", "COLUMNS": "200"}.items():
                patch.setenv(name, value)
            patch.chdir(self.root)
            code = run(arguments)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    made = Counting(tmp_path_factory.mktemp("commands"), hold_s=0.1)
    made.service = Here(made.root)
    made.service.write({"helper.yaml": HELPER, "delegate.cedar": DELEGATE})
    with made as running:
        yield running


@pytest.fixture(scope="module")
def service(counting: Counting) -> Service:
    return counting.service


@pytest.fixture(scope="module")
def decided(service: Service) -> dict[str, Any]:
    """One call of each verdict in one session: `sid`, and the decision id of each verdict."""
    minted = service.mint("agent", "clerk", "ana")
    for arguments in (*DECIDED.values(), {"id": RAW, "amount": 50}):
        told(service, minted["token"], "counter", "add", arguments)
    found: dict[str, Any] = {"sid": minted["sid"], "token": minted["token"]}
    for entry in entries(service, minted["sid"]):
        if entry["kind"] in {"intent", "proposal"}:
            found.setdefault(entry["body"]["verdict"], entry["id"])
            found["raw"] = entry["id"]
    return found


def ok(service: Service, *words: str, token: str | None = None, code: int = 0) -> str:
    """What a command prints to stdout."""
    done = service.remit(*words, token=token)
    assert done.returncode == code, (words, done.stdout, done.stderr)
    return done.stdout


def test_init_in_an_empty_folder_then_up_from_it(tmp_path: Path) -> None:
    fresh = Service(tmp_path)
    made = fresh.remit("init", "workspace")
    assert made.returncode == 0, made.stderr
    assert "workspace/agents.yaml" in made.stdout
    assert "next: remit up --workspace workspace" in made.stderr
    again = fresh.remit("init", "workspace")
    assert again.returncode == 1
    assert "overwrites nothing" in again.stderr
    assert "next: remit init" in again.stderr
    fresh.start()
    try:
        assert fresh.admin.startswith("remit_admin_")
        assert [item["name"] for item in fresh.told("get", "agents")] == ["assistant"]
        assert fresh.told("diff")["changes"] == []
        assert fresh.agent("assistant", "you")
        assert fresh.remit("doctor").returncode == 0
        first = fresh.admin
        fresh.stop()
        fresh.start()
        assert fresh.admin == first, "the admin token is shown once"
        assert fresh.log.count("admin token") == 1
    finally:
        fresh.stop()


def test_diff_apply_and_delete(service: Service) -> None:
    before = service.apply()["bundle"]
    service.write(
        {"kim.yaml": "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: kim}\nspec: {groups: []}\n"}
    )
    assert re.search(r"^\+ .*kim", ok(service, "diff", code=1), re.MULTILINE)
    assert "kim" in ok(service, "apply", "--dry-run")
    assert "kim" not in ok(service, "get", "users", "-o", "name").split()
    assert "kim" in ok(service, "apply")
    assert "kim" in ok(service, "get", "users", "-o", "name").split()
    assert ok(service, "diff") == ""
    assert re.search(r"^- .*kim", ok(service, "delete", "user", "kim"), re.MULTILINE)
    assert not (service.workspace / "kim.yaml").exists() or "kim" not in (service.workspace / "kim.yaml").read_text()
    assert service.apply()["bundle"] == before
    assert service.remit("delete", "user", "kim").returncode == 5


@pytest.mark.parametrize("kind", ["agents", "users", "groups", "servers", "tools", "policies", "routes"])
def test_get_in_each_format_and_describe(service: Service, kind: str) -> None:
    table = ok(service, "get", kind).splitlines()
    names = ok(service, "get", kind, "-o", "name").splitlines()
    assert table[0].startswith("NAME")
    assert [line.split()[0] for line in table[1:]] == names
    assert len(names) > 0
    wide = ok(service, "get", kind, "-o", "wide").splitlines()
    assert len(wide[0]) > len(table[0])
    whole = service.told("get", kind)
    assert [item["name"] for item in whole] == names
    assert yaml.safe_load(ok(service, "get", kind, "-o", "yaml")) == whole
    described = yaml.safe_load(ok(service, "describe", kind, names[0]))
    seen = {"agents": "agent", "servers": "server", "tools": "tool"}.get(kind)
    if seen is not None:
        entry: dict[str, Any] = service.told("get", "inventory", f"{seen}/{names[0]}")
        assert described["status"].pop("conditions") == entry["conditions"], "as the inventory has them"
        assert described["status"] or kind == "servers"
    assert described == whole[0]
    assert "status" in described or kind in {"users", "groups", "servers", "policies", "routes"}
    (one,) = service.told("get", kind, names[0])
    one["status"].pop("conditions", None)
    assert one == described
    missing = service.remit("describe", kind, "counter/nobody" if kind == "tools" else "nobody")
    assert missing.returncode == 5
    assert "next: remit get" in missing.stderr


@pytest.mark.parametrize(("arguments", "verdict"), [(v, k) for k, v in DECIDED.items()])
def test_can_says_what_would_be_and_leaves_no_trace(
    service: Service, decided: dict[str, Any], arguments: Any, verdict: str
) -> None:
    def state() -> Any:
        # What the service tells by itself comes when it comes: the key of its checkpoints, incidents, what was seen.
        items = api(service, "GET", "/ledger/entries?latest=1000")["items"]
        told_of_us = [one["id"] for one in items if one["kind"] != "admin" or one["body"]["by"] == "admin"]
        assert told_of_us
        assert service.told("ledger", "verify")["records"] >= len(told_of_us)
        return told_of_us, service.told("sessions", "show", decided["sid"])

    before = state()
    code = 0 if verdict == "permit" else 1
    asked = ("can", "clerk", "counter/add", json.dumps(arguments), "--user", "ana", "--sid", decided["sid"])
    assert ok(service, *asked, code=code).splitlines()[0] == verdict
    answer = json.loads(ok(service, *asked, "-o", "json", code=code))
    assert answer["verdict"] == verdict
    signs = {"permit": ["+ permits"], "escalate": ["? asks   ", "+ permits"], "deny": ["x denies "]}
    assert [line[2:11] for line in ok(service, *asked, code=code).splitlines()[1:]] == signs[verdict]
    assert [reason["does"] for reason in answer["reasons"]] == [sign[2:].strip() for sign in signs[verdict]]
    assert state() == before
    file = service.root / "arguments.json"
    file.write_text(json.dumps(arguments))
    ok(service, "can", "clerk", "counter/add", f"@{file}", "-o", "yaml", code=code)


BOOKS = """apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: books}
spec: {command: [books], source: []}
---
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: reader}
spec: {owner: ana, purpose: reads}
"""


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("clrek", "counter/peek"), "did you mean 'clerk'?"),
        (("clerk", "conter/peek"), "did you mean 'counter'?"),
        (("clerk", "counter/pek"), "did you mean 'peek'?"),
        (("clerk", "conter/x", "--kind", "get_prompt"), "did you mean 'counter'?"),
        (("clerk", "counter/peek", "--user", "anna"), "did you mean 'ana'?"),
        (("zzz", "counter/peek"), "next: remit get agents"),
        (("clerk", "counter/zzz"), "next: remit tools ls"),
    ],
)
def test_can_says_what_a_name_that_is_not_known_may_have_been_meant_to_be(
    service: Service, words: tuple[str, ...], hint: str
) -> None:
    done = service.remit("can", *words)
    assert done.returncode == 1
    assert "/unknown: there is no " in done.stdout
    assert done.stderr.splitlines() == [hint]


def test_can_takes_a_tool_by_its_server_and_says_how_that_is_written(service: Service) -> None:
    for written, following in (("counter___peek", "counter/peek"), ("peek", "SERVER/TOOL"), ("peek___", "SERVER/TOOL")):
        done = service.remit("can", "clerk", written)
        assert (done.returncode, done.stderr) == (
            2, f"error: not a tool: {written}\n  next: write it as {following}\n"
        )  # fmt: skip


def test_what_is_declared_and_not_applied_is_said_to_wait(service: Service) -> None:
    service.write({"books.yaml": BOOKS})
    asked = (("tools", "review", "books"), ("tools", "accept", "books"), ("describe", "server", "books"))
    of_agents = (("token", "agent", "reader"), ("agents", "report", "reader"))
    try:
        for words in (*asked, *of_agents):
            done, what = service.remit(*words), "server books" if words in asked else "agent reader"
            assert (done.returncode, f"the {what} does not run" in done.stderr) == (5, True), done.stderr
            assert "next: remit apply" in done.stderr.splitlines()[-1]
    finally:
        (service.workspace / "books.yaml").unlink()
    for words in asked:
        done = service.remit(*words)
        assert (done.returncode, "no such server in the running bundle: books" in done.stderr) == (5, True)
        assert "next: remit get servers" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("verdict", list(DECIDED))
def test_why_tells_action_facts_policies_with_lines_verdict_and_receipts(
    service: Service, decided: dict[str, Any], verdict: str
) -> None:
    ident = decided[verdict]
    answer = service.told("why", ident)
    shown = ok(service, "why", ident)
    assert answer["verdict"] == verdict
    assert f"{ident}  {verdict}" in shown.splitlines()[0]
    assert answer["action"]["tool"] == "counter/add"
    assert answer["action"]["arguments"] == DECIDED[verdict]
    assert json.dumps(DECIDED[verdict], sort_keys=True) in shown
    entry = next(one for one in entries(service, decided["sid"]) if one["id"] == ident)
    assert answer["receipt"] == {"id": ident, "hash": entry["hash"]}
    assert entry["hash"] in shown
    does = {"permit": ["permits"], "escalate": ["asks", "permits"], "deny": ["denies"]}
    assert [reason["does"] for reason in answer["reasons"]] == does[verdict]
    if verdict == "deny":
        assert [reason["code"] for reason in answer["reasons"]] == ["arg/invalid"]
        assert answer["outcome"] is None
        return
    assert answer["facts"]["onBehalfOf"] == "ana"
    assert answer["facts"]["session"]["calls"] >= 0
    assert 'permit (principal in Remit::Group::"clerks"' in shown
    assert "policies.cedar:1" in shown
    if verdict == "escalate":
        assert {policy["where"] for policy in answer["policies"]} == {"gate.cedar:1", "policies.cedar:1"}
        assert '  | forbid (principal, action == Remit::Action::"counter___add", resource)' in shown
        assert answer["approval"]["id"] == ident
        assert answer["gates"] == [
            {"policy": "big-amounts", "route": "owner", "reason": "an amount above 10 needs an owner"}
        ]
    else:
        assert answer["outcome"]["status"] == "ok"
        assert answer["outcome"]["receipt"]["hash"] in shown
        assert service.told("why", answer["outcome"]["id"])["id"] == ident


def test_can_and_why_show_what_obligations_a_permit_brings(tmp_path: Path) -> None:
    with Counting(tmp_path) as counting:
        service = counting.service
        peeks = 'principal in Remit::Group::"clerks", action == Remit::Action::"counter___peek", resource'
        service.write({"masked.cedar": f'@id("masked") @obligation("mask:pii") permit ({peeks});'})
        ok(service, "apply")
        lines = ok(service, "logs", "--limit", "5").splitlines()
        [line] = [line for line in lines if line.endswith(": add policy masked")]
        applied = ok(service, "why", line.split()[1])
        assert "  add policy masked" in applied.splitlines()
        [diffed] = [line for line in applied.splitlines() if line.startswith("  with their lines: remit bundle diff ")]
        assert "+ add policy masked" in ok(service, *diffed.split()[4:], code=1)
        head, row, _, where, text = ok(service, "get", "policy", "masked").splitlines()
        assert (head.split(), row.split()[:2]) == (["NAME", "DOES", "ROUTE", "REASON"], ["masked", "permits"])
        assert (where, text.startswith('  | @id("masked")')) == ("masked.cedar:1", True)
        assert "  obligation: mask:pii" in ok(service, "can", "clerk", "counter/peek").splitlines()
        minted = service.mint("agent", "clerk", "ana")
        told(service, minted["token"], "counter", "peek")
        [ident] = [one["id"] for one in entries(service, minted["sid"]) if one["kind"] == "intent"]
        assert "  obligation: mask:pii" in ok(service, "why", ident).splitlines()


def test_sessions_ls_show_and_end(service: Service) -> None:
    minted = service.mint("agent", "clerk", "ana")
    assert not told(service, minted["token"], "counter", "peek")[0]
    assert minted["sid"] in ok(service, "sessions", "ls", "-o", "name").split()
    row = next(line for line in ok(service, "sessions", "ls").splitlines() if minted["sid"] in line)
    assert row.split()[1:3] == ["clerk", "ana"]
    assert "IRREVERSIBLE CALLS" in ok(service, "sessions", "ls", "-o", "wide")
    shown = yaml.safe_load(ok(service, "sessions", "show", minted["sid"]))
    assert (shown["calls"], shown["ended"], len(shown["records"])) == (1, None, 2)
    ended = service.remit("sessions", "end", minted["sid"])
    assert (ended.returncode, ended.stderr) == (0, f"session {minted['sid']} ended\n")
    header, *rows = ok(service, "sessions", "ls").splitlines()
    row = next(line for line in rows if minted["sid"] in line)
    at = service.told("sessions", "show", minted["sid"])["ended"]
    assert header.index("ENDED") == row.index(at), "the short list says which sessions are over"
    failed, text = told(service, minted["token"], "counter", "peek")
    assert failed
    assert "session/ended" in text
    assert service.told("sessions", "show", minted["sid"])["ended"]
    assert service.remit("sessions", "show", "0" * 32).returncode == 5


def test_halt_and_resume(service: Service) -> None:
    token = service.mint("agent", "clerk", "ana")["token"]
    assert service.remit("halt").stderr == "nothing is stopped\n"
    drill = service.remit("halt", "tool", "counter/peek", "--drill")
    assert (drill.returncode, "would be stopped (drill)" in drill.stderr) == (0, True)
    assert not told(service, token, "counter", "peek")[0]
    assert service.remit("halt", "tool", "counter/peek").returncode == 2
    halted = service.remit("halt", "tool", "counter/peek", "--why", "it miscounts")
    assert (halted.returncode, "to let it act again: remit resume tool counter/peek" in halted.stderr) == (0, True)
    failed, text = told(service, token, "counter", "peek")
    assert failed
    assert "it miscounts" in text
    assert "stop/halted" in text
    assert "counter/peek" in ok(service, "halt")
    assert service.remit("halt", "agent", "clerkk", "--why", "x").returncode == 5
    assert service.remit("resume", "tool", "counter/peek").returncode == 0
    assert service.remit("resume", "tool", "counter/peek").returncode == 1
    assert not told(service, token, "counter", "peek")[0]


def test_budgets_ls_show_and_reset(tmp_path: Path) -> None:
    with Counting(tmp_path) as counting:
        service = counting.service
        few = "{measure: calls, per: agent, hard: 2, window_s: 31536000}"
        head = "apiVersion: remit.dev/v1alpha1\nkind: Budget\nmetadata: {name: few}\n"
        service.write({"few.yaml": f"{head}spec: {few}\n"})
        assert "add budget few" in ok(service, "apply")
        token = service.mint("agent", "clerk", "ana")["token"]
        assert "0 of 2" in ok(service, "budgets", "ls")
        none = service.remit("budgets", "reset", "few", "--why", "x")
        why = "error: nothing was reset\n  why:  nothing is spent of few\n  next: remit budgets show few\n"
        assert (none.returncode, none.stdout, none.stderr) == (5, "", why)
        assert [told(service, token, "counter", "peek")[0] for _ in range(3)] == [False, False, True]
        failed, text = told(service, token, "counter", "peek")
        assert (failed, "budget:few" in text, "agent clerk has 0 of 2 calls left" in text) == (True, True, True)
        assert "2 of 2" in ok(service, "get", "budgets")
        [account] = service.told("budgets", "show", "few")["status"]["accounts"]
        assert (account["whose"], account["spent"], account["left"]) == ("agent clerk", "2", "0")
        ref = re.findall(r"r[0-9a-f]+-\d+\.\d+", text)[-1]
        assert "the budget few" in ok(service, "why", ref)
        none = service.remit("budgets", "reset", "few", "--of", "agent nobody", "--why", "x")
        assert (none.returncode, "few by agent nobody, but by agent clerk\n" in none.stderr) == (5, True), none.stderr
        assert service.remit("budgets", "reset", "fwe", "--why", "x").returncode == 5
        reset = ("budgets", "reset", "few", "--of", "agent clerk", "--why")
        assert service.told(*reset, "spent in vain")["reset"] == ["agent clerk"]
        assert [told(service, token, "counter", "peek")[0] for _ in range(3)] == [False, False, True]
        done = service.remit(*reset, "a new quarter")
        assert (done.returncode, done.stderr) == (0, "few begins anew for agent clerk\n")
        assert not told(service, token, "counter", "peek")[0]
        assert service.remit("ledger", "verify").returncode == 0


def test_breakers_ls_show_and_reset(tmp_path: Path) -> None:
    with Counting(tmp_path) as counting:
        service = counting.service
        loops = "{on: identical, over: agent, limit: 2, within_s: 3600, open_s: 3600}"
        head = "apiVersion: remit.dev/v1alpha1\nkind: Breaker\nmetadata: {name: loops}\n"
        service.write({"loops.yaml": f"{head}spec: {loops}\n"})
        assert "add breaker loops" in ok(service, "apply")
        assert "identical" in ok(service, "get", "breakers")
        assert (
            service.remit("breakers", "ls").stderr
            == "every breaker is closed; what tripped before: remit breakers ls --past\n"
        )
        assert service.remit("breakers", "ls", "--past").stderr == "no breaker has tripped within 7 days\n"
        token = service.mint("agent", "clerk", "ana")["token"]
        assert not told(service, token, "counter", "peek")[0]
        failed, text = told(service, token, "counter", "peek")
        assert (failed, "breaker:loops" in text, "the same call of counter/peek 2 times" in text) == (True, True, True)
        assert "agent clerk" in ok(service, "breakers", "ls")
        [tripped] = service.told("breakers", "show", "loops")["status"]["tripped"]
        assert (tripped["whose"], tripped["state"]) == ("agent clerk", "open")
        [open_one] = service.told("breakers", "ls", "--past")
        assert (open_one["closed"], open_one["by"]) == (None, None)
        [record] = tripped["records"]
        assert "peek" in ok(service, "why", record)
        assert "the same call of counter/peek 2 times" in ok(
            service, "why", re.findall(r"r[0-9a-f]+-\d+\.\d+", text)[-1]
        )
        assert service.remit("breakers", "reset", "lops", "--why", "x").returncode == 5
        other = service.remit("breakers", "reset", "loops", "--of", "agent coach", "--why", "x")
        assert other.returncode == 5
        assert "nothing was reset\n  why:  loops is open over agent clerk\n  next: remit breakers ls" in other.stderr
        done = service.remit("breakers", "reset", "loops", "--why", "mended")
        assert (done.returncode, done.stderr) == (0, "loops is closed over agent clerk\n")
        [trip] = service.told("breakers", "ls", "--past")
        assert (trip["name"], trip["whose"], trip["by"], trip["records"]) == ("loops", "agent clerk", "admin", [record])
        assert trip["tripped"] <= trip["closed"]
        assert f"{trip['id']}  breaker.tripped" in ok(service, "why", trip["id"])
        status = service.told("breakers", "show", "loops")["status"]
        assert status == {"tripped": [], "past": [trip]}
        assert "the same call of counter/peek 2 times" in ok(service, "breakers", "ls", "--past").splitlines()[1]
        again = service.remit("breakers", "reset", "loops", "--why", "mended")
        assert (again.returncode, "why:  loops is open over nobody" in again.stderr) == (5, True)
        assert not told(service, token, "counter", "peek")[0]
        assert service.remit("ledger", "verify").returncode == 0


def test_approvals_ls_show_approve_and_deny(counting: Counting) -> None:
    service = counting.service
    sam, minted = service.user("sam"), service.mint("agent", "clerk", "ana")
    asked: dict[str, str] = {}
    for choice in ("approve", "deny"):
        failed, text = told(service, minted["token"], "counter", "add", {"id": choice, "amount": 50})
        assert failed
        found = re.search(r"remit approvals show (\S+)", text)
        assert found is not None
        asked[choice] = found[1]
    listed = service.told("approvals", "ls")
    assert {item["id"] for item in listed} >= set(asked.values())
    assert "big-amounts (owner)" in ok(service, "approvals", "ls")
    assert asked["deny"] in ok(service, "approvals", "ls", "-o", "name").split()
    assert (
        yaml.safe_load(ok(service, "approvals", "show", asked["approve"], "-o", "yaml"))["arguments"]["id"] == "approve"
    )
    refused = service.remit("approvals", "approve", asked["approve"])
    assert refused.returncode == 4, "the admin approves nothing"
    for choice, state in (("approve", "approved"), ("deny", "denied")):
        done = service.remit("approvals", choice, asked[choice], "--note", "as agreed", token=sam)
        first, *further = done.stderr.splitlines()
        assert (done.returncode, first) == (0, f"{asked[choice]} is now {state}")
        assert ["it runs once" in line for line in further] == [True] * (choice == "approve")
        assert asked[choice] not in [
            item["id"] for item in service.told("approvals", "ls") if item["state"] == "pending"
        ]
        assert asked[choice] in ok(service, "approvals", "ls", "--all", "-o", "name").split()
    assert service.remit("approvals", "deny", asked["deny"], token=sam).returncode == 1, "it has ended"
    assert told(service, minted["token"], "counter", "add", {"id": "approve", "amount": 50}) == (False, "added 50")
    assert counting.effects.count("approve") == 1
    assert counting.effects.count("deny") == 0
    assert service.remit("approvals", "show", "r0-1.1").returncode == 5


def test_tools_ls_review_and_accept(service: Service) -> None:
    assert ok(service, "tools", "ls", "-o", "name").split() == ["counter/add", "counter/peek"]
    assert "UNTYPABLE" in ok(service, "tools", "ls", "-o", "wide")
    assert ok(service, "tools", "review") == ""
    lock = service.workspace / "remit.lock"
    accepted = lock.read_text()
    wrong = service.remit("tools", "accept", "counter/add", "--pin", "sha256:" + "0" * 64)
    assert wrong.returncode == 1
    assert "next:" in wrong.stderr
    assert lock.read_text() == accepted
    shown = service.remit("tools", "accept", "counter/add")
    assert shown.returncode == 1
    assert "nothing written. To accept: remit tools accept counter/add --pin sha256:" in shown.stderr
    assert shown.stdout == "counter/add  matches\n"
    pin = service.told("tools", "accept", "counter/add")["pin"]
    assert "accepted counter/add" in ok(service, "tools", "accept", "counter/add", "--pin", pin)
    assert service.remit("tools", "accept", "nowhere").returncode == 5


def test_tokens_delegated_rotated_and_revoked_at_the_endpoint(service: Service) -> None:
    minted = service.told("token", "agent", "clerk", "--user", "ana", "--ttl", "10m")
    kept = service.root / "helper.token"
    answer = service.told("token", "delegate", "helper", "--save", str(kept), token=minted["token"])
    assert "access_token" not in answer
    assert kept.stat().st_mode & 0o777 == 0o600
    child = kept.read_text().strip()
    assert told(service, child, "counter", "add", {"id": "by-helper"}) == (False, "added 1")
    failed, text = told(service, child, "counter", "add", {"id": "by-helper", "amount": 50})
    assert failed
    assert "big-amounts" in text
    rotated = service.remit("token", "rotate")
    assert rotated.returncode == 0
    assert "signing with key" in rotated.stderr
    assert not told(service, child, "counter", "peek")[0], "an older key's tokens stay valid"
    assert not told(service, service.agent("clerk"), "counter", "peek")[0]
    revoked = service.remit("token", "revoke", minted["jti"])
    assert revoked.returncode == 0
    for token in (minted["token"], child):
        said = ask(service, "POST", "/mcp/counter", token, b"{}")
        assert said.status == 401
        assert 'error="invalid_token"' in said.headers["www-authenticate"]
        assert "revoked" in said.headers["www-authenticate"]
    for words in (("user", "ana"), ("harness", "coach"), ("agent", "clerk")):
        done = service.remit("token", *words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count(".") == 2, "a token alone, and on stdout"
        assert "shown once" in done.stderr
        assert done.stdout.strip() not in done.stderr
        assert done.stdout.strip() not in service.log
    harness = ok(service, "token", "harness", "coach").strip()
    assert ask(service, "POST", "/mcp/counter", harness, b"{}").status == 401


def test_a_token_from_a_file_is_used_and_a_missing_file_is_a_usage_error(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(service.admin + "\n")
    file.chmod(0o600)
    assert "clerk" in ok(service, "get", "agents", "--token-file", str(file), token="nonsense")
    gone = service.remit("get", "agents", "--token-file", str(tmp_path / "gone"))
    assert gone.returncode == 2
    assert "next:" in gone.stderr


@contextmanager
def following(service: Service, *words: str, port: int | None = None) -> Generator[list[str]]:
    """The lines of `remit logs -f WORDS`, as they come; it asks at `port`, where that is not the service's own."""
    env = environment() | {"REMIT_URL": f"http://127.0.0.1:{port or service.port}", "REMIT_TOKEN": service.admin}
    lines: list[str] = []
    command = [REMIT, "logs", "-f", *words]
    with child(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)) as process:
        stdout = process.stdout
        assert stdout is not None
        reader = threading.Thread(target=lambda: lines.extend(iter(stdout.readline, "")), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            process.kill()
            reader.join(WITHIN_S)


def test_logs_and_logs_follow(service: Service, decided: dict[str, Any]) -> None:
    shown = ok(service, "logs", "--limit", "1000")
    assert f"{decided['permit']}  intent" in shown
    assert ok(service, "logs", "--limit", "3").count("\n") == 3
    lines = ok(service, "logs", "--limit", "3", "-o", "json").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ok(service, "logs", "--limit", "3", "-o", "name").split()
    assert len(yaml.safe_load(ok(service, "logs", "--limit", "3", "-o", "yaml"))) == 3
    assert decided["sid"] in ok(service, "logs", "--limit", "1000", "-o", "wide")
    with following(service, "--limit", "1") as seen:
        awaited(lambda: seen)
        told(service, decided["token"], "counter", "peek")
        awaited(lambda: any("intent" in line for line in seen[1:]))
    assert any(re.search(r"  intent    permit clerk for ana: call_tool counter/peek", line) for line in seen)


def test_logs_at_a_terminal_are_no_wider_than_it_and_leave_no_word_out(
    service: Service, decided: dict[str, Any]
) -> None:
    ours, theirs = os.openpty()
    env = {**environment(), "REMIT_URL": service.url, "REMIT_TOKEN": service.admin, "COLUMNS": "80"}
    command = [REMIT, "logs", "--agent", "clerk", "--verdict", "deny", "--limit", "1"]
    with os.fdopen(ours, "rb", buffering=0) as screen:
        with os.fdopen(theirs, "wb") as terminal:
            done = subprocess.run(command, env=env, stdout=terminal, timeout=120, check=False)
        assert done.returncode == 0
        written = b""
        with suppress(OSError):  # EIO: nobody has the terminal open any more
            while select.select([screen], [], [], WITHIN_S)[0] and (more := screen.read(4096)):
                written += more
    shown = written.decode("utf-8").splitlines()
    assert max(map(len, shown)) <= 80
    (whole,) = ok(service, "logs", "--agent", "clerk", "--verdict", "deny", "--limit", "1").splitlines()
    day, record, *rest = shown
    moment, ident, _, text = whole.split("  ", maxsplit=3)
    assert day == f"{moment[:10]}, UTC"
    assert record.startswith(f"{moment[11:19]}  {ident}  deny clerk")
    indent = len(f"{moment[11:19]}  {ident}  ")
    assert " ".join(line[indent:] for line in (record, *rest)) == text
    assert decided["deny"]


@pytest.mark.parametrize("words", [(), ("--since", "10m")], ids=["all", "what is looked for"])
def test_what_is_recorded_as_logs_begin_to_follow_is_shown_once(service: Service, words: tuple[str, ...]) -> None:
    made: list[str] = []

    def record() -> None:
        service.user("ana")
        made.append(service.api("GET", "/ledger/entries?latest=1")["items"][0]["id"])

    class Meanwhile(Tap):
        def passes(self, data: bytes) -> bytes:
            if data.startswith((b"GET /api/v1/ledger/entries?latest=3", b"GET /api/v1/ledger/search", EVENTS)):
                record()
            return data.replace(b":%d\r\n" % self.server_address[1], b":%d\r\n" % self.behind, 1)

    def ids(lines: list[str]) -> list[str]:
        return [json.loads(line)["id"] for line in lines]

    with Meanwhile(free_port(), service.port) as tap:
        with following(service, "--limit", "3", "-o", "json", *words, port=tap.server_address[1]) as seen:
            awaited(lambda: len(made) == 2 and made[1] in ids(seen))
            record()
            awaited(lambda: made[2] in ids(seen))
        tap.shutdown()
    assert ids(seen)[-3:] == made
    assert len(set(ids(seen))) == len(seen), "none is shown twice"


def test_doctor_says_of_a_credential_what_holds_once_its_server_was_reached(counting: Counting) -> None:
    service, key = counting.service, counting.root / "key"
    text = f"""apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {{name: keyed}}
spec: {{url: "http://127.0.0.1:{counting.port}/mcp", headers: {{X-Api-Key: {{file: {key}}}}}}}
"""
    service.write({"keyed.yaml": text})
    try:
        ok(service, "apply")
        refused = service.remit("servers", "login", "counter", "--no-wait")
        assert "credential: server counter declares neither headers nor oauth" in refused.stderr
        first = ok(service, "doctor", code=1)
        assert f"FAIL  credential keyed: failing: the file {key} cannot be read" in first
        key.write_text("sesame")
        assert "ok    credential keyed: by reference" in ok(service, "doctor", code=1)
    finally:
        (service.workspace / "keyed.yaml").unlink()
        ok(service, "apply")


def test_doctor_names_what_is_to_mend(counting: Counting) -> None:
    service = counting.service
    well = service.remit("doctor")
    assert well.returncode == 0
    open_to_all = service.root / "admin.txt"
    open_to_all.write_text("any-token")
    open_to_all.chmod(0o644)
    refused = service.remit("doctor", "--token-file", str(open_to_all))
    assert (refused.returncode, "others may open it too (mode 0644)" in refused.stderr) == (2, True)
    assert f"next: chmod 600 {open_to_all}" in refused.stderr
    assert re.search(r"ok    checkpoint: the last has \d+ records, every one on disk \d s ago", well.stdout)
    service.data.chmod(0o755)
    try:
        done = service.remit("doctor")
        assert done.returncode == 1
        assert "FAIL  data:" in done.stdout
        assert "next: chmod 700" in done.stdout
        assert "1 to mend" in done.stderr
        assert not all(check["ok"] for check in json.loads(service.remit("doctor", "-o", "json").stdout)["checks"])
        assert "data" in ok(service, "doctor", "-o", "name", code=1).splitlines()
    finally:
        service.data.chmod(0o700)


def test_ledger_verify_on_the_running_service_and_on_a_missing_file(service: Service, decided: dict[str, Any]) -> None:
    done = service.remit("ledger", "verify")
    assert done.returncode == 0
    file = service.data / "ledger.sqlite3"
    assert done.stdout.startswith(f"ledger {file}\n")
    assert f"verified: {file}: links, commitments and references hold" in done.stderr
    assert f"verified: {file}: links" in service.remit("ledger", "verify", "--links").stderr
    answer = service.told("ledger", "verify")
    assert (answer["clean"], answer["file"]) == (True, str(service.data / "ledger.sqlite3"))
    assert answer["in_doubt"] == []
    gone = service.remit("ledger", "verify", str(service.root / "gone.sqlite3"))
    assert gone.returncode == 5
    assert "next: remit ledger verify --data FOLDER" in gone.stderr
    assert decided["permit"]


@pytest.mark.parametrize(
    ("said", "whose"),
    [("nope", "remit"), ("inventory nope", "remit inventory"), ("map -o x", "remit map"), ("why", "remit why")],
)
def test_what_cannot_be_made_sense_of_names_the_help_of_its_own_command(
    said: str, whose: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(said.split()) == Exit.USAGE
    assert capsys.readouterr().err.endswith(f"  next: {whose} --help\n")


@pytest.mark.parametrize("said", ["", "inventory"])
def test_where_a_command_is_missing_the_help_is_all_that_is_said(said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(said.split()) == Exit.USAGE
    shown = capsys.readouterr()
    assert "Usage: remit" in shown.out
    assert shown.err == ""


def test_what_a_stop_cut_off_is_counted_in_words_that_fit() -> None:
    assert cut_off(["r1-1.1"], drill=False) == "1 under way was cut off, its effect is in doubt: r1-1.1"
    assert cut_off(["r1-1.1", "r1-1.2"], drill=False).startswith("2 under way were cut off, their effect is in doubt:")
    assert cut_off(["r1-1.1"], drill=True).startswith("1 under way would be cut off")


def test_an_empty_data_folder_and_a_port_that_is_none_are_usage_errors(service: Service) -> None:
    for wrong in (
        ("ledger", "verify", "--data", ""),
        ("up", "--data", " "),
        ("up", "--port", "99999"),
        ("up", "--port", "-1"),
    ):
        done = service.remit(*wrong)
        assert (done.returncode, "Invalid value" in done.stderr, "Traceback" in done.stderr) == (2, True, False), wrong


def test_what_agents_and_tools_say_never_reaches_the_terminal_raw(service: Service, decided: dict[str, Any]) -> None:
    sid, raw = decided["sid"], decided["raw"]
    commands = [
        ["why", raw], ["approvals", "show", raw], ["approvals", "ls"], ["logs"], ["sessions", "show", sid],
        ["can", "clerk", "counter/add", json.dumps({"id": RAW, "amount": RAW})],
        ["can", RAW, "counter/add"], ["get", "agents", RAW], ["describe", "tool", f"counter/{RAW}"], ["get", RAW],
        ["delete", "user", RAW], ["sessions", "show", RAW], ["token", "agent", RAW], [RAW], ["--" + RAW],
    ]  # fmt: skip
    for command in commands:
        for form in ("table", "json", "yaml") if command[0] in {"why", "approvals", "logs"} else ("table",):
            extra = [] if command[0].startswith((RAW, "--")) else ["-o", form]
            done = service.remit(*command, *extra)
            assert not HIDDEN & set(done.stdout + done.stderr), (command, form)
    assert json.loads(ok(service, "why", raw, "-o", "json"))["action"]["arguments"]["id"] == RAW
    assert yaml.safe_load(ok(service, "why", raw, "-o", "yaml"))["action"]["arguments"]["id"] == RAW
    # Also where a person may not have asked for plain text.
    env = {key: value for key, value in environment().items() if key != "NO_COLOR"}
    env |= {"REMIT_URL": service.url, "REMIT_TOKEN": service.admin, "FORCE_COLOR": "1", "TERM": "xterm-256color"}
    done = subprocess.run([REMIT, "why", raw], env=env, capture_output=True, check=True)
    assert b"\x1b" not in done.stdout


def test_no_color_means_no_escape_sequence_also_in_help(service: Service) -> None:
    for words in (("--help",), ("approvals", "--help"), ("can", "--help"), ("nonsense",), ("get", "users"), ()):
        done = Service.remit(service, *words)
        assert "\x1b" not in done.stdout + done.stderr, words


@contextmanager
def answering(status: int, body: bytes) -> Generator[str]:
    """A server that answers everything with `status` and `body`."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (500, b"", 6),
        (504, b"", 7),
        (403, b'{"title": "not like this"}', 4),
        (422, b'{"title": "not like this"}', 3),
        # What refuses without saying why is not Remit, or a proxy before it.
        (403, b"", 6),
        (422, b"", 6),
    ],
)
def test_what_a_service_answers_becomes_an_exit_code(status: int, body: bytes, code: int, tmp_path: Path) -> None:
    with answering(status, body) as url:
        env = environment() | {"REMIT_URL": url, "HOME": str(tmp_path)}
        done = subprocess.run([REMIT, "sessions", "ls"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert done.stderr.startswith("error: ")


def test_each_exit_code_against_the_service(service: Service) -> None:
    assert service.remit("get", "users").returncode == 0
    assert service.remit("can", "nobody", "counter/add").returncode == 1
    assert service.remit("can", "clerk", "counter-add").returncode == 2
    assert service.remit("can", "clerk", "counter/add", "{").returncode == 2
    service.write({"odd.cedar": "permit (principal, action, resource);\n"})
    try:
        assert service.remit("apply").returncode == 3
    finally:
        (service.workspace / "odd.cedar").unlink()
    for token in ("nonsense", service.agent("clerk")):
        done = service.remit("apply", token=token)
        assert done.returncode == 4
        assert "next:" in done.stderr
    assert service.remit("why", "r0-1.1").returncode == 5
    away = environment() | {"REMIT_URL": "http://127.0.0.1:1", "REMIT_TOKEN": "x"}
    done = subprocess.run([REMIT, "get", "users"], env=away, capture_output=True, text=True, check=False)
    assert done.returncode == 6
    assert "next: start the service" in done.stderr
    odd = subprocess.run([REMIT, "get", "users"], env=away | {"REMIT_URL": "x"}, capture_output=True, check=False)
    assert odd.returncode == 2


def test_a_pipe_that_closes_early_is_no_error(service: Service) -> None:
    env = environment() | {"REMIT_URL": service.url, "REMIT_TOKEN": service.admin, "PATH": os.environ["PATH"]}
    command = [REMIT, "logs", "--limit", "1000", "-o", "json"]
    with child(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)) as done:
        assert done.stdout is not None
        assert done.stderr is not None
        assert done.stdout.read(1)
        done.stdout.close()
        said = done.stderr.read()
        assert (done.wait(WITHIN_S), "Traceback" in said) == (0, False), said
