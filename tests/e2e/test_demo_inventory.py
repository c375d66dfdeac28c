"""On the demo every condition shown is true and every true one is shown: held against a list that people wrote."""

import json
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.demo_world import REMIT, demo
from tests.e2e.telemetry_world import export, protobuf, span
from tests.eventually import WITHIN_S, awaited

TOLD: Final[Mapping[str, set[str]]] = {
    # Its owner is ana; what it does goes through Remit alone. Text from the web comes in and git and files stay
    # inside: nothing that it may use is confidential.
    "agent/clerk": {"Governed", "Owned"},
    "server/filesystem": {"Governed"},
    "server/time": {"Governed"},
    "server/web": {"Governed"},
    "tool/filesystem/write_file": {"Governed"},
    "tool/time/get_current_time": {"Governed"},
    "tool/web/fetch": {"Governed"},
    # Where the machine has git, the clerk keeps its notes in a repository.
    "server/git": {"Governed"},
    "tool/git/git_add": {"Governed"},
    "tool/git/git_commit": {"Governed"},
    # Nobody registered this one, and what it calls goes around the gateway.
    "agent/otlp:stranger": {"Shadow"},
    "tool/otlp:rm": {"Shadow"},
}
"""Every entry of the inventory of which something is true once the story is told, and all that is."""
FALSE: Final = {("agent/otlp:stranger", "Governed"), ("tool/otlp:rm", "Governed"), ("agent/clerk", "ToxicCombination")}


def asked(url: str, token: str, path: str) -> Any:
    request = urllib.request.Request(f"{url}/api/v1{path}", headers={"authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=WITHIN_S) as answer:
        return json.loads(answer.read())


def stranger(url: str, token: str) -> None:
    """An agent that nobody registered tells of a call."""
    told = export(
        span("tool", 3, 2, 9, gen_ai__operation__name="execute_tool", gen_ai__tool__name="rm"),
        span("agent", 2, 0, 9, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="stranger"),
    )
    heads = {"authorization": f"Bearer {token}", "content-type": "application/x-protobuf"}
    request = urllib.request.Request(f"{url}/otlp/v1/traces", protobuf(told), heads)
    urllib.request.urlopen(request, timeout=WITHIN_S).close()


def conditions(url: str, token: str) -> dict[tuple[str, str], str]:
    found = asked(url, token, "/inventory")["items"]
    return {(one["name"], each["type"]): each["status"] for one in found for each in one["conditions"]}


@pytest.mark.timeout(600)
def test_every_condition_shown_is_true_and_every_true_one_is_shown(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        token = running.token_file.read_text().strip()
        stranger(running.url, token)
        awaited(lambda: conditions(running.url, token).get(("agent/otlp:stranger", "Governed")) == "False")
        found = conditions(running.url, token)
        git = any(name == "server/git" for name, _ in found)
        true = {(name, kind) for name, kinds in TOLD.items() for kind in kinds if git or "git" not in name}
        assert {key for key, status in found.items() if status == "True"} == true
        assert {found[key] for key in FALSE} == {"False"}
        # What the demo started itself is found on the machine as what it is.
        home = tmp_path / "home"
        home.mkdir()
        look = [REMIT, "discover", "host", "--home", home, "--project", home, "--send"]
        way = {"REMIT_URL": running.url, "REMIT_TOKEN": token}
        subprocess.run(look, check=True, capture_output=True, env=running.env | way, timeout=60)
        clock = asked(running.url, token, "/inventory/server/time")
        assert [name for name in clock["names"] if name.startswith("server/host:remit/mcp-server-time@")]
        running.interrupt()
