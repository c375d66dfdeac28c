"""The grammar of obligations: what each spelling means, and that nothing else means anything."""

import pytest

from remit.facts.finding import Find, labels_of
from remit.facts.obligation import (
    Cap,
    Confine,
    Cover,
    Host,
    NoObligationError,
    Obligation,
    Truncate,
    Urls,
    on_result,
    parsed,
    problem,
)

SAID: dict[str, Obligation] = {
    "redact:pii": Cover(masks=False, find=Find.PII),
    "mask:email:body": Cover(masks=True, find=Find.EMAIL, argument="body"),
    "redact:$.accounts[*].number": Cover(masks=False, path=("accounts", None, "number")),
    "mask:$['odd name'][0]": Cover(masks=True, path=("odd name", 0)),
    "cap:limit:10": Cap("limit", 10),
    "cap:amount:-2.50": Cap("amount", -2.5),
    "truncate:400": Truncate(None, 400),
    "truncate:note:with:colon:0": Truncate("note:with:colon", 0),
    "confine:path:/srv/notes": Confine("path", "/srv/notes"),
    "confine:path:/": Confine("path", "/"),
    "confine-if-given:path:/srv": Confine("path", "/srv", may_lack=True),
    "urls-if-given:url:a.org": Urls("url", (Host("a.org"),), may_lack=True),
    "urls:url:example.org,*.example.com:8443,10.0.0.1+private": Urls(
        "url", (Host("example.org"), Host("example.com", below=True, port=8443), Host("10.0.0.1", private=True))
    ),
}


@pytest.mark.parametrize("text", SAID)
def test_each_obligation_is_read_as_it_is_written(text: str) -> None:
    assert parsed(text) == SAID[text]
    assert problem(text) is None
    assert on_result(parsed(text)) == (getattr(SAID[text], "argument", None) is None)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "obligations are"),
        ("wash:hands", "obligations are"),
        ("redact", "what is covered"),
        ("redact:", "what is covered"),
        ("redact:names", "what is covered"),
        ("redact:pii:", "names no argument"),
        ("redact:pii:a\nb", "control character"),
        ("redact:$", "the path is none"),
        ("redact:$..x", "the path is none"),
        ("cap:limit", "it is cap:ARGUMENT:NUMBER"),
        ("cap::5", "names no argument"),
        ("cap:limit:1e3", "four decimal places"),
        ("cap:limit:9999999999999999", "a cap lies between"),
        ("truncate:", "a number of characters"),
        ("truncate:-1", "a number of characters"),
        ("truncate::5", "names no argument"),
        ("confine:path", "confine ends in a folder"),
        ("confine:path:notes", "confine ends in a folder"),
        ("confine:path:/srv/../etc", "confine ends in a folder"),
        ("confine:path:/srv/", "confine ends in a folder"),
        ("confine:path:/srv/\x07", "control character"),
        ("urls:url:", "is no host"),
        ("urls:url:Example.org", "is no host"),
        ("urls:url:http://example.org", "has no port"),
        ("urls:url:300", "is no host"),
        ("urls:url:*.org", "would be all there is"),
        ("urls:url:example.org:0", "has no port"),
        ("urls:url:example.org:99999", "has no port"),
        ("urls:url:example.org:", "has no port"),
        ("urls:url:" + ",".join(["a.org"] * 33), "at most 32 hosts"),
        ("truncate:" + "x" * 600 + ":1", "longer than 512"),
    ],
)
def test_what_is_written_otherwise_is_no_obligation(text: str, why: str) -> None:
    with pytest.raises(NoObligationError, match=why.replace("*", r"\*")):
        parsed(text)
    assert why in (problem(text) or "")


def test_each_find_has_a_label() -> None:
    assert labels_of(()) == frozenset()
    assert labels_of({Find.HIDDEN, Find.PII}) == {"untrusted", "untrusted:hidden", "confidential", "confidential:pii"}
    assert all(labels_of({find}) for find in Find)
