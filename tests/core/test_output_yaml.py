"""`-o yaml`: letters stay letters, several lines stand below each other, nothing hidden reaches a terminal."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remit.app.terminal.yaml_text import to_yaml
from remit.facts.canonical import Json

TEXTS = st.text(st.sampled_from("aü日\U0001f600 \n\t:#-'\"\\|>\u202e\u200b\x1b\u00a0\x85\u2028\ufeff1"), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def test_letters_of_any_language_stand_as_they_are() -> None:
    told = {"why": "für Müller", "name": "日本", "face": "\U0001f600"}
    assert to_yaml(told) == "why: für Müller\nname: 日本\nface: \U0001f600\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ü\u202e\u200b", r'"ü\u202E\u200B"'),
        ("\x1b[2J", r'"\x1B[2J"'),
        ("a\n\U000e0041", r'"a\n\U000E0041"'),
        ('say "\\\u2066"', r'"say \"\\\u2066\""'),
    ],
)
def test_what_is_hidden_is_escaped_and_nothing_beside_it(text: str, shown: str) -> None:
    assert to_yaml({"text": text}) == f"text: {shown}\n"


def test_a_text_of_several_lines_is_a_block() -> None:
    assert to_yaml({"lines": "für\n  alle\n"}) == "lines: |\n  für\n    alle\n"


@given(VALUES)
def test_it_reads_back_as_the_same_and_shows_nothing_hidden(value: Json) -> None:
    text = to_yaml(value)
    assert yaml.safe_load(text) == value
    assert not set(text) & set("\u202e\u200b\x1b\x85\u2028\ufeff")
