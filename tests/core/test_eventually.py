"""What tests wait for comes, or they fail and say what they saw."""

import pytest

from tests.eventually import awaited, eventually


@pytest.mark.asyncio
async def test_what_comes_is_handed_back_and_what_does_not_fails_with_what_was_seen_last() -> None:
    left = [7, 0, 0]

    async def popped() -> int:
        return left.pop()

    assert await eventually(popped) == 7
    left = [8, 0]
    assert await eventually(left.pop) == 8
    seen: list[str] = []
    with pytest.raises(AssertionError, match=r"seen last: \[\]"):
        await eventually(lambda: seen, within_s=0)


def test_so_it_is_without_a_loop() -> None:
    left = [7, 0, 0]
    assert awaited(left.pop) == 7
    with pytest.raises(AssertionError, match=r"not within 0 s; seen last: ''"):
        awaited(lambda: "", within_s=0)
