"""YAML as a tool may write it: by the events of libyaml, whose own composer recurses in C until the process dies.

Refused is what can hold text that the value does not show: anchors, aliases, tags, comments, directives, several
documents, members named twice.
"""

from collections.abc import Iterator
from typing import Final

import yaml

from remit.facts.canonical import Json

DEPTH_MAX: Final = 64
_BETWEEN: Final = str.maketrans(dict.fromkeys(" \t\r\n-:,[]{}?", None))


class UnreadableText(Exception):
    """A text is not what the catalog says it is."""


def parse(text: str) -> Json:
    """The value that a YAML text spells, all scalars as texts. Raises `UnreadableText`.

    Anchors, tags, comments, directives, several documents and members named twice are refused: each can hold
    text that no leaf would show.
    """
    try:
        return _Yaml(text).value()
    except (yaml.YAMLError, ValueError, UnicodeError):
        raise UnreadableText from None


class _Yaml:
    """YAML by its events: libyaml's own composer recurses until the stack ends."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._loader = yaml.CBaseLoader(text)

    def value(self) -> Json:
        stack: list[list[Json] | dict[str, Json]] = []
        names: list[str | None] = []
        result: list[Json] = []
        documents = 0
        for event in self._events():
            match event:
                case yaml.ScalarEvent():
                    self._plain(event)
                    value: Json = event.value
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    if event.anchor is not None or event.tag is not None or len(stack) >= DEPTH_MAX:
                        raise UnreadableText
                    opened: list[Json] | dict[str, Json] = [] if isinstance(event, yaml.SequenceStartEvent) else {}
                    if stack and isinstance(stack[-1], dict) and names[-1] is None:
                        raise UnreadableText
                    stack.append(opened)
                    names.append(None)
                    continue
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    value = stack.pop()
                    names.pop()
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1 or event.version is not None or event.tags:
                        raise UnreadableText
                    continue
                case yaml.AliasEvent():
                    raise UnreadableText
                case _:
                    continue
            if not stack:
                result.append(value)
                continue
            top = stack[-1]
            if isinstance(top, list):
                top.append(value)
            elif (name := names[-1]) is None:
                if not isinstance(value, str) or value in top:
                    raise UnreadableText
                names[-1] = value
            else:
                top[name] = value
                names[-1] = None
        self._between(len(self._text))
        return result[0] if result else None

    def _events(self) -> Iterator[yaml.Event]:
        while (event := self._loader.get_event()) is not None:
            yield event

    def _plain(self, event: yaml.ScalarEvent) -> None:
        if event.anchor is not None or event.tag is not None:
            raise UnreadableText
        assert event.start_mark is not None, "libyaml marks every event"  # noqa: S101
        assert event.end_mark is not None, "libyaml marks every event"  # noqa: S101
        start, end = event.start_mark.index, event.end_mark.index
        self._between(start)
        if event.style in {"|", ">"} and "#" in self._text[start:end].partition("\n")[0]:
            raise UnreadableText
        self._at = end

    def _between(self, end: int) -> None:
        if self._text[self._at : end].translate(_BETWEEN):
            raise UnreadableText
