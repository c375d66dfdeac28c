"""What an agent asked people for ends with it: nobody is asked for what nobody may do any more."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.counting import RESOURCES, Counting, call
from remit.trace.bodies import Event
from tests.e2e.test_lost_ledger import recorded
from tests.eventually import awaited

OTHER = """---
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: teller}
spec: {owner: platform, purpose: counts too, groups: [clerks]}
"""
CLERK = RESOURCES.split("---\n", 1)[0]
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with Counting(tmp_path, hold_s=0.1) as running:
        service = running.service
        whole = (service.workspace / "resources.yaml").read_text("utf-8")
        service.write({"clerk.yaml": CLERK, "teller.yaml": OTHER, "resources.yaml": whole.split("---\n", 1)[1]})
        service.apply()
        yield running


def asked(counting: Counting, agent: str) -> None:
    """Have `agent` ask people for what needs them."""
    asyncio.run(call(counting.service, counting.service.agent(agent), "add", {"id": agent, "amount": 50}))


def states(counting: Counting) -> dict[str, str]:
    """How what each agent asked last stands."""
    items = counting.service.approvals(ended=True)
    return {item["agent"]: item["state"] for item in reversed(items)}


@pytest.mark.parametrize("running", [True, False])
def test_approvals_of_an_agent_that_is_gone_are_withdrawn(counting: Counting, *, running: bool) -> None:
    service = counting.service
    for agent in ("clerk", "teller"):
        asked(counting, agent)
    assert states(counting) == {"clerk": "pending", "teller": "pending"}
    if not running:
        service.stop()
    (service.workspace / "clerk.yaml").unlink()
    if running:
        service.apply()
    else:
        service.start()
    awaited(lambda: states(counting)["clerk"] == "cancelled")
    assert states(counting)["teller"] == "pending"
    [ended] = [one for one in recorded(service.data) if one.event is Event.APPROVAL_CANCELLED]
    assert ended.data["why"] == "agent clerk is gone: the running bundle declares none that is called so"
    service.write({"clerk.yaml": CLERK})
    service.apply()
    asked(counting, "clerk")
    assert states(counting)["clerk"] == "pending", "whoever comes back asks anew"
