"""More than 200 hostile texts in everything a stranger can write, on the card in a terminal emulator."""

import io
from datetime import UTC, datetime
from typing import Any, Final

import pyte
import pytest
from pyte.modes import LNM
from rich.console import Console

from remit.app.cli.card import card
from tests.e2e.hostile_strings import HUGE, STRINGS

NOW: Final = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
COLUMNS: Final = 100


def approval(text: str) -> dict[str, Any]:
    """An approval in which everything that an agent or a server can write is `text`."""

    def line(label: str, *marks: str, gate: bool = False) -> dict[str, Any]:
        return {"label": label, "text": [{"text": text, "mark": mark} for mark in marks], "note": text, "gate": gate}

    brief: dict[str, Any] = {
        "what": [{"text": "mail ", "mark": ""}, {"text": text, "mark": "untrusted"}],
        "shows": [line("recipients", "untrusted")],
        "preview": {"by": text, "lines": [text, text], "labels": [text], "why": text},
        "stops": [{"policy": "ask", "route": "owner", "text": text, "where": "a.cedar:1", "lines": [text, text]}],
        "chain": [line("for", ""), line("agent", "")],
        "values": [line(text, "given", "untrusted", "given", gate=True), line("to", "unseen"), line("x", "grounded")],
        "unlisted": 3,
        "impact": [line("undoing", "")],
        "precedent": "never asked before",
        "safer": [{"change": text, "tool": text, "arguments": text}],
        "reason": [{"text": text, "mark": "given"}],
        "remarks": [{"by": "sam", "did": "said yes", "text": text}],
        "expires": "2026-11-28T13:00:00Z",
        "zero": "silence is a no",
        "careful": True,
        "whole": False,
    }
    seats = [{"route": "owner", "count": 1, "by": [], "eligible": ["sam"], "short": 0}]
    return {"id": "r1-1.9", "state": "pending", "void": None, "seats": seats, "brief": brief}


def screen(text: str) -> tuple[pyte.Screen, int]:
    """What a terminal shows of the card, and on how many rows."""
    out = io.StringIO()
    card(approval(text), Console(file=out, force_terminal=True, width=COLUMNS, color_system="truecolor"), NOW)
    rows = out.getvalue().count("\n")
    shown = pyte.Screen(COLUMNS, rows + 2)
    shown.set_mode(LNM)
    pyte.Stream(shown).feed(out.getvalue())
    return shown, rows


def row(shown: pyte.Screen, at: int) -> str:
    """The cells of a row, a character of double width being one cell and an empty one."""
    return "".join(shown.buffer[at][column].data for column in range(COLUMNS))


def frame(text: str) -> tuple[str, set[str], str, str]:
    """The frame of a card: its first row, what stands left and right of every other, its last row and what follows."""
    shown, rows = screen(text)
    assert (shown.title, shown.cursor.hidden, shown.cursor.x, shown.cursor.y) == ("", False, 0, rows), repr(text)
    sides = {shown.buffer[at][0].data + shown.buffer[at][COLUMNS - 1].data for at in range(1, rows - 1)}
    return row(shown, 0), sides, row(shown, rows - 1), row(shown, rows).strip()


PLAIN: Final = frame("plain")


@pytest.mark.parametrize("texts", [STRINGS[at::4] for at in range(4)], ids=["a", "b", "c", "d"])
def test_no_cell_of_the_frame_changes(texts: tuple[str, ...]) -> None:
    assert len(STRINGS) >= 200
    assert PLAIN[1] == {"││"}
    for text in texts:
        assert frame(text) == PLAIN, repr(text)


def test_what_the_terminal_is_sent_moves_nothing_but_colours() -> None:
    """Every sequence in it is one that sets colours, whatever the text."""
    for text in STRINGS:
        out = io.StringIO()
        card(approval(text), Console(file=out, force_terminal=True, width=COLUMNS), NOW)
        for part in out.getvalue().split("\x1b")[1:]:
            assert part[0] == "[", repr(text)
            assert part[1:].lstrip("0123456789;")[0] == "m", repr(text)
        assert not any((ord(char) < 32 and char not in "\n\x1b") or 127 <= ord(char) < 160 for char in out.getvalue())


def test_values_stand_above_the_text_of_policies_and_the_time_in_the_first_line() -> None:
    shown, rows = screen("plain")
    lines = [row(shown, at) for at in range(rows)]
    order = [
        "pending, 1 h 0 min left",
        "why it stopped",
        "every value",
        "what it can do",
        "policy ask ──",
        "the agent says",
    ]
    found = [next(at for at, line in enumerate(lines) if text in line) for text in order]
    assert found == sorted(found), "\n".join(lines)


def test_100_kb_are_cut_before_they_come_to_the_card() -> None:
    """The brief cuts them; a card that is given more than that still keeps its frame."""
    for text in HUGE:
        assert frame(text[:1_000]) == PLAIN, repr(text[:20])
