"""Why people refuse: preset reasons, of which the agent is told the sentence.

What a person writes beside it is for other people. An agent that reads a reason can act on it, and a sentence of
ours carries nothing that it should not know.
"""

from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Refusal(StrEnum):
    """A preset reason of a no."""

    NOT_ALLOWED = "not-allowed"
    NOT_NEEDED = "not-needed"
    WRONG_TARGET = "wrong-target"
    WRONG_CONTENT = "wrong-content"
    TOO_MUCH = "too-much"
    NOT_NOW = "not-now"
    UNCLEAR = "unclear"
    SUSPICIOUS = "suspicious"


SENTENCES: Final = MappingProxyType(
    {
        Refusal.NOT_ALLOWED: "this is not to be done: do not ask for it again",
        Refusal.NOT_NEEDED: "the task does not need it: go on without it",
        Refusal.WRONG_TARGET: "it would reach the wrong recipient or place: check whom or what it is for",
        Refusal.WRONG_CONTENT: "what it would send or write is not right: correct it and ask again",
        Refusal.TOO_MUCH: "it is too much at once: ask for less",
        Refusal.NOT_NOW: "not now: go on with something else",
        Refusal.UNCLEAR: "it is not clear what it is for: ask the user what he wants",
        Refusal.SUSPICIOUS: "it looks as if something other than the user asked for it: stop, and ask the user",
    }
)


def sentence(reason: str | None) -> str | None:
    """The sentence that the agent is told for `reason`; None where there is none, or it is not ours."""
    try:
        return None if reason is None else SENTENCES[Refusal(reason)]
    except ValueError:
        return None


def refused_text(by: str, reason: str | None) -> str:
    """What the agent is told of a no of `by`."""
    why = sentence(reason)
    return f"people were asked and it was refused by {by}" + ("" if why is None else f": {why}")
