"""A tool's result by its blocks: the texts, the structured value, and all else that an upstream wrote."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from remit.facts.canonical import Json

_READ: Final = frozenset({"content", "structuredContent", "isError"})
_BLOCK: Final = frozenset({"type", "text"})


class Blocks(NamedTuple):
    """The parts of an MCP result, each in its order: `texts` that say something, `structured`, and `others`."""

    texts: Sequence[str]
    structured: Json
    others: Sequence[Json]


def blocks(result: Json) -> Blocks:
    """The parts of `result`; what has not the form of an MCP result is one of the others."""
    content = result.get("content") if isinstance(result, Mapping) else None
    if not isinstance(result, Mapping) or not isinstance(content, Sequence) or isinstance(content, str):
        return Blocks((), None, (result,))
    texts: list[str] = []
    others: list[Json] = []
    for block in content:
        text = block.get("text") if isinstance(block, Mapping) and block.get("type") == "text" else None
        if not isinstance(block, Mapping) or not isinstance(text, str):
            others.append(block)
            continue
        if text and not text.isspace():
            texts.append(text)
        others.append({name: value for name, value in block.items() if name not in _BLOCK})
    others.append({name: value for name, value in result.items() if name not in _READ})
    return Blocks(texts, result.get("structuredContent"), others)
