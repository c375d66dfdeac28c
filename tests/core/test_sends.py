"""What detectors find in what an action sends, before it is judged: read by policies, held by guarantees, on record."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from remit.assure.chains.asker import Moment, question_about, reached_of
from remit.assure.world import ProposedAction
from remit.facts.action import Action, ActionKind, Within
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Catalog
from remit.facts.finding import Find
from remit.facts.guarantee import Guarantee, NoFlow
from remit.facts.record import RecordKind, Ref
from remit.facts.tool import Argument
from remit.pdp.decide import decide
from remit.pdp.findings import finding
from remit.policy.verdict import Permit
from remit.protect.detect.detectors import NOTHING, SCANNED_CHARS_MAX, TOO_LONG
from remit.protect.stores import StoreLabels
from remit.trace.bodies import AdminBody, Event
from tests.core.deciding import NOW, action, body, bundle, catalog, codes, decided, problems, schema, snapshot, tool

ANYBODY = '@id("p") permit (principal, action, resource);'
SECRET = "the password is q7Rz9LmWx2Vb"
NO_SECRETS = """@id("no-secret-leaves") forbid (principal, action in Remit::Action::"server:web", resource)
when { context.sends.contains(Remit::Label::"confidential:secret") };"""
NOT_IN_PROMPTS = """@id("not-in-prompts") forbid (principal, action == Remit::Action::"get_prompt", resource)
when { context has sends && context.sends.contains(Remit::Label::"confidential") };"""


def looking(*policies: str, finds: Iterable[Find] = (Find.SECRET, Find.HIDDEN)) -> Catalog:
    """The small shop, at whose server `web` is looked at what is sent."""
    plain = catalog(ANYBODY, *policies, tools=(tool("web", "login", schema(key={"type": "string"})),))
    return watching(plain, "web", finds)


def watching(made: Catalog, server: str, finds: Iterable[Find]) -> Catalog:
    return replace(made, servers={**made.servers, server: replace(made.servers[server], detects_sent=frozenset(finds))})


def fetch(url: str = "https://example.org") -> Action:
    return action("web/fetch", {"url": url})


def test_a_secret_among_the_arguments_does_not_leave() -> None:
    running = bundle(looking(NO_SECRETS))
    clean = decided(running, fetch())
    assert clean.verdict == Permit()
    assert clean.sends == NOTHING
    assert "sends" not in body(clean).context
    denied = decided(running, fetch(SECRET))
    assert codes(denied) == {"policy"}
    assert denied.sends == {Find.SECRET: {"value called a secret": 1}}
    assert body(denied).context["sends"] == {"secret": {"value called a secret": 1}}
    # What is long counts as all of it.
    long = decided(running, fetch("x" * (SCANNED_CHARS_MAX + 1)))
    assert codes(long) == {"policy"}
    assert long.sends[Find.SECRET] == {TOO_LONG: 1}


def test_where_nothing_is_looked_for_nothing_is_known() -> None:
    running = bundle(looking(NO_SECRETS))
    asked = action("shop/refund", {"order_id": SECRET, "to": "x"})
    elsewhere = decided(running, asked)
    assert elsewhere.verdict == Permit()
    assert elsewhere.sends == NOTHING
    assert Find.SECRET in decided(bundle(watching(looking(), "shop", [Find.SECRET])), asked).sends
    # A policy that reads it where nobody looks is a mistake, and says so.
    assert any("sends" in problem.text for problem in problems(catalog(ANYBODY, NO_SECRETS)))


def test_answers_in_a_round_are_looked_at_too() -> None:
    running = bundle(looking(NO_SECRETS))
    for said, verdict in (("fine", "permit"), (SECRET, "deny")):
        asked = replace(fetch(), within=Within("r.1", None, 1, canonical({"who": said}), b"{}", bare=False))
        assert type(decided(running, asked).verdict).__name__.lower() == verdict


def test_prompts_and_resources_are_looked_at_by_what_is_asked_of_them() -> None:
    running = bundle(looking(NOT_IN_PROMPTS))
    plain = action("web/greet", {"name": "greet"}, kind=ActionKind.GET_PROMPT)
    assert decided(running, plain).verdict == Permit()
    told = replace(plain, arguments=canonical({"note": SECRET}))
    assert codes(decided(running, told)) == {"policy"}
    elsewhere = replace(told, server="shop")
    assert decided(running, elsewhere).verdict == Permit()
    read = action("web/https://u:q7Rz9LmWx2Vb@example.org/", {"uri": "https://u:q7Rz9LmWx2Vb@example.org/"})
    found = decided(running, replace(read, kind=ActionKind.READ_RESOURCE, server="web", name="x"))
    assert Find.SECRET in found.sends


def test_a_declared_secret_is_where_it_belongs() -> None:
    made = looking(NO_SECRETS)
    login = made.tools["web", "login"]
    made = replace(
        made, tools={**made.tools, ("web", "login"): replace(login, arguments={"key": Argument(secret=True)})}
    )
    asked = replace(action("web/login", {"key": SECRET}), veiled=b'{"key":"veiled"}')
    assert decided(bundle(made), asked).verdict == Permit()


def test_no_flow_is_held_for_what_is_sent_as_for_what_the_session_holds() -> None:
    flow = Guarantee("private", "uma", NoFlow(frozenset({"confidential"}), frozenset({"external"})))
    running = bundle(replace(looking(), guarantees={"private": flow}))
    assert decided(running, fetch()).verdict == Permit()
    denied = decided(running, fetch(SECRET))
    assert codes(denied) == {"guarantee/broken", "policy"}
    assert "what it sends is confidential, and nobody was asked" in denied.reasons[0].text
    assert "what the session holds" in decided(running, fetch(), labels=("confidential:pii",)).reasons[0].text
    assert decided(running, fetch(), labels=("untrusted:web",)).verdict == Permit()


def test_a_store_takes_over_what_is_found() -> None:
    running = bundle(looking())
    shot = replace(snapshot(running, fetch(SECRET)), stores=StoreLabels(writes=("notes:a",)))
    made = body(decide(shot, fetch(SECRET), NOW))
    assert made.stored is not None
    assert {"confidential", "confidential:secret"} <= set(made.stored.labels)


def test_the_whole_slice_is_judged_alike_by_cedar() -> None:
    running = bundle(looking(NO_SECRETS))
    running.shadow.every = 1
    assert decided(running, fetch()).verdict == Permit()
    assert codes(decided(running, fetch(SECRET))) == {"policy"}
    # What no policy of the slice looks at is asked for as well.
    apart = bundle(looking())
    apart.shadow.every = 1
    assert decided(apart, fetch(SECRET)).verdict == Permit()
    assert (running.shadow.difference, apart.shadow.difference) == (None, None)


@pytest.mark.parametrize(("sent", "where"), [(True, "agent ada sent to web/fetch"), (None, "web/fetch told agent ada")])
def test_an_incident_says_which_way_it_went(sent: bool | None, where: str) -> None:
    data: dict[str, Json] = {"agent": "ada", "found": {"secret": {"token": 1}}}
    told = data if sent is None else {**data, "sent": sent}
    seen = finding(Ref("r1-1", 3), 9, RecordKind.ADMIN, AdminBody(Event.DETECTED, "remit", "web/fetch", told))
    assert seen is not None
    assert seen.title == f"secret (token) in what {where}"


def test_another_choice_of_what_is_looked_for_is_another_bundle() -> None:
    digests = {bundle(looking(finds=finds)).digest for finds in ((), (Find.SECRET,), (Find.SECRET, Find.PII))}
    assert len(digests) == 3


def test_a_search_for_chains_asks_about_what_a_call_would_send() -> None:
    running = bundle(looking(NO_SECRETS))
    for url, held in (("https://example.org", False), (SECRET, True)):
        doing = ProposedAction(ActionKind.CALL_TOOL, "web", "fetch", {"url": url})
        reached = reached_of(running, doing)
        question = question_about(running, ("ada",), "uma", doing, Moment(), reached)
        assert question is not None
        assert bool(question.context["sends"]) is held
