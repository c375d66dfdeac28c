"""Servers as text: where goes what they are asked with, declared by adding one member."""

import re
from typing import Final

from remit.adapters.workspace.documents import Document, first_edit
from remit.facts.canonical import Json
from remit.facts.text import one_line
from remit.facts.tool import Sink

_SPEC: Final = re.compile(
    r"""(?m)^["']?spec["']?[ \t]*:[ \t]*"""
    r"""(?:(?P<flow>\{)|(?:#[^\r\n]*)?(?P<end>\r?\n)(?:[ \t]*\r?\n)*(?P<indent> +))"""
)
"""Where the members of a `spec` begin."""


def with_sink(text: str, document: Document, sink: Sink, because: str) -> str | None:
    """`text` with `sink` in the Server that `document` of it declares, and the reason beside it where there is room.

    None where that is not to be had by adding that one member.
    """
    places = _SPEC.finditer(text, document.start, document.end)
    tries = (text[: place.end()] + _sink_text(place, sink, because) + text[place.end() :] for place in places)
    return first_edit(text, document, _sinking(document.value, sink), tries)


def _sink_text(place: re.Match[str], sink: Sink, because: str) -> str:
    after = ", " if place["flow"] else f"  # {one_line(because)}{place['end']}{place['indent']}"
    return f"sink: {sink.value}{after}"


def _sinking(value: Json, sink: Sink) -> Json:
    match value:
        case {"spec": {**spec}, **rest}:
            return {**rest, "spec": {**spec, "sink": sink.value}}
        case _:
            return value
