"""Grants: what they lift, what bounds them, and that nothing else does."""

import math
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.escalate import grants
from remit.escalate.grants import Bound, Constraint, Grant, GrantScope, GrantTerms, parse_constraint, terms_of
from remit.escalate.machine import Vote
from remit.facts.action import Action, ActionKind, Within
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Route
from remit.facts.guarantee import Guarantee, NoFlow
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.origin import Origin, OriginTrace, Role
from remit.facts.tool import Argument, Effect, Sink, Tool
from remit.pdp import grant_scope
from remit.pdp.argument_bounds import carried_tokens, constrained
from remit.pdp.decide import decide
from remit.pdp.grant_scope import reach_of, reach_recorded, terms
from remit.policy.bundle import Bundle
from remit.policy.destination import Destination
from remit.policy.verdict import Deny, Escalate, Gate, Permit, Verdict
from remit.protect.index import UNTRUSTED, Index
from remit.protect.origins import Names, words_delta
from remit.protect.token_places import TokenGroup
from remit.trace.bodies import ActionBody
from tests.core.deciding import NOW, action, body, bundle, catalog, decided, schema, snapshot, tool

PERMIT = '@id("all") permit (principal, action, resource);'
GATE = '@id("gate") @gate("owner") forbid (principal, action in Remit::Action::"call_tool", resource);'
STRANGERS = (
    '@id("strangers") @gate("owner") forbid (principal, action in Remit::Action::"call_tool", resource)'
    " when { context.targets.strangers > 0 || context.credentials.count > 0 };"
)
ARGS = schema(
    to={"type": "string"},
    text={"type": "string"},
    key={"type": "string"},
    deep={"type": "object", "properties": {"a": {"type": "string"}}},
    many={"type": "array", "items": {"type": "string"}},
)
ROLES = {"to": Argument(role=Role.TARGET), "text": Argument(role=Role.CONTENT), "key": Argument(role=Role.CREDENTIAL)}


def post(name: str, *, sink: Sink = Sink.EXTERNAL, effect: Effect = Effect.WRITE, asks: str = "tell") -> Tool:
    made = tool("shop", name, ARGS, sink=sink, effect=effect)
    return replace(made, arguments=ROLES, asks=frozenset({asks} if asks else ()))


FREE = bundle(catalog(PERMIT, GATE, tools=(tool("shop", "free", schema(deep={}, many={}, to={})),)))
"""A tool that takes what it is given."""
RUNNING = bundle(
    replace(
        catalog(
            PERMIT,
            STRANGERS,
            tools=(
                post("send"),
                post("note", sink=Sink.INTERNAL),
                post("burn", effect=Effect.IRREVERSIBLE),
                post("shout", asks="shout"),
                post("mute", asks=""),
            ),
        )
    )
)


def seen(*pages: tuple[str, str], said: str = "") -> Index:
    """An index in which results of these calls held these words, and the user said `said`."""
    index = Index(bytes(32))
    index.apply(words_delta(index, said))
    for call, text in pages:
        index.apply(index.delta(call, [TokenGroup([text], UNTRUSTED)]))
    return index


def asked_of(running: Bundle, asked: Action, index: Index | None, *given: Grant, now_ms: int = NOW) -> ActionBody:
    return body(decide(replace(snapshot(running, asked), origins=index, grants=given), asked, now_ms))


def reached(running: Bundle, asked: Action) -> Destination:
    return running.destination(running.tools[asked.server, asked.name])


def granted(
    running: Bundle,
    asked: Action,
    index: Index | None = None,
    scope: GrantScope = GrantScope.SESSION,
    *where: Constraint,
) -> Grant:
    """The grant that people give with the yes to `asked`."""
    proposal = asked_of(running, asked, index)
    assert proposal.verdict == "escalate"
    reach = reach_recorded(proposal, reached(running, asked))
    assert reach is not None
    made = terms(scope, "r-1.1", proposal, reach, reached(running, asked).tool, until_ms=NOW + 60_000, uses_max=3)
    held = constrained(made, where, reached(running, asked).tool)
    return Grant("r-1.2", held, NOW, (Vote("uma", NOW, ("owner",)),))


def send(to: str, *, name: str = "shop/send", user: str | None = "max", **more: Json) -> Action:
    return action(name, {"to": to, **more}, user=user)


INDEX = seen(("call-1", "bob"), ("call-1", "eve"), ("call-2", "zoe"), said="write to ann")


def verdict(asked: Action, *given: Grant, index: Index | None = INDEX, now_ms: int = NOW) -> str:
    return asked_of(RUNNING, asked, index, *given, now_ms=now_ms).verdict


def test_no_grant_lifts_what_a_guarantee_lets_through_people_alone() -> None:
    held = NoFlow(frozenset({"confidential"}), frozenset({"external"}))
    made = catalog(PERMIT, STRANGERS, tools=(post("send"),))
    running = bundle(replace(made, guarantees={"private": Guarantee("private", "uma", held)}))
    grant = granted(running, send("bob", text="hello"), INDEX)

    def verdict(asked: Action, *labels: str) -> str:
        shot = replace(snapshot(running, asked, labels=labels), origins=INDEX, grants=(grant,))
        return body(decide(shot, asked, NOW)).verdict

    assert verdict(send("bob", text="all salaries")) == "permit"
    assert verdict(send("bob", text="all salaries"), "public") == "permit"
    assert verdict(send("bob", text="all salaries"), "confidential") == "escalate"
    assert verdict(send("ann", text="x"), "confidential") == "deny", "nobody is asked about her"


def test_a_grant_for_the_session_covers_what_was_seen_and_what_comes_from_the_same_result() -> None:
    grant = granted(RUNNING, send("bob"), INDEX)
    assert verdict(send("bob"), grant) == "permit"
    assert verdict(send("eve"), grant) == "permit", "it stood in the very result that bob did"
    assert verdict(send("zoe"), grant) == "escalate", "another result named her"
    assert verdict(send("never"), grant) == "escalate"
    assert verdict(send("bob"), grant, index=None) == "permit", "it is what was approved, wherever it comes from"
    done = asked_of(RUNNING, send("bob"), INDEX, grant)
    assert done.grants == ("r-1.2",)
    assert done.approval is None
    assert done.reasons[-1].text == "lifted by the grant r-1.2 of uma"


def test_a_grant_is_of_one_session_one_chain_one_user_and_one_server() -> None:
    grant = granted(RUNNING, send("bob"), INDEX)
    for change in (
        {"sid": "another"},
        {"agents": ("bot",)},
        {"user": "uma"},
        {"server": "web"},
        {"kind": "delegate"},
        {"pin": "sha256:0"},
    ):
        other = replace(grant, terms=replace(grant.terms, **change))
        assert verdict(send("bob"), other) == "escalate", change


@pytest.mark.parametrize(
    ("change", "now_ms"),
    [({"revoked_by": "uma"}, NOW), ({"uses": 3}, NOW), ({}, NOW + 60_000)],
)
def test_a_grant_that_is_revoked_used_up_or_expired_lifts_nothing(change: Mapping[str, object], now_ms: int) -> None:
    grant = replace(granted(RUNNING, send("bob"), INDEX), **change)
    assert verdict(send("bob"), grant, now_ms=now_ms) == "escalate"


def test_a_changed_policy_text_voids_a_grant() -> None:
    grant = granted(RUNNING, send("bob"), INDEX)
    gates = tuple(Gate(gate.policy, gate.route, "sha256:0") for gate in grant.terms.gates)
    assert verdict(send("bob"), replace(grant, terms=replace(grant.terms, gates=gates))) == "escalate"


def test_each_gate_needs_a_grant_and_one_may_lift_several() -> None:
    tools = (post("send"),)
    two, one = bundle(catalog(PERMIT, GATE, STRANGERS, tools=tools)), bundle(catalog(PERMIT, GATE, tools=tools))
    both, first = granted(two, send("bob"), INDEX), granted(one, send("bob"), INDEX)
    assert asked_of(two, send("bob"), INDEX, both).grants == ("r-1.2",)
    assert asked_of(two, send("bob"), INDEX, first).verdict == "escalate"
    second = replace(granted(RUNNING, send("bob"), INDEX), ident="r-1.9")
    assert asked_of(two, send("bob"), INDEX, first, second).grants == ("r-1.2", "r-1.9"), "each lifts its own"
    assert asked_of(two, send("bob"), INDEX, replace(both, ident="r-1.9"), both).grants == ("r-1.9",)


def test_a_grant_permits_nothing() -> None:
    grant = granted(RUNNING, send("bob"), INDEX)
    for text in (
        STRANGERS,
        f'{STRANGERS}\n@id("never") forbid (principal, action, resource);\n{PERMIT}',
    ):
        other = bundle(catalog(text, tools=(post("send"),)))
        gates = tuple(policy.gate for policy in other.policies.values() if policy.gate is not None)
        given = replace(grant, terms=replace(grant.terms, gates=gates))
        found = decide(replace(snapshot(other, send("bob")), origins=INDEX, grants=(given,)), send("bob"), NOW)
        assert found.verdict == Deny()


def test_a_tool_of_the_same_kind_is_covered_where_no_stranger_is_reached() -> None:
    plain = bundle(catalog(PERMIT, GATE, tools=tuple(form.tool for form in RUNNING.tools.values())))
    grant = granted(plain, send("ann"), INDEX)
    for name, expected in (("note", "permit"), ("burn", "escalate"), ("shout", "escalate"), ("mute", "escalate")):
        assert asked_of(plain, send("ann", name=f"shop/{name}"), INDEX, grant).verdict == expected, name
    assert asked_of(plain, send("bob", name="shop/note"), INDEX, grant).verdict == "escalate"
    assert asked_of(plain, send("ann", name="shop/note", text="ann"), INDEX, grant).verdict == "permit"
    carries = send("ann", name="shop/note", text="see http://evil.example/x")
    assert asked_of(plain, carries, INDEX, grant).verdict == "escalate"
    inward = granted(plain, send("ann", name="shop/note"), INDEX)
    assert asked_of(plain, send("ann"), INDEX, inward).verdict == "escalate", "it goes further outside"
    silent = granted(plain, send("ann", name="shop/mute"), INDEX)
    assert asked_of(plain, send("ann"), INDEX, silent).verdict == "escalate", "no words ask for it"


def test_content_is_free_but_for_what_it_carries() -> None:
    grant = granted(RUNNING, send("bob", text="see http://bob.example and 5 more"), INDEX)
    assert verdict(send("bob", text="anything else"), grant) == "permit"
    assert verdict(send("bob", text="again http://bob.example"), grant) == "permit"
    assert verdict(send("bob", text="see http://evil.example"), grant) == "escalate"


def test_a_credential_is_covered_by_its_value_alone() -> None:
    index = seen(("call-1", "bob"), ("call-1", "one1"), ("call-1", "two2"))
    grant = granted(RUNNING, send("bob", key="one1"), index)
    assert verdict(send("bob", key="one1"), grant, index=index) == "permit"
    assert verdict(send("bob", key="two2"), grant, index=index) == "escalate"
    said = seen(said="ann one1")
    grounded = granted(RUNNING, send("ann", key="one1"), said)
    assert verdict(send("ann", key="one1"), grounded, index=said) == "permit"


def test_a_value_of_several_parts_is_vouched_for_by_no_result_unless_it_stood_there_whole() -> None:
    grant = granted(RUNNING, send("bob"), INDEX)
    assert verdict(send("eve, mallory"), grant) == "escalate"
    assert verdict(send("bob eve"), grant) == "escalate"
    whole = seen(("call-1", "bob"), ("call-1", "=eve the great"), ("call-1", "eve"), ("call-1", "great"))
    assert verdict(send("bob"), grant, index=whole) == "permit"


def test_what_has_more_values_than_are_explained_is_not_covered() -> None:
    many: list[Json] = [f"x{number}" for number in range(64)]
    long = send("bob", many=many)
    grant = granted(RUNNING, send("bob", many=many[:62]), INDEX)
    assert verdict(send("bob", many=many[:62]), grant) == "permit"
    assert verdict(long, granted(RUNNING, long, INDEX)) == "escalate"


def test_a_value_that_is_not_kept_as_it_was_is_not_covered() -> None:
    told = (
        OriginTrace("$.gone", Role.TARGET, Origin.UNSEEN),
        OriginTrace("$.known", Role.TARGET, Origin.GROUNDED),
        OriginTrace("$.to", Role.CONTENT, Origin.UNSEEN),
        OriginTrace("$.n", Role.TARGET, Origin.UNSEEN, "7"),
    )
    reach = reach_of({"to": 7, "n": 7}, Names(("to", "n")), told, {})
    assert [want.value for want in reach.wants] == ["", "7"]
    assert not reach.carried


def test_a_grant_for_a_tool_is_of_any_session_and_held_by_constraints() -> None:
    exact = granted(RUNNING, send("bob"), INDEX, GrantScope.TOOL)
    elsewhere = replace(exact, terms=replace(exact.terms, sid="another"))
    assert verdict(send("bob"), elsewhere) == "permit"
    assert verdict(send("ann", name="shop/note", key="x"), elsewhere) == "escalate", "it is of no other tool"
    held = granted(RUNNING, send("bob"), INDEX, GrantScope.TOOL, Constraint("to", Bound.EQUALS, "zoe"))
    assert verdict(send("zoe"), held) == "permit"
    assert verdict(send("bob"), held) == "escalate"
    assert verdict(send("zoe", key="k"), held) == "escalate", "what is not held is as it was approved"


INNER = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["bob", "eve", "b"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "a/b", "~1"]), inner),
    max_leaves=5,
)


def places(given: Json, at: tuple[object, ...] = ()) -> set[tuple[object, ...]]:
    """What of `given` holds nothing further, with where it stands."""
    match given:
        case {} if not given:
            return {(*at, dict)}
        case []:
            return {(*at, list)}
        case Mapping():
            return {one for name, inner in given.items() for one in places(inner, (*at, name))}
        case list():
            return {one for number, inner in enumerate(given) for one in places(inner, (*at, number))}
        case _:
            return {(*at, type(given), given)}


@given(INNER, st.data())
def test_no_value_of_a_granted_call_stands_where_it_was_not_seen(seen_there: Json, data: st.DataObject) -> None:
    first, other = {"deep": seen_there}, {"deep": data.draw(INNER | st.just(seen_there))}
    asked, again = (action("shop/free", arguments, user="max") for arguments in (first, other))
    for scope in GrantScope:
        covered = asked_of(FREE, again, None, granted(FREE, asked, None, scope)).verdict == "permit"
        assert not covered or places(other) <= places(first)


def test_the_name_of_a_member_was_not_seen_as_its_value() -> None:
    call: dict[str, Json] = {"deep": {"bob": None, "note": "hi"}}
    for scope in GrantScope:
        grant = granted(FREE, action("shop/free", call, user="max"), None, scope)
        for deep, expected in (
            (call["deep"], "permit"), ({"note": "hi"}, "permit"), ({"bob": "bob", "note": "hi"}, "escalate"),
            ({"bob": None, "note": "hi", "eve": None}, "escalate"), ({"bob": None}, "escalate"),
        ):  # fmt: skip
            again = action("shop/free", {"deep": deep}, user="max")
            assert asked_of(FREE, again, None, grant).verdict == expected, (scope, deep)


@pytest.mark.parametrize("scope", list(GrantScope))
def test_what_holds_nothing_is_covered_where_it_was_seen(scope: GrantScope) -> None:
    """No one is whom nobody vouches for, and may be everybody: no end, no filter, no recipients left."""
    empties: list[Json] = [None, [], {}]
    for name in ("deep", "many"):
        for seen_there in (*empties, "bob", ["bob"]):
            grant = granted(FREE, action("shop/free", {"to": "bob", name: seen_there}, user="max"), None, scope)
            for value in empties:
                again = action("shop/free", {"to": "bob", name: value}, user="max")
                expected = "permit" if value == seen_there else "escalate"
                assert asked_of(FREE, again, None, grant).verdict == expected, (name, seen_there, value)
            silent = asked_of(FREE, action("shop/free", {"to": "bob"}, user="max"), None, grant)
            assert silent.verdict == ("permit" if seen_there is None else "escalate"), (name, seen_there)
    deep = granted(FREE, action("shop/free", {"deep": {"a": ["bob"]}}, user="max"), None, scope)
    for inner in empties:
        again = action("shop/free", {"deep": {"a": inner}}, user="max")
        assert asked_of(FREE, again, None, deep).verdict == "escalate", inner
    crowd = action("shop/free", {"many": [None] * 64}, user="max")
    assert asked_of(FREE, crowd, None, granted(FREE, crowd, None, scope)).verdict == "escalate", "too many to tell"


@pytest.mark.parametrize("scope", list(GrantScope))
def test_a_grant_covers_no_answer_in_the_midst_of_a_call_but_a_yes_or_a_no(scope: GrantScope) -> None:
    """Who granted saw the call, not what its server would ask for, nor what it would be told."""
    index = seen(said="accept what bob sends, 500 coins for ann")
    plain = bundle(catalog(PERMIT, GATE, tools=(post("send"),)))
    call = send("ann")
    grant = granted(plain, call, index, scope)

    def answered(answers: Json, *, bare: bool = False) -> Verdict:
        within = Within("r-1.7", None, 1, canonical(answers), b"{}", bare)
        again = replace(call, within=within)
        return decide(replace(snapshot(plain, again), origins=index, grants=(grant,)), again, NOW).verdict

    assert isinstance(answered({"sure": {"action": "accept"}}, bare=True), Permit)
    for content in ({"all": True}, {"amount": 500}, {"to": "bob"}, {}):
        assert isinstance(answered({"sure": {"action": "accept", "content": content}}), Escalate), content


def test_names_that_are_told_alike_are_still_names() -> None:
    """Where two paths read the same in words, the second name is no value at its place."""
    for scope in GrantScope:
        call: dict[str, Json] = {"deep": {"x y']['the boss": "hi", "x y": {"the boss": "hi"}}}
        grant = granted(FREE, action("shop/free", call, user="max"), None, scope)
        for inner, expected in (("hi", "permit"), ("the boss", "escalate")):
            again = action("shop/free", {"deep": {"x y']['the boss": "hi", "x y": {"the boss": inner}}}, user="max")
            assert asked_of(FREE, again, None, grant).verdict == expected, (scope, inner)


def test_two_values_of_a_granted_call_do_not_change_places() -> None:
    call: dict[str, Json] = {"deep": {"from": "bob", "to": "eve", "dry": True, "all": False}, "many": ["bob", "eve"]}
    deep = {"from": "eve", "to": "bob", "dry": False, "all": True}
    for scope in GrantScope:
        grant = granted(FREE, action("shop/free", call, user="max"), None, scope)
        for name, value, expected in (
            ("deep", call["deep"], "permit"), ("deep", deep, "escalate"), ("many", ["eve", "bob"], "escalate"),
            ("many", ["bob"], "permit"), ("many", [], "escalate"), ("many", "bob", "escalate"),
            ("many", None, "escalate"), ("deep", {"from": "bob", "to": "eve", "dry": True}, "escalate"),
            ("deep", {}, "escalate"),
        ):  # fmt: skip
            again = action("shop/free", {**call, name: value}, user="max")
            assert asked_of(FREE, again, None, grant).verdict == expected, (scope, name, value)


def test_terms_of_an_older_ledger_cover_what_stands_in_no_other_value() -> None:
    """They tell of an argument, not of a place inside it: what is inside is not known to have been seen there."""
    call: dict[str, Json] = {"deep": {"to": "eve"}, "to": "bob"}
    grant = granted(FREE, action("shop/free", call, user="max"))
    data = grant.terms.to_json()
    del data["keyed"]
    data["values"] = [["deep", '"eve"'], ["deep", '"to"'], ["to", '"bob"']]
    old = terms_of(grant.terms.approval, data)
    assert old is not None
    assert old.to_json() == data, "as it was written, so that the state of an older file is what its records tell"
    older = replace(grant, terms=old)
    calls: list[tuple[dict[str, Json], str]] = [
        (call, "escalate"),
        ({"to": "bob", "deep": "eve"}, "permit"),
        ({"to": "bob"}, "escalate"),
        ({"to": "bob", "deep": {}}, "escalate"),
    ]
    for arguments, expected in calls:
        asked = action("shop/free", arguments, user="max")
        assert asked_of(FREE, asked, None, older).verdict == expected, arguments


def test_a_grant_for_a_tool_covers_no_value_because_its_user_names_it() -> None:
    """The words of another session's user are nothing that the approver saw."""
    plain = bundle(catalog(PERMIT, GATE, tools=(post("send"),)))
    grant = granted(plain, send("bob", text="see http://bob.example"), INDEX, GrantScope.TOOL)
    said = seen(said="write to zoe, see http://zoe.example and http://bob.example")
    for asked, expected in (
        (send("zoe", text="see http://bob.example"), "escalate"),
        (send("bob", text="see http://zoe.example"), "escalate"),
        (send("bob", text="now see http://bob.example"), "permit"),
    ):
        assert asked_of(plain, asked, said, grant).verdict == expected, asked.input


@pytest.mark.parametrize("scope", list(GrantScope))
def test_an_argument_that_was_approved_is_not_left_out(scope: GrantScope) -> None:
    """It may have been what kept the call small: a limit, a filter, a dry run."""
    full = send("bob", deep={"a": "bob"}, text="hello")
    grant = granted(RUNNING, full, INDEX, scope)
    assert verdict(full, grant) == "permit"
    assert verdict(send("bob", deep={"a": "bob"}, text="other"), grant) == "permit"
    for less in (send("bob"), send("bob", deep=None), action("shop/send", {}, user="max")):
        assert verdict(less, grant) != "permit" or not asked_of(RUNNING, less, INDEX, grant).grants, less.input


@pytest.mark.parametrize(
    ("bound", "value", "given", "met"),
    [
        (Bound.EQUALS, 1, 1, True),
        (Bound.EQUALS, 1, True, False),
        (Bound.EQUALS, "a", "a", True),
        (Bound.AT_MOST, 10, 10, True),
        (Bound.AT_MOST, 10, 10.5, False),
        (Bound.AT_MOST, 10, "3", False),
        (Bound.AT_MOST, "ten", 3, False),
        (Bound.AT_MOST, 10, True, False),
        (Bound.EQUALS, [1], [True], False),
        (Bound.EQUALS, {"n": [{"m": 0}]}, {"n": [{"m": False}]}, False),
        (Bound.EQUALS, {"a": 1, "b": [1.0]}, {"b": [1], "a": 1.0}, True),
        (Bound.EQUALS, math.nan, None, False),
        (Bound.EQUALS, math.nan, math.nan, False),
    ],
)
def test_a_constraint_holds_a_value_or_a_number(bound: Bound, value: Json, given: Json, *, met: bool) -> None:
    assert Constraint("n", bound, value).allows({"n": given}) is met
    assert not Constraint("n", bound, value).allows({})


@pytest.mark.parametrize(
    ("written", "name", "bound", "value"),
    [
        ("to=ana", "to", Bound.EQUALS, "ana"),
        (" to = ana ", "to", Bound.EQUALS, "ana"),
        ("n<=10", "n", Bound.AT_MOST, 10),
        ('to="10"', "to", Bound.EQUALS, "10"),
        ("to={ana", "to", Bound.EQUALS, "{ana"),
        ("to=a=b", "to", Bound.EQUALS, "a=b"),
    ],
)
def test_what_a_person_wrote_holds_an_argument(written: str, name: str, bound: Bound, value: Json) -> None:
    assert parse_constraint(written) == Constraint(name, bound, value)
    assert parse_constraint(written).odd is None


@pytest.mark.parametrize(
    "text",
    ["to", "=ana", "n<10", "n<=NaN", "n=-Infinity", "n=1e999", "n=" + "1" * 400, 'to="\\ud800"', "to=\ud800",
     "to=" + "[" * 400, 'to={"a": 1, "a": 2}', "n>=10", "n!=1", "n==1"],
)  # fmt: skip
def test_what_is_no_bound_is_refused_and_taken_for_no_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"the bounds are = and <=|json/"):
        parse_constraint(text)


@pytest.mark.parametrize(
    ("bound", "value"),
    [(Bound.AT_MOST, "ten"), (Bound.AT_MOST, True), (Bound.AT_MOST, -1), (Bound.AT_MOST, math.inf),
     (Bound.EQUALS, math.nan), (Bound.EQUALS, [10**400]), (Bound.EQUALS, "\ud800")],
)  # fmt: skip
def test_what_nothing_could_be_held_by_says_so(bound: Bound, value: Json) -> None:
    assert Constraint("n", bound, value).odd


def test_impact_is_never_above_what_was_approved() -> None:
    reach = reach_of({}, Names(()), (), {})
    grant = granted(RUNNING, send("bob"), INDEX)

    def fits(approved: Mapping[str, str], now: Mapping[str, str]) -> bool:
        given = replace(grant, terms=replace(grant.terms, measures=approved))
        form = RUNNING.tools["shop", "send"]
        gates = grant.terms.gates
        return grant_scope.covering([given], gates, send("bob"), form.tool, reach._replace(measures=now)) is not None

    assert fits({"amount": "10.5"}, {"amount": "10.5"})
    assert not fits({"amount": "10.5"}, {"amount": "10.5001"})
    assert not fits({}, {"records": "1"})
    assert not fits({"records": "1"}, {})
    assert not fits({"amount": "?"}, {"amount": "1"})
    assert not fits({"amount": "1"}, {"amount": "?"})


def test_the_impact_of_a_call_bounds_its_grant_whether_or_not_a_policy_reads_it() -> None:
    sized = replace(post("send"), impact={"recipients": Extractor("$.many", ImpactMeasure.PEOPLE)})
    running = bundle(catalog(PERMIT, GATE, tools=(sized,)))
    grant = granted(running, send("ann", many=["ann", "ann"]), INDEX)
    assert grant.terms.measures == {"recipients": "2"}
    assert asked_of(running, send("ann", many=["ann"]), INDEX, grant).verdict == "permit"
    assert asked_of(running, send("ann", many=["ann", "ann", "ann"]), INDEX, grant).verdict == "escalate"


def test_a_constraint_alone_bounds_its_argument_and_what_is_measured_there() -> None:
    given = schema(to={"type": "string"}, n={"type": "number"}, many={"type": "array", "items": {"type": "string"}})
    sized = replace(
        tool("shop", "send", given),
        impact={
            "amount": Extractor("$.n", ImpactMeasure.NUMBER),
            "recipients": Extractor("$.many", ImpactMeasure.PEOPLE),
        },
    )
    running = bundle(catalog(PERMIT, GATE, tools=(sized,)))
    most = Constraint("n", Bound.AT_MOST, 150)
    grant = granted(running, send("ann", n=130, many=["ann", "ann"]), INDEX, GrantScope.TOOL, most)
    assert grant.terms.measures == {"recipients": "2"}
    assert ("/n", "130") not in grant.terms.values

    def asked(under: Grant, n: int = 130, many: int = 2) -> str:
        people: Json = ["ann"] * many
        return asked_of(running, send("ann", n=n, many=people), INDEX, under).verdict

    assert [asked(grant, n=amount) for amount in (125, 131, 149, 150, 151)] == ["permit"] * 4 + ["escalate"]
    assert asked(grant, many=3) == "escalate", "what is not held is as it was approved"
    older = replace(grant, terms=replace(grant.terms, measures={"amount": "130", "recipients": "2"}))
    assert [asked(older, n=amount) for amount in (130, 131)] == ["permit", "escalate"]


def test_a_constraint_alone_bounds_what_its_argument_carries() -> None:
    held = Constraint("text", Bound.EQUALS, "see http://new.example")
    grant = granted(RUNNING, send("bob", text="see http://old.example"), INDEX, GrantScope.TOOL, held)
    assert verdict(send("bob", text="see http://new.example"), grant) == "permit"
    assert verdict(send("bob", text="see http://old.example"), grant) == "escalate"
    deep = Constraint("text", Bound.EQUALS, {"a": ["http://one.example", 1], "b": "http://two.example"})
    assert (
        carried_tokens("http://one.example") | carried_tokens("http://two.example")
        <= constrained(grant.terms, (deep,), None).carried
    )


def test_terms_are_read_back_as_they_were_written_and_what_is_none_is_nothing() -> None:
    made = granted(
        RUNNING, send("bob", text="http://x.example"), INDEX, GrantScope.TOOL, Constraint("n", Bound.AT_MOST, 1)
    )
    data = made.terms.to_json()
    assert terms_of("r-1.1", data) == made.terms
    later, more = (replace(made.terms, **one) for one in ({"expires_ms": NOW + 1}, {"uses_max": 4}))
    assert (later.digest, more.digest == made.terms.digest) == (made.terms.digest, False)
    assert terms_of("r-1.1", {**data, "scope": "all"}) is None
    assert terms_of("r-1.1", {}) is None


def test_votes_uses_and_the_end_of_a_grant() -> None:
    grant = granted(RUNNING, send("bob"), INDEX)
    routes = {"owner": Route("owner", users=frozenset({"uma", "kim"}), count=2)}
    users = dict(catalog().users)
    assert not grants.in_force(grant, routes, users, NOW)
    assert grants.in_force(grant, RUNNING.catalog.routes, users, NOW)
    assert not grants.in_force(grant, RUNNING.catalog.routes, {}, NOW), "who gave it has left"
    again = grants.voted(grant, Vote("uma", NOW + 1, ("owner",)))
    assert [vote.at for vote in again.votes] == [NOW + 1]
    assert grants.used(again).uses == 1
    ended = grants.revoked(again, "max")
    assert grants.revoked(ended, "uma").revoked_by == "max"
    assert (ended.spent(NOW), grants.used(grant, 3).spent(NOW)) == ("revoked by max", "used up")
    nobody = replace(grant, terms=replace(grant.terms, agents=()))
    assert grants.as_approval(nobody).agent == ""


def test_what_has_no_arguments_to_show_has_no_reach() -> None:
    proposal = body(decided(bundle(PERMIT, GATE), action()))
    there = reached(bundle(PERMIT, GATE), action())
    assert reach_recorded(proposal, there) is not None, "where no policy asks, all of it is unseen"
    assert reach_recorded(replace(proposal, arguments=b""), there) is None
    assert reach_recorded(replace(proposal, arguments=b"[]"), there) is None


def test_secrets_are_compared_as_they_are_recorded() -> None:
    asked = send("bob")
    grant = granted(RUNNING, asked, INDEX)
    assert asked_of(RUNNING, replace(asked, veiled=asked.arguments), INDEX, grant).verdict == "permit"


def test_another_kind_of_action_is_granted_by_its_name() -> None:
    text = '@id("gate") @gate("owner") forbid (principal, action == Remit::Action::"delegate", resource);'
    running = bundle(PERMIT, text)
    asked = action("/bot", {}, kind=ActionKind.DELEGATE, user=None)
    made = body(decide(snapshot(running, asked), asked, NOW))
    assert made.gates
    terms_ = GrantTerms(
        GrantScope.SESSION, "r-1.1", ("ada",), None, "s-0-ada", "delegate", "", "bot", "", (), made.gates, NOW + 1, 1
    )
    given = Grant("r-1.2", terms_, NOW)
    done = decide(replace(snapshot(running, asked), grants=(given,)), asked, NOW)
    assert done.verdict == Permit()
    other = action("/eve", {}, kind=ActionKind.DELEGATE, user=None)
    assert isinstance(decide(replace(snapshot(running, other), grants=(given,)), other, NOW).verdict, Escalate)


def test_what_a_grant_would_have_covered_is_told_from_the_record() -> None:
    grant = granted(RUNNING, send("bob"), INDEX)
    asked, other = asked_of(RUNNING, send("eve"), INDEX), asked_of(RUNNING, send("zoe"), INDEX)
    there = reached(RUNNING, send("eve"))
    assert grant_scope.covers(grant.terms, asked, there)
    assert not grant_scope.covers(grant.terms, other, there)
    assert not grant_scope.covers(replace(grant.terms, gates=()), asked, there)
    assert not grant_scope.covers(grant.terms, replace(asked, arguments=b""), there)


@pytest.mark.parametrize("given", [-1, -1_000_000_000, -0.5])
def test_what_is_below_zero_is_at_most_nothing(given: float) -> None:
    bound = Constraint("amount", Bound.AT_MOST, 100)
    assert bound.allows({"amount": 0})
    assert bound.allows({"amount": 100})
    assert not bound.allows({"amount": given})
