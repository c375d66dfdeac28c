"""An apply of thousands of policies beside a running service: calls go on, and nothing invalid ever runs."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from proof.counting import Counting, call

POLICIES = 1_500


def many(mark: str, count: int = POLICIES) -> str:
    """Valid policies, no two applies' alike, that the counter's calls have to pass."""
    return "\n".join(
        f'@id("{mark}-{n}") forbid (principal, action == Remit::Action::"counter___add", resource) '
        f"when {{ context.inputSize > {100_000 + n} && context.session.calls > {n} }};"
        for n in range(count)
    )


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("beside")) as running:
        yield running


async def answered_during(counting: Counting, *command: str) -> tuple[list[float], float, str]:
    """When calls were answered while `remit COMMAND` ran, in seconds since it began; how long it took; what it said."""
    service = counting.service
    agent = service.agent("clerk")
    began = time.monotonic()
    running = asyncio.create_task(asyncio.to_thread(service.remit, *command))
    times: list[float] = []
    while not running.done():
        result = await call(service, agent, "peek", {})
        assert not result.is_error
        times.append(time.monotonic() - began)
    done = await running
    return times, time.monotonic() - began, done.stdout + done.stderr


@pytest.mark.asyncio
async def test_calls_are_answered_while_thousands_of_policies_are_applied(counting: Counting) -> None:
    service = counting.service
    service.write({"many.cedar": many("first")})
    times, took_s, said = await answered_during(counting, "apply")
    assert "running bundle sha256:" in said
    within = [one for one in times if one < took_s]
    assert len(within) >= 5, f"{len(within)} calls in {took_s:.1f} s"
    gaps = [later - earlier for earlier, later in zip([0.0, *within], [*within, took_s], strict=True)]
    assert max(gaps) < took_s / 2, f"nothing was answered for {max(gaps):.1f} of {took_s:.1f} s"
    assert len(service.told("get", "policies")) >= POLICIES


def test_one_invalid_policy_among_thousands_is_named_and_nothing_changes(counting: Counting) -> None:
    service = counting.service
    service.write({"many.cedar": many("first")})
    before = service.apply()["bundle"]
    bad = '\n@id("bad") forbid (principal, action, resource) when { context.inputSze > 1 };\n'
    service.write({"many.cedar": many("second") + bad})
    refused = service.remit("apply")
    assert refused.returncode == 3
    assert f"many.cedar:{POLICIES + 1}:" in refused.stderr
    assert "inputSize" in refused.stderr
    assert not asyncio.run(call(service, service.agent("clerk"), "add", {"id": "still"})).is_error
    service.write({"many.cedar": many("first")})
    assert service.apply()["bundle"] == before
