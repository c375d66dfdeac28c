"""Random policy sets over random requests: generated code says what cedarpy says, validated or not."""

import random

from hypothesis import assume, given
from hypothesis import strategies as st

from proof.cedar import Policies
from proof.cedar_random import WILD, policies, request

REQUESTS = 10


def compared(made: Policies, rng: random.Random) -> None:
    try:
        assert made.forms
    except ValueError:
        assume(False)
    for _ in range(REQUESTS):
        asked = request(rng)
        ours = made.by_code(asked)
        assert ours == made.by_cedar(asked), (made.text, asked)


@given(st.randoms(use_true_random=False))
def test_typed_policies_are_judged_as_by_cedarpy(rng: random.Random) -> None:
    compared(policies(rng, wild=0), rng)


@given(st.randoms(use_true_random=False))
def test_policies_that_no_schema_saw_are_judged_as_by_cedarpy(rng: random.Random) -> None:
    compared(policies(rng, wild=WILD), rng)
