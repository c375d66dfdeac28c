"""The throttle: each agent's rate, what it holds open, and the end of the service."""

from collections import Counter
from dataclasses import replace

import pytest

from remit.facts.limits import DEFAULT, Limits
from remit.pep.throttle import Busy, Throttle
from tests.set_clock import Clock


def throttle(limits: Limits) -> tuple[Throttle, Clock, Counter[str]]:
    clock, refused = Clock(), Counter[str]()
    return Throttle(limits, clock, lambda code: refused.update([code])), clock, refused


def refusal(where: Throttle, agent: str = "clerk") -> Busy:
    with pytest.raises(Busy) as found, where.request(agent):
        pass
    return found.value


def test_an_agent_beyond_its_rate_is_told_when_to_come_back_and_others_are_not_touched() -> None:
    where, clock, refused = throttle(replace(DEFAULT, requests_per_s_max=0.5, requests_burst_max=2))
    for _ in range(2):
        with where.request("clerk"):
            pass
    busy = refusal(where)
    assert (busy.status, busy.code, busy.retry_s) == (429, "limit/requests", 2)
    assert "requests_per_s_max" in busy.text
    with where.request("other"):
        pass
    clock.s += busy.retry_s
    with where.request("clerk"):
        pass
    assert refused == {"limit/requests": 1}


def test_a_large_body_counts_as_the_requests_that_it_costs() -> None:
    where, _, refused = throttle(replace(DEFAULT, requests_per_s_max=1.0, requests_burst_max=100))
    where.weigh("clerk", b'{"to":"x"}' + b" " * 4_000)
    where.weigh("clerk", b'{"text":"' + b"a,b:[" * 2_500 + b'"}')  # text is no more than its bytes
    where.weigh("clerk", b"[" + b"0," * 2_800 + b"0]")
    with pytest.raises(Busy, match="of which a large one is several"):
        where.weigh("clerk", b"[" + b"0," * 900 + b"0]")
    with pytest.raises(Busy):
        where.weigh("helper", b"x" * 404_000 + b"," * 4_096)
    assert refused == {"limit/requests": 2}


def test_what_a_request_asks_for_beside_itself_counts_as_so_many_requests() -> None:
    where, clock, refused = throttle(replace(DEFAULT, requests_per_s_max=1.0, requests_burst_max=10))
    where.charge("clerk", 0)
    where.charge("clerk", 8)
    with pytest.raises(Busy, match="more than 1 requests a second") as busy:
        where.charge("clerk", 6)
    assert busy.value.retry_s == 4
    assert refused == {"limit/requests": 1}
    where.charge("helper", 10)
    clock.s += 8
    where.charge("clerk", 400)  # never more than an agent may do at once: it costs all of that
    with pytest.raises(Busy), where.request("clerk"):
        pass


def test_an_agent_that_holds_too_much_open_is_refused_until_it_lets_go() -> None:
    where, _, _ = throttle(replace(DEFAULT, requests_per_agent_max=2))
    with where.request("clerk"):
        with where.request("clerk"):
            assert refusal(where).code == "limit/requests-per-agent"
            assert where.requests == 2
            with where.request("other"):
                assert where.requests == 3
        with where.request("clerk"):
            pass
    assert where.requests == 0


def test_streams_are_bounded_per_agent_and_in_all() -> None:
    where, _, refused = throttle(replace(DEFAULT, streams_per_agent_max=1, streams_max=2))
    with where.stream("a"):
        with pytest.raises(Busy) as found, where.stream("a"):
            pass
        assert (found.value.status, found.value.code) == (429, "limit/streams-per-agent")
        with where.stream("b"):
            with pytest.raises(Busy) as found, where.stream("c"):
                pass
            assert (found.value.status, found.value.code) == (503, "limit/streams")
            assert where.streams == 2
        with where.stream("c"):
            pass
    assert where.streams == 0
    assert refused == {"limit/streams-per-agent": 1, "limit/streams": 1}


def test_watches_of_a_server_are_bounded_per_agent_and_in_all() -> None:
    where, _, refused = throttle(replace(DEFAULT, watches_per_agent_max=2, watches_max=5))
    ends = [where.watch("clerk", "shop") for _ in range(2)]
    with pytest.raises(Busy, match="clerk watches server shop for 2 different things") as found:
        where.may_watch("clerk", "shop", instead=False)
    assert (found.value.status, found.value.code) == (429, "limit/watches-per-agent")
    where.may_watch("helper", "shop", instead=False)
    where.may_watch("clerk", "bank", instead=False)
    for _ in range(2):
        where.may_watch("clerk", "shop", instead=True)
        ends.append(where.watch("clerk", "shop"))
    with pytest.raises(Busy, match="watches_per_agent_max"):
        where.may_watch("clerk", "shop", instead=True)
    other = where.watch("helper", "shop")
    with pytest.raises(Busy, match="server shop is watched 5 times") as found:
        where.may_watch("guest", "shop", instead=False)
    assert (found.value.status, found.value.code) == (503, "limit/watches")
    for ended in (*ends, other):
        ended(None)
    where.may_watch("clerk", "shop", instead=False)
    assert refused == {"limit/watches-per-agent": 2, "limit/watches": 1}


def test_a_service_that_ends_takes_nothing_new_and_tells_its_streams() -> None:
    where, _, _ = throttle(DEFAULT)
    with where.request("clerk"), where.stream("clerk") as closing:
        assert not closing.is_set()
        where.closing.set()
        assert closing.is_set()
        busy = refusal(where)
        assert (busy.status, busy.code) == (503, "service/draining")


def test_large_answers_are_held_per_agent_and_in_all_and_one_always_may() -> None:
    where, _, refused = throttle(replace(DEFAULT, held_bytes_per_agent_max=10, held_bytes_max=15))
    with where.request("a") as first, where.request("a") as second, where.request("b") as other:
        assert first.hold(8)
        assert first.hold(40), "what one request holds alone it may"
        assert not second.hold(1)
        assert other.hold(3), "whatever others hold"
        assert refused == {"limit/held-bytes": 1}
        with where.request("b") as full:
            assert not full.hold(1), "all that is held is too much"
        assert where.held_bytes == 51
    assert where.held_bytes == 0
    assert first.hold(100), "what comes for one that left is nobody's"
    with where.request("a") as third, where.request("a") as fourth, where.request("b") as other:
        assert third.hold(6)
        assert not fourth.hold(5)
        assert fourth.hold(4)
        assert other.hold(5)
    assert where.held_bytes == 0
    assert refused == {"limit/held-bytes": 3}
