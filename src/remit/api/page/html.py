"""HTML that says what it was given: the one way by which text gets into a page.

Laws: whatever is no `Html` is text, escaped twice over (what draws nothing or turns writing round is shown by its
number, then the characters that HTML reads); attributes are quoted. So no text can be markup.
"""

import html as standard
from collections.abc import Iterable
from typing import Final, TypeAlias

from remit.facts.text import escaped

Value: TypeAlias = str | bool | None
_VOID: Final = frozenset({"input", "meta"})
_LINED: Final = frozenset({"pre", "textarea"})


class Html(str):
    """Markup; made by `tag`, `text` and `joined` alone."""

    __slots__ = ()


def text(value: str) -> Html:
    """`value` as text of a page."""
    return value if isinstance(value, Html) else Html(standard.escape(escaped(value)))


def joined(parts: Iterable[str]) -> Html:
    """`parts` one after the other."""
    return Html("".join(map(text, parts)))


def tag(element: str, /, *inner: str, **attributes: Value) -> Html:
    """An element. `class_` is `class`, `data_x` is `data-x`; True is an attribute without value, None is none."""
    written = "".join(_attribute(key.strip("_").replace("_", "-"), value) for key, value in attributes.items())
    if element in _VOID:
        return Html(f"<{element}{written}>")
    # HTML drops a line end at the beginning of these.
    begin = "\n" if element in _LINED else ""
    return Html(f"<{element}{written}>{begin}{joined(inner)}</{element}>")


def _attribute(name: str, value: Value) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{standard.escape(escaped(value))}"'
