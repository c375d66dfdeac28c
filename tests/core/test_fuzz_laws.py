"""The laws that the fuzz checks can be broken, and say so; a message is the same in every run."""

from random import Random

import pytest

from proof.fuzz.laws import Laws
from proof.fuzz.messages import Connection, make
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft
from remit.trace.bodies import ExchangeBody, MidCall, OutcomeBody, Status
from tests.core.deciding import action, body, bundle, decided

RUNNING = bundle('@id("p") permit (principal, action, resource);')
ARGUMENTS = b'{"order_id":"1","to":"x"}'
INTENT = Draft(RecordKind.INTENT, 1, "sha256:1", "s", body(decided(RUNNING, action())))


def outcome(*labels: str) -> Draft:
    said = OutcomeBody("r1-1.2", Status.OK, ("s",), labels, None, None, 0, 1.0)
    return Draft(RecordKind.OUTCOME, 2, "sha256:1", "s", said)


def test_an_effect_without_its_own_durable_intent_is_noticed() -> None:
    laws = Laws()
    laws.durable("r1-1.2", INTENT)
    laws.reached(ARGUMENTS, 2)
    assert not laws.broken
    laws.reached(ARGUMENTS, 4)
    (said,) = laws.broken
    assert said.startswith("intent-before-effect")


def test_what_was_refused_until_an_address_is_opened_comes_once_more_and_only_with_an_answer() -> None:
    exchange = ExchangeBody("r1-1.2", 1, MidCall.RESPONSES, ("s",), (), None, 0, None)
    for refusals, answers, sends, broken in ((1, 1, 2, 0), (1, 0, 2, 1), (0, 1, 2, 1), (1, 2, 3, 1), (2, 2, 3, 0)):
        laws = Laws()
        laws.durable("r1-1.2", INTENT)
        for _ in range(refusals):
            laws.refuses(ARGUMENTS)
        for _ in range(answers):
            laws.durable("r1-1.3", Draft(RecordKind.EXCHANGE, 2, "sha256:1", "s", exchange))
        for mark in range(sends):
            laws.reached(ARGUMENTS, 2 * mark)
        assert len(laws.broken) == broken, (refusals, answers, sends)


@pytest.mark.parametrize(("labels", "count"), [((), 1), (("confidential",), 1), (("untrusted",), 0)])
def test_an_answer_before_its_labels_are_durable_is_noticed(labels: tuple[str, ...], count: int) -> None:
    laws = Laws()
    laws.durable("r1-1.2", INTENT)
    laws.reached(ARGUMENTS, 2)
    laws.durable("r1-1.3", outcome(*labels))
    laws.shown(b'{"text":"mark2mark"}')
    assert len(laws.broken) == count
    assert laws.released == 1


def test_an_effect_behind_a_failed_answer_and_what_must_never_leave_are_noticed() -> None:
    laws = Laws()
    laws.durable("r1-1.2", INTENT)
    laws.reached(ARGUMENTS, 2)
    laws.answered(200, b"order_id")
    laws.answered(502, b"other")
    assert not laws.broken
    laws.answered(502, b"order_id")
    laws.shown(b"never-shown")
    assert len(laws.broken) == 2


def test_what_is_told_to_another_than_who_called_is_noticed() -> None:
    laws = Laws()
    laws.reached(b'{"text":"token7token"}', 2, again=True)
    laws.labelled.add(b'{"text":"token7token"}')
    laws.shown(b"mark2mark", b'{"params":{"text":"token7token"}}')
    assert not laws.broken
    laws.shown(b"mark2mark", b'{"params":{"text":"token8token"}}')
    assert len(laws.broken) == 1


@pytest.mark.parametrize(
    ("method", "params", "declared", "count"),
    [
        ("elicitation/create", {}, {"elicitation": {}}, 0),
        ("elicitation/create", {}, {"sampling": {}}, 1),
        ("elicitation/create", {"mode": "url"}, {"elicitation": {"url": {}}}, 0),
        ("elicitation/create", {"mode": "url"}, {"elicitation": {}}, 1),
        ("roots/list", {}, {"roots": {}}, 1),
        ("shell/run", {}, {}, 1),
    ],
)
def test_a_question_that_is_not_to_be_asked_is_noticed(
    method: str, params: dict[str, str], declared: dict[str, dict[str, str]], count: int
) -> None:
    laws = Laws()
    laws.questioned({"method": method, "params": params}, declared)
    assert len(laws.broken) == count


def test_an_answer_to_another_question_or_before_its_record_is_noticed() -> None:
    laws = Laws()
    laws.durable("r1-1.2", INTENT)
    laws.reached(ARGUMENTS, 2)
    laws.replied("mark2mark", b'"answer-to-mark2mark"')
    assert len(laws.broken) == 1
    passed = ExchangeBody("r1-1.2", 1, MidCall.RESPONSES, ("s",), ("untrusted",), None, 0, None)
    laws.durable("r1-1.3", Draft(RecordKind.EXCHANGE, 2, "sha256:1", "s", passed))
    laws.replied("mark2mark", b'"answer-to-mark2mark"')
    assert len(laws.broken) == 1
    laws.replied("mark2mark", b'"answer-to-mark4mark"')
    assert len(laws.broken) == 2
    assert laws.heard == 3


def test_a_message_is_the_same_in_every_run() -> None:
    old = Connection("c", "clerk", "/mcp/old")
    for number in range(200):
        for connection in (None, old):
            assert make(Random(number), number, connection) == make(Random(number), number, connection)
