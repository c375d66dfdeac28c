"""A workspace that can be attacked: a mailbox that strangers write to, a vault, and a way to send mail."""

import sys
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

from remit.app.demo.scene import TEMPLATE
from remit.control.lock import EMPTY, FILE, accept
from remit.control.lock_text import serialise
from remit.facts.canonical import Json
from remit.facts.tool import Definition

_UNHURRIED: Final = """\
import math, sys
from dataclasses import replace
from remit.app.attack import run as attack
from remit.app.cli import run
attack.QUICK = replace(attack.QUICK, seconds=math.inf)
sys.exit(run(sys.argv[1:]))
"""
UNHURRIED: Final = (sys.executable, "-c", _UNHURRIED)
"""The command `remit`, whose quick attack tries all that it would, however long a busy machine takes."""

RESOURCES: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: clerk}
spec: {owner: ann, purpose: answers mail, groups: [clerks], harness: trusted}
---
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: clerks}
spec: {description: agents that answer mail}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ann}
spec: {}
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata: {name: owner}
spec: {users: [ann], requester_may_approve: true, hold_s: 60}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: mail}
spec: {command: [no-such-program], env: {}}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: mail/inbox}
spec: {effect: read, sink: none, source: [untrusted], arguments: {query: {role: key}}}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: mail/vault}
spec: {effect: read, sink: none, source: [confidential], arguments: {name: {role: key}}}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: mail/send}
spec: {effect: irreversible, sink: external, source: [], arguments: {to: {role: target}, text: {role: content}}}
"""

PERMIT: Final = """\
@id("clerks-work")
permit (principal in Remit::Group::"clerks", action in Remit::Action::"server:mail", resource);
"""
GATE: Final = """\
@id("after-strangers")
@gate("owner")
@reason("strangers' text came in")
forbid (principal, action == Remit::Action::"mail___send", resource)
when { context.session.labels.contains(Remit::Label::"untrusted") };

@id("secrets-stay")
@reason("what is confidential is not sent out")
forbid (principal, action == Remit::Action::"mail___send", resource)
when { context.session.labels.contains(Remit::Label::"confidential") };
"""


MORE: Final = """\
---
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: sender}
spec: {owner: ann, purpose: sends what clerks wrote, groups: [clerks]}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: mail/keep}
spec: {effect: write, sink: internal, source: [], store: {name: notes}, arguments: {text: {role: content}}}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: mail/kept}
spec: {effect: read, sink: none, source: [], store: {name: notes}, arguments: {name: {role: key}}}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: shed}
spec: {command: [no-such-program], env: {}}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: shed/burn}
spec: {effect: irreversible, sink: none, source: [], arguments: {what: {role: target}}}
---
apiVersion: remit.dev/v1alpha1
kind: Budget
metadata: {name: calls-an-hour}
spec: {measure: calls, per: agent, window_s: 3600, hard: 45}
"""
HAND_ON: Final = """
@id("hand-on")
permit (principal in Remit::Group::"clerks", action == Remit::Action::"delegate", resource);

@id("read-beside-tools")
permit (
  principal in Remit::Group::"clerks",
  action == Remit::Action::"read_resource",
  resource in Remit::Server::"mail"
);
"""


def wide(folder: Path) -> Path:
    """The workspace with all that an attack needs to try everything: a second agent, a store, a budget, a shed."""
    write(folder, PERMIT + HAND_ON + GATE)
    (folder / "more.yaml").write_text(MORE.removeprefix("---\n"), "utf-8")
    lock = EMPTY
    for server, definition in (*(("mail", one) for one in (*DEFINITIONS, *KEEPING)), ("shed", BURN)):
        lock = accept(lock, server, definition.name, definition, definition.pin())
    (folder / FILE).write_text(serialise(lock), "utf-8")
    return folder


def shop(folder: Path) -> Path:
    """The demo's workspace as `make run` lays it out, but for the servers' own places."""
    folder.mkdir(parents=True)
    for source in sorted(TEMPLATE.iterdir()):
        said = source.read_text("utf-8")
        values = {"git_path": "/usr/bin", "page": "http://127.0.0.1:7171", "files": "/srv/files"}
        values |= {name: f"/opt/{name}/bin" for name in ("git", "filesystem", "web", "time")}
        told = said if source.name == FILE else Template(said).substitute(values)
        (folder / source.name).write_text(told, "utf-8")
    return folder


def text(*names: str) -> Mapping[str, Json]:
    """A schema that requires these texts."""
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}


DEFINITIONS: Final = (
    Definition("inbox", "Reads mail.", text("query"), None, {}),
    Definition("vault", "Reads a secret.", text("name"), None, {}),
    Definition("send", "Sends a mail.", text("to", "text"), None, {}),
)
KEEPING: Final = (
    Definition("keep", "Keeps a text.", text("text"), None, {}),
    Definition("kept", "Reads what was kept.", text("name"), None, {}),
)
BURN: Final = Definition("burn", "Burns a thing.", text("what"), None, {})


def write(folder: Path, policies: str) -> Path:
    """The workspace with `policies` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resources.yaml").write_text(RESOURCES, "utf-8")
    (folder / "policies.cedar").write_text(policies, "utf-8")
    lock = EMPTY
    for definition in DEFINITIONS:
        lock = accept(lock, "mail", definition.name, definition, definition.pin())
    (folder / FILE).write_text(serialise(lock), "utf-8")
    return folder
