"""A value that is not what it should be, in words."""

from collections.abc import Mapping, Sequence


def kind_of(value: object) -> str:
    """What sort of value it is."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "the boolean"
        case int() | float():
            return "the number"
        case str():
            return "the text"
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            return type(value).__name__


def quoted(value: object) -> str:
    """The value itself, where it is short."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int() | float():
            return repr(value)[:80]
        case _:
            return ""
