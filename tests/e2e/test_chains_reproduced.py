"""Every chain that is found is executed through the gateway, against tools that do nothing, and comes out as told.

With what is proposed against them applied, the last step of each is denied there.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.counting import until_listens
from proof.service import Service, environment, free_port
from tests.e2e.speaking import META, VERSION, ask, told
from tests.eventually import WITHIN_S

DRY = Path(__file__).parents[1] / "upstreams" / "dry.py"
MODE = {"type": "object", "properties": {"mode": {"type": "string", "enum": ["a", "b"]}}}
BESIDE = {"read_resource": "resources/read", "get_prompt": "prompts/get"}
NOTE = "note:"
NAMES = ("pay_list", "save", "load", "send", "publish", "web", "wipe")
TOOLS = [{"name": name, "description": f"Does {name}.", "inputSchema": MODE} for name in NAMES]
RESOURCES = """\
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: workers}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: dry}
spec: {url: "http://127.0.0.1:PORT/mcp", source: [], sink: external}
"""
AGENTS = """\
---
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: NAME}
spec: {owner: platform, purpose: works, groups: [GROUPS]}
"""
SPECS = {
    "pay_list": '{effect: read, sink: none, source: ["confidential:pay"]}',
    "save": "{effect: write, sink: internal, source: [], store: {name: notes, access: write}}",
    "load": "{effect: read, sink: none, source: [], store: {name: notes}}",
    "send": "{effect: write, sink: external, source: []}",
    "publish": "{effect: write, sink: external, source: []}",
    "web": '{effect: read, sink: none, source: ["untrusted:web"]}',
    "wipe": "{effect: irreversible, sink: internal, source: []}",
}
POLICIES = """\
@id("reads") permit (principal == Remit::Agent::"reader", action in [
  Remit::Action::"dry___pay_list", Remit::Action::"dry___save", Remit::Action::"dry___publish"], resource);
@id("sends") permit (principal == Remit::Agent::"sender", action in [
  Remit::Action::"dry___load", Remit::Action::"dry___send"], resource);
@id("asks") permit (principal == Remit::Agent::"reader", action == Remit::Action::"read_resource", resource)
when { context.input.uri like "note:*" };
@id("prompts") permit (principal == Remit::Agent::"sender", action == Remit::Action::"get_prompt", resource);
@id("works") permit (principal in Remit::Group::"workers", action in [
  Remit::Action::"dry___web", Remit::Action::"dry___wipe"], resource);
@id("hands") permit (principal, action == Remit::Action::"delegate", resource);
@id("seal") forbid (principal, action == Remit::Action::"dry___send", resource)
when { context.session.labels.contains(Remit::Label::"confidential") }
unless { context.input has mode && context.input.mode == "b" };
@id("late") forbid (principal, action == Remit::Action::"dry___publish", resource)
when { context.session.labels.contains(Remit::Label::"confidential") && context.session.calls < 3 };
@id("calm") forbid (principal, action == Remit::Action::"dry___wipe", resource)
when { context.session.labels.contains(Remit::Label::"untrusted") && context.delegation.depth == 0 };
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    port = free_port()
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    command = [sys.executable, str(DRY), str(port), str(tmp_path / "tools.json"), str(tmp_path / "calls")]
    upstream = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment())
    made = Service(tmp_path)
    try:
        until_listens(upstream, port, "the server")
        agents = {"reader": "", "sender": "", "clerk": "workers", "helper": "workers"}
        declared = "".join(AGENTS.replace("NAME", name).replace("GROUPS", group) for name, group in agents.items())
        made.write({"resources.yaml": RESOURCES.replace("PORT", str(port)) + declared})
        made.start()
        made.accept("dry")
        specs = [
            f"apiVersion: remit.dev/v1alpha1\nkind: Tool\nmetadata: {{name: dry/{name}}}\nspec: {spec}\n"
            for name, spec in SPECS.items()
        ]
        made.write({"tools.yaml": "---\n".join(specs), "limits.cedar": POLICIES})
        made.apply()
        yield made
    finally:
        made.stop()
        upstream.kill()
        upstream.wait(WITHIN_S)


def executed(service: Service, chain: dict[str, Any]) -> list[tuple[str, bool, str]]:
    """What came of each call of `chain`: its tool, whether it failed, and its text."""
    tokens: dict[str, str] = {}
    found: list[tuple[str, bool, str]] = []
    for step in chain["steps"]:
        agents = list(step["agents"])
        name = "/".join(agents)
        if name not in tokens:
            # Each root token is a session of its own; a sub-agent's comes of its parent's, by the exchange.
            tokens[name] = service.agent(agents[0].partition("#")[0])
        if step["kind"] == "delegate":
            done = service.remit("token", "delegate", step["name"], token=tokens[name])
            assert done.returncode == 0, done.stderr
            tokens[f"{name}/{step['name']}"] = done.stdout.split()[0]
            continue
        for _ in range(step["times"]):
            if step["kind"] == "call_tool":
                failed, text = told(service, tokens[name], step["server"], step["name"], step["arguments"])
            else:
                failed, text = beside(service, tokens[name], step)
            found.append((step["name"], failed, text))
    return found


def beside(service: Service, token: str, step: dict[str, Any]) -> tuple[bool, str]:
    """Whether asking for a resource or a prompt failed, and the text of what came back."""
    method = BESIDE[step["kind"]]
    params = {**step["arguments"], "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    head = {"mcp_protocol_version": VERSION, "mcp_method": method, "mcp_name": step["name"]}
    accept = "application/json, text/event-stream"
    value = ask(service, "POST", f"/mcp/{step['server']}", token, body, accept=accept, **head).value
    if "error" in value:
        return True, value["error"]["message"]
    result = value["result"]
    texts = [*result.get("contents", ()), *(one["content"] for one in result.get("messages", ()))]
    return False, "".join(one["text"] for one in texts)


@pytest.mark.timeout(240)
def test_every_chain_that_is_found_reproduces_and_is_cut(service: Service, tmp_path: Path) -> None:
    workspace = ("--workspace", str(service.workspace))
    found = service.told("chains", *workspace)
    ends = {(one["goal"], one["steps"][-1]["name"]): one for one in found["chains"]}
    assert ends.keys() == {
        ("confidential-outside", "send"),
        ("confidential-outside", "publish"),
        ("confidential-outside", NOTE),
        ("confidential-outside", "any"),
        ("untrusted-final", "wipe"),
    }
    assert [one["kind"] for one in ends["confidential-outside", NOTE]["steps"]] == ["call_tool", "read_resource"]
    assert ends["confidential-outside", "any"]["together"], "who gets prompts takes up what another read"
    assert ends["confidential-outside", "send"]["together"]
    assert len(ends["untrusted-final", "wipe"]["steps"][-1]["agents"]) > 1
    calls = tmp_path / "calls"
    for chain in found["chains"]:
        calls.unlink(missing_ok=True)
        came = executed(service, chain)
        assert [(failed, text) for _, failed, text in came] == [(False, "dry run")] * len(came), came
        assert [json.loads(line)[0] for line in calls.read_text().splitlines()] == [tool for tool, _, _ in came]
    fixed = service.remit("chains", *workspace, "--fix", str(service.workspace / "chains.cedar"))
    assert "What cuts them:" in fixed.stdout
    service.apply()
    assert service.told("chains", *workspace)["chains"] == []
    for chain in found["chains"]:
        *before, last = executed(service, chain)
        assert [failed for _, failed, _ in before] == [False] * len(before)
        assert last[1], chain
    assert service.remit("ledger", "verify").returncode == 0
