"""A ledger that is gone, or lost its end, is gone on from by nobody in silence: what was stopped would act again."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from proof.counting import Counting, call
from remit.adapters.sqlite.tail import LedgerTail
from remit.facts.record import RecordKind
from remit.trace.bodies import AdminBody, Event
from tests.e2e.test_metrics import samples
from tests.eventually import awaited


def said(counting: Counting, token: str, ident: str) -> str:
    result = asyncio.run(call(counting.service, token, "add", {"id": ident}))
    return "".join(part.text for part in result.content)


def recorded(data: Path) -> list[AdminBody]:
    """The admin records of a ledger, also beside a service that has it open."""

    async def read() -> list[AdminBody]:
        tail = LedgerTail(data / "ledger.sqlite3", (RecordKind.ADMIN,), whole=True)
        page = await tail.after((await tail.after("")).mark)
        return [entry.body for entry in page.entries if isinstance(entry.body, AdminBody)]

    return asyncio.run(read())


def removed(ledger: Path) -> None:
    for end in ("", "-wal", "-shm"):
        ledger.with_name(ledger.name + end).unlink(missing_ok=True)


def emptied(ledger: Path) -> None:
    removed(ledger)
    ledger.touch()


def flipped(ledger: Path) -> None:
    """A bit of the log, all of what a young ledger is."""
    log = ledger.with_name(ledger.name + "-wal")
    data = bytearray(log.read_bytes())
    data[200] ^= 1
    log.write_bytes(data)


@pytest.mark.parametrize("lost", [removed, emptied, flipped])
def test_a_start_without_what_was_there_is_refused(tmp_path: Path, lost: Callable[[Path], None]) -> None:
    with Counting(tmp_path) as counting:
        service = counting.service
        token = service.agent("clerk")
        assert "added" in said(counting, token, "before")
        service.told("halt", "agent", "clerk", "--why", "odd")
        awaited((service.data / "ledger.mark").exists)
        service.kill()
        lost(service.data / "ledger.sqlite3")
        with pytest.raises(AssertionError, match="--accept-loss"):
            service.start()
        service.kill()
        service.flags = ("--accept-loss",)
        service.admin = ""
        service.start()
        service.flags = ()
        with pytest.raises(Exception):  # noqa: B017 - whatever the client makes of a 401
            said(counting, token, "after")
        assert "after" not in counting.effects
        [accepted] = [one for one in recorded(service.data) if one.event is Event.LEDGER_LOSS_ACCEPTED]
        assert "it had come to" in str(accepted.data["why"])
        service.stop()
        service.start()


def test_keys_without_a_ledger_are_those_of_another(tmp_path: Path) -> None:
    with Counting(tmp_path) as counting:
        service = counting.service
        service.kill()
        removed(service.data / "ledger.sqlite3")
        (service.data / "ledger.mark").unlink(missing_ok=True)
        with pytest.raises(AssertionError, match="tokens that were revoked there would act again"):
            service.start()


def test_a_ledger_whose_file_is_removed_under_a_service_takes_no_records(tmp_path: Path) -> None:
    with Counting(tmp_path) as counting:
        service = counting.service
        token = service.agent("clerk")
        removed(service.data / "ledger.sqlite3")
        awaited(lambda: not service.ready())
        assert "was removed or replaced" in said(counting, token, "lost")
        assert samples(service.port)["remit_ledger_writable{}"] == 0
        assert "lost" not in counting.effects


def test_a_restore_that_cannot_tell_what_was_revoked_voids_every_token(tmp_path: Path) -> None:
    with Counting(tmp_path / "here") as counting:
        service = counting.service
        backup = tmp_path / "backup"
        service.told("ledger", "backup", str(backup))
        late = service.mint("agent", "clerk")
        service.told("token", "revoke", late["jti"])
        service.stop()
        kept = tmp_path / "kept"
        shutil.copytree(service.data, kept)
        done = service.remit("ledger", "restore", str(backup), "--data", str(service.data))
        assert done.returncode == 0, done.stderr
        assert "every token is void" not in done.stderr, "the ledger that was there says which were revoked"
        service.start()
        with pytest.raises(Exception):  # noqa: B017
            said(counting, late["token"], "revoked")
        service.stop()
        shutil.rmtree(service.data)
        kept.rename(service.data)
        (service.data / "ledger.mark").write_text("torn")
        with pytest.raises(AssertionError, match="cannot be read"):
            service.start()
        service.kill()
        done = service.remit("ledger", "restore", str(backup), "--data", str(service.data))
        assert done.returncode == 0, done.stderr
        assert "every token is void" in done.stderr, "its end may be lost"
        removed(service.data / "ledger.sqlite3")
        done = service.remit("ledger", "restore", str(backup), "--data", str(service.data))
        assert done.returncode == 0, done.stderr
        assert "every token is void" in done.stderr
        service.start()
        with pytest.raises(Exception):  # noqa: B017
            said(counting, late["token"], "revoked")
        assert "revoked" not in counting.effects
