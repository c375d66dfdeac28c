"""The exact difference between two JSON values: by path, and word by word in free text.

The texts may be hostile: the work is bounded whatever they hold. Paths are JSON Pointers
(RFC 6901).
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias, TypeGuard, assert_never

from remit.facts.canonical import Json, canonical
from remit.facts.pointer import below
from remit.facts.text import escaped

TOKENS_MAX: Final = 400
CHANGES_MAX: Final = 1_000
_TOKEN: Final = re.compile(r"\s+|\w+|[^\w\s]")
CONTEXT: Final = 60
VALUE_MAX: Final = 500


class TextOp(StrEnum):
    """What became of a piece of text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that stayed, went or came."""

    op: TextOp
    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """Free text that changed: the pieces in order give both texts whole."""

    path: str
    pieces: tuple[Piece, ...]

    def to_json(self) -> Mapping[str, Json]:
        """The change with its op `words`."""
        pieces: Json = [{"op": piece.op.value, "text": piece.text} for piece in self.pieces]
        return {"op": "words", "path": self.path, "pieces": pieces}


@dataclass(frozen=True, slots=True)
class Added:
    """A member or element that is new."""

    path: str
    value: Json

    def to_json(self) -> Mapping[str, Json]:
        """The change with its op `added`."""
        return {"op": "added", "path": self.path, "value": self.value}


@dataclass(frozen=True, slots=True)
class Removed:
    """A member or element that is gone."""

    path: str
    value: Json

    def to_json(self) -> Mapping[str, Json]:
        """The change with its op `removed`."""
        return {"op": "removed", "path": self.path, "value": self.value}


@dataclass(frozen=True, slots=True)
class Replaced:
    """A value that became another."""

    path: str
    before: Json
    after: Json

    def to_json(self) -> Mapping[str, Json]:
        """The change with its op `replaced`."""
        return {"op": "replaced", "path": self.path, "before": self.before, "after": self.after}


Change: TypeAlias = Words | Added | Removed | Replaced


def changes(before: Json, after: Json) -> tuple[Change, ...]:
    """What turns `before` into `after`, by path; empty exactly when they are the same JSON.

    Beyond `CHANGES_MAX` differences, one `Replaced` of the whole stands for them all.
    """
    differences: list[Change] = []
    for change in _walk(before, after):
        differences.append(change)
        if len(differences) > CHANGES_MAX:
            return (Replaced("", before, after),)
    return tuple(sorted(differences, key=lambda change: change.path))


def words(before: str, after: str) -> tuple[Piece, ...]:
    """The pieces of two texts, whole words at a time.

    What lies between the first and the last difference is compared only up to `TOKENS_MAX`
    words a side; more than that counts as replaced.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    middle_old, middle_new = old[start : len(old) - end], new[start : len(new) - end]
    pieces = [(TextOp.SAME, old[:start])]
    if max(len(middle_old), len(middle_new)) > TOKENS_MAX:
        pieces += [(TextOp.REMOVED, middle_old), (TextOp.ADDED, middle_new)]
    else:
        matcher = difflib.SequenceMatcher(None, middle_old, middle_new, autojunk=False)
        for op, i, j, k, n in matcher.get_opcodes():
            if op == "equal":
                pieces.append((TextOp.SAME, middle_old[i:j]))
            else:
                pieces += [(TextOp.REMOVED, middle_old[i:j]), (TextOp.ADDED, middle_new[k:n])]
    pieces.append((TextOp.SAME, old[len(old) - end :]))
    return tuple(Piece(op, "".join(tokens)) for op, tokens in pieces if tokens)


def render(change: Change) -> str:
    """One line for people: `path: text [-gone-]{+come+} text`, strangers' text escaped."""
    path = one_line(change.path) or "/"
    match change:
        case Words():
            return f"{path}: " + "".join(_marked(change.pieces))
        case Added():
            return f"{path}: {{+{_value(change.value)}+}}"
        case Removed():
            return f"{path}: [-{_value(change.value)}-]"
        case Replaced():
            return f"{path}: [-{_value(change.before)}-]{{+{_value(change.after)}+}}"
        case _:
            assert_never(change)


def one_line(text: str) -> str:
    """A stranger's `text` escaped and on one line, so that it cannot pass for lines of ours."""
    return escaped(text, chars_max=VALUE_MAX).replace("\n", "\\n")


def _walk(before: Json, after: Json) -> Iterator[Change]:
    pending: list[tuple[str, Json, Json]] = [("", before, after)]
    while pending:
        path, old, new = pending.pop()
        if isinstance(old, str) and isinstance(new, str):
            if old != new:
                is_prose = " " in old and " " in new
                yield Words(path, words(old, new)) if is_prose else Replaced(path, old, new)
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            for key in old.keys() | new.keys():
                at = below(path, key)
                if key not in new:
                    yield Removed(at, old[key])
                elif key not in old:
                    yield Added(at, new[key])
                else:
                    pending.append((at, old[key], new[key]))
        elif _is_list(old) and _is_list(new):
            yield from _elements(path, old, new, pending)
        elif not _same(old, new):
            yield Replaced(path, old, new)


def _elements(
    path: str, old: Sequence[Json], new: Sequence[Json], pending: list[tuple[str, Json, Json]]
) -> Iterator[Change]:
    """Lists of one length go element by element; of two, by what their middle lost and won."""
    if len(old) == len(new):
        pending.extend((f"{path}/{index}", *pair) for index, pair in enumerate(zip(old, new, strict=True)))
        return
    shorter = min(len(old), len(new))
    start = 0
    while start < shorter and _same(old[start], new[start]):
        start += 1
    end = 0
    while end < shorter - start and _same(old[-1 - end], new[-1 - end]):
        end += 1
    for index in range(start, len(old) - end):
        yield Removed(f"{path}/{index}", old[index])
    for index in range(start, len(new) - end):
        yield Added(f"{path}/{index}", new[index])


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _same(old: Json, new: Json) -> bool:
    try:
        return canonical(old) == canonical(new)
    except (ValueError, RecursionError):
        return repr(old) == repr(new)


def _value(value: Json) -> str:
    text = escaped(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}… ({len(text)} characters)"


def _marked(pieces: Sequence[Piece]) -> Iterator[str]:
    """Pieces marked; of text that stayed only what stands next to a change."""
    last = len(pieces) - 1
    for index, piece in enumerate(pieces):
        match piece.op:
            case TextOp.REMOVED:
                yield f"[-{one_line(piece.text)}-]"
            case TextOp.ADDED:
                yield f"{{+{one_line(piece.text)}+}}"
            case TextOp.SAME if len(piece.text) <= 2 * CONTEXT:
                yield one_line(piece.text)
            case TextOp.SAME:
                head = "" if index == 0 else one_line(piece.text[:CONTEXT])
                tail = "" if index == last else one_line(piece.text[-CONTEXT:])
                yield f"{head} … {tail}"
            case _:
                assert_never(piece.op)
