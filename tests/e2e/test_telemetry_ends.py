"""Telemetry that was acknowledged counts, though the service is ended a moment after."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from proof.service import Service
from tests.e2e.speaking import META, ask, envelope, post
from tests.e2e.telemetry_world import export, span

if TYPE_CHECKING:
    from collections.abc import Generator

RESOURCES = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: clerk}
spec: {owner: ana, purpose: tests, groups: []}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ana}
spec: {}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: counting}
spec: {command: [PYTHON, SERVER, stdio]}
"""
REAL = Path(__file__).parents[1] / "upstreams" / "real.py"
TRACE = 0xABCDEF


@pytest.fixture
def service(tmp_path: Path) -> Generator[Service]:
    found = Service(tmp_path)
    resources = RESOURCES.replace("PYTHON", sys.executable).replace("SERVER", str(REAL))
    found.write({"resources.yaml": resources, "policies.cedar": '@id("all")\npermit (principal, action, resource);\n'})
    with found:
        found.accept("counting")
        yield found


def counted(service: Service) -> dict[str, Any]:
    total = service.api("GET", "/coverage?by=agent&days=7")["total"]
    return {name: total[name] for name in ("passed", "observed")}


def test_what_waits_for_a_span_above_or_for_the_ledger_is_counted_at_an_end(service: Service) -> None:
    token = service.agent("clerk", "ana")
    meta = {**META, "traceparent": f"00-{TRACE:032x}-{1:016x}-01"}
    assert post(service, token, "counting", envelope("echo", {"text": "a"}, meta), "echo").status == 200
    of_tool = {"gen_ai__operation__name": "execute_tool"}
    orphan = span("tool", 3, 2, 1, **of_tool, gen_ai__tool__name="rm")
    bare = span("tool", 4, 0, 2, **of_tool, gen_ai__tool__name="dd", gen_ai__agent__name="clerk")
    governed = span("tool", 5, 0, TRACE, **of_tool, gen_ai__tool__name="echo", gen_ai__agent__name="clerk")
    body = json.dumps(export(orphan, bare, governed)).encode()
    assert ask(service, "POST", "/otlp/v1/traces", token, body).status == 200
    service.stop()
    service.start()
    assert counted(service) == {"passed": 1, "observed": 2}
