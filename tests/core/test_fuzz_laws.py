"""The laws that the fuzz checks can be broken, and say so; a message is the same in every run."""

from random import Random

import pytest

from proof.fuzz.laws import Laws
from proof.fuzz.messages import Connection, make
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft
from remit.trace.bodies import OutcomeBody, Status
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


def test_a_message_is_the_same_in_every_run() -> None:
    old = Connection("c", "clerk", "/mcp/old")
    for number in range(200):
        for connection in (None, old):
            assert make(Random(number), number, connection) == make(Random(number), number, connection)
