"""Live tools against the lock, and the exact difference of two definitions."""

from dataclasses import replace

import pytest
from hypothesis import given

from remit.control.difference import (
    CHANGES_MAX,
    Added,
    Change,
    Piece,
    Removed,
    Replaced,
    TextOp,
    Words,
    changes,
    render,
    words,
)
from remit.control.drift import DriftStatus, compare
from remit.control.lock import EMPTY, accept
from remit.facts.canonical import Json, canonical
from remit.facts.tool import Definition
from tests.core.declaring import NOW, definitions, json_values, lock_of, texts

LONG = "Tells the time in a zone, to the second, for any place on earth that has one."


@given(definitions)
def test_what_was_accepted_matches(definition: Definition) -> None:
    lock = accept(EMPTY, "s", definition.name, definition, definition.pin())
    (found,) = compare(lock, "s", [definition])
    assert (found.status, found.changes, found.note) == (DriftStatus.MATCHES, (), "")
    assert found.pin == definition.pin()


@given(definitions, definitions)
def test_another_definition_of_the_name_drifts_and_shows_why(one: Definition, two: Definition) -> None:
    other = replace(two, name=one.name)
    lock = accept(EMPTY, "s", one.name, one, one.pin())
    (found,) = compare(lock, "s", [other])
    same = one.pin() == other.pin()
    assert (found.status is DriftStatus.MATCHES) == same
    assert (found.changes == ()) == same
    assert [render(change) for change in found.changes if not render(change)] == []


def test_missing_unreviewed_and_twice_listed_tools() -> None:
    lock = lock_of(NOW, replace(NOW, name="gone"))
    new = replace(NOW, name="new")
    found = {one.tool: one for one in compare(lock, "time", [NOW, NOW, new])}
    assert {name: one.status for name, one in found.items()} == {
        "now": DriftStatus.DRIFTED,
        "gone": DriftStatus.MISSING,
        "new": DriftStatus.UNREVIEWED,
    }
    assert found["now"].note == "the server lists it 2 times"
    assert (found["gone"].live, found["gone"].pin, found["gone"].pinned) == (None, None, replace(NOW, name="gone"))
    assert (found["new"].pinned, found["new"].changes) == (None, ())


def test_a_live_definition_without_a_pin_drifts() -> None:
    (found,) = compare(lock_of(NOW), "time", [replace(NOW, annotations={"n": 2**60})])
    assert (found.status, found.pin) == (DriftStatus.DRIFTED, None)
    assert "no canonical form" in found.note
    assert found.to_json()["standing"] == "drifted"


def test_one_changed_word_is_shown_as_that_word() -> None:
    lock = lock_of(replace(NOW, description=LONG))
    (found,) = compare(lock, "time", [replace(NOW, description=LONG.replace("second", "minute"))])
    (change,) = found.changes
    assert isinstance(change, Words)
    assert [piece for piece in change.pieces if piece.op is not TextOp.SAME] == [
        Piece(TextOp.REMOVED, "second"),
        Piece(TextOp.ADDED, "minute"),
    ]
    assert render(change) == f"/description: {LONG.replace('second', '[-second-]{+minute+}')}"


@given(texts, texts)
def test_pieces_give_both_texts_whole(before: str, after: str) -> None:
    pieces = words(before, after)
    assert "".join(piece.text for piece in pieces if piece.op is not TextOp.ADDED) == before
    assert "".join(piece.text for piece in pieces if piece.op is not TextOp.REMOVED) == after


def test_what_stayed_between_two_changes_is_kept() -> None:
    assert [piece.text for piece in words("a b c", "x b y")] == ["a", "x", " b ", "c", "y"]


def test_texts_with_nothing_in_common_count_as_replaced() -> None:
    before, after = " ".join(["a b"] * 300), " ".join(["c"] * 900)
    assert [piece.op for piece in words(f"{before} x", f"{after} y")] == [TextOp.REMOVED, TextOp.ADDED]


@given(json_values, json_values)
def test_a_difference_is_empty_exactly_when_the_json_is_the_same(before: Json, after: Json) -> None:
    assert changes(before, before) == ()
    assert (changes(before, after) == ()) == (canonical(before) == canonical(after))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a/b": 1}, {"a/b": 2}, (Replaced("/a~1b", 1, 2),)),
        ({"a": 1}, {}, (Removed("/a", 1),)),
        ({}, {"a": 1}, (Added("/a", 1),)),
        ({"a": True}, {"a": 1}, (Replaced("/a", True, 1),)),
        ({"a": 1.0}, {"a": 1}, ()),
        ({"a": ["x", "z"]}, {"a": ["x", "y", "z"]}, (Added("/a/1", "y"),)),
        ({"a": ["x", "y"]}, {"a": ["y"]}, (Removed("/a/0", "x"),)),
        ({"a": ["x", "y"]}, {"a": ["x", "z"]}, (Replaced("/a/1", "y", "z"),)),
        ({"a": [1, 2]}, {"a": [3]}, (Added("/a/0", 3), Removed("/a/0", 1), Removed("/a/1", 2))),
        ({"a": []}, {"a": {}}, (Replaced("/a", [], {}),)),
        ({"a": 2**60}, {"a": 2**60}, ()),
        ({"a": 2**60}, {"a": 2**61}, (Replaced("/a", 2**60, 2**61),)),
    ],
)
def test_paths_of_a_difference(before: Json, after: Json, expected: tuple[Change, ...]) -> None:
    found = changes(before, after)
    assert sorted(found, key=repr) == sorted(expected, key=repr)
    for change in found:
        assert change.to_json()["path"] == change.path


def test_a_flood_of_differences_becomes_one() -> None:
    after: Json = {str(number): 1 for number in range(CHANGES_MAX + 1)}
    assert changes({}, after) == (Replaced("", {}, after),)


def test_what_people_read_is_escaped_cut_and_on_one_line() -> None:
    hidden = Words("/description\u202e", words("a \u200bb\n c", "a d\n c"))
    assert render(hidden) == r"/description\u{202e}: a [-\u{200b}b-]{+d+}\n c"
    assert render(Replaced("", "x" * 600, 1)).startswith("/: [-" + '"' + "x" * 400)
    assert "characters)" in render(Replaced("", "x" * 600, 1))
    far = Words("/d", words("x " * 100 + "old" + " y" * 100, "x " * 100 + "new" + " y" * 100))
    assert render(far) == f"/d:  … {'x ' * 30}[-old-]{{+new+}}{' y' * 30} … "
    assert far.to_json()["op"] == "words"
    assert render(Removed("/a", 1)) == "/a: [-1-]"
    assert render(Added("/a", 1)) == "/a: {+1+}"
