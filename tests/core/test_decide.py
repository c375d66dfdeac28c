"""`decide`: total, in order, and every path ends in a record."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import pytest

from remit.facts.action import Action, ActionKind
from remit.facts.agent import Agent, Authority, Link
from remit.facts.canonical import Json, digest
from remit.facts.catalog import Catalog
from remit.facts.durations import DAY_MS, HOUR_MS
from remit.facts.limits import Limits
from remit.facts.record import RecordKind
from remit.facts.session import Session, outlived
from remit.pdp.decide import decide, judge
from remit.pdp.decision import Append, Decision, Forward, Refuse
from remit.pdp.result_judgement import judge_result
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy.context import Facts
from remit.policy.verdict import Deny, Escalate, Permit, rank, word
from remit.trace.bodies import ActionBody, Status
from remit.trace.encoding import decode_body, encode_body
from tests.core.deciding import NOW, action, body, bundle, catalog, codes, decided, snapshot

ANYBODY = '@id("p") permit (principal, action, resource);'
RUNNING = bundle(ANYBODY)


def refused(decision: Decision) -> str:
    """The code of a denial that is recorded as a proposal and reaches nothing."""
    assert decision.verdict == Deny()
    first, last = decision.effects
    assert isinstance(first, Append)
    assert first.kind is RecordKind.PROPOSAL
    assert isinstance(first.body, ActionBody)
    assert last == Refuse()
    assert first.body.verdict == "deny"
    assert first.body.reasons == decision.reasons
    assert first.body.expires_ms is None
    (code,) = codes(decision)
    return code


def test_a_permitted_call_is_an_intent_and_then_exactly_those_bytes() -> None:
    asked = action()
    decision = decided(RUNNING, asked, labels=["confidential:pii"])
    tool_ = RUNNING.tools["shop", "refund"].tool
    first, last = decision.effects
    assert decision.verdict == Permit()
    assert isinstance(first, Append)
    assert first.kind is RecordKind.INTENT
    assert isinstance(first.body, ActionBody)
    assert isinstance(last, Forward)
    assert (last.destination.tool, last.arguments) == (tool_, asked.arguments)
    said = first.body
    assert said.action == asked.hash(tool_.pin)
    assert (said.kind, said.server, said.name, said.pin) == ("call_tool", "shop", "refund", tool_.pin)
    assert (said.user, said.links, said.token) == ("uma", (("ada", "s-0-ada"),), "token-1")
    assert (said.verdict, said.observed, said.approval) == ("permit", None, None)
    assert said.irreversible
    assert said.labels == ("confidential", "confidential:pii")
    assert said.source == ()
    assert said.arguments == asked.arguments
    assert said.context == {
        "inputSize": len(asked.arguments),
        "onBehalfOf": "uma",
        "session": {
            "labels": ["confidential", "confidential:pii"],
            "calls": 0,
            "irreversibleCalls": 0,
            "ageSeconds": 1,
        },
        "delegation": {"depth": 0, "chain": ["ada"]},
        "system": {"now": "2027-01-15T08:00:00.000Z"},
    }


def test_a_read_is_not_irreversible_and_brings_its_labels_closed() -> None:
    said = body(decided(RUNNING, action("web/fetch", {"url": "x"})))
    assert not said.irreversible
    assert said.source == ("untrusted", "untrusted:web")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (action(chain=("nobody",)), "agent/unknown"),
        (action(chain=("ada", "nobody")), "agent/unknown"),
        (action(chain=("nobody", "ada")), "agent/unknown"),
        (action(user="nobody"), "user/unknown"),
        (action("nowhere/refund"), "server/unknown"),
        (action("/refund"), "server/unknown"),
        (action("shop/nothing"), "tool/unknown"),
        (action("web/refund"), "tool/unknown"),
        (action("nobody", {}, kind=ActionKind.DELEGATE), "agent/unknown"),
        (action("shop/m", {}, kind=ActionKind.CALL_MODEL), "method/unknown"),
        (action("nowhere/client", {}, kind=ActionKind.CALL_MODEL), "server/unknown"),
        (action("nowhere/r", {}, kind=ActionKind.READ_RESOURCE), "server/unknown"),
        (action("nowhere/p", {}, kind=ActionKind.GET_PROMPT), "server/unknown"),
        (action("nowhere/", {}, kind=ActionKind.LIST_ROOTS), "server/unknown"),
        (action(arguments={}), "arg/invalid"),
    ],
)
def test_what_is_not_known_is_denied_by_name(asked: Action, code: str) -> None:
    assert refused(decided(RUNNING, asked)) == code


@pytest.mark.parametrize(
    ("name", "given"),
    [("shop/nothing", {}), ("shop/refund", {"order_id": 5}), ("shop/refund", {"more": 1})],
)
def test_of_what_is_denied_unread_a_beginning_is_kept(name: str, given: Mapping[str, Json]) -> None:
    small, large = action(name, {**given, "junk": "j" * 4_000}), action(name, {**given, "junk": "\u00e9" * 3_000})
    assert body(decided(RUNNING, small)).arguments == small.arguments
    kept = body(decided(RUNNING, large))
    assert (kept.verdict, kept.arguments) == ("deny", b"")
    cut = kept.context["cut"]
    assert isinstance(cut, Mapping)
    assert (cut["bytes"], cut["digest"]) == (len(large.arguments), digest(large.arguments))
    assert large.arguments.startswith(str(cut["begins"]).encode())
    assert len(encode_body(kept)) < 2_000
    assert decode_body(RecordKind.PROPOSAL, encode_body(kept)) == kept


def test_what_policy_denied_is_kept_whole() -> None:
    asked = action("shop/refund", {"order_id": "x" * 5_000, "to": "eve"}, chain=("eve",))
    denied = body(decided(bundle('@id("none") forbid (principal, action, resource);'), asked))
    assert (denied.verdict, denied.arguments) == ("deny", asked.arguments)


@pytest.mark.parametrize("pin", [Pin.DRIFTED, Pin.MISSING, Pin.UNREVIEWED, Pin.UNVERIFIED])
def test_a_tool_that_is_not_what_was_accepted_is_denied(pin: Pin) -> None:
    asked = action()
    decision = decide(snapshot(RUNNING, asked, pin=pin), asked, NOW)
    assert refused(decision) == f"tool/{pin.value}"
    assert body(decision).pin == RUNNING.tools["shop", "refund"].tool.pin


def test_a_live_tool_outside_the_lock_is_unreviewed_not_unknown() -> None:
    asked = action("shop/new")
    assert refused(decide(snapshot(RUNNING, asked, pin=Pin.UNREVIEWED), asked, NOW)) == "tool/unreviewed"


def test_names_from_outside_are_shown_escaped_and_cut() -> None:
    decision = decided(RUNNING, action("shop/\u202e" + "x" * 9_000))
    assert "\u202e" not in decision.reasons[0].text
    assert len(decision.reasons[0].text) < 300


def test_arguments_beyond_the_limit_are_denied() -> None:
    asked = action()
    limited = replace(snapshot(RUNNING, asked), limits=Limits(arguments_bytes_max=len(asked.arguments)))
    assert decide(limited, asked, NOW).verdict == Permit()
    limited = replace(limited, limits=Limits(arguments_bytes_max=len(asked.arguments) - 1))
    assert refused(decide(limited, asked, NOW)) == "arg/too-large"


def test_a_session_that_ended_or_grew_old_ends_the_chain() -> None:
    asked = action(chain=("ada", "bot"))
    good = snapshot(RUNNING, asked)
    hours = DAY_MS
    for position in (0, 1):
        for change, denied in (
            ({"ended_ms": NOW}, True),
            ({"ended_ms": NOW + HOUR_MS}, True),
            ({"started_ms": NOW - hours}, False),
            ({"started_ms": NOW - hours - 1}, True),
        ):
            sessions = list(good.sessions)
            sessions[position] = replace(sessions[position], **change)
            assert outlived(sessions[position], 24, NOW) == (denied and "started_ms" in change)
            decision = decide(replace(good, sessions=tuple(sessions)), asked, NOW)
            if denied:
                assert refused(decision) == "session/ended"
                assert decision.reasons[0].agent == asked.authority.agents[position]
            else:
                assert decision.verdict == Permit()


def test_an_obligation_that_nothing_enforces_denies() -> None:
    text = '@id("p") @obligation("redact:pii") permit (principal, action, resource);'
    gate = '@id("g") @gate("owner") forbid (principal, action, resource);'
    assert decided(bundle(text), action()).verdict == Permit(("redact:pii",))
    for running in (bundle(text), bundle(text, gate)):
        # As an older version compiled it, which knew what this one does not.
        policies = {
            name: replace(one, obligation=one.obligation and "wash:hands") for name, one in running.policies.items()
        }
        assert refused(decided(replace(running, policies=policies), action())) == "obligation/unknown"


def test_obligations_of_all_permits_and_links_unite() -> None:
    running = bundle(
        catalog(
            '@id("p") @obligation("redact:email") permit (principal in Remit::Group::"ops", action, resource);',
            '@id("q") @obligation("redact:pii") permit (principal, action, resource);',
            '@id("r") @obligation("mask:hidden") permit (principal == Remit::Agent::"ada", action, resource);',
        ),
    )
    assert decided(running, action(chain=("ada", "bot"))).verdict == Permit(
        ("mask:hidden", "redact:email", "redact:pii")
    )


def test_delegating_is_judged_and_forwards_nothing() -> None:
    running = bundle(
        '@id("d") permit (principal == Remit::Agent::"ada", action == Remit::Action::"delegate",'
        ' resource == Remit::Agent::"bot");'
    )
    decision = decided(running, action("bot", {}, kind=ActionKind.DELEGATE))
    assert decision.verdict == Permit()
    (intent,) = decision.effects
    assert isinstance(intent, Append)
    assert intent.kind is RecordKind.INTENT
    assert isinstance(intent.body, ActionBody)
    assert intent.body.pin == ""
    assert refused(decided(running, action("eve", {}, kind=ActionKind.DELEGATE))) == "policy/none"
    assert refused(decided(running, action("bot", {}, kind=ActionKind.DELEGATE, chain=("bot",)))) == "policy/none"


def test_an_action_without_a_user_has_no_on_behalf_of() -> None:
    running = bundle('@id("p") permit (principal, action, resource) when { !(context has onBehalfOf) };')
    decision = decided(running, action(user=None))
    assert decision.verdict == Permit()
    assert "onBehalfOf" not in body(decision).context


@pytest.mark.parametrize("broken", ["sessions", "bundle", "name", "clock", "context"])
def test_an_error_of_our_own_denies_and_says_which(broken: str) -> None:
    asked = action()
    good = snapshot(RUNNING, asked)
    now = NOW
    match broken:
        case "sessions":
            good = replace(good, sessions=())
        case "bundle":
            good = replace(good, bundle=replace(RUNNING, catalog=cast("Catalog", None)))
        case "name":
            asked = replace(asked, name="\ud800")
        case "clock":
            now = 10**18
        case _:
            asked = replace(asked, input=cast("Mapping[str, Json]", None))
    decision = decide(good, asked, now)
    assert decision.verdict == Deny()
    assert codes(decision) <= {"internal/error", "tool/unknown", "session/ended", "arg/invalid", "policy/error"}
    assert isinstance(decision.effects[0], Append)
    if broken in {"sessions", "bundle"}:
        assert refused(decision) == "internal/error"
        assert "Error" in decision.reasons[0].text
        assert judge(good, asked, now).reasons == decision.reasons


def test_what_has_no_canonical_form_is_recorded_without_a_hash() -> None:
    decision = decided(RUNNING, replace(action(), name="\ud800"))
    assert refused(decision) == "tool/unknown"
    assert body(decision).action == ""


def test_a_label_that_no_tool_brings_any_more_still_means_what_it_implies() -> None:
    forbid = (
        '@id("f") forbid (principal, action, resource) '
        'when { context.session.labels.contains(Remit::Label::"confidential") };'
    )
    running = bundle(ANYBODY, forbid)
    assert refused(decided(running, action(), labels=["confidential:gone"])) == "policy"
    assert decided(running, action(), labels=["untrusted:gone"]).verdict == Permit()


def test_sessions_of_another_chain_are_an_error() -> None:
    asked = action()
    wrong = Snapshot(RUNNING, (Session("other", "ada", "uma", NOW),), Pin.MATCHES)
    assert refused(decide(wrong, asked, NOW)) == "internal/error"


def test_verdicts_have_an_order_and_a_word() -> None:
    assert [word(verdict) for verdict in (Permit(), Escalate(()), Deny())] == ["permit", "escalate", "deny"]
    assert [rank(verdict) for verdict in (Permit(), Escalate(()), Deny())] == [0, 1, 2]


def test_time_and_age_are_exact() -> None:
    facts = Facts(None, ("ada",), frozenset(), 1, 2, -5, 3, 1_700_000_000_007)
    assert facts.recorded()["system"] == {"now": "2023-11-14T22:13:20.007Z"}
    assert facts.recorded()["session"] == {"labels": [], "calls": 1, "irreversibleCalls": 2, "ageSeconds": 0}


def test_policies_see_what_the_facts_say() -> None:
    text = """@id("p") permit (principal, action, resource) when {
      context.session.labels.containsAll([Remit::Label::"untrusted", Remit::Label::"untrusted:web"]) &&
      context.session.calls == 7 && context.session.irreversibleCalls == 2 && context.session.ageSeconds == 5 &&
      context.delegation.depth == 1 &&
      context.delegation.chain.containsAll([Remit::Agent::"ada", Remit::Agent::"bot"]) &&
      context.system.now == datetime("2027-01-15T08:00:00.000Z") && context.inputSize == 25 &&
      context has onBehalfOf && context.onBehalfOf == Remit::User::"uma" &&
      context.onBehalfOf in Remit::Group::"everyone"
    };"""
    asked = action(chain=("ada", "bot"))
    assert len(asked.arguments) == 25
    one = Session("s-0-ada", "ada", "uma", NOW - 5_999, frozenset({"untrusted:web"}), 7, 0)
    two = Session("s-1-bot", "bot", "uma", NOW - 10, frozenset(), 1, 2)
    assert decide(Snapshot(bundle(text), (one, two), Pin.MATCHES), asked, NOW).verdict == Permit()


def test_what_an_upstream_says_brings_its_labels_before_it_leaves() -> None:
    fetch = RUNNING.destination(RUNNING.tools["web", "fetch"])
    sessions = snapshot(RUNNING, action(chain=("ada", "bot"))).sessions
    for status in Status:
        judged = judge_result(RUNNING, fetch, "web", sessions, status, {"content": []})
        assert judged.sids == ("s-0-ada", "s-1-bot")
        assert judged.release == {"content": []}
        expected = frozenset[str]() if status is Status.NOT_SENT else {"untrusted", "untrusted:web"}
        assert judged.labels == expected


def test_a_bundle_applied_in_mid_call_takes_no_label_away() -> None:
    fetch = RUNNING.destination(RUNNING.tools["web", "fetch"])
    then = replace(fetch, source=frozenset({"confidential"}))
    assert judge_result(RUNNING, then, "web", (), Status.OK, None).labels == {
        "confidential",
        "untrusted",
        "untrusted:web",
    }
    assert judge_result(RUNNING, fetch, "gone", (), Status.OK, None).labels == {"untrusted", "untrusted:web"}


def test_the_fixture_is_what_it_says() -> None:
    links = (Link("ada", "s-0-ada"),)
    assert action().authority == Authority(links, "uma", "token-1", NOW + 1_000_000)
    assert isinstance(catalog().agents["ada"], Agent)
