"""Records compared with checkpoints and with the ledger's own tree, where a file would be too large or too odd."""

from remit.facts.record import Ref
from remit.trace.against import Comparison, Kept
from remit.trace.note import Checkpoint, signed
from remit.trace.tree import Tree, leaf_hash, root_of
from tests.core.test_proof import KEY, OTHER, PRIVATE, verified

COUNT = 65_536


def kept(size: int, root: bytes, name: str = "kept.note") -> Kept:
    checkpoint = Checkpoint(KEY.name, size, root)
    return Kept(name, signed(checkpoint, KEY, PRIVATE.sign), checkpoint)


def said(comparison: Comparison) -> list[str]:
    return [str(finding) for finding in comparison.findings(KEY.name, [KEY], (), verified)]


def test_a_full_upper_tile_that_was_changed_is_named() -> None:
    records = [b"record %d" % number for number in range(COUNT)]
    tree = Tree()
    tiles = {(level, number): data for level, number, data in tree.add([leaf_hash(record) for record in records])}
    tiles[1, 0] = bytes(len(tiles[1, 0]))
    comparison = Comparison([kept(COUNT, tree.root())], lambda level, number: tiles.get((level, number), b""), COUNT)
    for number, record in enumerate(records, start=1):
        comparison.feed(Ref("r0102-1", number), record)
    assert said(comparison) == ["file: tree: tile 1/0 is not what its leaves come to"]


def test_a_ledger_without_records_is_missing_all_of_them() -> None:
    def nothing(_level: int, _number: int) -> bytes:
        return b""

    root = root_of([leaf_hash(b"one")])
    assert said(Comparison([kept(0, root_of(()))], nothing, 0)) == []
    [cut, gone] = said(Comparison([kept(1, root)], nothing, 1))
    assert cut.startswith("file: tree: it is the last, and the ledger's own tree goes on for 1 records")
    assert gone.startswith("file: tree: it is the last of 0 records, and kept.note has 1 more")


def test_who_may_have_signed_is_told_apart() -> None:
    comparison = Comparison([kept(1, root_of([leaf_hash(b"one")]))], lambda _level, _number: b"", 0)
    comparison.feed(Ref("r0102-1", 1), b"one")
    found = [str(one) for one in comparison.findings(KEY.name, [KEY], [OTHER], verified)]
    assert found == [f"file: tree: kept.note is signed by key {KEY.id.hex()}, which is not among those known here"]
