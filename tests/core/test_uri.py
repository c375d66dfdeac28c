"""Addresses of resources: what servers would read otherwise than policy does is denied, and nothing else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import AnyUrl, ValidationError

from remit.facts.action import ActionKind
from remit.facts.agent import Agent, Mode
from remit.facts.uri import uri_problem
from remit.policy.verdict import Code, Permit
from tests.core.deciding import bundle, catalog, decided
from tests.core.test_reaching import asking

PUBLIC = """@id("public") permit (principal, action == Remit::Action::"read_resource", resource)
when { context.input.uri like "file:///public/*" || !(context.input.uri like "person://*") };"""


@pytest.mark.parametrize(
    "uri",
    [
        "file:///public/a b/%20c.txt",
        "file:///public/...",
        "file://server/share/a",
        "note://Mixed/Case?q=../x#a",
        "note:opaque",
        "no-scheme",
        "file:///{+path}",
        "https://example.org",
        "https://example.org:8443/a//b/?x=%2F",
        "http://10.0.0.1/a",
        "http://[::1]:8080/",
        "mail://uma@example.org/inbox",
        "größe://日本",
        "file:///größe",
    ],
)
def test_an_address_as_everybody_writes_it_is_taken(uri: str) -> None:
    assert uri_problem(uri) is None


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("", "empty"),
        ("note://a\u200b", "U+200B"),
        ("file:///public/.\t./key", "U+0009"),
        ("file:///public\\..\\key", "backslash"),
        ("file:///public/../key", "segment"),
        ("file:///public/./key", "segment"),
        ("file:///public/..", "segment"),
        ("file:///public/..?a", "segment"),
        ("note:../key", "segment"),
        ("file:///public/%2e%2E/key", "percent sign"),
        ("file:///public/..%2Fkey", "segment"),
        ("file:///public/%252e%252e/key", "segment"),
        ("file:///public/%25252525252e/key", "segment"),
        ("file:///%6Bey", "percent sign"),
        ("FILE:///key", "scheme"),
        ("file:/key", "not followed by //"),
        ("http:example.org", "not followed by //"),
        ("file://localhost/key", "otherwise than by file:///"),
        ("file:////key", "otherwise than by file:///"),
        ("file://server:80/key", "otherwise than by file:///"),
        ("http://Example.org/", "small letters"),
        ("http:///example.org/", "small letters"),
        ("http://b\u00fccher.example/", "small letters"),
        ("http://uma@example.org/", "small letters"),
        ("http://example.org:80/", "goes without saying"),
        ("https://example.org:0443/", "goes without saying"),
        ("http://example.org:/", "without a port"),
        ("note://@a", "without a name"),
        ("note://uma:@a", "without a name"),
        ("http://127.1/", "usually written"),
        ("http://0x7f.0.0.1/", "usually written"),
        ("http://[0:0::1]/", "usually written"),
        ("http://[:::]/", "usually written"),
    ],
)
def test_an_address_that_servers_read_otherwise_is_denied(uri: str, why: str) -> None:
    found = uri_problem(uri)
    assert found is not None
    assert why in found


PIECES = st.sampled_from(
    [
        "file", "FILE", "http", "https", "note", "Note", ":", "//", "/", "..", ".", "%2e", "%2E", "\\", "localhost",
        "A", "a", ":80", ":443", "%41", "~", "%7e", "?", "#", "%2F", "%252e", "@", "[::1]", "127.0.0.1", "0x7f.1", "1",
        "\t",
    ]
)  # fmt: skip
HEADS = st.sampled_from(["", "file:///", "file://", "http://h/", "https://", "note://", "note:"])


@given(HEADS, st.lists(PIECES, max_size=8))
@example("file:///public/", ["..", "/", "a"])
def test_what_is_taken_is_read_alike_by_who_normalises(head: str, pieces: list[str]) -> None:
    """But for the slash of a path that is not there."""
    uri = head + "".join(pieces)
    if uri_problem(uri) is not None:
        return
    try:
        read = str(AnyUrl(uri))
    except ValidationError:
        return
    assert read.replace("/", "") == uri.replace("/", "")
    assert read.count("/") - uri.count("/") in {0, 1}


@pytest.mark.parametrize("mode", list(Mode))
def test_no_policy_is_asked_about_it(mode: Mode) -> None:
    running = bundle(catalog(PUBLIC, agents=[Agent("ada", "uma", "reads", mode=mode)]))
    plain = asking(ActionKind.READ_RESOURCE, "file:///public/a", {"uri": "file:///public/a"})
    assert decided(running, plain).verdict == Permit()
    for uri in ("file:///public/../key", "PERSON://uma"):
        denied = decided(running, asking(ActionKind.READ_RESOURCE, uri, {"uri": uri}))
        assert [reason.code for reason in denied.reasons] == [Code.ARG_INVALID]
        assert "more than one way" in denied.reasons[0].text
