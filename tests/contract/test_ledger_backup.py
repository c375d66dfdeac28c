"""A backup is one moment of a ledger in use; a restored one begins anew and gives nothing back that was stopped."""

import asyncio
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, repeat
from pathlib import Path
from typing import Final

import pytest

from remit.adapters.sqlite import DataInUse, open_ledger, verify_file
from remit.adapters.sqlite.backup import back_up, copy_beside
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.adapters.sqlite.replaced_ledger import read_state
from remit.adapters.system import SystemEntropy
from remit.app.data.restoration import RestorationResult, backed_up, restore
from remit.escalate.notice import Notice
from remit.facts.record import RecordKind
from remit.facts.stop import StopKind, StopScope
from remit.ports.ledger import Entry
from remit.ports.system import Entropy
from remit.trace.bodies import AdminBody, Choice, Event
from tests.contract.ledger_world import CountingEntropy, Place, SteadyClock, append_all, draft, flip
from tests.contract.test_ledger_failures import said, writing
from tests.contract.test_ledger_thresholds import TERMS, decided
from tests.core.recording import action

ADMIN = RecordKind.ADMIN


def record(place: Path, *bodies: AdminBody, asks: int = 0, entropy: Entropy | None = None) -> str:
    """One epoch of the ledger in `place` with these records, and `asks` open approvals; its chain."""

    async def run() -> str:
        ledger = open_ledger(place / "ledger.sqlite3", SteadyClock(), entropy or CountingEntropy())
        for number in range(asks):
            body = action(links=[("clerk", f"asks{number}")], verdict="escalate", expires_ms=10**15)
            await ledger.append(draft(body, RecordKind.PROPOSAL, f"asks{number}")).durable
        for body in bodies:
            await ledger.append(draft(body, ADMIN, "")).durable
        await ledger.close()
        return ledger.chain

    return asyncio.run(run())


def opened(sid: str) -> AdminBody:
    return AdminBody(Event.SESSION_OPENED, "clerk", sid, {"agent": "clerk", "user": None})


def read(place: Path) -> tuple[list[Entry], dict[str, int], dict[str, str], dict[str, bool], int]:
    """Records, revoked tokens, credentials, whether each session ended, and how many approvals are open."""

    async def run() -> tuple[list[Entry], dict[str, int], dict[str, str], dict[str, bool], int]:
        ledger = Place(place).open()
        entries = list(await ledger.entries(after=None, limit=10_000, sid=None))
        sessions = {one.sid: one.ended_ms is not None for one in await ledger.sessions(1_000)}
        approvals = len(await ledger.approvals(open_only=True, limit=1_000))
        found = entries, dict(await ledger.revoked_tokens()), dict(await ledger.credentials()), sessions, approvals
        await ledger.close()
        return found

    return asyncio.run(run())


def refused(backup: Path, place: Path) -> LedgerRefused:
    with pytest.raises(LedgerRefused) as found:
        restore(backup, place / "ledger.sqlite3")
    return found.value


def test_a_ledger_in_use_is_backed_up_as_it_was_at_one_moment_while_records_go_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    target = tmp_path / "backup"
    with writing(data) as process:
        chain = said(process, 1)[0]
        before = said(process, 400)[-1].split(" ")[0]
        report = back_up(data / "ledger.sqlite3", target)
        after = said(process, 40)
    assert report.clean
    head = report.heads[-1].ref
    assert head.chain == chain
    assert int(before.split(".")[1]) <= head.seq, "what was acknowledged before is missing"
    assert verify_file(data / "ledger.sqlite3").records > report.records, "the writer was held up"
    assert len(after) == 40
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(tmp_path.iterdir()) == [target, data]
    assert verify_file(target).heads == report.heads


def test_a_backup_overwrites_nothing_and_leaves_nothing_behind(tmp_path: Path) -> None:
    record(tmp_path, opened("s"))
    target = tmp_path / "kept"
    target.write_text("of value")
    with pytest.raises(LedgerRefused, match="is there already"):
        back_up(tmp_path / "ledger.sqlite3", target)
    assert target.read_text() == "of value"
    for wrong in (tmp_path / "nowhere" / "file", tmp_path / "absent.sqlite3"):
        source = wrong if wrong.name == "absent.sqlite3" else tmp_path / "ledger.sqlite3"
        with pytest.raises(LedgerRefused):
            back_up(source, wrong)
    flip(tmp_path / "ledger.sqlite3", b"clerk")
    with pytest.raises(LedgerRefused, match="does not verify"):
        back_up(tmp_path / "ledger.sqlite3", tmp_path / "damaged")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "ledger.sqlite3", "lock"]


def both(data: Path, target: Path) -> Mapping[Path, Path]:
    """A ledger in `data`, an outbox beside it, and where that goes with a backup to `target`."""
    record(data, opened("s"))
    kept_in(data / "outbox.db", "msg_1")
    return {data / "outbox.db": target.with_name(f"{target.name}.outbox")}


@pytest.mark.parametrize("name", ["b", "b.outbox", "b-wal", "b.outbox-journal", "b.part"])
def test_a_backup_that_could_not_be_finished_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    away = tmp_path / "away"
    away.mkdir()
    beside = both(tmp_path / "data", away / "b")
    (away / name).symlink_to("nowhere")
    with pytest.raises(LedgerRefused, match=f"{name} is there") as found:
        back_up(tmp_path / "data" / "ledger.sqlite3", away / "b", None, beside)
    assert found.value.next.startswith(f"rm -r {away / name}" if name == "b.part" else "remit ledger backup ANOTHER-")
    assert [path.name for path in away.iterdir()] == [name]


def test_a_backup_has_all_its_names_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    away = tmp_path / "away"
    away.mkdir()
    beside = both(tmp_path / "data", away / "b")
    for goes in range(2):
        steps = chain([os.link] * goes, repeat(_full))

        def link(one: Path, other: Path, steps: Iterator[Callable[[Path, Path], None]] = steps) -> None:
            next(steps)(one, other)

        with monkeypatch.context() as patch:
            patch.setattr(os, "link", link)
            with pytest.raises(LedgerRefused, match="No space"):
                back_up(tmp_path / "data" / "ledger.sqlite3", away / "b", None, beside)
        assert list(away.iterdir()) == []


CUT_OFF: Final = """
import os, sys
from pathlib import Path
from remit.app.data import restoration

link, left = os.link, int(sys.argv[3])
def cut(*of):
    global left
    if not left:
        os._exit(9)
    left -= 1
    link(*of)
os.link = cut
restoration.backed_up(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_backup_that_is_killed_leaves_no_half_of_one_under_its_name(tmp_path: Path) -> None:
    away, data = tmp_path / "away", tmp_path / "data"
    away.mkdir()
    both(data, away / "b")
    for links, names in ((0, ["b.part"]), (1, ["b.outbox", "b.part"])):
        done = subprocess.run([sys.executable, "-c", CUT_OFF, data, away / "b", str(links)], check=False)
        assert done.returncode == 9
        assert sorted(path.name for path in away.iterdir()) == names
        with pytest.raises(LedgerRefused, match="is there"):
            backed_up(data, away / "b")
        assert sorted(path.name for path in away.iterdir()) == names
        shutil.rmtree(away / "b.part")
        (away / "b.outbox").unlink(missing_ok=True)
    assert backed_up(data, away / "b")[1] == away / "b.outbox"
    assert kept_in(away / "b.outbox") == ["msg_1"]


def restored(tmp_path: Path, *since: AdminBody) -> tuple[Path, RestorationResult]:
    """A ledger that was backed up, went on with `since` in two epochs, and was then restored."""
    data, backup = tmp_path / "data", tmp_path / "backup"
    record(
        data,
        opened("old"),
        AdminBody(Event.CREDENTIAL, "the service", "admin", {"hash": "first"}),
        AdminBody(Event.TOKEN_REVOKED, "root", "early", {"expires_ms": 10**15}),
        asks=2,
    )
    back_up(data / "ledger.sqlite3", backup)
    record(data, *since)
    record(data, opened("later"))
    return data, restore(backup, data / "ledger.sqlite3")


def test_a_restored_ledger_says_so_in_a_new_epoch_and_gives_no_decision_id_twice(tmp_path: Path) -> None:
    data, done = restored(tmp_path)
    assert done.chain.endswith("-4"), "epochs 2 and 3 were the replaced ledger's"
    assert done.remembered
    entries = read(data)[0]
    [told] = [entry.body for entry in entries if isinstance(entry.body, AdminBody) and "restored" in entry.body.event]
    assert isinstance(told, AdminBody)
    assert told.subject == str(done.report.heads[-1].ref)
    assert told.data["replaced_epoch"] == 3
    lost = [entry.record for entry in entries if entry.record.chain.endswith(("-2", "-3"))]
    assert [entry.seq for entry in lost] == [1, 1], "an id of the replaced ledger's was given again"
    assert verify_file(data / "ledger.sqlite3").clean
    assert done.aside is not None
    kept = verify_file(done.aside)
    assert kept.clean
    assert len(kept.heads) == 3
    assert stat.S_IMODE((data / "ledger.sqlite3").stat().st_mode) == 0o600
    assert not (data / "restoring").exists()


KILLED: Final = """
import os, sys
from pathlib import Path
from remit.app.data import restoration

link = os.link
def cut(*of):
    link(*of)
    os._exit(9)
os.link = cut
restoration.restore(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_restore_that_was_killed_can_be_done_again(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    record(data, opened("old"))
    back_up(data / "ledger.sqlite3", backup)
    record(data, opened("later"))
    done = subprocess.run([sys.executable, "-c", KILLED, backup, data / "ledger.sqlite3"], check=False)
    assert done.returncode == 9
    assert len(verify_file(data / "ledger.sqlite3").heads) == 2, "what was there is there still"
    again = restore(backup, data / "ledger.sqlite3")
    assert again.aside is not None
    assert again.chain.endswith("-3")
    assert (verify_file(data / "ledger.sqlite3").clean, len(verify_file(again.aside).heads)) == (True, 2)


def test_what_was_stopped_since_the_backup_stays_stopped(tmp_path: Path) -> None:
    data, _ = restored(
        tmp_path,
        AdminBody(Event.TOKEN_REVOKED, "root", "late", {"expires_ms": 10**15}),
        AdminBody(Event.CREDENTIAL, "the service", "admin", {"hash": "second"}),
        AdminBody(Event.SESSION_ENDED, "root", "asks0"),
    )
    _, revoked, credentials, sessions, approvals = read(data)
    assert revoked.keys() == {"early", "late"}
    assert credentials == {"admin": "second"}
    assert sessions == dict.fromkeys(("old", "asks0", "asks1", "later"), True)
    assert approvals == 0


def test_what_was_halted_since_the_backup_stays_halted_by_whom_it_was(tmp_path: Path) -> None:
    data, _ = restored(
        tmp_path,
        AdminBody(Event.HALT, "user:ann", "agent:clerk", {"reason": "it loops", "holds": "acting"}),
        AdminBody(Event.HALT, "user:ann", "everything", {"reason": "to be sure"}),
        AdminBody(Event.RESUME, "user:ann", "everything"),
    )
    found = read_state(data / "ledger.sqlite3")
    assert found is not None
    [stop] = found.stopped.values()
    assert (stop.target, stop.by, stop.reason) == ((StopKind.AGENT, "clerk"), "user:ann", "it loops")
    assert stop.scope is StopScope.ACTING


def test_no_grant_of_a_backup_lifts_anything(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    data.mkdir()

    async def give() -> None:
        ledger = Place(data).open()
        await append_all(ledger, [decided(Choice.GRANT, "max", TERMS.to_json())])
        await ledger.close()

    async def grants() -> list[str | None]:
        ledger = Place(data).open()
        found = [one.revoked_by for one in await ledger.grants()]
        await ledger.close()
        return found

    asyncio.run(give())
    back_up(data / "ledger.sqlite3", backup)
    restore(backup, data / "ledger.sqlite3")
    assert asyncio.run(grants()) == ["the data folder's owner"]


def test_without_the_replaced_ledger_it_says_what_it_cannot_know(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    record(data, opened("old"))
    back_up(data / "ledger.sqlite3", backup)
    record(data, AdminBody(Event.TOKEN_REVOKED, "root", "late", {"expires_ms": 10**15}))
    (data / "ledger.sqlite3").write_bytes(b"no ledger any more" * 1_000)
    done = restore(backup, data / "ledger.sqlite3")
    assert not done.remembered
    assert done.aside is not None
    assert done.aside.read_bytes().startswith(b"no ledger any more")
    assert read(data)[3] == {"old": True}
    fresh = restore(backup, tmp_path / "fresh" / "ledger.sqlite3")
    assert (fresh.remembered, fresh.aside) == (True, None)
    assert verify_file(tmp_path / "fresh" / "ledger.sqlite3").clean


def test_what_is_not_restored_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, other, backup = tmp_path / "data", tmp_path / "other", tmp_path / "backup"
    record(data, opened("s"))
    record(other, opened("s"), entropy=SystemEntropy())
    back_up(data / "ledger.sqlite3", backup)
    before = (data / "ledger.sqlite3").read_bytes()
    assert "another ledger" in refused(other / "ledger.sqlite3", data).why
    damaged = tmp_path / "damaged"
    damaged.write_bytes(backup.read_bytes())
    flip(damaged, b"clerk")
    assert "does not verify" in refused(damaged, data).why
    assert "no such file" in refused(tmp_path / "absent", data).why
    with monkeypatch.context() as patch:
        patch.setattr(os, "link", _full)
        assert "No space" in refused(backup, data).why
    with writing(tmp_path / "used") as process:
        said(process, 2)
        with pytest.raises(DataInUse):
            restore(backup, tmp_path / "used" / "ledger.sqlite3")
    assert (data / "ledger.sqlite3").read_bytes() == before
    assert sorted(path.name for path in data.iterdir()) == ["ledger.sqlite3", "lock"]


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def kept_in(path: Path, *idents: str) -> list[str]:
    """The notices that wait in the outbox at `path`, once those of `idents` were put there."""

    async def run() -> list[str]:
        outbox = SqliteOutbox(path)
        await outbox.put([Notice(one, "desk", f"r1-1.{one}", b"{}", 5) for one in idents], {})
        found = [one.notice.ident for one in await outbox.due(10**15, 100, ())]
        await outbox.close()
        return found

    return asyncio.run(run())


def test_what_waits_to_be_told_is_copied_and_comes_back_where_nobody_knows_better(tmp_path: Path) -> None:
    place, away = tmp_path / "data", tmp_path / "away"
    for folder in (place, away):
        folder.mkdir()
    record(place, opened("s1"))
    backup, copy = away / "copy", away / "copy.outbox"
    assert not copy_beside(place / "outbox.db", copy)
    assert not copy.exists()
    assert kept_in(place / "outbox.db", "msg_1") == ["msg_1"]
    back_up(place / "ledger.sqlite3", backup)
    assert copy_beside(place / "outbox.db", copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        copy_beside(place / "outbox.db", copy)
    assert kept_in(place / "outbox.db", "msg_2") == ["msg_1", "msg_2"]
    restore(backup, place / "ledger.sqlite3")
    assert kept_in(place / "outbox.db") == ["msg_1", "msg_2"], "the one that is there knows more"
    restore(backup, tmp_path / "elsewhere" / "ledger.sqlite3")
    assert kept_in(tmp_path / "elsewhere" / "outbox.db") == ["msg_1"]
