"""Signed webhooks over a durable outbox: what leaves, who verifies it, and that it is acted on once whoever dies."""

import base64
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from proof.counting import listens
from proof.service import environment, free_port
from tests.e2e.notes_world import TOOLS, Noting
from tests.e2e.speaking import told
from tests.e2e.test_brief import BRIEFED
from tests.e2e.test_words import MALLORY, SEND, STRANGERS, fetched, opened
from tests.eventually import WITHIN_S, awaited

SECRET: Final = "whsec_" + base64.b64encode(b"a key of tests, 32 bytes of them").decode()
RECEIVER: Final = Path(__file__).parents[1] / "upstreams" / "receiver.py"
CHANNEL: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Channel
metadata: {name: desk}
spec: {url: "http://127.0.0.1:PORT/hook", secret: {file: SECRET}}
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata: {name: safety}
spec: {users: [ana], hold_s: 0, channels: [desk]}
"""


class Receiving:
    """A receiver that may be started anew, and what it has acted on."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = [sys.executable, RECEIVER, str(self.port), self.folder]
        self.process = subprocess.Popen(arguments, env={**environment(), "WEBHOOK_SECRET": SECRET})
        awaited(lambda: listens(self.port))

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(WITHIN_S)
            self.process = None

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        file = self.folder / "acts.db"
        if not file.exists():
            return []
        kept = sqlite3.connect(file)
        try:
            if not kept.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                return []
            return kept.execute(f"SELECT * FROM {table}").fetchall()
        finally:
            kept.close()

    def bodies(self, ident: str) -> list[dict[str, Any]]:
        """What was acted on for an approval."""
        found = [json.loads(body) for _, body in self.rows("act")]
        return [body for body in found if body["data"].get("id") == ident]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[tuple[Noting, Receiving]]:
    receiving = Receiving(tmp_path / "receiver")
    (tmp_path / "secret").write_text(SECRET)
    channel = CHANNEL.replace("PORT", str(receiving.port)).replace("SECRET", str(tmp_path / "secret"))
    gate, tools = STRANGERS.replace("owner", "safety"), TOOLS.replace(SEND, BRIEFED.strip())
    try:
        receiving.start()
        with Noting(tmp_path / "notes", STRANGERS) as noting:
            noting.service.write({"tools.yaml": tools, "channel.yaml": channel, "gate.cedar": gate})
            noting.service.apply()
            yield noting, receiving
    finally:
        receiving.stop()


def kept(noting: Noting, asked: str) -> list[tuple[Any, ...]]:
    """Rows of the service's own outbox; none before it has one."""
    file = noting.service.data / "outbox.db"
    if not file.exists():
        return []
    outbox = sqlite3.connect(file)
    try:
        # The file is there a moment before what it holds.
        there = outbox.execute("SELECT 1 FROM sqlite_master WHERE name = 'seen'").fetchone()
        return outbox.execute(asked).fetchall() if there else []
    finally:
        outbox.close()


def until_it_follows(noting: Noting) -> None:
    """Wait until the outbox follows the ledger: of what comes from here on it tells."""
    awaited(lambda: [mark for (mark,) in kept(noting, "SELECT value FROM mark") if mark])


def waiting(noting: Noting, text: str) -> str:
    """Have a mail wait that a page chose: the approval's id."""
    _, token, _ = opened(noting.service)
    fetched(noting, token)
    known = {one["id"] for one in noting.service.approvals(ended=True)}
    failed, said = told(noting.service, token, "notes", "send", {"to": MALLORY, "text": text})
    assert failed
    new = [str(one["id"]) for one in noting.service.approvals(ended=True) if one["id"] not in known]
    assert new, said
    return new[0]


def test_people_are_told_and_nothing_that_an_agent_wrote_leaves(world: tuple[Noting, Receiving]) -> None:
    noting, receiving = world
    secret_text = "meet me at 5 and bring the file 4711"
    ident = waiting(noting, secret_text)
    awaited(lambda: receiving.bodies(ident))
    [said] = receiving.bodies(ident)
    assert said["type"] == "approval.opened"
    assert said["data"]["what"] == "mail 1 recipient, …@evil.example: (text of 36 characters)"
    assert said["data"]["url"].endswith(f"/a/{ident}")
    assert said["data"]["gates"] == [{"policy": "stranger-mail", "route": "safety"}]
    everything = json.dumps(receiving.rows("act"))
    assert not any(word in everything for word in (MALLORY, "mallory", "meet me", "4711", "ana"))
    done = noting.service.remit("approvals", "deny", ident, token=noting.service.user("ana"))
    assert done.returncode == 0, done.stderr
    awaited(lambda: len(receiving.bodies(ident)) == 2)
    assert receiving.bodies(ident)[1]["type"] == "approval.denied"


@pytest.mark.timeout(300)
def test_it_is_acted_on_once_though_sender_and_receiver_were_each_killed_twice(
    world: tuple[Noting, Receiving],
) -> None:
    noting, receiving = world
    ids: list[str] = []
    for when in ("die-before", "die-after"):
        (receiving.folder / when).touch()
        ids.append(waiting(noting, when))
        awaited(receiving.ended)
        # The receiver died in mid-delivery, and now the sender, which does not know how that ended.
        noting.service.kill()
        receiving.start()
        noting.service.start()
        awaited(lambda: receiving.bodies(ids[-1]))
    ids.append(waiting(noting, "at last"))
    awaited(lambda: receiving.bodies(ids[-1]))
    acts = [ident for ident, _ in receiving.rows("act")]
    assert len(acts) == len(set(acts)) == 3
    for ident in ids:
        assert [body["type"] for body in receiving.bodies(ident)] == ["approval.opened"]
    # One came twice: it had been acted on when the receiver died.
    awaited(lambda: len(receiving.rows("came")) > len(acts))
    assert len(receiving.rows("act")) == len(acts)


def test_drift_is_told_to_who_asked_for_it_once_and_in_no_words_of_the_agent(world: tuple[Noting, Receiving]) -> None:
    noting, receiving = world
    service = noting.service
    for file, old, new in (
        ("channel.yaml", "spec: {url:", "spec: {about: [drift], url:"),
        ("resources.yaml", "{name: scout}", "{name: scout, annotations: {remit.dev/on-drift: notice}}"),
    ):
        text = (service.workspace / file).read_text()
        assert old in text
        service.write({file: text.replace(old, new)})
    service.apply()
    awaited(lambda: service.remit("inventory", "accept", "agent/scout").returncode == 0)
    until_it_follows(noting)
    at = int(time.time() * 1000)
    edge, times = {"verb": "uses", "to": "tool/otlp:HUSH"}, {"first_ms": at, "last_ms": at}
    seen = {
        "subject": "agent/scout",
        "source": "s",
        "evidence": "e",
        "confidence": "declared",
        "edges": [edge],
        **times,
    }
    listing = noting.root / "seen.json"
    listing.write_text(json.dumps({"sightings": [seen]}))
    done = service.remit("discover", "import", str(listing), "--send")
    assert done.returncode == 0, done.stderr
    awaited(lambda: any(json.loads(body)["type"] == "agent.drifted" for _, body in receiving.rows("act")))
    [told_] = [json.loads(body) for _, body in receiving.rows("act") if json.loads(body)["type"] == "agent.drifted"]
    data = told_["data"]
    assert (data["agent"], data["kind"], data["follows"]) == ("scout", "new-tool", "notice")
    assert data["what"] == "tool (not registered, a name of 4 characters)"
    assert data["next"] == "remit get inventory agent/scout"
    assert "HUSH" not in json.dumps(receiving.rows("act"))
    service.kill()
    service.start()
    # Whatever the outbox made of the ledger once more it made before it tells of this.
    later = waiting(noting, "later")
    awaited(lambda: receiving.bodies(later))
    awaited(lambda: not kept(noting, "SELECT 1 FROM notice WHERE state = 'waiting'"))
    assert len([1 for _, body in receiving.rows("act") if json.loads(body)["type"] == "agent.drifted"]) == 1


def test_an_incident_through_the_gateway_is_told_listed_and_closed(world: tuple[Noting, Receiving]) -> None:
    noting, receiving = world
    service = noting.service
    text = (service.workspace / "channel.yaml").read_text()
    never = '@id("never")\nforbid (principal, action == Remit::Action::"notes___load", resource);'
    service.write(
        {"channel.yaml": text.replace("spec: {url:", "spec: {about: [incidents], url:"), "never.cedar": never}
    )
    service.apply()
    until_it_follows(noting)
    token = service.agent("scout")
    for _ in range(6):
        failed, _ = told(service, token, "notes", "load", {"path": "HUSH"})
        assert failed

    def bodies(event: str) -> list[dict[str, Any]]:
        found = [json.loads(body) for _, body in receiving.rows("act")]
        return [body["data"] for body in found if body["type"] == event]

    awaited(lambda: bodies("incident.opened"))
    [opened_] = bodies("incident.opened")
    assert (opened_["title"], opened_["severity"]) == ("agent scout was denied again and again: notes/load by never", 3)
    [listed] = service.told("incidents", "ls")
    assert (listed["id"], listed["state"], listed["causes"]) == (opened_["incident"], "open", ["denials"])
    service.kill()
    service.start()
    done = service.remit("incidents", "close", listed["id"], "--as", "expected", token=service.user("ana"))
    assert done.returncode == 0, done.stderr
    awaited(lambda: bodies("incident.closed"))
    assert bodies("incident.closed")[0]["by"] == "user:ana"
    shown = service.told("incidents", "show", listed["id"])
    assert (shown["state"], shown["timeline"][-1]["what"]) == ("closed", "closed: expected")
    assert len(bodies("incident.opened")) == 1
    assert "HUSH" not in json.dumps(receiving.rows("act"))


def test_a_channel_that_is_down_is_tried_again_and_holds_up_no_call(world: tuple[Noting, Receiving]) -> None:
    noting, receiving = world
    (receiving.folder / "down").touch()
    ident = waiting(noting, "while it is down")

    def attempts() -> int:
        [(made, why)] = kept(noting, "SELECT attempts, why FROM notice") or [(0, None)]
        assert why in {None, "the receiver answered 503"}
        return int(made)

    awaited(lambda: attempts() >= 2)
    assert receiving.bodies(ident) == []
    doctor = noting.service.remit("doctor")
    assert "channel desk: 1 notice waiting, 0 given up: the receiver answered 503" in doctor.stdout + doctor.stderr
    (receiving.folder / "down").unlink()
    awaited(lambda: receiving.bodies(ident))
    awaited(lambda: "channel desk: 0 notices waiting, 0 given up" in noting.service.remit("doctor").stdout)


def test_the_secret_is_nowhere_but_where_it_was(world: tuple[Noting, Receiving]) -> None:
    noting, receiving = world
    ident = waiting(noting, "hello")
    awaited(lambda: receiving.bodies(ident))
    service = noting.service
    assert SECRET not in json.dumps(service.told("get", "channels"))
    service.stop()
    for path in (service.root / "data").rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path
    assert (service.root / "data" / "outbox.db").stat().st_mode & 0o077 == 0
