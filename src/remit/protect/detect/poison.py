"""What in a tool's own description speaks to the model instead of describing the tool.

A person accepts tools; this tells him where to look. Sources: "tool poisoning", "shadowing" and "line jumping" as
published since 2025 (MCP's security best practices, OWASP ASI02). Nothing is refused by it: a careful attacker writes
what no rule knows, and the pin holds whatever was accepted.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from remit.facts.canonical import Json
from remit.facts.text import escaped
from remit.facts.tool import Definition
from remit.protect.detect.hidden import hidden
from remit.protect.detect.secrets import secrets

CHARS_MAX: Final = 64 * 1024
"""What is read of one text of a definition."""
FOUND_MAX: Final = 20
_SHOWN_CHARS_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Poison:
    """A find: `where` in the definition, `kind` it is, and the `words`, escaped."""

    where: str
    kind: str
    words: str

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.where} {self.kind}: {self.words}"


def _form(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


_RULES: Final = (
    (
        "tells the model to disregard what it was told",
        _form(
            r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,30}\b(?:previous|prior|earlier|above|all|any|other|your|system)\b"
            r"[^.\n]{0,30}\b(?:instruction|prompt|rule|guideline|direction|polic|constraint|message|context)"
        ),
    ),
    (
        "asks to keep something from the user",
        _form(
            r"\b(?:do not|don't|never|without|avoid|must not|should not)\b[^.\n]{0,30}"
            r"\b(?:tell|telling|mention|mentioning|inform|informing|reveal|revealing|show|showing|notify|notifying|alert|alerting|disclose|disclosing)\b"
            r"[^.\n]{0,40}\b(?:user|human|person|anyone|operator|them)\b"
        ),
    ),
    (
        "claims authority over the model",
        _form(
            r"<\s*/?\s*(?:important|system|instructions?|secret|hidden|critical|admin|assistant|override)\b[^>]{0,40}>"
            r"|\[(?:system|inst|important)\]|<\|[a-z_]{2,20}\|>|\b(?:system|developer)\s*(?:prompt|message|instruction|note)s?\s*:"
            r"|\byou are now\b|\bnew instructions?\b\s*:"
        ),
    ),
    (
        "says when other tools are to be called",
        _form(
            r"\b(?:before|after|whenever|every time|each time|when|prior to)\b[^.\n]{0,40}"
            r"\b(?:using|calling|invoking|running|use|call|invoke|run)\b[^.\n]{0,20}\b(?:any|other|another|all|every|each)\b[^.\n]{0,12}\btools?\b"
            r"|\b(?:must|always|need to|have to|should)\b[^.\n]{0,20}\b(?:call|use|invoke|run)\b[^.\n]{0,30}"
            r"\b(?:first|before any|before every|before all|instead of)\b"
            r"|\binstead of\b[^.\n]{0,30}\b(?:tool|the other|official)\b"
        ),
    ),
    (
        "asks for what the tool does not need",
        _form(
            r"\b(?:pass|include|send|provide|append|attach|add|put|copy|forward|read|paste|supply|give)\b[^.\n]{0,60}"
            r"(?:\b(?:conversation|chat history|system prompt|previous messages|api keys?|credentials?|private key"
            r"|passwords?|secrets?|environment variables?|ssh key|access tokens?|session cookie)\b"
            r"|\.ssh\b|\.env\b|id_rsa|\.aws|/etc/passwd|mcp\.json|\.cursor)"
        ),
    ),
    (
        "names a file of the user's",
        _form(r"~/\.[a-z]|\bid_rsa\b|\bid_ed25519\b|\.ssh/|\.aws/credentials|/etc/(?:passwd|shadow)|\.cursor/mcp\.json"),
    ),
    (
        "sends something elsewhere",
        _form(r"\b(?:send|post|upload|forward|report|exfiltrate|bcc|cc)\b[^.\n]{0,60}(?:https?://[^\s\"']{4,}|[\w.+-]{1,64}@[\w-]{1,63}\.[a-z])"),
    ),
    ("holds a long encoded text", _form(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{80,}={0,2}")),
    ("holds a comment that a page would not show", _form(r"<!--.{1,400}?-->|\]\(\s*#\s*[\"'][^)]{20,}")),
)  # fmt: skip


def poison(definition: Definition, others: Collection[str] = ()) -> tuple[Poison, ...]:
    """What of `definition` a person should read twice; `others` are the names of all other tools that agents see."""
    finds: list[Poison] = []
    seen: set[tuple[str, str]] = set()
    names = sorted((name for name in others if name != definition.name and _is_telling(name)), key=len, reverse=True)
    for where, text in _texts(definition):
        for kind, words in _finds_in(text[:CHARS_MAX], names):
            if (where, kind) not in seen and len(finds) < FOUND_MAX:
                seen.add((where, kind))
                finds.append(Poison(where, kind, escaped(words, chars_max=_SHOWN_CHARS_MAX)))
    return tuple(finds)


def _finds_in(text: str, names: Collection[str]) -> Iterator[tuple[str, str]]:
    for span in hidden(text):
        yield f"holds {span.kind.removesuffix('s')}s", text[max(0, span.start - 10) : span.end + 10]
    for span in secrets(text):
        yield "holds a secret", span.kind
    for kind, form in _RULES:
        match = form.search(text)
        if match is not None:
            yield kind, match[0]
    for name in names:
        at = text.find(name)
        if at >= 0 and _is_alone(text, at, len(name)):
            yield "speaks of another tool", text[max(0, at - 20) : at + len(name) + 20]
            return


def _is_telling(name: str) -> bool:
    """Whether `name` can only mean the tool: a word of the language that is a tool's name too stands everywhere."""
    return len(name) > 4 and ("_" in name or "-" in name or not (name.islower() or name.istitle()))


def _is_alone(text: str, at: int, chars: int) -> bool:
    around = text[at - 1 : at] + text[at + chars : at + chars + 1]
    return not any(char.isalnum() or char in "_-" for char in around)


def _texts(definition: Definition) -> Iterator[tuple[str, str]]:
    yield "its name", definition.name
    yield "its description", definition.description
    yield from _within("its input", definition.input_schema)
    if definition.output_schema is not None:
        yield from _within("its output", definition.output_schema)
    yield from _within("its annotations", definition.annotations)


def _within(where: str, value: Json) -> Iterator[tuple[str, str]]:
    pending: list[Json] = [value]
    while pending:
        value_here = pending.pop()
        if isinstance(value_here, str):
            yield where, value_here
        elif isinstance(value_here, Mapping):
            for name in value_here:
                yield where, name
            pending.extend(reversed(list(value_here.values())))
        elif isinstance(value_here, (list, tuple)):
            pending.extend(reversed(value_here))
