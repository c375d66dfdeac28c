"""Declared secrets: what is recorded and hashed of them, and what refuses to be recorded at all."""

import json
from dataclasses import replace

import pytest

from remit.facts.action import Action
from remit.facts.canonical import Json, canonical
from remit.facts.tool import Argument
from remit.facts.veil import MEMBER, Veil
from remit.pdp.decide import decide
from remit.policy.bundle import Bundle
from remit.policy.verdict import Deny, Permit
from tests.core.deciding import NOW, action, body, bundle, catalog, codes, schema, snapshot, tool

PERMIT = '@id("p") permit (principal, action, resource);'
LOGIN = replace(
    tool("shop", "login", schema(("user", "pin"), user={"type": "string"}, pin={"type": "object"}, key={})),
    arguments={"pin": Argument(secret=True), "user": Argument()},
)
VEIL = Veil(b"k" * 32)
DECLARED = ("user", "pin", "key")


def veiled(given: dict[str, Json], veil: Veil = VEIL) -> bytes:
    return veil.over(LOGIN, DECLARED, given)


def running() -> Bundle:
    return bundle(catalog(PERMIT, tools=[LOGIN]))


def asked(given: dict[str, Json]) -> Action:
    made = action("shop/login", given)
    return replace(made, veiled=veiled(given))


def test_a_secret_stands_as_a_keyed_hash_and_nothing_else_changes() -> None:
    found = veiled({"user": "uma", "pin": {"a": "canary"}})
    assert b"canary" not in found
    assert b'"user":"uma"' in found
    assert found == veiled({"pin": {"a": "canary"}, "user": "uma"})
    assert found != veiled({"user": "uma", "pin": {"a": "other"}})
    assert found != veiled({"user": "uma", "pin": {"a": "canary"}}, Veil(b"l" * 32))


def test_equal_secrets_of_two_arguments_are_not_seen_to_be_equal() -> None:
    both = replace(LOGIN, arguments={"pin": Argument(secret=True), "key": Argument(secret=True)})
    found = VEIL.over(both, DECLARED, {"pin": "1", "key": "1"}).decode()
    first, second = (part[:64] for part in found.split(f'"{MEMBER}":"')[1:])
    assert first != second


def test_what_nobody_declared_may_be_a_misspelt_secret() -> None:
    found = veiled({"user": "uma", "key": 1, "pni": "canary"})
    assert b"canary" not in found
    assert b'"key":1' in found


def test_nobodys_arguments_are_equal_to_what_is_veiled() -> None:
    """Not even those who say as a value what is recorded of a secret."""
    given: dict[str, Json] = {"user": "uma", "pin": "1"}
    shown = veiled(given)
    said: dict[str, Json] = json.loads(shown)
    assert shown.strip() == canonical(said)
    plain = action("shop/login", said)
    assert plain.hash("pin") != asked(given).hash("pin")


def test_the_hash_of_an_action_binds_the_exact_secret() -> None:
    one, two = asked({"user": "uma", "pin": {"a": 1}}), asked({"user": "uma", "pin": {"a": 2}})
    assert one.hash("p") == asked({"pin": {"a": 1}, "user": "uma"}).hash("p")
    assert one.hash("p") != two.hash("p")


def test_a_decision_forwards_the_secret_and_records_the_veil() -> None:
    made = asked({"user": "uma", "pin": {"a": "canary"}})
    decision = decide(snapshot(running(), made), made, NOW)
    assert decision.verdict == Permit()
    assert body(decision).arguments == made.veiled
    assert b"canary" not in body(decision).arguments


def test_what_is_wrong_inside_a_secret_is_not_told() -> None:
    narrow = replace(
        tool("shop", "login", schema(pin={"type": "object", "additionalProperties": {"type": "string"}})),
        arguments={"pin": Argument(secret=True)},
    )
    given: dict[str, Json] = {"pin": {"canary": 1}}
    made = replace(action("shop/login", given), veiled=b" {}")
    decision = decide(snapshot(bundle(catalog(PERMIT, tools=[narrow])), made), made, NOW)
    assert codes(decision) == {"arg/invalid"}
    assert decision.reasons[0].text == "pin: it is not what the schema takes"


def test_secrets_that_nothing_veils_are_neither_judged_nor_recorded() -> None:
    made = action("shop/login", {"user": "uma", "pin": {"a": "canary"}})
    decision = decide(snapshot(running(), made), made, NOW)
    assert (decision.verdict, codes(decision)) == (Deny(), {"internal/error"})
    assert (body(decision).arguments, body(decision).action) == (b"", "")


def test_a_key_is_of_one_length_and_is_never_shown() -> None:
    with pytest.raises(ValueError, match="a key of 3 bytes"):
        Veil(b"abc")
    assert "kkk" not in repr(VEIL)


def test_of_where_a_secret_came_from_no_part_of_it_is_told() -> None:
    reads = "forbid (principal, action, resource) when { context has targets && context.targets.count > 99 };"
    running = bundle(catalog(PERMIT, f'@id("r") {reads}', tools=[LOGIN]))
    given: dict[str, Json] = {
        "user": "write to plain@example.org",
        "pin": {"canary": ["x canary@example.org, and http://canary.example/x"]},
        "pni": "send canary@example.org",
    }
    made = replace(action("shop/login", given), veiled=veiled(given))
    context = json.dumps(dict(body(decide(snapshot(running, made), made, NOW)).context))
    assert "plain@example.org" in context or "$.user" in context
    assert '"$.pin"' in context
    assert '"$.pni"' in context
    assert "canary" not in context
