"""Labels follow the data: what a tool's answer brings into the sessions that asked for it."""

from remit.facts.catalog import Tool
from remit.facts.label import NONE, Labels, closed


def brought_by(tool: Tool, *, reached: bool) -> Labels:
    """The labels that `tool` adds, closed upward; none where the call surely never reached it.

    An error, a timeout and a lost answer bring the same labels as a result: their words are
    the upstream's too, and nobody knows what an answer that was cut off had already said.
    """
    return closed(tool.source) if reached else NONE
