"""The ledger judged again: by what it holds of arguments, whatever another bundle says of them."""

from dataclasses import replace

from remit.assure.history import LACKING, History, Relived
from remit.assure.veiled import veiled
from remit.facts.action import Action, Within
from remit.facts.catalog import Argument
from remit.pdp.decide import decide
from remit.policy.bundle import Bundle
from remit.trace.bodies import ActionBody
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


def relived(made_by: Bundle, by: Bundle, asked: ActionBody) -> Relived:
    found = History(by).take("r1-1.2", NOW, made_by.digest, asked)
    assert found is not None
    return found


def test_what_is_called_a_secret_later_was_kept_and_is_judged() -> None:
    running, other = made(ANY, NOT_EVIL), made(ANY, secret=True)
    found = relived(running, other, recorded(running))
    assert found.was["verdict"] == "deny"
    assert found.now is not None
    assert found.now["verdict"] == "permit"


def test_of_what_was_veiled_nothing_is_judged_also_where_it_is_no_secret_any_more() -> None:
    running = made(ANY, NOT_EVIL, secret=True)
    for other in (running, made(ANY)):
        found = relived(running, other, recorded(running))
        assert found.now is None
        assert found.why in LACKING


def test_a_round_is_told_from_arguments_that_are_called_as_it_is() -> None:
    running = made(ANY)
    within = Within("r1-1.1", None, 1, b"{}", b"{}", bare=False)
    forbidden = made('@id("no") forbid (principal, action, resource);')
    found = relived(forbidden, running, recorded(forbidden, replace(FETCH, within=within)))
    assert found.now is None
    assert found.why in LACKING
    alike = action("web/fetch", {"arguments": {}, "questions": {}, "responses": {}, "round": 1})
    assert relived(forbidden, running, recorded(forbidden, alike)).now is not None
