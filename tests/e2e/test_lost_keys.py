"""Keys that are gone are made anew by nobody in silence: every token would be void, and nobody told."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.counting import Counting
from remit.trace.bodies import Event
from tests.e2e.test_lost_ledger import recorded, said
from tests.eventually import awaited

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with Counting(tmp_path) as running:
        yield running


def marked(data: Path, folder: str) -> bool:
    mark = data / "ledger.mark"
    return mark.exists() and f'"{folder}/' in mark.read_text("ascii")


@pytest.mark.parametrize("folder", ["keys", "checkpoint-keys"])
def test_a_start_without_the_keys_that_signed_is_refused(counting: Counting, folder: str, tmp_path: Path) -> None:
    service = counting.service
    token = service.agent("clerk")
    assert "ok    keys: " in service.remit("doctor").stdout
    awaited(lambda: marked(service.data, folder))
    kept = tmp_path / "kept"
    (service.data / folder).rename(kept)
    doctor = service.remit("doctor")
    assert doctor.returncode == 1
    assert f"FAIL  keys: {service.data / folder}" in doctor.stdout
    service.stop()
    with pytest.raises(AssertionError, match=f"put {folder}/ back from your copy of the data folder"):
        service.start()
    service.kill()
    shutil.copytree(kept, service.data / folder, dirs_exist_ok=True)
    service.start()
    assert "added" in said(counting, token, "before")
    assert not [one for one in recorded(service.data) if one.event is Event.KEY_LOSS_ACCEPTED]


@pytest.mark.parametrize("folder", ["keys", "checkpoint-keys"])
def test_a_loss_of_keys_that_is_accepted_is_on_record_and_once(counting: Counting, folder: str) -> None:
    service = counting.service
    token = service.agent("clerk")
    awaited(lambda: marked(service.data, folder))
    service.kill()
    shutil.rmtree(service.data / folder)
    service.flags = ("--accept-loss",)
    service.start()
    service.kill()
    service.flags = ()
    service.start()
    [accepted] = [one for one in recorded(service.data) if one.event is Event.KEY_LOSS_ACCEPTED]
    assert str(accepted.data["why"]).startswith(f"{folder}/")
    if folder == "keys":
        with pytest.raises(Exception):  # noqa: B017 - whatever the client makes of a 401
            said(counting, token, "after")
        assert service.told("token", "ls", "clerk") == []
        assert [one["state"] for one in service.told("token", "ls", "clerk", "--all")] == ["void"]
        token = service.agent("clerk")
    assert [one["state"] for one in service.told("token", "ls")] == ["live"]
    assert "added" in said(counting, token, "again")
    assert service.remit("ledger", "verify", "--data", str(service.data)).returncode == 0


def test_keys_that_were_rotated_are_those_that_are_looked_for(counting: Counting) -> None:
    service = counting.service
    first = (service.data / "keys").glob("*.pem")
    [old] = [file.name for file in first]
    service.told("token", "rotate")
    awaited(lambda: marked(service.data, "keys") and old not in (service.data / "ledger.mark").read_text())
    service.kill()
    (service.data / "keys" / old).unlink()
    service.start()
    assert "ok    keys: " in service.remit("doctor").stdout
