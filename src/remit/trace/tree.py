"""The RFC 6962 tree over all records, and the proofs that are read off it.

Laws
* The leaf of a record is `sha256(0x00 || record bytes)`, over the bytes as they are stored; a node is
  `sha256(0x01 || left || right)` (RFC 6962, section 2.1). A record commits to its body by a salted hash, so a
  leaf tells nothing of a body, and an erased body changes no leaf.
* The order is the ledger's: chains in the order in which they began, each by sequence. A chain takes no more
  records once the next has begun, so the order only ever appends (ADR 9).
* Hashes are kept in tiles, as in C2SP `tlog-tiles`: tile `number` of `level` holds `WIDTH` hashes of subtrees of
  `WIDTH ** level` leaves each. A tile that is full never changes.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

HEIGHT: Final = 8
WIDTH: Final = 1 << HEIGHT
_HASH_BYTES: Final = 32

Tile: TypeAlias = tuple[int, int, bytes]
"""Level, number, and the hashes of a tile, one after another."""
ReadTile: TypeAlias = Callable[[int, int], bytes]
"""The hashes of tile (level, number): at least as many as the tree has there."""


class ProofWrong(ValueError):
    """A proof that proves nothing; the text says what is wrong with it."""


def leaf_hash(record: bytes) -> bytes:
    """The leaf of a record stored as `record`: 32 bytes."""
    return hashlib.sha256(b"\0" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node over two subtrees: 32 bytes."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962 over hashes of leaves, or of equal full subtrees of which the last may be smaller."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    sha256 = hashlib.sha256
    row = hashes
    while len(row) > 1:
        odd = row[-1:] if len(row) & 1 else []
        row = [sha256(b"\1" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)]
        row += odd
    return row[0]


class Tree:
    """A growing tree: its unfinished tiles, from which its root follows. Memory does not grow with the ledger."""

    __slots__ = ("_edge", "size")

    def __init__(self, size: int = 0, edge: Sequence[Sequence[bytes]] = ()) -> None:
        """A tree of `size` leaves, whose unfinished tile of each level holds the hashes in `edge`."""
        self.size = size
        self._edge: list[list[bytes]] = [list(hashes) for hashes in edge] or [[]]

    def copy(self) -> "Tree":
        """The same tree, to grow apart from this one."""
        return Tree(self.size, self._edge)

    def add(self, leaves: Sequence[bytes]) -> list[Tile]:
        """Append `leaves`; the tiles that they finish, lower ones first."""
        done: list[Tile] = []
        at = 0
        while at < len(leaves):
            row = self._edge[0]
            piece = leaves[at : at + WIDTH - len(row)]
            row += piece
            at += len(piece)
            self.size += len(piece)
            if len(row) == WIDTH:
                self._finish(0, done)
        return done

    def edge(self, level: int = 0) -> bytes:
        """The unfinished tile of `level`; of level 0 the leaves since the last tile that is full."""
        return b"".join(self._edge[level]) if level < len(self._edge) else b""

    def root(self) -> bytes:
        """The root over all leaves: 32 bytes."""
        above: list[bytes] = []
        for row in self._edge:
            nodes = [*row, *above]
            above = [root_of(nodes)] if nodes else []
        return above[0] if above else root_of(())

    def _finish(self, level: int, done: list[Tile]) -> None:
        row = self._edge[level]
        number = (self.size >> HEIGHT * (level + 1)) - 1
        done.append((level, number, b"".join(row)))
        if level + 1 == len(self._edge):
            self._edge.append([])
        self._edge[level + 1].append(root_of(row))
        row.clear()
        if len(self._edge[level + 1]) == WIDTH:
            self._finish(level + 1, done)


def tree_from(size: int, read_tile: ReadTile) -> Tree:
    """The tree of `size` leaves whose tiles `read_tile` gives."""
    edge: list[list[bytes]] = []
    level = 0
    while level == 0 or size >> HEIGHT * level:
        count = size >> HEIGHT * level
        start = count & ~(WIDTH - 1)
        edge.append([_subtree(read_tile, level, number) for number in range(start, count)])
        level += 1
    return Tree(size, edge)


def _subtree(read_tile: ReadTile, level: int, number: int) -> bytes:
    """The hash of full subtree `number` of `WIDTH ** level` leaves, from the tile below it."""
    if level == 0:
        return _pick(read_tile(0, number >> HEIGHT), number & (WIDTH - 1), 1)[0]
    return root_of(_pick(read_tile(level - 1, number), 0, WIDTH))


def _pick(tile: bytes, start: int, count: int) -> list[bytes]:
    end = (start + count) * _HASH_BYTES
    if len(tile) < end:
        raise ProofWrong("a tile of the tree is missing or short")
    return [tile[at : at + _HASH_BYTES] for at in range(start * _HASH_BYTES, end, _HASH_BYTES)]


def range_hash(start: int, end: int, read_tile: ReadTile) -> bytes:
    """MTH over the leaves from `start` to before `end`: what RFC 6962 writes MTH(D[start:end])."""
    count = end - start
    height = count.bit_length() - 1
    if count == 1 << height and start % count == 0:
        level, inner = divmod(height, HEIGHT)
        first = start >> HEIGHT * level
        return root_of(_pick(read_tile(level, first >> HEIGHT), first & (WIDTH - 1), 1 << inner))
    middle = start + _split(count)
    return node_hash(range_hash(start, middle, read_tile), range_hash(middle, end, read_tile))


def inclusion(index: int, size: int, read_tile: ReadTile) -> list[bytes]:
    """PATH(index, D[size]) of RFC 6962, section 2.1.1: from the leaf's sibling up. Raises `ValueError`."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(range_hash(middle, end, read_tile))
            end = middle
        else:
            path.append(range_hash(start, middle, read_tile))
            start = middle
    return path[::-1]


def consistency(old: int, size: int, read_tile: ReadTile) -> list[bytes]:
    """PROOF(old, D[size]) of RFC 6962, section 2.1.2. Raises `ValueError`."""
    if not 0 < old <= size:
        raise ValueError(f"a tree of {size} leaves does not go on from one of {old}")
    path: list[bytes] = []
    start, end, whole = 0, size, True
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(range_hash(middle, end, read_tile))
            end = middle
        else:
            path.append(range_hash(start, middle, read_tile))
            start, whole = middle, False
    if not whole:
        path.append(range_hash(start, end, read_tile))
    return path[::-1]


def root_by(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, section 2.1.3.2). Raises `ProofWrong`."""
    if not 0 <= index < size:
        raise ProofWrong(f"a tree of {size} leaves has no leaf {index}")
    at, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofWrong("its path is too long")
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        at >>= 1
        last >>= 1
    if last:
        raise ProofWrong("its path is too short")
    return found


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1
