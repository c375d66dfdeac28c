"""Trace context as the W3C has it: continued when it is well-formed, begun when it is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.trace import FRESH_BYTES, Trace, begun, continued
from remit.pep.request_context import RequestContext

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{PARENT}-01"
FRESH = bytes(range(1, FRESH_BYTES + 1))
hexes = st.text("0123456789abcdef", min_size=2, max_size=2)


def test_a_trace_begins_here_and_names_itself() -> None:
    ours = begun(FRESH)
    assert ours == Trace(FRESH[:16].hex(), FRESH[16:].hex(), None, 2)
    assert str(ours) == f"00-{FRESH[:16].hex()}-{FRESH[16:].hex()}-02"
    assert continued(str(ours), begun(bytes(24))).trace == ours.trace, "what we write, we read"


def test_a_callers_trace_goes_on_under_a_span_of_ours() -> None:
    ours = continued(GIVEN, begun(FRESH))
    assert ours == Trace(TRACE, FRESH[16:].hex(), PARENT, 1)
    assert str(ours) == f"00-{TRACE}-{FRESH[16:].hex()}-01"


@pytest.mark.parametrize(
    "given",
    [
        None,
        7,
        "",
        GIVEN.upper(),
        f" {GIVEN}",
        f"{GIVEN}\n",
        f"{GIVEN}-00",
        f"{GIVEN}-",
        f"{GIVEN},{GIVEN}",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}",
        f"0-{TRACE}-{PARENT}-01",
        f"01-{TRACE}-{PARENT}-01x",
        f"01-{TRACE}-{PARENT}-01-{'x' * 600}",
        f"00-{TRACE}-{PARENT}-0٣",
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(given: object) -> None:
    assert continued(given, begun(FRESH)) == begun(FRESH)


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    ours = continued(f"cc-{TRACE}-{PARENT}-ff-what-the-future-will-be-like", begun(FRESH))
    assert ours == Trace(TRACE, FRESH[16:].hex(), PARENT, 3)
    assert str(ours).startswith("00-")


def test_the_message_speaks_before_the_hop() -> None:
    other = f"00-{'a' * 32}-{'b' * 16}-00"

    def told(header: str | None, meta: object) -> Trace | None:
        account = RequestContext(continued(header, begun(FRESH)))
        account.within(meta)
        return account.trace

    hop = continued(GIVEN, begun(FRESH))
    for nothing in (None, {}, {"traceparent": "nonsense"}):
        assert told(GIVEN, nothing) == hop
    assert told(GIVEN, {"traceparent": other}) == Trace("a" * 32, FRESH[16:].hex(), "b" * 16, 0)
    assert told(None, {"traceparent": {"a": 1}}) == begun(FRESH)


def test_ids_of_zeros_are_never_ours() -> None:
    ours = begun(bytes(FRESH_BYTES))
    assert continued(str(ours), begun(FRESH)).parent == ours.span


@given(st.text() | st.tuples(hexes, hexes).map(lambda p: f"{p[0]}-{TRACE}-{PARENT}-{p[1]}"), st.binary(min_size=24))
def test_whatever_comes_in_what_goes_out_is_well_formed(given: str, fresh: bytes) -> None:
    ours = continued(given, begun(fresh))
    assert continued(str(ours), begun(FRESH)) == Trace(ours.trace, FRESH[16:].hex(), ours.span, ours.flags)
