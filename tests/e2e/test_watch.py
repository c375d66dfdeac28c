"""`--watch` takes changes by itself; what runs is described with how its servers fare."""

import asyncio
from pathlib import Path

from proof.admission import WITHOUT_ATTACK
from proof.counting import Counting, call
from tests.eventually import awaited

CLOSED = '@id("closed")\nforbid (principal, action == Remit::Action::"counter___add", resource);\n'


def test_a_watching_service_takes_a_change_and_keeps_running_on_a_broken_one(tmp_path: Path) -> None:
    counting = Counting(tmp_path / "watch")
    counting.service.flags = ("--watch",)
    with counting:
        service = counting.service
        agent = service.agent("clerk")
        service.write({"closed.cedar": CLOSED})
        awaited(lambda: asyncio.run(call(service, agent, "add", {"id": "x"})).is_error)
        service.write({"broken.cedar": "permit ("})
        service.says("broken.cedar:1")
        assert asyncio.run(call(service, agent, "add", {"id": "y"})).is_error
        assert not asyncio.run(call(service, agent, "peek", {})).is_error


def test_a_change_that_the_admission_has_to_look_at_is_told_and_the_next_one_is_taken(tmp_path: Path) -> None:
    counting = Counting(tmp_path / "watch")
    counting.service.flags = ("--watch",)
    with counting:
        service = counting.service
        service.write({"admission.yaml": WITHOUT_ATTACK})
        service.says("running bundle")
        awaited(lambda: service.told("get", "admission"))
        service.write({"closed.cedar": CLOSED})
        service.says("the Admission all-changes looks at every change before it runs; next: remit apply --admit")
        service.says("the running bundle stays")
        began = len(service.log)
        (service.workspace / "closed.cedar").unlink()
        awaited(lambda: "running bundle sha256:" in service.log[began:])


BROKEN = """\
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: broken}
spec: {command: [/bin/sh, -c, exit 3]}
"""


def test_a_server_is_described_with_how_it_fares(tmp_path: Path) -> None:
    with Counting(tmp_path / "health") as counting:
        (shown,) = counting.service.told("get", "servers", "counter")
        assert shown["status"]["state"] == "up"
        assert "2026-07-28" in shown["status"]["eras"]
        counting.stop_counter()

        def away() -> str | None:
            # Doctor asks no server anew that was asked within its `verify_s`.
            counting.service.remit("doctor")
            (shown,) = counting.service.told("get", "servers", "counter")
            return None if shown["status"]["state"] == "up" else shown["status"]["last_error"]

        assert "start what answers there" in awaited(away)
        counting.service.write({"broken.yaml": BROKEN})
        counting.service.remit("apply")
        counting.service.remit("doctor")
        (shown,) = counting.service.told("get", "servers", "broken")
        assert shown["status"]["next"] == "read its stderr here, and run its command by hand: /bin/sh -c 'exit 3'"
