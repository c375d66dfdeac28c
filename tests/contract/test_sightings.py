"""What is kept of sightings comes to the very inventory that was in memory."""

import sqlite3
from pathlib import Path

from remit.adapters.sqlite.sightings import SqliteSightings
from remit.discover.inventory import Inventory, fold
from remit.discover.reconcile import JUDGED_MAX, Activity, PassageCounts
from remit.discover.sighting import Kind, Subject
from tests.core.sightings import many

DAY = Activity(Subject(Kind.AGENT, "otlp:odd"), Subject(Kind.TOOL, "t", "otlp"), 19_000)


def test_what_is_kept_is_the_fold_of_all_sightings(tmp_path: Path) -> None:
    sightings, inventory = many(7, 2_000), Inventory()
    store = SqliteSightings(tmp_path / "sightings.db")
    for start in range(0, len(sightings), 250):
        batch = sightings[start : start + 250]
        for sighting in batch:
            inventory.take(sighting)
        dirty = {one.subject for one in batch} | {
            edge.to for one in batch for edge in one.edges if edge.to in inventory
        }
        store.save(inventory, dirty, {DAY: PassageCounts(start, 1)}, {"ledger": f"r1-1.{start + 1}"})
    store.close()
    again = SqliteSightings(tmp_path / "sightings.db")
    assert again.load() == inventory == fold(sightings)
    assert again.load()[sightings[0].subject].evidence == inventory[sightings[0].subject].evidence
    assert again.activity() == {DAY: PassageCounts(1_750, 1)}
    assert (again.mark("ledger"), again.mark("other")) == ("r1-1.1751", "")
    again.close()
    assert (tmp_path / "sightings.db").stat().st_mode & 0o077 == 0


def test_counts_of_nothing_are_forgotten_and_of_what_was_heard_the_last_is_kept(tmp_path: Path) -> None:
    store, inventory = SqliteSightings(tmp_path / "sightings.db"), Inventory()
    other = DAY._replace(day=1)
    store.save(inventory, (), {DAY: PassageCounts(0, 1), other: PassageCounts(1, 0)}, {}, range(JUDGED_MAX))
    store.save(inventory, (), {DAY: PassageCounts()}, {}, (-(2**63), 2**63 - 1))
    store.close()
    again = SqliteSightings(tmp_path / "sightings.db")
    assert again.activity() == {other: PassageCounts(1, 0)}
    assert list(again.span_digests()) == [*range(2, JUDGED_MAX), -(2**63), 2**63 - 1]
    again.close()


def test_a_file_from_before_there_was_anything_heard_is_read_on(tmp_path: Path) -> None:
    path = tmp_path / "sightings.db"
    SqliteSightings(path).close()
    with sqlite3.connect(path) as conn:
        conn.execute("DROP TABLE heard")
    conn.close()
    store = SqliteSightings(path)
    assert not store.span_digests()
    store.close()
    assert not path.with_name("sightings.db.unreadable").exists()


def test_what_cannot_be_kept_whole_is_not_kept_at_all(tmp_path: Path) -> None:
    store = SqliteSightings(tmp_path / "sightings.db")
    inventory = fold(many(1, 20))
    try:
        store.save(inventory, [*inventory, Subject(Kind.AGENT, "nobody")], {}, {})
    except KeyError:
        assert len(store.load()) == 0
    store.save(inventory, list(inventory), {}, {})
    assert store.load() == inventory
    store.close()


def test_a_file_that_is_none_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "sightings.db"
    path.write_bytes(b"not a database" * 100)
    store = SqliteSightings(path)
    assert len(store.load()) == 0
    store.close()
    assert path.with_name("sightings.db.unreadable").read_bytes().startswith(b"not")
    with sqlite3.connect(path) as conn:
        conn.execute("PRAGMA user_version = 99")
    conn.close()
    SqliteSightings(path).close()
