"""Where attacks happen: a copy of a workspace whose servers are all played here.

What breaks a guarantee by scopes alone is signed off there, so that it runs: it is held all the same.

ROOT/workspace  resources, policies and lock as they are, but for what reaches others: servers lead to the dry run,
                channels and sources are left out, and no caller is held while people are asked
ROOT/data       the service's data; made by the service, but for what was signed off
ROOT/tokens     one file for each token, readable by this user alone
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from remit.adapters.workspace import files
from remit.adapters.workspace.documents import documents
from remit.app.data.recovery import record
from remit.app.service.child_process import ServiceFolder
from remit.app.settings import LEDGER
from remit.control.lock import FILE as LOCK
from remit.facts.canonical import Json
from remit.pdp.guarantees import breach_digest, breaches
from remit.policy.bundle import Bundle
from remit.trace.bodies import AdminBody, Event

HOLD_S: Final = 0.1
_REACHES: Final = frozenset({"command", "env", "cwd", "url", "headers", "oauth", "private", "shared"})
"""What of a Server says how it is reached; the rest says what it is."""
_LEFT_OUT: Final = frozenset({"Channel", "Source"})
_WHY: Final = "an attack on a copy"
_OPEN: Final = '@id("attack-opens-all")\npermit (principal, action, resource);\n'


class AttackFolder(ServiceFolder):
    """The laid-out folder."""

    def open_all(self) -> None:
        """Put a policy that permits everything into the workspace; nothing applies it."""
        (self.workspace / "attack.cedar").write_text(_OPEN, "utf-8")

    def close_again(self) -> None:
        """Take that policy away."""
        (self.workspace / "attack.cedar").unlink(missing_ok=True)


def lay_out(workspace: Path, root: Path, url: str) -> AttackFolder:
    """Copy `workspace`, its servers at `url`/SERVER/mcp, into the empty folder `root`. Raises `files.Unreadable`."""
    ground = AttackFolder(root.absolute())
    ground.make()
    for file in files.workspace_files(workspace, []):
        text = files.read(workspace, file).text
        target = ground.workspace / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text if target.suffix.lower() == files.CEDAR else _elsewhere(text, url), "utf-8")
    if (workspace / LOCK).exists():
        shutil.copyfile(workspace / LOCK, ground.workspace / LOCK)
    return ground


def sign_off(ground: AttackFolder, bundle: Bundle) -> None:
    """Have the owners of guarantees sign off what `bundle` breaks of them."""
    found_breaches = breaches(bundle)
    broken = {breach.guarantee for breach in found_breaches}
    records = [
        AdminBody(
            Event.GUARANTEE_SIGNED,
            guarantee.owner,
            guarantee.name,
            {"breach": breach_digest(guarantee, found_breaches), "why": _WHY},
        )
        for guarantee in bundle.catalog.guarantees.values()
        if guarantee.name in broken
    ]
    if records:
        record(ground.data / LEDGER, *records)


def _elsewhere(text: str, url: str) -> str:
    """The documents of `text`, nothing in which reaches anybody."""
    documents_out: list[Json] = []
    # Read as a workspace is: to YAML 1.1 `on` is no text.
    for value in (document.value for document in documents(text)):
        if not isinstance(value, Mapping):
            documents_out.append(value)
            continue
        resource: dict[str, Any] = dict(value)
        spec: dict[str, Any] = dict(resource.get("spec") or {})
        match resource.get("kind"):
            case "Server":
                harmless = {name: value for name, value in spec.items() if name not in _REACHES}
                resource["spec"] = {**harmless, "url": f"{url}/{resource['metadata']['name']}/mcp"}
            case "Route":
                resource["spec"] = {**spec, "hold_s": HOLD_S}
                resource["spec"].pop("channels", None)
            case kind if kind in _LEFT_OUT:
                continue
            case _:
                pass
        documents_out.append(resource)
    return yaml.safe_dump_all(documents_out, sort_keys=False, allow_unicode=True)
