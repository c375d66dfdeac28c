"""Erasing bodies: on record, for good, and every hash, proof and state table stays what it was."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.notary import verify_signature
from remit.adapters.sqlite import verify_file
from remit.adapters.sqlite.erasure import SqliteBodies
from remit.adapters.sqlite.link_verification import verify_links
from remit.adapters.sqlite.reads import open_readonly
from remit.app.assurance.ledger_replay import replayed_actions
from remit.app.cli import run
from remit.app.terminal.failure import Exit
from remit.facts.novelty import UsageHistory
from remit.facts.record import Receipt, RecordKind, Ref
from remit.pdp.decide import decide
from remit.ports.ledger import Draft
from remit.ports.transparency import NotErasable, Unprovable
from remit.trace.bodies import ActionBody, AdminBody, Body, Event
from remit.trace.comparison import UNSIGNED, KeptCheckpoint
from remit.trace.erasure import frame
from remit.work.erasure import Erasures
from tests.contract.ledger_world import append_all
from tests.contract.log_world import Log, rechained, rows_of, written
from tests.core.deciding import NOW, body, bundle, snapshot
from tests.core.deciding import action as of_shop
from tests.core.recording import Step, action, outcome

SECRET = b"a telltale sentence"


def erasures_of(log: Log, bodies: SqliteBodies | None = None) -> Erasures:
    async def record(body: AdminBody) -> Receipt:
        at = log.place.clock.now_ms()
        return await log.ledger.append(Draft(RecordKind.ADMIN, at, "", "", body)).durable

    return Erasures(log.ledger, bodies or SqliteBodies(log.file), record)


async def filled(folder: Path, calls: int = 5) -> tuple[Log, list[Ref]]:
    """An open log of so many calls whose arguments and errors hold the secret; their intents."""
    log = Log(folder)
    await log.open()
    said = b'{"text":"%s %d"}'
    steps = [Step(RecordKind.INTENT, "s1", action(arguments=said % (SECRET, number))) for number in range(calls)]
    intents = [receipt.ref for receipt in await append_all(log.ledger, steps)]
    ends = [replace(outcome(str(ref), labels=["untrusted"]), error=f"{SECRET.decode()}!") for ref in intents]
    await append_all(log.ledger, [Step(RecordKind.OUTCOME, "s1", end) for end in ends])
    return log, intents


def tampered(file: Path) -> None:
    """Have the bodies say something else."""
    with closing(sqlite3.connect(file, isolation_level=None)) as conn:
        for first, bodies in conn.execute("SELECT first, bodies FROM body").fetchall():
            changed = bodies.replace(SECRET, SECRET[::-1])
            conn.execute("UPDATE body SET bodies = ? WHERE first = ?", (changed, first))


def left(log: Log) -> list[str]:
    """The files of the data folder in which the secret still stands."""
    return [path.name for path in log.folder.iterdir() if path.is_file() and SECRET in path.read_bytes()]


@pytest.mark.asyncio
async def test_what_was_erased_is_gone_from_every_byte_and_all_of_the_rest_holds(tmp_path: Path) -> None:
    log, intents = await filled(tmp_path)
    before = await log.kept("before.note")
    session = await log.ledger.session("s1")
    assert left(log) != []
    done = await erasures_of(log).erase(intents, "asked for by ana", "user:dpo")
    assert (done.cleared, len(done.erased), left(log)) == (True, 10, [])
    entry = await log.ledger.entry(intents[0])
    assert entry is not None
    assert entry.body is None
    assert await log.ledger.session("s1") == session
    proof = await log.checkpoints.prove(intents[0], reveal=False)
    proof.check(log.notary.keys, verify_signature)
    with pytest.raises(Unprovable, match="was erased"):
        await log.checkpoints.prove(intents[0], reveal=True)
    after = await log.kept("after.note")
    await log.close()
    report = verify_file(log.file, against=[before, after])
    assert (report.findings, report.uncompared, report.erased) == ((), None, 10)
    [said] = report.erasures
    assert all(str(ref) in said for ref in done.erased)
    assert said.endswith(f"erased by user:dpo in {done.records[0]}: asked for by ana")
    assert verify_links(log.file, against=[before, after]).clean
    assert left(log) == []
    await log.open()
    await log.kept()
    await log.close()
    assert verify_file(log.file, against=[before, after]).clean


@pytest.mark.asyncio
async def test_what_a_crash_left_in_the_log_goes_at_the_next_start(tmp_path: Path) -> None:
    folder, crashed = tmp_path / "first", tmp_path / "crashed"
    folder.mkdir()
    log, intents = await filled(folder)
    with closing(open_readonly(log.file)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM body").fetchone()
        assert not (await erasures_of(log).erase(intents, "x", "user:dpo")).cleared
        shutil.copytree(folder, crashed, ignore=shutil.ignore_patterns("lock", "*-shm"))
    await log.close()
    again = Log(crashed)
    assert left(again) == ["ledger.sqlite3-wal"]
    with closing(open_readonly(again.file)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM body").fetchone()
        await again.open()
        await again.close()
        assert left(again) == ["ledger.sqlite3-wal"], "who reads at a start is not waited for"
    await again.open()
    assert left(again) == []
    await again.close()


@pytest.mark.asyncio
async def test_history_is_judged_again_by_what_an_erasure_keeps(tmp_path: Path) -> None:
    """The first use of a tool stays the first one, also once it is erased: nothing later becomes new by that."""
    policies = (
        '@id("any") permit (principal, action, resource);',
        ('@id("new") forbid (principal, action, resource) when { context.novelty.tool };'),
    )
    running, asked = bundle(*policies), of_shop("shop/look", {"order_id": "1"})
    first = body(decide(snapshot(bundle(policies[0]), asked), asked, NOW))
    used = UsageHistory()
    used.intent(first.links, first.kind, first.server, first.name, first.reaches)
    later = body(decide(replace(snapshot(running, asked), usage=used), asked, NOW))
    assert (first.verdict, later.verdict) == ("permit", "permit")
    log = Log(tmp_path)
    await log.open()
    steps = [Step(RecordKind.INTENT, "s1", first), Step(RecordKind.INTENT, "s1", later)]
    intents = [receipt.ref for receipt in await append_all(log.ledger, steps)]
    await append_all(log.ledger, [Step(RecordKind.OUTCOME, "s1", outcome(str(intents[0])))])
    await erasures_of(log).erase(intents[:1], "x", "user:dpo")
    await log.close()
    [again] = replayed_actions(log.file, running)
    assert again.recorded["call_id"] == str(intents[1])
    assert again.same


@pytest.mark.asyncio
async def test_many_are_erased_by_several_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.work.erasure.EACH_MAX", 7)
    log, intents = await filled(tmp_path, 20)
    done = await erasures_of(log).erase(intents, "all of it", "user:dpo")
    assert (len(done.records), len(done.erased), left(log)) == (6, 40, [])
    await log.close()
    assert verify_file(log.file).clean


@pytest.mark.asyncio
async def test_words_go_and_decisions_epochs_and_what_is_under_way_stay(tmp_path: Path) -> None:
    log, intents = await filled(tmp_path, 2)
    erasures = erasures_of(log)
    words = await append_all(
        log.ledger, [Step(RecordKind.ADMIN, "s1", AdminBody(Event.SESSION_WORDS, "h", "s1", {"text": SECRET.decode()}))]
    )
    [going] = await append_all(log.ledger, [Step(RecordKind.INTENT, "s1", action())])
    await erasures.erase([words[0].ref], "words", "user:dpo")
    chain = log.ledger.chain
    refused = {
        Ref(chain, 1): "whose body is never erased",
        going.ref: "has no outcome yet",
        words[0].ref: "was erased already",
    }
    for ref, why in refused.items():
        with pytest.raises(NotErasable, match=why):
            await erasures.erase([intents[0], ref], "x", "user:dpo")
    with pytest.raises(KeyError):
        await erasures.erase([intents[0], Ref(chain, 10_000)], "x", "user:dpo")
    entry = await log.ledger.entry(intents[0])
    assert entry is not None
    assert entry.body is not None, "nothing of it was erased"
    await log.close()
    assert verify_file(log.file).clean


@pytest.mark.asyncio
async def test_an_erasure_cut_short_is_told_and_finished_at_the_next_start(tmp_path: Path) -> None:
    log, intents = await filled(tmp_path)

    class Cut(SqliteBodies):
        def erase(self, refs: object) -> bool:
            raise sqlite3.OperationalError("power cut")

    erasures = erasures_of(log, Cut(log.file))
    with pytest.raises(sqlite3.OperationalError):
        await erasures.erase(intents[:1], "x", "user:dpo")
    await log.close()
    assert any("is still there: remit up" in str(one) for one in verify_file(log.file).findings)
    await log.open()
    assert await erasures_of(log).finish() == 2
    assert await erasures_of(log).finish() == 0
    await log.close()
    assert verify_file(log.file).clean


@pytest.mark.asyncio
async def test_while_somebody_reads_from_the_log_it_says_that_bytes_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remit.adapters.sqlite.erasure._TRIES", 2)
    log, intents = await filled(tmp_path)
    with closing(sqlite3.connect(log.file, isolation_level=None)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT count(*) FROM segment").fetchone()
        assert not (await erasures_of(log).erase(intents[:1], "x", "user:dpo")).cleared
    await log.close()


def test_a_body_that_is_gone_without_a_record_or_kept_otherwise_is_named(tmp_path: Path) -> None:
    async def make() -> tuple[Log, list[Ref]]:
        log, intents = await filled(tmp_path)
        await erasures_of(log).erase(intents[:1], "x", "user:dpo")
        await log.close()
        return log, intents

    log, intents = asyncio.run(make())
    rows = rows_of(log.file)
    path = tmp_path / "gone.sqlite3"
    written(path, [replace(row, salt=None, body=None) if row.ref == intents[1] else row for row in rows], "x")
    found = f"{intents[1]}: chain-links: its body is gone, and no record says that it was erased"
    assert found in map(str, verify_file(path).findings)
    assert found in map(str, verify_links(path).findings)
    assert rechained(rows[:1], lambda _, row: row) == rows[:1]


@pytest.mark.asyncio
async def test_what_a_forged_erasure_says_of_signed_history_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who can write the file, but has none of its keys, makes a record say something else by erasing it."""
    log, intents = await filled(tmp_path / "true")
    kept, key = await log.kept(), log.notary.keys[0]
    await log.close()
    forged = Log(tmp_path / "forged")
    forged.folder.mkdir()
    shutil.copy(log.file, forged.file)

    def lying(body: Body) -> Body | None:
        found = frame(body)
        return replace(found, pin="another", token="another") if isinstance(found, ActionBody) else found

    monkeypatch.setattr("remit.work.erasure.frame", lying)
    await forged.open()
    [record] = (await erasures_of(forged).erase(intents[:1], "x", "user:dpo")).records
    again = await forged.kept("forged.note")
    await forged.close()
    assert forged.notary.keys[0] != key, "its own checkpoint is signed by a key of its own, which its records name"
    assert verify_file(forged.file).clean, "nothing in the file itself tells"
    for trusted in ((), (key,)):
        for found in (
            verify_file(forged.file, against=[kept], trusted=trusted).findings,
            verify_links(forged.file, against=[kept], trusted=trusted).findings,
        ):
            said = [str(one) for one in found if "signed by key" not in str(one)]
            assert [one.partition(",")[0] for one in said] == [
                f"{record}: erasure-signed: it says what erased bodies said"
            ]
    assert not verify_file(forged.file, against=[kept, again], trusted=[key]).clean


def test_an_erasure_that_nobody_signed_for_yet_is_told_apart(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    async def lived() -> tuple[Path, KeptCheckpoint, Ref]:
        log, intents = await filled(tmp_path)
        kept = await log.kept()
        [record] = (await erasures_of(log).erase(intents[:1], "x", "user:dpo")).records
        await log.close()
        return log.file, kept, record

    file, kept, record = asyncio.run(lived())
    note = tmp_path / "kept.note"
    note.write_text(str(kept.note), encoding="utf-8")
    assert [(one.ref, one.invariant) for one in verify_file(file, against=[kept]).findings] == [(record, UNSIGNED)]
    for more in ((), ("--links",)):
        command = ["ledger", "verify", str(file), "--against", str(note), *more]
        assert run(command) == Exit.NEGATIVE
        out, err = capfd.readouterr()
        assert ("WRONG" in out, f"UNSIGNED  {record}: " in out) == (False, True), out
        assert (
            "all else holds; 1 erasure under none of these checkpoints: if it was you, remit ledger checkpoint" in err
        )
        assert run([*command, "-o", "json"]) == Exit.NEGATIVE
        said = json.loads(capfd.readouterr().out)
        assert (said["clean"], said["unsigned"]) == (False, [str(record)])
    tampered(file)
    assert run(["ledger", "verify", str(file), "--against", str(note)]) == Exit.NEGATIVE
    out, err = capfd.readouterr()
    assert "WRONG" in out
    assert "this ledger does not verify" in err


@pytest.mark.asyncio
async def test_a_body_that_is_not_what_its_record_commits_to_is_not_erased(tmp_path: Path) -> None:
    log, intents = await filled(tmp_path)
    tampered(log.file)
    with pytest.raises(NotErasable, match=f"{intents[0]} says something else than its record commits to"):
        await erasures_of(log).erase(intents[:1], "x", "user:dpo")
    entry = await log.ledger.entry(intents[0])
    assert entry is not None
    assert entry.body is not None
    await log.close()
