"""Every method and notification of both schemas is governed, answered, passed by an explicit rule, or denied."""

from __future__ import annotations

import pytest

from remit.pep.mcp.methods import METHODS, UNKNOWN, Denied, Sender, treatment
from remit.ports.upstream import Era
from tests.core.mcp_schema import SENT, TASKS_EXTENSION, named, sent


def test_the_unions_hold_every_method_of_the_schemas() -> None:
    assert {(method, era) for method, _, era in sent()} == named()
    assert len({method for method, _, era in sent() if era is Era.INITIALIZE}) == 31
    assert len({method for method, _, era in sent() if era is Era.STATELESS}) == 21


@pytest.mark.parametrize(
    ("method", "sender", "era"), sorted(SENT, key=str), ids=lambda part: getattr(part, "name", part)
)
def test_every_method_has_a_rule(method: str, sender: Sender, era: Era) -> None:
    assert treatment(method, sender, era) is not UNKNOWN


def test_nothing_passes_that_no_schema_has() -> None:
    ruled = {(method, sender, era) for method, rule in METHODS.items() for sender in rule.by for era in rule.eras}
    assert {row for row in ruled - SENT if not isinstance(treatment(*row), Denied)} == set()
    assert ruled >= TASKS_EXTENSION


def test_what_no_schema_has_is_denied() -> None:
    for sender in Sender:
        for era in Era:
            assert treatment("tools/describe", sender, era) is UNKNOWN
    assert treatment("initialize", Sender.CLIENT, Era.STATELESS) is UNKNOWN
    assert treatment("tools/call", Sender.SERVER, Era.INITIALIZE) is UNKNOWN
