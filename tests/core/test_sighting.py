"""A sighting is valid once constructed, and any text a source may meet makes a valid name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.discover.sighting import (
    EDGES_MAX,
    NAME_CHARS_MAX,
    SPACES,
    TEXT_CHARS_MAX,
    TRAITS_MAX,
    Edge,
    Kind,
    Sighting,
    Subject,
    Trait,
    Verb,
    check,
    clipped,
    parsed,
    subject,
)

BOT = Subject(Kind.AGENT, "bot")
SEEN = Sighting(BOT, "host", "mcp.json:3", 5, 7)
HOSTILE = st.text(st.characters(codec=None), max_size=400)


@given(HOSTILE, st.sampled_from(Kind), st.sampled_from(["", *sorted(SPACES)]))
def test_any_text_names_a_subject_which_is_read_back_as_it_is_written(name: str, kind: Kind, space: str) -> None:
    made = subject(kind, name, space)
    check(made)
    assert parsed(str(made)) == made


@given(HOSTILE, HOSTILE)
def test_two_names_stay_two(one: str, other: str) -> None:
    if one.strip() and other.strip() and one != other:
        assert subject(Kind.TOOL, one) != subject(Kind.TOOL, other)


def test_what_may_not_name_anything_is_shown_and_ends_in_a_digest() -> None:
    assert subject(Kind.TOOL, "rm\u202e\n -rf").name.startswith("rm\\u{202e}\\u{a} -rf~")
    assert subject(Kind.TOOL, "a" * 10_000).name.startswith("aaaa")
    assert subject(Kind.TOOL, "\u00a0x").name.startswith("x~")
    assert subject(Kind.TOOL, "x\u00a0y").name.startswith("(hidden)~")
    assert subject(Kind.TOOL, "").name == subject(Kind.TOOL, " \t").name == "(unnamed)"
    assert subject(Kind.TOOL, "Größe messen") == Subject(Kind.TOOL, "Größe messen")


@given(HOSTILE)
def test_any_text_is_clipped_to_one_line(text: str) -> None:
    line = clipped(text)
    assert len(line) <= TEXT_CHARS_MAX
    assert "\n" not in line


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_ms": 8},
        {"first_ms": -1},
        {"count": 0},
        {"last_ms": 2**60},
        {"edges": (Edge(Verb.USES, BOT),) * (EDGES_MAX + 1)},
        {"traits": (Trait("a", "b"),) * (TRAITS_MAX + 1)},
        {"subject": Subject(Kind.AGENT, "")},
        {"subject": Subject(Kind.AGENT, " x")},
        {"subject": Subject(Kind.AGENT, "x" * (NAME_CHARS_MAX + 1))},
        {"subject": Subject(Kind.AGENT, "x", "elsewhere")},
        {"edges": (Edge(Verb.USES, Subject(Kind.TOOL, "a\nb")),)},
        {"source": ""},
        {"evidence": "e" * (TEXT_CHARS_MAX + 1)},
        {"owner": "e" * (TEXT_CHARS_MAX + 1)},
        {"traits": (Trait("description", "e" * (TEXT_CHARS_MAX + 1)),)},
    ],
)
def test_what_no_source_may_hand_over_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        replace(SEEN, **wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("text", ["bot", "robot/bot", "agent/", "agent/otlp: x"])
def test_what_is_no_subject_is_not_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a name|no subject"):
        parsed(text)


def test_a_colon_in_a_name_is_no_space() -> None:
    assert parsed("model/qwen:7b") == Subject(Kind.MODEL, "qwen:7b")
    assert parsed(str(Subject(Kind.MODEL, "otlp:x"))) == Subject(Kind.MODEL, "otlp:x")
    assert parsed(str(Subject(Kind.MODEL, ":x"))) == Subject(Kind.MODEL, ":x")
    assert parsed("agent/host:mine") == Subject(Kind.AGENT, "mine", "host")
