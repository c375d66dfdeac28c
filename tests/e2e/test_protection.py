"""Each obligation, detector and mode of quarantine through a real service: held with it on, through with it off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from proof.protection.cases import CASES, clinic

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from proof.protection.cases import Case
    from proof.protection.world import Clinic


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Generator[Clinic]:
    with clinic(tmp_path_factory.mktemp("clinic")) as made:
        yield made


@pytest.mark.asyncio
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_what_is_protected_against_is_held_and_gets_through_without_it(world: Clinic, case: Case) -> None:
    on = await case.play(world, on=True)
    assert not case.through(on), on
    assert case.works(on), on
    off = await case.play(world, on=False)
    assert case.through(off), off


def test_a_poisoned_description_is_told_of_at_review(tmp_path: Path) -> None:
    with clinic(tmp_path) as world:
        lock = world.service.workspace / "remit.lock"
        lock.unlink()
        (world.service.workspace / "policies.cedar").unlink()
        assert world.service.remit("apply").returncode == 0
        items = {item["tool"]: item["difference"] for item in world.service.told("tools", "review", "plain")["items"]}
        told = [line for line in items["plain/add"] if line.startswith("read twice: its description ")]
        assert {line.removeprefix("read twice: its description ").partition(":")[0] for line in told} == {
            "asks to keep something from the user",
            "claims authority over the model",
            "asks for what the tool does not need",
            "names a file of the user's",
        }
        assert not [line for name in items if name != "plain/add" for line in items[name] if "read twice" in line]
