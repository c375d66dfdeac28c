"""A workspace that can be attacked: a mailbox that strangers write to, a vault, and a way to send mail."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from remit.control.lock import EMPTY, FILE, accept
from remit.control.lock_text import serialise
from remit.facts.canonical import Json
from remit.facts.catalog import Definition

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


def text(*names: str) -> Mapping[str, Json]:
    """A schema that requires these texts."""
    return {"type": "object", "properties": {name: {"type": "string"} for name in names}, "required": list(names)}


DEFINITIONS: Final = (
    Definition("inbox", "Reads mail.", text("query"), None, {}),
    Definition("vault", "Reads a secret.", text("name"), None, {}),
    Definition("send", "Sends a mail.", text("to", "text"), None, {}),
)


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
