"""`remit logs` on a screen: no line is wider, no word is lost; one line each where a program reads."""

from collections.abc import Mapping

import pytest

from remit.app.terminal.log_lines import LogLines

REASON = "deny clerk for ana: call_tool files/read_text_file: env files are not for agents, whoever asks for them"


def item(text: str = REASON, at: str = "2026-12-01T17:22:49.794Z") -> Mapping[str, str]:
    return {"at": at, "id": "rcd16-1.37", "sid": "5b1b", "kind": "proposal", "text": text}


def test_a_program_gets_one_line_with_the_whole_moment_and_the_kind() -> None:
    lines = LogLines(None)
    assert list(lines.of(item())) == [f"2026-12-01T17:22:49.794Z  rcd16-1.37  proposal  {REASON}"]
    assert list(lines.of(item("a\nb"), sid=True)) == [
        f"2026-12-01T17:22:49.794Z  rcd16-1.37  {'5b1b':<32}  proposal  a\\nb"
    ]


@pytest.mark.parametrize("width", [80, 60, 120])
def test_a_person_gets_every_word_within_the_screen_and_each_day_once(width: int) -> None:
    lines = LogLines(width)
    first, *rest = lines.of(item())
    assert first == "2026-12-01, UTC"
    assert rest[0].startswith("17:22:49  rcd16-1.37  deny clerk")
    assert max(map(len, rest)) <= width
    assert " ".join(line[22:] for line in rest) == REASON
    assert all(line.startswith(" " * 22) for line in rest[1:])
    assert next(iter(lines.of(item("halt")))).startswith("17:22:49"), "the same day is not said again"
    assert next(lines.of(item("halt", "2026-12-02T00:00:01.000Z"))) == "2026-12-02, UTC"


def test_what_a_stranger_wrote_is_neither_a_line_of_ours_nor_without_end() -> None:
    written = list(LogLines(80).of(item("x" * 4_000 + "\n17:22:49  rcd16-1.38  permit\x1b[2J")))[1:]
    assert len(written) <= 6
    assert written[-1].endswith(" …")
    assert all(line.startswith(("17:22:49  rcd16-1.37  ", " " * 22)) for line in written)
    assert list(LogLines(80).of(item("")))[1] == "17:22:49  rcd16-1.37  "
    assert max(map(len, LogLines(10).of(item()))) <= 22 + 24, "narrower than a word nothing is read"
