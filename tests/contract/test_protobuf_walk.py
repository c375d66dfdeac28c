"""Protobuf is walked as its own library reads it, and what is none is said to be torn."""

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Message

from remit.adapters.sources.protobuf import TooMany, Torn, Walk

SPAN = Message(trace_id=b"t" * 16, name="n" * 300, start_time_unix_nano=2**60, flags=7, dropped_attributes_count=2**31)
DATA = SPAN.SerializeToString()


def walked(data: bytes, fields_max: int = 99) -> list[tuple[int, bytes]]:
    return [(number, data[at:to]) for number, at, to in Walk(data, fields_max).fields(0, len(data))]


def test_fields_of_bytes_are_found_among_all_others() -> None:
    assert walked(DATA) == [(1, b"t" * 16), (5, b"n" * 300)]
    assert walked(b"") == []


def test_a_message_that_ends_anywhere_early_is_torn_or_shorter() -> None:
    whole = walked(DATA)
    for end in range(len(DATA)):
        try:
            assert walked(DATA[:end]) == whole[: len(walked(DATA[:end]))]
        except Torn:
            continue


@pytest.mark.parametrize("data", [b"\x0b", b"\x0a", b"\x0a\x05x", b"\x09abc", b"\x0dab", b"\xff" * 20, b"\x08\x80"])
def test_what_is_no_message_is_torn(data: bytes) -> None:
    with pytest.raises(Torn):
        walked(data)


def test_more_fields_than_allowed_are_refused() -> None:
    assert len(walked(b"\x0a\x00" * 5, 5)) == 5
    with pytest.raises(TooMany):
        walked(b"\x0a\x00" * 6, 5)
