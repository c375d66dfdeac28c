"""The first difference between generated code and cedarpy stands on the ledger, once, and cedarpy's word counts."""

from pathlib import Path

import pytest

from remit.facts.record import RecordKind
from remit.pep.answer import Released
from remit.policy import slice as slices
from remit.policy.compiled.function import Judge, Outcomes
from remit.trace.bodies import AdminBody, Event
from tests.e2e.gateway_parts import bench


def wrong(policies: object, scope: object) -> Judge:
    def judge(*_: object) -> Outcomes:
        return [], []

    return judge


@pytest.mark.asyncio
async def test_a_difference_is_recorded_once_and_cedarpy_judges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices, "function_of", wrong)
    async with bench(tmp_path) as b:
        for _ in range(3):
            assert isinstance(await b.call("pay"), Released)
        told = [entry.body for entry in await b.records(RecordKind.ADMIN)]
        found = [body for body in told if isinstance(body, AdminBody) and body.event is Event.POLICY_DIFFERENCE]
        assert len(found) == 1
        assert found[0].subject == "shop___pay"
        assert found[0].data["generated"] == "nothing"
        assert str(found[0].data["cedar"]).startswith("permit ")
