"""The tree and its proofs, against RFC 6962 written out as it is defined and its published vectors."""

import hashlib
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.trace.tree import (
    WIDTH,
    ProofWrong,
    Tree,
    consistency,
    inclusion,
    leaf_hash,
    node_hash,
    range_hash,
    root_by,
    root_of,
    tree_from,
)
from tests.consistency import check_consistency

CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
CT_ROOT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
"""Eight leaves and their root, as certificate-transparency's own tests have them."""


def defined(leaves: list[bytes]) -> bytes:
    """MTH as section 2.1 writes it."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(defined(leaves[:split]), defined(leaves[split:]))


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(b"record %d" % number) for number in range(count)]


class Tiles:
    """Tiles as an adapter keeps them: the full ones, and the unfinished leaves."""

    def __init__(self, count: int) -> None:
        self.tree = Tree()
        self.leaves = leaves_of(count)
        self.full = {(level, number): data for level, number, data in self.tree.add(self.leaves)}

    def read(self, level: int, number: int) -> bytes:
        found = self.full.get((level, number))
        if found is not None:
            return found
        if level == 0:
            return b"".join(self.leaves[number * WIDTH : (number + 1) * WIDTH])
        first, last = number * WIDTH, min((number + 1) * WIDTH, len(self.leaves) >> 8 * level)
        return b"".join(root_of(self._below(level, one)) for one in range(first, last))

    def _below(self, level: int, number: int) -> list[bytes]:
        data = self.read(level - 1, number)
        return [data[at : at + 32] for at in range(0, len(data), 32)]


def test_published_leaves_have_their_published_root() -> None:
    assert root_of([leaf_hash(bytes.fromhex(leaf)) for leaf in CT_LEAVES]).hex() == CT_ROOT
    assert root_of(()).hex() == hashlib.sha256(b"").hexdigest()
    assert Tree().root() == root_of(())


SIZES = [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 700, 65_535, 65_536, 65_537, 66_100]


@pytest.mark.parametrize("size", SIZES)
def test_a_tree_has_the_root_that_is_defined_and_goes_on_from_its_tiles(size: int) -> None:
    tiles = Tiles(size)
    whole = defined(tiles.leaves)
    again = tree_from(size, tiles.read)
    assert tiles.tree.root() == again.root() == range_hash(0, size, tiles.read) == whole
    more = leaves_of(size + 300)
    grown = again.copy()
    grown.add(more[size:])
    assert grown.root() == defined(more)
    assert (again.size, again.root()) == (size, whole)
    assert again.edge() == b"".join(tiles.leaves[size - size % WIDTH :])


@given(st.data())
def test_every_leaf_is_proved_and_no_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 1_200))
    index = data.draw(st.integers(0, size - 1))
    tiles = Tiles(size)
    root = tiles.tree.root()
    path = inclusion(index, size, tiles.read)
    assert root_by(tiles.leaves[index], index, size, path) == root
    assert root_by(leaf_hash(b"another"), index, size, path) != root
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with suppress(ProofWrong):
            assert root_by(tiles.leaves[index], other, size, path) != root
    with pytest.raises(ProofWrong, match="too long"):
        root_by(tiles.leaves[index], index, size, [*path, root])
    if path:
        with pytest.raises(ProofWrong, match="too short"):
            root_by(tiles.leaves[index], index, size, path[:-1])


@given(st.integers(1, 1_100), st.integers(0, 400))
def test_every_tree_goes_on_from_every_earlier_one(old: int, more: int) -> None:
    size = old + more
    tiles = Tiles(size)
    old_root, root = defined(tiles.leaves[:old]), tiles.tree.root()
    path = consistency(old, size, tiles.read)
    check_consistency(old, old_root, size, root, path)
    with pytest.raises(ProofWrong):
        check_consistency(old, leaf_hash(b"x"), size, root, path)
    if more:
        with pytest.raises(ProofWrong):
            check_consistency(old, old_root, size, leaf_hash(b"x"), path)
        with pytest.raises(ProofWrong, match="too short"):
            check_consistency(old, old_root, size, root, path[:-1])
        with pytest.raises(ProofWrong, match="too long"):
            check_consistency(old, old_root, size, root, [*path, root])


def test_what_no_tree_has_is_refused() -> None:
    tiles = Tiles(4)
    with pytest.raises(ValueError, match="no leaf 4"):
        inclusion(4, 4, tiles.read)
    with pytest.raises(ProofWrong, match="no leaf 4"):
        root_by(tiles.leaves[0], 4, 4, [])
    with pytest.raises(ValueError, match="does not go on"):
        consistency(5, 4, tiles.read)
    with pytest.raises(ProofWrong, match="does not go on"):
        check_consistency(0, b"", 4, b"", [])
    with pytest.raises(ProofWrong, match="one size differ"):
        check_consistency(4, b"a", 4, b"b", [])
    with pytest.raises(ProofWrong, match="too short"):
        check_consistency(3, b"a", 4, b"b", [])
    with pytest.raises(ProofWrong, match="missing or short"):
        inclusion(0, 4, lambda _level, _number: b"")


def test_tiles_are_finished_once_and_in_order() -> None:
    tree = Tree()
    done = [tile[:2] for start in range(0, 2_000, 90) for tile in tree.add(leaves_of(2_000)[start : start + 90])]
    assert done == [(0, number) for number in range(2_000 // WIDTH)]
    assert all(one < other for one, other in pairwise(done))
