"""Canaries in arguments that are declared secret: the tool gets them, and nothing that Remit keeps or shows does."""

import asyncio
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.counting import Counting, call
from proof.service import REMIT, environment
from tests.e2e.test_approval import text, waiting
from tests.e2e.test_service import up

CANARIES = ("canary-permitted", "canary-approved", "canary-denied", "canary-invalid", "canary-misspelt", "canary-asked")
OPEN = 987_654_321
"""An argument that nobody declared: that it is found shows that the search finds."""
DENY = """
@id("no-denied")
forbid (principal, action == Remit::Action::"counter___add", resource)
when { context.input.id like "*y-denied" };
"""
FLOWS = """
@id("flows")
forbid (principal, action == Remit::Action::"counter___add", resource)
when { context has targets && context.targets.count > 99 };
"""
"""It asks where values came from, so that this is recorded too."""


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    made = Counting(tmp_path_factory.mktemp("secrets"), hold_s=20.0)
    made.service.flags = ("--log-level", "debug")
    with made as running:
        declare(running)
        running.service.write({"flows.cedar": FLOWS})
        running.service.apply()
        yield running


def declare(counting: Counting) -> None:
    """Declare the id of `counter/add` secret."""
    path = counting.service.workspace / "resources.yaml"
    before = "spec: {effect: irreversible, sink: internal, source: []}"
    after = before[:-1] + ", arguments: {id: {secret: true}}}"
    path.write_text(path.read_text("utf-8").replace(before, after), "utf-8")


async def everything(counting: Counting) -> None:
    """Every way on which arguments reach the ledger: permitted, approved, denied, invalid, misspelt."""
    service = counting.service
    agent, sam = service.agent("clerk", "ana"), service.user("sam")
    assert not (await call(service, agent, "add", {"id": "canary-permitted", "amount": 7})).is_error
    task, ident = await waiting(counting, agent, {"id": "canary-approved", "amount": OPEN})
    shown = await asyncio.to_thread(service.remit, "approvals", "show", ident, "-o", "json", token=sam)
    assert "hmac-sha256" in shown.stdout
    assert str(OPEN) in shown.stdout
    assert "canary" not in shown.stdout
    other, second = await waiting(counting, agent, {"id": "to canary-asked@evil.example", "amount": OPEN})
    assert second != ident, "another secret is another action"
    await asyncio.to_thread(service.remit, "approvals", "deny", second, token=sam)
    assert (await other).is_error
    await asyncio.to_thread(service.remit, "approvals", "approve", ident, token=sam)
    assert not (await task).is_error
    service.write({"deny.cedar": DENY})
    await asyncio.to_thread(service.told, "apply")
    for given in ({"id": "canary-denied"}, {"id": {"canary-invalid": 1}}, {"di": "canary-misspelt"}):
        assert "canary" not in text(await call(service, agent, "add", given))
    (service.workspace / "deny.cedar").unlink()
    await asyncio.to_thread(service.told, "apply")


def test_the_tool_gets_a_secret_and_no_file_and_no_answer_holds_it(counting: Counting) -> None:
    service, before = counting.service, len(counting.effects)
    asyncio.run(everything(counting))
    assert counting.effects[before:] == ["canary-permitted", "canary-approved"]
    told = [service.remit(*words, "-o", "json").stdout for words in (("logs", "--limit", "1000"), ("approvals", "ls"))]
    assert "counter/add" in told[0]
    service.stop()
    kept = [path for path in (*service.data.rglob("*"), service.root / "service.log") if path.is_file()]
    assert {"ledger.sqlite3", "remit.jsonl", "arguments.key"} <= {path.name for path in kept}
    held = {path.name: path.read_bytes() for path in kept}
    assert str(OPEN).encode() in held["ledger.sqlite3"]
    found = [f"{name}: {canary}" for name, data in held.items() for canary in CANARIES if canary.encode() in data]
    assert found == []
    assert [canary for canary in CANARIES if canary in "".join(told)] == []
    key = service.data / "keys" / "arguments.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_bytes().hex().encode() not in b"".join(held.values())
    service.start()


def test_without_its_key_the_service_does_not_start_until_it_is_given_up_on_record(counting: Counting) -> None:
    service = counting.service
    service.stop()
    key = service.data / "keys" / "arguments.key"
    kept = key.read_bytes()
    key.unlink()
    missing = up(service.root, service.port)
    key.write_bytes(b"x" * 32)
    key.chmod(0o600)
    another = up(service.root, service.port)
    key.write_bytes(b"x")
    short = up(service.root, service.port)
    for done, why in ((missing, "is missing"), (another, "is another key"), (short, "holds no key")):
        assert (done.returncode, why in done.stderr) == (1, True), done.stderr
        assert "data folder's keys" in done.stderr
    key.write_bytes(kept)
    service.start()
    running = forget(service.data)
    assert (running.returncode, "is in use" in running.stderr) == (1, True)
    service.stop()
    assert forget(service.data).returncode == 0
    service.start()
    assert key.read_bytes() != kept
    agent = service.agent("clerk", "ana")
    assert not asyncio.run(call(service, agent, "add", {"id": "canary-permitted"})).is_error


def test_a_bundle_that_declares_secrets_does_not_run_where_their_key_is_unusable(tmp_path: Path) -> None:
    with Counting(tmp_path / "unusable") as counting:
        service = counting.service
        key = service.data / "keys" / "arguments.key"
        key.write_bytes(b"k" * 32)
        key.chmod(0o644)
        declare(counting)
        done = service.remit("apply")
        assert (done.returncode, "chmod 600" in done.stderr) == (1, True), done.stderr
        assert "arguments" not in service.told("get", "tools", "counter/add")[0]["spec"]
        key.unlink()
        service.apply()
        assert service.told("get", "tools", "counter/add")[0]["spec"]["arguments"] == {"id": {"secret": True}}


def forget(data: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REMIT, "ledger", "forget-key", "--data", data],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
