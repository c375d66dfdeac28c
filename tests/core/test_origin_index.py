"""The index: it grows alone, holds no text, is what its deltas make it, and is bounded."""

import sys
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.origin import Origin
from remit.protect import index as indexing
from remit.protect.hashing import KEY_BYTES, token_hasher
from remit.protect.index import (
    ALL_BITS,
    DERIVED,
    DIRECTORY,
    TRUSTED,
    UNTRUSTED,
    WORDS,
    Delta,
    Index,
    origin_of,
)
from remit.protect.token_places import NOWHERE, TokenGroup

KEY = b"k" * KEY_BYTES
OLDER = b"k" * 32
SAVED = (
    "AgIABwAkWypdLnRvBgAkLnRleHRzYiRCzUXIBP88z77CCeoFnoeyXeUm5wcUgbK09oK6CwgBAP//AAAAFAAAAwAAAAAcAAADAAAAABQAAAMAAAAA"
)
"""A delta of an index with a key of 32 bytes, as it was saved when there were no others."""
KEYS = st.sampled_from([KEY, OLDER])
TOKENS = ("ann", "bob", "=ann bob", "\ud800", "7", "longer than a block is", "a\0", "a", "\0" * 16)
groups = st.builds(
    TokenGroup,
    st.lists(st.sampled_from(TOKENS), max_size=4),
    st.integers(1, ALL_BITS),
    st.sampled_from(["$", "$[*].to", "$.a"]),
    st.sampled_from([0, 3, NOWHERE]),
)


def test_origins_by_what_was_seen() -> None:
    told = {
        0: Origin.UNSEEN,
        DIRECTORY: Origin.UNSEEN,
        TRUSTED: Origin.TRUSTED,
        UNTRUSTED | TRUSTED | DIRECTORY: Origin.UNTRUSTED,
        DERIVED | UNTRUSTED: Origin.DERIVED,
        WORDS | UNTRUSTED: Origin.GROUNDED,
    }
    assert {seen: origin_of(seen) for seen in told} == told


@given(KEYS, st.lists(st.lists(groups, max_size=4), max_size=5))
def test_it_is_the_fold_of_its_deltas_and_only_grows(key: bytes, results: list[list[TokenGroup]]) -> None:
    index, kept, before = Index(key), list[bytes](), dict[str, int]()
    for number, entries in enumerate(results):
        delta = index.delta(f"c{number}", entries)
        kept.append(delta.pack())
        index.apply(delta)
        assert not index.delta("again", entries)
        for token in TOKENS:
            seen = index.lookup((token,))[0] & ALL_BITS
            assert before.get(token, 0) & ~seen == 0
            before[token] = seen
    again = Index(key, (Delta.unpack(f"c{number}", data) for number, data in enumerate(kept)))
    for token in before:
        assert again.lookup((token,))[0] == index.lookup((token,))[0]
    assert len(again) == len(index)


@given(KEYS, st.lists(st.lists(groups, max_size=4), max_size=5))
def test_it_is_what_a_plain_fold_of_tokens_gives(key: bytes, results: list[list[TokenGroup]]) -> None:
    index, plain = Index(key), dict[str, tuple[int, tuple[str, str]]]()
    for number, entries in enumerate(results):
        call = f"c{number}"
        index.apply(index.delta(call, entries))
        new = dict[str, tuple[int, tuple[str, str]]]()
        for tokens, seen, pattern, at in entries:
            for token in tokens:
                place = call, pattern if at == NOWHERE else pattern.replace("[*]", f"[{at}]")
                if token in new:
                    new[token] = new[token][0] | seen, new[token][1]
                elif seen & ~plain.get(token, (0,))[0]:
                    new[token] = seen, place
        for token, (seen, place) in new.items():
            had, first = plain.get(token, (0, place))
            same = token not in plain or origin_of(had) is origin_of(had | seen)
            plain[token] = had | seen, first if same else place
    for token in TOKENS:
        found = index.lookup((token,))[0]
        assert ((found & ALL_BITS, index.place(found)) if found else None) == plain.get(token)
    assert index.lookup(TOKENS) == [index.lookup((token,))[0] for token in TOKENS]


def test_what_was_saved_under_an_older_key_is_read_and_goes_on() -> None:
    index = Index(OLDER, [Delta.unpack("c1", b64decode(SAVED))])
    assert index.prose
    found = [
        index.lookup((token,))[0]
        for token in ("ann", "bob@example.org", "a-token-that-is-longer-than-a-block", "mallory")
    ]
    assert [one & ALL_BITS for one in found] == [TRUSTED | UNTRUSTED | DIRECTORY, *[TRUSTED | DIRECTORY] * 2, UNTRUSTED]
    assert {index.place(one) for one in found} == {("c1", "$[3].to"), ("c1", "$.text")}
    again = index.delta("c2", [TokenGroup(["ann", "eve"], UNTRUSTED, "$")])
    assert len(again.entries) == 1


@pytest.mark.parametrize("size", [0, 15, 24, 33])
def test_a_key_has_one_of_two_sizes(size: int) -> None:
    with pytest.raises(ValueError, match="16 or 32 bytes"):
        token_hasher(b"k" * size)


@given(KEYS, st.lists(st.text(max_size=24), max_size=130, unique=True))
def test_many_are_hashed_as_one_is(key: bytes, tokens: list[str]) -> None:
    hashes = token_hasher(key).hashes(tokens)
    assert hashes == [token_hasher(key).hashes([token])[0] for token in tokens]
    assert len(set(hashes)) == len(tokens)
    more = [f"{number}" for number in range(200)]
    assert token_hasher(key).hashes(more)[150] == token_hasher(key).hashes(["150"])[0]


def test_where_a_token_came_to_its_origin() -> None:
    index = Index(KEY)
    index.apply(index.delta("", [TokenGroup(["7"], WORDS)]))
    index.apply(index.delta("c1", [TokenGroup(["ann"], TRUSTED, "$[*].to", 3), TokenGroup(["bob"], TRUSTED, "$.by")]))
    index.apply(index.delta("c1", [TokenGroup(["cyd"], TRUSTED, "$.at")]))
    index.apply(index.delta("c2", [TokenGroup(["ann", "bob"], TRUSTED | DIRECTORY, "$.list[*]", 0)]))
    assert index.place(index.lookup(("cyd",))[0]) == ("c1", "$.at")
    assert index.place(index.lookup(("7",))[0]) == ("", "")
    assert index.place(index.lookup(("ann",))[0]) == ("c1", "$[3].to")
    assert index.place(index.lookup(("bob",))[0]) == ("c1", "$.by")
    index.apply(index.delta("c3", [TokenGroup(["ann"], UNTRUSTED, "$")]))
    assert index.place(index.lookup(("ann",))[0]) == ("c3", "$")


def test_it_holds_no_text_and_means_nothing_under_another_key() -> None:
    index = Index(KEY)
    delta = index.delta("c1", [TokenGroup(["secret-recipient"], UNTRUSTED, "$.to")])
    assert b"secret" not in delta.pack()
    other = Index(b"x" * 32, [delta])
    assert len(other) == 1
    assert other.lookup(("secret-recipient",))[0] == 0


def test_what_is_more_than_is_kept_counts_as_untrusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "DELTA_MAX", 2)
    index = Index(KEY)
    delta = index.delta("c1", [TokenGroup(["a", "b", "c"], TRUSTED, "$")])
    assert delta.capped
    index.apply(Delta.unpack("c1", delta.pack()))
    found = sorted(origin_of(index.lookup((token,))[0]) for token in "abc")
    assert found == [Origin.UNTRUSTED, Origin.UNTRUSTED, Origin.UNSEEN]
    assert index.unvouched(hashes := index.hashes("abc")) == hashes, "so nothing vouches for any of them"
    monkeypatch.setattr(indexing, "TOKENS_MAX", 2)
    again = index.delta("c2", [TokenGroup(["d"], TRUSTED, "$")], prose=True)
    assert (again.capped, again.entries, again.prose) == (False, {}, True)


def test_the_same_tokens_give_the_same_bytes() -> None:
    one, other = (
        Index(KEY).delta("c", [TokenGroup(tokens, TRUSTED, "$")]) for tokens in (["a", "b", "c"], ["c", "b", "a"])
    )
    assert one == other


def test_patterns_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "PATTERNS_MAX", 2)
    index = Index(KEY)
    index.apply(index.delta("c1", [TokenGroup([name], TRUSTED, f"$.{name}") for name in "abc"]))
    index.apply(index.delta("c2", [TokenGroup(["d"], TRUSTED, "$.d")]))
    assert [index.place(index.lookup((name,))[0])[1] for name in "abcd"] == ["$.a", "$.b", "$", "$"]


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x00\x01\x00", b"\x00\x01\x00\x01\x00", b"\x00\x00\x00x", b"\x07\x00\x00"]
)
def test_what_is_no_delta_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no delta"):
        Delta.unpack("c", data)


def test_another_thread_looks_beside_it_and_what_it_finds_may_be_applied_late() -> None:
    index, tokens = Index(KEY), [f"token {n}" for n in range(1_000)]
    index.apply(index.delta("c1", [TokenGroup(tokens[:400], TRUSTED, "$.a")]))
    beside, stop = index.beside(), Event()

    def finds() -> Delta:
        while not stop.is_set():
            assert all(beside.lookup(tokens[:400])), "both hash at once"
        return beside.delta("c2", [TokenGroup(tokens, UNTRUSTED, "$.b")])

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(1) as thread:
            found = thread.submit(finds)
            try:
                for number in range(400):
                    index.apply(index.delta(f"d{number}", [TokenGroup(tokens[number : number + 9], UNTRUSTED, "$.d")]))
            finally:
                stop.set()
            index.apply(found.result())
    finally:
        sys.setswitchinterval(before)
    assert {origin_of(one) for one in index.lookup(tokens)} == {Origin.UNTRUSTED}
    assert index.place(index.lookup((tokens[0],))[0]) == ("d0", "$.d"), "what was applied first stays"
