"""The acts of the story: the errand, the attack with Remit, the attack without it, what comes next.

Each tells what it sees and holds it against the table in `expect`.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from remit.app.demo import ask
from remit.app.demo.drive import AgentOutput, acting
from remit.app.demo.expect import AgentLine, Expect, errand, harmed, leaked, refused
from remit.app.demo.narrate import Narrator, Sign
from remit.app.demo.page import DemoHosts
from remit.app.demo.scene import Scene
from remit.app.service.child_process import ServiceProcess
from remit.app.terminal.client import ServiceClient

AGENT: Final = "clerk"
USER: Final = "ana"
APPROVER: Final = "sam"
STEP_S_MAX: Final = 120.0
POLL_S: Final = 0.2
REASON: Final = re.compile(r"Reason: (?P<text>.+) \[forbidden by policy (?P<policy>[^,\]]+), (?P<where>[^\]]+)\]")
DECISION: Final = re.compile(r"Decision (?P<ref>\S+)\. ")


@dataclass(frozen=True, slots=True)
class DemoStage:
    """What every act needs. `python` is the interpreter that has the MCP client."""

    narrator: Narrator
    world: DemoHosts
    scene: Scene
    python: Path


def with_remit(stage: DemoStage, service: ServiceProcess) -> str | None:
    """The errand and the attack, through Remit; the decision id of the refused read."""
    service.mint("agent", AGENT, USER)
    service.mint("user", APPROVER)
    narrator = stage.narrator
    token = str(stage.scene.token(f"agent-{AGENT}"))
    way = ["--page", stage.world.page_url, "--url", service.mcp, "--token-file", token]
    narrator.plain(
        f"Remit governs at {service.url}. Agent `{AGENT}` acts for {USER}; {APPROVER} decides what it may not alone."
    )
    with acting(stage.python, way, stage.scene.root / "agent.log") as lines:
        narrator.act(f"{USER} wants a note on refunds: `{AGENT}` reads a page and writes it")
        _follow(narrator, errand(stage.scene, stage.world), lines, Sign.PERMIT)
        if narrator.faults:
            return None
        narrator.act("The agent obeys the order, and Remit stands between")
        return _attack(stage, service.client(f"user-{APPROVER}"), lines)


def without_remit(stage: DemoStage) -> None:
    """The same agent, page and servers, with nothing between them."""
    narrator = stage.narrator
    narrator.act("The same agent, page and servers without Remit")
    way = ["--page", stage.world.page_url, "--servers", str(stage.scene.servers)]
    with acting(stage.python, way, stage.scene.root / "agent-without.log") as lines:
        _follow(narrator, errand(stage.scene, stage.world), lines, None)
        _follow(narrator, harmed(stage.scene), lines, Sign.HARM)
    if narrator.faults:
        return
    if leaked(stage.scene, stage.world.received()):
        narrator.line(Sign.HARM, f"the strange host received {stage.world.received()[-1]}")
    else:
        narrator.line(Sign.FAULT, "no harm was done, so the refusals above prove nothing")


def what_next(stage: DemoStage, service: ServiceProcess, ref: str, *, leave: bool) -> None:
    """Three commands to go on with."""
    narrator = stage.narrator
    narrator.act("What to try next")
    remit = _remit()
    if leave:
        narrator.plain(f"   {remit} demo                            the same, and the service stays up")
        narrator.plain(f"   {remit} init my-remit                   a workspace of your own")
        narrator.plain(f"   {remit} up --workspace my-remit         govern with it")
        return
    narrator.plain(f"   export REMIT_URL={service.url}")
    narrator.plain(f"   export REMIT_TOKEN_FILE={stage.scene.token('admin')}")
    narrator.plain(f"   {remit} why {ref}")
    narrator.plain(f"""   {remit} can {AGENT} web/fetch '{{"url": "https://example.com/"}}' --user {USER}""")
    narrator.plain(f"   {remit} logs -f")


def _remit() -> str:
    """How this installation's command is called from here."""
    command = Path(sys.executable).with_name("remit")
    here = Path.cwd()
    return str(command.relative_to(here) if command.is_relative_to(here) else command)


def _follow(narrator: Narrator, steps: Iterable[Expect], lines: AgentOutput, sign: Sign | None) -> AgentLine | None:
    """Hold the agent's next lines against `steps`, telling each under `sign`; the last one."""
    line: AgentLine | None = None
    for step in steps:
        try:
            line = lines.next(STEP_S_MAX)
            fault = step.fault(line) if line else "the agent ended before"
        except TimeoutError as error:
            fault = str(error)
        if line is None or fault is not None:
            narrator.line(Sign.FAULT, f"the agent {step.told}: {fault}")
            return None
        if sign and line.tool:
            narrator.line(sign, f"{step.told}: {line.tool} {line.args_short}")
        elif sign and line.step == "instruction":
            narrator.line(Sign.NOTE, "the page hides an order from people, white on white and off the screen:")
            narrator.more(f"“{line.text}”")
    return line


def _attack(stage: DemoStage, decider: ServiceClient, lines: AgentOutput) -> str | None:
    narrator, world = stage.narrator, stage.world
    credential, _ = refused(stage.scene, approved=False)
    refusal = _follow(narrator, [credential], lines, Sign.DENY)
    if refusal is None:
        return None
    if reason := REASON.search(refusal.text):
        narrator.more(f"policy {reason['policy']}, {reason['where']}: {reason['text']}")
    approval = _held(decider, lines)
    if approval is None:
        narrator.line(Sign.FAULT, "the request to the strange host did not wait for a person")
        return None
    narrator.line(Sign.WAIT, f"opens the strange host: {approval['tool']} {json.dumps(approval['arguments'])}")
    for gate in approval["gates"]:
        narrator.more(f"policy {gate['policy']} asks {APPROVER}, by route {gate['route']}: {gate['reason']}")
    approved = ask.decide(decider, approval, APPROVER, narrator)
    _, send = refused(stage.scene, approved=approved)
    _follow(narrator, [send], lines, None)
    requests = world.received()
    if leaked(stage.scene, requests) or len(requests) != int(approved):
        narrator.line(Sign.FAULT, f"the strange host received {requests}")
    else:
        narrator.line(Sign.OK, f"the strange host received {'one request, without the key' if approved else 'nothing'}")
    decision = DECISION.search(refusal.text)
    if decision is None:
        narrator.line(Sign.FAULT, f"the refusal names no decision: {refusal.text}")
        return None
    return decision["ref"]


def _held(decider: ServiceClient, lines: AgentOutput) -> Mapping[str, Any] | None:
    """The approval that the agent's next call waits for; None when the call ended without one."""
    for _ in range(int(STEP_S_MAX / POLL_S)):
        if approval := ask.waiting(decider):
            return approval
        try:
            lines.next(POLL_S)
        except TimeoutError:
            continue
        return None
    return None
