"""Real emitters: an agent of a real framework, watched by three real instrumentations, and what is found by them.

`python -m proof.emitters`. Each emitter runs three agents against a loopback model: one with a tool of its own, which
nobody registered; a registered one that calls an MCP server directly, around the gateway; and a registered one that
makes the same call through the gateway. Their interpreter is installed once, from hashes, into `build/emitters`.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from proof.child import child
from proof.emitters.emit import EMITTERS
from proof.environments import interpreter
from proof.service import Service, environment, free_port
from proof.verdict import say

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT: Final = Path(__file__).resolve().parents[2]
HERE: Final = ROOT / "proof" / "emitters"
HOME: Final = ROOT / "build" / "emitters"
MODEL: Final = "loopback-1"
UNGOVERNED_S: Final = 5.0
START_S: Final = 30.0
GOAL: Final = "every agent, model and tool; ungoverned ≤ 5 s; governed, once"
_HEAD: Final = "apiVersion: remit.dev/v1alpha1\n"
_POLICY: Final = '@id("may-call")\npermit (principal, action in Remit::Action::"server:hand", resource);\n'


def declared(upstream: str) -> str:
    """The workspace: one server, two agents for each emitter, and who they act for."""
    agents = [f"{way}-{emitter}" for emitter in EMITTERS for way in ("around", "through")]
    documents = [
        f"{_HEAD}kind: Agent\nmetadata: {{name: {name}}}\nspec: {{owner: ann, purpose: proof}}\n" for name in agents
    ]
    documents.append(f"{_HEAD}kind: User\nmetadata: {{name: ann}}\nspec: {{}}\n")
    documents.append(f'{_HEAD}kind: Server\nmetadata: {{name: hand}}\nspec: {{url: "{upstream}"}}\n')
    documents.append(
        f"{_HEAD}kind: Tool\nmetadata: {{name: hand/echo}}\nspec: {{effect: read, sink: none, source: []}}\n"
    )
    return "---\n".join(documents)


@contextlib.contextmanager
def running(*command: str | Path) -> Generator[subprocess.Popen[str]]:
    """A process, ended afterwards."""
    nowhere = subprocess.DEVNULL
    run = subprocess.Popen(command, cwd=ROOT, stdin=nowhere, stdout=subprocess.PIPE, stderr=nowhere, text=True)
    with child(run) as process:
        yield process


def listening(port: int) -> None:
    """Wait until something listens on `port`."""
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert time.monotonic() < deadline, "the tool server did not start"
        time.sleep(0.05)


class Proof:
    """One service, one model, one tool server."""

    def __init__(self, service: Service, python: str, model: str, upstream: str) -> None:
        self.service = service
        self.python = python
        self.model = model
        self.upstream = upstream
        self.wrong: list[str] = []
        self.slowest_s = 0.0

    def act(self, emitter: str, agent: str, *more: str, mcp_token: str | None = None) -> None:
        """Run one agent to its end; its spans are exported by then."""
        # As a collector would, with one credential for all: nothing but telemetry says who it was.
        env = environment() | {"REMIT_OTLP_TOKEN": self.service.admin, "OPENAI_AGENTS_DISABLE_TRACING": "0"}
        if mcp_token is not None:
            env["REMIT_MCP_TOKEN"] = mcp_token
        command = [self.python, str(HERE / "emit.py"), emitter, "--agent", agent, "--model-url", self.model]
        command += ["--otlp", f"{self.service.url}/otlp/v1/traces", "--model", MODEL, *more]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        self.check(done.returncode == 0 and "done" in done.stdout, f"{agent} ran: {done.stderr[-300:]}")

    def check(self, holds: object, what: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.wrong.append(what)

    def entry(self, name: str) -> dict[str, Any]:
        """The entry, or nothing."""
        done = self.service.remit("get", "inventory", name, "-o", "json")

        return json.loads(done.stdout) if done.returncode == 0 else {}

    def until(self, name: str, key: str, number: int) -> dict[str, Any]:
        """The entry once `key` is `number`, or as it is after five seconds."""
        started = time.monotonic()
        while True:
            found = self.entry(name)
            took_s = time.monotonic() - started
            if found.get(key) == number or took_s > UNGOVERNED_S:
                self.slowest_s = max(self.slowest_s, took_s)
                return found
            time.sleep(0.1)

    def emitter(self, emitter: str) -> None:
        """The three agents of one instrumentation."""
        name = f"own-{emitter}"
        self.act(emitter, name, "--arguments", '{"what": "it"}')
        found = self.until(f"agent/otlp:{name}", "observed", 1)
        used = {link["to"] for link in found.get("links", ())}
        for thing in (f"model/{MODEL}", "tool/otlp:look_up"):
            self.check(thing in used, f"{emitter}: {thing} is in the inventory and used by {name}, not only {used}")
        shadow = {one["type"]: one["status"] for one in found.get("conditions", ())}.get("Shadow")
        self.check(shadow == "True", f"{emitter}: {name} is a shadow")

        name = f"around-{emitter}"
        call = ("--arguments", '{"text": "hello"}')
        self.act(emitter, name, "--mcp", self.upstream, "--tool", "echo", *call)
        found = self.until(f"agent/{name}", "observed", 1)
        counts = (found.get("passed"), found.get("observed"))
        self.check(counts == (0, 1), f"{emitter}: {name} shows as ungoverned, not {counts}")

        name = f"through-{emitter}"
        token = self.service.agent(name, "ann")
        gateway = f"{self.service.url}/mcp"
        self.act(emitter, name, "--mcp", gateway, "--tool", "hand___echo", *call, mcp_token=token)
        self.until(f"agent/{name}", "passed", 1)
        # As long as what is not accounted for takes to be counted as observed only.
        time.sleep(4)
        found = self.entry(f"agent/{name}")
        counts = (found.get("passed"), found.get("observed"))
        self.check(counts == (1, 0), f"{emitter}: {name} shows as governed, once, not {counts}")
        self.check("tool/hand/echo" in {link["to"] for link in found.get("links", ())}, f"{name} uses hand/echo")


def main() -> int:
    """Run every emitter; the verdict."""
    python = interpreter(HOME, HERE / "emitters.txt", "the emitters")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emitters-")))
        model = stack.enter_context(running(sys.executable, HERE / "model.py"))
        assert model.stdout is not None
        address = f"http://127.0.0.1:{int(model.stdout.readline())}/v1"
        port = free_port()
        stack.enter_context(running(sys.executable, HERE / "tools.py", str(port)))
        listening(port)
        upstream = f"http://127.0.0.1:{port}/mcp"
        service = Service(folder)
        service.write({"workspace.yaml": declared(upstream), "policies/proof.cedar": _POLICY})
        service.start()
        stack.callback(service.stop)
        service.accept("hand")
        service.apply()
        proof = Proof(service, python, address, upstream)
        for emitter in EMITTERS:
            proof.emitter(emitter)
    for wrong in proof.wrong:
        print(f"not so: {wrong}", file=sys.stderr)
    figure = f"{len(EMITTERS)} emitters, ungoverned shown within {proof.slowest_s:.1f} s, {len(proof.wrong)} not so"
    return say(figure, GOAL, passed=not proof.wrong and proof.slowest_s <= UNGOVERNED_S)


if __name__ == "__main__":
    os.environ.setdefault("NO_COLOR", "1")
    sys.exit(main())
