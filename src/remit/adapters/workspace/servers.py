"""Servers as text: where goes what they are asked with, declared by adding one member."""

import re
from typing import Final

from remit.adapters.workspace.documents import Document, YamlRefused, documents
from remit.facts.canonical import Json
from remit.facts.catalog import Sink
from remit.facts.text import one_line

_SPEC: Final = re.compile(
    r"""(?m)^["']?spec["']?[ \t]*:[ \t]*"""
    r"""(?:(?P<flow>\{)|(?:#[^\r\n]*)?(?P<end>\r?\n)(?:[ \t]*\r?\n)*(?P<indent> +))"""
)
"""Where the members of a `spec` begin."""


def with_sink(text: str, document: Document, sink: Sink, because: str) -> str | None:
    """`text` with `sink` in the Server that `document` of it declares, and the reason beside it where there is room.

    None where that is not to be had by adding that one member. The result is read again, so that nothing depends on how
    the place was found.
    """
    read = documents(text)
    wanted = [_sinking(found.value, sink) if found.start == document.start else found.value for found in read]
    for found in _SPEC.finditer(text, document.start, document.end):
        added = f"sink: {sink.value}" + (
            ", " if found["flow"] else f"  # {one_line(because)}{found['end']}{found['indent']}"
        )
        changed = text[: found.end()] + added + text[found.end() :]
        try:
            if [one.value for one in documents(changed)] == wanted:
                return changed
        except YamlRefused:
            continue
    return None


def _sinking(value: Json, sink: Sink) -> Json:
    match value:
        case {"spec": {**spec}, **rest}:
            return {**rest, "spec": {**spec, "sink": sink.value}}
        case _:
            return value
