"""Names people cannot tell apart are refused; free text shows what it hides."""

import time
import unicodedata
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.text import composed, control_problem, escaped, identifier_problem, one_line


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


MARKS = "\u0301\u0327\u0323\u0345\u0344\u0f73\u0f75\u0f81\u3099\uff9e\uff9f\u302e"
"""Marks of several classes, some that stand for two, and letters that stand for one."""


@given(
    st.lists(
        st.one_of(
            st.text(max_size=3),
            st.text(st.sampled_from(MARKS), min_size=20, max_size=70),
            st.sampled_from(
                ["a", "\u00e1", "\ud55c", "\u1112\u1161", "\uff76", "\u304b", "\u2500", "\U0001f600" * 40, "\u200b"]
            ),
        ),
        max_size=8,
    ).map("".join)
)
def test_the_form_is_that_of_the_standard_library(text: str) -> None:
    assert composed(text) == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize(("first", "second"), [*product("\u0301\u0344\u0f75", "\u0327\u0f73\uff9e"), ("a", "\u2500")])
def test_many_marks_take_no_more_than_their_number(first: str, second: str) -> None:
    def took(count: int) -> float:
        text = "a" + first * count + second * count + (first + second) * count
        begun = time.thread_time()
        composed(text)
        return time.thread_time() - begun

    # Sixteen times the text: a square would take 256 times as long.
    assert min(took(64_000) for _ in range(3)) < 80 * max(min(took(4_000) for _ in range(3)), 0.000_2)


def test_what_stands_in_one_line_ends_none() -> None:
    ends = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\t"
    shown = one_line(f"a{ends}---b")
    assert shown.splitlines() == [shown]
    assert shown.isprintable()
    assert shown.startswith("a\\u{a}\\u{d}")
    assert one_line("plain, and \u00fc") == "plain, and \u00fc"
    for char in ends:
        assert control_problem(f"a{char}") == f"holds the control character U+{ord(char):04X}"
    assert control_problem("any other name, \u00fc or \U0001f600") is None
