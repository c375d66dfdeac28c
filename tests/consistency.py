"""Whoever keeps a checkpoint elsewhere, and sees that a later one goes on from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.trace.tree import ProofWrong, node_hash

if TYPE_CHECKING:
    from collections.abc import Sequence


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """See that the tree of `size` goes on from that of `old` (RFC 9162, section 2.1.4.2). Raises `ProofWrong`."""
    if not 0 < old <= size:
        raise ProofWrong(f"a tree of {size} leaves does not go on from one of {old}")
    if old == size:
        if path or old_root != root:
            raise ProofWrong("two trees of one size differ")
        return
    whole = old & (old - 1) == 0
    hashes = [old_root, *path] if whole else list(path)
    if not hashes:
        raise ProofWrong("its path is too short")
    at, last = old - 1, size - 1
    while at & 1:
        at >>= 1
        last >>= 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofWrong("its path is too long")
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not at & 1 and at:
                at >>= 1
                last >>= 1
        else:
            after = node_hash(after, sibling)
        at >>= 1
        last >>= 1
    if last:
        raise ProofWrong("its path is too short")
    if (before, after) != (old_root, root):
        raise ProofWrong("the later tree does not go on from the earlier one")
