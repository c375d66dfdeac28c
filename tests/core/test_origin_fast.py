"""What is quick finds what is plain: the origins' tokens against a slow reading of the same rules."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from remit.protect.paths import reaching
from remit.protect.tokens import parts, plain, texts, whole
from tests.core import plain_tokens

PIECES = st.sampled_from(
    ["Bob", "bob@example.org", "https://x.example/a", "1,000.00", "GB29", "NWBK", "6016", "1331 9268", "April", "may",
     "Sept.", "1st,", " of", "12th", "2022", "20221", "'s", "=", ":", "/", "ß", "İ", "ς", "a=b:c/d&e", "12-", "34 ",
     "\n", "e.g.", "x.com.Then", "\u0301", "*", "~", "..", "[", "{", "?", "\\", "`", "\u2003", "\xa0", "\u200b", "²",
     "٣", "\ud800", "1.4.2022", "2021-03-04", "T10:00Z", "::1", "mailto:", "www.", ".txt", "xn--p1ai", "10.0.0.1",
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
@example("_x.evil.example/y bob@a_b.example 10.0.0.1:80 a@b.c1 evil.xn--p1ai/x ann@notes.txt x's.example")
@example("Name7 7777777 88888888 DE89370400440532013000 a1 A1b2 1234.50 -7 -x 2022/4/1 1.4.22 user:pw@x.example/y")
@example("see notes/* ../x /etc ~/a c:\\x a[1] x/?y=1 x/?y .. 'a/../b'. (/tmp)")
def test_the_tokens_are_those_of_the_plain_rules(text: str) -> None:
    assert texts(text) == plain_tokens.texts(text)
    assert parts(text) == plain_tokens.parts(text)
    assert whole(text) == plain_tokens.whole(text)
    assert list(reaching(plain(text))) == list(plain_tokens.reaching(plain(text)))
