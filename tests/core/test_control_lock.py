"""The lock: one text for one content, refused when it was tampered with, changed on sight only."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.control.lock import (
    EMPTY,
    Lock,
    LockRefused,
    accept,
    accept_server,
    forget,
    list_pin,
    pin_problem,
)
from remit.control.lock_text import parse, serialise
from remit.facts.limits import Limits
from remit.facts.tool import Definition
from tests.core.declaring import NOW, definitions, lock_of, server_names

locks = st.dictionaries(server_names, st.lists(definitions, max_size=3), max_size=3)


@given(locks)
def test_a_lock_survives_its_text(content: dict[str, list[Definition]]) -> None:
    lock = EMPTY
    for server, tools in content.items():
        for tool in tools:
            lock = accept(lock, server, tool.name, tool, tool.pin())
    text = serialise(lock)
    read, problems = parse(text)
    assert problems == ()
    assert read == lock
    assert serialise(read) == text


@given(st.permutations([replace(NOW, name=name) for name in "abcd"]))
def test_the_text_does_not_depend_on_the_order_of_acceptance(tools: list[Definition]) -> None:
    assert serialise(lock_of(*tools)) == serialise(lock_of(*sorted(tools, key=lambda tool: tool.name)))


def test_a_description_of_lines_is_written_line_by_line_and_nothing_is_invisible() -> None:
    text = serialise(lock_of(replace(NOW, description="One.\nTwo\u202e\u200b\U000e0041.")))
    entry = json.loads(text)["servers"]["time"]["now"]
    assert entry["description"] == ["One.", "Two\u202e\u200b\U000e0041."]
    assert text.replace("\n", "").isprintable()
    assert text.endswith("}\n")


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("Tells", "Steals"), "lock/tampered", "does not have the hash"),
        (('"version": 1', '"version": 2'), "lock/version", "version 2"),
        (('"version": 1', '"version": true'), "lock/version", "no version"),
        ("{", "lock/syntax", "not JSON"),
        ("[]", "lock/shape", "not an object"),
        ("[" * 100_000, "lock/syntax", "nested too deep"),
        ('{"version": 1, "version": 1}', "lock/syntax", "'version' stands twice"),
        ('{"version": NaN}', "lock/syntax", "NaN is not"),
        ('{"version": 1}', "lock/shape", "version, about and servers"),
        ('{"version": 1, "servers": {}, "more": 1}', "lock/shape", "version, about"),
        ('{"version": 1, "servers": {"time": []}}', "lock/shape", "'time' holds no tools"),
        (('"type": "object"', '"type": 1e400'), "lock/shape", "cannot be pinned"),
        (('"time": {', '"TIME": {'), "lock/shape", "name is not one"),
        (('"now": {', '"n w": {'), "lock/shape", "' '"),
        (('"inputSchema"', '"input"'), "lock/shape", "is not one of a tool"),
        (('"Tells the time in a zone."', '["a", 1]'), "lock/shape", "not one of"),
        (('"pin": "', '"pin": 1, "description": "'), "lock/syntax", "twice"),
        (('"annotations": {', '"outputSchema": 1, "x": {'), "lock/shape", "not one"),
    ],
)
def test_a_lock_that_is_not_ours_is_refused_whole(change: str | tuple[str, str], code: str, said: str) -> None:
    ours = serialise(lock_of(NOW, replace(NOW, name="later")))
    text = change if isinstance(change, str) else ours.replace(*change)
    lock, problems = parse(text)
    assert lock is EMPTY
    assert (problems[0].code, said in problems[0].what) == (code, True), problems[0]
    assert problems[0].where.file == "remit.lock"
    assert problems[0].next


def test_a_tampered_entry_is_named_with_its_line() -> None:
    text = serialise(lock_of(NOW)).replace("zone.", "zone!")
    problem = parse(text)[1][0]
    assert "time/now" in problem.what
    assert '"pin"' in text.splitlines()[problem.where.line - 1]


def test_a_pin_without_its_hash_or_type_is_refused() -> None:
    text = serialise(lock_of(NOW)).replace(f'"{NOW.pin()}"', "7")
    assert parse(text)[1][0].code == "lock/shape"


def test_an_output_schema_and_absent_annotations_survive() -> None:
    lock = lock_of(replace(NOW, output_schema={"type": "string"}, annotations={}))
    assert parse(serialise(lock)) == (lock, ())


def test_accepting_takes_what_was_shown_and_nothing_else() -> None:
    changed = replace(NOW, description="Tells the local time.")
    with pytest.raises(LockRefused, match="is not that of what is live: it is mistyped, or its definition") as refused:
        accept(EMPTY, "time", "now", changed, NOW.pin())
    assert NOW.pin() in refused.value.why
    again = f"remit tools accept time/now --pin {changed.pin()}"
    assert refused.value.next == f"read it: remit tools review time/now; then: {again}"
    with pytest.raises(LockRefused, match="the server calls it 'now'"):
        accept(EMPTY, "time", "later", NOW, NOW.pin())
    lock = accept(lock_of(NOW), "time", "now", changed, changed.pin())
    assert lock.of("time")["now"].definition == changed
    assert lock.servers == {"time"}


def test_accepting_a_server_takes_its_list_as_it_was_shown() -> None:
    later = replace(NOW, name="later")
    lock = lock_of(replace(NOW, name="gone"), NOW)
    other = accept(lock, "shop", "now", NOW, NOW.pin())
    taken = accept_server(other, "time", [later, NOW], list_pin([NOW, later]))
    assert sorted(taken.tools) == [("shop", "now"), ("time", "later"), ("time", "now")]
    with pytest.raises(LockRefused, match="it is mistyped, or its tools have changed since") as refused:
        accept_server(lock, "time", [later], list_pin([NOW]))
    assert refused.value.next.endswith(f"remit tools accept time --pin {list_pin([later])}")
    with pytest.raises(LockRefused, match="lists it twice"):
        accept_server(lock, "time", [NOW, NOW], list_pin([NOW, NOW]))
    with pytest.raises(LockRefused, match="invisible"):
        accept_server(lock, "time", [replace(NOW, name="n\u200b")], "")


def test_forgetting_removes_one_tool() -> None:
    assert forget(lock_of(NOW), "time", "now") == Lock({})
    with pytest.raises(LockRefused, match="never accepted"):
        forget(EMPTY, "time", "now")


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (replace(NOW, name=""), "empty"),
        (replace(NOW, name="x" * 129), "longer than 128"),
        (replace(NOW, name="a\u202eb"), "invisible"),
        (replace(NOW, name="a;rm -rf"), "';'"),
        (replace(NOW, name="\ud800"), "invisible"),
        (replace(NOW, annotations={"n": 2**60}), "no canonical form"),
        (replace(NOW, description="\ud800"), "no canonical form"),
        (replace(NOW, description="x" * 300_000), "more than"),
        (replace(NOW, input_schema={"properties": {"to\n---\nkind: Policy": {}}}), "character U+000A: to\\u{a}---"),
        (replace(NOW, input_schema={"allOf": [{"properties": {"a\x85": True}}]}), "character U+0085"),
        (replace(NOW, output_schema={"properties": {"a\u2028": {}}}), "character U+2028"),
    ],
)
def test_what_cannot_be_pinned_is_not_accepted(definition: Definition, said: str) -> None:
    assert said in pin_problem("time", definition)
    with pytest.raises(LockRefused):
        accept(EMPTY, "time", definition.name, definition, "sha256:0")


def test_a_server_has_a_limit_of_tools_and_a_name_like_one() -> None:
    one = Limits(tools_per_server_max=1)
    assert "name is not one" in pin_problem("TIME", NOW)
    with pytest.raises(LockRefused, match="2 tools"):
        accept(lock_of(replace(NOW, name="a")), "time", "now", NOW, NOW.pin(), one)
    both = [NOW, replace(NOW, name="a")]
    with pytest.raises(LockRefused, match="2 tools"):
        accept_server(EMPTY, "time", both, list_pin(both), one)
