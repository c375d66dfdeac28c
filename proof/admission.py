"""`python -m proof.admission`: what admission refuses, what it lets through, and what stands on the ledger of that.

A real service over the bank's workspace, with a history of real calls. Each change of the workspace is looked at by
`remit apply --admit`: one that opens a chain, one that newly permits what was denied, one that doubles the asks, one
whose case fails, one that breaks a guarantee by a flow, and a clean one. What is refused must leave what runs as it is;
what its owner lets through must run, and be on record with who, why and what refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from proof.verdict import say
from tests.e2e.bank_world import Banking

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOOLS: Final = "---\n".join(
    f"apiVersion: remit.dev/v1alpha1\nkind: Tool\nmetadata: {{name: bank/{name}}}\nspec: {{{spec}}}\n"
    for name, spec in (
        ("identify", 'effect: read, sink: none, source: ["confidential:id"]'),
        ("export", "effect: write, sink: external, source: []"),
        ("pay", "effect: write, sink: internal, source: []"),
        ("draft", "effect: write, sink: internal, source: []"),
        ("release", "effect: write, sink: internal, source: []"),
        ("wire", "effect: write, sink: internal, source: []"),
    )
)
SEALED: Final = """@id("sealed") forbid (principal, action in Remit::Action::"sink:external", resource)
when { context.session.labels.contains(Remit::Label::"confidential") };
"""
EVE: Final = """@id("not-eve") forbid (principal, action == Remit::Action::"bank___pay", resource)
when { context.input.to == "eve" };
"""
ASKED: Final = """@id("asked") @gate("owner") forbid (principal, action == Remit::Action::"bank___pay", resource)
when { context.input.to like "b*" };
"""
CASES: Final = """- name: eve is paid by nobody
  agent: clerk
  events:
    - {call: bank/pay, args: {to: eve}, expect: deny, by: not-eve}
"""
BREAKER: Final = """apiVersion: remit.dev/v1alpha1
kind: Breaker
metadata: {name: loops}
spec: {on: identical, over: agent, limit: 20, within_s: 60}
"""
BUDGET: Final = """apiVersion: remit.dev/v1alpha1
kind: Budget
metadata: {name: exports}
spec: {measure: calls, per: agent, tools: [bank/export], hard: 40, window_s: 86400}
"""
ADMISSION: Final = """apiVersion: remit.dev/v1alpha1
kind: Admission
metadata: {name: all-changes}
spec: {owner: ana, attack: quick}
"""
WITHOUT_ATTACK: Final = ADMISSION.replace("quick", "none")
KEEP: Final = """apiVersion: remit.dev/v1alpha1
kind: Guarantee
metadata: {name: inside}
spec: {owner: ana, no_flow: {labels: [confidential], sinks: [internal]}}
"""
CLEAN: Final = """@id("no-secret-drafts") forbid (principal, action == Remit::Action::"bank___draft", resource)
when { context.input.document == "secret" };
"""
BASE: Final[Mapping[str, str]] = {
    "tools.yaml": TOOLS,
    "sealed.cedar": SEALED,
    "eve.cedar": EVE,
    "asked.cedar": ASKED,
    "loops.yaml": BREAKER,
    "exports.yaml": BUDGET,
}
HISTORY: Final = (*("ann",) * 8, "eve", "bob", "bea")
"""Whom the clerk paid, or wanted to."""
CHANGES: Final[Sequence[tuple[str, str, Mapping[str, str]]]] = (
    ("opens a chain", "chains", {"sealed.cedar": ""}),
    ("newly permits a past denial", "replay", {"eve.cedar": ""}),
    ("doubles the asks", "replay", {"asked.cedar": ASKED.replace("b*", "*")}),
    ("fails a case", "cases", {"eve.cases.yaml": CASES, "eve.cedar": EVE.replace('"eve"', '"mallory"')}),
    ("breaks a guarantee by a flow", "guarantees", {"keep.yaml": KEEP}),
)
"""What each change is, the check that has to refuse it, and its files."""


@dataclass(slots=True)
class Told:
    """What was seen: `wrong` is what is not as it has to be."""

    seen: list[str] = field(default_factory=list[str])
    wrong: list[str] = field(default_factory=list[str])

    def check(self, what: str, *, holds: bool) -> None:
        """Note down `what`, and whether it `holds`."""
        self.seen.append(what)
        print(f"{'ok  ' if holds else 'MISS'} {what}", flush=True)
        if not holds:
            self.wrong.append(what)


def main() -> int:
    """Run; the exit code says whether everything is as it has to be."""
    told = Told()
    with tempfile.TemporaryDirectory(prefix="remit-proof-") as folder, Banking(Path(folder)) as bank:
        service = bank.service
        service.write(dict(BASE))
        told.check("the workspace applies before an Admission runs", holds=service.remit("apply").returncode == 0)
        clerk = service.agent("clerk", "ana")
        for one in HISTORY:
            asyncio.run(bank.call(clerk, "pay", to=one))
        service.write({"admission.yaml": ADMISSION})
        told.check("an Admission comes into force", holds=service.remit("apply").returncode == 0)
        _refused(bank, told)
        _admitted(bank, told)
        _let_through(bank, told)
    figure = f"{len(told.seen) - len(told.wrong)} of {len(told.seen)} as they have to be"
    goal = "each refused by its check, the clean one admitted, the override on record"
    return say(figure, goal, passed=not told.wrong)


def _running(bank: Banking) -> str:
    return str(bank.service.told("bundle", "ls")[0]["bundle"])


def _files(bank: Banking, files: Mapping[str, str]) -> None:
    """Have the workspace hold the base and `files`, one that is empty taken out."""
    for name in ("eve.cases.yaml", "keep.yaml", "clean.cedar"):
        (bank.service.workspace / name).unlink(missing_ok=True)
    bank.service.write({**BASE, **files})
    for name, text in files.items():
        if not text:
            (bank.service.workspace / name).unlink()


def _refused(bank: Banking, told: Told) -> None:
    service, before = bank.service, _running(bank)
    for what, check, files in CHANGES:
        _files(bank, files)
        plain = service.remit("apply")
        told.check(f"{what}: refused without a look", holds=plain.returncode == 1 and "--admit" in plain.stderr)
        done = service.remit("apply", "--admit", "-o", "json")
        look = _look(done.stdout)
        refused = look.get("refused", [])
        told.check(f"{what}: refused by {', '.join(refused)}", holds=done.returncode == 1 and check in refused)
        told.check(f"{what}: what runs is as it was", holds=_running(bank) == before)


def _look(stdout: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(stdout)
    except ValueError:
        return {}
    return found.get("admission", found)


def _admitted(bank: Banking, told: Told) -> None:
    service = bank.service
    _files(bank, {"clean.cedar": CLEAN})
    done = service.remit("apply", "--admit", "-o", "json")
    look = _look(done.stdout)
    states = {one["check"]: one["state"] for one in look.get("checks", [])}
    told.check(f"a clean one is admitted: {states}", holds=done.returncode == 0 and look.get("stage") == "admitted")
    told.check("and it runs", holds=_running(bank) == look.get("bundle"))


def _let_through(bank: Banking, told: Told) -> None:
    service = bank.service
    _files(bank, {"eve.cedar": "", "clean.cedar": CLEAN})
    look = _look(service.remit("apply", "--admit", "-o", "json").stdout)
    ident, why = str(look.get("id")), ("--why", "eve works here now")
    told.check("refused again", holds=look.get("refused") == ["replay"])
    command = ("admission", "override", ident, "replay", *why)
    told.check("the admin overrides nothing", holds=service.remit(*command).returncode == 4)
    wrong = service.remit("admission", "override", ident, "chains", *why, token=service.user("ana"))
    told.check("nor is anything else overridden", holds=wrong.returncode == 1)
    told.check("still refused", holds=service.remit("apply", "--admission", ident).returncode == 1)
    let = service.remit(*command, token=service.user("ana"))
    told.check("its owner lets it through by name, with a reason", holds=let.returncode == 0)
    told.check("and it runs", holds=service.remit("apply", "--admission", ident).returncode == 0)
    told.check("as it was looked at", holds=_running(bank) == look.get("bundle"))
    records = {one["body"]["event"]: one["body"] for one in _admin(bank)}
    given = records.get("admission.overridden", {})
    on_record = (given.get("by"), given.get("data", {}).get("checks"), given.get("data", {}).get("why"))
    told.check(f"on the ledger: {on_record}", holds=on_record == ("ana", ["replay"], why[1]))
    held = records.get("admission", {}).get("data", {})
    failed = [one["check"] for one in held.get("checks", []) if one["state"] == "failed"]
    told.check(f"with what refused: {failed}", holds=failed == ["replay"])
    said = records.get("bundle", {}).get("data", {})
    both = said.get("admitted"), said.get("overridden_by")
    told.check("the bundle's record names both", holds=both == (ident, ["user:ana"]))
    verified = service.remit("ledger", "verify", str(service.data / "ledger.sqlite3"))
    told.check("the ledger verifies", holds=verified.returncode == 0)


def _admin(bank: Banking) -> list[dict[str, Any]]:
    found: dict[str, Any] = {"items": []}
    from remit.app.terminal.client import ServiceClient

    found = ServiceClient(bank.service.admin, bank.service.url).get("/ledger/entries", latest=200)
    return [one for one in found["items"] if one["kind"] == "admin"]


if __name__ == "__main__":
    sys.exit(main())
