"""What is quick finds what is plain: tokens, and what results add, against a slow reading of the same rules."""

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from remit.facts.canonical import Json
from remit.facts.origin import Role
from remit.facts.results import Part
from remit.facts.tool import Argument
from remit.protect.hashing import KEY_BYTES
from remit.protect.index import Index
from remit.protect.learning import learn
from remit.protect.origins import words_delta
from remit.protect.paths import path_tokens
from remit.protect.reading import read
from remit.protect.tokens import distinct_tokens, first_places, normalized, ordered_tokens, whole_token
from tests.core import plain_learning, plain_tokens
from tests.core.test_origin_reading import reader

PIECES = st.sampled_from(
    ["Bob", "bob@example.org", "https://x.example/a", "1,000.00", "GB29", "NWBK", "6016", "1331 9268", "April", "may",
     "Sept.", "1st,", " of", "12th", "2022", "20221", "'s", "=", ":", "/", "ß", "İ", "ς", "a=b:c/d&e", "12-", "34 ",
     "\n", "e.g.", "x.com.Then", "\u0301", "*", "~", "..", "[", "{", "?", "\\", "`", "\u2003", "\xa0", "\u200b", "²",
     "٣", "\ud800", "1.4.2022", "2021-03-04", "T10:00Z", "::1", "mailto:", "www.", ".txt", "xn--p1ai", "10.0.0.1",
     "A7", "a7-B", "~/Bob", "Notes/*", "0B6C2A1E-7f00-4C4d-9b1a-0123456789AB", "Notes.TXT", "BOB@Example.org", "https://X.example/A",
     "a" * 70, "0" * 45, "12345678", "DE89370400440532013000", "GB29.NWBK.60161331926819", "view-source:", "_", "@"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=60),
    st.text("ab12 -/.:@*'’,;_AZ٣İ\xa0&=?~[", max_size=40),
    st.lists(PIECES, max_size=14).map(" ".join),
    st.lists(PIECES, max_size=14).map("".join),
)


@settings(max_examples=600)
@given(TEXTS)
@example("12 May 2022 1 may 20221 2022 1st of May 2022 12 34 56 78 GB29 NWBK 6016 1331 9268 19")
@example("12-34-56-78-90-12-34-56-78-90 AB12 1234 1234 1")
@example("000-000-0\u0660 12 3\u0661\u0662 \u0663\u06644567")
@example("_x.evil.example/y bob@a_b.example 10.0.0.1:80 a@b.c1 evil.xn--p1ai/x ann@notes.txt x's.example")
@example("Name7 7777777 88888888 DE89370400440532013000 a1 A1b2 1234.50 -7 -x 2022/4/1 1.4.22 user:pw@x.example/y")
@example("0::0,://[0 a.example,/x/[b a.example/y,/x/[b https://,/x")
@example("see notes/* ../x /etc ~/a c:\\x a[1] x/?y=1 x/?y .. 'a/../b'. (/tmp)")
@example("Name" * 16 + "7")
@example("Name7")
@example("www.ah")
@example("GB29NWBK60161331926819")
def test_the_tokens_are_those_of_the_plain_rules(text: str) -> None:
    assert distinct_tokens(text) == plain_tokens.texts(text)
    assert ordered_tokens(text) == plain_tokens.parts(text)
    assert whole_token(text) == plain_tokens.whole(text)
    assert list(path_tokens(normalized(text))) == list(plain_tokens.path_tokens(normalized(text)))


@settings(max_examples=400)
@given(st.lists(TEXTS, max_size=8), st.integers(0, 3))
@example(["a\x1eb", "B.A", "b a"], 1)
@example(["000-000-0\u0660"], 0)
@example(["Ann", "1,000 may", "", "ann 12 May 2022", "é", "12-34-56-78 and x.com.Then", "../a", "../a ann."], 0)
def test_texts_that_are_read_together_are_read_as_each_is(said: list[str], start: int) -> None:
    found = dict[str, int]()
    for number, text in enumerate(said, start):
        for token in plain_tokens.texts(text):
            found.setdefault(token, number)
    assert first_places(said, start) == found


NAMES = st.sampled_from(
    ["Ann", "Ann Lee", "bob@example.org", "Eve https://x.example/", "the", "7", "rent ../x", "DE1", "de1", "Q3 A7"]
)
VALUES = st.one_of(NAMES, TEXTS, st.integers(-9, 99), st.floats(0, 9), st.none(), st.booleans())
RECORDS = st.fixed_dictionaries(
    {"id": VALUES, "name": NAMES}, optional={"to": NAMES, "text": VALUES, "tags": st.lists(VALUES, max_size=3)}
)
PARTS = (
    Part("$[*].id", "trusted", identity=True),
    Part("$[*].name", "trusted", directory=True),
    Part("$[*].to", "trusted"),
    Part("$[*].tags", "untrusted:web", directory=True),
    Part("$[*]", "untrusted", directory=True),
)


@settings(max_examples=300)
@given(
    st.lists(st.lists(RECORDS, max_size=4), max_size=3),
    st.lists(st.sampled_from(PARTS), unique=True),
    st.sampled_from(["untrusted", "confidential"]),
    st.sampled_from(["Ann", "Ann Lee owes rent", "bob@example.org"]),
    NAMES,
)
def test_what_results_add_is_what_the_plain_rules_add(
    results: list[list[Json]], told: list[Part], source: str, said: str, asked: str
) -> None:
    tool = replace(reader(*told, source={source}), arguments={"of": Argument(role=Role.KEY)})
    index = Index(b"k" * KEY_BYTES)
    index.apply(words_delta(index, said))
    for number, value in enumerate(results):
        reading = read(tool, tool.worst, {"content": [], "structuredContent": value})
        given: dict[str, Json] = {"of": asked}
        delta = learn(reading, tool, given, index, f"c{number}")
        assert delta == plain_learning.learn(reading, tool, given, index, f"c{number}")
        index.apply(delta)
