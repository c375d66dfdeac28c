"""Moments as people read them."""

from remit.facts.moment import instant


def test_a_moment_is_written_to_the_second_and_one_that_no_calendar_has_is_left_out() -> None:
    assert instant(1_999) == "1970-01-01T00:00:01Z"
    assert instant(2**53 - 1) == ""
