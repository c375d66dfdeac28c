"""Canaries: every secret of a login is looked for in all that the service keeps, says and answers."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.oauth_world import CLIENT_SECRET, SERVICE, Guarded, modes
from tests.eventually import WITHIN_S

COMMANDS = (
    ("describe", "server", "guarded"),
    ("get", "servers", "-o", "json"),
    ("doctor", "-o", "json"),
    ("diff", "-o", "json"),
    ("logs", "--limit", "1000", "-o", "json"),
    ("tools", "review", "-o", "json"),
    ("servers", "logout", "nobody"),
)
PATHS = (
    "/status", "/doctor", "/resources/servers", "/resources/servers/guarded", "/servers/guarded/login", "/diff",
    "/tools", "/ledger/entries?latest=1000", "/ledger/in-doubt", "/openapi.json", "/sessions", "/approvals",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A world in which everything happened that has to do with a secret, failures too, with all logged that can be."""
    with Guarded(tmp_path_factory.mktemp("canaries"), flags=("--log-level", "debug")) as running:
        running.login()
        asyncio.run(running.call("one"))
        running.notes(expire_access=True)
        asyncio.run(running.call("renewed"))
        running.browse(running.answer_of(running.begin()).replace("state=", "state=forged"))
        running.browse(f"{running.base}/oauth/callback?state=x&code=code-canary-unasked")
        running.login(audience="https://other.example/mcp")
        asyncio.run(running.call("audience"))
        running.login()
        running.notes(revoke_all=True)
        asyncio.run(running.call("revoked"))
        running.login(life_s=3600)
        running.redeclare(SERVICE)
        asyncio.run(running.call("service"))
        running.notes(token_status=500, expire_access=True)
        asyncio.run(running.call("down"))
        running.notes()
        yield running


def canaries(world: Guarded) -> list[str]:
    found = [*world.given(), CLIENT_SECRET, "code-canary-unasked"]
    assert {kind for kind in ("access", "refresh", "code") if any(one.startswith(kind) for one in found)} == {
        "access", "refresh", "code",
    }  # fmt: skip
    assert sum(not one.startswith(("access", "refresh", "code", "client")) for one in found) >= 3, "PKCE verifiers"
    return found


def test_no_file_of_the_service_holds_a_secret_in_the_open(world: Guarded) -> None:
    """Ledger, its journal, bundles, workspace, all that the process printed."""
    names = {path.name for path in world.service.data.rglob("*")}
    assert {"ledger.sqlite3", "ledger.sqlite3-wal", "bundles", "guarded.sealed", "credentials.key"} <= names
    assert world.leaks(canaries(world)) == []


def test_no_command_and_no_answer_holds_a_secret(world: Guarded) -> None:
    told = [done.stdout + done.stderr for done in (world.service.remit(*words) for words in COMMANDS)]
    for path in PATHS:
        request = urllib.request.Request(f"{world.service.url}/api/v1{path}")
        request.add_header("authorization", f"Bearer {world.service.admin}")
        with urllib.request.urlopen(request, timeout=WITHIN_S) as response:
            told.append(response.read().decode() + str(response.headers))
    told.append(world.browse(f"{world.service.url}/oauth/client.json")[1])
    text = "\n".join(told)
    assert "guarded" in text
    assert [one[:12] for one in canaries(world) if one in text or json.dumps(one)[1:-1] in text] == []


def test_the_process_shows_no_secret_to_others_of_its_machine(world: Guarded) -> None:
    assert world.service.process is not None
    place = Path("/proc") / str(world.service.process.pid)
    shown = b"".join((place / name).read_bytes() for name in ("cmdline", "environ") if (place / name).exists())
    assert [one[:12] for one in canaries(world) if one.encode() in shown] == []


def test_an_agent_never_sees_a_secret(world: Guarded) -> None:
    """Its answers, the refusals among them, the challenge and every header."""
    world.notes(expire_access=True, token_status=500)
    world.service.stop()
    world.service.start()
    try:
        failed, text = asyncio.run(world.call("agent"))
        assert failed
        request = urllib.request.Request(
            f"{world.service.url}/mcp/guarded", b"{}", {"content-type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=WITHIN_S)
        with refused.value as answer:
            text += answer.read().decode() + str(answer.headers)
    finally:
        world.notes()
    assert [one[:12] for one in canaries(world) if one in text] == []


def test_what_is_kept_is_sealed_and_for_its_owner_alone(world: Guarded) -> None:
    found = modes(world.service.data / "credentials") | modes(world.service.data / "keys")
    assert set(found.values()) == {"600"}
    assert {"guarded.sealed", "credentials.key"} <= set(found)
    for folder in ("credentials", "keys"):
        assert (world.service.data / folder).stat().st_mode & 0o777 == 0o700
