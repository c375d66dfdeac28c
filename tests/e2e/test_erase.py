"""`remit ledger erase` against a running service: who may, what goes, and that all of it is on record."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.counting import Counting, call
from tests.eventually import awaited

ROUTE = "apiVersion: remit.dev/v1alpha1\nkind: Route\nmetadata: {name: erasure}\nspec: {users: [sam]}\n"


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("erase"), hold_s=0.1) as running:
        agent = running.service.agent("clerk", "ana")
        asyncio.run(call(running.service, agent, "add", {"id": "a-telltale-id"}))
        yield running


def intent_of(counting: Counting) -> str:
    done = counting.service.remit("logs", "--limit", "20", "-o", "json")
    items = [json.loads(line) for line in done.stdout.splitlines()]
    return next(item["id"] for item in items if item["kind"] == "intent")


def test_only_whom_the_route_names_erases_and_the_ledger_still_verifies(counting: Counting, tmp_path: Path) -> None:
    service, kept = counting.service, tmp_path / "kept.note"
    # In its first second a service has signed nothing yet.
    awaited(lambda: service.remit("ledger", "checkpoint", "--to", str(kept)).returncode == 0)
    intent, erase = intent_of(counting), ("ledger", "erase")
    ana, sam = service.user("ana"), service.user("sam")
    done = service.remit(*erase, intent, "--why", "asked for", token=sam)
    assert (done.returncode, "declare a Route erasure" in done.stderr) == (4, True), done.stderr
    service.write({"erasure.yaml": ROUTE})
    service.apply()
    assert service.remit(*erase, intent, "--why", "asked for").returncode == 4, "the admin token erases nothing"
    done = service.remit(*erase, intent, "--why", "asked for", token=ana)
    assert (done.returncode, "is not named by the Route erasure" in done.stderr) == (4, True)
    assert service.remit(*erase, "r0-1.999", "--why", "x", token=sam).returncode == 5
    done = service.remit(*erase, intent, "--why", "asked for", token=sam)
    assert (done.returncode, f"erased {intent}" in done.stdout) == (0, True), done.stderr
    erased = done.stderr
    done = service.remit(*erase, intent, "--why", "again", token=sam)
    assert (done.returncode, "was erased already" in done.stderr) == (1, True), done.stderr
    assert "no checkpoint taken before is over this: remit ledger checkpoint --to FILE" in erased
    newer = kept.with_name("newer.note")
    assert service.remit("ledger", "checkpoint", "--to", str(newer)).returncode == 0
    done = service.remit("ledger", "verify", "--against", str(kept), "--against", str(newer))
    assert (done.returncode, f"erased: {intent}" in done.stdout, "user:sam" in done.stdout) == (0, True, True), (
        done.stdout
    )
    found = [path for path in service.data.glob("ledger.sqlite3*") if b"a-telltale-id" in path.read_bytes()]
    assert found == []
