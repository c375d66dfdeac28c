"""Names people cannot tell apart are refused; free text shows what it hides."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.text import escaped, identifier_problem


@pytest.mark.parametrize("name", ["a", "support-agents", "Ada Lovelace", "größe", "日本語", "a.b_c@d"])
def test_a_visible_name_is_fine(name: str) -> None:
    assert identifier_problem(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        (" a", "space"),
        ("a ", "space"),
        ("a\u00a0b", "U+00A0"),
        ("a\u200bb", "U+200B"),
        ("a\u202eb", "U+202E"),
        ("a\u2066b", "U+2066"),
        ("a\ufeffb", "U+FEFF"),
        ("a\x00b", "U+0000"),
        ("a\x1bb", "U+001B"),
        ("a\nb", "U+000A"),
        ("a\x7fb", "U+007F"),
        ("a\u034fb", "U+034F"),
        ("a\u3164b", "U+3164"),
        ("a\ufe0fb", "U+FE0F"),
        ("a\U000e0101b", "U+E0101"),
        ("a\U000e0041b", "U+E0041"),
        ("a\ue000b", "U+E000"),
        ("a\ud800b", "U+D800"),
        ("a\u2028b", "U+2028"),
    ],
)
def test_an_invisible_name_is_refused_and_says_where(name: str, why: str) -> None:
    problem = identifier_problem(name)
    assert problem is not None
    assert why in problem
    assert problem.isascii()


def test_hidden_characters_are_shown() -> None:
    assert escaped("pay\u202eeve\x1b[2J\n\tok") == "pay\\u{202e}eve\\u{1b}[2J\n\tok"


def test_long_text_is_cut_and_says_so() -> None:
    assert escaped("a" * 30, chars_max=10) == "a" * 10 + "… (20 more characters)"
    assert escaped("a" * 10, chars_max=10) == "a" * 10


@given(st.text())
def test_nothing_hidden_survives(text: str) -> None:
    shown = escaped(text).replace("\n", "").replace("\t", "")
    assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"} for char in shown)
    if identifier_problem(text) is None:
        assert escaped(text) == text
