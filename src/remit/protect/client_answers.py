"""What a client's answers in mid-call bring of their own: what the protocol has it say of them brings nothing."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from remit.facts.canonical import Json

_WORDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "action": frozenset({"accept", "decline", "cancel"}),
        "role": frozenset({"user", "assistant"}),
        "stopReason": frozenset({"endTurn", "stopSequence", "maxTokens", "toolUse"}),
    }
)
"""The words that an answer says of itself, by its member."""
_KINDS: Final = frozenset({"text", "image", "audio", "tool_use", "tool_result"})
"""What the content of a sampled message may be."""


def without_protocol_words(answers: Json) -> Json:
    """`answers`, by the keys of their questions, without the words of the protocol: what is left somebody chose."""
    return {key: _without_words(answer) for key, answer in answers.items()} if isinstance(answers, Mapping) else answers


def _without_words(answer: Json) -> Json:
    if not isinstance(answer, Mapping):
        return answer
    members = {
        name: value for name, value in answer.items() if not (isinstance(value, str) and value in _WORDS.get(name, ()))
    }
    if "action" in answer:
        return members
    content = members.get("content")
    if isinstance(content, list):
        members["content"] = [_untyped(block) for block in content]
    elif "content" in members:
        members["content"] = _untyped(content)
    return members


def _untyped(block: Json) -> Json:
    if not isinstance(block, Mapping):
        return block
    return {name: value for name, value in block.items() if name != "type" or str(value) not in _KINDS}
