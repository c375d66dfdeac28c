"""Records compared with checkpoints and with the ledger's own tree, where a file would be too large or too odd."""

from dataclasses import replace

from remit.facts.record import Ref
from remit.trace.comparison import KeptCheckpoint, TreeComparison
from remit.trace.note import Checkpoint, Key, signed
from remit.trace.tree import Tree, leaf_hash, root_of
from tests.core.test_proof import KEY, OTHER, PRIVATE, verified

COUNT = 65_536


def kept(size: int, root: bytes, name: str = "kept.note") -> KeptCheckpoint:
    checkpoint = Checkpoint(KEY.name, size, root)
    return KeptCheckpoint(name, signed(checkpoint, KEY, PRIVATE.sign), checkpoint)


def said(comparison: TreeComparison) -> list[str]:
    return [str(finding) for finding in comparison.findings(KEY.name, [KEY], (), verified)]


def fed(comparison: TreeComparison, ref: Ref, record: bytes) -> None:
    comparison.feed_all(ref, [leaf_hash(record)])


def test_a_full_upper_tile_that_was_changed_is_named() -> None:
    records = [b"record %d" % number for number in range(COUNT)]
    tree = Tree()
    tiles = {(level, number): data for level, number, data in tree.add([leaf_hash(record) for record in records])}
    tiles[1, 0] = bytes(len(tiles[1, 0]))
    comparison = TreeComparison(
        [kept(COUNT, tree.root())], lambda level, number: tiles.get((level, number), b""), COUNT
    )
    for number, record in enumerate(records, start=1):
        fed(comparison, Ref("r0102-1", number), record)
    assert said(comparison) == ["file: tree: tile 1/0 is not what its leaves come to"]


def test_a_ledger_without_records_is_missing_all_of_them() -> None:
    def nothing(_level: int, _number: int) -> bytes:
        return b""

    root = root_of([leaf_hash(b"one")])
    assert said(TreeComparison([kept(0, root_of(()))], nothing, 0)) == []
    [cut, gone] = said(TreeComparison([kept(1, root)], nothing, 1))
    assert cut.startswith("file: tree: it is the last, and the ledger's own tree goes on for 1 records")
    assert gone.startswith("file: tree: it is the last of 0 records, and kept.note has 1 more")


def test_who_may_have_signed_is_told_apart() -> None:
    comparison = TreeComparison([kept(1, root_of([leaf_hash(b"one")]))], lambda _level, _number: b"", 0)
    fed(comparison, Ref("r0102-1", 1), b"one")
    found = [str(one) for one in comparison.findings(KEY.name, [KEY], [OTHER], verified)]
    assert found == [f"file: tree: kept.note is signed by key {KEY.id.hex()}, which is not among those known here"]


def rewritten(own: list[bytes], count: int = 5) -> TreeComparison:
    """Five records of which the third is another than the tree of `own` and the kept checkpoint say."""
    leaves = [leaf_hash(b"record %d" % number) for number in range(count)]
    notes = [kept(2, root_of(leaves[:2]), "early.note"), kept(count, root_of(leaves), "late.note")]
    comparison = TreeComparison(notes, lambda level, _number: b"".join(own) if level == 0 else b"", len(own))
    for number in range(count):
        fed(comparison, Ref("r0102-1", number + 1), b"record %d" % number if number != 2 else b"another")
    return comparison


def test_the_ledgers_own_tree_names_the_record_or_what_was_kept_narrows_it_down() -> None:
    leaves = [leaf_hash(b"record %d" % number) for number in range(5)]
    assert said(rewritten(leaves)) == [
        "r0102-1.3: tree: it is not the record that the ledger's own tree has there",
        "r0102-1.3: tree: it is not the record of which late.note is signed",
    ]
    [found] = said(rewritten([]))
    assert found.startswith("r0102-1.3: tree: from here to r0102-1.5 one record or more is not what late.note")
    [_, found] = said(rewritten([leaves[0], leaf_hash(b"x"), *leaves[2:]]))
    assert found.startswith("r0102-1.3: tree: from here to r0102-1.5"), "its own tree leads to no root that was signed"


def test_two_histories_that_one_key_signed_are_told() -> None:
    leaves = [leaf_hash(b"record %d" % number) for number in range(2)]
    notes = [kept(2, root_of(leaves)), kept(2, bytes(32), "other.note")]
    comparison = TreeComparison(notes, lambda _level, _number: b"", 0)
    for number in range(2):
        fed(comparison, Ref("r0102-1", number + 1), b"record %d" % number)
    assert said(comparison) == [
        "file: tree: other.note has another root than one of as many records that fits: two histories were signed"
    ]


def test_a_foreign_and_a_forged_checkpoint_are_told_apart() -> None:
    one, other = root_of([leaf_hash(b"one")]), Checkpoint("elsewhere", 1, bytes(32))
    note = replace(kept(2, one).note, text=str(Checkpoint(KEY.name, 1, one)))
    forged = KeptCheckpoint("forged.note", note, kept(1, one).checkpoint)
    foreign = KeptCheckpoint("other.note", signed(other, OTHER, PRIVATE.sign), other)
    comparison = TreeComparison([forged, foreign], lambda _level, _number: b"", 0)
    fed(comparison, Ref("r0102-1", 1), b"one")
    assert said(comparison) == [
        f"file: tree: forged.note: the signature of key {KEY.id.hex()} is not that key's: it was forged or changed",
        f"file: tree: other.note is of another ledger, elsewhere; this one is {KEY.name}",
    ]


def test_what_a_restored_backup_had_still_holds_and_what_it_had_not_is_named() -> None:
    def nothing(_level: int, _number: int) -> bytes:
        return b""

    leaves = [leaf_hash(b"one"), leaf_hash(b"two")]
    comparison = TreeComparison([kept(1, root_of(leaves[:1])), kept(3, bytes(32), "late.note")], nothing, 0)
    fed(comparison, Ref("r0102-1", 1), b"one")
    fed(comparison, Ref("r0102-2", 1), b"two")
    comparison.restored(Ref("r0102-2", 1), KEY.name)
    found = [str(one) for one in comparison.findings("remit.dev/log/new", [KEY], (), verified)]
    assert found == [
        "r0102-2.1: tree: it restored a backup that was older than late.note: what lay between is not here"
    ]


def test_a_checkpoint_of_no_records_holds_with_the_root_of_an_empty_tree_alone() -> None:
    notes = [kept(0, root_of(()), "empty.note"), kept(0, bytes(32), "odd.note")]
    comparison = TreeComparison(notes, lambda _level, _number: b"", 0)
    fed(comparison, Ref("r0102-1", 1), b"one")
    assert said(comparison) == ["file: tree: odd.note is of no records, and its root is not that of an empty tree"]


def test_an_erasure_counts_as_far_as_a_checkpoint_of_a_trusted_key_reaches() -> None:
    leaves = [leaf_hash(b"record %d" % number) for number in range(4)]
    early, own = kept(2, root_of(leaves[:2])), replace(kept(3, root_of(leaves[:3])), own=True)
    foreign = Checkpoint(KEY.name, 4, root_of(leaves))
    others = KeptCheckpoint("others", signed(foreign, OTHER, lambda _text: bytes(64)), foreign, own=True)

    def erased_under(*notes: KeptCheckpoint, trusted: tuple[Key, ...] = ()) -> list[str]:
        comparison = TreeComparison(notes, lambda _level, _number: b"", 0)
        for number in range(4):
            fed(comparison, Ref(f"r0102-{1 + number // 2}", 1 + number % 2), b"record %d" % number)
            comparison.erased(Ref(f"r0102-{1 + number // 2}", 1 + number % 2))
        found = comparison.findings(KEY.name, [KEY, OTHER], trusted, lambda _key, _signature, _text: True)
        return [str(one).partition(":")[0] for one in found if "what erased bodies said" in str(one)]

    assert erased_under(own) == []
    assert erased_under(early) == ["r0102-2.1", "r0102-2.2"]
    assert erased_under(early, own) == ["r0102-2.2"]
    assert erased_under(early, own, trusted=(KEY,)) == ["r0102-2.2"]
    assert erased_under(early, others) == ["r0102-2.1", "r0102-2.2"], "a key that the file alone names signs nothing"
    assert erased_under(early, own, trusted=(OTHER,)) == ["r0102-1.1", "r0102-1.2", "r0102-2.1", "r0102-2.2"]
