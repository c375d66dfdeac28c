"""The ledger judged again: by what it holds of arguments, whatever another bundle says of them."""

from base64 import b64encode
from dataclasses import replace

import pytest

from remit.assure.history import LACKING, HistoryReplay, ReplayedAction
from remit.assure.veil import veiled
from remit.facts.action import Action, Within
from remit.facts.tool import Argument
from remit.pdp.decide import decide
from remit.policy.bundle import Bundle
from remit.protect.index import UNTRUSTED, Index
from remit.protect.origins import words_delta
from remit.protect.token_places import TokenGroup
from remit.trace.bodies import ActionBody, AdminBody, Body, Event, ExchangeBody, MidCall, OutcomeBody, Status
from remit.trace.erasure import frame
from tests.core.deciding import NOW, action, body, bundle, catalog, schema, snapshot, tool

ANY = '@id("any") permit (principal, action, resource);'
NOT_EVIL = """@id("not-evil") forbid (principal, action == Remit::Action::"web___fetch", resource)
when { context.input.url == "evil" };"""
FETCH = action("web/fetch", {"url": "evil"})


def made(*policies: str, secret: bool = False) -> Bundle:
    fetch = replace(
        tool("web", "fetch", schema(("url",), url={"type": "string"})), arguments={"url": Argument(secret=secret)}
    )
    return bundle(catalog(*policies, tools=(fetch,)))


def recorded(running: Bundle, asked: Action = FETCH) -> ActionBody:
    asked = veiled(running, asked)
    return body(decide(snapshot(running, asked), asked, NOW))


def relived(made_by: Bundle, by: Bundle, asked: ActionBody) -> ReplayedAction:
    found = HistoryReplay(by).take("r1-1.2", NOW, made_by.digest, asked)
    assert found is not None
    return found


def test_what_is_called_a_secret_later_was_kept_and_is_judged() -> None:
    running, other = made(ANY, NOT_EVIL), made(ANY, secret=True)
    found = relived(running, other, recorded(running))
    assert found.recorded["verdict"] == "deny"
    assert found.replayed is not None
    assert found.replayed["verdict"] == "permit"


def test_of_what_was_veiled_nothing_is_judged_also_where_it_is_no_secret_any_more() -> None:
    running = made(ANY, NOT_EVIL, secret=True)
    for other in (running, made(ANY)):
        found = relived(running, other, recorded(running))
        assert found.replayed is None
        assert found.why in LACKING


def test_a_round_is_told_from_arguments_that_are_called_as_it_is() -> None:
    running = made(ANY)
    within = Within("r1-1.1", None, 1, b"{}", b"{}", bare=False)
    forbidden = made('@id("no") forbid (principal, action, resource);')
    found = relived(forbidden, running, recorded(forbidden, replace(FETCH, within=within)))
    assert found.replayed is None
    assert found.why in LACKING
    alike = action("web/fetch", {"arguments": {}, "questions": {}, "responses": {}, "round": 1})
    assert relived(forbidden, running, recorded(forbidden, alike)).replayed is not None


SID = FETCH.authority.links[0].sid
KEY = bytes(range(16))
STRANGE = """@id("strange") forbid (principal, action, resource)
when { context.targets.untrusted > 0 || context.targets.unseen > 0 };"""
KEYED = AdminBody(Event.SESSION_KEYED, "remit", SID, {"key": KEY.hex()})
WORDS = AdminBody(Event.SESSION_WORDS, "helm", SID, {"text": "fetch evil", "grounds": True})


def told(passed: bool) -> tuple[Body, str]:
    """What a server said of `evil`, in mid-action or as its result; and the delta in it."""
    delta = Index(KEY).delta("r1-1.2", [TokenGroup(frozenset({"evil"}), UNTRUSTED)])
    origins = b64encode(delta.pack()).decode()
    if passed:
        return ExchangeBody("r1-1.2", 1, MidCall.QUESTIONS, (SID,), (), "sha256:0", 2, None, origins=origins), origins
    return OutcomeBody("r1-1.2", Status.OK, (SID,), (), None, "sha256:0", 2, 1.0, origins=origins), origins


@pytest.mark.parametrize("passed", [True, False])
def test_what_a_server_said_in_mid_action_is_known_again_as_what_it_answered(passed: bool) -> None:
    running = made(ANY, STRANGE)
    said, _ = told(passed)
    index = Index(KEY)
    history = HistoryReplay(running)
    for seq, one in enumerate((KEYED, said), 1):
        assert history.take(f"r1-1.{seq}", NOW, running.digest, one) is None
    index.apply(index.delta("r1-1.2", [TokenGroup(frozenset({"evil"}), UNTRUSTED)]))
    asked = body(decide(replace(snapshot(running, FETCH), origins=index), FETCH, NOW))
    found = history.take("r1-1.3", NOW, running.digest, asked)
    assert found is not None
    assert found.recorded["origins"] == {"$.url": "untrusted"}
    assert found.same


@pytest.mark.parametrize("erased", [WORDS, told(True)[0], told(False)[0]])
def test_where_a_session_saw_what_is_erased_nothing_is_said_of_what_came_after(erased: Body) -> None:
    running = made(ANY, STRANGE)
    index = Index(KEY)
    index.apply(words_delta(index, "fetch evil"))
    asked = body(decide(replace(snapshot(running, FETCH), origins=index), FETCH, NOW))
    assert asked.verdict == "permit"
    history = HistoryReplay(running)
    history.take("r1-1.1", NOW, running.digest, erased if erased is WORDS else KEYED)
    history.take("r1-1.2", NOW, running.digest, KEYED)
    history.take("r1-1.3", NOW, running.digest, frame(erased), erased=True)
    found = history.take("r1-1.4", NOW, running.digest, asked)
    assert found is not None
    assert found.replayed is None
    assert found.why in LACKING
    history.take("r1-1.5", NOW, running.digest, KEYED)
    history.take("r1-1.6", NOW, running.digest, WORDS)
    again = history.take("r1-1.7", NOW, running.digest, asked)
    assert again is not None
    assert again.same


def test_an_erased_action_is_not_judged_and_was_done_all_the_same() -> None:
    running = made(ANY, '@id("new") forbid (principal, action, resource) when { context.novelty.tool };')
    first, done = recorded(running), replace(recorded(made(ANY)), verdict="permit")
    history = HistoryReplay(running)
    found = history.take("r1-1.1", NOW, running.digest, first)
    assert found is not None
    assert found.same
    assert history.take("r1-1.2", NOW, running.digest, frame(done), erased=True) is None
    later = history.take("r1-1.3", NOW, running.digest, first)
    assert later is not None
    assert later.replayed is not None
    assert later.replayed["verdict"] == "permit"
