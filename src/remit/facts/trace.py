"""Trace context (W3C Trace Context, level 2): which request of whom this one belongs to.

Laws
* What does not parse is as if it were not there: a trace begins here, and the request goes on.
* Of what a client sends, two ids and two flags are kept. `tracestate` and `baggage` are free text
  that no policy sees, so they are dropped (which both specifications allow).
* Pure: fresh ids are a parameter.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

FRESH_BYTES: Final = 24
"""How much chance a trace takes: 16 bytes for its id and 8 for that of our span."""
KEY: Final = "traceparent"
"""The header, and the key in MCP's `_meta` (SEP-414)."""

_FORM: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.DOTALL)
_FLAGS: Final = 0x03
_CHARS_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class Trace:
    """One request within a trace: ids in lower-case hex, 32 and 16 digits.

    `span` is ours, `parent` the caller's, None where the trace began here. `flags`: 1 sampled,
    2 random.
    """

    trace: str
    span: str
    parent: str | None = None
    flags: int = 0

    def __str__(self) -> str:
        """The `traceparent` that names this request: for what we send on because of it."""
        return f"00-{self.trace}-{self.span}-{self.flags:02x}"


def begun(fresh: bytes) -> Trace:
    """A trace that begins here; `fresh` are `FRESH_BYTES` unpredictable bytes."""
    # An id of zeros is none (section 3.2.2.3); chance never makes one, a test may.
    trace, span = fresh[:16].hex(), fresh[16:FRESH_BYTES].hex()
    return Trace(trace if trace.strip("0") else "1".zfill(32), span if span.strip("0") else "1".zfill(16), None, 2)


def continued(header: object, ours: Trace) -> Trace:
    """`ours` as a part of the trace that `header`, the value of a `traceparent`, names.

    Unchanged when it names none: section 3.2.2, and 3.2.4 for versions yet unknown.
    """
    if not isinstance(header, str) or len(header) > _CHARS_MAX:
        return ours
    match = _FORM.fullmatch(header)
    if match is None:
        return ours
    version, trace, parent, flags, rest = match.groups()
    if version == "ff" or (version == "00" and rest) or not trace.strip("0") or not parent.strip("0"):
        return ours
    return replace(ours, trace=trace, parent=parent, flags=int(flags, 16) & _FLAGS)
