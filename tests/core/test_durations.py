"""Lengths of time, as people read them."""

import pytest

from remit.facts.durations import DAY_S, HOUR_S, spelled


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (HOUR_S - 1, "59 min 59 s"),
        (HOUR_S, "1 h 0 min"),
        (8 * HOUR_S - 200, "7 h 56 min"),
        (DAY_S, "1 d 0 h"),
        (2 * DAY_S + 3 * HOUR_S + 59, "2 d 3 h"),
    ],
)
def test_a_length_of_time_is_told_by_its_two_largest_units(seconds: int, told: str) -> None:
    assert spelled(seconds) == told
