"""What is not what the records say: edited state, and history cut out behind an erased body."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.sqlite import SqliteLedger, verify_file
from remit.adapters.sqlite.errors import LedgerDamaged
from remit.adapters.sqlite.reads import SEGMENT
from remit.adapters.sqlite.segment import ERASED, Stored, body_head, record_head, unpack
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.facts.record import RecordKind
from remit.trace.bodies import AdminBody, Event, Status
from remit.trace.chain import commitment, record_hash
from remit.trace.encoding import decode_record, encode_body, encode_record
from remit.trace.report import Report
from remit.trace.verify import FINDINGS_MAX
from tests.contract.ledger_world import REPLICA, Place, append_all, draft
from tests.core.recording import SALT, Step, action, decision, outcome

FIRST, SECOND = f"{REPLICA}-1", f"{REPLICA}-2"
WEB = ("untrusted:web",)


async def fill(place: Place) -> None:
    """Two epochs with a row or more in every state table."""
    ledger = place.open()
    asked = action("escalate")
    steps = [
        Step(RecordKind.PROPOSAL, "s1", asked),
        Step(RecordKind.DECISION, "", decision(f"{FIRST}.2", asked, completes=False)),
        Step(RecordKind.INTENT, "s1", action(source=WEB)),
        Step(RecordKind.OUTCOME, "s1", outcome(f"{FIRST}.4", labels=WEB)),
        Step(RecordKind.ADMIN, "", AdminBody(Event.TOKEN_REVOKED, "ana", "t1", {"expires_ms": 9})),
        Step(RecordKind.ADMIN, "", AdminBody(Event.CREDENTIAL, "remit", "admin", {"hash": "sha256:1"})),
        Step(RecordKind.INTENT, "s2", action(links=[("writer", "s2")])),
    ]
    await append_all(ledger, steps)
    await ledger.close()
    ledger = place.open()
    await append_all(ledger, [Step(RecordKind.INTENT, "s1", action()), Step(RecordKind.INTENT, "s1", action())])
    lost = outcome(f"{SECOND}.3", status=Status.LOST, result=None)
    await append_all(ledger, [Step(RecordKind.OUTCOME, "s1", lost)])
    await ledger.close()
    report = verify_file(place.file)
    assert (report.clean, report.uncompared) == (True, None)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    asyncio.run(fill(place))
    return place


def edited(place: Place, statement: str) -> list[str]:
    """What is found once `statement` was run on the file."""
    conn = sqlite3.connect(place.file)
    conn.executescript(statement)
    conn.close()
    return [str(finding) for finding in verify_file(place.file).findings]


EDITS = [
    ("DELETE FROM revoked", "revoked t1: the records say so, the file does not"),
    ("UPDATE revoked SET expires = 1", "revoked t1: the records say otherwise of expires"),
    ("INSERT INTO revoked VALUES ('t9', 9)", "revoked t9: no record says so"),
    ("UPDATE approval SET state = 'approved'", f"approval {FIRST}.2: the records say otherwise of state"),
    ("UPDATE session SET labels = '[]' WHERE sid = 's1'", "session 1: the records say otherwise of labels"),
    ("UPDATE session SET ended = NULL, user = 'eve' WHERE no = 2", "session 2: the records say otherwise of user"),
    (
        "UPDATE activity SET calls = 0, last = 0 WHERE no = 1",
        "activity 1: the records say otherwise of calls, last",
    ),
    ("UPDATE credential SET hash = 'sha256:2'", "credential admin: the records say otherwise of hash"),
    ("DELETE FROM in_doubt", f"in_doubt {FIRST}.8: the records say so, the file does not"),
    ("DELETE FROM unanswered", f"unanswered {SECOND}.3: the records say so, the file does not"),
    (
        "UPDATE outcome SET outcome = outcome + 1 WHERE intent < 2 << 40",
        f"outcome {FIRST}.4: the records say otherwise of outcome",
    ),
    ("DELETE FROM open_intents", "the records say so, the file does not"),
    ("UPDATE chain SET epoch = 7 WHERE no = 2", "chain 2: the records say otherwise of epoch"),
    ("UPDATE meta SET value = 'r9999'", "meta replica: no chain of the file is its"),
    (
        "CREATE TRIGGER again AFTER INSERT ON segment BEGIN DELETE FROM revoked; END",
        "trigger again is not as this version makes it",
    ),
]


@pytest.mark.parametrize(("statement", "what"), EDITS, ids=[what for _, what in EDITS])
def test_edited_state_is_found_by_table_and_key(place: Place, statement: str, what: str) -> None:
    [found] = edited(place, statement)
    assert found.startswith("file: state: ")
    assert found.endswith(what)


def test_index_that_hides_a_row_is_found(place: Place) -> None:
    conn = sqlite3.connect(place.file)
    [page] = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = 'sqlite_autoindex_session_1'").fetchone()
    [size] = conn.execute("PRAGMA page_size").fetchone()
    conn.close()
    data = bytearray(place.file.read_bytes())
    at = data.index(b"s1", (page - 1) * size, page * size)
    data[at : at + 2] = b"s0"
    place.file.write_bytes(data)
    found = [str(finding) for finding in verify_file(place.file).findings]
    assert "file: pages: row 1 missing from index sqlite_autoindex_session_1" in found


@pytest.mark.asyncio
async def test_state_is_compared_while_the_service_runs(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await fill(place)
    ledger = place.open()
    conn = sqlite3.connect(place.file)
    conn.execute("DELETE FROM revoked")
    conn.commit()
    conn.close()
    writing = asyncio.create_task(_write(ledger))
    report = await asyncio.to_thread(verify_file, place.file)
    await writing
    await ledger.close()
    assert [str(finding) for finding in report.findings] == [
        "file: state: revoked t1: the records say so, the file does not"
    ]


async def _write(ledger: SqliteLedger) -> None:
    for _ in range(20):
        await asyncio.gather(*(ledger.append(draft(action())).durable for _ in range(20)))


def rewrite(place: Place, change: Callable[[str, int, Stored], Stored | None]) -> None:
    """Store what `change` gives for each record of the file, by chain and sequence; None cuts it out."""
    conn = sqlite3.connect(place.file)
    names: dict[int, str] = dict(conn.execute("SELECT no, name FROM chain"))
    segments = conn.execute(SEGMENT).fetchall()
    conn.execute("DELETE FROM segment")
    conn.execute("DELETE FROM body")
    for segment in segments:
        for old in unpack(*segment):
            new = change(names[old.id >> SEQ_BITS], old.id & (1 << SEQ_BITS) - 1, old)
            if new is None:
                continue
            record = record_head(len(new.record), new.earlier) + new.record + new.hash
            body = body_head(ERASED) if new.body is None else body_head(len(new.body)) + (new.salt or b"") + new.body
            conn.execute("INSERT INTO segment VALUES (?, 1, ?)", (new.id, record))
            conn.execute("INSERT INTO body VALUES (?, ?)", (new.id, body))
    conn.commit()
    conn.close()


def erased(stored: Stored) -> Stored:
    return replace(stored, salt=None, body=None)


def test_cut_tail_does_not_hide_behind_an_erased_epoch(place: Place) -> None:
    def cut(chain: str, seq: int, stored: Stored) -> Stored | None:
        if chain == FIRST:
            return stored if seq <= 3 else None
        return erased(stored) if seq == 1 else stored

    rewrite(place, cut)
    report = verify_file(place.file)
    assert [str(finding.ref) for finding in report.findings] == [f"{SECOND}.1"]
    assert report.uncompared == "a record or body is gone, or cannot be read"


def test_missing_epoch_does_not_hide_behind_an_erased_one(place: Place) -> None:
    def cut(chain: str, seq: int, stored: Stored) -> Stored | None:
        if chain == FIRST:
            return None
        return erased(stored) if seq == 1 else stored

    rewrite(place, cut)
    found = [str(finding) for finding in verify_file(place.file).findings]
    assert f"{SECOND}.1: chain-links: it begins epoch 2 of {REPLICA}, expected here is epoch 1" in found
    assert f"{SECOND}.1: chain-links: the first record of its chain does not begin an epoch" in found


def test_erased_bodies_are_findings_each(place: Place) -> None:
    rewrite(place, lambda _chain, _seq, stored: erased(stored))
    report = verify_file(place.file)
    assert (report.erased, len(report.findings)) == (report.records, report.records)
    assert report.records < FINDINGS_MAX


def test_pointer_to_the_record_before_in_the_session_is_verified(place: Place) -> None:
    rewrite(place, lambda chain, seq, s: replace(s, earlier=7) if (chain, seq) == (SECOND, 2) else s)
    assert [str(finding) for finding in verify_file(place.file).findings] == [
        f"{SECOND}.2: state: it names another record than the one before it in its session"
    ]


@pytest.mark.asyncio
async def test_pointers_in_a_circle_end_a_question_and_not_the_service(tmp_path: Path) -> None:
    place = Place(tmp_path)
    await fill(place)
    rewrite(place, lambda chain, seq, s: replace(s, earlier=s.id) if (chain, seq) == (SECOND, 2) else s)
    ledger = place.open()
    with pytest.raises(LedgerDamaged, match="names a later one"):
        await ledger.entries(after=None, limit=10, sid="s1")
    await ledger.close()


def test_chain_without_a_proper_name_is_a_finding(place: Place) -> None:
    assert any(
        "belongs to no chain of the file" in found
        for found in edited(place, "UPDATE chain SET name = 'Not One' WHERE no = 2")
    )


def test_records_that_no_service_wrote_are_not_folded(tmp_path: Path) -> None:
    async def write() -> None:
        ledger = place.open()
        await append_all(ledger, [Step(RecordKind.ADMIN, "", AdminBody(Event.BUNDLE, "ana", "b"))])
        await ledger.close()

    place = Place(tmp_path)
    asyncio.run(write())
    forged = _resealed(place, AdminBody(Event.EPOCH, "remit", "no chain", {}))
    assert "cannot be folded" in str(forged.findings[-1])
    assert forged.uncompared == "not every record can be folded"


def _resealed(place: Place, body: AdminBody) -> Report:
    """The report once the last record is about `body`, by someone who knows how to hash."""

    def forge(_chain: str, seq: int, stored: Stored) -> Stored:
        if seq == 1:
            return stored
        data = encode_body(body)
        record = encode_record(replace(decode_record(stored.record), commitment=commitment(SALT, data)))
        return replace(stored, record=record, hash=record_hash(record), salt=SALT, body=data)

    rewrite(place, forge)
    return verify_file(place.file)
