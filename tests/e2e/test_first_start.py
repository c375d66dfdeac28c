"""What a first start makes is known from its first answer on: what is lost of it is made anew by nobody in silence."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.counting import Counting
from proof.service import Service, free_port
from remit.trace.bodies import Event
from tests.e2e.test_lost_ledger import recorded, said

pytestmark = pytest.mark.timeout(300)
POLICY = {"all.cedar": '@id("all")\npermit (principal, action, resource);\n'}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    one = Service(tmp_path)
    one.write(POLICY)
    yield one
    one.kill()


@pytest.mark.parametrize("folder", ["keys", "checkpoint-keys"])
def test_keys_that_are_lost_right_after_the_first_answer_are_missed(service: Service, folder: str) -> None:
    service.start()
    service.kill()
    shutil.rmtree(service.data / folder)
    with pytest.raises(AssertionError, match=f"put {folder}/ back from your copy of the data folder"):
        service.start()


def test_a_restore_leaves_known_what_signs(service: Service, tmp_path: Path) -> None:
    service.start()
    backup = tmp_path / "backup"
    service.told("ledger", "backup", str(backup))
    service.stop()
    done = service.remit("ledger", "restore", str(backup), "--data", str(service.data))
    assert done.returncode == 0, done.stderr
    assert "every token is void" not in done.stderr
    shutil.rmtree(service.data / "keys")
    with pytest.raises(AssertionError, match="put keys/ back from your copy of the data folder"):
        service.start()


def test_a_checkpoint_right_after_the_first_answer_waits_for_the_first_signature(service: Service) -> None:
    service.start()
    assert service.process is not None
    done = service.remit("ledger", "checkpoint")
    assert done.returncode == 0, done.stderr
    assert "verifier key: " in done.stderr


def test_who_signs_is_put_back_where_that_alone_is_lost_and_tokens_live_on(tmp_path: Path) -> None:
    with Counting(tmp_path) as counting:
        service = counting.service
        token = service.agent("clerk")
        issuer = service.data / "issuer"
        before = issuer.read_bytes()
        service.kill()
        issuer.unlink()
        service.port = free_port()
        service.start()
        assert issuer.read_bytes() == before
        service.says(f"{issuer} was lost and is put back: tokens are signed as {before.decode()}")
        assert "added" in said(counting, token, "after")
        service.kill()
        issuer.unlink()
        (service.data / "ledger.mark").unlink()
        service.port = free_port()
        with pytest.raises(AssertionError, match="is lost, which says as whom this service signs"):
            service.start()
        assert not issuer.exists()
        service.flags = ("--accept-loss",)
        service.start()
        service.flags = ()
        [accepted] = [one for one in recorded(service.data) if one.event is Event.KEY_LOSS_ACCEPTED]
        assert accepted.data["why"] == "issuer was lost"
        with pytest.raises(Exception):  # noqa: B017 - whatever the client makes of a 401
            said(counting, token, "void")
        service.kill()
        service.start()
