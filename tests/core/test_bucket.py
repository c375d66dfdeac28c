"""A token bucket never gives more than its burst and its rate, whenever it is asked."""

from hypothesis import given
from hypothesis import strategies as st

from remit.facts.bucket import Bucket, Buckets


def test_a_burst_then_the_rate_then_when_to_come_back() -> None:
    bucket = Bucket(per_s=2.0, burst=3.0, at_s=100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert bucket.take(100.5) == 0.0
    assert bucket.take(100.5) == 0.5
    assert not bucket.is_full(100.9)
    assert bucket.is_full(102.5)


def test_many_are_taken_at_once_and_never_more_than_all_of_it() -> None:
    bucket = Bucket(per_s=2.0, burst=4.0, at_s=100.0)
    assert bucket.take(100.0, 3.0) == 0.0
    assert bucket.take(100.0, 2.0) == 0.5
    assert bucket.take(101.5, 400.0) == 0.0
    assert bucket.take(101.5) == 0.5


def test_what_is_used_already_is_owed_and_nothing_passes_until_it_is_made_up_for() -> None:
    bucket = Bucket(per_s=0.5, burst=4.0, at_s=100.0)
    bucket.spend(100.0, 3.0)
    assert bucket.owes_s(100.0) == 0.0
    bucket.spend(100.0, 3.0)
    assert bucket.owes_s(100.0) == 4.0
    assert bucket.take(101.0) == 5.0
    assert bucket.owes_s(104.0) == 0.0


def test_each_name_has_a_bucket_of_its_own_and_full_ones_are_forgotten() -> None:
    buckets = Buckets(per_s=1.0, burst=2.0)
    buckets.of("clerk", 100.0).take(100.0, 2.0)
    for number in range(1_100):
        assert buckets.of(f"agent-{number}", 100.0).take(100.0, 0.0) == 0.0
    assert buckets.of("clerk", 100.0).take(100.0) == 1.0


def test_a_clock_that_goes_back_fills_nothing() -> None:
    bucket = Bucket(per_s=1.0, burst=1.0, at_s=100.0)
    assert bucket.take(100.0) == 0.0
    assert bucket.take(50.0) == 1.0
    assert bucket.take(100.5) == 0.5


@given(st.lists(st.floats(0, 0.5), max_size=60), st.floats(0.5, 50), st.integers(1, 20))
def test_no_more_than_burst_and_rate_pass(gaps: list[float], per_s: float, burst: int) -> None:
    bucket, now, passed = Bucket(per_s, burst, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        passed += bucket.take(now) == 0.0
    assert passed <= burst + now * per_s + 1e-6
