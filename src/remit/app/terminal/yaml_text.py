"""Answers as YAML that people read: letters of any language as they are, texts of several lines as blocks.

Law: no character that is invisible, or turns the direction of others, is written but as an escape.
"""

from typing import Any, Final

import yaml

from remit.facts.text import escaped

_WIDTH: Final = 100
_ESCAPES: Final = {"\n": "\\n", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def to_yaml(value: Any) -> str:
    """`value`, which is of JSON's types, as YAML; it reads back as the same."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)


class _Dumper(yaml.SafeDumper):
    """Quotes what holds something hidden, and writes a text of several lines as a block where YAML can."""

    def text(self, value: str) -> yaml.ScalarNode:
        """The node of a text."""
        style = '"' if _hides(value) else "|" if "\n" in value else None
        return yaml.ScalarNode("tag:yaml.org,2002:str", value, style=style)

    def write_double_quoted(self, text: str, split: object = None) -> None:
        """On one line: `text`, with escapes for what is hidden and nothing else that can stand there."""
        del split
        self.write_indicator(f'"{"".join(map(_quoted, text))}"', need_whitespace=True)


_Dumper.add_representer(str, _Dumper.text)


def _hides(text: str) -> bool:
    return escaped(text, chars_max=len(text)) != text


def _quoted(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if not _hides(char):
        return char
    code = ord(char)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"
