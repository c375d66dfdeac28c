"""What a user answers in a gated call people decide on too; a client that cannot come back is kept until they have."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from mcp_types import ElicitResult

from tests.e2e.pairs import OLD, Pairs, pairs
from tests.eventually import eventually

GATE = """\
@id("painting-asks")
@gate("owner")
@reason("painting needs an owner")
forbid (principal, action == Remit::Action::"old___paint", resource);
"""
ROUTE = """\
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: sam}
spec: {}
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata: {name: owner}
spec: {users: [sam], hold_s: 0.1}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pairs]:
    with pairs(tmp_path_factory.mktemp("answers")) as running:
        running.service.write({"gate.cedar": GATE, "route.yaml": ROUTE})
        running.service.apply()
        yield running


def test_a_client_of_the_handshake_era_is_kept_while_people_decide_on_its_users_answer(world: Pairs) -> None:
    service = world.service
    sam = service.mint("user", "sam")["token"]
    answered = asyncio.Event()

    async def elicit(*_: Any) -> ElicitResult:
        answered.set()
        return ElicitResult(action="accept", content={"colour": "red"})

    async def decide() -> None:
        """Say yes to the one approval that waits, once it does."""

        async def waits() -> list[str]:
            found = await asyncio.to_thread(service.told, "approvals", "ls", token=sam)
            return [one["id"] for one in found if one["state"] == "pending"]

        await asyncio.to_thread(service.told, "approvals", "approve", (await eventually(waits))[0], token=sam)

    async def work() -> str:
        async with world.client(OLD, OLD, elicitation_callback=elicit) as client:
            assert (await client.call_tool("paint", {})).is_error, "held for people, and not yet decided"
            await decide()
            asked = asyncio.create_task(client.call_tool("paint", {}))
            await answered.wait()
            await decide()
            [said] = (await asked).content
            return str(getattr(said, "text", said))

    assert asyncio.run(work()) == "painted red"
