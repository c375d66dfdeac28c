"""Telling parts of texts: what they are, that spelling does not matter, and that what is judged is what is indexed."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.protect.language import STOP, stem
from remit.protect.pieces import Kind
from remit.protect.tokens import parts, plain, scalar, texts, whole

SPELT: list[tuple[str, list[tuple[str, Kind]]]] = [
    ("Send it to Bob", [("send", Kind.WORD), ("it", Kind.WORD), ("to", Kind.WORD), ("bob", Kind.NAME)]),
    ("Ask. Then (Ann)", [("ask", Kind.WORD), ("then", Kind.WORD), ("ann", Kind.NAME)]),
    ("'BOB@Example.org'", [("bob@example.org", Kind.ADDRESS)]),
    ("mailto:bob@example.org", [("bob@example.org", Kind.ADDRESS)]),
    ("https://www.Example.org/A/", [("example.org/a", Kind.URL)]),
    ("see=http://a.example/b", [("see=http://a.example/b", Kind.ID), ("a.example/b", Kind.URL)]),
    (
        "http://a.example/?u=https://b.example/c",
        [("a.example/?u=https://b.example/c", Kind.URL), ("b.example/c", Kind.URL)],
    ),
    ("a.example/?u=https://b.example", [("a.example/?u=https://b.example", Kind.URL), ("b.example", Kind.URL)]),
    (
        "x://1" + "://2" * 9 + "://b.example",
        [
            ("1" + "://2" * 9 + "://b.example", Kind.URL),
            *(("2" + "://2" * n + "://b.example", Kind.URL) for n in range(8, 0, -1)),
            ("b.example", Kind.URL),
        ],
    ),
    ("x" + "://2" * 9, [("://".join("2" * n), Kind.URL) for n in range(9, 0, -1)]),
    ("one\x01two\x85three", [("one", Kind.WORD), ("two", Kind.WORD), ("three", Kind.WORD)]),
    ("a://'s", [("a://", Kind.URL)]),
    ("www.example.org:8080", [("example.org:8080", Kind.URL)]),
    ("http://localhost/x", [("localhost/x", Kind.URL)]),
    ("10.0.0.1", [("10.0.0.1", Kind.URL)]),
    ("1,000.00", [("1000", Kind.NUMBER)]),
    ("$50", [("50", Kind.NUMBER)]),
    ("-7.50", [("7.5", Kind.NUMBER)]),
    ("12345678", [("12345678", Kind.ACCOUNT)]),
    ("DE89370400440532013000", [("de89370400440532013000", Kind.ACCOUNT)]),
    ("GB29 NWBK 6016 1331 9268 19", [("gb29nwbk60161331926819", Kind.ACCOUNT)]),
    ("4111-1111-1111-1111", [("4111111111111111", Kind.ACCOUNT)]),
    ("2022-04-01", [("2022-04-01", Kind.DATE)]),
    ("2022/4/1", [("2022-04-01", Kind.DATE)]),
    ("2022-04-01T10:00:00Z", [("2022-04-01", Kind.DATE)]),
    ("2022-04-01t10:00:00.5+02:00", [("2022-04-01", Kind.DATE)]),
    ("12 Sept 2022", [("2022-09-12", Kind.DATE)]),
    ("Straße", [("strasse", Kind.WORD)]),
    ("mallory@evil.xn--p1ai", [("mallory@evil.xn--p1ai", Kind.ADDRESS)]),
    ("evil.xn--p1ai/x", [("evil.xn--p1ai/x", Kind.URL)]),
    ("_x.evil.example/y", [("_x.evil.example/y", Kind.URL)]),
    ("[2001:db8::1]/x", [("2001:db8::1", Kind.URL), ("x", Kind.WORD)]),
    ("std::x1", [("std::x1", Kind.ID), ("std", Kind.WORD), ("x1", Kind.ID)]),
    ("GB29.NWBK.60161331926819", [("gb29nwbk60161331926819", Kind.ACCOUNT)]),
    ("1.4.2022", [("2022-04-01", Kind.DATE)]),
    ("1.4.22", [("1.4.22", Kind.ID)]),
    ("April 1st, 2022", [("2022-04-01", Kind.DATE)]),
    ("1st of Apr 2022", [("2022-04-01", Kind.DATE)]),
    ("in may of 2022", [("in", Kind.WORD), ("may", Kind.WORD), ("of", Kind.WORD), ("2022", Kind.NUMBER)]),
    ("in April 2022", [("in", Kind.WORD), ("april", Kind.NAME), ("2022", Kind.NUMBER)]),
    ("1j1l-2k3j", [("1j1l-2k3j", Kind.ID)]),
    ("bill-2023.txt", [("bill-2023.txt", Kind.ID)]),
    ("e.g. this", [("e.g", Kind.ID), ("this", Kind.WORD)]),
    ("Ann's", [("ann", Kind.NAME)]),
    ("well-known", [("well-known", Kind.WORD)]),
    ("user=bob", [("user=bob", Kind.ID), ("user", Kind.WORD), ("bob", Kind.WORD)]),
    ("a@b", [("a@b", Kind.ID)]),
    ("a=/b", [("a=/b", Kind.ID), ("a", Kind.WORD), ("b", Kind.WORD)]),
    ("12 12 12", [("12", Kind.NUMBER)] * 3),
    ("@ann #sales", [("ann", Kind.WORD), ("sales", Kind.WORD)]),
    ("-- . ?", []),
    ("\uff21\uff4e\uff4e\u200b", [("ann", Kind.WORD)]),
]
PIECES = st.sampled_from(
    ["Bob", "bob@example.org", "https://x.example/a", "1,000.00", "GB29", "NWBK", "6016", "April", "1st,", "2022", "'s",
     "=", ":", "/", "ß", "İ", "a=b:c/d&e", "12", "-", " ", "\n", "e.g.", "x.com.Then", "9268 19", "ﬁ", "\u0301"]
)  # fmt: skip


@pytest.mark.parametrize(("text", "found"), SPELT)
def test_the_parts_of_a_text(text: str, found: list[tuple[str, Kind]]) -> None:
    assert parts(text) == found
    assert {token for token, _ in found} <= texts(text)


@given(st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map(" ".join), st.lists(PIECES).map("".join)))
def test_what_is_judged_is_among_what_is_indexed(text: str) -> None:
    assert {token for token, _ in parts(text)} <= texts(text)
    assert all(token for token in texts(text))


@given(st.text(max_size=60))
def test_spelling_does_not_matter(text: str) -> None:
    assert texts(f"  {plain(text)}\n") == texts(text)
    assert texts(text.casefold()) == texts(text.casefold().casefold())


def test_numbers_are_tokens_as_texts_spell_them() -> None:
    assert [scalar(value) for value in (7, 7.0, 7.5, -1)] == ["7", "7", "7.5", "-1"]
    assert texts("7.50") == {"7.5"}


def test_a_whole_is_no_word() -> None:
    assert whole("Bob  Jones") == whole("bob jones") == "=bob jones"
    assert whole("Bob") not in texts("Bob")


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
    texts(text)
    parts(text)
    assert time.thread_time() - begun < 8.0


def test_a_letter_with_many_marks_takes_no_more_than_their_number() -> None:
    text = "a" + "\u0301" * 100_000 + "\u0327" * 100_000
    begun = time.thread_time()
    assert texts(text) == texts("a" + "\u0327" * 100_000 + "\u0301" * 100_000)
    parts(text)
    assert time.thread_time() - begun < 8.0
