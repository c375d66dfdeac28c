"""The sealed `requestState`: it comes back to its asker, for its request, in time, and to nobody else."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.agent import Authority, Link
from remit.pep.mcp.request_state import RequestStates, Round, StateRefused, request_key


class Clock:
    now = 1_000

    def now_ms(self) -> int:
        return self.now

    def monotonic_s(self) -> float:
        return self.now / 1000


class Entropy:
    count = 0

    def token_bytes(self, count: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(count, "big")


ANN = Authority((Link("clerk", "s1"),), "ann", "t1", 2**50)
ALPHABET = string.ascii_letters + string.digits + "-_"
KEY = request_key("tools/call", b"shop", b"pay", b"{}")
HELD = Round("r1", "sha256:a", "1.7", KEY, 5_000)


def test_a_state_comes_back_whole_and_hides_what_it_holds() -> None:
    rounds = RequestStates(Clock(), Entropy())
    state = rounds.seal(HELD, ANN)
    assert rounds.open(state, ANN, KEY) == HELD
    assert rounds.open(state, replace(ANN, token="t2"), KEY) == HELD
    assert "sha256" not in state
    assert rounds.seal(HELD, ANN) != state


@pytest.mark.parametrize(
    "stranger",
    [
        replace(ANN, user="bob"),
        replace(ANN, user=None),
        replace(ANN, links=(Link("clerk", "s2"),)),
        replace(ANN, links=(Link("helper", "s1"),)),
        replace(ANN, links=(*ANN.links, Link("helper", "s3"))),
    ],
)
def test_no_other_asker_opens_it(stranger: Authority) -> None:
    rounds = RequestStates(Clock(), Entropy())
    with pytest.raises(StateRefused, match="none that this service gave"):
        rounds.open(rounds.seal(HELD, ANN), stranger, KEY)


def test_it_is_for_one_request_and_a_while() -> None:
    clock = Clock()
    rounds = RequestStates(clock, Entropy())
    state = rounds.seal(HELD, ANN)
    with pytest.raises(StateRefused, match="another request"):
        rounds.open(state, ANN, request_key("tools/call", b"shop", b"pay", b'{"a":1}'))
    clock.now = HELD.expires_ms
    with pytest.raises(StateRefused, match="expired"):
        rounds.open(state, ANN, KEY)


def test_another_start_refuses_it() -> None:
    entropy = Entropy()
    state = RequestStates(Clock(), entropy).seal(HELD, ANN)
    with pytest.raises(StateRefused):
        RequestStates(Clock(), entropy).open(state, ANN, KEY)


@given(st.text(max_size=60) | st.text("abcXYZ0189-_=", max_size=200) | st.just("A" * 5_000))
def test_what_was_not_sealed_here_is_refused(state: str) -> None:
    with pytest.raises(StateRefused):
        RequestStates(Clock(), Entropy()).open(state, ANN, KEY)


@given(st.integers(0), st.integers(1, 255))
def test_no_byte_of_it_can_change(place: int, change: int) -> None:
    rounds = RequestStates(Clock(), Entropy())
    state = bytearray(rounds.seal(HELD, ANN).encode())
    index = place % len(state)
    state[index] = (state[index] + change) % 256
    with pytest.raises(StateRefused):
        rounds.open(state.decode("latin-1"), ANN, KEY)


def test_no_character_of_it_can_be_another() -> None:
    """Not even where the last one holds bits that stand for nothing, or one has another form in another alphabet."""
    rounds = RequestStates(Clock(), Entropy())
    for ident in ("r", "rr", "rrr"):
        state = rounds.seal(replace(HELD, ident=ident), ANN)
        for index, before in enumerate(state):
            for other in f"{ALPHABET}+/=".replace(before, ""):
                with pytest.raises(StateRefused):
                    rounds.open(state[:index] + other + state[index + 1 :], ANN, KEY)


@given(st.lists(st.binary(max_size=3), max_size=3), st.lists(st.binary(max_size=3), max_size=3))
def test_requests_are_told_apart_by_every_part(one: list[bytes], other: list[bytes]) -> None:
    assert (request_key("m", *one) == request_key("m", *other)) == (one == other)
