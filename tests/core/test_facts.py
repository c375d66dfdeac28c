"""Plain facts: canonical bytes, hashes, names, labels, references, joined sessions."""

from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.action import ActionKind, bound_hash, input_of
from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json, canonical, digest
from remit.facts.label import LABEL, closed
from remit.facts.limits import INTEGER_MAX
from remit.facts.record import Ref
from remit.facts.session import Session, join
from remit.facts.tool import EXPOSED_MAX, Definition, exposed_name
from tests.core.deciding import action, catalog, tool

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-INTEGER_MAX, INTEGER_MAX)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(values)
def test_canonical_bytes_are_those_of_the_reference(value: Json) -> None:
    assert canonical(value) == rfc8785.dumps(value)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        ({"b": 1, "a": [True, None]}, b'{"a":[true,null],"b":1}'),
        ({"\U0001f600": 1, "\ue000": 2}, '{"\U0001f600":1,"\ue000":2}'.encode()),
        ({"": 1.0, "x": -0.0}, b'{"":1,"x":0}'),
    ],
)
def test_canonical_bytes_of_cases_that_encoders_disagree_on(value: Json, raw: bytes) -> None:
    assert canonical(value) == raw


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53), ["\ud800"]])
def test_what_has_no_canonical_form_is_refused(value: Json) -> None:
    with pytest.raises(ValueError):
        canonical(value)


def test_what_is_no_json_at_all_is_refused() -> None:
    with pytest.raises(ValueError):
        canonical({"a": object()})  # pyright: ignore[reportArgumentType]


def test_a_digest_names_its_algorithm() -> None:
    assert digest(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_an_action_hash_binds_everything_that_makes_it_that_action() -> None:
    asked = action(arguments={"a": 1}, chain=("ada", "bot"))
    authority = asked.authority
    others = [
        replace(asked, arguments=b'{"a":2}'),
        replace(asked, server="web"),
        replace(asked, name="look"),
        replace(asked, authority=replace(authority, user="max")),
        replace(asked, authority=replace(authority, user=None)),
        replace(asked, authority=replace(authority, links=authority.links[:1])),
        replace(asked, authority=replace(authority, links=(*authority.links[:1], Link("bot", "other")))),
        replace(asked, authority=replace(authority, links=authority.links[::-1])),
    ]
    hashes = [other.hash("pin") for other in others]
    assert len({asked.hash("pin"), asked.hash("another pin"), *hashes}) == len(others) + 2
    renewed = replace(asked, authority=replace(authority, token="renewed", expires_ms=0))
    assert renewed.hash("pin") == asked.hash("pin")


ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(
    ANY,
    ANY,
    ANY,
    st.none() | ANY,
    st.lists(st.tuples(ANY, ANY), max_size=3),
    st.none() | st.tuples(st.just(3), ANY, ANY),
)
def test_an_action_hash_is_that_of_the_canonical_form_of_its_parts(
    kind: str, name: str, pin: str, user: str | None, links: list[tuple[str, str]], within: tuple[int, str, str] | None
) -> None:
    bound: dict[str, Json] = {"kind": kind, "server": "shop", "name": name, "pin": pin, "user": user}
    bound |= {"links": [list(link) for link in links], "arguments": digest(b"{}").removeprefix("sha256:")}
    if within is not None:
        bound["round"] = list(within)
    expected = digest(rfc8785.dumps(bound))  # pyright: ignore[reportArgumentType]
    assert bound_hash(kind, ("shop", name, pin), user, links, b"{}", within) == expected


def test_what_cannot_be_written_has_no_hash() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        bound_hash("call_tool", ("shop", "\ud800", "pin"), None, [], b"{}", None)


def test_an_authority_names_its_chain() -> None:
    links = (Link("ada", "s1"), Link("bot", "s2"))
    authority = Authority(links, None, "t", 0)
    assert authority.acting == links[-1]
    assert authority.agents == ("ada", "bot")


def test_labels_close_upward() -> None:
    assert closed(["untrusted:web:page", "confidential"]) == {
        "untrusted",
        "untrusted:web",
        "untrusted:web:page",
        "confidential",
    }
    assert LABEL.fullmatch("untrusted:web")
    assert not LABEL.fullmatch("trusted")


def test_a_catalog_knows_every_label_a_tool_brings() -> None:
    assert catalog().labels == {"untrusted", "confidential", "untrusted:web"}


@given(st.text(max_size=90), st.text(max_size=90))
def test_exposed_names_are_short_plain_and_stable(one: str, two: str) -> None:
    names = {exposed_name("web", one), exposed_name("web", two)}
    assert all(len(name) <= EXPOSED_MAX and name.startswith("web___") for name in names)
    assert all(name.isascii() and name.isprintable() for name in names)
    assert len(names) == len({one, two})


def test_a_pin_covers_all_that_is_pinned_and_nothing_else() -> None:
    plain = Definition("t", "does it", {"type": "object"}, None, {})
    others = [
        replace(plain, name="u"),
        replace(plain, description="does it."),
        replace(plain, input_schema={"type": "object", "properties": {}}),
        replace(plain, output_schema={}),
        replace(plain, annotations={"readOnlyHint": True}),
    ]
    assert len({plain.pin(), *(other.pin() for other in others)}) == len(others) + 1
    assert plain.pin() == Definition("t", "does it", {"type": "object"}, None, {}).pin()


def test_a_tool_is_exposed_under_its_server() -> None:
    assert tool("shop", "refund").exposed == "shop___refund"
    assert tool("shop", "refund").name == "refund"


def test_a_reference_reads_back() -> None:
    ref = Ref("r7f3-5", 1234)
    assert str(ref) == "r7f3-5.1234"
    assert Ref.parse("r7f3-5.1234") == ref


@pytest.mark.parametrize("text", ["", "r7f3", "r7f3-5", "r7f3-5.0", "r7f3-0.1", "R-1.1", "r-1.1\n", "r-1.-1"])
def test_what_is_no_reference_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"they look like r7f3-5\.1234"):
        Ref.parse(text)


def test_a_chain_joins_to_the_strictest_of_its_sessions() -> None:
    one = Session("s1", "ada", "uma", 500, frozenset({"untrusted"}), 3, 0)
    two = Session("s2", "bot", "uma", 900, frozenset({"confidential"}), 1, 1)
    assert join([one, two]) == (frozenset({"untrusted", "confidential"}), 3, 1, 500)


def test_what_is_named_brings_its_name_and_the_arguments_that_go_along() -> None:
    greet: Json = {"type": "ref/prompt", "name": "greet"}
    prompt, resource = ActionKind.GET_PROMPT, ActionKind.READ_RESOURCE
    for kind, name, arguments, found in (
        (prompt, "greet", {}, {"name": "greet"}),
        (prompt, "greet", {"who": "ann", "ref": "x"}, {"name": "greet", "arguments": {"who": "ann", "ref": "x"}}),
        (prompt, "greet", {"ref": greet}, {"name": "greet"}),
        (
            prompt,
            "greet",
            {"ref": greet, "argument": {"name": "who", "value": "an"}, "context": {"arguments": {"how": "warmly"}}},
            {"name": "greet", "arguments": {"how": "warmly", "who": "an"}},
        ),
        (prompt, "", {"list": "prompts"}, {}),
        (resource, "file:///a", {"uri": "file:///a"}, {"uri": "file:///a"}),
        (resource, "file:///a", {"subscribe": "file:///a"}, {"uri": "file:///a"}),
        (
            resource,
            "file:///{path}",
            {"ref": {"type": "ref/resource"}, "argument": {"name": "path", "value": "a"}},
            {"uri": "file:///{path}", "arguments": {"path": "a"}},
        ),
        (ActionKind.CALL_TOOL, "put", {"ref": greet}, {"ref": greet}),
    ):
        assert input_of(kind, name, arguments) == found
