"""Obligations on arguments: what they make of a call, that it is judged again, and what denies."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.action import Action, ActionKind, Shaping, Within
from remit.facts.address import is_global
from remit.facts.canonical import Json, digest
from remit.facts.obligation import parsed
from remit.pdp.decide import decide
from remit.pdp.decision import Append, Decision, Forward, Reshape, Resolve
from remit.pdp.obligations import ADDRESSES_MAX
from remit.pdp.offline import ASSUMED, decide_offline
from remit.pdp.snapshot import Lift
from remit.policy.bundle import Bundle
from remit.policy.verdict import Escalate, Permit
from remit.protect.argument_obligations import (
    VALUES_MAX,
    ArgumentOutcome,
    Shaped,
    Unchanged,
    Unmet,
    Unresolved,
    apply_to_arguments,
)
from remit.protect.detect.detectors import SCANNED_CHARS_MAX
from remit.trace.bodies import ActionBody
from tests.core.deciding import NOW, action, body, bundle, catalog, codes, decided, schema, snapshot, tool

CARD = "4111 1111 1111 1111"
KNOWN = ("text", "limit", "path", "url", "other")


def made(owed: str, arguments: Mapping[str, Json], found: Mapping[str, str] | None = None) -> ArgumentOutcome:
    return apply_to_arguments([parsed(owed)], arguments, KNOWN, found or {})


@pytest.mark.parametrize(
    ("owed", "before", "after"),
    [
        ("redact:pii:text", {"text": f"card {CARD}!"}, {"text": "card [redacted pii]!"}),
        ("mask:pii:text", {"text": ["a", {"b": f"is {CARD}"}]}, {"text": ["a", {"b": "is ••••1111"}]}),
        ("redact:pii:text", {"text": 4111111111111111}, {"text": "[redacted pii]"}),
        ("redact:pii:text", {"text": {CARD: 1}}, {"text": {"[redacted pii]": 1}}),
        ("redact:secret:text", {"text": {"password": "k7#Qz9!mT2vX"}}, {"text": {"password": "[redacted secret]"}}),
        ("mask:secret:text", {"text": [{"password": "k7#Qz9!mT2vX"}]}, {"text": [{"password": "••••T2vX"}]}),
        ("redact:email:text", {"text": r'{"to": "ana\u0040example.org"}'}, {"text": '{"to":"[redacted email]"}'}),
        ("redact:email:text", {"text": ['"a\\u0040example.org"']}, {"text": ['"[redacted email]"']}),
        ("cap:limit:10", {"limit": 11}, {"limit": 10}),
        ("cap:limit:10", {}, {"limit": 10}),
        ("cap:limit:10", {"limit": None}, {"limit": 10}),
        ("cap:limit:2.5", {"limit": 3.5}, {"limit": 2.5}),
        ("truncate:text:3", {"text": "abcdef"}, {"text": "abc"}),
        ("truncate:text:2", {"text": {"a": ["abc", 12345]}}, {"text": {"a": ["ab", 12345]}}),
        ("confine:path:/srv", {"path": "a/./b/../c"}, {"path": "/srv/a/c"}),
        ("confine:path:/srv", {"path": "//srv/a"}, {"path": "/srv/a"}),
        ("confine:path:/srv", {"path": ["x", "/srv"]}, {"path": ["/srv/x", "/srv"]}),
        ("confine:path:/", {"path": "etc/hosts"}, {"path": "/etc/hosts"}),
    ],
)
def test_what_is_limited_is_changed(owed: str, before: Mapping[str, Json], after: Mapping[str, Json]) -> None:
    assert made(owed, before) == Shaped(after)
    assert made(owed, after) == Unchanged(), "changed once, it is as it has to be"


@pytest.mark.parametrize(
    ("owed", "given_"),
    [
        ("redact:pii:text", {"text": "nothing", "other": CARD}),
        ("redact:pii:text", {"text": [None, True, 5]}),
        ("redact:pii:text", {}),
        ("cap:limit:10", {"limit": 10}),
        ("cap:limit:10", {"limit": -5}),
        ("confine:path:/srv", {"path": "/srv/a b.txt"}),
        ("confine-if-given:path:/srv", {"path": "/srv/a"}),
        ("confine-if-given:path:/srv", {"text": "a"}),
        ("confine-if-given:path:/srv", {"path": []}),
        ("urls-if-given:url:a.org", {}),
        ("redact:pii", {"text": CARD}),
        ("truncate:3", {"text": "abcdef"}),
    ],
)
def test_what_is_as_it_has_to_be_stays(owed: str, given_: Mapping[str, Json]) -> None:
    assert made(owed, given_) == Unchanged()


@pytest.mark.parametrize(
    ("owed", "given_", "why"),
    [
        ("cap:unheard:1", {}, "has no such argument"),
        ("cap:limit:1", {"limit": "5"}, "is no number"),
        ("cap:limit:1", {"limit": True}, "is no number"),
        ("confine:path:/srv", {}, "is limited and left out, so that its server would choose: give it"),
        ("confine:path:/srv", {"path": []}, "left out"),
        ("confine:path:/srv", {"path": None}, "neither a text nor a list"),
        ("confine-if-given:path:/srv", {"path": None}, "neither a text nor a list"),
        ("confine-if-given:path:/srv", {"path": "/etc"}, "leads out of /srv"),
        ("urls:url:a.org", {}, "left out"),
        ("urls-if-given:url:a.org", {"url": "http://b.org/"}, "not on the list"),
        ("confine:path:/srv", {"path": "/etc/passwd"}, "leads out of /srv"),
        ("confine:path:/srv", {"path": "../srvx"}, "leads out of /srv"),
        ("confine:path:/srv", {"path": "/srv/../etc"}, "leads out of /srv"),
        ("confine:path:/srv", {"path": "..\\etc"}, "more than one way"),
        ("confine:path:/srv", {"path": "~root"}, "more than one way"),
        ("confine:path:/srv", {"path": "%2e%2e/etc"}, "more than one way"),
        ("confine:path:/srv", {"path": "file:///etc"}, "more than one way"),
        ("confine:path:/srv", {"path": "a\u202eb"}, "more than one way"),
        ("confine:path:/srv", {"path": " a"}, "more than one way"),
        ("confine:path:/srv", {"path": "a" * 5000}, "more than one way"),
        ("confine:path:/srv", {"path": {"a": 1}}, "neither a text nor a list"),
        ("confine:path:/srv", {"path": ["a", 1]}, "neither a text nor a list"),
        ("confine:path:/srv", {"path": ["a"] * (VALUES_MAX + 1)}, "more than 1000 values"),
        ("redact:pii:text", {"text": "1" * (SCANNED_CHARS_MAX + 1)}, "too long"),
        (
            "redact:pii:text",
            {"text": ["1" * (SCANNED_CHARS_MAX // 2), {"a": "1" * (SCANNED_CHARS_MAX // 2), "b": 1}]},
            "too long",
        ),
        ("redact:pii:text", {"text": [1] * SCANNED_CHARS_MAX}, "too long"),
        ("urls:url:a.org", {"url": "ftp://a.org/"}, "no plain http or https URL"),
        ("urls:url:a.org", {"url": "http://user@a.org/"}, "no plain http or https URL"),
        ("urls:url:a.org", {"url": "http://a.org\\@b.org/"}, "no plain http or https URL"),
        ("urls:url:a.org", {"url": "http://a.org /"}, "no plain http or https URL"),
        ("urls:url:a.org", {"url": "http://ä.org/"}, "no plain http or https URL"),
        ("urls:url:a.org", {"url": "http://a.org/" + "x" * 9000}, "no plain http or https URL"),
        ("urls:url:a.org", {"url": "http://b.org/"}, "not on the list"),
        ("urls:url:a.org", {"url": "http://a.org./"}, "not on the list"),
        ("urls:url:a.org", {"url": "http://a.org:8080/"}, "not on the list"),
        ("urls:url:a.org", {"url": "http://x.a.org/"}, "not on the list"),
        ("urls:url:*.a.org", {"url": "http://a.org/"}, "not on the list"),
        ("urls:url:a.org", {"url": "http://2130706433/"}, "not on the list"),
        ("urls:url:a.org", {"url": "http://[::1]/"}, "not on the list"),
    ],
)
def test_what_cannot_be_met_is_said(owed: str, given_: Mapping[str, Json], why: str) -> None:
    found = made(owed, given_)
    assert isinstance(found, Unmet)
    assert why in found.why


@pytest.mark.parametrize(
    ("owed", "url", "address", "after"),
    [
        ("urls:url:a.org", "HTTP://A.org/x?y#z", "8.8.8.8", "http://8.8.8.8/x?y#z"),
        ("urls:url:a.org", "http://a.org", "8.8.8.8", "http://8.8.8.8"),
        ("urls:url:a.org:8080", "http://a.org:8080/", "8.8.8.8", "http://8.8.8.8:8080/"),
        ("urls:url:*.a.org", "http://b.c.a.org/", "2606:4700::1111", "http://[2606:4700::1111]/"),
        ("urls:url:a.org", "https://a.org/x", "8.8.8.8", None),
        ("urls:url:a.org:8443", "https://a.org:8443/x", "8.8.8.8", None),
        ("urls:url:a.org+private", "http://a.org/", "10.0.0.1", "http://10.0.0.1/"),
        ("urls:url:8.8.8.8", "http://8.8.8.8/", "8.8.8.8", None),
    ],
)
def test_a_host_is_looked_up_once_and_pinned_to_what_was_checked(
    owed: str, url: str, address: str, after: str | None
) -> None:
    first = made(owed, {"url": url})
    assert isinstance(first, Unresolved)
    [host] = first.hosts
    found = made(owed, {"url": url}, {host: address})
    assert found == (Unchanged() if after is None else Shaped({"url": after}))
    assert made(owed, {"url": after or url}, {host: address}) == Unchanged()
    if after is not None:
        other = made(owed, {"url": after})
        assert isinstance(other, Unmet), "an agent that brings the address itself looked nothing up"


@pytest.mark.parametrize(
    ("address", "why"),
    [("", "nobody knows"), ("127.0.0.1", "not public"), ("169.254.169.254", "not public"), ("::1", "not public")],
)
def test_a_listed_name_leads_to_no_address_inside(address: str, why: str) -> None:
    for scheme in ("http", "https"):
        found = made("urls:url:a.org", {"url": f"{scheme}://a.org/"}, {"a.org": address})
        assert isinstance(found, Unmet)
        assert why in found.why


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from(
        ("redact:pii:text", "mask:email:text", "cap:text:5", "truncate:text:4", "confine:text:/a", "redact:hidden:text")
    ),
    _ANY,
)
def test_what_was_made_is_changed_no_further(owed: str, value: Json) -> None:
    found = made(owed, {"text": value})
    if isinstance(found, Shaped):
        assert made(owed, found.input) == Unchanged()


def owing(*owed: str, gate: str = "") -> Bundle:
    web = tool("web", "get", schema(url={"type": "string"}, limit={"type": "integer"}, text={"type": "string"}))
    permits = [
        f'@id("p{at}") @obligation("{one}") permit (principal, action, resource);' for at, one in enumerate(owed)
    ]
    scope = 'principal, action == Remit::Action::"web___get", resource'
    gates = [f'@id("g") @gate("owner") forbid ({scope}) when {{ {gate} }};'] if gate else []
    return bundle(catalog(*permits, *gates, tools=[web]))


def reshaped(decision: Decision) -> Action:
    [first] = decision.effects
    assert isinstance(first, Reshape)
    return first.action


def test_the_changed_action_is_what_is_judged_hashed_recorded_and_forwarded() -> None:
    running = owing("cap:limit:10", gate="context.input has limit && context.input.limit > 10")
    asked = action("web/get", {"limit": 500})
    changed = reshaped(decided(running, asked))
    assert changed.shaping == Shaping(digest(asked.arguments), 1, numbers={"limit": 500})
    decision = decided(running, changed)
    assert decision.verdict == Permit(("cap:limit:10",)), "the gate is about what runs, not about what was asked for"
    intent, forward = decision.effects
    assert isinstance(forward, Forward)
    assert isinstance(intent, Append)
    assert isinstance(intent.body, ActionBody)
    assert forward.arguments == intent.body.arguments == b'{"limit":10}'
    assert intent.body.action == changed.hash(intent.body.pin)
    obliged: Json = {"asked": digest(asked.arguments), "addresses": {}, "numbers": {"limit": 500}}
    assert intent.body.context["obliged"] == obliged


def test_of_what_an_obligation_set_the_number_that_was_first_asked_for_is_kept() -> None:
    asked = action("web/get", {"limit": 500, "url": "x", "deep": True})
    once = asked.shaped({"limit": 50, "url": "y", "deep": True, "size": 7})
    twice = once.shaped({"limit": 5, "url": "y", "deep": True, "size": 7})
    assert once.shaping is not None
    assert twice.shaping is not None
    assert once.shaping.numbers == twice.shaping.numbers == {"limit": 500, "size": None}
    assert twice.shaping.to_json(("size",))["numbers"] == {"limit": 500}
    assert "numbers" not in twice.shaping.to_json(("size", "limit"))
    assert "numbers" not in asked.resolved({"a.org": "192.0.2.1"}).shaping.to_json()  # type: ignore[union-attr]


def test_no_number_is_recorded_where_nobody_knows_what_is_secret() -> None:
    running = owing("cap:limit:10")
    changed = reshaped(decided(running, action("web/get", {"limit": 500})))
    first = decided(running, replace(changed, name="gone")).effects[0]
    assert isinstance(first, Append)
    assert isinstance(first.body, ActionBody)
    assert first.body.context["obliged"] == {"asked": digest(b'{"limit":500}'), "addresses": {}}


def test_people_are_asked_about_what_would_run() -> None:
    running = owing("cap:limit:10", gate="context.input has limit && context.input.limit == 10")
    asked = action("web/get", {"limit": 10})
    verdict = decided(running, asked).verdict
    assert isinstance(verdict, Escalate)
    changed = asked.shaped({"limit": 10})
    lift = Lift("a", changed.hash(running.tools["web", "get"].tool.pin), frozenset(verdict.gates), NOW + 1)
    assert decide(snapshot(running, asked, lift=lift), changed, NOW).verdict == Permit(("cap:limit:10",))


@pytest.mark.parametrize("owed", ["cap:limit:5", "urls:url:a.org", "confine:url:/srv"])
def test_what_cannot_be_met_denies(owed: str) -> None:
    arguments = {"limit": 7, "url": "http://b.org/"}
    assert codes(decided(owing(owed), action("shop/look", {"order_id": "1"}))) == {"obligation/unmet"}
    if not owed.startswith("cap"):
        assert codes(decided(owing(owed), action("web/get", arguments))) == {"obligation/unmet"}


def test_a_third_change_denies() -> None:
    running = owing("cap:limit:5")
    asked = action("web/get", {"limit": 7})
    twice = replace(asked, shaping=Shaping("x", 2))
    assert codes(decided(running, twice)) == {"obligation/unmet"}


def test_a_round_of_a_call_changes_no_arguments_that_have_left() -> None:
    running = owing("cap:limit:5")
    asked = replace(action("web/get", {"limit": 7}), within=Within("1", None, 1, b"{}", b"{}", bare=True))
    assert codes(decided(running, asked)) == {"obligation/unmet"}


def test_what_is_owed_on_results_denies_where_none_comes_back() -> None:
    running = owing("redact:pii", "truncate:5")
    assert codes(decided(running, action("bot", {}, kind=ActionKind.DELEGATE))) == {"obligation/unmet"}
    listed = decided(running, action("shop/", {"uri": "x"}, kind=ActionKind.READ_RESOURCE))
    assert listed.verdict == Permit(("redact:pii", "truncate:5"))


def test_hosts_are_asked_for_and_bounded() -> None:
    running = owing("urls:url:*.a.org")
    asked = action("web/get", {"url": "http://x.a.org/"})
    assert decided(running, asked).effects == (Resolve(("x.a.org",)),)
    assert codes(decided(running, asked.resolved({"x.a.org": ""}))) == {"obligation/unmet"}
    many = asked.resolved({f"h{number}.a.org": "8.8.8.8" for number in range(ADDRESSES_MAX)})
    assert codes(decided(running, many)) == {"obligation/unmet"}
    known = asked.resolved({"x.a.org": "8.8.8.8"})
    assert reshaped(decided(running, known)).input == {"url": "http://8.8.8.8/"}


def test_what_is_only_asked_goes_through_as_if_all_were_public() -> None:
    running = owing("urls:url:a.org", "cap:limit:5")
    asked = action("web/get", {"url": "http://a.org/", "limit": 9})
    decision = decide_offline(lambda one: decided(running, one), asked)
    assert decision.verdict == Permit(("cap:limit:5", "urls:url:a.org"))
    assert body(decision).arguments == b'{"limit":5,"url":"http://%s/"}' % ASSUMED.encode()


def test_addresses_that_only_look_public_are_none() -> None:
    for inside in (
        "2002:7f00:1::",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "::10.0.0.1",
        "224.0.0.1",
        "nowhere",
        "fe80::1%eth0",
    ):
        assert not is_global(inside), inside
    for outside in ("8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"):
        assert is_global(outside), outside


def test_a_list_that_owes_what_nobody_knows_is_denied() -> None:
    policies = (
        '@id("p") @obligation("redact:pii") permit (principal, action == Remit::Action::"read_resource", resource);'
    )
    running, asked = bundle(catalog(policies)), action("shop/", {}, kind=ActionKind.READ_RESOURCE)
    # As an older version compiled it, which knew what this one does not.
    older = {name: replace(one, obligation="wash:hands") for name, one in running.policies.items()}
    assert codes(decided(replace(running, policies=older), asked)) == {"obligation/unknown"}
