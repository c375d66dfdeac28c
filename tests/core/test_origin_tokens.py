"""Telling parts of texts: what they are, that spelling does not matter, and that what is judged is what is indexed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.protect.language import STOP, stem
from remit.protect.spelling import without_case_marks
from remit.protect.token_kinds import TokenKind
from remit.protect.tokens import distinct_tokens, normalized, number_text, ordered_tokens, whole_token

SPELT: list[tuple[str, list[tuple[str, TokenKind]]]] = [
    (
        "Send it to Bob",
        [("send", TokenKind.WORD), ("it", TokenKind.WORD), ("to", TokenKind.WORD), ("bob", TokenKind.NAME)],
    ),
    ("Ask. Then (Ann)", [("ask", TokenKind.WORD), ("then", TokenKind.WORD), ("ann", TokenKind.NAME)]),
    ("'BOB@Example.org'", [("bob@example.org", TokenKind.ADDRESS)]),
    ("mailto:bob@example.org", [("bob@example.org", TokenKind.ADDRESS)]),
    ("https://www.Example.org/A/", [("example.org/a", TokenKind.URL)]),
    ("see=http://a.example/b", [("see=http://a.example/b", TokenKind.ID), ("a.example/b", TokenKind.URL)]),
    (
        "http://a.example/?u=https://b.example/c",
        [("a.example/?u=https://b.example/c", TokenKind.URL), ("b.example/c", TokenKind.URL)],
    ),
    (
        "a.example/?u=https://b.example",
        [("a.example/?u=https://b.example", TokenKind.URL), ("b.example", TokenKind.URL)],
    ),
    (
        "http://1" + "://2" * 9 + "://b.example",
        [
            ("://1" + "://2" * 9 + "://b.example", TokenKind.URL),
            *(("://2" + "://2" * n + "://b.example", TokenKind.URL) for n in range(8, 0, -1)),
            ("b.example", TokenKind.URL),
        ],
    ),
    ("http" + "://2" * 9, [("://2" * n, TokenKind.URL) for n in range(9, 0, -1)]),
    ("one\x01two\x85three", [("one", TokenKind.WORD), ("two", TokenKind.WORD), ("three", TokenKind.WORD)]),
    ("http://'s", [("http://", TokenKind.URL)]),
    ("www.example.org:8080", [("example.org:8080", TokenKind.URL)]),
    ("http://localhost/x", [("localhost/x", TokenKind.URL)]),
    ("10.0.0.1", [("10.0.0.1", TokenKind.URL)]),
    ("file://a.example/b", [("file://a.example/b", TokenKind.URL), ("a.example/b", TokenKind.URL)]),
    ("0x52908400098527886E0F7030069857D2E4169EE7", [("0x52908400098527886e0f7030069857d2e4169ee7", TokenKind.ACCOUNT)]),
    ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", [("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", TokenKind.ACCOUNT)]),
    ("+49 170 1234567", [("491701234567", TokenKind.ACCOUNT)]),
    ("1,000.00", [("1000", TokenKind.NUMBER)]),
    ("$50", [("50", TokenKind.NUMBER)]),
    ("-7.50", [("7.5", TokenKind.NUMBER)]),
    ("12345678", [("12345678", TokenKind.ACCOUNT)]),
    ("DE89370400440532013000", [("de89370400440532013000", TokenKind.ACCOUNT)]),
    ("GB29 NWBK 6016 1331 9268 19", [("gb29nwbk60161331926819", TokenKind.ACCOUNT)]),
    ("4111-1111-1111-1111", [("4111111111111111", TokenKind.ACCOUNT)]),
    ("2022-04-01", [("2022-04-01", TokenKind.DATE)]),
    ("2022/4/1", [("2022-04-01", TokenKind.DATE)]),
    ("2022-04-01T10:00:00Z", [("2022-04-01", TokenKind.DATE)]),
    ("2022-04-01t10:00:00.5+02:00", [("2022-04-01", TokenKind.DATE)]),
    ("12 Sept 2022", [("2022-09-12", TokenKind.DATE)]),
    ("Straße", [("strasse", TokenKind.WORD)]),
    ("mallory@evil.xn--p1ai", [("mallory@evil.xn--p1ai", TokenKind.ADDRESS)]),
    ("evil.xn--p1ai/x", [("evil.xn--p1ai/x", TokenKind.URL)]),
    ("_x.evil.example/y", [("_x.evil.example/y", TokenKind.URL)]),
    ("[2001:db8::1]/x", [("2001:db8::1", TokenKind.URL), ("x", TokenKind.WORD)]),
    ("std::x1", [("std::x1", TokenKind.ID), ("std", TokenKind.WORD), ("x1", TokenKind.ID)]),
    ("GB29.NWBK.60161331926819", [("gb29nwbk60161331926819", TokenKind.ACCOUNT)]),
    ("1.4.2022", [("2022-04-01", TokenKind.DATE)]),
    ("1.4.22", [("1.4.22", TokenKind.ID)]),
    ("April 1st, 2022", [("2022-04-01", TokenKind.DATE)]),
    ("1st of Apr 2022", [("2022-04-01", TokenKind.DATE)]),
    (
        "in may of 2022",
        [("in", TokenKind.WORD), ("may", TokenKind.WORD), ("of", TokenKind.WORD), ("2022", TokenKind.NUMBER)],
    ),
    ("in April 2022", [("in", TokenKind.WORD), ("april", TokenKind.NAME), ("2022", TokenKind.NUMBER)]),
    ("1j1l-2k3j", [("1j1l-2k3j", TokenKind.ID)]),
    ("bill-2023.txt", [("bill-2023.txt", TokenKind.ID)]),
    ("e.g. this", [("e.g", TokenKind.ID), ("this", TokenKind.WORD)]),
    ("Ann's", [("ann", TokenKind.NAME)]),
    ("well-known", [("well-known", TokenKind.WORD)]),
    ("user=bob", [("user=bob", TokenKind.ID), ("user", TokenKind.WORD), ("bob", TokenKind.WORD)]),
    ("a@b", [("a@b", TokenKind.ID)]),
    ("a=/b", [("a=/b", TokenKind.ID), ("a", TokenKind.WORD), ("b", TokenKind.WORD)]),
    ("12 12 12", [("12", TokenKind.NUMBER)] * 3),
    ("@ann #sales", [("ann", TokenKind.WORD), ("sales", TokenKind.WORD)]),
    ("-- . ?", []),
    ("\uff21\uff4e\uff4e\u200b", [("ann", TokenKind.WORD)]),
]
PIECES = st.sampled_from(
    ["Bob", "bob@example.org", "https://x.example/a", "1,000.00", "GB29", "NWBK", "6016", "April", "1st,", "2022", "'s",
     "=", ":", "/", "ß", "İ", "a=b:c/d&e", "12", "-", " ", "\n", "e.g.", "x.com.Then", "9268 19", "ﬁ", "\u0301"]
)  # fmt: skip


@pytest.mark.parametrize(("text", "found"), SPELT)
def test_the_parts_of_a_text(text: str, found: list[tuple[str, TokenKind]]) -> None:
    assert ordered_tokens(text) == found
    assert {token for token, _ in found} <= distinct_tokens(text)


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES).map("".join)))
def test_what_is_judged_is_among_what_is_indexed(text: str) -> None:
    assert {token for token, _ in ordered_tokens(text)} <= distinct_tokens(text)
    assert all(token for token in distinct_tokens(text))


@given(st.text(max_size=60))
def test_spelling_does_not_matter(text: str) -> None:
    assert distinct_tokens(f"  {normalized(text)}\n") == distinct_tokens(text)
    assert distinct_tokens(text.casefold()) == distinct_tokens(text.casefold().casefold())


def test_numbers_are_tokens_as_texts_spell_them() -> None:
    assert [number_text(value) for value in (7, 7.0, 7.5, -1)] == ["7", "7", "7.5", "-1"]
    assert set(without_case_marks(distinct_tokens("7.50"))) == {"7.5"}


def test_a_whole_is_no_word() -> None:
    assert whole_token("Bob  Jones") == whole_token("bob jones") == "=bob jones"
    assert whole_token("Bob") not in distinct_tokens("Bob")


def test_forms_of_a_verb_share_a_stem() -> None:
    for verb, forms in {
        "pay": "pays paying payed",
        "transfer": "transfers transferring transferred",
        "schedule": "schedules scheduling scheduled",
        "reply": "replies replying replied",
        "send": "sends sending",
        "add": "adds adding added",
        "pass": "passes passing passed",
    }.items():
        assert {stem(form) for form in forms.split()} == {stem(verb)}, verb
    assert "the" in STOP


@pytest.mark.parametrize(
    "unit", ["a.b-", "@a.", "/:=&", "://", "1 ", "GB29 NWBK ", "1,000", "1 may ", "\u200b\u0301", "w", "12-", "a=b/"]
)
def test_hostile_text_takes_no_more_than_its_length(unit: str) -> None:
    text = unit * (400_000 // len(unit))
    begun = time.thread_time()
    distinct_tokens(text)
    ordered_tokens(text)
    assert time.thread_time() - begun < 8.0


def test_a_letter_with_many_marks_takes_no_more_than_their_number() -> None:
    text = "a" + "\u0301" * 100_000 + "\u0327" * 100_000
    begun = time.thread_time()
    assert distinct_tokens(text) == distinct_tokens("a" + "\u0327" * 100_000 + "\u0301" * 100_000)
    ordered_tokens(text)
    assert time.thread_time() - begun < 8.0
