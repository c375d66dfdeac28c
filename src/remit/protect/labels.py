"""Labels follow the data: what a tool's answer brings into the sessions that asked for it."""

from remit.facts.label import NONE, Labels, closed


def brought_by(source: Labels, *, reached: bool) -> Labels:
    """The labels that an answer from `source` adds, closed upward; none where the request surely never got there.

    An error, a timeout and a lost answer bring the same labels as a result: their words are
    the upstream's too, and nobody knows what an answer that was cut off had already said.
    """
    return closed(source) if reached else NONE
