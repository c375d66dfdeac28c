"""What a tool says that a call would do: for people to read, and nobody else's word than the tool's."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from remit.facts.canonical import Json, canonical

TEXT_CHARS_MAX: Final = 16_384
"""Of what a dry run answers so much is kept."""


class Foreseen(NamedTuple):
    """The answer of a dry run by the tool `by`, or `why` there is none; both where the tool says that it failed.

    `labels` are those that what it says may have.
    """

    by: str
    text: str = ""
    labels: tuple[str, ...] = ()
    why: str = ""


def result_text(result: Mapping[str, Json]) -> str:
    """The text of a released tool result: its blocks of text or, where it has none, its structured content.

    Blocks that are no text are counted.
    """
    content = result.get("content")
    blocks = [one for one in content if isinstance(one, Mapping)] if isinstance(content, Sequence) else []
    texts = [str(one.get("text", "")) for one in blocks if one.get("type") == "text"]
    others = len(blocks) - len(texts)
    if not any(texts) and "structuredContent" in result:
        texts = [canonical(result["structuredContent"]).decode("utf-8")]
    if others:
        texts.append(f"({others} that are no text)")
    return "\n".join(texts)[:TEXT_CHARS_MAX]
