"""A restart that resumes runs what was in force; one that takes the folder tells what that put in force."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from proof.counting import Counting, call
from proof.service import REMIT, environment
from remit.trace.bodies import Event
from tests.e2e.test_lost_ledger import recorded
from tests.eventually import awaited

EDIT: Final = '\n@id("aside")\nforbid (principal, action, resource) when { context.inputSize > 99999 };\n'
STOPS: Final = '\n@id("stops")\n@reason("nothing goes")\nforbid (principal, action, resource);\n'


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with Counting(tmp_path) as running:
        running.service.flags = ("--resume",)
        yield running


def runs(counting: Counting) -> str:
    return str(counting.service.told("bundle", "ls")[0]["bundle"])


def policies(counting: Counting) -> set[str]:
    return {str(one["metadata"]["name"]) for one in counting.service.told("get", "policies")}


def begun(counting: Counting) -> list[dict[str, Any]]:
    """What the records of starts say."""
    found = recorded(counting.service.data)
    return [dict(one.data) for one in found if one.event is Event.BUNDLE and one.data.get("at") == "start"]


@pytest.mark.parametrize("crashed", [True, False], ids=["crash", "stop"])
def test_a_restart_that_resumes_runs_what_was_in_force_and_tells_what_waits(
    counting: Counting, *, crashed: bool
) -> None:
    service = counting.service
    before = runs(counting)
    service.write({"aside.cedar": EDIT})
    service.kill() if crashed else service.stop()
    service.start()
    assert runs(counting) == before
    assert "aside" not in policies(counting)
    assert "from" not in begun(counting)[-1], "it is what was in force"
    service.says("the workspace folder has 1 change not applied; what was in force runs: remit diff, then: remit apply")
    doctor = service.remit("doctor").stdout
    assert "FAIL  workspace: 1 change waits" in doctor
    token = service.agent("clerk")
    asyncio.run(call(service, token, "add", {"id": "one"}))
    assert "one" in counting.effects
    # And once it was applied, it is what comes back.
    after = service.apply()["bundle"]
    service.kill()
    service.start()
    assert runs(counting) == after
    assert "aside" in policies(counting)
    assert "ok    workspace: the folder is what runs" in service.remit("doctor").stdout


def test_a_half_done_edit_and_a_crash_are_no_outage(counting: Counting) -> None:
    service = counting.service
    before = runs(counting)
    service.write({"aside.cedar": '@id("half")\nforbid (principal, action'})
    service.kill()
    service.start()
    assert runs(counting) == before
    service.says("the workspace folder does not validate: aside.cedar")
    log = service.data / "logs" / "remit.jsonl"
    lines = awaited(lambda: [line for line in log.read_text("utf-8").splitlines() if "workspace/invalid" in line])
    line = json.loads(lines[-1])
    assert line["error"].startswith("aside.cedar:1:1: this policy does not end")
    assert line["count"] == 1
    shutil.rmtree(service.workspace)
    service.kill()
    service.start()
    assert runs(counting) == before


def test_to_take_every_edit_and_none_is_refused(tmp_path: Path) -> None:
    asked = [REMIT, "up", "--resume", "--watch", "--workspace", tmp_path, "--data", tmp_path / "data", "--port", "0"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=False, env=environment())
    assert (done.returncode, "--resume and --watch do not go together" in done.stderr) == (2, True)
    assert not (tmp_path / "data").exists()


def test_what_was_accepted_beside_an_edit_comes_back_without_it(counting: Counting) -> None:
    service = counting.service
    service.write({"aside.cedar": EDIT})
    service.told("agents", "register", "helper", "--owner", "ann", "--purpose", "helps")
    registered = runs(counting)
    service.kill()
    service.start()
    assert runs(counting) == registered
    assert "helper" in {one["metadata"]["name"] for one in service.told("get", "agents")}
    assert "aside" not in policies(counting)


def test_a_start_takes_the_folder_and_says_what_that_put_in_force(counting: Counting) -> None:
    service = counting.service
    before = runs(counting)
    service.write({"aside.cedar": EDIT})
    service.stop()
    service.flags = ()
    service.start()
    assert "aside" in policies(counting)
    said = begun(counting)[-1]
    assert (said["from"], said["changes"]) == (before, ["add Policy aside"])
    told = f"the start took the folder, and put in force what was not: 1 change; remit bundle diff {before[:19]}"
    service.says(told)
    assert told in service.remit("doctor").stdout
    service.stop()
    service.flags = ("--resume",)
    service.start()
    assert "aside" in policies(counting)


def test_another_folder_is_what_a_start_with_it_runs(counting: Counting, tmp_path: Path) -> None:
    service = counting.service
    before = runs(counting)
    service.stop()
    moved = tmp_path / "moved"
    shutil.copytree(service.workspace, moved / "workspace")
    (moved / "workspace" / "aside.cedar").write_text(EDIT)
    shutil.move(service.data, moved / "data")
    service.root = moved
    service.start()
    assert "aside" in policies(counting)
    assert begun(counting)[-1]["from"] == before


@pytest.mark.parametrize("damage", ["flipped", "gone"])
def test_what_cannot_be_read_is_not_believed_and_the_folder_is_taken(counting: Counting, damage: str) -> None:
    service = counting.service
    service.write({"aside.cedar": EDIT})
    service.stop()
    [kept] = (service.data / "bundles").glob("running-*")
    if damage == "gone":
        kept.unlink()
    else:
        data = bytearray(kept.read_bytes())
        data[-1] ^= 1
        kept.write_bytes(data)
    service.start()
    assert "aside" in policies(counting)
    assert begun(counting)[-1]["changes"] == ["add Policy aside"]
    service.says("the start took the folder, and put in force what was not: 1 change")


def test_an_apply_that_is_killed_before_its_record_leaves_what_was_in_force(counting: Counting) -> None:
    service = counting.service
    before = runs(counting)
    [kept] = (service.data / "bundles").glob("running-*")
    was = kept.read_bytes()
    service.write({"stops.cedar": STOPS})
    service.apply()
    service.kill()
    # As it lies between the two: what is to come is written, and not put in its place.
    kept.rename(kept.with_name(f"{kept.name}.next"))
    kept.write_bytes(was)
    service.start()
    assert runs(counting) == before
    assert not list((service.data / "bundles").glob("*.next"))
